//! What the store knows of a repository when somebody asks for something to be done with it.

use platform::{Asked, Ctx, Facts};

use crate::names::RepositoryName;
use crate::{Ecr, Error, registry_policy};

/// Whose a repository is, its tags, and the policies that bear on it: its own and the registry's. One that does not exist
/// has an owner all the same, so that nobody learns of another account's repositories by asking.
pub(crate) async fn facts(ecr: &Ecr, _: &Ctx, asked: Asked<'_>, resource: &str) -> Result<Facts, Error> {
    let Some(name) = RepositoryName::of_arn(resource) else { return Ok(Facts::default()) };
    let known = registry_policy::known(ecr, &name).await?;
    let policy =
        if registry_policy::is_registry_action(asked.action) { &known.on_registry_actions } else { &known.on_others };
    let tags = known.found.as_ref().map(|found| found.record.tags.clone()).unwrap_or_default();
    Ok(Facts {
        owner: Some(name.registry),
        tags: tags.into_iter().collect(),
        policy: policy.clone(),
        ..Facts::default()
    })
}
