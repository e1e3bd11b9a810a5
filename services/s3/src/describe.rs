//! Between generated shapes and what is kept: what many operations take and answer in the same members.

use std::collections::BTreeMap;

use base::{AccountId, Timestamp};
use platform::Access;

use crate::acl::{Acl, Grant, Grantee, Ownership, Permission, account_of_canonical, canonical_id};
use crate::api;
use crate::bucket::Bucket;
use crate::checksum::{Algorithm, Kind};
use crate::object::{Attributes, HEADERS_BYTES_MAX, USER_METADATA_BYTES_MAX};
use crate::{Error, etag};

/// What is answered for an object whose writer has not said what it is.
pub(crate) const CONTENT_TYPE_DEFAULT: &str = "binary/octet-stream";

/// The condition key of the encryption that a request asks for.
pub(crate) const ENCRYPTION: &str = "s3:x-amz-server-side-encryption";

/// The condition key that tells an object being made from an upload being prepared: what a policy that wants writes to be
/// conditional exempts by. (User guide: "Enforce conditional writes on Amazon S3 buckets".)
pub(crate) const CREATION: &str = "s3:ObjectCreationOperation";

/// Sets the member of a checksum in an output that has one of each algorithm.
macro_rules! set_checksum {
    ($output:expr, $algorithm:expr, $value:expr) => {{
        let value = Some($value);
        match $algorithm {
            $crate::checksum::Algorithm::Crc32 => $output.checksum_crc32 = value,
            $crate::checksum::Algorithm::Crc32C => $output.checksum_crc32_c = value,
            $crate::checksum::Algorithm::Crc64Nvme => $output.checksum_crc64_nvme = value,
            $crate::checksum::Algorithm::Sha1 => $output.checksum_sha1 = value,
            $crate::checksum::Algorithm::Sha256 => $output.checksum_sha256 = value,
            $crate::checksum::Algorithm::Sha512 => $output.checksum_sha512 = value,
            $crate::checksum::Algorithm::Md5 => $output.checksum_md5 = value,
        }
    }};
}

/// Sets checksum and type of an object in an output.
macro_rules! set_object_checksum {
    ($output:expr, $checksum:expr) => {
        if let Some(checksum) = $checksum {
            $crate::describe::set_checksum!($output, checksum.algorithm, checksum.value.clone());
            $output.checksum_type = Some($crate::describe::checksum_type(checksum.kind));
        }
    };
}

/// The checksums that an input announces, by their algorithms.
macro_rules! announced {
    ($input:expr) => {{
        use $crate::checksum::Algorithm;
        let unserved = [&$input.checksum_xxhash64, &$input.checksum_xxhash3, &$input.checksum_xxhash128];
        if unserved.into_iter().any(Option::is_some) {
            return Err($crate::Error::NotImplemented("Pilvi does not compute checksums of XXHASH.".to_owned()));
        }
        let announced: Vec<(Algorithm, String)> = [
            (Algorithm::Crc32, &$input.checksum_crc32),
            (Algorithm::Crc32C, &$input.checksum_crc32_c),
            (Algorithm::Crc64Nvme, &$input.checksum_crc64_nvme),
            (Algorithm::Sha1, &$input.checksum_sha1),
            (Algorithm::Sha256, &$input.checksum_sha256),
            (Algorithm::Sha512, &$input.checksum_sha512),
            (Algorithm::Md5, &$input.checksum_md5),
        ]
        .into_iter()
        .filter_map(|(algorithm, value)| value.clone().map(|value| (algorithm, value)))
        .collect();
        announced
    }};
}

/// Refuses what an input that writes an object may ask for and is not served.
macro_rules! refuse_unserved {
    ($input:expr) => {{
        let locks = $input.object_lock_mode.is_some()
            || $input.object_lock_retain_until_date.is_some()
            || $input.object_lock_legal_hold_status.is_some()
            || $input.object_lock_event_hold.is_some();
        if locks {
            return Err($crate::Error::InvalidRequest("Bucket is missing Object Lock Configuration".to_owned()));
        }
        // What the service has every object encrypted with at AWS, and tools ask for by default, is no choice.
        let chooses =
            $input.server_side_encryption.is_some_and(|kind| kind != $crate::api::ServerSideEncryption::Aes256);
        let encrypts = chooses
            || $input.ssekms_key_id.is_some()
            || $input.sse_customer_algorithm.is_some()
            || $input.sse_customer_key.is_some();
        if encrypts {
            return Err($crate::describe::encryption_unserved());
        }
    }};
}

/// What an input says of the object that it writes.
macro_rules! attributes {
    ($input:expr) => {
        $crate::describe::checked($crate::object::Attributes {
            content_type: $input.content_type.clone(),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: $crate::describe::content_encoding($input.content_encoding.as_deref()),
            content_language: $input.content_language.clone(),
            expires: $input.expires.clone(),
            website_redirect: $input.website_redirect_location.clone(),
            metadata: $input.metadata.clone().unwrap_or_default(),
        })
    };
}

/// The grants of an input's headers for an object.
macro_rules! object_grants {
    ($input:expr) => {
        $crate::acl::Acl::of_headers(
            [
                ($crate::acl::Permission::FullControl, &$input.grant_full_control),
                ($crate::acl::Permission::Read, &$input.grant_read),
                ($crate::acl::Permission::ReadAcp, &$input.grant_read_acp),
                ($crate::acl::Permission::WriteAcp, &$input.grant_write_acp),
            ]
            .into_iter()
            .filter_map(|(permission, header)| header.as_deref().map(|header| (permission, header))),
        )
    };
}

/// The condition keys by which policies see the list of grants that an input's headers set; of the operations that have a
/// header for it, the grant to write, too.
macro_rules! acl_said {
    ($input:expr) => {
        [
            ("s3:x-amz-acl", $input.acl.map(|acl| acl.as_str().to_owned())),
            ("s3:x-amz-grant-full-control", $input.grant_full_control.clone()),
            ("s3:x-amz-grant-read", $input.grant_read.clone()),
            ("s3:x-amz-grant-read-acp", $input.grant_read_acp.clone()),
            ("s3:x-amz-grant-write-acp", $input.grant_write_acp.clone()),
        ]
    };
    ($input:expr, with write) => {
        $crate::describe::acl_said!($input).into_iter().chain([("s3:x-amz-grant-write", $input.grant_write.clone())])
    };
}

/// Who may give an object the list of grants that an input sets: there is an action of its own for that, and policies see
/// what is granted.
macro_rules! acl_access {
    ($access:expr, $arn:expr, $input:expr) => {
        $crate::describe::setting_acl($access, $arn, $crate::describe::acl_said!($input))
    };
}

pub(crate) use {
    acl_access, acl_said, announced, attributes, object_grants, refuse_unserved, set_checksum, set_object_checksum,
};

/// An access that sets a list of grants, too, if anything of one is said.
pub(crate) fn setting_acl(access: Access, arn: &str, said: [(&'static str, Option<String>); 5]) -> Access {
    if said.iter().all(|(_, value)| value.is_none()) {
        return access;
    }
    let set = told(Access::to("s3:PutObjectAcl").on(arn), said.clone());
    told(access, said).and(set)
}

/// An access that tells policies what is said of these condition keys.
pub(crate) fn told(access: Access, said: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Access {
    let said = said.into_iter().filter_map(|(key, value)| Some((key, value?)));
    said.fold(access, |access, (key, value)| access.key(key, value))
}

/// An access that makes an object: policies see on which conditions.
pub(crate) fn creating(access: Access, if_match: &Option<String>, if_none_match: &Option<String>) -> Access {
    let conditions = [("s3:if-match", if_match.clone()), ("s3:if-none-match", if_none_match.clone())];
    told(access.key(CREATION, "true"), conditions)
}

/// An access that prepares an object and does not make it: that has no conditions.
pub(crate) fn preparing(access: Access) -> Access {
    access.key(CREATION, "false")
}

/// What an object's encoding is: whatever a client says of how the request was sent ends with the request.
pub(crate) fn content_encoding(said: Option<&str>) -> Option<String> {
    let said = said?;
    let is_of_the_request = |encoding: &str| encoding.eq_ignore_ascii_case("aws-chunked");
    if !said.split(',').any(|encoding| is_of_the_request(encoding.trim())) {
        return Some(said.to_owned()).filter(|said| !said.is_empty());
    }
    let kept: Vec<&str> =
        said.split(',').map(str::trim).filter(|it| !is_of_the_request(it) && !it.is_empty()).collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

/// That nothing is encrypted, and not said to be.
pub(crate) fn encryption_unserved() -> Error {
    let message = "Pilvi does not encrypt objects: leave SSE-KMS and SSE-C out of the request. What protects them at rest is \
                   the encryption of the disk that they are on.";
    Error::NotImplemented(message.to_owned())
}

/// Checks how much is said of an object.
///
/// # Errors
/// [`Error::MetadataTooLarge`]
pub(crate) fn checked(attributes: Attributes) -> Result<Attributes, Error> {
    let size = attributes.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > USER_METADATA_BYTES_MAX {
        return Err(Error::MetadataTooLarge { size, max: USER_METADATA_BYTES_MAX });
    }
    let headers = [
        &attributes.content_type,
        &attributes.cache_control,
        &attributes.content_disposition,
        &attributes.content_encoding,
        &attributes.content_language,
        &attributes.expires,
        &attributes.website_redirect,
    ];
    let size = headers.into_iter().flatten().map(String::len).sum();
    if size > HEADERS_BYTES_MAX {
        return Err(Error::MetadataTooLarge { size, max: HEADERS_BYTES_MAX });
    }
    if let Some(location) = &attributes.website_redirect
        && !["/", "http://", "https://"].iter().any(|start| location.starts_with(start))
    {
        return Err(Error::InvalidRequest(
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.".to_owned(),
        ));
    }
    Ok(attributes)
}

/// Whose a new object is, and its list of grants; none if that is its owner's full control.
///
/// # Errors
/// [`Error::AclsNotSupported`], and [`Error::AccessDenied`] for a public list where none may be set.
pub(crate) fn object_acl(
    bucket: &Bucket,
    writer: AccountId,
    canned: Option<&str>,
    grants: Option<Acl>,
) -> Result<(AccountId, Option<Acl>), Error> {
    if canned.is_some() && grants.is_some() {
        return Err(Error::InvalidRequest("Specifying both Canned ACLs and Header Grants is not allowed".to_owned()));
    }
    if !bucket.has_acls() {
        let is_owners = match (canned, &grants) {
            (None, None) => true,
            // What `private` means to the bucket's own account is the bucket owner's full control, and taken; of others it is not.
            (Some("private"), _) => writer == bucket.owner,
            (Some(canned), _) => canned == "bucket-owner-full-control",
            (None, Some(grants)) => grants.is_only_of(bucket.owner),
        };
        return if is_owners { Ok((bucket.owner, None)) } else { Err(Error::AclsNotSupported) };
    }
    let is_handed_over =
        bucket.ownership == Some(Ownership::BucketOwnerPreferred) && canned == Some("bucket-owner-full-control");
    let owner = if is_handed_over { bucket.owner } else { writer };
    let acl = match canned {
        Some(canned) => Acl::canned(canned, owner, bucket.owner),
        None => grants,
    };
    let acl = acl.filter(|acl| !acl.is_only_of(owner));
    refuse_public(bucket, acl.as_ref())?;
    Ok((owner, acl))
}

/// Whether a list of grants may be set.
///
/// # Errors
/// [`Error::AccessDenied`] for a public one where none may be.
pub(crate) fn refuse_public(bucket: &Bucket, acl: Option<&Acl>) -> Result<(), Error> {
    let is_public = acl.is_some_and(Acl::is_public);
    if is_public && bucket.public_access().block_public_acls {
        return Err(Error::AccessDenied("Access Denied".to_owned()));
    }
    Ok(())
}

/// The algorithm that a client asks for.
///
/// # Errors
/// [`Error::NotImplemented`] for one that is not computed here.
pub(crate) fn algorithm(asked: Option<api::ChecksumAlgorithm>) -> Result<Option<Algorithm>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let unserved = || Error::NotImplemented(format!("Pilvi does not compute checksums of {}.", asked.as_str()));
    Algorithm::of_name(asked.as_str()).map(Some).ok_or_else(unserved)
}

/// An algorithm as it is answered.
pub(crate) fn checksum_algorithm(algorithm: Algorithm) -> api::ChecksumAlgorithm {
    match algorithm {
        Algorithm::Crc32 => api::ChecksumAlgorithm::Crc32,
        Algorithm::Crc32C => api::ChecksumAlgorithm::Crc32c,
        Algorithm::Crc64Nvme => api::ChecksumAlgorithm::Crc64nvme,
        Algorithm::Sha1 => api::ChecksumAlgorithm::Sha1,
        Algorithm::Sha256 => api::ChecksumAlgorithm::Sha256,
        Algorithm::Sha512 => api::ChecksumAlgorithm::Sha512,
        Algorithm::Md5 => api::ChecksumAlgorithm::Md5,
    }
}

/// A type as it is answered.
pub(crate) fn checksum_type(kind: Kind) -> api::ChecksumType {
    match kind {
        Kind::Composite => api::ChecksumType::Composite,
        Kind::FullObject => api::ChecksumType::FullObject,
    }
}

/// An owner as it is answered: names of accounts are not told any more.
pub(crate) fn owner(account: AccountId) -> api::Owner {
    api::Owner { id: Some(canonical_id(account)), display_name: None }
}

/// A list of grants as it is answered.
pub(crate) fn grants(acl: &Acl) -> Vec<api::Grant> {
    let grantee = |grantee: Grantee| api::Grantee {
        id: match grantee {
            Grantee::Account(account) => Some(canonical_id(account)),
            _ => None,
        },
        uri: grantee.uri().map(str::to_owned),
        r#type: if grantee.uri().is_some() { api::Type::Group } else { api::Type::CanonicalUser },
        ..api::Grantee::default()
    };
    let permission = |permission: Permission| match permission {
        Permission::FullControl => api::Permission::FullControl,
        Permission::Read => api::Permission::Read,
        Permission::Write => api::Permission::Write,
        Permission::ReadAcp => api::Permission::ReadAcp,
        Permission::WriteAcp => api::Permission::WriteAcp,
    };
    let described = |grant: &Grant| api::Grant {
        grantee: Some(grantee(grant.grantee)),
        permission: Some(permission(grant.permission)),
    };
    acl.0.iter().map(described).collect()
}

/// A list of grants as a document says it.
///
/// # Errors
/// [`Error::MalformedXml`] and [`Error::InvalidArgument`]
pub(crate) fn read_grants(policy: &api::AccessControlPolicy, owner: AccountId) -> Result<Acl, Error> {
    let said = policy.owner.as_ref().and_then(|owner| owner.id.as_deref());
    if said != Some(canonical_id(owner).as_str()) {
        return Err(Error::AccessDenied("Access Denied".to_owned()));
    }
    let mut acl = Acl(Vec::new());
    for grant in policy.grants.iter().flatten() {
        let (Some(grantee), Some(permission)) = (&grant.grantee, grant.permission) else {
            return Err(Error::MalformedXml);
        };
        let permission = Permission::of_name(permission.as_str()).ok_or(Error::MalformedXml)?;
        let grantee = match (&grantee.id, &grantee.uri) {
            (Some(id), _) => account_of_canonical(id)
                .map(Grantee::Account)
                .ok_or_else(|| Error::argument("CanonicalUser/ID", id.as_str(), "Invalid id"))?,
            (None, Some(uri)) => {
                Grantee::of_uri(uri).ok_or_else(|| Error::argument("Group/URI", uri.as_str(), "Invalid group uri"))?
            }
            (None, None) => return Err(Error::MalformedXml),
        };
        acl.0.push(Grant { grantee, permission });
    }
    if acl.0.len() > crate::acl::GRANTS_MAX {
        return Err(Error::MalformedXml);
    }
    Ok(acl)
}

/// Tags as they are answered.
pub(crate) fn tag_set(tags: &BTreeMap<String, String>) -> Vec<api::Tag> {
    tags.iter().map(|(key, value)| api::Tag { key: key.clone(), value: value.clone() }).collect()
}

/// Tags as a client gives them.
pub(crate) fn tags_of(tags: Vec<api::Tag>) -> impl Iterator<Item = (String, String)> {
    tags.into_iter().map(|tag| (tag.key, tag.value))
}

/// A size as it is answered.
pub(crate) fn size(bytes: u64) -> Option<i64> {
    i64::try_from(bytes).ok()
}

/// A tag as it is answered.
pub(crate) fn quoted(tag: &str) -> Option<String> {
    Some(etag::quoted(tag))
}

/// The storage class that a client asks for; none for STANDARD.
///
/// # Errors
/// [`Error::InvalidStorageClass`] for one that a general purpose bucket has not.
pub(crate) fn storage_class(asked: Option<api::StorageClass>) -> Result<Option<String>, Error> {
    let Some(asked) = asked.filter(|asked| *asked != api::StorageClass::Standard) else { return Ok(None) };
    let served = [
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    ];
    match served.contains(&asked.as_str()) {
        true => Ok(Some(asked.as_str().to_owned())),
        false => Err(Error::InvalidStorageClass),
    }
}

/// A storage class as it is answered; none for STANDARD, which no header says.
pub(crate) fn storage_class_header(class: Option<&str>) -> Option<api::StorageClass> {
    class?.parse().ok()
}

/// The same in lists, which say STANDARD, too.
pub(crate) fn storage_class_listed(class: Option<&str>) -> api::ObjectStorageClass {
    class.and_then(|class| class.parse().ok()).unwrap_or(api::ObjectStorageClass::Standard)
}

/// What the `x-amz-expiration` header says.
pub(crate) fn expiration(due: Timestamp, rule: &str) -> String {
    let rule: String = form_urlencoded::byte_serialize(rule.as_bytes()).collect();
    format!("expiry-date=\"{}\", rule-id=\"{rule}\"", due.http_date())
}

/// How a key is answered: as it is, or as it stands in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Encoding(pub(crate) bool);

impl Encoding {
    /// As the client asks.
    pub(crate) fn of(asked: Option<api::EncodingType>) -> Self {
        Self(asked.is_some())
    }

    /// A key, or what is a part of one.
    pub(crate) fn text(self, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' | b'*' => {
                    encoded.push(char::from(byte));
                }
                _ => encoded.push_str(&format!("%{byte:02X}")),
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_request_was_sent_is_no_encoding_of_the_object() {
        assert_eq!(content_encoding(Some("aws-chunked")), None);
        assert_eq!(content_encoding(Some("gzip, AWS-chunked")).as_deref(), Some("gzip"));
        assert_eq!(content_encoding(Some("gzip , br")).as_deref(), Some("gzip , br"));
        assert_eq!((content_encoding(None), content_encoding(Some(""))), (None, None));
    }
}
