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
struct Stated<'a> {
    form: Form,
    credential: &'a str,
    signature: &'a str,
    signed_headers: &'a str,
    date: &'a str,
    expires: Option<&'a str>,
    session_token: Option<&'a str>,
}

impl<'a> Stated<'a> {
    fn of_header(header: &'a str, headers: &'a HeaderMap) -> Result<Self, AuthError> {
        AuthError::limit("The Authorization header", header.len(), AUTHORIZATION_LENGTH_MAX)?;
        let (algorithm, fields) = header.split_once(' ').unwrap_or((header, ""));
        if algorithm != ALGORITHM {
            return Err(unsupported(algorithm));
        }
        let [credential, signature, signed_headers] =
            fields_of(fields, ["Credential", "Signature", "SignedHeaders"])?;
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
    fn signed_at(&self) -> Result<Timestamp, AuthError> {
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

    fn scope(&self, signed_at: Timestamp) -> Result<(String, CredentialScope), AuthError> {
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
    let mut names: Vec<String> =
        text.split(';').filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect();
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
fn unsupported(algorithm: &str) -> AuthError {
    let harmless = algorithm.len() <= 24 && algorithm.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    AuthError::UnsupportedAlgorithm { algorithm: if harmless { algorithm } else { "***" }.to_owned() }
}

fn shortened(text: &str, length_max: usize) -> String {
    text.chars().take(length_max).collect()
}
