//! GetLogRecord.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use platform::{Access, Asked, Ctx};
use segments::{Cursor, Event, Scan};

use crate::api::{GetLogRecordRequest, GetLogRecordResponse};
use crate::names::{GroupName, on_group};
use crate::query::Pointer;
use crate::{Error, Logs, facts, group};

const ACTION: &str = "logs:GetLogRecord";

/// Only the handler can read the pointer, which says what group it is about, and asks there.
pub(crate) fn access(_: &Ctx, _: &GetLogRecordRequest) -> Access {
    Access::open()
}

/// Answers the fields of the event that `@ptr` of a query's row points to.
pub(crate) async fn get_log_record(
    logs: &Logs,
    ctx: &Ctx,
    input: GetLogRecordRequest,
) -> Result<GetLogRecordResponse, wire::Error> {
    let pointer = Pointer::open(&logs.platform, &ctx.scope(), &input.log_record_pointer).ok_or(Error::RecordPointer)?;
    let Pointer { group: queried, event: id } = pointer;
    let name = GroupName { account: queried.account, region: ctx.region.clone(), name: queried.name.clone() };
    let resource = name.stream_arn("");
    let known = facts::facts(logs, ctx, Asked::to(ACTION), &resource).await?;
    ctx.authorize_with(&on_group(ACTION, &name), &known)?;
    let found = group::find(&logs.platform.store, &name).await?;
    if found.storage_id != queried.storage_id {
        return Err(Error::RecordNotFound.into());
    }
    let key = name.key(&queried.storage_id)?;
    let event = logs.blocking(move |segments| {
        let scan = Scan { from: Some(Cursor::before(id)), limit_events: 1, ..Scan::default() };
        let mut event = None;
        segments.scan(&key, &scan, &mut |found| {
            event = (found.id == id).then(|| found.to_event());
            ControlFlow::Break(())
        })?;
        Ok(event)
    });
    let event = event.await?.ok_or(Error::RecordNotFound)?;
    Ok(GetLogRecordResponse { log_record: Some(fields(event, &queried.log())) })
}

/// What the event has, and if it is a JSON object what it holds at its first level.
fn fields(event: Event, log: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    if let Ok(serde_json::Value::Object(members)) = serde_json::from_str(&event.message) {
        fields.extend(members.into_iter().map(|(name, value)| match value {
            serde_json::Value::String(text) => (name, text),
            other => (name, other.to_string()),
        }));
    }
    fields.extend([
        ("@timestamp".to_owned(), event.timestamp.as_millis().to_string()),
        ("@ingestionTime".to_owned(), event.ingestion.as_millis().to_string()),
        ("@logStream".to_owned(), event.stream.to_string()),
        ("@log".to_owned(), log.to_owned()),
        ("@message".to_owned(), event.message),
    ]);
    fields
}
