//! What stands behind the server under test: the fixture's two services, and a few keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use base::Timestamp;
use tokio::sync::Semaphore;
use wire::Error;
use wire::model::ServiceModel;
use wire::serve::{Backend, BoxFuture, Call, CredentialError, FoundCredential};
use wire::sigv4::{Credentials, SecretAccessKey};
use wire::value::Value;

use crate::fixture::{JSON, QUERY};

/// The key that may sign.
pub(crate) const KEY: &str = "AKIDKNOWNKNOWN000001";
/// A key that wants the session token `good`.
pub(crate) const SESSION_KEY: &str = "ASIAKNOWNKNOWN000002";
/// A key that cannot be looked up.
pub(crate) const BROKEN_KEY: &str = "AKIDBROKENBROKEN0003";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The instant at which the clock of these tests stands.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

/// The credentials of a key, with a session token if there is one.
pub(crate) fn credentials(key: &str, token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: key.to_owned(),
        secret_access_key: SecretAccessKey::new(SECRET),
        session_token: token.map(str::to_owned),
    }
}

/// The services, and what has become of their requests.
pub(crate) struct Things {
    requests: AtomicU64,
    /// One permit for each handler of `Waits` that has begun.
    pub(crate) waiting: Semaphore,
    /// One permit lets one handler of `Waits` go on.
    pub(crate) go: Semaphore,
    /// How many handlers of `Waits` have come to their end.
    pub(crate) finished: AtomicUsize,
    /// One permit for each of them.
    pub(crate) done: Semaphore,
}

impl Things {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            requests: AtomicU64::new(0),
            waiting: Semaphore::new(0),
            go: Semaphore::new(0),
            finished: AtomicUsize::new(0),
            done: Semaphore::new(0),
        })
    }

    async fn handle(&self, call: Call<String>) -> Result<Value, Error> {
        let model = self.services()[call.service];
        let input = call.protocol.decode(model, call.operation, &call.body)?;
        match model.operation_name(call.operation) {
            "Echo" => Ok(input),
            "Fails" => {
                let told = format!("{} {} {} {}", call.caller, call.region.as_str(), call.host, call.now);
                Err(Error::new("ThingNotFound", 404, told))
            }
            "Nothing" => Ok(wire::nothing()),
            "Panics" => panic!("as it was told to"),
            "Waits" => {
                self.waiting.add_permits(1);
                self.go.acquire().await.unwrap().forget();
                self.finished.fetch_add(1, Ordering::SeqCst);
                self.done.add_permits(1);
                Ok(wire::nothing())
            }
            other => panic!("{other} is not served"),
        }
    }
}

impl Backend for Things {
    type Caller = String;

    fn services(&self) -> &[&'static ServiceModel] {
        static SERVICES: [&ServiceModel; 2] = [&JSON, &QUERY];
        &SERVICES
    }

    fn now(&self) -> Timestamp {
        NOW
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.requests.fetch_add(1, Ordering::SeqCst))
    }

    fn credential<'a>(
        &'a self,
        access_key_id: &'a str,
        session_token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<FoundCredential<String>, CredentialError>> {
        let found = match (access_key_id, session_token) {
            (KEY, None) | (SESSION_KEY, Some("good")) => {
                Ok(FoundCredential { secret: SecretAccessKey::new(SECRET), caller: access_key_id.to_owned() })
            }
            (SESSION_KEY, Some("old")) => Err(CredentialError::ExpiredToken),
            (SESSION_KEY, Some(_)) => Err(CredentialError::InvalidToken),
            (BROKEN_KEY, _) => Err(CredentialError::Unavailable),
            _ => Err(CredentialError::Unknown),
        };
        Box::pin(std::future::ready(found))
    }

    fn call(&self, call: Call<String>) -> BoxFuture<'_, Result<Value, Error>> {
        Box::pin(self.handle(call))
    }
}
