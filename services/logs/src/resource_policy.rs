//! Resource policies: who else may do something with an account's log groups. Those of the account bear on all groups,
//! those of a group on this one.

use base::{Rng, Timestamp, ids};
use policy::{Document, Policy, Purpose, ResourceElement, Version};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, Scope, Store, Versioned};

use crate::api::{self, PolicyScope};
use crate::names::GroupName;
use crate::{Error, group};

/// CloudWatch Logs' quota of an account's resource policies in a region.
pub const ACCOUNT_POLICIES_MAX: usize = 10;
/// The longest policy of an account, in bytes.
pub const ACCOUNT_POLICY_BYTES_MAX: usize = 5120;
/// The longest name. AWS's reference names none; this one keeps it within a key.
pub const NAME_LENGTH_MAX: usize = 255;

/// A resource policy. Its record's id is `account` and its name, or `group` and the group's storage id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// Its name; a group's policy has none.
    pub name: Option<String>,
    /// The group's ARN, where it is a group's.
    pub resource_arn: Option<String>,
    /// The document, as it was given.
    pub document: String,
    /// When it was written.
    pub updated: Timestamp,
    /// New at each write.
    pub revision_id: String,
}

impl Record for ResourcePolicy {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "resource-policy";
}

/// The first segment of the ids of an account's policies.
pub(crate) const OF_ACCOUNT: &str = "account";
/// The first segment of the ids of groups' policies.
pub(crate) const OF_GROUP: &str = "group";

impl ResourcePolicy {
    /// A policy that is written now.
    pub(crate) fn new(document: String, rng: &dyn Rng, now: Timestamp) -> Self {
        Self { name: None, resource_arn: None, document, updated: now, revision_id: ids::uuid(rng) }
    }

    /// The policy as operations answer it.
    pub(crate) fn describe(self) -> api::ResourcePolicy {
        let scope = if self.resource_arn.is_some() { PolicyScope::Resource } else { PolicyScope::Account };
        api::ResourcePolicy {
            policy_name: self.name,
            policy_document: Some(self.document),
            last_updated_time: Some(self.updated.as_millis()),
            policy_scope: Some(scope),
            resource_arn: self.resource_arn,
            revision_id: Some(self.revision_id),
        }
    }
}

/// Reads a document.
///
/// # Errors
/// [`Error::PolicyDocument`]
pub(crate) fn parse(text: &str) -> Result<Document, Error> {
    policy::parse(text, Purpose::Resource(ResourceElement::Optional))
        .map_err(|malformed| Error::PolicyDocument(malformed.to_string()))
}

/// The policies of an account, by name.
pub(crate) async fn of_account(store: &Store, scope: &Scope) -> Result<Vec<Versioned<ResourcePolicy>>, Error> {
    let options = ListOptions { id_prefix: &[OF_ACCOUNT], limit: ACCOUNT_POLICIES_MAX, ..ListOptions::default() };
    Ok(store.list(scope, options).await?.items)
}

/// The policy of the group of this storage id.
pub(crate) async fn of_group(
    store: &Store,
    scope: &Scope,
    storage_id: &str,
) -> Result<Option<Versioned<ResourcePolicy>>, Error> {
    Ok(store.read(scope, &[OF_GROUP, storage_id]).await?)
}

/// What all policies that bear on a group say together.
pub(crate) async fn bearing_on(
    store: &Store,
    name: &GroupName,
    group: Option<&Versioned<group::LogGroup>>,
) -> Result<Option<Policy>, Error> {
    let scope = name.scope();
    let mut policies = of_account(store, &scope).await?;
    if let Some(group) = group.filter(|group| group.has_policy) {
        policies.extend(of_group(store, &scope, &group.storage_id).await?);
    }
    // A stored document was read before it was stored; one that cannot be read any more allows nothing.
    let documents = policies.iter().filter_map(|policy| parse(&policy.document).ok());
    let together = documents.reduce(|mut all, document| {
        all.statements.extend(document.statements);
        if document.version == Version::V2012 {
            all.version = Version::V2012;
        }
        all
    });
    Ok(together.map(|document| Policy::new("resource policy", document)))
}
