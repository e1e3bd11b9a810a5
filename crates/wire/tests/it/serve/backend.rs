//! What stands behind the server under test: the fixture's services, and a few keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use base::Timestamp;
use tokio::sync::Semaphore;
use wire::model::{ErrorKind, ServiceModel};
use wire::serve::{Backend, BoxFuture, Call, CredentialError, FoundCredential};
use wire::sigv4::{Credentials, SecretAccessKey};
use wire::value::Shaped;
use wire::{Error, EventStream, Reply};

use crate::fixture::{EVERYTHING, Gone, JSON, METERS, Nested, QUERY, Watched, member};

/// The key that may sign.
pub(crate) const KEY: &str = "AKIDKNOWNKNOWN000001";
/// A key that wants the session token `good`.
pub(crate) const SESSION_KEY: &str = "ASIAKNOWNKNOWN000002";
/// A key that cannot be looked up.
pub(crate) const BROKEN_KEY: &str = "AKIDBROKENBROKEN0003";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The instant at which the clock of these tests stands.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

static SERVICES: [&ServiceModel; 3] = [&JSON, &QUERY, &METERS];

/// What `Fails` answers.
const NOT_FOUND: ErrorKind = ErrorKind::new("ThingNotFound", 404).in_query("Things.NotFound");

/// The credentials of a key, with a session token if there is one.
pub(crate) fn credentials(key: &str, token: Option<&str>) -> Credentials {
    Credentials {
        access_key_id: key.to_owned(),
        secret_access_key: SecretAccessKey::new(SECRET),
        session_token: token.map(str::to_owned),
    }
}

/// The things as the server has them.
pub(crate) struct Shared(pub(crate) Arc<Things>);

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

    async fn handle(self: Arc<Self>, call: Call<String>) -> Result<Reply, Error> {
        let model = SERVICES[call.service];
        let input = call.decode(model)?;
        match model.operation_name(call.operation) {
            "Echo" => Ok(Reply::Value(input)),
            "Fails" => {
                let told = format!("{} {} {} {}", call.caller, call.region.as_str(), call.host, call.now);
                Err(Error::of(NOT_FOUND, told))
            }
            "Nothing" | "Weighs" => Ok(Reply::nothing()),
            "Opens" => Err(Error::of(NOT_FOUND, call.caller)),
            "Panics" => panic!("as it was told to"),
            "Waits" => {
                self.waiting.add_permits(1);
                self.go.acquire().await.unwrap().forget();
                self.finished.fetch_add(1, Ordering::SeqCst);
                self.done.add_permits(1);
                Ok(Reply::nothing())
            }
            "Watches" => {
                let script = member(EVERYTHING, &input, "Strings").cloned();
                let script = script.map_or(Vec::new(), |script| Shaped::from_value(script).unwrap());
                let begun = Nested { label: Some("begun".to_owned()), ..Nested::default() };
                Ok(Reply::Stream { initial: begun.into_value(), events: self.watched(script).into() })
            }
            other => panic!("{other} is not served"),
        }
    }
}

impl Things {
    /// What `Watches` tells: each word of the script is an event, or does what it says.
    fn watched(self: Arc<Self>, script: Vec<String>) -> EventStream<Watched> {
        EventStream::produce(|events| async move {
            let _ended = Ended(self.clone());
            for word in script {
                let event = match word.as_str() {
                    "waits" => {
                        self.waiting.add_permits(1);
                        self.go.acquire().await.unwrap().forget();
                        continue;
                    }
                    "closed" => {
                        events.closed().await;
                        continue;
                    }
                    "panics" => panic!("as it was told to"),
                    "gone" => Watched::Gone(Gone { message: Some("It is gone.".to_owned()) }),
                    "endless" => loop {
                        let label = Some("x".repeat(100_000));
                        let said = events.send(Watched::Said(Nested { label, ..Nested::default() })).await;
                        if said.is_err() {
                            return;
                        }
                    },
                    "huge" => Watched::Said(Nested { label: Some("x".repeat(17 << 20)), ..Nested::default() }),
                    word => Watched::Said(Nested { label: Some(word.to_owned()), ..Nested::default() }),
                };
                if events.send(event).await.is_err() {
                    return;
                }
            }
        })
    }
}

/// Counts the end of a producer, however it comes.
struct Ended(Arc<Things>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Ordering::SeqCst);
        self.0.done.add_permits(1);
    }
}

impl Backend for Shared {
    type Caller = String;

    fn services(&self) -> &[&'static ServiceModel] {
        &SERVICES
    }

    fn now(&self) -> Timestamp {
        NOW
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.0.requests.fetch_add(1, Ordering::SeqCst))
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

    fn anonymous(&self) -> Option<String> {
        Some("nobody".to_owned())
    }

    fn call(&self, call: Call<String>) -> BoxFuture<'_, Result<Reply, Error>> {
        Box::pin(self.0.clone().handle(call))
    }
}
