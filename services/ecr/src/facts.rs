//! What the store knows of a repository when somebody asks for something to be done with it.

use std::sync::Arc;

use platform::{Ctx, Facts};
use store::Versioned;

use crate::names::RepositoryName;
use crate::repository::Repository;
use crate::{Ecr, Error, registry_policy};

/// Whose a repository is, its tags, and the policies that bear on it: its own and the registry's. One that does not exist
/// has an owner all the same, so that nobody learns of another account's repositories by asking.
pub(crate) async fn facts(ecr: &Ecr, _: &Ctx, action: &'static str, resource: &str) -> Result<Facts, Error> {
    let Some(name) = RepositoryName::of_arn(resource) else { return Ok(Facts::default()) };
    let (store, scope) = (&ecr.platform.store, name.scope());
    let found: Option<Versioned<Repository>> = store.read(&scope, &[&name.name]).await?;
    let repository = found.map(|found| found.value);
    let policy = registry_policy::bearing_on(store, &scope, action, repository.as_ref()).await?.map(Arc::new);
    let tags = repository.map(|repository| repository.tags.into_iter().collect()).unwrap_or_default();
    Ok(Facts { owner: Some(name.registry), tags, policy, ..Facts::default() })
}
