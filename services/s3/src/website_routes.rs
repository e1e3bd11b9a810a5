//! Websites: requests to the hosts that buckets have as such, from anybody, for reading alone.

use std::sync::Arc;

use base::Principal;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use platform::{Access, BoxFuture, Ctx};
use wire::rest::host;
use wire::serve::CrossOriginHeaders;
use wire::serve::raw::{RawBody, RawRequest, RawResponse, Routes};

use crate::api::GetObjectOutput;
use crate::bucket::{self, Bucket, setting};
use crate::condition::ReadConditions;
use crate::cross_origin::Page;
use crate::website::{Asked, Redirect, Website};
use crate::{Error, S3, names, read};

/// The websites of all buckets.
#[derive(Debug, Clone)]
pub struct Websites {
    s3: S3,
    /// Whether connections are encrypted.
    is_secure: bool,
}

impl Websites {
    /// The websites of a service's buckets.
    pub fn new(s3: S3, is_secure: bool) -> Self {
        Self { s3, is_secure }
    }

    async fn serve(&self, request: &RawRequest) -> Result<RawResponse, Error> {
        let host = host_of(&request.parts);
        let name = host::website(&host).unwrap_or_default();
        let bucket = bucket::find(&self.s3, &name).await?;
        let absent = || Error::NoConfiguration(crate::Absent::Website, name.clone());
        let site = setting::<Website>(&self.s3.platform.store, &bucket).await?.ok_or_else(absent)?;
        let key = decoded_key(request.parts.uri.path());
        let protocol = if self.is_secure { "https" } else { "http" };
        let asked = Asked { host: &host, protocol, key: &key };
        if let Some(redirect) = site.redirect_all(asked).or_else(|| site.redirect_before(asked)) {
            return Ok(redirected(&redirect));
        }
        let ctx = self.anybody(request, &bucket);
        match self.object(&ctx, Wanted::of(request), &bucket, &site.key_of(&key)).await {
            Err(error) if is_error_of_site(&error) => self.failed(&ctx, request, &bucket, &site, asked, error).await,
            other => other,
        }
    }

    /// Answers a browser that asks what a page of another origin may do.
    async fn preflight(&self, request: &RawRequest) -> Result<RawResponse, Error> {
        let lacks = |what: &str| {
            let message = format!("Insufficient information. {what} request header needed.");
            Error::Body(wire::Error::new("BadRequest", 400, message))
        };
        let said = |name: HeaderName| request.parts.headers.get(name).and_then(|value| value.to_str().ok());
        let asked = Page {
            bucket: &host::website(&host_of(&request.parts)).unwrap_or_default(),
            origin: said(header::ORIGIN).ok_or_else(|| lacks("Origin"))?,
            method: said(header::ACCESS_CONTROL_REQUEST_METHOD)
                .ok_or_else(|| lacks("Access-Control-Request-Method"))?,
            headers: said(header::ACCESS_CONTROL_REQUEST_HEADERS),
            is_preflight: true,
        };
        let mut answer = empty(StatusCode::OK);
        share(&mut answer, self.s3.allowed(asked).await?);
        Ok(answer)
    }

    /// What a page of another origin may make of an answer.
    async fn shared(&self, request: &RawRequest) -> Result<CrossOriginHeaders, Error> {
        let origin = request.parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        let Some(origin) = origin else { return Ok(CrossOriginHeaders::new()) };
        let (bucket, method) =
            (host::website(&host_of(&request.parts)).unwrap_or_default(), request.parts.method.as_str());
        self.s3.allowed(Page { bucket: &bucket, origin, method, headers: None, is_preflight: false }).await
    }

    /// Nobody in particular.
    fn anybody(&self, request: &RawRequest, bucket: &Bucket) -> Ctx {
        let said = |name: HeaderName| request.parts.headers.get(name).and_then(|value| value.to_str().ok());
        Ctx {
            source_ip: request.source_ip,
            user_agent: said(header::USER_AGENT).map(str::to_owned),
            referer: said(header::REFERER).map(str::to_owned),
            is_secure: self.is_secure,
            protocol: wire::model::Protocol::RestXml,
            ..Ctx::new(Principal::anonymous(), bucket.region.clone(), request.now, request.request_id.clone())
        }
    }

    /// An object, if everybody may read it.
    async fn object(&self, ctx: &Ctx, wanted: Wanted<'_>, bucket: &Bucket, key: &str) -> Result<RawResponse, Error> {
        let access = Access::to("s3:GetObject").on(names::object_arn(&bucket.name, key));
        ctx.admit(&self.s3, &access).await.map_err(Error::Body)?;
        let asked = read::Asked {
            bucket: &bucket.name,
            owner: None,
            key,
            version_id: None,
            conditions: wanted.conditions,
            range: wanted.range,
            part: None,
            wants_checksum: false,
            decrypts: false,
            method: "GET",
        };
        let (found, body) = read::open(&self.s3, ctx, asked).await?;
        if let Some(location) = &found.object()?.attributes.website_redirect {
            return Ok(redirected(&Redirect { status: 301, location: location.clone() }));
        }
        let output = read::fill!(GetObjectOutput, &found);
        Ok(RawResponse {
            status: if output.content_range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK },
            headers: headers_of(&output, found.span.length),
            body: if wanted.is_head { RawBody::Empty } else { RawBody::Content(body) },
            operation: OPERATION,
        })
    }

    /// What is answered instead of an error: a redirect to a directory, a rule's, or the error document.
    async fn failed(
        &self,
        ctx: &Ctx,
        request: &RawRequest,
        bucket: &Bucket,
        site: &Website,
        asked: Asked<'_>,
        error: Error,
    ) -> Result<RawResponse, Error> {
        if let Some(index) = site.index_below(asked.key)
            && self.object(ctx, Wanted::whole(request), bucket, &index).await.is_ok()
        {
            return Ok(redirected(&Redirect { status: 302, location: directory(asked.key) }));
        }
        let status = status_of(&error);
        if let Some(redirect) = site.redirect_on_error(asked, status) {
            return Ok(redirected(&redirect));
        }
        let Some(key) = &site.error_key else { return Err(error) };
        // What the request says of a part or of what its sender has already is said of another object.
        match self.object(ctx, Wanted::whole(request), bucket, key).await {
            Ok(document) => {
                Ok(RawResponse { status: StatusCode::from_u16(status).unwrap_or(StatusCode::NOT_FOUND), ..document })
            }
            Err(_) => Err(error),
        }
    }
}

/// What of an object a request wants.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    conditions: ReadConditions<'a>,
    range: Option<&'a str>,
    is_head: bool,
}

impl<'a> Wanted<'a> {
    /// As its headers say.
    fn of(request: &'a RawRequest) -> Self {
        let text = |name: HeaderName| request.parts.headers.get(name).and_then(|value| value.to_str().ok());
        let time = |name| text(name).and_then(|value| base::Timestamp::parse_http_date(value).ok());
        Self {
            conditions: ReadConditions {
                if_match: text(header::IF_MATCH),
                if_none_match: text(header::IF_NONE_MATCH),
                if_modified_since: time(header::IF_MODIFIED_SINCE),
                if_unmodified_since: time(header::IF_UNMODIFIED_SINCE),
            },
            range: text(header::RANGE),
            ..Self::whole(request)
        }
    }

    /// All of it, whatever they say.
    fn whole(request: &RawRequest) -> Self {
        let conditions = ReadConditions::default();
        Self { conditions, range: None, is_head: request.parts.method == Method::HEAD }
    }
}

const OPERATION: &str = "WebsiteGet";

impl Routes for Websites {
    fn service(&self) -> &'static str {
        "s3"
    }

    fn takes(&self, parts: &Parts) -> bool {
        host::website(&host_of(parts)).is_some()
    }

    fn are_at_hosts_of_buckets(&self) -> bool {
        true
    }

    fn answer(self: Arc<Self>, request: RawRequest) -> BoxFuture<'static, RawResponse> {
        Box::pin(async move {
            let answer = match request.parts.method {
                Method::GET | Method::HEAD => self.serve(&request).await,
                Method::OPTIONS => return self.preflight(&request).await.unwrap_or_else(|error| page(&error)),
                _ => Err(Error::MethodNotAllowed),
            };
            let mut answer = answer.unwrap_or_else(|error| match error {
                Error::NotModified { etag, .. } => not_modified(&etag),
                error => page(&error),
            });
            // What cannot be found out allows nothing.
            share(&mut answer, self.shared(&request).await.unwrap_or_default());
            answer
        })
    }
}

/// Errors for which a website has an answer of its own.
fn is_error_of_site(error: &Error) -> bool {
    (400..600).contains(&status_of(error)) && !matches!(error, Error::InvalidRange { .. })
}

fn status_of(error: &Error) -> u16 {
    match error {
        Error::Body(error) => error.status,
        other => other.kind().1,
    }
}

fn host_of(parts: &Parts) -> String {
    let named = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    named.or(parts.uri.authority().map(http::uri::Authority::as_str)).unwrap_or_default().to_owned()
}

/// The key that a path names. What is no UTF-8 names none that is there.
fn decoded_key(path: &str) -> String {
    let path = path.strip_prefix('/').unwrap_or(path);
    crate::copy::decoded(path).unwrap_or_else(|| path.to_owned())
}

fn headers_of(output: &GetObjectOutput, length: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let said = [
        (header::CONTENT_TYPE, &output.content_type),
        (header::CACHE_CONTROL, &output.cache_control),
        (header::CONTENT_DISPOSITION, &output.content_disposition),
        (header::CONTENT_ENCODING, &output.content_encoding),
        (header::CONTENT_LANGUAGE, &output.content_language),
        (header::CONTENT_RANGE, &output.content_range),
        (header::EXPIRES, &output.expires),
        (header::ETAG, &output.e_tag),
    ];
    for (name, value) in said {
        if let Some(value) = value {
            put(&mut headers, name, value);
        }
    }
    if let Some(modified) = output.last_modified {
        put(&mut headers, header::LAST_MODIFIED, &modified.http_date());
    }
    for (name, value) in output.metadata.iter().flatten() {
        if let Ok(name) = HeaderName::try_from(format!("x-amz-meta-{name}")) {
            put(&mut headers, name, value);
        }
    }
    put(&mut headers, header::CONTENT_LENGTH, &length.to_string());
    headers
}

/// Adds a header, unless its value is none that a header can have.
fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The path of a directory here. A key that begins with a slash must not make another host of what follows.
fn directory(key: &str) -> String {
    let path = crate::describe::Encoding(true).text(key);
    match path.strip_prefix('/') {
        Some(rest) => format!("/%2F{rest}/"),
        None => format!("/{path}/"),
    }
}

fn redirected(redirect: &Redirect) -> RawResponse {
    let mut answer = empty(StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::MOVED_PERMANENTLY));
    put(&mut answer.headers, header::LOCATION, &redirect.location);
    answer
}

fn not_modified(etag: &str) -> RawResponse {
    let mut answer = empty(StatusCode::NOT_MODIFIED);
    put(&mut answer.headers, header::ETAG, etag);
    answer
}

fn empty(status: StatusCode) -> RawResponse {
    RawResponse { status, headers: HeaderMap::new(), body: RawBody::Empty, operation: OPERATION }
}

/// Adds to an answer what a page of another origin may make of it.
fn share(answer: &mut RawResponse, shared: CrossOriginHeaders) {
    for (name, value) in shared {
        put(&mut answer.headers, HeaderName::from_static(name), &value);
    }
}

/// An error as a person reads it.
fn page(error: &Error) -> RawResponse {
    let status = StatusCode::from_u16(status_of(error)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (code, message) = match error {
        Error::Body(error) => (error.code.to_string(), "Access Denied".to_owned()),
        other => (other.kind().0.to_owned(), other.to_string()),
    };
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let (code, message) = (escaped(&code), escaped(&message));
    let text = format!(
        "<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n<li>Code: {code}</li>\n\
         <li>Message: {message}</li>\n</ul>\n<hr/>\n</body>\n</html>\n"
    );
    let mut headers = HeaderMap::new();
    put(&mut headers, header::CONTENT_TYPE, "text/html; charset=utf-8");
    RawResponse { status, headers, body: RawBody::Bytes(text.into()), operation: OPERATION }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_directory_leads_nowhere_else() {
        for (key, path) in [
            ("photos", "/photos/"),
            ("a/b é", "/a/b%20%C3%A9/"),
            ("/evil.example", "/%2Fevil.example/"),
            ("a?b#c", "/a%3Fb%23c/"),
            ("a\r\nb", "/a%0D%0Ab/"),
            ("\\evil.example", "/%5Cevil.example/"),
        ] {
            assert_eq!(directory(key), path);
        }
    }
}
