//! DescribeAlarms.

use std::collections::BTreeSet;

use platform::{Access, Ctx};
use store::Versioned;

use crate::alarm::composite;
use crate::alarm::describe::{Described, describe};
use crate::alarm::{Alarm, find};
use crate::api::{AlarmType, DescribeAlarmsInput, DescribeAlarmsOutput};
use crate::names::alarm_arn;
use crate::ops::put_composite_alarm::child_name;
use crate::{CloudWatch, Error, access, alarm_names, page};

const LIST: &str = "DescribeAlarms";
/// The most alarms of one answer.
const PAGE: usize = 100;

/// Who may.
pub(crate) fn access(ctx: &Ctx, input: &DescribeAlarmsInput) -> Access {
    access::to_alarms(ctx, "cloudwatch:DescribeAlarms", input.alarm_names.iter().flatten())
}

/// Describes alarms: those of the names, those that a name begins with, or all; metric alarms, unless AlarmTypes says
/// otherwise.
pub(crate) async fn describe_alarms(
    cloudwatch: &CloudWatch,
    ctx: &Ctx,
    input: DescribeAlarmsInput,
) -> Result<DescribeAlarmsOutput, Error> {
    if input.alarm_names.is_some() && input.alarm_name_prefix.is_some() {
        let message = "AlarmNames and AlarmNamePrefix are mutually exclusive.";
        return Err(Error::Validation(message.to_owned()));
    }
    let limit = page::size(input.max_records, PAGE);
    if let Some(parent) = &input.children_of_alarm_name {
        return related(cloudwatch, ctx, children(cloudwatch, ctx, parent).await?).await;
    }
    if let Some(child) = &input.parents_of_alarm_name {
        return related(cloudwatch, ctx, parents(cloudwatch, ctx, child).await?).await;
    }
    if let Some(names) = &input.alarm_names {
        // Each once, in order.
        let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let found = read(cloudwatch, ctx, &names.into_iter().collect::<Vec<_>>()).await?;
        let found = found.into_iter().filter(|alarm| takes(&input, alarm)).collect();
        return Ok(output(ctx, found, None));
    }
    let mut after = page::open(&cloudwatch.platform, ctx, LIST, input.next_token.as_deref())?;
    let prefix = input.alarm_name_prefix.as_deref().unwrap_or_default();
    let mut found: Vec<Versioned<Alarm>> = Vec::new();
    loop {
        let names = alarm_names::page(&cloudwatch.platform.store, &ctx.scope(), prefix, after.as_deref()).await?;
        let refs: Vec<&str> = names.names.iter().map(String::as_str).collect();
        for alarm in read(cloudwatch, ctx, &refs).await? {
            if takes(&input, &alarm) {
                if found.len() == limit {
                    let last = found.last().map(|it| it.name().to_owned());
                    return Ok(output(ctx, found, last.map(|it| cloudwatch.platform.page_token(ctx, LIST, &it))));
                }
                found.push(alarm);
            }
        }
        after = names.names.last().cloned();
        if !names.more {
            return Ok(output(ctx, found, None));
        }
    }
}

async fn read(cloudwatch: &CloudWatch, ctx: &Ctx, names: &[&str]) -> Result<Vec<Versioned<Alarm>>, Error> {
    let ids: Vec<[&str; 1]> = names.iter().map(|name| [*name]).collect();
    let ids: Vec<&[&str]> = ids.iter().map(<[&str; 1]>::as_slice).collect();
    let found = cloudwatch.platform.store.read_many(&ctx.scope(), &ids).await?;
    Ok(found.into_iter().flatten().collect())
}

fn takes(input: &DescribeAlarmsInput, alarm: &Alarm) -> bool {
    let own = if alarm.composite().is_some() { AlarmType::CompositeAlarm } else { AlarmType::MetricAlarm };
    let is_type = match input.alarm_types.as_deref() {
        None | Some([]) => own == AlarmType::MetricAlarm,
        Some(types) => types.contains(&own),
    };
    let has_action = |prefix: &String| {
        let states = crate::api::StateValue::ALL.iter();
        states.flat_map(|state| alarm.actions(*state)).any(|action| action.starts_with(prefix))
    };
    is_type
        && input.state_value.is_none_or(|state| state == alarm.state.value)
        && input.action_prefix.as_ref().is_none_or(has_action)
}

fn output(ctx: &Ctx, found: Vec<Versioned<Alarm>>, next_token: Option<String>) -> DescribeAlarmsOutput {
    let (mut metric_alarms, mut composite_alarms) = (Vec::new(), Vec::new());
    for alarm in found {
        let arn = alarm_arn(ctx, alarm.name());
        match describe(arn, alarm.value) {
            Described::Metric(alarm) => metric_alarms.push(*alarm),
            Described::Composite(alarm) => composite_alarms.push(*alarm),
        }
    }
    DescribeAlarmsOutput {
        metric_alarms: Some(metric_alarms),
        composite_alarms: Some(composite_alarms),
        log_alarms: None,
        next_token,
    }
}

async fn related(cloudwatch: &CloudWatch, ctx: &Ctx, names: BTreeSet<String>) -> Result<DescribeAlarmsOutput, Error> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(output(ctx, read(cloudwatch, ctx, &names).await?, None))
}

/// The alarms that a composite alarm's rule refers to.
async fn children(cloudwatch: &CloudWatch, ctx: &Ctx, parent: &str) -> Result<BTreeSet<String>, Error> {
    let found = find(&cloudwatch.platform.store, &ctx.scope(), parent).await?;
    let rule = found.as_ref().and_then(|it| it.composite()).and_then(|it| composite::parse(&it.alarm_rule).ok());
    Ok(rule.iter().flat_map(|rule| rule.children()).map(|child| child_name(ctx, child)).collect())
}

/// The composite alarms whose rules refer to an alarm.
async fn parents(cloudwatch: &CloudWatch, ctx: &Ctx, child: &str) -> Result<BTreeSet<String>, Error> {
    let mut parents = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let names = alarm_names::page(&cloudwatch.platform.store, &ctx.scope(), "", after.as_deref()).await?;
        let refs: Vec<&str> = names.names.iter().map(String::as_str).collect();
        for alarm in read(cloudwatch, ctx, &refs).await? {
            let rule = alarm.composite().and_then(|it| composite::parse(&it.alarm_rule).ok());
            if rule.is_some_and(|rule| rule.children().iter().any(|it| child_name(ctx, it) == child)) {
                parents.insert(alarm.name().to_owned());
            }
        }
        after = names.names.last().cloned();
        if !names.more {
            return Ok(parents);
        }
    }
}
