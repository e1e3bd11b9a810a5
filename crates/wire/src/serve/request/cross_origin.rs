//! Pages of other origins: what they may do is asked before by their browsers, and told with every answer.

use std::sync::Arc;

use super::Exchange;
use crate::error::Error;
use crate::reply::Reply;
use crate::serve::route::Dialect;
use crate::serve::{Backend, CrossOrigin, Server};

const ORIGIN: &str = "origin";
const REQUEST_METHOD: &str = "access-control-request-method";
const REQUEST_HEADERS: &str = "access-control-request-headers";
/// The header that allows anything at all.
const ALLOW_ORIGIN: &str = "access-control-allow-origin";

impl Exchange {
    /// Answers a browser that asks what a page may do. Nobody signs such a question, and nothing but the answer depends on it.
    pub(super) async fn run_preflight<B: Backend>(
        &mut self,
        server: &Arc<Server<B>>,
        service: usize,
    ) -> Result<Reply, Error> {
        let path = self.resource.clone();
        let insufficient = |what: &str| {
            Error::new("BadRequest", 400, format!("Insufficient information. {what} request header needed."))
        };
        let origin = self.header(ORIGIN).ok_or_else(|| insufficient("Origin"))?;
        let method = self.header(REQUEST_METHOD).ok_or_else(|| insufficient("Access-Control-Request-Method"))?;
        let headers = self.header(REQUEST_HEADERS);
        let asked = CrossOrigin { service, path: &path, origin, method, headers, is_preflight: true };
        let shared = server.backend.cross_origin(asked).await?;
        if !shared.iter().any(|(name, _)| *name == ALLOW_ORIGIN) {
            let message = "CORSResponse: CORS is not enabled for this bucket.";
            return Err(Error::new("AccessForbidden", 403, message));
        }
        (self.shared, self.is_preflight) = (shared, true);
        Ok(Reply::nothing())
    }

    /// Adds to the answer what a page may make of it.
    pub(super) async fn share<B: Backend>(&mut self, server: &Arc<Server<B>>) {
        let Dialect::Rest { service, .. } = self.dialect else { return };
        if self.is_preflight || self.parts.method == http::Method::OPTIONS {
            return;
        }
        let Some(origin) = self.header(ORIGIN) else { return };
        let asked = CrossOrigin {
            service,
            path: &self.resource,
            origin,
            method: self.parts.method.as_str(),
            headers: None,
            is_preflight: false,
        };
        // What cannot be found out allows nothing.
        let shared = server.backend.cross_origin(asked).await.unwrap_or_default();
        self.shared = shared;
    }
}
