//! DeleteLogStream.

use platform::{Access, Ctx};
use store::{StoreError, Tx};

use crate::api::DeleteLogStreamRequest;
use crate::names::{GroupName, on_stream};
use crate::{Error, Logs, group, stream};

pub(crate) fn access(ctx: &Ctx, input: &DeleteLogStreamRequest) -> Access {
    let group = GroupName::own(ctx, &input.log_group_name);
    on_stream(ctx, "logs:DeleteLogStream", Ok(group), &input.log_stream_name)
}

/// Deletes a log stream and its events.
///
/// The events go first, so that a stream that is created again after a crash in between has none of them; nobody writes
/// meanwhile.
pub(crate) async fn delete_log_stream(logs: &Logs, ctx: &Ctx, input: DeleteLogStreamRequest) -> Result<(), Error> {
    let name = GroupName::own(ctx, &input.log_group_name);
    let store = &logs.platform.store;
    let _alone = logs.writing.write().await;
    let group = group::find(store, &name).await?;
    let found = stream::find(store, &name.scope(), &group.storage_id, &input.log_stream_name).await?;
    if group.deletion_protected {
        return Err(Error::DeletionProtected);
    }
    let key = name.key(&group.storage_id)?;
    logs.blocking(move |segments| segments.delete_stream(&key, &input.log_stream_name)).await?;
    let mut tx = Tx::new();
    tx.remove(&found);
    match store.commit(tx).await {
        Ok(_) => Ok(()),
        Err(StoreError::Conflict { .. }) => Err(Error::StreamNotFound),
        Err(error) => Err(error.into()),
    }
}
