//! PutSubscriptionFilter.

use base::Arn;
use platform::{Access, Ctx};

use crate::api::{LogGroupClass, PutSubscriptionFilterRequest};
use crate::names::{GroupName, on_own_group};
use crate::ops::put_metric_filter::check_unserved;
use crate::pattern::Pattern;
use crate::{Error, Logs, group};

pub(crate) fn access(ctx: &Ctx, input: &PutSubscriptionFilterRequest) -> Access {
    on_own_group(ctx, "logs:PutSubscriptionFilter", &input.log_group_name)
        .key("logs:DestinationArn", &input.destination_arn)
        .pass_role(input.role_arn.as_deref(), "logs.amazonaws.com")
}

/// Refuses: nothing that is served takes log events yet. What else is wrong with the request is told first.
pub(crate) async fn put_subscription_filter(
    logs: &Logs,
    ctx: &Ctx,
    input: PutSubscriptionFilterRequest,
) -> Result<(), Error> {
    check_unserved(input.apply_on_transformed_logs, input.field_selection_criteria.as_deref())?;
    if input.emit_system_fields.as_ref().is_some_and(|fields| !fields.is_empty()) {
        return Err(Error::NotServed("emitSystemFields"));
    }
    Pattern::parse(&input.filter_pattern)?;
    let group = group::find(&logs.platform.store, &GroupName::own(ctx, &input.log_group_name)).await?;
    if group.class != LogGroupClass::Standard {
        return Err(Error::ClassUnsupported(group.class.as_str()));
    }
    Err(Error::Destination(problem(&input)))
}

/// What is wrong with the destination, in AWS's words as far as it has some.
fn problem(input: &PutSubscriptionFilterRequest) -> String {
    let Ok(destination) = input.destination_arn.parse::<Arn>() else {
        return format!("Invalid destinationArn: {}", input.destination_arn);
    };
    let with_role = |vendor: &str| match input.role_arn {
        None => Some(format!("destinationArn for vendor {vendor} cannot be used without roleArn")),
        Some(_) => None,
    };
    match destination.service.as_str() {
        "lambda" if input.role_arn.is_some() => {
            "destinationArn for vendor lambda cannot be used with roleArn".to_owned()
        }
        "lambda" => "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to \
                     execute your function. (Pilvi does not serve Lambda functions as destinations yet.)"
            .to_owned(),
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_destination_is_told_by_its_vendor() {
        let of = |arn: &str, role: Option<&str>| {
            problem(&PutSubscriptionFilterRequest {
                destination_arn: arn.to_owned(),
                role_arn: role.map(str::to_owned),
                ..PutSubscriptionFilterRequest::default()
            })
        };
        let lambda = "arn:aws:lambda:us-east-1:123456789012:function:f";
        assert!(of(lambda, None).starts_with("Could not execute the lambda function."));
        assert_eq!(of(lambda, Some("r")), "destinationArn for vendor lambda cannot be used with roleArn");
        let stream = "arn:aws:kinesis:us-east-1:123456789012:stream/s";
        assert_eq!(of(stream, None), "destinationArn for vendor kinesis cannot be used without roleArn");
        let queue = "arn:aws:sqs:us-east-1:123456789012:q";
        assert!(of(queue, None).ends_with("cannot work with destinationArn for vendor sqs"));
    }
}
