//! The API without a client between: for steps of a test that are not about clients, each of which takes a second.

use serde_json::Value;
use wire::model::{Protocol, ServiceModel};
use wire::sigv4::Credentials;

use base::{Clock as _, SystemClock};

use crate::raw::{Answer, Connection, Failure, Request};
use crate::{REGION, Server};

/// Calls by a key's owner.
#[derive(Debug)]
pub struct Api {
    connection: Connection,
    credentials: Credentials,
    region: String,
}

impl Api {
    /// Calls to a server without TLS.
    #[track_caller]
    pub fn new(server: &Server, credentials: &Credentials) -> Self {
        Self {
            connection: Connection::to(server.address()),
            credentials: credentials.clone(),
            region: REGION.to_owned(),
        }
    }

    /// The same in another region.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        region.clone_into(&mut self.region);
        self
    }

    /// Calls an operation of any service with a JSON document, or a form.
    #[track_caller]
    pub fn call(&mut self, model: &ServiceModel, operation: &str, protocol: Protocol, input: &str) -> Answer {
        let host = self.connection.address().to_string();
        let request = Request::of(&host, model, operation, protocol, input);
        let request = request.signed(&self.credentials, model.signing_name, &self.region, SystemClock.now());
        self.connection.send(&request)
    }

    /// Calls an operation of ECR, which succeeds.
    #[track_caller]
    pub fn ecr(&mut self, operation: &str, input: &Value) -> Value {
        self.call(&ecr::api::MODEL, operation, Protocol::AwsJson11, &input.to_string()).success().json()
    }

    /// Calls an operation of ECR, which fails.
    #[track_caller]
    pub fn ecr_refused(&mut self, operation: &str, input: &Value) -> Failure {
        let answer = self.call(&ecr::api::MODEL, operation, Protocol::AwsJson11, &input.to_string());
        answer.failure(Protocol::AwsJson11)
    }
}
