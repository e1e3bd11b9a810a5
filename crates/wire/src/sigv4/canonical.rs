//! The canonical request: one text for everything that is signed.

use http::HeaderMap;
use http::header::HOST;
use http::request::Parts;
use sha2::{Digest, Sha256};

use base::Timestamp;

use super::encode::{Slash, encode_into};
use super::error::AuthError;
use super::query::Query;
use super::{ALGORITHM, CredentialScope};

/// The path that was signed, where it is another than the one that is served: an extension of a request's head.
#[derive(Debug, Clone)]
pub(crate) struct SignedPath(pub(crate) String);

/// The host that the request is for: the `Host` header, or on HTTP/2 `:authority`, without the port that its scheme
/// implies, as every signer leaves it out.
///
/// # Errors
/// [`AuthError::MalformedHost`] when there are several, when the two disagree, or when it is not visible ASCII: routing
/// and signature must never see different hosts.
pub fn host(parts: &Parts) -> Result<Option<&str>, AuthError> {
    let mut headers = parts.headers.get_all(HOST).iter();
    let header = headers.next().map(|value| value.to_str().map_err(|_| AuthError::MalformedHost)).transpose()?;
    let scheme = parts.uri.scheme_str();
    let authority = parts.uri.authority().map(|name| without_default_port(name.as_str(), scheme));
    if headers.next().is_some() || authority.is_some_and(|name| name.contains('@')) {
        return Err(AuthError::MalformedHost);
    }
    match (header, authority) {
        (Some(header), Some(authority)) if !without_default_port(header, scheme).eq_ignore_ascii_case(authority) => {
            Err(AuthError::MalformedHost)
        }
        (header, authority) => Ok(header.or(authority)),
    }
}

fn without_default_port<'a>(name: &'a str, scheme: Option<&str>) -> &'a str {
    let port = match scheme {
        Some("http") => ":80",
        Some("https") => ":443",
        _ => return name,
    };
    name.strip_suffix(port).unwrap_or(name)
}

/// All that a signature covers.
pub(super) struct Signed<'a> {
    pub(super) parts: &'a Parts,
    pub(super) query: &'a Query<'a>,
    pub(super) presigned: bool,
    /// Lower-case, sorted, each once.
    pub(super) headers: &'a [String],
    pub(super) payload: &'a str,
    pub(super) scope: &'a CredentialScope,
    pub(super) at: Timestamp,
}

impl Signed<'_> {
    /// Method, path, query, headers, their names, payload: a line each.
    pub(super) fn canonical_request(&self) -> Result<Vec<u8>, AuthError> {
        let mut out = String::with_capacity(512);
        out.push_str(self.parts.method.as_str());
        out.push('\n');
        let path = self.parts.extensions.get().map_or(self.parts.uri.path(), |SignedPath(path)| path.as_str());
        write_path(&mut out, path, self.scope.is_s3());
        out.push('\n');
        out.push_str(&self.query.canonical(self.presigned));
        out.push('\n');
        let mut out = out.into_bytes();
        for name in self.headers {
            out.extend_from_slice(name.as_bytes());
            out.push(b':');
            self.write_header(&mut out, name)?;
            out.push(b'\n');
        }
        out.push(b'\n');
        out.extend_from_slice(self.headers.join(";").as_bytes());
        out.push(b'\n');
        out.extend_from_slice(self.payload.as_bytes());
        Ok(out)
    }

    /// What the signing key signs.
    pub(super) fn string_to_sign(&self) -> Result<String, AuthError> {
        let digest = hex::encode(Sha256::digest(self.canonical_request()?));
        Ok(format!("{ALGORITHM}\n{}\n{}\n{digest}", self.at.basic(), self.scope))
    }

    fn write_header(&self, out: &mut Vec<u8>, name: &str) -> Result<(), AuthError> {
        let absent = || AuthError::SignedHeaderAbsent { name: name.to_owned() };
        if name == HOST.as_str() {
            fold_into(out, host(self.parts)?.ok_or_else(absent)?.as_bytes());
            return Ok(());
        }
        write_values(out, &self.parts.headers, name).then_some(()).ok_or_else(absent)
    }
}

/// Appends the values of one header, joined by commas in the order they came in; `false` if there are none.
fn write_values(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) -> bool {
    let mut found = false;
    for value in headers.get_all(name) {
        if found {
            out.push(b',');
        }
        fold_into(out, value.as_bytes());
        found = true;
    }
    found
}

/// Appends a value without blanks at its ends and with one blank for several within.
fn fold_into(out: &mut Vec<u8>, value: &[u8]) {
    let mut words = value.split(|&b| b == b' ').filter(|word| !word.is_empty());
    if let Some(first) = words.next() {
        out.extend_from_slice(first);
    }
    for word in words {
        out.push(b' ');
        out.extend_from_slice(word);
    }
}

/// S3 signs a key's path as it was sent, since `a//b` and `a/../b` are keys; every other service signs the normalised
/// path, encoded once more.
fn write_path(out: &mut String, raw: &str, s3: bool) {
    if s3 {
        out.push_str(if raw.is_empty() { "/" } else { raw });
    } else {
        encode_into(out, normalise(raw).as_bytes(), Slash::Keep);
    }
}

/// RFC 3986, section 5.2.4, and runs of `/` become one. Escapes are left alone: `%2E%2E` is a name. (Signers differ over
/// what a final `/.` leaves: AWS's Rust signer a slash, as here and as in the RFC, botocore nothing. No client sends one.)
fn normalise(raw: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in raw.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let mut out = String::with_capacity(raw.len() + 1);
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() || ["/", "/.", "/.."].iter().any(|end| raw.ends_with(end)) {
        out.push('/');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, hosts: &[&str]) -> Parts {
        let mut request = http::Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn the_path_of_s3_is_signed_as_it_was_sent_and_others_are_normalised_and_encoded_again() {
        for (raw, s3, other) in [
            ("", "/", "/"),
            ("/", "/", "/"),
            ("/a//b/../c", "/a//b/../c", "/a/c"),
            ("/a%20b/%2e%2e", "/a%20b/%2e%2e", "/a%2520b/%252e%252e"),
            ("/a=b", "/a=b", "/a%3Db"),
            ("/a/.", "/a/.", "/a/"),
            ("/a/b/..", "/a/b/..", "/a/"),
            ("/../..", "/../..", "/"),
            ("/a../b./", "/a../b./", "/a../b./"),
            ("*", "*", "/%2A"),
            (
                "/arn%3Aaws%3Alambda/invocations",
                "/arn%3Aaws%3Alambda/invocations",
                "/arn%253Aaws%253Alambda/invocations",
            ),
            ("/test/@connections/J%3D", "/test/@connections/J%3D", "/test/%40connections/J%253D"),
        ] {
            let (mut as_s3, mut as_other) = (String::new(), String::new());
            write_path(&mut as_s3, raw, true);
            write_path(&mut as_other, raw, false);
            assert_eq!((as_s3.as_str(), as_other.as_str()), (s3, other), "{raw}");
        }
    }

    #[test]
    fn blanks_are_trimmed_and_folded_and_tabs_are_not_blanks() {
        for (value, folded) in [("  a  b ", "a b"), ("", ""), ("   ", ""), ("a\t b", "a\t b"), ("\"a   b\"", "\"a b\"")]
        {
            let mut out = Vec::new();
            fold_into(&mut out, value.as_bytes());
            assert_eq!(out, folded.as_bytes(), "{value:?}");
        }
    }

    #[test]
    fn repeated_headers_are_joined_in_their_order() {
        let mut headers = HeaderMap::new();
        for value in ["z", " a  b", ""] {
            headers.append("x", value.parse().unwrap());
        }
        let mut out = Vec::new();
        assert!(write_values(&mut out, &headers, "x"));
        assert_eq!(out, b"z,a b,");
        assert!(!write_values(&mut out, &headers, "y"));
    }

    #[test]
    fn the_host_is_the_header_or_the_authority_and_never_two_things() {
        assert_eq!(host(&parts("/", &["a.example:8080"])), Ok(Some("a.example:8080")));
        assert_eq!(host(&parts("http://a.example:8080/", &[])), Ok(Some("a.example:8080")));
        assert_eq!(host(&parts("http://A.example/", &["a.example"])), Ok(Some("a.example")));
        assert_eq!(host(&parts("https://a.example:443/", &[])), Ok(Some("a.example")));
        assert_eq!(host(&parts("https://a.example:443/", &["a.example:443"])), Ok(Some("a.example:443")));
        assert_eq!(host(&parts("/", &[])), Ok(None));
        for (uri, hosts) in
            [("http://b.example/", &["a.example"][..]), ("/", &["a", "a"]), ("http://u@a.example/", &[]), ("/", &["ä"])]
        {
            assert_eq!(host(&parts(uri, hosts)), Err(AuthError::MalformedHost), "{uri} {hosts:?}");
        }
    }
}
