//! HTTP/1.1 from within: which request is for what.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::debug;

use super::answer::{self, Answer};
use super::state::Environment;
use super::{extension, runtime};

/// The longest head of a request, in bytes: what a function says of its error is in one.
const HEAD_BYTES_MAX: usize = 128 * 1024;

/// Serves a connection until it ends.
pub(super) async fn serve(environment: Arc<Environment>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(move |request| {
        let environment = environment.clone();
        async move { Ok::<_, Infallible>(route(&environment, request).await) }
    });
    // A runtime waits for its next event for as long as there is none: nothing may take that for silence.
    let mut connections = http1::Builder::new();
    connections.max_buf_size(HEAD_BYTES_MAX).timer(TokioTimer::new()).half_close(true);
    if let Err(error) = connections.serve_connection(TokioIo::new(stream), service).await {
        debug!(%error, "a connection of a function's runtime broke off");
    }
}

async fn route(environment: &Environment, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let get = request.method() == Method::GET;
    let post = request.method() == Method::POST;
    match segments.as_slice() {
        ["2018-06-01", "ping"] if get => {
            answer::of_bytes(StatusCode::OK, Some("text/plain; charset=utf-8"), Bytes::from_static(b"pong"))
        }
        ["2018-06-01", "runtime", "invocation", "next"] if get => runtime::next(environment).await,
        ["2018-06-01", "runtime", "invocation", id, "response"] if post => {
            runtime::response(environment, id, request).await
        }
        ["2018-06-01", "runtime", "invocation", id, "error"] if post => runtime::error(environment, id, request).await,
        ["2018-06-01", "runtime", "init", "error"] if post => runtime::init_error(environment, request).await,
        ["2020-01-01", "extension", "register"] if post => extension::register(environment, request).await,
        ["2020-01-01", "extension", "event", "next"] if get => extension::next(environment, &request).await,
        ["2020-01-01", "extension", "init", "error"] if post => extension::fails(environment, &request, true).await,
        ["2020-01-01", "extension", "exit", "error"] if post => extension::fails(environment, &request, false).await,
        ["2020-08-15", "logs"] | ["2022-07-01", "telemetry"] if request.method() == Method::PUT => {
            // What extensions are told by an environment that has no such subscriptions; they go on without.
            let told = json!({
                "errorMessage": "Telemetry API is not supported",
                "errorType": "Telemetry.NotSupported",
            });
            answer::of_json(StatusCode::ACCEPTED, &told)
        }
        _ => answer::not_found(),
    }
}
