//! Lists as they are answered: what ListObjects and ListObjectsV2 share.

use base::AccountId;
use platform::Access;

use crate::api::{CommonPrefix, Object};
use crate::describe::{Encoding, checksum_algorithm, checksum_type, owner, quoted, size, storage_class_listed};
use crate::listing::{Entry, PAGE_MAX};
use crate::{Error, names};

/// Who may list, with what conditions can look at.
pub(crate) fn access(
    action: &'static str,
    bucket: &str,
    prefix: Option<&str>,
    delimiter: Option<&str>,
    max: Option<i32>,
) -> Access {
    // Without a prefix the key is there, and empty: so it is at AWS.
    let mut access = Access::to(action).on(names::bucket_arn(bucket)).key("s3:prefix", prefix.unwrap_or_default());
    if let Some(delimiter) = delimiter {
        access = access.key("s3:delimiter", delimiter);
    }
    if let Some(max) = max {
        access = access.key("s3:max-keys", max.to_string());
    }
    access
}

/// How many a page has: what was asked for, but no more than a page can have.
///
/// # Errors
/// [`Error::InvalidArgument`]
pub(crate) fn limit(asked: Option<i32>, name: &'static str) -> Result<usize, Error> {
    let Some(asked) = asked else { return Ok(PAGE_MAX) };
    let refused = |_| {
        Error::argument(name, asked.to_string(), format!("Argument {name} must be an integer between 0 and 2147483647"))
    };
    Ok(usize::try_from(asked).map_err(refused)?.min(PAGE_MAX))
}

/// A limit as it is answered.
pub(crate) fn answered(limit: usize) -> Option<i32> {
    i32::try_from(limit).ok()
}

/// An object in a list.
pub(crate) fn object(key: &str, version: &Entry, encoding: Encoding, whose: Option<AccountId>) -> Object {
    let found = version.object.as_ref();
    let checksum = found.and_then(|object| object.checksum);
    Object {
        key: Some(encoding.text(key)),
        last_modified: Some(version.modified),
        e_tag: found.and_then(|object| quoted(&object.etag)),
        size: found.and_then(|object| size(object.size)),
        storage_class: found.map(|object| storage_class_listed(object.storage_class.as_deref())),
        checksum_algorithm: checksum.map(|(algorithm, _)| vec![checksum_algorithm(algorithm)]),
        checksum_type: checksum.map(|(_, kind)| checksum_type(kind)),
        owner: whose.map(owner),
        restore_status: None,
    }
}

/// Prefixes in a list; none if there is none.
pub(crate) fn prefixes(prefixes: &[String], encoding: Encoding) -> Option<Vec<CommonPrefix>> {
    let described = |prefix: &String| CommonPrefix { prefix: Some(encoding.text(prefix)) };
    (!prefixes.is_empty()).then(|| prefixes.iter().map(described).collect())
}
