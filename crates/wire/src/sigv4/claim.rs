//! What a request claims of the service it is for, before anything of it is believed: which family of errors it is to be
//! answered in depends on it. Whoever acts on it verifies the signature against the service that was found.

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::encode::decode;

/// The service of the scope in the `Authorization` header or the presigned query; none where neither has a scope.
pub(crate) fn claimed_service(parts: &Parts) -> Option<String> {
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let credential = match header {
        Some(header) => header.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned(),
        None => {
            let mut pieces = parts.uri.query()?.split('&').filter_map(|piece| piece.split_once('='));
            let (_, value) = pieces.find(|(name, _)| *decode(name) == *b"X-Amz-Credential")?;
            String::from_utf8(decode(value).into_owned()).ok()?
        }
    };
    // From the end: the scope of Signature Version 4A has no region.
    credential.rsplit('/').nth(1).filter(|service| !service.is_empty()).map(str::to_owned)
}
