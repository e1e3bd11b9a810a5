//! Events on their way.

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
                    tracing::info!(event = %event.payload.message, "an event of S3");
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
