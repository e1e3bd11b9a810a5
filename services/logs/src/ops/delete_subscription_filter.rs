//! DeleteSubscriptionFilter.

use platform::{Access, Attempts, Ctx};
use store::Tx;

use crate::api::DeleteSubscriptionFilterRequest;
use crate::children;
use crate::names::{GroupName, on_own_group};
use crate::subscription::SubscriptionFilter;
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &DeleteSubscriptionFilterRequest) -> Access {
    on_own_group(ctx, "logs:DeleteSubscriptionFilter", &input.log_group_name)
}

/// Deletes a subscription filter.
pub(crate) async fn delete_subscription_filter(
    logs: &Logs,
    ctx: &Ctx,
    input: DeleteSubscriptionFilterRequest,
) -> Result<(), Error> {
    let name = GroupName::own(ctx, &input.log_group_name);
    let mut attempts = Attempts::new();
    loop {
        let outcome = delete(logs, &name, &input.filter_name).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn delete(logs: &Logs, name: &GroupName, filter: &str) -> Result<(), Error> {
    let store = &logs.platform.store;
    let group = group::find(store, name).await?;
    let found = children::read::<SubscriptionFilter>(store, &name.scope(), &group.storage_id, filter).await?;
    let found = found.ok_or(Error::SubscriptionFilterNotFound)?;
    let mut changed = group.value.clone();
    changed.subscription_filters = changed.subscription_filters.saturating_sub(1);
    changed.subscription_filters_changed += 1;
    let mut tx = Tx::new();
    tx.replace(&group, &changed).remove(&found);
    store.commit(tx).await?;
    Ok(())
}
