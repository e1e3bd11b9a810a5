//! DeleteLogGroup.

use platform::{Access, Attempts, Ctx};
use store::Tx;

use crate::api::DeleteLogGroupRequest;
use crate::names::{GroupName, on_own_group};
use crate::{Error, Logs, group, reconcile};

pub(crate) fn access(ctx: &Ctx, input: &DeleteLogGroupRequest) -> Access {
    on_own_group(ctx, "logs:DeleteLogGroup", &input.log_group_name)
}

/// Deletes a log group. Its streams, filters and events follow by the message that is left for them.
pub(crate) async fn delete_log_group(logs: &Logs, ctx: &Ctx, input: DeleteLogGroupRequest) -> Result<(), Error> {
    let name = GroupName::own(ctx, &input.log_group_name);
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(logs, ctx, &name).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn delete(logs: &Logs, ctx: &Ctx, name: &GroupName) -> Result<(), Error> {
    let store = &logs.platform.store;
    let group = group::find(store, name).await?;
    if group.deletion_protected {
        return Err(Error::DeletionProtected);
    }
    let mut tx = Tx::new();
    tx.remove(&group);
    reconcile::deletion::schedule(&mut tx, name, &group.storage_id, ctx.now);
    store.commit(tx).await?;
    Ok(())
}
