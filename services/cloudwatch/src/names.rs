//! ARNs of alarms.

use platform::Ctx;

/// The ARN of an alarm.
pub(crate) fn alarm_arn(ctx: &Ctx, name: &str) -> String {
    ctx.arn("cloudwatch", format!("alarm:{name}"))
}

/// The name of an alarm of the caller's account and region, by its ARN.
pub(crate) fn alarm_of<'a>(ctx: &Ctx, arn: &'a str) -> Option<&'a str> {
    let prefix = alarm_arn(ctx, "");
    arn.strip_prefix(prefix.as_str()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use base::{AccountId, Principal, Region, Timestamp};

    use super::*;

    #[test]
    fn an_alarm_is_named_by_its_arn_alone() {
        let account: AccountId = "123456789012".parse().unwrap();
        let ctx = Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r");
        let arn = alarm_arn(&ctx, "cpu: high");
        assert_eq!(arn, "arn:aws:cloudwatch:us-east-1:123456789012:alarm:cpu: high");
        assert_eq!(alarm_of(&ctx, &arn), Some("cpu: high"));
        for other in
            ["cpu", "arn:aws:cloudwatch:us-east-1:123456789012:alarm:", "arn:aws:cloudwatch:us-east-1:1:alarm:a"]
        {
            assert_eq!(alarm_of(&ctx, other), None, "{other}");
        }
    }
}
