//! Addresses with a path in them: what is served begins below it, and what clients sign is the whole path.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};

use super::answer::AnswerBody;
use super::room::Place;
use crate::sigv4::SignedPath;

/// The longest such path, in bytes.
const BYTES_MAX: usize = 128;

/// A path below which everything is, such as `/3f9a…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Below(Arc<str>);

impl Below {
    /// None unless it is one: a `/`, and after it letters and digits.
    pub fn new(path: &str) -> Option<Self> {
        let name = path.strip_prefix('/')?;
        let is_one = !name.is_empty() && path.len() <= BYTES_MAX && name.bytes().all(|b| b.is_ascii_alphanumeric());
        is_one.then(|| Self(path.into()))
    }

    /// A request as it is meant; none if it is for somewhere else.
    pub(super) fn enter<B>(&self, mut request: Request<B>) -> Option<Request<B>> {
        let whole = request.uri().path();
        let rest = whole.strip_prefix(&*self.0).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let rest = if rest.is_empty() { "/" } else { rest };
        let signed = SignedPath(whole.to_owned());
        let meant = match request.uri().query() {
            Some(query) => PathAndQuery::try_from(format!("{rest}?{query}")),
            None => PathAndQuery::try_from(rest),
        };
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(meant.ok()?);
        *request.uri_mut() = Uri::from_parts(parts).ok()?;
        request.extensions_mut().insert(signed);
        Some(request)
    }
}

/// The answer to what is for somewhere else.
pub(super) fn elsewhere() -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::new(Bytes::from_static(b"nothing is here\n"), Place::default()));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entered(uri: &str) -> Option<(String, String)> {
        let request = Request::builder().uri(uri).body(()).unwrap();
        let request = Below::new("/abc123").unwrap().enter(request)?;
        let signed = request.extensions().get::<SignedPath>().unwrap().0.clone();
        Some((request.uri().to_string(), signed))
    }

    #[test]
    fn what_is_below_is_entered_and_signed_as_a_whole() {
        for (uri, meant, signed) in [
            ("/abc123", "/", "/abc123"),
            ("/abc123/", "/", "/abc123/"),
            ("/abc123/?Action=A&b=/abc123", "/?Action=A&b=/abc123", "/abc123/"),
            ("/abc123/bucket/key%2F", "/bucket/key%2F", "/abc123/bucket/key%2F"),
            ("/abc123//x", "//x", "/abc123//x"),
            ("http://h:1/abc123/x?y", "http://h:1/x?y", "/abc123/x"),
        ] {
            assert_eq!(entered(uri), Some((meant.to_owned(), signed.to_owned())), "{uri}");
        }
        for uri in ["/", "/abc1234", "/abc12", "/ABC123/", "/x/abc123", "//abc123/", "/abc123%2F"] {
            assert_eq!(entered(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_signature_covers_the_whole_path_and_is_good_for_no_other() {
        use base::Timestamp;

        use crate::sigv4::{Credentials, PayloadHash, SecretAccessKey, SignableBody, Signer, parse};

        let secret = SecretAccessKey::new("secret");
        let credentials =
            Credentials { access_key_id: "AKIA".to_owned(), secret_access_key: secret.clone(), session_token: None };
        let at = Timestamp::from_secs(1_440_938_160);
        for service in ["iam", "s3"] {
            let uri = "http://localhost:4711/abc123/a%20b?Action=x";
            let mut parts = Request::builder().method("POST").uri(uri).body(()).unwrap().into_parts().0;
            let signer = Signer { credentials: &credentials, region: "us-east-1", service, at };
            signer.sign(&mut parts, SignableBody::Bytes(b"")).unwrap();
            let verdict = |parts: &http::request::Parts| {
                parse(parts).unwrap().verify(parts, &secret, at, service, PayloadHash::of(b""))
            };
            let (below, other) = (Below::new("/abc123").unwrap(), Below::new("/abc124").unwrap());
            let entered = below.enter(Request::from_parts(parts.clone(), ())).unwrap().into_parts().0;
            assert_eq!(entered.uri.path(), "/a%20b");
            verdict(&entered).unwrap();
            assert!(other.enter(Request::from_parts(parts.clone(), ())).is_none());
            let mut elsewhere = entered;
            elsewhere.extensions.insert(SignedPath("/abc124/a%20b".to_owned()));
            assert!(verdict(&elsewhere).is_err(), "{service}");
            elsewhere.extensions.clear();
            assert!(verdict(&elsewhere).is_err(), "{service}");
        }
    }

    #[test]
    fn a_path_to_be_below_is_one_name() {
        let longest = format!("/{}", "a".repeat(BYTES_MAX - 1));
        assert!(Below::new(&longest).is_some() && Below::new(&format!("{longest}a")).is_none());
        for wrong in ["", "/", "a", "/a/", "/a/b", "/a?", "/..", "/ä"] {
            assert!(Below::new(wrong).is_none(), "{wrong}");
        }
    }
}
