//! What people call an image.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The name of an image: a registry, a repository, and a tag, a digest or both.
///
/// Read by the grammar of the [distribution project], with Docker's defaults: what names no registry is on `docker.io`,
/// what has no path there is in `library/`, what has neither tag nor digest has the tag `latest`. Written in full.
///
/// [distribution project]: https://pkg.go.dev/github.com/distribution/reference
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that names no image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReference {
    /// The registry is no host name or address with an optional port.
    #[error("the registry is no host name or address with an optional port")]
    Registry,
    /// The repository is no path of lower-case words.
    #[error(
        "a repository is a path of lower-case letters and digits, with single `.`, `_`, `__` or any `-` between them"
    )]
    Repository,
    /// Registry and repository together are longer than the limit.
    #[error("the name is longer than {NAME_LENGTH_MAX} characters")]
    TooLong,
    /// The tag is none.
    #[error("a tag is a letter, digit or `_` and up to 127 of those, `.` and `-`")]
    Tag,
    /// What follows the `@` is no digest.
    #[error("what follows the `@` is no digest: `sha256:` and 64, or `sha512:` and 128, hexadecimal digits")]
    Digest,
    /// 64 hexadecimal digits, which people take for the identifier of an image.
    #[error("64 hexadecimal digits are the identifier of an image and not its name")]
    Identifier,
}

/// The longest registry and repository together, in bytes (`NameTotalLengthMax` of the distribution project).
pub const NAME_LENGTH_MAX: usize = 255;
const TAG_LENGTH_MAX: usize = 128;
const DEFAULT_REGISTRY: &str = "docker.io";
/// What `docker.io` was called once.
const LEGACY_DEFAULT_REGISTRY: &str = "index.docker.io";
const OFFICIAL_PREFIX: &str = "library/";
const DEFAULT_TAG: &str = "latest";

impl Reference {
    /// The registry: a host name or an address, with a port if one was named.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository within the registry.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag: none where only a digest was named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that was named. It decides; a tag beside it is for people.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| InvalidReference::Digest)?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(rest);
        let (registry, path) = split_registry(name);
        if !tag.is_none_or(is_tag) {
            return Err(InvalidReference::Tag);
        }
        if !is_registry(registry) {
            return Err(InvalidReference::Registry);
        }
        if registry == DEFAULT_REGISTRY && path == name && path.len() == 64 && path.bytes().all(is_hex) {
            return Err(InvalidReference::Identifier);
        }
        let official = registry == DEFAULT_REGISTRY && !path.contains('/');
        let repository = format!("{}{path}", if official { OFFICIAL_PREFIX } else { "" });
        if !repository.split('/').all(is_path_component) {
            return Err(InvalidReference::Repository);
        }
        if registry.len() + 1 + repository.len() > NAME_LENGTH_MAX {
            return Err(InvalidReference::TooLong);
        }
        let default = digest.is_none().then_some(DEFAULT_TAG);
        Ok(Self { registry: registry.to_owned(), repository, tag: tag.or(default).map(str::to_owned), digest })
    }
}

/// Splits off what follows the last colon, if that is not a port.
fn split_tag(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (text, None),
    }
}

/// Registry and path of a name.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((LEGACY_DEFAULT_REGISTRY, path)) => (DEFAULT_REGISTRY, path),
        Some((first, path)) if looks_like_registry(first) => (first, path),
        _ => (DEFAULT_REGISTRY, name),
    }
}

/// Whether the first part of a name is a host: no part of a repository has a colon or an upper-case letter.
fn looks_like_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address, port.strip_prefix(':').or(port.is_empty().then_some("0"))),
            None => return false,
        },
        None => text.split_once(':').map_or((text, Some("0")), |(host, port)| (host, Some(port))),
    };
    let is_host = if text.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        host.split('.').all(is_host_component)
    };
    is_host && port.is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok())
}

fn is_host_component(text: &str) -> bool {
    let inside = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    inside && !text.is_empty() && !text.starts_with('-') && !text.ends_with('-')
}

fn is_path_component(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = |b: Option<&u8>| b.is_some_and(|b| is_word(*b));
    let separators = text.split(|c: char| c.is_ascii() && is_word(c as u8)).filter(|between| !between.is_empty());
    ends(text.as_bytes().first())
        && ends(text.as_bytes().last())
        && separators.into_iter().all(|it| matches!(it, "." | "_" | "__") || it.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= TAG_LENGTH_MAX
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

fn is_hex(b: u8) -> bool {
    b.is_ascii_digit() || (b'a'..=b'f').contains(&b)
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn full(text: &str) -> String {
        text.parse::<Reference>().unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
    }

    #[test]
    fn a_short_name_is_completed_as_docker_completes_it() {
        assert_eq!(full("busybox"), "docker.io/library/busybox:latest");
        assert_eq!(full("busybox:1.36"), "docker.io/library/busybox:1.36");
        assert_eq!(full("grafana/loki"), "docker.io/grafana/loki:latest");
        assert_eq!(full("docker.io/busybox"), "docker.io/library/busybox:latest");
        assert_eq!(full("index.docker.io/library/busybox"), "docker.io/library/busybox:latest");
        assert_eq!(full(&format!("busybox@{DIGEST}")), format!("docker.io/library/busybox@{DIGEST}"));
    }

    #[test]
    fn a_registry_is_told_from_a_path_by_a_dot_a_port_or_its_name() {
        assert_eq!(full("localhost/app"), "localhost/app:latest");
        assert_eq!(full("localhost:5000/app:v1"), "localhost:5000/app:v1");
        assert_eq!(full("127.0.0.1:4566/team/app"), "127.0.0.1:4566/team/app:latest");
        assert_eq!(full("[::1]:5000/app"), "[::1]:5000/app:latest");
        assert_eq!(full("[::1]/app"), "[::1]/app:latest");
        assert_eq!(full("Build01/app"), "Build01/app:latest");
    }

    #[test]
    fn the_names_of_private_registries_are_read_with_tag_and_digest() {
        let text = format!("123456789012.dkr.ecr.eu-north-1.amazonaws.com/team/app-1__x:v1.2@{DIGEST}");
        let reference: Reference = text.parse().unwrap();
        assert_eq!(reference.registry(), "123456789012.dkr.ecr.eu-north-1.amazonaws.com");
        assert_eq!(reference.repository(), "team/app-1__x");
        assert_eq!(reference.tag(), Some("v1.2"));
        assert_eq!(reference.digest().map(ToString::to_string).as_deref(), Some(DIGEST));
        assert_eq!(reference.to_string(), text);
    }

    #[test]
    fn what_names_no_image_is_refused_with_the_reason() {
        use InvalidReference::*;
        for (text, why) in [
            ("", Repository),
            ("Busybox", Repository),
            ("a//b", Repository),
            ("a/../b", Repository),
            ("/a", Repository),
            ("a..b", Repository),
            ("a___b", Repository),
            ("-a", Repository),
            ("a.", Repository),
            ("ä", Repository),
            ("a b", Repository),
            ("host.example/", Repository),
            ("a:", Tag),
            ("a:-v", Tag),
            ("a:v!", Tag),
            ("host.example:99999/a", Registry),
            ("host.example:x/a", Registry),
            ("host..example/a", Registry),
            ("-host.example/a", Registry),
            ("[::1/a:v", Registry),
            ("[x]:1/a", Registry),
            ("a@sha256:00", Digest),
            ("a@", Digest),
            (&"ab".repeat(32), Identifier),
            (&"a".repeat(250), TooLong),
        ] {
            assert_eq!(text.parse::<Reference>(), Err(why), "{text:?}");
        }
        assert_eq!(format!("a:{}", "v".repeat(129)).parse::<Reference>(), Err(Tag));
    }

    proptest! {
        #[test]
        fn a_reference_that_is_written_is_read_as_itself(text in "([a-zA-Z.:0-9\\[\\]-]{0,12}/)?[a-z0-9._/-]{1,20}(:[a-zA-Z0-9._-]{1,8})?") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string().parse::<Reference>(), Ok(reference));
            }
        }

        #[test]
        fn no_text_makes_reading_fail_otherwise_than_by_an_error(text in ".{0,80}") {
            let _ = text.parse::<Reference>();
        }
    }
}
