//! Signature Version 4 against two judges: AWS's public test suite, and AWS's own signer on random requests.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod case;
mod vectors;

use std::time::Duration;

use base::Timestamp;
use http::Request;
use http::request::Parts;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use wire::sigv4::{AuthError, Credentials, PayloadHash, SecretAccessKey, SignableBody, Signer, SigningKeyCache, parse};

use case::{case, headers, pieces};
use vectors::{VECTORS, Vector};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const EXPIRES: Duration = Duration::from_secs(3600);

fn secret() -> SecretAccessKey {
    SecretAccessKey::new(SECRET)
}

fn credentials(token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: ACCESS_KEY_ID.into(),
        secret_access_key: secret(),
        session_token: token.map(str::to_owned),
    }
}

/// Both steps of the server, at the instant of signing.
fn accept(parts: &Parts, body: &[u8], service: &str, now: Timestamp) -> Result<(), AuthError> {
    parse(parts)?.verify(parts, &secret(), now, service, PayloadHash::of(body))
}

// ---- The public test suite ----

fn suite_time() -> Timestamp {
    Timestamp::parse_basic("20150830T123600Z").unwrap()
}

fn suite_parts(vector: &Vector, target: &str) -> Parts {
    let mut request = Request::builder().method(vector.method).uri(target);
    for (name, value) in vector.headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn suite_header_form(vector: &Vector) -> Parts {
    let mut parts = suite_parts(vector, vector.target);
    parts.headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
    if vector.body_declared {
        let hash = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(vector.body));
        parts.headers.insert("x-amz-content-sha256", hash.parse().unwrap());
    }
    if let (Some(token), false) = (vector.token, vector.token_unsigned) {
        parts.headers.insert("x-amz-security-token", token.parse().unwrap());
    }
    let mut names: Vec<_> = parts.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/20150830/us-east-1/service/aws4_request, SignedHeaders={}, \
         Signature={}",
        names.join(";"),
        vector.header_signature
    );
    parts.headers.insert("authorization", authorization.parse().unwrap());
    if let (Some(token), true) = (vector.token, vector.token_unsigned) {
        parts.headers.insert("x-amz-security-token", token.parse().unwrap());
    }
    parts
}

#[test]
fn every_signed_request_of_the_public_suite_is_accepted_and_none_with_another_secret() {
    for vector in VECTORS {
        let parts = suite_header_form(vector);
        let body = PayloadHash::of(vector.body.as_bytes());
        let parsed = parse(&parts).unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        assert_eq!(parsed.session_token(), vector.token, "{}", vector.name);
        let verdict =
            |secret: &str| parsed.verify(&parts, &SecretAccessKey::new(secret), suite_time(), "service", body);
        assert_eq!(verdict(SECRET), Ok(()), "{}", vector.name);
        assert_eq!(verdict("another"), Err(AuthError::SignatureMismatch), "{}", vector.name);
    }
}

#[test]
fn our_presigned_urls_carry_the_signatures_of_the_public_suite() {
    for vector in VECTORS.iter().filter(|vector| !vector.token_unsigned) {
        let mut parts = suite_parts(vector, vector.target);
        let credentials = credentials(vector.token);
        let signer = Signer { credentials: &credentials, region: "us-east-1", service: "service", at: suite_time() };
        signer.presign(&mut parts, EXPIRES, SignableBody::Bytes(vector.body.as_bytes())).unwrap();
        let query = parts.uri.query().unwrap();
        let expected = format!("X-Amz-Signature={}", vector.query_signature);
        assert!(query.ends_with(&expected), "{}: {query}", vector.name);
        assert_eq!(accept(&parts, vector.body.as_bytes(), "service", suite_time()), Ok(()), "{}", vector.name);
    }
}

#[test]
fn a_token_added_to_a_presigned_url_after_signing_is_refused() {
    let vector = VECTORS.iter().find(|vector| vector.token_unsigned).unwrap();
    let mut parts = suite_parts(vector, vector.target);
    let credentials = credentials(None);
    let signer = Signer { credentials: &credentials, region: "us-east-1", service: "service", at: suite_time() };
    signer.presign(&mut parts, EXPIRES, SignableBody::Bytes(b"")).unwrap();
    assert!(parts.uri.to_string().ends_with(vector.query_signature), "{}", parts.uri);
    parts.uri = format!("{}&X-Amz-Security-Token=token", parts.uri).parse().unwrap();
    assert_eq!(accept(&parts, b"", "service", suite_time()), Err(AuthError::SignatureMismatch));
}

// ---- AWS's own signer ----

/// Where one bit is turned around.
#[derive(Debug, Clone, Copy)]
enum Target {
    Signature,
    Date,
    AccessKeyId,
    Token,
    Method,
    Path,
    Query,
    HeaderValue,
    Body,
}

const TARGETS: &[Target] = &[
    Target::Signature,
    Target::Date,
    Target::AccessKeyId,
    Target::Token,
    Target::Method,
    Target::Path,
    Target::Query,
    Target::HeaderValue,
    Target::Body,
];

/// `text` with one bit of one byte turned around; `None` if that is no text, or there is none.
fn flipped(text: &str, position: usize, bit: u8) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let length = bytes.len();
    *bytes.get_mut(position.checked_rem(length)?)? ^= 1 << bit;
    String::from_utf8(bytes).ok()
}

/// Turns a bit around inside the signed value `old`, wherever header or query carries it.
fn flip_value(parts: &mut Parts, old: &str, position: usize, bit: u8) -> Option<()> {
    let new = flipped(old, position, bit)?;
    let mut found = false;
    for value in parts.headers.values_mut() {
        let Ok(text) = value.to_str() else { continue };
        if text.contains(old) {
            *value = text.replace(old, &new).parse().ok()?;
            found = true;
        }
    }
    let uri = parts.uri.to_string();
    if uri.contains(old) {
        parts.uri = uri.replace(old, &new).parse().ok()?;
        found = true;
    }
    found.then_some(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_the_signer_of_aws_signs_is_accepted(case in case()) {
        let Some((parts, _)) = case.signed_by_oracle() else { return Ok(()) };
        prop_assert_eq!(case.accept(&parts), Ok(()), "{}", parts.uri);
        let parsed = parse(&parts).unwrap();
        prop_assert_eq!(parsed.access_key_id(), ACCESS_KEY_ID);
        prop_assert_eq!(parsed.session_token(), case.token.as_deref());
        prop_assert_eq!(parsed.signed_at(), case.at());
        prop_assert_eq!(parsed.scope().service.as_str(), case.service);
    }

    #[test]
    fn our_signature_is_that_of_the_signer_of_aws(case in case()) {
        let (Some(request), Some((oracle, signature))) = (case.request(), case.signed_by_oracle()) else {
            return Ok(());
        };
        let mut parts = request.into_parts().0;
        case.sign_ourselves(&mut parts);
        if case.presigned {
            let query = parts.uri.query().unwrap();
            let ends = format!("X-Amz-Signature={signature}");
            prop_assert!(query.ends_with(&ends), "{} {}", query, signature);
        } else {
            prop_assert_eq!(&parts.headers, &oracle.headers);
        }
        prop_assert_eq!(case.accept(&parts), Ok(()));
    }

    #[test]
    fn one_flipped_bit_anywhere_and_the_request_is_refused(
        case in case(),
        target in select(TARGETS),
        position: usize,
        bit in 0_u8..8,
    ) {
        let Some((mut parts, signature)) = case.signed_by_oracle() else { return Ok(()) };
        let mut mutant = case.clone();
        // Stays `true` where a flip may leave the canonical request as it was; the oracle then decides.
        let mut ambiguous = false;
        let flip = |text: &str| flipped(text, position, bit);
        let done = match target {
            Target::Signature => flip_value(&mut parts, &signature, position, bit),
            Target::Date => flip_value(&mut parts, &case.at().basic(), position, bit),
            // In a header the key's name is not signed: it only says whose secret to take.
            Target::AccessKeyId if !case.presigned => None,
            Target::AccessKeyId => flip_value(&mut parts, ACCESS_KEY_ID, position, bit),
            Target::Token => (|| {
                let token = case.token.as_ref().filter(|_| !case.presigned)?;
                parts.headers.insert("x-amz-security-token", flip(token)?.parse().ok()?);
                Some(())
            })(),
            Target::Method => (|| {
                parts.method = flip(case.method)?.parse().ok()?;
                Some(())
            })(),
            Target::Body => {
                if let Some(index) = position.checked_rem(mutant.body.len()) {
                    mutant.body[index] ^= 1 << bit;
                }
                (case.body_is_signed() && !case.body.is_empty()).then_some(())
            }
            Target::Path | Target::Query | Target::HeaderValue => (|| {
                ambiguous = true;
                match target {
                    Target::Path => mutant.path = flip(&case.path).filter(|path| path.starts_with('/'))?,
                    Target::Query => mutant.query = Some(flip(case.query.as_ref()?)?),
                    _ => {
                        let (_, value) = mutant.headers.last_mut()?;
                        *value = flip(value)?;
                    }
                }
                if mutant.uri().contains('#') {
                    return None;
                }
                let mut request = mutant.request()?;
                case.oracle()?.0.apply_to_request_http1x(&mut request);
                parts = request.into_parts().0;
                Some(())
            })(),
        };
        if done.is_none() {
            return Ok(());
        }
        let unchanged = ambiguous && mutant.oracle().is_some_and(|(_, other)| other == signature);
        prop_assert_eq!(
            accept(&parts, &mutant.body, case.service, case.at()).is_ok(), unchanged,
            "{:?} of {} {:?}", target, parts.uri, parts.headers
        );
    }

    #[test]
    fn a_cached_key_changes_no_verdict(case in case(), other in "[a-z]{1,8}") {
        let Some((parts, _)) = case.signed_by_oracle() else { return Ok(()) };
        let (keys, parsed, body) = (SigningKeyCache::new(), parse(&parts).unwrap(), PayloadHash::of(&case.body));
        let verdict = |secret: &SecretAccessKey| {
            parsed.verify_cached(&keys, &parts, secret, case.at(), case.service, body)
        };
        for _ in 0..2 {
            prop_assert_eq!(verdict(&SecretAccessKey::new(other.as_str())), Err(AuthError::SignatureMismatch));
            prop_assert_eq!(verdict(&secret()), Ok(()));
        }
    }

    #[test]
    fn no_header_or_query_whatever_makes_the_parser_panic(
        authorization in option::of(prop_oneof!["[\\x20-\\x7e]{0,200}", pieces(AUTHORIZATION_PIECES, 12)]),
        query in option::of(prop_oneof!["[\\x21-\\x22\\x24-\\x7e]{0,200}", pieces(QUERY_PIECES, 20)]),
        date in option::of("[0-9TZ]{0,20}|[ -~]{0,40}|20150830T123600Z"),
        headers in headers(),
        body: Vec<u8>,
    ) {
        let uri = format!("/{}", query.map(|query| format!("?{query}")).unwrap_or_default());
        let mut request = Request::builder().uri(uri).header("host", "localhost");
        for (name, value) in headers.iter().map(|(n, v)| (*n, v)).chain(authorization.iter().map(|v| ("authorization", v))) {
            request = request.header(name, value);
        }
        if let Some(date) = &date {
            request = request.header("x-amz-date", date);
        }
        let Ok(request) = request.body(()) else { return Ok(()) };
        let parts = request.into_parts().0;
        match parse(&parts) {
            Ok(parsed) => {
                let _ = format!("{parsed:?}");
                let verdict = parsed.verify(&parts, &secret(), suite_time(), "ecs", PayloadHash::of(&body));
                prop_assert!(verdict.is_err(), "nobody guesses a signature");
            }
            Err(error) => {
                use wire::sigv4::ErrorFamily::{Json, Query, RestJson, S3};
                for family in [Json, RestJson, Query, S3] {
                    let (code, status, message) = error.aws(family);
                    prop_assert!(!code.is_empty() && (400..500).contains(&status) && !message.is_empty());
                }
            }
        }
    }
}

const AUTHORIZATION_PIECES: &[&str] = &[
    "AWS4-HMAC-SHA256 ",
    "AWS4-HMAC-SHA256 ",
    "AWS AKID:sig",
    "AWS4-ECDSA-P256-SHA256 ",
    "Bearer x",
    "Credential=",
    "AKID/20150830/us-east-1/ecs/aws4_request",
    "Credential=AKID/20150830/us-east-1/ecs/aws4_request",
    "SignedHeaders=host;x-amz-date;x-amz-target",
    "SignedHeaders=",
    "Signature=00",
    "Signature=",
    ",",
    ", ",
    ";",
    "=",
    "/",
    " ",
];

const QUERY_PIECES: &[&str] = &[
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&",
    "X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&",
    "X-Amz-Credential=AKID%2F20150830%2Fus-east-1%2Fecs%2Faws4_request&",
    "X-Amz-Credential=AKID/20150830/us-east-1/s3/aws4_request&",
    "X-Amz-Date=20150830T123600Z&",
    "X-Amz-Date=%32",
    "X-Amz-Expires=60&",
    "X-Amz-Expires=-99999999999999999999&",
    "X-Amz-SignedHeaders=host&",
    "X-Amz-Signature=00&",
    "X-Amz-Security-Token=%ff&",
    "X-Amz-Content-Sha256=UNSIGNED-PAYLOAD&",
    "AWSAccessKeyId=a&",
    "Signature=b&",
    "%",
    "%4",
    "&",
    "=",
    "+",
];
