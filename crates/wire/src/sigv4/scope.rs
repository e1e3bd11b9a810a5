//! What a signing key is good for: one day, one region, one service.

use std::fmt;

use base::Timestamp;

use super::{SCOPE_ELEMENT_LENGTH_MAX, TERMINATOR};

/// The credential scope, `20150830/us-east-1/iam/aws4_request`, without its constant end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CredentialScope {
    /// `YYYYMMDD`, UTC.
    pub date: String,
    /// The region as the client named it.
    pub region: String,
    /// The service's signing name, such as `ecs`.
    pub service: String,
}

impl CredentialScope {
    /// The scope of a request that is signed at `at`.
    pub fn new(at: Timestamp, region: &str, service: &str) -> Self {
        Self { date: day(at), region: region.to_owned(), service: service.to_owned() }
    }

    /// Does the service sign as S3 does: path verbatim, payload hash in a header, unsigned and streamed bodies allowed?
    pub fn is_s3(&self) -> bool {
        is_s3(&self.service)
    }
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// The day of `at` as scopes write it.
pub(super) fn day(at: Timestamp) -> String {
    let mut text = at.basic();
    text.truncate(8);
    text
}

pub(super) fn is_s3(service: &str) -> bool {
    matches!(service, "s3" | "s3express" | "s3-object-lambda" | "s3-outposts")
}

/// `keyid/date/region/service/terminator`, split; `None` unless there are five usable elements.
pub(super) fn split_credential(credential: &str) -> Option<[&str; 5]> {
    let mut elements = credential.split('/');
    let split = [elements.next()?, elements.next()?, elements.next()?, elements.next()?, elements.next()?];
    let usable = elements.next().is_none()
        && credential.bytes().all(|b| b.is_ascii_graphic())
        && !split[0].is_empty()
        && split[0].len() <= super::ACCESS_KEY_ID_LENGTH_MAX
        && split[1..].iter().all(|element| element.len() <= SCOPE_ELEMENT_LENGTH_MAX);
    usable.then_some(split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_signed() {
        let at = Timestamp::parse_basic("20150830T123600Z").unwrap();
        assert_eq!(CredentialScope::new(at, "us-east-1", "iam").to_string(), "20150830/us-east-1/iam/aws4_request");
    }

    #[test]
    fn a_credential_has_exactly_five_elements_of_bounded_length() {
        assert!(split_credential("AKID/20150830/us-east-1/iam/aws4_request").is_some());
        let long = format!("{}/20150830/us-east-1/iam/aws4_request", "A".repeat(129));
        let wide = format!("AKID/20150830/{}/iam/aws4_request", "a".repeat(65));
        for refused in
            ["", "AKID", "AKID/1/2/3", "AKID/1/2/3/4/5", "/1/2/3/4", " AKID/1/2/3/4", "AKÏD/1/2/3/4", &long, &wide]
        {
            assert_eq!(split_credential(refused), None, "{refused}");
        }
    }
}
