//! The service that is asked by a request whose method and path name the operation.

use http::Method;
use http::request::Parts;

use super::{content_type, is_form};
use crate::model::ServiceModel;
use crate::sigv4::claimed_service;

/// The service's number, if the request is for one whose operations are bound to HTTP: as its signature says, or where it
/// names none (nobody has signed it, or in a way that is refused) and has not the form of another protocol, the service that
/// admits anybody. At the host of a bucket no other protocol is spoken.
pub(super) fn service(parts: &Parts, services: &[&'static ServiceModel], is_buckets: bool) -> Option<usize> {
    let is_bound = |model: &ServiceModel| model.protocols.iter().any(|protocol| protocol.is_rest());
    if let Some(name) = claimed_service(parts) {
        return services.iter().position(|model| model.signing_name == name && is_bound(model));
    }
    let anybodys = services.iter().position(|model| is_bound(model) && model.admits_anonymous)?;
    (is_buckets || !speaks_otherwise(parts)).then_some(anybodys)
}

/// Whether a request has the form of a protocol in which the path says nothing.
fn speaks_otherwise(parts: &Parts) -> bool {
    let is_posted_to_the_root = parts.method == Method::POST && parts.uri.path() == "/";
    let has_action = || {
        let pieces = parts.uri.query().unwrap_or_default().split('&');
        pieces.map(|piece| piece.split('=').next()).any(|name| name == Some("Action"))
    };
    let is_json = || content_type(parts).is_some_and(|essence| essence.starts_with("application/x-amz-json-1."));
    let has_target = parts.headers.contains_key("x-amz-target") || parts.headers.contains_key("smithy-protocol");
    let is_posted_form = || parts.method == Method::POST && is_form(parts);
    is_posted_to_the_root && !is_multipart(parts) || has_action() || has_target || is_posted_form() || is_json()
}

/// A form of a browser, posted to the bucket that the host names.
fn is_multipart(parts: &Parts) -> bool {
    content_type(parts).is_some_and(|essence| essence == "multipart/form-data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{JSON, QUERY, REST_JSON, S3};

    const SERVICES: &[&ServiceModel] = &[&JSON, &REST_JSON, &S3, &QUERY];

    fn asked(method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        asked_at(false, method, uri, headers)
    }

    fn asked_at(is_buckets: bool, method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<&'static str> {
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        service(&parts, SERVICES, is_buckets).map(|service| SERVICES[service].name)
    }

    #[test]
    fn a_signature_says_which_service_is_asked_in_header_and_query() {
        let signed = |scope: &str| {
            format!(
                "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=0"
            )
        };
        for (scope, named) in [("s3", Some("s3")), ("paths", Some("paths")), ("things", None), ("nobody", None)] {
            assert_eq!(asked("PUT", "/b/k", &[("authorization", &signed(scope))]), named, "{scope}");
            let query = format!("/b/k?X-Amz-Credential=AKID%2F20130524%2Fus-east-1%2F{scope}%2Faws4_request");
            assert_eq!(asked("GET", &query, &[]), named, "{scope}");
        }
        // What is stored may look like a request of another protocol.
        let headers = [("authorization", &*signed("s3")), ("content-type", "application/x-amz-json-1.1")];
        assert_eq!(asked("PUT", "/b/k", &headers), Some("s3"));
    }

    #[test]
    fn what_names_no_service_is_for_the_one_that_admits_anybody_unless_it_speaks_otherwise() {
        for (method, uri, headers) in [
            ("GET", "/b/k", &[][..]),
            ("PUT", "/b/k", &[("content-type", "text/plain")]),
            ("GET", "/", &[]),
            ("POST", "/b", &[("content-type", "multipart/form-data; boundary=x")]),
            ("POST", "/", &[("content-type", "multipart/form-data; boundary=x")]),
            ("GET", "/b/k?AWSAccessKeyId=a&Signature=b&Expires=1", &[]),
            ("GET", "/b/k", &[("authorization", "AWS AKID:signature")]),
        ] {
            assert_eq!(asked(method, uri, headers), Some("s3"), "{method} {uri}");
        }
        for (method, uri, headers) in [
            ("POST", "/", &[][..]),
            ("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]),
            ("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", &[]),
            ("POST", "/", &[("x-amz-target", "T.O"), ("content-type", "application/x-amz-json-1.1")]),
            ("POST", "/service/S/operation/O", &[("smithy-protocol", "rpc-v2-cbor")]),
        ] {
            assert_eq!(asked(method, uri, headers), None, "{method} {uri}");
        }
    }

    #[test]
    fn what_nobody_has_signed_is_a_buckets_at_its_host_and_what_is_signed_is_whose_it_says() {
        for (method, uri, headers) in [
            ("POST", "/?delete", &[][..]),
            ("POST", "/", &[("content-type", "application/x-www-form-urlencoded")]),
            ("GET", "/k?Action=x", &[]),
            ("PUT", "/k", &[("x-amz-target", "T.O"), ("content-type", "application/x-amz-json-1.1")]),
        ] {
            assert_eq!(asked_at(true, method, uri, headers), Some("s3"), "{method} {uri}");
        }
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/things/aws4_request, SignedHeaders=host, Signature=0";
        assert_eq!(asked_at(true, "POST", "/", &[("authorization", signed)]), None);
    }
}
