//! A registry's own policy: who else may do something in it, with every repository.

use std::sync::Arc;

use base::AccountId;
use policy::{Document, Policy, Purpose, ResourceElement, Version};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Store, Versioned};

use crate::account_setting::{AccountSettingName, effective};
use crate::kept::{Known, Look};
use crate::names::RepositoryName;
use crate::repository::{Found, Repository};
use crate::{Ecr, Error};

/// The id of the one record that a registry has.
const ID: &str = "policy";

/// A registry's policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryPolicy {
    /// The document, as it was given.
    pub text: String,
}

impl Record for RegistryPolicy {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "registry-policy";
}

/// All that a registry's policy speaks of while the account's scope is V1.
const ACTIONS_OF_V1: [&str; 3] = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:ReplicateImage"];

/// The policy of a registry.
pub(crate) async fn read(store: &Store, scope: &Scope) -> Result<Option<Versioned<RegistryPolicy>>, Error> {
    Ok(store.read(scope, &[ID]).await?)
}

/// The same, where there has to be one.
///
/// # Errors
/// [`Error::RegistryPolicyNotFound`]
pub(crate) async fn find(
    store: &Store,
    scope: &Scope,
    registry: AccountId,
) -> Result<Versioned<RegistryPolicy>, Error> {
    read(store, scope).await?.ok_or(Error::RegistryPolicyNotFound(registry))
}

/// The record's id.
pub(crate) fn id() -> [&'static str; 1] {
    [ID]
}

/// Reads a registry's policy.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn parse(text: &str) -> Result<Document, Error> {
    parsed(text, ResourceElement::Required, "registry")
}

/// Reads a repository's policy.
///
/// # Errors
/// [`Error::Parameter`]
pub(crate) fn parse_of_repository(text: &str) -> Result<Document, Error> {
    parsed(text, ResourceElement::Optional, "repository")
}

fn parsed(text: &str, element: ResourceElement, whose: &str) -> Result<Document, Error> {
    policy::parse(text, Purpose::Resource(element)).map_err(|malformed| {
        tracing::debug!(%malformed, "a policy is refused");
        Error::parameter("PolicyText", format!("Invalid {whose} policy provided"))
    })
}

/// Whether an action is one of those that a registry's policy always speaks of.
pub(crate) fn is_registry_action(action: &str) -> bool {
    ACTIONS_OF_V1.contains(&action)
}

/// Finds a repository and what its policy and the registry's say together: from memory, if nothing has changed.
pub(crate) async fn known(ecr: &Ecr, name: &RepositoryName) -> Result<Arc<Known>, Error> {
    let (store, scope) = (&ecr.platform.store, name.scope());
    let ticket = match ecr.kept.repository(store, name) {
        Look::Found(known) => return Ok(known),
        Look::Missing(ticket) => ticket,
    };
    let record: Option<Versioned<Repository>> = store.read(&scope, &[&name.name]).await?;
    let (own, general) = (record.as_ref().and_then(|it| it.policy.clone()), read(store, &scope).await?);
    let applies_to_all =
        general.is_some() && effective(store, &scope, AccountSettingName::RegistryPolicyScope).await? == "V2";
    let general = general.map(|general| general.value.text);
    let on_registry_actions = together(own.as_deref(), general.as_deref());
    let on_others = if applies_to_all { on_registry_actions.clone() } else { together(own.as_deref(), None) };
    let known = Arc::new(Known {
        found: record.map(|record| Found { name: name.clone(), record }),
        on_registry_actions,
        on_others,
        text_bytes: [own, general].into_iter().flatten().map(|text| text.len()).sum(),
    });
    ecr.kept.keep_repository(name, ticket, known.clone());
    Ok(known)
}

/// Both policies as one. They were read before they were stored; one that cannot be read any more allows nothing.
fn together(repository: Option<&str>, registry: Option<&str>) -> Option<Arc<Policy>> {
    let own = repository.and_then(|text| parse_of_repository(text).ok());
    let general = registry.and_then(|text| parse(text).ok());
    let document = own.into_iter().chain(general).reduce(|mut all, document| {
        all.statements.extend(document.statements);
        if document.version == Version::V2012 {
            all.version = Version::V2012;
        }
        all
    });
    document.map(|document| Arc::new(Policy::new("repository and registry policy", document)))
}
