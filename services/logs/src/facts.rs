//! What the store knows of a log group when somebody asks for something to be done with it.

use std::sync::Arc;

use platform::{Asked, Ctx, Facts};

use crate::names::GroupName;
use crate::{Error, Logs, group, resource_policy};

/// The group's tags and the resource policies that bear on it. A group that does not exist has no tags; the account's
/// policies bear on it all the same.
pub(crate) async fn facts(logs: &Logs, _: &Ctx, _: Asked<'_>, resource: &str) -> Result<Facts, Error> {
    let Some(name) = GroupName::of_arn(resource) else { return Ok(Facts::default()) };
    let store = &logs.platform.store;
    let group = match group::find(store, &name).await {
        Ok(found) => Some(found),
        Err(Error::GroupNotFound) => None,
        Err(error) => return Err(error),
    };
    let policy = resource_policy::bearing_on(store, &name, group.as_ref()).await?.map(Arc::new);
    let tags = group.map(|group| group.value.tags.into_map()).unwrap_or_default();
    Ok(Facts { owner: Some(name.account), tags, policy, ..Facts::default() })
}
