//! What functions are called by: events of buckets, and events of log groups that have subscription filters.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use lambda::Lambda;
use lambda::service_caller::{CannotCall, ServiceCaller};
use logs::subscription::{self, CannotDeliver, Source};
use platform::BoxFuture;
use platform::outbox::{DeliveryError, Event};
use s3::bucket::Bucket;
use s3::notification::{Delivery, Destinations, NoDestinations, Refusal, Target};
use serde_json::Value;

/// Who buckets are to a function's policy.
const S3: &str = "s3.amazonaws.com";
/// Who log groups are, beside the name that has the region in it.
const LOGS: &str = "logs.amazonaws.com";

/// The way from services that have something to tell to functions. It is there before the functions are.
#[derive(Debug, Default)]
pub(crate) struct Triggers {
    lambda: OnceLock<Lambda>,
}

impl Triggers {
    /// A way that leads nowhere yet.
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Leads to these functions. Only the first call does anything.
    pub(crate) fn connect(&self, lambda: Lambda) {
        let _ = self.lambda.set(lambda);
    }

    fn lambda(&self) -> Result<&Lambda, CannotCall> {
        self.lambda.get().ok_or_else(|| CannotCall::Refused("no functions are served".to_owned()))
    }

    async fn lets_bucket_in(&self, function_arn: &str, bucket: &Bucket) -> Result<(), CannotCall> {
        let arn = bucket.arn();
        let caller = ServiceCaller { principals: &[S3], source_arn: &arn, source_account: bucket.owner };
        self.lambda()?.lets_in(function_arn, caller).await
    }

    async fn send(&self, function_arn: &str, delivery: &Delivery) -> Result<(), CannotCall> {
        let caller =
            ServiceCaller { principals: &[S3], source_arn: &delivery.bucket_arn, source_account: delivery.account };
        let payload = Bytes::from(delivery.message.to_string());
        self.lambda()?.send(function_arn, caller, payload).await
    }
}

impl Destinations for Triggers {
    fn validate<'a>(
        &'a self,
        target: &'a Target,
        bucket: &'a Bucket,
        test: Option<Value>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        let Target::Function(arn) = target else { return NoDestinations.validate(target, bucket, test) };
        Box::pin(async move { self.lets_bucket_in(arn, bucket).await.map_err(|problem| Refusal(problem.to_string())) })
    }

    fn deliver<'a>(&'a self, event: &'a Event<Delivery>) -> BoxFuture<'a, Result<(), DeliveryError>> {
        let Some(Target::Function(arn)) = &event.payload.target else { return NoDestinations.deliver(event) };
        Box::pin(async move {
            self.send(arn, &event.payload).await.map_err(|problem| match problem {
                // The function may be there again, and let the bucket in, but what happened before is not told then.
                CannotCall::Refused(_) => DeliveryError::permanent(problem),
                CannotCall::Failed(_) => DeliveryError::transient(problem),
            })
        })
    }
}

impl Triggers {
    async fn lets_group_in(&self, source: Source<'_>, function_arn: &str) -> Result<(), CannotCall> {
        let regional = regional(source);
        self.lambda()?.lets_in(function_arn, for_group(source, &[LOGS, &regional])).await
    }

    async fn send_lines(&self, source: Source<'_>, function_arn: &str, event: Vec<u8>) -> Result<(), CannotCall> {
        let regional = regional(source);
        self.lambda()?.send(function_arn, for_group(source, &[LOGS, &regional]), event.into()).await
    }
}

fn regional(source: Source<'_>) -> String {
    format!("logs.{}.amazonaws.com", source.region)
}

fn for_group<'a>(source: Source<'a>, principals: &'a [&'a str]) -> ServiceCaller<'a> {
    ServiceCaller { principals, source_arn: source.arn, source_account: source.account }
}

fn undelivered(problem: CannotCall) -> CannotDeliver {
    match problem {
        CannotCall::Refused(reason) => CannotDeliver::Refused(reason),
        CannotCall::Failed(error) => CannotDeliver::Failed(error.to_string()),
    }
}

impl subscription::Destinations for Triggers {
    fn validate<'a>(&'a self, source: Source<'a>, function_arn: &'a str) -> BoxFuture<'a, Result<(), CannotDeliver>> {
        Box::pin(async move { self.lets_group_in(source, function_arn).await.map_err(undelivered) })
    }

    fn deliver<'a>(
        &'a self,
        source: Source<'a>,
        function_arn: &'a str,
        event: Vec<u8>,
    ) -> BoxFuture<'a, Result<(), CannotDeliver>> {
        Box::pin(async move { self.send_lines(source, function_arn, event).await.map_err(undelivered) })
    }
}
