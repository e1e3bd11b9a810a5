//! Buckets: what is kept of one, how it is found by its name, and the settings that it may have.

mod create;
mod setting;

use std::collections::{BTreeMap, BTreeSet};

use base::{AccountId, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, Versioned};

use crate::acl::{Acl, Ownership};
use crate::api::ObjectOwnership;
use crate::object::{Version, VersionId};
use crate::{Error, S3};

pub(crate) use create::{create, delete};
pub use setting::Setting;
pub(crate) use setting::{clear, required, setting, store_setting};

/// The most buckets of an account. (User guide: "Bucket quotas": 10,000 by default.)
pub const BUCKETS_MAX: usize = 10_000;

/// A bucket. Its record's id is [`Bucket::uid`], below which its content lies, too: one that is deleted and made again shares
/// nothing with its forerunner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket {
    /// New at each creation: 32 hexadecimal digits.
    pub uid: String,
    /// Its name, which no other bucket of the installation has.
    pub name: String,
    /// Whose it is.
    pub owner: AccountId,
    /// Where it is.
    pub region: Region,
    /// When it was created.
    pub created: Timestamp,
    /// Whether it keeps old versions.
    #[serde(default)]
    pub versioning: Versioning,
    /// Whether ACLs count.
    #[serde(default)]
    pub ownership: Option<Ownership>,
    /// Its list of grants; none if that is its owner's full control.
    #[serde(default)]
    pub acl: Option<Acl>,
    /// What of the public is kept out, whatever ACLs and policies say.
    #[serde(default)]
    pub public_access_block: Option<PublicAccessBlock>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The kinds of its [`Setting`]s that are there.
    #[serde(default)]
    pub settings: BTreeSet<String>,
}

impl Record for Bucket {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bucket";
}

/// Whose a bucket's name is. Its record is the installation's, and its id is the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketName {
    /// Whose the bucket is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// Its id.
    pub uid: String,
}

impl Record for BucketName {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "bucket-name";
}

/// Whether a bucket keeps the versions that are written over and deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Versioning {
    /// It does not, and never has.
    #[default]
    Never,
    /// It does.
    Enabled,
    /// It has; what is written now replaces the null version.
    Suspended,
}

/// What of the public is kept out. (User guide: "Blocking public access to your Amazon S3 storage".)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicAccessBlock {
    /// Public ACLs cannot be set.
    pub block_public_acls: bool,
    /// Public ACLs do not count.
    pub ignore_public_acls: bool,
    /// Public policies cannot be set.
    pub block_public_policy: bool,
    /// A public policy lets in the bucket's account alone.
    pub restrict_public_buckets: bool,
}

/// Whose objects are, as the interface says it.
pub(crate) fn ownership_of(said: ObjectOwnership) -> Ownership {
    match said {
        ObjectOwnership::BucketOwnerEnforced => Ownership::BucketOwnerEnforced,
        ObjectOwnership::BucketOwnerPreferred => Ownership::BucketOwnerPreferred,
        ObjectOwnership::ObjectWriter => Ownership::ObjectWriter,
    }
}

impl PublicAccessBlock {
    /// All of it: what a bucket is made with.
    pub const ALL: Self = Self {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };
    /// Nothing of it: what a bucket has whose block was deleted.
    pub const NONE: Self = Self {
        block_public_acls: false,
        ignore_public_acls: false,
        block_public_policy: false,
        restrict_public_buckets: false,
    };
}

impl Bucket {
    /// Where its records are.
    pub fn scope(&self) -> Scope {
        Scope::new(self.owner, self.region.clone())
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        crate::names::bucket_arn(&self.name)
    }

    /// What of the public is kept out.
    pub fn public_access(&self) -> PublicAccessBlock {
        self.public_access_block.unwrap_or(PublicAccessBlock::NONE)
    }

    /// Its list of grants.
    pub fn acl(&self) -> Acl {
        self.acl.clone().unwrap_or_else(|| Acl::private(self.owner))
    }

    /// Whose an object in it is: with ACLs disabled, all of them are its owner's, whoever wrote them.
    pub fn owner_of(&self, version: &Version) -> AccountId {
        self.owner_of_what_wrote(version.owner)
    }

    /// The same of an object that somebody has written.
    pub fn owner_of_what_wrote(&self, writer: AccountId) -> AccountId {
        if self.has_acls() { writer } else { self.owner }
    }

    /// A version's id as it is answered: not by a bucket that has never had versions.
    pub(crate) fn answered_id(&self, id: &VersionId) -> Option<String> {
        (self.versioning != Versioning::Never).then(|| id.to_string())
    }

    /// Whether ACLs count.
    pub fn has_acls(&self) -> bool {
        // A bucket whose ownership controls were deleted is as all were before there were any.
        self.ownership != Some(Ownership::BucketOwnerEnforced)
    }
}

/// Finds a bucket by its name, anybody's.
pub(crate) async fn look_up(s3: &S3, name: &str) -> Result<Option<Versioned<Bucket>>, Error> {
    let store = &s3.platform.store;
    let Some(found) = store.read::<BucketName>(&Scope::system(), &[name]).await? else { return Ok(None) };
    Ok(store.read(&Scope::new(found.account, found.region.clone()), &[&found.uid]).await?)
}

/// Finds a bucket by its name.
///
/// # Errors
/// [`Error::NoSuchBucket`]
pub(crate) async fn find(s3: &S3, name: &str) -> Result<Versioned<Bucket>, Error> {
    look_up(s3, name).await?.ok_or_else(|| Error::NoSuchBucket(name.to_owned()))
}

/// The bucket for an operation in which the client may say whose it expects it to be.
///
/// # Errors
/// [`Error::NoSuchBucket`], and [`Error::AccessDenied`] if it is somebody else's.
pub(crate) async fn expected(s3: &S3, name: &str, owner: Option<&str>) -> Result<Versioned<Bucket>, Error> {
    let bucket = find(s3, name).await?;
    match owner {
        Some(owner) if owner != bucket.owner.as_str() => Err(Error::AccessDenied("Access Denied".to_owned())),
        _ => Ok(bucket),
    }
}

/// The same bucket as it is now.
///
/// # Errors
/// [`Error::NoSuchBucket`] if it has been deleted.
pub(crate) async fn reread(s3: &S3, bucket: &Versioned<Bucket>) -> Result<Versioned<Bucket>, Error> {
    let found = s3.platform.store.read(&bucket.scope, &[&bucket.uid]).await?;
    found.ok_or_else(|| Error::NoSuchBucket(bucket.name.clone()))
}

/// Changes what the record of a bucket says.
///
/// # Errors
/// [`Error::NoSuchBucket`], and what `change` answers.
pub(crate) async fn update(
    s3: &S3,
    name: &str,
    owner: Option<&str>,
    mut change: impl FnMut(&mut Bucket) -> Result<(), Error>,
) -> Result<Versioned<Bucket>, Error> {
    let bucket = expected(s3, name, owner).await?;
    let updated = s3.platform.store.update(&bucket.scope, &[&bucket.uid], |record| change(record)).await;
    updated.map_err(|error| match error {
        Error::Store(store::StoreError::NotFound { .. }) => Error::NoSuchBucket(name.to_owned()),
        other => other,
    })
}
