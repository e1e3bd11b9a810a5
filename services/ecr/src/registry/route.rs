//! Which part of a registry a path means.
//!
//! A path is taken as it is: whatever is escaped in a name keeps it from being one, so that no name leads anywhere by
//! another spelling. Only the colon of a digest may be escaped, as some clients do.

use std::borrow::Cow;

/// The shortest and longest names of repositories. (The model of Amazon ECR.)
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 2..=256;
/// The longest tag. (OCI Distribution 1.1, "Pulling manifests".)
pub(super) const TAG_LENGTH_MAX: usize = 128;

/// What a path means. Names have been checked, digests and tags have not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/v2/`
    Version,
    /// `/v2/<name>/blobs/<digest>`
    Blob(&'a str, Cow<'a, str>),
    /// `/v2/<name>/blobs/uploads/`
    Uploads(&'a str),
    /// `/v2/<name>/blobs/uploads/<id>`
    Upload(&'a str, &'a str),
    /// `/v2/<name>/manifests/<tag or digest>`
    Manifest(&'a str, Cow<'a, str>),
    /// `/v2/<name>/tags/list`
    Tags(&'a str),
    /// `/v2/<name>/referrers/<digest>`
    Referrers(&'a str, Cow<'a, str>),
}

/// Why a path means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// Its end is that of no endpoint.
    Unknown,
    /// Its name can be none.
    Name,
}

/// Whether a path is a registry's.
pub(super) fn is_registry(path: &str) -> bool {
    path == "/v2" || path.starts_with("/v2/")
}

impl<'a> Route<'a> {
    /// What a path means; none if it is not a registry's.
    pub(super) fn of(path: &'a str) -> Result<Self, NoRoute> {
        let rest = path.strip_prefix("/v2").ok_or(NoRoute::Unknown)?;
        if matches!(rest, "" | "/") {
            return Ok(Self::Version);
        }
        let rest = rest.strip_prefix('/').ok_or(NoRoute::Unknown)?;
        // A name may have parts that are called like endpoints: what a path means is told by its end.
        if let Some(name) = rest.strip_suffix("/blobs/uploads").or_else(|| rest.strip_suffix("/blobs/uploads/")) {
            return Ok(Self::Uploads(checked(name)?));
        }
        let (front, last) = rest.rsplit_once('/').ok_or(NoRoute::Unknown)?;
        if let Some(name) = front.strip_suffix("/blobs/uploads") {
            return Ok(Self::Upload(checked(name)?, last));
        }
        let (name, kind) = front.rsplit_once('/').ok_or(NoRoute::Unknown)?;
        match (kind, last) {
            ("blobs", digest) => Ok(Self::Blob(checked(name)?, colon(digest))),
            ("manifests", reference) => Ok(Self::Manifest(checked(name)?, colon(reference))),
            ("referrers", digest) => Ok(Self::Referrers(checked(name)?, colon(digest))),
            ("tags", "list") => Ok(Self::Tags(checked(name)?)),
            _ => Err(NoRoute::Unknown),
        }
    }
}

fn checked(name: &str) -> Result<&str, NoRoute> {
    if is_name(name) { Ok(name) } else { Err(NoRoute::Name) }
}

/// A digest whose colon may be escaped.
fn colon(text: &str) -> Cow<'_, str> {
    match text.split_once("%3A").or_else(|| text.split_once("%3a")) {
        Some((algorithm, digits)) => Cow::Owned(format!("{algorithm}:{digits}")),
        None => Cow::Borrowed(text),
    }
}

/// Whether a text can be a repository's name: parts in lower case with a slash between any two.
pub(super) fn is_name(text: &str) -> bool {
    NAME_LENGTH.contains(&text.len()) && text.split('/').all(is_part)
}

/// Letters and digits, with single periods, dashes and underscores between them.
fn is_part(part: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    part.split(['.', '_', '-']).all(|word| !word.is_empty() && word.bytes().all(is_word))
}

/// Whether a text can be an upload's id: a UUID in lower case.
pub(super) fn is_upload_id(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = |(at, byte): (usize, u8)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { is_digit(byte) };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// Whether a text can be a tag that a client of the registry gives.
pub(super) fn is_tag(text: &str) -> bool {
    text.len() <= TAG_LENGTH_MAX && crate::names::is_tag(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_endpoint_is_known_by_the_end_of_its_path() {
        for (path, route) in [
            ("/v2", Route::Version),
            ("/v2/", Route::Version),
            ("/v2/team/web/blobs/sha256:ab", Route::Blob("team/web", "sha256:ab".into())),
            ("/v2/web/blobs/sha256%3Aab", Route::Blob("web", "sha256:ab".into())),
            ("/v2/web/blobs/uploads/", Route::Uploads("web")),
            ("/v2/web/blobs/uploads", Route::Uploads("web")),
            ("/v2/web/blobs/uploads/0a-1", Route::Upload("web", "0a-1")),
            ("/v2/web/manifests/latest", Route::Manifest("web", "latest".into())),
            ("/v2/web/manifests/sha512%3aab", Route::Manifest("web", "sha512:ab".into())),
            ("/v2/web/tags/list", Route::Tags("web")),
            ("/v2/web/referrers/sha256:ab", Route::Referrers("web", "sha256:ab".into())),
        ] {
            assert_eq!(Route::of(path), Ok(route), "{path}");
        }
    }

    #[test]
    fn names_may_have_parts_that_are_called_like_endpoints() {
        for (path, route) in [
            ("/v2/a/blobs/uploads/blobs/d", Route::Blob("a/blobs/uploads", "d".into())),
            ("/v2/a/manifests/manifests/t", Route::Manifest("a/manifests", "t".into())),
            ("/v2/a/tags/list/tags/list", Route::Tags("a/tags/list")),
            ("/v2/a/blobs/uploads/manifests/t", Route::Manifest("a/blobs/uploads", "t".into())),
            ("/v2/a/blobs/uploads/tags/list", Route::Tags("a/blobs/uploads")),
            ("/v2/tags/list/blobs/uploads/", Route::Uploads("tags/list")),
        ] {
            assert_eq!(Route::of(path), Ok(route), "{path}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_none() {
        for name in [
            "..",
            "a/../b",
            "a/..",
            "%2e%2e/a",
            "a%2Fb",
            "a%2fb",
            "a//b",
            "/a",
            "a/",
            "a/./b",
            ".a",
            "a.",
            "a..b",
            "a__b",
            "A",
            "Web",
            "a b",
            "a\\b",
            "a;b",
            "ä",
            "a",
            "",
            "_a/b",
            "a-/b",
            "a%00b",
            "http://a/b",
            "a:b",
            "a@b",
            "-",
        ] {
            assert_eq!(Route::of(&format!("/v2/{name}/manifests/x")), Err(NoRoute::Name), "{name}");
        }
        let longest = "a".repeat(256);
        assert_eq!(Route::of(&format!("/v2/{longest}/tags/list")), Ok(Route::Tags(&longest)));
        assert_eq!(Route::of(&format!("/v2/{longest}a/tags/list")), Err(NoRoute::Name));
    }

    #[test]
    fn other_paths_mean_nothing() {
        for path in
            ["/", "/v1/", "/v2x", "/v2/web", "/v2/_catalog", "/v2/web/tags", "/v2/web/tags/lists", "/v2/web/x/y"]
        {
            assert_eq!(Route::of(path), Err(NoRoute::Unknown), "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_what_the_model_of_amazon_ecr_says(text in "[a-c1/._-]{0,12}") {
            let parts: Vec<&str> = text.split('/').collect();
            let fits = |part: &&str| {
                let bytes = part.as_bytes();
                let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
                bytes.first().is_some_and(is_word)
                    && bytes.last().is_some_and(is_word)
                    && bytes.windows(2).all(|pair| pair.iter().any(is_word))
            };
            prop_assert_eq!(is_name(&text), text.len() >= 2 && parts.iter().all(fits));
        }

        #[test]
        fn no_path_is_too_strange(path in "/v2(/[a-z.%:/]{0,8}){0,6}") {
            let _ = Route::of(&path);
        }
    }
}
