//! Copying: where from, and what of the source goes along.

use platform::{Access, Ctx};

use crate::amend::Found;
use crate::condition::ReadConditions;
use crate::object::select;
use crate::{Error, S3, amend, bucket, facts, names, read};

/// What S3 says of a source without a slash, be it written with an escape or without.
const NO_KEY: &str = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";

/// What a `x-amz-copy-source` header names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The bucket.
    pub(crate) bucket: String,
    /// The key.
    pub(crate) key: String,
    /// The version.
    pub(crate) version_id: Option<String>,
}

impl Source {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]
    pub(crate) fn read(header: &str) -> Result<Self, Error> {
        let refused = || Error::argument("x-amz-copy-source", header, "Invalid copy source object key");
        let (path, version_id) = match header.split_once("?versionId=") {
            Some((path, id)) => (path, Some(id.to_owned())),
            None => (header, None),
        };
        let path = decoded(path).ok_or_else(refused)?;
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').ok_or_else(|| Error::argument("x-amz-copy-source", header, NO_KEY))?;
        if !names::is_bucket(bucket) || key.is_empty() {
            return Err(Error::argument("x-amz-copy-source", header, "Invalid copy source bucket name"));
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned(), version_id })
    }

    /// An access that writes what comes from here: policies see from where, in one way of writing it.
    pub(crate) fn told(header: &str, access: Access) -> Access {
        match Self::read(header) {
            Ok(source) => access.key("s3:x-amz-copy-source", format!("{}/{}", source.bucket, source.key)),
            // The handler says what is wrong with it.
            Err(_) => access,
        }
    }

    /// Who may read it.
    pub(crate) fn access(&self) -> Access {
        read::access(&self.bucket, &self.key, self.version_id.as_deref())
    }

    /// Who may read its tags.
    pub(crate) fn tags_access(&self) -> Access {
        let actions = ["s3:GetObjectTagging", "s3:GetObjectVersionTagging"];
        amend::access(actions, &self.bucket, &self.key, self.version_id.as_deref())
    }

    /// Finds it.
    ///
    /// # Errors
    /// That it is not there, or that a condition does not hold.
    pub(crate) async fn find(
        &self,
        s3: &S3,
        ctx: &Ctx,
        owner: Option<&str>,
        conditions: ReadConditions<'_>,
    ) -> Result<Found, Error> {
        let bucket = bucket::expected(s3, &self.bucket, owner).await?;
        let store = &s3.platform.store;
        let version = match select(store, &bucket, &self.key, self.version_id.as_deref(), "GET").await {
            Ok(selected) => selected.version().clone(),
            Err(Error::MethodNotAllowedOnMarker { .. }) => {
                return Err(Error::InvalidRequest(
                    "The source of a copy request may not specifically refer to a delete marker by version id."
                        .to_owned(),
                ));
            }
            Err(error) => return Err(facts::hidden(s3, ctx, &bucket, error).await),
        };
        facts::admit(s3, ctx, &bucket, &version, &self.access()).await?;
        if let Some(seen) = version.seen() {
            conditions.check_source(seen)?;
        }
        Ok(Found { bucket, version })
    }
}

/// The conditions that a request puts on its source.
macro_rules! source_conditions {
    ($input:expr) => {
        $crate::condition::ReadConditions {
            if_match: $input.copy_source_if_match.as_deref(),
            if_none_match: $input.copy_source_if_none_match.as_deref(),
            if_modified_since: $input.copy_source_if_modified_since,
            if_unmodified_since: $input.copy_source_if_unmodified_since,
        }
    };
}

pub(crate) use source_conditions;

/// The text that was written with escapes; none for what is no UTF-8, or a broken escape.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        if *first == b'%' {
            let mut byte = [0];
            hex::decode_to_slice(others.get(..2)?, &mut byte).ok()?;
            bytes.extend(byte);
            rest = &others[2..];
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_path_with_escapes_and_perhaps_a_version() {
        let source = Source::read("/photos/a%20b/%C3%A9+%3F.jpg?versionId=null").unwrap();
        assert_eq!((source.bucket.as_str(), source.key.as_str()), ("photos", "a b/é+?.jpg"));
        assert_eq!(source.version_id.as_deref(), Some("null"));
        assert_eq!(Source::read("photos/a").unwrap().key, "a");
        // `encodeURIComponent("photos/a b/c")`, as many scripts write it.
        let source = Source::read("photos%2Fa%20b%2Fc").unwrap();
        assert_eq!((source.bucket.as_str(), source.key.as_str()), ("photos", "a b/c"));
        for wrong in ["", "photos", "photos/", "/", "photos/%", "photos/%ff", "photos/%+f", "PHOTOS/a", "../a"] {
            assert!(Source::read(wrong).is_err(), "{wrong}");
        }
    }
}
