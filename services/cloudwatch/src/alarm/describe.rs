//! Alarms as operations and history tell them.

use serde_json::{Value, json};

use super::reason::with_offset;
use super::{Alarm, Configuration};
use crate::api::{CompositeAlarm, MetricAlarm, PutCompositeAlarmInput, PutMetricAlarmInput};

/// A described alarm.
#[derive(Debug, Clone, PartialEq)]
pub enum Described {
    /// A metric alarm.
    Metric(Box<MetricAlarm>),
    /// A composite alarm.
    Composite(Box<CompositeAlarm>),
}

/// An alarm as DescribeAlarms tells it.
pub fn describe(arn: String, alarm: Alarm) -> Described {
    match alarm.configuration.clone() {
        Configuration::Metric(metric) => Described::Metric(Box::new(describe_metric(arn, alarm, metric))),
        Configuration::Composite(composite) => {
            Described::Composite(Box::new(describe_composite(arn, alarm, composite)))
        }
    }
}

fn describe_metric(arn: String, alarm: Alarm, it: PutMetricAlarmInput) -> MetricAlarm {
    let Alarm { configured_at, actions_enabled, state, .. } = alarm;
    let is_expression = it.metrics.is_some();
    MetricAlarm {
        actions_enabled: Some(actions_enabled),
        alarm_actions: Some(it.alarm_actions.unwrap_or_default()),
        alarm_arn: Some(arn),
        alarm_configuration_updated_timestamp: Some(configured_at),
        alarm_description: it.alarm_description,
        alarm_name: Some(it.alarm_name),
        comparison_operator: it.comparison_operator,
        datapoints_to_alarm: it.datapoints_to_alarm,
        dimensions: (!is_expression).then(|| it.dimensions.unwrap_or_default()),
        evaluate_low_sample_count_percentile: it.evaluate_low_sample_count_percentile,
        evaluation_periods: it.evaluation_periods,
        extended_statistic: it.extended_statistic,
        insufficient_data_actions: Some(it.insufficient_data_actions.unwrap_or_default()),
        metric_name: it.metric_name,
        metrics: it.metrics,
        namespace: it.namespace,
        ok_actions: Some(it.ok_actions.unwrap_or_default()),
        period: it.period,
        state_reason: Some(state.reason),
        state_reason_data: state.reason_data,
        state_transitioned_timestamp: Some(state.transitioned_at),
        state_updated_timestamp: Some(state.updated_at),
        state_value: Some(state.value),
        statistic: it.statistic,
        threshold: it.threshold,
        treat_missing_data: it.treat_missing_data,
        unit: it.unit,
        ..MetricAlarm::default()
    }
}

fn describe_composite(arn: String, alarm: Alarm, it: PutCompositeAlarmInput) -> CompositeAlarm {
    let Alarm { configured_at, actions_enabled, state, .. } = alarm;
    CompositeAlarm {
        actions_enabled: Some(actions_enabled),
        alarm_actions: Some(it.alarm_actions.unwrap_or_default()),
        alarm_arn: Some(arn),
        alarm_configuration_updated_timestamp: Some(configured_at),
        alarm_description: it.alarm_description,
        alarm_name: Some(it.alarm_name),
        alarm_rule: Some(it.alarm_rule),
        insufficient_data_actions: Some(it.insufficient_data_actions.unwrap_or_default()),
        ok_actions: Some(it.ok_actions.unwrap_or_default()),
        state_reason: Some(state.reason),
        state_reason_data: state.reason_data,
        state_transitioned_timestamp: Some(state.transitioned_at),
        state_updated_timestamp: Some(state.updated_at),
        state_value: Some(state.value),
        ..CompositeAlarm::default()
    }
}

/// An alarm as the history of its configuration tells it, in the spelling that CloudWatch has there.
pub(super) fn for_history(arn: &str, name: &str, alarm: &Alarm) -> Value {
    let list = |list: &Option<Vec<String>>| json!(list.as_deref().unwrap_or_default());
    let mut told = json!({
        "alarmName": name,
        "alarmArn": arn,
        "actionsEnabled": alarm.actions_enabled,
        "alarmConfigurationUpdatedTimestamp": with_offset(alarm.configured_at),
        "stateValue": alarm.state.value.as_str(),
    });
    match &alarm.configuration {
        Configuration::Composite(it) => {
            told["alarmDescription"] = json!(it.alarm_description);
            told["alarmRule"] = json!(it.alarm_rule);
            told["okactions"] = list(&it.ok_actions);
            told["alarmActions"] = list(&it.alarm_actions);
            told["insufficientDataActions"] = list(&it.insufficient_data_actions);
        }
        Configuration::Metric(it) => {
            let dimensions = it.dimensions.iter().flatten();
            let dimensions: Vec<Value> = dimensions.map(|it| json!({"name": it.name, "value": it.value})).collect();
            told["alarmDescription"] = json!(it.alarm_description);
            told["namespace"] = json!(it.namespace);
            told["metricName"] = json!(it.metric_name);
            told["dimensions"] = json!(dimensions);
            told["statistic"] = json!(it.statistic.map(|it| it.as_str().to_ascii_uppercase()));
            told["extendedStatistic"] = json!(it.extended_statistic);
            told["unit"] = json!(it.unit.map(|it| it.as_str()));
            told["period"] = json!(it.period);
            told["evaluationPeriods"] = json!(it.evaluation_periods);
            told["datapointsToAlarm"] = json!(it.datapoints_to_alarm);
            told["threshold"] = json!(it.threshold);
            told["comparisonOperator"] = json!(it.comparison_operator.map(|it| it.as_str()));
            told["treatMissingData"] = json!(it.treat_missing_data);
            told["okactions"] = list(&it.ok_actions);
            told["alarmActions"] = list(&it.alarm_actions);
            told["insufficientDataActions"] = list(&it.insufficient_data_actions);
            let expressions = it.metrics.iter().flatten();
            let expressions: Vec<Value> =
                expressions.map(|it| json!({"id": it.id, "expression": it.expression})).collect();
            if !expressions.is_empty() {
                told["metrics"] = json!(expressions);
            }
        }
    }
    if let Some(members) = told.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    told
}
