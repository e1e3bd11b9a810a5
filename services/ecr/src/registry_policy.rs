//! A registry's own policy: who else may do something in it, with every repository.

use base::AccountId;
use policy::{Document, Policy, Purpose, ResourceElement, Version};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Store, Versioned};

use crate::Error;
use crate::account_setting::{AccountSettingName, effective};
use crate::repository::Repository;

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

/// What the policies of the registry and of the repository, if it is there, say together about an action.
pub(crate) async fn bearing_on(
    store: &Store,
    scope: &Scope,
    action: &str,
    repository: Option<&Repository>,
) -> Result<Option<Policy>, Error> {
    let mut documents = Vec::new();
    if let Some(text) = repository.and_then(|repository| repository.policy.as_deref()) {
        documents.extend(parse_of_repository(text));
    }
    if let Some(registry) = read(store, scope).await? {
        let bears = ACTIONS_OF_V1.contains(&action)
            || effective(store, scope, AccountSettingName::RegistryPolicyScope).await? == "V2";
        if bears {
            // It was read before it was stored; one that cannot be read any more allows nothing.
            documents.extend(parse(&registry.text));
        }
    }
    let together = documents.into_iter().reduce(|mut all, document| {
        all.statements.extend(document.statements);
        if document.version == Version::V2012 {
            all.version = Version::V2012;
        }
        all
    });
    Ok(together.map(|document| Policy::new("repository and registry policy", document)))
}
