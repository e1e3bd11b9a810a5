//! What the store knows of a log group when somebody asks for something to be done with it.

use platform::{Ctx, Facts};

use crate::names::GroupName;
use crate::{Error, Logs, group};

/// The group's tags and the resource policies that bear on it. A group that does not exist has no tags; the account's
/// policies bear on it all the same.
pub(crate) async fn facts(logs: &Logs, _: &Ctx, _: &'static str, resource: &str) -> Result<Facts, Error> {
    let Some(name) = GroupName::of_arn(resource) else { return Ok(Facts::default()) };
    let store = &logs.platform.store;
    let tags = match group::find(store, &name).await {
        Ok(found) => found.value.tags.into_map(),
        Err(Error::GroupNotFound) => Default::default(),
        Err(error) => return Err(error),
    };
    Ok(Facts { owner: Some(name.account), tags, ..Facts::default() })
}
