//! The first step: what does the request say of its own signature?

use std::fmt;

use base::{Region, Timestamp};
use http::HeaderMap;
use http::header::{AUTHORIZATION, DATE};
use http::request::Parts;

use super::error::{AuthError, ExpiresFault, Form, Parameter, ScopeFault};
use super::payload::BodyRule;
use super::query::Query;
use super::scope::{day, is_s3, split_credential};
use super::{
    ALGORITHM, AUTHORIZATION_LENGTH_MAX, CredentialScope, EXPIRES_SECONDS_MAX, SESSION_TOKEN_LENGTH_MAX,
    SIGNED_HEADERS_MAX, TERMINATOR, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN, verify,
};

/// A signature as the request states it: well-formed, and not yet believed.
#[derive(Clone, PartialEq, Eq)]
pub struct ParsedSignature {
    pub(super) form: Form,
    pub(super) access_key_id: String,
    pub(super) session_token: Option<String>,
    pub(super) scope: CredentialScope,
    pub(super) signed_at: Timestamp,
    /// Seconds that a presigned request is good for, where it says so.
    pub(super) expires: Option<u32>,
    /// Lower-case, sorted, each once.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: String,
    pub(super) body: BodyRule,
}

impl ParsedSignature {
    /// Whose key is to be looked up.
    pub fn access_key_id(&self) -> &str {
        &self.access_key_id
    }

    /// What came along with temporary credentials. Whoever resolves the key must also see that the token is its own.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// For which day, region and service the request was signed. The region is well-formed.
    pub fn scope(&self) -> &CredentialScope {
        &self.scope
    }

    /// When the client says it signed, to the second.
    pub fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// What is to be done with the body.
    pub fn body_rule(&self) -> &BodyRule {
        &self.body
    }

    /// Header or presigned.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The signature sent: of use once verified, as the seed of an `aws-chunked` body's chain.
    pub fn signature(&self) -> &str {
        &self.signature
    }
}

impl fmt::Debug for ParsedSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParsedSignature")
            .field("form", &self.form)
            .field("access_key_id", &self.access_key_id)
            .field("session_token", &self.session_token.as_ref().map(|_| "***"))
            .field("scope", &self.scope)
            .field("signed_at", &self.signed_at)
            .field("expires", &self.expires)
            .field("signed_headers", &self.signed_headers)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// Reads the signature of a request from its raw head.
///
/// # Errors
/// [`AuthError::MissingAuthenticationToken`] when there is none at all; otherwise what keeps it from being one.
pub fn parse(parts: &Parts) -> Result<ParsedSignature, AuthError> {
    let query = Query::parse(parts.uri.query())?;
    let header = header_once(&parts.headers, AUTHORIZATION.as_str())?.map(str::trim).filter(|text| !text.is_empty());
    let presigned = query.has("X-Amz-Algorithm") || query.has("X-Amz-Signature");
    let version_2 = query.has("AWSAccessKeyId") && query.has("Signature");
    let stated = match (header, presigned, version_2) {
        (Some(header), false, false) => Stated::of_header(header, &parts.headers)?,
        (None, true, false) => Stated::of_query(&query)?,
        (None, false, true) => return Err(unsupported("AWS")),
        (None, false, false) => return Err(AuthError::MissingAuthenticationToken),
        _ => return Err(AuthError::TwoMechanisms),
    };
    let parsed = stated.check(parts, &query)?;
    verify::check_signed_headers(&parsed, parts)?;
    Ok(parsed)
}

/// The texts of a signature, found and not yet understood.
pub(super) struct Stated<'a> {
    pub(super) form: Form,
    pub(super) credential: &'a str,
    pub(super) signature: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) date: &'a str,
    pub(super) expires: Option<&'a str>,
    pub(super) session_token: Option<&'a str>,
}

impl<'a> Stated<'a> {
    fn of_header(header: &'a str, headers: &'a HeaderMap) -> Result<Self, AuthError> {
        AuthError::limit("The Authorization header", header.len(), AUTHORIZATION_LENGTH_MAX)?;
        let (algorithm, fields) = header.split_once(' ').unwrap_or((header, ""));
        if algorithm != ALGORITHM {
            return Err(unsupported(algorithm));
        }
        let [credential, signature, signed_headers] = fields_of(fields, ["Credential", "Signature", "SignedHeaders"])?;
        let date = match header_once(headers, X_AMZ_DATE)? {
            None => header_once(headers, DATE.as_str())?,
            found => found,
        };
        let mut missing = Missing(Form::Header, Vec::new());
        let stated = Self {
            form: Form::Header,
            credential: missing.or_note(credential, Parameter::Credential),
            signature: missing.or_note(signature, Parameter::Signature),
            signed_headers: missing.or_note(signed_headers, Parameter::SignedHeaders),
            date: missing.or_note(date, Parameter::Date),
            expires: None,
            session_token: header_once(headers, X_AMZ_SECURITY_TOKEN)?,
        };
        missing.none().map(|()| stated)
    }

    fn of_query(query: &'a Query<'a>) -> Result<Self, AuthError> {
        let get = |parameter: Parameter| query.once(parameter.query_name());
        let algorithm = get(Parameter::Algorithm)?;
        if let Some(other) = algorithm.filter(|name| *name != ALGORITHM) {
            return Err(unsupported(other));
        }
        let mut missing = Missing(Form::Query, Vec::new());
        missing.or_note(algorithm, Parameter::Algorithm);
        let stated = Self {
            form: Form::Query,
            credential: missing.or_note(get(Parameter::Credential)?, Parameter::Credential),
            signature: missing.or_note(get(Parameter::Signature)?, Parameter::Signature),
            signed_headers: missing.or_note(get(Parameter::SignedHeaders)?, Parameter::SignedHeaders),
            date: missing.or_note(get(Parameter::Date)?, Parameter::Date),
            expires: get(Parameter::Expires)?,
            session_token: query.once("X-Amz-Security-Token")?,
        };
        missing.none().map(|()| stated)
    }

    fn check(self, parts: &Parts, query: &Query<'_>) -> Result<ParsedSignature, AuthError> {
        let form = self.form;
        AuthError::limit("The session token", self.session_token.map_or(0, str::len), SESSION_TOKEN_LENGTH_MAX)?;
        let signed_at = self.signed_at()?;
        let (access_key_id, scope) = self.scope(signed_at)?;
        let expires = self.expires(is_s3(&scope.service))?;
        Ok(ParsedSignature {
            form,
            access_key_id,
            session_token: self.session_token.map(str::to_owned),
            signed_at,
            expires,
            signed_headers: signed_headers(self.signed_headers)?,
            signature: self.signature.to_owned(),
            body: BodyRule::of_request(parts, query, form, is_s3(&scope.service))?,
            scope,
        })
    }

    /// `X-Amz-Date` in basic form; a `Date` header may also be an HTTP date.
    pub(super) fn signed_at(&self) -> Result<Timestamp, AuthError> {
        let http_date = || match self.form {
            Form::Header => Timestamp::parse_http_date(self.date).ok(),
            Form::Query => None,
        };
        // Only the text that would be written for the instant: it is what the client signed.
        let basic = Timestamp::parse_basic(self.date).ok().filter(|at| at.basic() == self.date);
        basic
            .or_else(http_date)
            .ok_or_else(|| AuthError::MalformedDate { form: self.form, got: shortened(self.date, 64) })
    }

    pub(super) fn scope(&self, signed_at: Timestamp) -> Result<(String, CredentialScope), AuthError> {
        let form = self.form;
        let Some([access_key_id, date, region, service, terminator]) = split_credential(self.credential) else {
            return Err(AuthError::MalformedCredential { form, credential: shortened(self.credential, 200) });
        };
        let mut faults = Vec::new();
        if region.parse::<Region>().is_err() {
            faults.push(ScopeFault::Region(region.to_owned()));
        }
        if terminator != TERMINATOR {
            faults.push(ScopeFault::Terminator(terminator.to_owned()));
        }
        if date != day(signed_at) {
            faults.push(ScopeFault::Date { got: date.to_owned(), signed_at });
        }
        if !faults.is_empty() {
            return Err(AuthError::Scope { form, faults });
        }
        let scope = CredentialScope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() };
        Ok((access_key_id.to_owned(), scope))
    }

    /// S3 demands `X-Amz-Expires` of a presigned request; STS and others do without.
    fn expires(&self, s3: bool) -> Result<Option<u32>, AuthError> {
        let Some(text) = self.expires else {
            let missing = vec![Parameter::Expires];
            let demanded = s3 && self.form == Form::Query;
            return if demanded { Err(AuthError::MissingParameters { form: self.form, missing }) } else { Ok(None) };
        };
        let fault = match text.parse::<i64>() {
            Err(_) => ExpiresFault::NotANumber,
            Ok(..0) => ExpiresFault::Negative,
            Ok(seconds) => match u32::try_from(seconds) {
                Ok(seconds) if seconds <= EXPIRES_SECONDS_MAX => return Ok(Some(seconds)),
                _ => ExpiresFault::TooLarge,
            },
        };
        Err(AuthError::MalformedExpires(fault))
    }
}

/// Collects what is not there, so that the answer can name it all.
struct Missing(Form, Vec<Parameter>);

impl Missing {
    fn or_note<'a>(&mut self, found: Option<&'a str>, parameter: Parameter) -> &'a str {
        found.unwrap_or_else(|| {
            self.1.push(parameter);
            ""
        })
    }

    fn none(self) -> Result<(), AuthError> {
        let Self(form, missing) = self;
        if missing.is_empty() { Ok(()) } else { Err(AuthError::MissingParameters { form, missing }) }
    }
}

/// The values of `names` in `a=b, c=d,e=f`; other names are ignored.
fn fields_of<'a>(text: &'a str, names: [&'static str; 3]) -> Result<[Option<&'a str>; 3], AuthError> {
    let mut values = [None; 3];
    for piece in text.split(',').map(str::trim).filter(|piece| !piece.is_empty()) {
        let (name, value) = piece.split_once('=').ok_or(AuthError::NotKeyValue)?;
        let Some(slot) = names.iter().position(|known| *known == name) else { continue };
        if values[slot].replace(value).is_some() {
            return Err(AuthError::Repeated { name: names[slot] });
        }
    }
    Ok(values)
}

fn signed_headers(text: &str) -> Result<Vec<String>, AuthError> {
    AuthError::limit("The list of signed headers", text.len(), AUTHORIZATION_LENGTH_MAX)?;
    let mut names: Vec<String> = text.split(';').filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    AuthError::limit("The number of signed headers", names.len(), SIGNED_HEADERS_MAX)?;
    Ok(names)
}

/// The text of a header that may be given once only.
pub(super) fn header_once<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AuthError::Repeated { name });
    }
    first.to_str().map(Some).map_err(|_| AuthError::NotText { name })
}

/// Names the scheme, but not what may be somebody's token.
pub(super) fn unsupported(algorithm: &str) -> AuthError {
    let harmless = algorithm.len() <= 24 && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    AuthError::UnsupportedAlgorithm { algorithm: if harmless { algorithm } else { "***" }.to_owned() }
}

fn shortened(text: &str, length_max: usize) -> String {
    text.chars().take(length_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::{ErrorFamily, StreamingKind};

    const DATE: (&str, &str) = ("x-amz-date", "20150830T123600Z");
    const HEADER: &str = "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/ecs/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=00ff";
    const QUERY: &str = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20150830%2Fus-east-1%2Fs3%2Faws4_request\
         &X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00ff";

    fn of(uri: &str, headers: &[(&str, &str)]) -> Result<ParsedSignature, AuthError> {
        let mut request = http::Request::builder().uri(uri).header("host", "localhost");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        parse(&request.body(()).unwrap().into_parts().0)
    }

    fn of_header(authorization: &str) -> Result<ParsedSignature, AuthError> {
        of("/", &[("authorization", authorization), DATE])
    }

    #[test]
    fn a_header_is_read_with_and_without_blanks_and_in_any_order() {
        let parsed = of_header(HEADER).unwrap();
        assert_eq!(parsed.access_key_id(), "AKID");
        assert_eq!(parsed.scope().to_string(), "20150830/us-east-1/ecs/aws4_request");
        assert_eq!(parsed.signed_at().basic(), DATE.1);
        assert_eq!((parsed.signature(), parsed.form(), parsed.body_rule()), ("00ff", Form::Header, &BodyRule::Compute));
        assert_eq!(of_header(&HEADER.replace(", ", ",")).as_ref(), Ok(&parsed));
        assert_eq!(of_header(&HEADER.replace(", ", " ,  ")).as_ref(), Ok(&parsed));
        let turned = "AWS4-HMAC-SHA256 Signature=00ff, Future=1, SignedHeaders=x-amz-date;host;Host, \
             Credential=AKID/20150830/us-east-1/ecs/aws4_request";
        assert_eq!(of_header(turned), Ok(parsed));
    }

    #[test]
    fn the_date_header_serves_where_there_is_no_x_amz_date() {
        let authorization = ("authorization", HEADER);
        for date in ["Sun, 30 Aug 2015 12:36:00 GMT", "20150830T123600Z"] {
            assert_eq!(of("/", &[authorization, ("date", date)]).unwrap().signed_at().basic(), DATE.1);
        }
        let ignored = [authorization, DATE, ("date", "Mon, 31 Aug 2015 12:36:00 GMT")];
        assert_eq!(of("/", &ignored).unwrap().signed_at().basic(), DATE.1);
    }

    #[test]
    fn a_presigned_query_is_read() {
        let parsed = of(QUERY, &[]).unwrap();
        assert_eq!((parsed.form(), parsed.expires), (Form::Query, Some(60)));
        assert_eq!(parsed.body_rule(), &BodyRule::UnsignedPayload);
        let uri = format!("{QUERY}&X-Amz-Security-Token=a%2Fb&X-Amz-Content-Sha256=UNSIGNED-PAYLOAD");
        assert_eq!(of(&uri, &[]).unwrap().session_token(), Some("a/b"));
    }

    #[test]
    fn no_signature_is_not_a_malformed_one() {
        assert_eq!(of("/?a=b", &[]), Err(AuthError::MissingAuthenticationToken));
        assert_eq!(of("/", &[("authorization", " "), DATE]), Err(AuthError::MissingAuthenticationToken));
    }

    #[test]
    fn two_mechanisms_at_once_are_refused() {
        assert_eq!(of(QUERY, &[("authorization", HEADER), DATE]), Err(AuthError::TwoMechanisms));
        let version_2 = "&AWSAccessKeyId=a&Signature=b&Expires=1";
        assert_eq!(of(&format!("{QUERY}{version_2}"), &[]), Err(AuthError::TwoMechanisms));
        let of_both = of(&format!("/?{version_2}"), &[("authorization", HEADER), DATE]);
        assert_eq!(of_both, Err(AuthError::TwoMechanisms));
    }

    #[test]
    fn other_algorithms_are_refused_by_name_and_tokens_are_not_repeated() {
        let name = |result: Result<ParsedSignature, AuthError>| match result {
            Err(AuthError::UnsupportedAlgorithm { algorithm }) => algorithm,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(of_header("AWS AKID:c2lnbmF0dXJl")), "AWS");
        assert_eq!(name(of("/?AWSAccessKeyId=a&Signature=b&Expires=1", &[])), "AWS");
        assert_eq!(name(of_header(&HEADER.replace("HMAC-SHA256", "ECDSA-P256-SHA256"))), "AWS4-ECDSA-P256-SHA256");
        assert_eq!(name(of(&QUERY.replace("HMAC-SHA256", "ECDSA-P256-SHA256"), &[])), "AWS4-ECDSA-P256-SHA256");
        assert_eq!(name(of_header("Bearer secret")), "Bearer");
        assert_eq!(name(of_header("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2ln")), "***");
    }

    #[test]
    fn what_is_missing_or_malformed_in_a_header_is_told() {
        use Parameter::{Credential, Date, Signature, SignedHeaders};
        let missing = |missing| Err(AuthError::MissingParameters { form: Form::Header, missing });
        assert_eq!(of("/", &[("authorization", ALGORITHM)]), missing(vec![Credential, Signature, SignedHeaders, Date]));
        assert_eq!(of_header("AWS4-HMAC-SHA256 Signature=0"), missing(vec![Credential, SignedHeaders]));
        assert_eq!(of_header("AWS4-HMAC-SHA256 Credential=a, x"), Err(AuthError::NotKeyValue));
        let twice = of_header(&format!("{HEADER}, Signature=1"));
        assert_eq!(twice, Err(AuthError::Repeated { name: "Signature" }));
        let two_headers = [("authorization", HEADER), ("authorization", HEADER), DATE];
        assert_eq!(of("/", &two_headers), Err(AuthError::Repeated { name: "authorization" }));
        let two_dates = [("authorization", HEADER), DATE, DATE];
        assert_eq!(of("/", &two_dates), Err(AuthError::Repeated { name: "x-amz-date" }));
        let four = of_header(&HEADER.replace("us-east-1/", ""));
        assert!(matches!(four, Err(AuthError::MalformedCredential { form: Form::Header, .. })), "{four:?}");
        for date in ["", "2015-08-30T12:36:00Z", "20150830T123660Z", "20150830T12360Z", "20151330T123600Z"] {
            let date = of("/", &[("authorization", HEADER), ("x-amz-date", date)]);
            assert!(matches!(date, Err(AuthError::MalformedDate { .. })), "{date:?}");
        }
    }

    #[test]
    fn what_is_missing_or_malformed_in_a_query_is_told() {
        for parameter in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
            let renamed = QUERY.replace(&format!("X-Amz-{parameter}="), "Other=");
            let (code, status, _) = of(&renamed, &[]).unwrap_err().aws(ErrorFamily::S3);
            assert_eq!((code, status), ("AuthorizationQueryParametersError", 400), "{parameter}");
        }
        for (expires, fault) in [
            ("x", ExpiresFault::NotANumber),
            ("", ExpiresFault::NotANumber),
            ("99999999999999999999", ExpiresFault::NotANumber),
            ("-1", ExpiresFault::Negative),
            ("604801", ExpiresFault::TooLarge),
            ("5000000000", ExpiresFault::TooLarge),
        ] {
            let uri = QUERY.replace("Expires=60", &format!("Expires={expires}"));
            assert_eq!(of(&uri, &[]), Err(AuthError::MalformedExpires(fault)), "{expires}");
        }
        let twice = of(&format!("{QUERY}&X-Amz-Date=20150830T123600Z"), &[]);
        assert_eq!(twice, Err(AuthError::Repeated { name: "X-Amz-Date" }));
        let without = QUERY.replace("&X-Amz-Expires=60", "").replace("%2Fs3%2F", "%2Fsts%2F");
        assert_eq!(of(&without, &[]).unwrap().expires, None, "only S3 insists");
    }

    #[test]
    fn a_scope_of_another_day_region_or_end_is_refused_with_every_fault() {
        let faults = |text: &str| match of_header(&HEADER.replace("20150830/us-east-1/ecs/aws4_request", text)) {
            Err(AuthError::Scope { faults, .. }) => faults.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(faults("20150829/us-east-1/ecs/aws4_request"), 1);
        assert_eq!(faults("20150830/Mars/ecs/aws4_request"), 1);
        assert_eq!(faults("20150830/us-east-1/ecs/aws4_reques"), 1);
        assert_eq!(faults("20150829//ecs/aws4"), 3);
    }

    #[test]
    fn the_host_and_what_amazon_names_must_be_signed() {
        let names = |authorization: &str, headers: &[(&str, &str)]| match of(
            "/",
            &[&[("authorization", authorization), DATE], headers].concat(),
        ) {
            Err(AuthError::HeadersNotSigned { names }) => names.join(","),
            Ok(_) => String::new(),
            other => panic!("{other:?}"),
        };
        let target = [("x-amz-target", "T.Op"), ("x-amz-a", "1"), ("content-type", "a/b"), ("x-amzn-trace-id", "1")];
        assert_eq!(names(HEADER, &target), "x-amz-a,x-amz-target");
        assert_eq!(names(&HEADER.replace("host;x-amz-date", ""), &[]), "host,x-amz-date");
        let hash = "0".repeat(64);
        let late = [("x-amz-security-token", "t"), ("x-amz-content-sha256", hash.as_str()), ("content-md5", "1")];
        assert_eq!(names(HEADER, &late), "");
        assert_eq!(names(&HEADER.replace("/ecs/", "/s3/"), &late), "content-md5,x-amz-security-token");
    }

    #[test]
    fn the_body_rule_follows_the_declaration() {
        let rule = |service: &str, hash: &str| {
            let authorization = HEADER.replace("/ecs/", &format!("/{service}/"));
            of("/", &[("authorization", &authorization), DATE, ("x-amz-content-sha256", hash)])
                .map(|parsed| parsed.body_rule().clone())
        };
        let hash = "a".repeat(64);
        assert_eq!(rule("ecs", &hash), Ok(BodyRule::Hex(hash.clone())));
        assert_eq!(rule("ecs", "UNSIGNED-PAYLOAD"), Err(AuthError::MalformedContentSha256));
        assert_eq!(rule("s3", "UNSIGNED-PAYLOAD"), Ok(BodyRule::UnsignedPayload));
        let streaming = Ok(BodyRule::Streaming(StreamingKind::UnsignedTrailer));
        assert_eq!(rule("s3", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), streaming);
        assert_eq!(of_header(&HEADER.replace("/ecs/", "/s3/")), Err(AuthError::MissingContentSha256));
    }

    #[test]
    fn everything_has_a_bound_and_the_token_is_not_printed() {
        let long = format!("{HEADER}, x={}", "a".repeat(AUTHORIZATION_LENGTH_MAX));
        assert!(matches!(of_header(&long), Err(AuthError::LimitExceeded { .. })));
        let names: Vec<String> = (0..=SIGNED_HEADERS_MAX).map(|n| format!("h{n}")).collect();
        let many = HEADER.replace("host;", &format!("{};", names.join(";")));
        assert!(matches!(of_header(&many), Err(AuthError::LimitExceeded { .. })));
        let token = "t".repeat(SESSION_TOKEN_LENGTH_MAX + 1);
        let headers = |token| [("authorization", HEADER), DATE, ("x-amz-security-token", token)];
        assert!(matches!(of("/", &headers(&token)), Err(AuthError::LimitExceeded { .. })));
        let parsed = of("/", &headers("FwoGZXIv")).unwrap();
        assert_eq!(parsed.session_token(), Some("FwoGZXIv"));
        assert!(!format!("{parsed:?}").contains("FwoGZXIv"));
    }
}
