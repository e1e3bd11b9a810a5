//! Events on their way.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Region};
use platform::outbox::{Deliver, DeliveryError, DeliveryOptions, Dispatcher, Event, Outbox};
use platform::{BoxFuture, Platform, Reconciler};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Target;
use crate::bucket::Bucket;
use crate::{Error, S3};

/// Where events go: implemented over the services that have destinations.
pub trait Destinations: Send + Sync + std::fmt::Debug {
    /// Whether a destination is there and lets the bucket in; one that takes messages is sent this one.
    fn validate<'a>(
        &'a self,
        target: &'a Target,
        bucket: &'a Bucket,
        test: Option<Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// Delivers an event. It may be called again for the same one.
    fn deliver<'a>(&'a self, event: &'a Event<Delivery>) -> BoxFuture<'a, Result<(), DeliveryError>>;
}

/// Why a destination cannot be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

/// An event on its way to one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Where; none is EventBridge.
    pub target: Option<Target>,
    /// The bucket.
    pub bucket_arn: String,
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: Region,
    /// What is said.
    pub message: Value,
}

/// No service has destinations.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoDestinations;

impl Destinations for NoDestinations {
    fn validate<'a>(
        &'a self,
        target: &'a Target,
        _: &'a Bucket,
        _: Option<Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(async move { Err(Refusal(format!("{} is not there to receive events", target.service()))) })
    }

    fn deliver<'a>(&'a self, event: &'a Event<Delivery>) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async move {
            match &event.payload.target {
                // There is no event bus: what goes to it can be seen here.
                None => {
                    tracing::info!(event = %Ascii(&event.payload.message), "an event of S3");
                    Ok(())
                }
                Some(target) => {
                    let cause = Error::Internal(format!("{} is not there to receive events", target.service()));
                    Err(DeliveryError::permanent(cause))
                }
            }
        })
    }
}

/// Displays a document in ASCII alone: a key may hold what turns or clears the terminal of whoever reads the log.
struct Ascii<'a>(&'a Value);

impl fmt::Display for Ascii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
            if matches!(character, ' '..='~') {
                f.write_char(character)?;
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(f, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

/// The outbox of a platform's S3.
pub fn outbox(platform: &Platform) -> Arc<Outbox<Delivery>> {
    let options = DeliveryOptions { limit: Duration::from_secs(30), ..DeliveryOptions::default() };
    Outbox::new(platform, "s3", options)
}

struct ToDestinations(Arc<dyn Destinations>);

impl Deliver<Delivery> for ToDestinations {
    fn deliver<'a>(&'a self, event: &'a Event<Delivery>) -> BoxFuture<'a, Result<(), DeliveryError>> {
        self.0.deliver(event)
    }
}

/// What delivers events, to be started.
pub fn dispatcher(s3: &S3) -> Arc<dyn Reconciler> {
    Dispatcher::new(&s3.outbox, Arc::new(ToDestinations(s3.destinations.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_in_characters_that_steer_nothing_and_is_the_same_document() {
        let event = serde_json::json!({ "key": "é\r\n\u{1b}[2J\u{9b}31m\u{202e}\u{7f}🦀\"\\" });
        let shown = Ascii(&event).to_string();
        assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{shown}");
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), event);
    }
}
