//! A browser's form with a file: who has signed its policy, whether it keeps to it, and the upload that it is.

use std::sync::Arc;

use base::Region;
use http::Method;
use http::header::CONTENT_TYPE;

use super::Exchange;
use crate::content::Content;
use crate::error::Error;
use crate::protocol::Encoded;
use crate::reply::Reply;
use crate::rest::form::multipart::{Multipart, Part};
use crate::rest::form::policy::Policy;
use crate::rest::form::{self, Fields};
use crate::rest::{self, Body, Parameters, Request};
use crate::serve::body::{Arriving, RequestBody};
use crate::serve::room::Place;
use crate::serve::route::Target;
use crate::serve::{Backend, Input, Server, incoming};
use crate::sigv4::{AuthError, FormSignature, Signing, encode_path, encode_query_text};
use crate::xml;

/// The content type of such forms.
const MULTIPART: &str = "multipart/form-data";

/// How the answer to a form is to look.
#[derive(Debug, Clone)]
pub(super) struct FormAnswer {
    bucket: String,
    key: String,
    /// Where the object is.
    location: String,
    success: Success,
}

/// What its sender wants to see.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Success {
    /// Nothing, with this status.
    Nothing(u16),
    /// A document.
    Document,
    /// Another page.
    Redirect(String),
}

impl Exchange {
    /// Whether the request is a form with a file.
    pub(super) fn is_form_upload(&self) -> bool {
        self.parts.method == Method::POST
            && self.parts.uri.query().is_none_or(str::is_empty)
            && self
                .header("content-type")
                .is_some_and(|text| text.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(MULTIPART))
    }

    /// Answers a form as if it were the upload that it says.
    pub(super) async fn run_form<B: Backend>(
        &mut self,
        server: &Arc<Server<B>>,
        service: usize,
        body: Arriving,
    ) -> Result<Reply, Error> {
        let model = server.backend.services()[service];
        let path = self.resource.clone();
        let bucket = path.trim_matches('/').to_owned();
        if bucket.is_empty() || bucket.contains('/') {
            let message = "The specified method is not allowed against this resource.";
            return Err(Error::new("MethodNotAllowed", 405, message));
        }
        let (body, rest) = RequestBody::incoming(body, server.limits.body_timeout);
        self.rest = Some(rest);
        let (body, multipart, fields) = self.fields(body).await?;
        let key = fields.required("key")?.to_owned();
        let (caller, region, range) = self.form_sender(server, model.signing_name, &bucket, &fields).await?;
        self.signing = fields.get("x-amz-signature").map(|_| Signing::Form);
        let object = format!("/{bucket}/{}", encode_path(&key));
        let scheme = if server.backend.is_secure() { "https" } else { "http" };
        self.answer_as_form(scheme, &path, &bucket, &key, &fields);
        let (parameters, headers) = (Parameters::default(), fields.headers()?);
        let protocol = self.dialect.protocol();
        let operation = rest::route::route(model, &Method::PUT, &object, &parameters, &headers);
        let operation = operation.ok().filter(|operation| rest::takes_content(model, *operation));
        let operation = operation.ok_or_else(Error::internal)?;
        let target = Target { service, operation, protocol };
        self.target = Some((model, target));
        if !model.operations[operation].is_served {
            return Err(Error::not_served(model, operation));
        }
        let content = Content::incoming(incoming::Incoming::of_form(body, multipart, range));
        let request = Request { method: Method::PUT, path: object, parameters, headers, body: Body::Content(content) };
        let input = Input::Request(Box::new(request));
        self.dispatch(server, target, caller, region, (input, Place::default())).await
    }

    /// The fields before the file.
    async fn fields(&self, mut body: RequestBody) -> Result<(RequestBody, Multipart, Fields), Error> {
        let mut multipart = Multipart::new(self.header("content-type").unwrap_or_default())?;
        let mut fields = Fields::default();
        loop {
            match multipart.next_part()? {
                Some(Part::Field { name, value }) => fields.add(&name, value)?,
                Some(Part::File { filename }) => {
                    fields.name_file(&filename);
                    return Ok((body, multipart, fields));
                }
                None => {
                    let input = body.next().await.map_err(crate::ContentError::from)?;
                    multipart.push(&input.ok_or_else(form::malformed)?);
                }
            }
        }
    }

    /// Who sends a form, from where, and how long the file may be.
    async fn form_sender<B: Backend>(
        &self,
        server: &Arc<Server<B>>,
        signing_name: &str,
        bucket: &str,
        fields: &Fields,
    ) -> Result<(B::Caller, Region, Option<(u64, u64)>), Error> {
        if fields.get("awsaccesskeyid").is_some() {
            return Err(self.refused(&AuthError::UnsupportedAlgorithm { algorithm: "AWS".to_owned() }));
        }
        let is_signed = ["policy", "x-amz-signature", "x-amz-credential"].iter().any(|name| fields.get(name).is_some());
        if !is_signed {
            let missing = || self.refused(&AuthError::MissingAuthenticationToken);
            let caller = server.backend.anonymous().ok_or_else(missing)?;
            return Ok((caller, Region::default(), None));
        }
        let text = fields.required("policy")?;
        for name in ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"] {
            fields.required(name)?;
        }
        let signature = FormSignature::parse(|name| fields.get(name)).map_err(|error| self.refused(&error))?;
        let found = self.find_key(server, signature.access_key_id(), signature.session_token()).await?;
        let verdict = signature.verify(&server.keys, &found.secret, signing_name, text);
        verdict.map_err(|error| self.refused(&error))?;
        let region = signature.scope().region.parse().map_err(|_| Error::internal())?;
        let range = Policy::read(text)?.check(bucket, fields, self.now)?;
        Ok((found.caller, region, range))
    }

    fn answer_as_form(&mut self, scheme: &str, path: &str, bucket: &str, key: &str, fields: &Fields) {
        let redirect = fields.get("success_action_redirect").or_else(|| fields.get("redirect"));
        let redirect = redirect.filter(|url| is_address(url));
        let success = match (redirect, fields.get("success_action_status")) {
            (Some(url), _) => Success::Redirect(url.to_owned()),
            (None, Some("200")) => Success::Nothing(200),
            (None, Some("201")) => Success::Document,
            (None, _) => Success::Nothing(204),
        };
        // In the style in which the form was addressed.
        let is_in_host = self.parts.uri.path().trim_matches('/').is_empty();
        let bucket_path = if is_in_host { "" } else { path.trim_end_matches('/') };
        let host = self.header("host").unwrap_or_default();
        let location = format!("{scheme}://{host}{bucket_path}/{}", encode_path(key));
        self.form = Some(FormAnswer { bucket: bucket.to_owned(), key: key.to_owned(), location, success });
    }
}

/// Whether a text is the address of a page: what is none is as if it were not there.
fn is_address(text: &str) -> bool {
    let is_page = |url: http::Uri| matches!(url.scheme_str(), Some("http" | "https")) && url.host().is_some();
    text.parse().is_ok_and(is_page)
}

impl FormAnswer {
    /// What the sender of a form is answered, of what was answered to the upload.
    pub(super) fn encode(&self, upload: Encoded) -> Encoded {
        let etag = upload.headers.iter().find(|(name, _)| name == "etag").map(|(_, value)| value.to_string());
        let etag = etag.unwrap_or_default();
        let mut answer = Encoded { headers: upload.headers, ..Encoded::nothing(204) };
        answer.headers.retain(|(name, _)| name != CONTENT_TYPE.as_str());
        let mut location = self.location.clone();
        match &self.success {
            Success::Nothing(status) => answer.status = *status,
            Success::Document => {
                answer.status = 201;
                answer.content_type = Some("application/xml");
                answer.body = self.document(&etag);
            }
            Success::Redirect(url) => {
                answer.status = 303;
                let (key, etag) = (encode_query_text(&self.key), encode_query_text(&etag));
                let separator = if url.contains('?') { '&' } else { '?' };
                location = format!("{url}{separator}bucket={}&key={key}&etag={etag}", self.bucket);
            }
        }
        answer.headers.push(("location".into(), location.into()));
        answer
    }

    fn document(&self, etag: &str) -> Vec<u8> {
        let mut writer = xml::Writer::default();
        writer.element("PostResponse", None, |w| {
            w.text("Location", &self.location);
            w.text("Bucket", &self.bucket);
            w.text("Key", &self.key);
            w.text("ETag", etag);
        });
        [rest::DECLARATION.as_bytes(), writer.finish().as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_sent_to_pages_alone() {
        for page in ["https://a.example/x?y=z", "http://127.0.0.1:8080/"] {
            assert!(is_address(page), "{page}");
        }
        for other in
            ["javascript:alert(1)", "data:text/html,x", "//a.example/", "/x", "a.example", "ftp://a.example/", ""]
        {
            assert!(!is_address(other), "{other}");
        }
    }
}
