//! What PutMetricAlarm and PutCompositeAlarm take.

use std::collections::BTreeMap;

use base::{AccountId, Arn};

use super::composite::{self, AlarmRule};
use super::points::{LONG_RANGE_MAX_S, RANGE_MAX_S, period_of};
use super::rule::{Comparison, Missing};
use crate::Error;
use crate::api::{PutCompositeAlarmInput, PutMetricAlarmInput, Tag};
use crate::metric::datum::admit_dimensions;
use crate::metric::statistic::Statistic;
use crate::query::{self, Source};

/// The most metrics of an alarm on an expression.
const METRICS_MAX: usize = 10;
/// How many bytes of a key an alarm's name may take.
const NAME_KEY_BYTES_MAX: usize = 900;
/// The most tags of a resource.
pub const TAGS_MAX: usize = 50;
/// Whose actions an alarm may have.
const ACTION_SERVICES: [&str; 10] = [
    "aiops",
    "application-autoscaling",
    "automate",
    "autoscaling",
    "ec2",
    "lambda",
    "sns",
    "ssm",
    "ssm-incidents",
    "swf",
];

fn refuse<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::Validation(message.into()))
}

/// Checks a metric alarm.
///
/// # Errors
/// [`Error::Validation`].
pub fn admit_metric(input: &PutMetricAlarmInput, account: AccountId) -> Result<(), Error> {
    admit_name(&input.alarm_name)?;
    check_served(input)?;
    for actions in [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions] {
        admit_actions(actions.as_deref())?;
    }
    admit_rule(input)?;
    if input.metrics.is_some() {
        admit_queries(input, account)?
    } else {
        admit_one_metric(input)?
    }
    admit_range(input)
}

fn check_served(input: &PutMetricAlarmInput) -> Result<(), Error> {
    let comparison = input.comparison_operator.map(Comparison::of);
    let unserved = [
        ("Anomaly detection (ThresholdMetricId)", input.threshold_metric_id.is_some()),
        ("Anomaly detection (ComparisonOperator)", comparison == Some(None)),
        ("EvaluationCriteria", input.evaluation_criteria.is_some()),
        ("EvaluationInterval", input.evaluation_interval.is_some()),
        ("EvaluationWindow", input.evaluation_window.as_ref().is_some_and(|it| it.wall_clock_window.is_some())),
        ("WarmUpConfiguration", input.warm_up_configuration.is_some()),
        ("ActionConfiguration", input.action_configuration.is_some()),
    ];
    match unserved.into_iter().find(|(_, is_there)| *is_there) {
        Some((what, _)) => Err(Error::not_served(what)),
        None => Ok(()),
    }
}

fn admit_rule(input: &PutMetricAlarmInput) -> Result<(), Error> {
    let Some(evaluation_periods) = input.evaluation_periods else {
        return refuse("The parameter EvaluationPeriods is required.");
    };
    if input.comparison_operator.is_none() {
        return refuse("The parameter ComparisonOperator is required.");
    }
    match input.threshold {
        None => return refuse("The parameter Threshold is required."),
        Some(threshold) if !threshold.is_finite() => return refuse("The parameter Threshold must be a finite number."),
        Some(_) => {}
    }
    if input.datapoints_to_alarm.is_some_and(|m| m > evaluation_periods) {
        return refuse("DatapointsToAlarm must be less than or equal to EvaluationPeriods.");
    }
    if Missing::named(input.treat_missing_data.as_deref()).is_none() {
        let given = input.treat_missing_data.as_deref().unwrap_or_default();
        return refuse(format!(
            "Option {given} is not supported. Supported options for parameter TreatMissingData are [breaching, notBreaching, \
             ignore, missing]."
        ));
    }
    match input.evaluate_low_sample_count_percentile.as_deref() {
        None | Some("evaluate" | "ignore") => Ok(()),
        Some(other) => refuse(format!(
            "Option {other} is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are \
             [evaluate, ignore]."
        )),
    }
}

fn admit_one_metric(input: &PutMetricAlarmInput) -> Result<(), Error> {
    let name = input.metric_name.as_deref();
    let namespace = input.namespace.as_deref();
    let (Some(name), Some(namespace)) = (name, namespace) else {
        return refuse("Either MetricName and Namespace, or Metrics must be specified.");
    };
    if !name.is_ascii() || !namespace.is_ascii() {
        return refuse("MetricName and Namespace must have ASCII characters only.");
    }
    match input.period.map(i64::from) {
        None => return refuse("The parameter Period is required."),
        Some(period) if !is_alarm_period(period) => return refuse("Period must be 10, 20, 30 or a multiple of 60."),
        Some(_) => {}
    }
    let percentile = match (&input.statistic, input.extended_statistic.as_deref()) {
        (Some(_), None) => None,
        (None, Some(text)) => match Statistic::extended(text) {
            Some(statistic) => statistic.percentile(),
            None => return refuse(format!("The value {text} for parameter ExtendedStatistic is not supported.")),
        },
        _ => return refuse("Exactly one of Statistic and ExtendedStatistic must be specified."),
    };
    if input.evaluate_low_sample_count_percentile.is_some() && percentile.is_none() {
        return refuse("EvaluateLowSampleCountPercentile can be specified for a percentile only.");
    }
    admit_dimensions(input.dimensions.clone(), "Dimensions").map(drop)
}

fn admit_queries(input: &PutMetricAlarmInput, account: AccountId) -> Result<(), Error> {
    let own = [
        ("MetricName", input.metric_name.is_some()),
        ("Namespace", input.namespace.is_some()),
        ("Dimensions", input.dimensions.as_ref().is_some_and(|it| !it.is_empty())),
        ("Period", input.period.is_some()),
        ("Unit", input.unit.is_some()),
        ("Statistic", input.statistic.is_some()),
        ("ExtendedStatistic", input.extended_statistic.is_some()),
    ];
    if let Some((name, _)) = own.into_iter().find(|(_, is_there)| *is_there) {
        return refuse(format!("The parameters Metrics and {name} are mutually exclusive."));
    }
    let queries = query::admit(input.metrics.clone().unwrap_or_default(), account)?;
    if queries.iter().filter(|query| query.returns_data).count() != 1 {
        return refuse("Exactly one element of the metrics list should return data.");
    }
    let metrics: Vec<_> = queries.iter().filter_map(|query| query.metric()).collect();
    if metrics.len() > METRICS_MAX {
        return refuse(format!("An alarm can be based on {METRICS_MAX} metrics at the most."));
    }
    if metrics.windows(2).any(|pair| pair[0].period_s != pair[1].period_s) {
        return refuse("All metrics of an alarm must have the same Period.");
    }
    match period_of(input) {
        Some(period) if is_alarm_period(period) => {}
        Some(_) => return refuse("Period must be 10, 20, 30 or a multiple of 60."),
        None => return refuse("An expression without a metric must have a Period."),
    }
    let yields_many = |query: &query::Query| match &query.source {
        Source::Expression(expression) => query.returns_data && expression.calls("SEARCH"),
        Source::Metric(_) => false,
    };
    if queries.iter().any(yields_many) {
        return refuse("An alarm can watch a single time series only.");
    }
    Ok(())
}

fn is_alarm_period(period_s: i64) -> bool {
    matches!(period_s, 10 | 20 | 30) || (period_s > 0 && period_s % 60 == 0)
}

fn admit_range(input: &PutMetricAlarmInput) -> Result<(), Error> {
    let (period, periods) =
        (period_of(input).unwrap_or_default(), i64::from(input.evaluation_periods.unwrap_or_default()));
    let (max, days) = if period >= 3600 { (LONG_RANGE_MAX_S, "7 days") } else { (RANGE_MAX_S, "a day") };
    if period.saturating_mul(periods) > max {
        return refuse(format!(
            "Metrics cannot be checked across more than {days} (EvaluationPeriods * Period must be <= {max})."
        ));
    }
    Ok(())
}

/// Checks a composite alarm, and reads its rule.
///
/// # Errors
/// [`Error::Validation`].
pub fn admit_composite(input: &PutCompositeAlarmInput) -> Result<AlarmRule, Error> {
    admit_name(&input.alarm_name)?;
    for actions in [&input.ok_actions, &input.alarm_actions, &input.insufficient_data_actions] {
        admit_actions(actions.as_deref())?;
    }
    let suppression = [
        input.actions_suppressor.is_some(),
        input.actions_suppressor_wait_period.is_some(),
        input.actions_suppressor_extension_period.is_some(),
    ];
    if suppression.contains(&true) {
        return Err(Error::not_served("ActionsSuppressor"));
    }
    if input.action_configuration.is_some() {
        return Err(Error::not_served("ActionConfiguration"));
    }
    composite::parse(&input.alarm_rule)
        .map_err(|problem| Error::Validation(format!("AlarmRule is not valid: {problem}.")))
}

fn admit_name(name: &str) -> Result<(), Error> {
    let escaped = name.len() + 2 * name.bytes().filter(|it| matches!(it, b'/' | b'%')).count();
    if name.chars().any(char::is_control) || name.trim().is_empty() || escaped > NAME_KEY_BYTES_MAX {
        return refuse("AlarmName must have 1 to 255 characters, none of them a control character.");
    }
    Ok(())
}

fn admit_actions(actions: Option<&[String]>) -> Result<(), Error> {
    for action in actions.unwrap_or_default() {
        let arn: Option<Arn> = action.parse().ok();
        let is_action = arn.is_some_and(|arn| {
            arn.partition.starts_with("aws")
                && ACTION_SERVICES.contains(&arn.service.as_str())
                && !arn.resource.is_empty()
        });
        if !is_action {
            return refuse(format!("Invalid arn syntax: {action}"));
        }
    }
    Ok(())
}

/// Checks tags: each key once, none of AWS's own.
///
/// # Errors
/// [`Error::InvalidValue`].
pub fn admit_tags(tags: Option<&[Tag]>) -> Result<BTreeMap<String, String>, Error> {
    let mut admitted = BTreeMap::new();
    for Tag { key, value } in tags.unwrap_or_default() {
        if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
            return Err(Error::InvalidValue("Tag keys that start with aws: are reserved for AWS use.".to_owned()));
        }
        if admitted.insert(key.clone(), value.clone()).is_some() {
            return Err(Error::InvalidValue(format!("The tag key {key} is specified twice.")));
        }
    }
    check_tag_count(&admitted)?;
    Ok(admitted)
}

/// Checks how many tags a resource has.
///
/// # Errors
/// [`Error::InvalidValue`].
pub fn check_tag_count(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    if tags.len() <= TAGS_MAX {
        return Ok(());
    }
    Err(Error::InvalidValue(format!("A resource can have {TAGS_MAX} tags at the most.")))
}
