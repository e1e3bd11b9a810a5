//! PutSubscriptionFilter.

use base::Arn;
use platform::{Access, Attempts, Ctx};
use store::{StoreError, Tx, Versioned};

use crate::api::{Distribution, LogGroupClass, PutSubscriptionFilterRequest};
use crate::children::{self, Window};
use crate::group::LogGroup;
use crate::metric_filter::{self, MetricFilter, REGEX_FILTERS_MAX};
use crate::names::{GroupName, on_own_group};
use crate::ops::put_metric_filter::check_unserved;
use crate::pattern::Pattern;
use crate::subscription::{CannotDeliver, FILTERS_MAX, Source, SubscriptionFilter, of_group};
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &PutSubscriptionFilterRequest) -> Access {
    on_own_group(ctx, "logs:PutSubscriptionFilter", &input.log_group_name)
        .key("logs:DestinationArn", &input.destination_arn)
        .pass_role(input.role_arn.as_deref(), "logs.amazonaws.com")
}

/// Creates a subscription filter, or replaces the one of its name. It takes events that come from now on.
pub(crate) async fn put_subscription_filter(
    logs: &Logs,
    ctx: &Ctx,
    input: PutSubscriptionFilterRequest,
) -> Result<(), Error> {
    check_unserved(input.apply_on_transformed_logs, input.field_selection_criteria.as_deref())?;
    if input.emit_system_fields.as_ref().is_some_and(|fields| !fields.is_empty()) {
        return Err(Error::NotServed("emitSystemFields"));
    }
    let pattern = Pattern::parse(&input.filter_pattern)?;
    let name = GroupName::own(ctx, &input.log_group_name);
    let group = group::find(&logs.platform.store, &name).await?;
    if group.class != LogGroupClass::Standard {
        return Err(Error::ClassUnsupported(group.class.as_str()));
    }
    if let Some(problem) = problem(ctx, &input) {
        return Err(Error::Destination(problem));
    }
    let arn = name.arn_with_streams();
    let source = Source { account: name.account, region: &name.region, arn: &arn };
    logs.destinations.validate(source, &input.destination_arn).await.map_err(|problem| match problem {
        CannotDeliver::Refused(reason) => {
            tracing::debug!(group = arn, reason, "a destination was refused");
            Error::Destination(NO_FUNCTION.to_owned())
        }
        CannotDeliver::Failed(_) => Error::Unavailable,
    })?;
    let filter = SubscriptionFilter {
        name: input.filter_name,
        group: input.log_group_name,
        pattern: input.filter_pattern,
        destination_arn: input.destination_arn,
        distribution: input.distribution.unwrap_or(Distribution::ByLogStream),
        created: ctx.now,
    };
    let mut attempts = Attempts::new();
    loop {
        let outcome = put(logs, &name, &filter, pattern.regexes() > 0).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn put(logs: &Logs, name: &GroupName, filter: &SubscriptionFilter, has_regex: bool) -> Result<(), Error> {
    let (store, scope) = (&logs.platform.store, name.scope());
    let group = group::find(store, name).await?;
    let existing = children::read::<SubscriptionFilter>(store, &scope, &group.storage_id, &filter.name).await?;
    if existing.is_none() && group.subscription_filters >= FILTERS_MAX {
        return Err(Error::LimitExceeded);
    }
    if has_regex && regexes_beside(logs, name, &group, &filter.name).await? >= REGEX_FILTERS_MAX {
        return Err(Error::LimitExceeded);
    }
    let mut changed = group.value.clone();
    changed.subscription_filters += usize::from(existing.is_none());
    changed.subscription_filters_changed += 1;
    let mut tx = Tx::new();
    tx.replace(&group, &changed);
    match existing {
        Some(old) => tx.replace(&old, &SubscriptionFilter { created: old.value.created, ..filter.clone() }),
        None => {
            let id = children::id_of(&group.storage_id, &filter.name);
            tx.insert(&scope, &children::segments(&id), filter)
        }
    };
    store.commit(tx).await.map(drop).map_err(StoreError::into)
}

/// How many of the group's filters have regular expressions: metric filters and the other subscription filters. (User guide: "You
/// can create up to five filter patterns containing regex for each log group".)
async fn regexes_beside(logs: &Logs, name: &GroupName, group: &Versioned<LogGroup>, own: &str) -> Result<usize, Error> {
    let window = Window { limit: metric_filter::FILTERS_MAX, ..Window::default() };
    let (store, scope) = (&logs.platform.store, name.scope());
    let metric = children::list::<MetricFilter>(store, &scope, &group.storage_id, window).await?.items;
    let others = of_group(logs, name, group, "").await?.into_iter().filter(|other| other.name != own);
    let patterns = metric.into_iter().map(|it| it.pattern).chain(others.map(|it| it.pattern));
    Ok(patterns.filter(|pattern| Pattern::parse(pattern).is_ok_and(|it| it.regexes() > 0)).count())
}

const NO_FUNCTION: &str = "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to \
                           execute your function.";

/// What is wrong with the destination, in AWS's words as far as it has some.
fn problem(ctx: &Ctx, input: &PutSubscriptionFilterRequest) -> Option<String> {
    let Ok(destination) = input.destination_arn.parse::<Arn>() else {
        return Some(format!("Invalid destinationArn: {}", input.destination_arn));
    };
    let with_role = |vendor: &str| match input.role_arn {
        None => Some(format!("destinationArn for vendor {vendor} cannot be used without roleArn")),
        Some(_) => None,
    };
    let problem = match destination.service.as_str() {
        "lambda" if input.role_arn.is_some() => {
            "destinationArn for vendor lambda cannot be used with roleArn".to_owned()
        }
        "lambda" if destination.account == ctx.account().as_str() && destination.region == ctx.region.as_str() => {
            return None;
        }
        "lambda" => NO_FUNCTION.to_owned(),
        "kinesis" => with_role("kinesis").unwrap_or_else(|| {
            "Could not deliver test message to specified Kinesis stream. Pilvi does not serve Kinesis streams."
                .to_owned()
        }),
        "firehose" => with_role("firehose").unwrap_or_else(|| {
            "Could not deliver test message to specified Firehose stream. Pilvi does not serve Firehose streams."
                .to_owned()
        }),
        "logs" => "The specified destination does not exist. Pilvi does not serve logical destinations.".to_owned(),
        other => format!("PutSubscriptionFilter operation cannot work with destinationArn for vendor {other}"),
    };
    Some(problem)
}

#[cfg(test)]
mod tests {
    use base::{Principal, Region, Timestamp};

    use super::*;

    #[test]
    fn what_is_wrong_with_a_destination_is_told_by_its_vendor() {
        let account = "123456789012".parse().unwrap();
        let ctx = Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r");
        let of = |arn: &str, role: Option<&str>| {
            problem(
                &ctx,
                &PutSubscriptionFilterRequest {
                    destination_arn: arn.to_owned(),
                    role_arn: role.map(str::to_owned),
                    ..PutSubscriptionFilterRequest::default()
                },
            )
        };
        let lambda = "arn:aws:lambda:us-east-1:123456789012:function:f";
        assert_eq!(of(lambda, None), None);
        for elsewhere in [lambda.replace("us-east-1", "eu-west-1"), lambda.replace("1234", "9999")] {
            assert!(of(&elsewhere, None).unwrap().starts_with("Could not execute the lambda function."));
        }
        let told = of(lambda, Some("r")).unwrap();
        assert_eq!(told, "destinationArn for vendor lambda cannot be used with roleArn");
        let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/s";
        let told = of(stream, None).unwrap();
        assert_eq!(told, "destinationArn for vendor kinesis cannot be used without roleArn");
        let queue = "arn:aws:sqs:us-east-1:123456789012:q";
        assert!(of(queue, None).unwrap().ends_with("cannot work with destinationArn for vendor sqs"));
    }
}
