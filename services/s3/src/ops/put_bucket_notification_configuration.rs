//! PutBucketNotificationConfiguration.

use platform::{Access, Ctx};

use crate::api::{Event, NotificationConfigurationFilter, PutBucketNotificationConfigurationRequest};
use crate::notification::{Notifications, Rule, Target};
use crate::{Error, S3, bucket, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &PutBucketNotificationConfigurationRequest) -> Access {
    Access::to("s3:PutBucketNotification").on(names::bucket_arn(&input.bucket))
}

/// Says who is told of which events, in place of all that was said before.
pub(crate) async fn put_bucket_notification_configuration(
    s3: &S3,
    ctx: &Ctx,
    input: PutBucketNotificationConfigurationRequest,
) -> Result<(), Error> {
    let said = input.notification_configuration;
    let functions = said.lambda_function_configurations.into_iter().flatten();
    let queues = said.queue_configurations.into_iter().flatten();
    let topics = said.topic_configurations.into_iter().flatten();
    let all = functions
        .map(|it| (it.id, it.events, it.filter, Target::Function(it.lambda_function_arn)))
        .chain(queues.map(|it| (it.id, it.events, it.filter, Target::Queue(it.queue_arn))))
        .chain(topics.map(|it| (it.id, it.events, it.filter, Target::Topic(it.topic_arn))));
    let mut notifications =
        Notifications { rules: Vec::new(), event_bridge: said.event_bridge_configuration.is_some() };
    for (id, events, filter, target) in all {
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| base::ids::uuid(&*s3.platform.rng));
        notifications.rules.push(rule(id, &events, filter, target)?);
    }
    notifications.check()?;
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = bucket::expected(s3, &input.bucket, owner).await?;
    if notifications.is_empty() {
        return bucket::clear::<Notifications>(s3, &input.bucket, owner).await;
    }
    if input.skip_destination_validation != Some(true) {
        s3.check_destinations(&bucket, &notifications, ctx.now, &ctx.request_id).await?;
    }
    bucket::store_setting(s3, &input.bucket, owner, &notifications).await
}

fn rule(
    id: String,
    events: &[Event],
    filter: Option<NotificationConfigurationFilter>,
    target: Target,
) -> Result<Rule, Error> {
    let rules = filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules).unwrap_or_default();
    let mut pairs = Vec::new();
    for rule in &rules {
        match (rule.name, &rule.value) {
            (Some(name), Some(value)) => pairs.push((name.as_str(), value.as_str())),
            _ => return Err(Error::MalformedXml),
        }
    }
    Rule::new(id, events.iter().map(|event| event.as_str().to_owned()).collect(), &pairs, target)
}
