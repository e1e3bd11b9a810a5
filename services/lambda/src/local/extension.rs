//! The Extensions API, 2020-01-01.

use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::json;

use super::answer::{self, Answer};
use super::frame::Begin;
use super::state::{Environment, ExtensionEvent, Wants};

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const EVENT_IDENTIFIER: &str = "lambda-extension-event-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";
const FEATURES: &str = "lambda-extension-accept-feature";
const ACCOUNT_ID: &str = "accountId";
const OF_STATE: &str = "Extension.InvalidExtensionState";
/// The longest registration, in bytes.
const REGISTRATION_BYTES_MAX: usize = 16 * 1024;
/// How long an extension's name may be, in bytes.
const NAME_LENGTH_MAX: usize = 128;

#[derive(Deserialize)]
struct Registration {
    #[serde(default)]
    events: Vec<String>,
}

/// An extension says what it is.
pub(super) async fn register(environment: &Environment, request: Request<Incoming>) -> Answer {
    let forbidden = |error_type, message: String| answer::error(StatusCode::FORBIDDEN, error_type, message);
    let name = said(request.headers(), NAME).to_owned();
    if name.is_empty() || name.len() > NAME_LENGTH_MAX {
        return forbidden("Extension.InvalidExtensionName", "Empty extension name".to_owned());
    }
    let wants_account = said(request.headers(), FEATURES).split(',').any(|feature| feature.trim() == ACCOUNT_ID);
    let Ok(body) = Limited::new(request.into_body(), REGISTRATION_BYTES_MAX).collect().await else {
        return forbidden("InvalidRequestFormat", "the registration is too long, or broke off".to_owned());
    };
    let registration: Registration = match serde_json::from_slice(&body.to_bytes()) {
        Ok(registration) => registration,
        Err(error) => return forbidden("InvalidRequestFormat", error.to_string()),
    };
    let mut wants = Wants::default();
    for event in &registration.events {
        match event.as_str() {
            "INVOKE" => wants.invoke = true,
            "SHUTDOWN" => wants.shutdown = true,
            other => {
                return forbidden("Extension.InvalidEventType", format!("{other}: ErrorInvalidEventType"));
            }
        }
    }
    match environment.register(&name, wants) {
        Ok(id) => registered(&id, environment.begin().as_deref(), wants_account),
        Err(refused) => answer::refused(&refused, OF_STATE),
    }
}

fn registered(id: &str, begin: Option<&Begin>, wants_account: bool) -> Answer {
    let text = |text: fn(&Begin) -> &String| begin.map(text).cloned().unwrap_or_default();
    let mut told = json!({
        "functionName": text(|begin| &begin.function_name),
        "functionVersion": text(|begin| &begin.function_version),
        "handler": text(|begin| &begin.handler),
    });
    if wants_account {
        told[ACCOUNT_ID] = text(|begin| &begin.account_id).into();
    }
    let mut given = answer::of_json(StatusCode::OK, &told);
    answer::put(&mut given, IDENTIFIER, id);
    given
}

/// What comes next for an extension.
pub(super) async fn next(environment: &Environment, request: &Request<Incoming>) -> Answer {
    let id = match identifier(request.headers()) {
        Ok(id) => id,
        Err(answer) => return *answer,
    };
    let event = match environment.next_of_extension(id).await {
        Ok(event) => event,
        Err(refused) => return answer::refused(&refused, OF_STATE),
    };
    let told = match &event {
        ExtensionEvent::Invoke(invoke) => json!({
            "eventType": "INVOKE",
            "deadlineMs": invoke.deadline_ms,
            "requestId": invoke.request_id,
            "invokedFunctionArn": invoke.function_arn,
            "tracing": { "type": "X-Amzn-Trace-Id", "value": invoke.trace_id.clone().unwrap_or_default() },
        }),
        ExtensionEvent::Shutdown(shutdown) => json!({
            "eventType": "SHUTDOWN",
            "shutdownReason": shutdown.reason,
            "deadlineMs": shutdown.deadline_ms,
        }),
    };
    let mut given = answer::of_json(StatusCode::OK, &told);
    if let ExtensionEvent::Invoke(invoke) = &event {
        answer::put(&mut given, EVENT_IDENTIFIER, &invoke.request_id);
    }
    given
}

/// An extension cannot go on.
pub(super) async fn fails(environment: &Environment, request: &Request<Incoming>, is_init: bool) -> Answer {
    let id = match identifier(request.headers()) {
        Ok(id) => id,
        Err(answer) => return *answer,
    };
    let error_type = said(request.headers(), ERROR_TYPE);
    if error_type.is_empty() {
        let message = "Lambda-Extension-Function-Error-Type not found";
        return answer::error(StatusCode::FORBIDDEN, "Extension.MissingHeader", message);
    }
    match environment.extension_fails(id, is_init, error_type).await {
        Ok(()) => answer::accepted(),
        Err(refused) => answer::refused(&refused, OF_STATE),
    }
}

/// By what an extension is known.
fn identifier(headers: &HeaderMap) -> Result<&str, Box<Answer>> {
    let forbidden = |error_type, message| Err(Box::new(answer::error(StatusCode::FORBIDDEN, error_type, message)));
    let is_uuid = |id: &str| id.len() == 36 && id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    match said(headers, IDENTIFIER) {
        "" => forbidden("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"),
        id if !is_uuid(id) => forbidden("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"),
        id => Ok(id),
    }
}

fn said<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
