//! In which way a verified request was signed: policies of S3 may depend on it.

use base::Timestamp;

use super::error::Form;
use super::parse::ParsedSignature;
use super::payload::PayloadHash;

/// Where a request's signature stands, and what it says beside who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// In the `Authorization` header.
    Header {
        /// What is said of the body, as `x-amz-content-sha256` says it.
        payload: Option<String>,
    },
    /// In the query.
    Query {
        /// The same.
        payload: Option<String>,
        /// When it was made; it may be used for days.
        at: Timestamp,
    },
    /// In a browser's form.
    Form,
}

impl ParsedSignature {
    /// In which way the request is signed.
    pub fn signing(&self) -> Signing {
        let payload = self.body_rule().line(PayloadHash::Unread).ok();
        match self.form() {
            Form::Header => Signing::Header { payload },
            Form::Query => Signing::Query { payload, at: self.signed_at() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::parse;

    #[test]
    fn what_a_signature_says_of_its_body_and_its_time_is_told() {
        let request = http::Request::get("/b/k")
            .header("host", "h")
            .header("x-amz-date", "20150830T123600Z")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/s3/aws4_request, \
                 SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=0",
            );
        let parts = request.body(()).unwrap().into_parts().0;
        let payload = Some("UNSIGNED-PAYLOAD".to_owned());
        assert_eq!(parse(&parts).unwrap().signing(), Signing::Header { payload: payload.clone() });
        let query = "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20150830%2Fus-east-1%2Fs3%2Faws4_request\
                     &X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=0";
        let parts = http::Request::get(query).header("host", "h").body(()).unwrap().into_parts().0;
        let at = Timestamp::parse_basic("20150830T123600Z").unwrap();
        assert_eq!(parse(&parts).unwrap().signing(), Signing::Query { payload, at });
    }
}
