//! DescribeAlarmHistory.

use platform::{Access, Ctx};

use crate::alarm::history::{Item, id_at, items_key, items_of_key};
use crate::api::{AlarmType, DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput, HistoryItemType, ScanBy};
use crate::page::{self, Span};
use crate::{CloudWatch, Error, access};

const LIST: &str = "DescribeAlarmHistory";
/// The most items of one answer.
const PAGE: usize = 100;
/// How many items are read at once, and how many one answer looks at.
const READ: usize = 500;
const READ_MAX: usize = 10_000;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DescribeAlarmHistoryInput) -> Access {
    access::to_alarms(ctx, "cloudwatch:DescribeAlarmHistory", &input.alarm_name)
}

/// Tells what has happened to an alarm, or to all, the newest first unless asked otherwise.
pub(crate) async fn describe_alarm_history(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: DescribeAlarmHistoryInput,
) -> Result<DescribeAlarmHistoryOutput, Error> {
    let (store, scope) = (&cloudwatch.platform.store, ctx.scope());
    if input.start_date.zip(input.end_date).is_some_and(|(start, end)| start > end) {
        return Err(Error::Validation("StartDate must not be after EndDate.".to_owned()));
    }
    let base = match &input.alarm_name {
        Some(alarm) => items_of_key(&scope, alarm),
        None => items_key(&scope),
    };
    let limit = page::size(input.max_records, PAGE);
    let mut after = page::open(&cloudwatch.platform, ctx, LIST, input.next_token.as_deref())?;
    // Ids begin with the instant; the end is within.
    let from = input.start_date.map(id_at);
    let to = input.end_date.map(|end| id_at(base::Timestamp::from_millis(end.as_millis() + 1)));
    let mut items = Vec::new();
    let mut seen = 0;
    loop {
        let span = Span {
            base: &base,
            from: from.as_deref(),
            to: to.as_deref(),
            after: after.as_deref(),
            is_reverse: input.scan_by != Some(ScanBy::TimestampAscending),
            limit: READ,
        };
        let names = page::names(store, span).await?;
        let ids: Vec<[&str; 1]> = names.names.iter().map(|name| [name.as_str()]).collect();
        let ids: Vec<&[&str]> = ids.iter().map(<[&str; 1]>::as_slice).collect();
        let found = store.read_many::<Item>(&scope, &ids).await?;
        for (name, item) in names.names.iter().zip(found) {
            if items.len() == limit {
                return Ok(output(cloudwatch, ctx, items, after));
            }
            after = Some(name.clone());
            items.extend(item.map(|it| it.value).filter(|item| takes(&input, item)));
        }
        seen += names.names.len();
        if !names.more || seen >= READ_MAX {
            return Ok(output(cloudwatch, ctx, items, after.filter(|_| names.more)));
        }
    }
}

fn takes(input: &DescribeAlarmHistoryInput, item: &Item) -> bool {
    let own = if item.is_composite { AlarmType::CompositeAlarm } else { AlarmType::MetricAlarm };
    let is_type = match input.alarm_types.as_deref() {
        None | Some([]) => input.alarm_name.is_some() || own == AlarmType::MetricAlarm,
        Some(types) => types.contains(&own),
    };
    let kind: HistoryItemType = item.kind.api();
    is_type && input.alarm_contributor_id.is_none() && input.history_item_type.is_none_or(|wanted| wanted == kind)
}

fn output(cloudwatch: &CloudWatch, ctx: &Ctx, items: Vec<Item>, after: Option<String>) -> DescribeAlarmHistoryOutput {
    DescribeAlarmHistoryOutput {
        alarm_history_items: Some(items.into_iter().map(Item::describe).collect()),
        next_token: after.map(|after| cloudwatch.platform.page_token(ctx, LIST, &after)),
    }
}
