//! Errors: S3's own document, and restJson1's header with its document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::answer::DECLARATION;
use crate::error::Error;
use crate::model::Protocol;
use crate::protocol::{Encoded, json_error};
use crate::xml;

/// What an error's document tells besides the error.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told<'a> {
    /// The request's id.
    pub(crate) request_id: &'a str,
    /// The path that was asked for, with its bucket.
    pub(crate) resource: &'a str,
}

/// Writes an error.
pub(crate) fn fault(protocol: Protocol, error: &Error, told: Told<'_>) -> Encoded {
    let said = error.headers.iter().flat_map(|headers| headers.iter());
    let mut headers: Vec<_> = said
        .filter_map(|(name, value)| Some((name.as_str().to_owned().into(), value.to_str().ok()?.to_owned().into())))
        .collect();
    if protocol == Protocol::RestJson1 {
        headers.push(("x-amzn-errortype".into(), error.code.clone()));
        let mut body = json_error(error);
        if let Some(members) = body.as_object_mut() {
            members.remove("__type");
        }
        let (body, content_type) = (body.to_string().into_bytes(), Some(protocol.content_type()));
        return Encoded { status: error.status, content_type, headers, body, content: None };
    }
    let (code, status, message) = in_words_of_s3(error);
    let has_body = status != 304;
    let body = if has_body { document(code, message, error, told) } else { Vec::new() };
    let content_type = has_body.then(|| protocol.content_type());
    Encoded { status, content_type, headers, body, content: None }
}

/// The second id of a request, which S3 has for its hosts: here the first one in other letters.
pub(crate) fn host_id(request_id: &str) -> String {
    BASE64.encode(request_id)
}

fn document(code: &str, message: &str, error: &Error, told: Told<'_>) -> Vec<u8> {
    let mut writer = xml::Writer::default();
    writer.element("Error", None, |w| {
        w.text("Code", code);
        w.text("Message", message);
        for (member, value) in &error.members {
            match value.as_str() {
                Some(text) => w.text(member, text),
                None => w.text(member, &value.to_string()),
            }
        }
        if !told.resource.is_empty() {
            w.text("Resource", told.resource);
        }
        w.text("RequestId", told.request_id);
        w.text("HostId", &host_id(told.request_id));
    });
    [DECLARATION.as_bytes(), writer.finish().as_bytes()].concat()
}

/// Code, status and text as S3 has them for what every service of ours may answer.
fn in_words_of_s3(error: &Error) -> (&str, u16, &str) {
    match error.code.as_ref() {
        "InternalFailure" => ("InternalError", 500, "We encountered an internal error. Please try again."),
        "RequestEntityTooLargeException" => ("MaxMessageLengthExceeded", 400, "Your request was too big."),
        "RequestTimeout" => ("RequestTimeout", 400, &error.message),
        code => (code, error.status, &error.message),
    }
}
