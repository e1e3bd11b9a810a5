//! Repositories: what is kept of one, and what others see of it.

mod mutability;

use base::Timestamp;
use platform::Ctx;
use serde::{Deserialize, Serialize};
use store::{Record, Store, StoreError, Versioned};

use crate::api;
use crate::endpoint::repository_uri;
use crate::names::RepositoryName;
use crate::tags::Tags;
use crate::{Ecr, Error, registry_policy};

pub use mutability::{EXCLUSION_WILDCARDS_MAX, TagMutability};

/// The longest policy of a repository or registry, in characters; the model says it, too.
pub const POLICY_LENGTH_MAX: usize = 10_240;

/// A repository. Its record's id is its name. What is in it lies below [`Repository::id`], so that one that is deleted and
/// made again under the same name shares nothing with its forerunner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// New at each creation: 32 hexadecimal digits.
    pub id: String,
    /// When it was created.
    pub created: Timestamp,
    /// Whether tags may be moved from one image to another.
    pub mutability: TagMutability,
    /// Whether images are to be scanned when they are pushed. Kept; nothing scans yet.
    pub scan_on_push: bool,
    /// Its tags.
    pub tags: Tags,
    /// Its policy, as it was given.
    pub policy: Option<String>,
}

impl Record for Repository {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "repository";
}

/// A repository with its name.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its name.
    pub name: RepositoryName,
    /// Its record.
    pub record: Versioned<Repository>,
}

impl Found {
    /// The id below which its content lies.
    pub fn id(&self) -> &str {
        &self.record.value.id
    }
}

/// Finds a repository.
///
/// # Errors
/// [`Error::RepositoryNotFound`]
pub async fn find(store: &Store, name: RepositoryName) -> Result<Found, Error> {
    match store.read(&name.scope(), &[&name.name]).await? {
        Some(record) => Ok(Found { name, record }),
        None => Err(Error::RepositoryNotFound(name)),
    }
}

/// The same from memory, if nothing has changed: for those who only read.
///
/// # Errors
/// [`Error::RepositoryNotFound`]
pub async fn look_up(ecr: &Ecr, name: &RepositoryName) -> Result<Found, Error> {
    let known = registry_policy::known(ecr, name).await?;
    known.found.clone().ok_or_else(|| Error::RepositoryNotFound(name.clone()))
}

/// Changes a repository.
///
/// # Errors
/// [`Error::RepositoryNotFound`], and what `change` answers.
pub(crate) async fn update(
    store: &Store,
    name: &RepositoryName,
    change: impl FnMut(&mut Repository) -> Result<(), Error>,
) -> Result<Versioned<Repository>, Error> {
    store.update(&name.scope(), &[&name.name], change).await.map_err(|error| match error {
        Error::Store(StoreError::NotFound { .. }) => Error::RepositoryNotFound(name.clone()),
        other => other,
    })
}

impl Ecr {
    /// A repository as operations answer it.
    pub(crate) fn describe(&self, ctx: &Ctx, name: &RepositoryName, repository: &Repository) -> api::Repository {
        let filters = repository.mutability.describe_filters();
        api::Repository {
            repository_arn: Some(name.arn()),
            registry_id: Some(name.registry.to_string()),
            repository_name: Some(name.name.clone()),
            repository_uri: Some(repository_uri(ctx, self.public_address.as_ref(), name)),
            created_at: Some(repository.created),
            image_tag_mutability: Some(repository.mutability.describe()),
            image_tag_mutability_exclusion_filters: (!filters.is_empty()).then_some(filters),
            image_scanning_configuration: Some(repository.describe_scanning()),
            encryption_configuration: Some(api::EncryptionConfiguration {
                encryption_type: api::EncryptionType::Aes256,
                kms_key: None,
            }),
        }
    }
}

impl Repository {
    /// When its images are scanned, as operations answer it.
    pub(crate) fn describe_scanning(&self) -> api::ImageScanningConfiguration {
        api::ImageScanningConfiguration { scan_on_push: Some(self.scan_on_push) }
    }
}
