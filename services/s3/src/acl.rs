//! Access control lists: who may do what with a bucket or an object beside what policies say.
//!
//! Source: user guide, "Access control list (ACL) overview". Buckets are made with ACLs disabled, as they are at AWS since
//! April 2023; then the owner has full control and nobody can be granted anything by one.

use base::AccountId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Error;

/// The most grants of a list. (User guide: "An ACL can have up to 100 grants".)
pub const GRANTS_MAX: usize = 100;
/// How many hexadecimal digits a canonical user id has.
const CANONICAL_DIGITS: usize = 64;
const ACCOUNT_DIGITS: usize = 12;

const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";

/// To whom something is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Grantee {
    /// An account.
    #[serde(rename = "a")]
    Account(AccountId),
    /// Everybody, signed or not.
    #[serde(rename = "all")]
    AllUsers,
    /// Whoever has an account.
    #[serde(rename = "auth")]
    AuthenticatedUsers,
    /// The deliverer of access logs.
    #[serde(rename = "log")]
    LogDelivery,
}

/// What is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// All of the others.
    #[serde(rename = "FULL_CONTROL")]
    FullControl,
    /// Listing a bucket, reading an object.
    #[serde(rename = "READ")]
    Read,
    /// Writing objects into a bucket.
    #[serde(rename = "WRITE")]
    Write,
    /// Reading the list.
    #[serde(rename = "READ_ACP")]
    ReadAcp,
    /// Changing the list.
    #[serde(rename = "WRITE_ACP")]
    WriteAcp,
}

/// A grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grant {
    /// To whom.
    #[serde(rename = "g")]
    pub grantee: Grantee,
    /// What.
    #[serde(rename = "p")]
    pub permission: Permission,
}

/// Grants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Acl(pub Vec<Grant>);

/// Whether ACLs count for a bucket, and whose its objects are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Ownership {
    /// ACLs are disabled; the bucket's owner has all objects.
    #[default]
    BucketOwnerEnforced,
    /// Objects that are uploaded with `bucket-owner-full-control` are the bucket owner's.
    BucketOwnerPreferred,
    /// Objects are their uploader's.
    ObjectWriter,
}

/// On what a list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

impl Permission {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FullControl => "FULL_CONTROL",
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::ReadAcp => "READ_ACP",
            Self::WriteAcp => "WRITE_ACP",
        }
    }

    /// The permission of this name.
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::FullControl, Self::Read, Self::Write, Self::ReadAcp, Self::WriteAcp]
            .into_iter()
            .find(|it| it.as_str() == name)
    }

    /// The actions that it allows. (User guide: "Mapping of ACL permissions and access policy permissions".)
    pub fn actions(self, subject: Subject) -> &'static [&'static str] {
        match (subject, self) {
            (Subject::Bucket, Self::Read) => {
                &["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]
            }
            (Subject::Bucket, Self::Write) => &["s3:PutObject"],
            (Subject::Bucket, Self::ReadAcp) => &["s3:GetBucketAcl"],
            (Subject::Bucket, Self::WriteAcp) => &["s3:PutBucketAcl"],
            (Subject::Bucket, Self::FullControl) => &[
                "s3:ListBucket",
                "s3:ListBucketVersions",
                "s3:ListBucketMultipartUploads",
                "s3:PutObject",
                "s3:GetBucketAcl",
                "s3:PutBucketAcl",
            ],
            (Subject::Object, Self::Read) => &["s3:GetObject", "s3:GetObjectVersion"],
            (Subject::Object, Self::Write) => &[],
            (Subject::Object, Self::ReadAcp) => &["s3:GetObjectAcl", "s3:GetObjectVersionAcl"],
            (Subject::Object, Self::WriteAcp) => &["s3:PutObjectAcl", "s3:PutObjectVersionAcl"],
            (Subject::Object, Self::FullControl) => &[
                "s3:GetObject",
                "s3:GetObjectVersion",
                "s3:GetObjectAcl",
                "s3:GetObjectVersionAcl",
                "s3:PutObjectAcl",
                "s3:PutObjectVersionAcl",
            ],
        }
    }
}

impl Grantee {
    /// The group of this URI.
    pub fn of_uri(uri: &str) -> Option<Self> {
        match uri {
            ALL_USERS => Some(Self::AllUsers),
            AUTHENTICATED_USERS => Some(Self::AuthenticatedUsers),
            LOG_DELIVERY => Some(Self::LogDelivery),
            _ => None,
        }
    }

    /// The URI, of a group.
    pub fn uri(self) -> Option<&'static str> {
        match self {
            Self::Account(_) => None,
            Self::AllUsers => Some(ALL_USERS),
            Self::AuthenticatedUsers => Some(AUTHENTICATED_USERS),
            Self::LogDelivery => Some(LOG_DELIVERY),
        }
    }

    /// Whether that is the public. (User guide: "The meaning of public".)
    pub fn is_public(self) -> bool {
        matches!(self, Self::AllUsers | Self::AuthenticatedUsers)
    }
}

impl Acl {
    /// Full control for an account, nothing for others.
    pub fn private(owner: AccountId) -> Self {
        Self(vec![Grant { grantee: Grantee::Account(owner), permission: Permission::FullControl }])
    }

    /// A canned list; none for a name that there is not. `bucket_owner` is whose bucket an object is in.
    pub fn canned(name: &str, owner: AccountId, bucket_owner: AccountId) -> Option<Self> {
        let others: &[(Grantee, Permission)] = match name {
            "private" | "aws-exec-read" => &[],
            "public-read" => &[(Grantee::AllUsers, Permission::Read)],
            "public-read-write" => &[(Grantee::AllUsers, Permission::Read), (Grantee::AllUsers, Permission::Write)],
            "authenticated-read" => &[(Grantee::AuthenticatedUsers, Permission::Read)],
            "bucket-owner-read" if bucket_owner != owner => &[(Grantee::Account(bucket_owner), Permission::Read)],
            "bucket-owner-full-control" if bucket_owner != owner => {
                &[(Grantee::Account(bucket_owner), Permission::FullControl)]
            }
            "bucket-owner-read" | "bucket-owner-full-control" => &[],
            "log-delivery-write" => {
                &[(Grantee::LogDelivery, Permission::Write), (Grantee::LogDelivery, Permission::ReadAcp)]
            }
            _ => return None,
        };
        let mut acl = Self::private(owner);
        acl.0.extend(others.iter().map(|(grantee, permission)| Grant { grantee: *grantee, permission: *permission }));
        Some(acl)
    }

    /// Reads `x-amz-grant-…` headers: each a permission with what its header says.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a grantee that cannot be, and one that is known by an email address, which no
    /// region serves any more.
    pub fn of_headers<'a>(headers: impl IntoIterator<Item = (Permission, &'a str)>) -> Result<Option<Self>, Error> {
        let mut grants = Vec::new();
        for (permission, header) in headers {
            for grantee in header.split(',') {
                grants.push(Grant { grantee: read_grantee(grantee.trim())?, permission });
            }
        }
        if grants.len() > GRANTS_MAX {
            return Err(Error::InvalidRequest(format!("An ACL can have up to {GRANTS_MAX} grants.")));
        }
        Ok((!grants.is_empty()).then_some(Self(grants)))
    }

    /// Whether it grants anything to the public.
    pub fn is_public(&self) -> bool {
        self.0.iter().any(|grant| grant.grantee.is_public())
    }

    /// Whether it grants full control to an account and nothing to anybody else.
    pub fn is_only_of(&self, account: AccountId) -> bool {
        *self == Self::private(account)
    }
}

fn read_grantee(text: &str) -> Result<Grantee, Error> {
    let refused = |message: &str| Error::argument("grantee", text, message);
    let (kind, value) = text.split_once('=').ok_or_else(|| refused("Argument format not recognized"))?;
    let value = value.trim().trim_matches('"');
    match kind.trim() {
        "id" => account_of_canonical(value).map(Grantee::Account).ok_or_else(|| refused("Invalid id")),
        "uri" => Grantee::of_uri(value).ok_or_else(|| refused("Invalid group uri")),
        "emailAddress" => Err(refused("Grantees cannot be identified by an email address any more")),
        _ => Err(refused("Argument format not recognized")),
    }
}

/// The canonical user id of an account: 64 hexadecimal digits, of which the last twelve are the account's own.
pub fn canonical_id(account: AccountId) -> String {
    let hash = hex::encode(Sha256::digest(format!("canonical user id of {account}")));
    format!("{}{account}", &hash[..CANONICAL_DIGITS - ACCOUNT_DIGITS])
}

/// The account of a canonical user id; none for a text that is none.
pub fn account_of_canonical(id: &str) -> Option<AccountId> {
    let account: AccountId = id.get(CANONICAL_DIGITS - ACCOUNT_DIGITS..)?.parse().ok()?;
    (canonical_id(account) == id).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(digit: char) -> AccountId {
        digit.to_string().repeat(12).parse().unwrap()
    }

    #[test]
    fn a_canonical_id_tells_its_account_and_cannot_be_made_up() {
        let id = canonical_id(account('1'));
        assert_eq!((id.len(), account_of_canonical(&id)), (64, Some(account('1'))));
        let other = canonical_id(account('2'));
        let mixed = format!("{}{}", &id[..52], &other[52..]);
        for wrong in ["", "111111111111", &mixed, &id[1..]] {
            assert_eq!(account_of_canonical(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn canned_lists_grant_what_their_names_say() {
        let (owner, other) = (account('1'), account('2'));
        let canned = |name| Acl::canned(name, owner, other).unwrap();
        assert!(canned("private").is_only_of(owner) && !canned("private").is_public());
        assert!(canned("public-read").is_public() && canned("authenticated-read").is_public());
        assert_eq!(canned("bucket-owner-full-control").0.len(), 2);
        assert!(Acl::canned("bucket-owner-read", owner, owner).unwrap().is_only_of(owner));
        assert_eq!(Acl::canned("everybody", owner, other), None);
    }

    #[test]
    fn headers_name_groups_and_accounts() {
        let id = canonical_id(account('1'));
        let header = format!("id=\"{id}\", uri={ALL_USERS}");
        let acl = Acl::of_headers([(Permission::Read, header.as_str())]).unwrap().unwrap();
        let grantees: Vec<Grantee> = acl.0.iter().map(|grant| grant.grantee).collect();
        assert_eq!(grantees, [Grantee::Account(account('1')), Grantee::AllUsers]);
        assert_eq!(Acl::of_headers([]).unwrap(), None);
        for wrong in ["", "id=12", "uri=http://x", "emailAddress=a@example.com", "x=y"] {
            assert!(Acl::of_headers([(Permission::Read, wrong)]).is_err(), "{wrong}");
        }
    }
}
