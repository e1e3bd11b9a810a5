//! Heads of requests that claim to be signed. The first line is the target, each further one a header.

#![no_main]

use base::Timestamp;
use http::request::Parts;
use libfuzzer_sys::fuzz_target;
use wire::rest::Parameters;
use wire::rest::route::route;
use wire::serve::route::Dialect;
use wire::sigv4::{PayloadHash, SecretAccessKey, parse};

/// The head that `data` spells, if HTTP can carry it.
fn head(data: &[u8]) -> Option<Parts> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut request = http::Request::post(lines.next()?);
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        request = request.header(&line[..colon], &line[colon + 1..]);
    }
    Some(request.body(()).ok()?.into_parts().0)
}

fuzz_target!(|data: &[u8]| {
    let Some(parts) = head(data) else { return };
    let services = [&ecs::api::MODEL, &iam::api::MODEL, &s3::api::MODEL];
    let dialect = Dialect::of(&parts, &services);
    let service = dialect.service(&services, "ecs");
    let _ = service.and_then(|service| dialect.target(&services, service, data));
    if let Ok(parameters) = Parameters::parse(parts.uri.query()) {
        let _ = route(&s3::api::MODEL, &parts.method, parts.uri.path(), &parameters, &parts.headers);
    }
    match parse(&parts) {
        Ok(signature) => {
            let now = Timestamp::from_secs(1_440_938_160);
            let secret = SecretAccessKey::new("secret");
            let _ = signature.canonical_request(&parts, PayloadHash::of(b""));
            let _ = signature.verify(&parts, &secret, now, "ecs", PayloadHash::of(b""));
        }
        Err(error) => {
            error.aws(dialect.family());
        }
    }
});
