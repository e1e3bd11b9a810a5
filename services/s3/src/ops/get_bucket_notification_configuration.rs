//! GetBucketNotificationConfiguration.

use platform::{Access, Ctx};

use crate::api::{
    Event, EventBridgeConfiguration, FilterRule, FilterRuleName, GetBucketNotificationConfigurationRequest,
    LambdaFunctionConfiguration, NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration,
    S3KeyFilter, TopicConfiguration,
};
use crate::bucket::setting;
use crate::notification::{Notifications, Rule, Target};
use crate::{Error, S3, bucket, names};

/// Who may.
pub(crate) fn access(_: &Ctx, input: &GetBucketNotificationConfigurationRequest) -> Access {
    Access::to("s3:GetBucketNotification").on(names::bucket_arn(&input.bucket))
}

/// Answers who is told of which events: nobody, where nothing was said.
pub(crate) async fn get_bucket_notification_configuration(
    s3: &S3,
    _: &Ctx,
    input: GetBucketNotificationConfigurationRequest,
) -> Result<NotificationConfiguration, Error> {
    let bucket = bucket::expected(s3, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let said = setting::<Notifications>(&s3.platform.store, &bucket).await?.unwrap_or_default();
    let mut described = NotificationConfiguration {
        event_bridge_configuration: said.event_bridge.then(EventBridgeConfiguration::default),
        ..NotificationConfiguration::default()
    };
    for rule in said.rules {
        add(&mut described, rule);
    }
    Ok(described)
}

fn add(described: &mut NotificationConfiguration, rule: Rule) {
    let filter_rule =
        |name, value: Option<String>| value.map(|value| FilterRule { name: Some(name), value: Some(value) });
    let rules: Vec<FilterRule> =
        [filter_rule(FilterRuleName::Prefix, rule.prefix), filter_rule(FilterRuleName::Suffix, rule.suffix)]
            .into_iter()
            .flatten()
            .collect();
    let filter_rules = Some(rules).filter(|rules| !rules.is_empty());
    let filter = filter_rules
        .map(|rules| NotificationConfigurationFilter { key: Some(S3KeyFilter { filter_rules: Some(rules) }) });
    let events: Vec<Event> = rule.events.iter().filter_map(|event| event.parse().ok()).collect();
    let id = Some(rule.id);
    match rule.target {
        Target::Function(lambda_function_arn) => described
            .lambda_function_configurations
            .get_or_insert_default()
            .push(LambdaFunctionConfiguration { id, events, filter, lambda_function_arn }),
        Target::Queue(queue_arn) => described.queue_configurations.get_or_insert_default().push(QueueConfiguration {
            id,
            events,
            filter,
            queue_arn,
        }),
        Target::Topic(topic_arn) => described.topic_configurations.get_or_insert_default().push(TopicConfiguration {
            id,
            events,
            filter,
            topic_arn,
        }),
    }
}
