//! A random request, and what AWS's own signer makes of it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials as OracleCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody as OracleBody, SignableRequest, SignatureLocation,
    SigningInstructions, SigningSettings, UriPathNormalizationMode, sign as oracle_sign,
};
use aws_sigv4::sign::v4;
use base::Timestamp;
use http::Request;
use http::request::Parts;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use wire::sigv4::{AuthError, SignableBody, Signer};

use super::{ACCESS_KEY_ID, EXPIRES, SECRET, accept, credentials};

#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) host: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    pub(super) token: Option<String>,
    pub(super) service: &'static str,
    pub(super) seconds: i64,
    pub(super) presigned: bool,
}

impl Case {
    fn s3(&self) -> bool {
        self.service == "s3"
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_secs(self.seconds)
    }

    pub(super) fn body_is_signed(&self) -> bool {
        !(self.s3() && self.presigned)
    }

    pub(super) fn uri(&self) -> String {
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("http://{}{}{query}", self.host, self.path)
    }

    /// The request before it is signed; `None` where HTTP cannot carry it.
    pub(super) fn request(&self) -> Option<Request<()>> {
        let mut request = Request::builder().method(self.method).uri(self.uri()).header("host", self.host);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(()).ok()
    }

    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.s3() {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if self.presigned {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(EXPIRES);
        }
        settings
    }

    /// What AWS's signer would add to this request, and its signature; `None` where it reads the query as a text other
    /// than the one sent (escapes that are not UTF-8).
    pub(super) fn oracle(&self) -> Option<(SigningInstructions, String)> {
        let query = self.query.as_deref().unwrap_or_default();
        if form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}'))
        {
            return None;
        }
        let identity = OracleCredentials::new(ACCESS_KEY_ID, SECRET, self.token.clone(), None, "test").into();
        let seconds = Duration::from_secs(u64::try_from(self.seconds).unwrap());
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("eu-central-1")
            .name(self.service)
            .time(SystemTime::UNIX_EPOCH + seconds)
            .settings(self.settings())
            .build()
            .unwrap()
            .into();
        let body = if self.body_is_signed() { OracleBody::Bytes(&self.body) } else { OracleBody::UnsignedPayload };
        let headers = std::iter::once(("host", self.host)).chain(self.headers.iter().map(|(n, v)| (*n, v.as_str())));
        let request = SignableRequest::new(self.method, self.uri(), headers, body).ok()?;
        Some(oracle_sign(request, &parameters).ok()?.into_parts())
    }

    pub(super) fn signed_by_oracle(&self) -> Option<(Parts, String)> {
        let (instructions, signature) = self.oracle()?;
        let mut request = self.request()?;
        instructions.apply_to_request_http1x(&mut request);
        Some((request.into_parts().0, signature))
    }

    pub(super) fn accept(&self, parts: &Parts) -> Result<(), AuthError> {
        accept(parts, &self.body, self.service, self.at())
    }

    pub(super) fn sign_ourselves(&self, parts: &mut Parts) {
        let credentials = credentials(self.token.as_deref());
        let signer = Signer { credentials: &credentials, region: "eu-central-1", service: self.service, at: self.at() };
        let signed = match (self.presigned, self.body_is_signed()) {
            (false, _) => signer.sign(parts, SignableBody::Bytes(&self.body)),
            (true, true) => signer.presign(parts, EXPIRES, SignableBody::Bytes(&self.body)),
            (true, false) => signer.presign(parts, EXPIRES, SignableBody::Unsigned),
        };
        signed.unwrap();
    }
}

pub(super) fn pieces(from: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    vec(select(from), 0..most).prop_map(|pieces| pieces.concat())
}

fn path() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "/",
        "/",
        "//",
        "/.",
        "/..",
        "a",
        "key",
        "~",
        "-",
        ".",
        "..",
        "%20",
        "%2F",
        "%2e%2E",
        "%E1%88%B4",
        "%",
        "%zz",
        "=",
        ":",
        "@",
        "+",
        ",",
        ";",
        "*",
        "'",
        "(",
        "!",
        "$",
        "&",
        "ü",
        "日",
    ];
    pieces(PIECES, 12).prop_map(|path| if path.starts_with('/') { path } else { format!("/{path}") })
}

fn query() -> impl Strategy<Value = Option<String>> {
    const PIECES: &[&str] = &[
        "&", "&", "&", "=", "=", "a", "b", "Action", "-", "_", "~", "+", "%20", "%2B", "%3D", "%26", "%", "%zz", "%41",
        "%c3%bc", "/", "?", ":", "*", "'", "ü", "x-id",
    ];
    option::of(pieces(PIECES, 16))
}

pub(super) fn headers() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    const NAMES: &[&str] =
        &["x-amz-target", "x-amz-meta-a", "x-amz-meta-b", "content-type", "accept", "x-custom", "amz-sdk-request"];
    vec((select(NAMES), "[ -~]{0,12}|  a   b  | *"), 0..6)
}

pub(super) fn case() -> impl Strategy<Value = Case> {
    (
        select(&["GET", "PUT", "POST", "DELETE"][..]),
        path(),
        query(),
        select(&["example.amazonaws.com", "127.0.0.1:4566", "bucket.s3.localhost:4566"][..]),
        headers(),
        vec(any::<u8>(), 0..64),
        option::of("[A-Za-z0-9/+=]{1,64}"),
        select(&["s3", "ecs", "lambda", "sts"][..]),
        // 2001 to 2096.
        1_000_000_000_i64..4_000_000_000,
        any::<bool>(),
    )
        .prop_map(|(method, path, query, host, headers, body, token, service, seconds, presigned)| Case {
            method,
            path,
            query,
            host,
            headers,
            body,
            token,
            service,
            seconds,
            presigned,
        })
}
