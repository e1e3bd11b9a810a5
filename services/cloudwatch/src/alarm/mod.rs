//! Alarms: what is kept of them, and how they change state.
//!
//! An alarm is INSUFFICIENT_DATA when it is made, and then whatever its evaluation says; SetAlarmState overrules it until
//! the next evaluation.
//!
//! - [`rule`], [`evaluation`], [`reason`]: a metric alarm's points to a state, and to AWS's words for it. Pure.
//! - [`composite`]: rules over other alarms' states. Pure.
//! - [`admission`]: what PutMetricAlarm and PutCompositeAlarm take.
//! - [`points`]: reads what an alarm looks at.
//! - [`history`]: what has happened, for 30 days.
//! - The loops are in [`reconcile`](crate::reconcile).

pub mod admission;
pub mod composite;
pub mod describe;
pub mod evaluation;
pub mod history;
pub mod points;
pub mod reason;
pub mod rule;
pub mod transition;

use std::collections::{BTreeMap, BTreeSet};

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Record, Scope, SecondaryKey, Store, StoreError, Versioned};

use crate::api::{PutCompositeAlarmInput, PutMetricAlarmInput, StateValue};
use crate::metric::MetricId;

/// The secondary key of the metrics that an alarm looks at.
pub(crate) const BY_SERIES: &str = "series";
/// CloudWatch's quota of alarms in an account and region.
pub const ALARMS_MAX: usize = 5000;

/// An alarm. Its id is its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// What it was last told to be.
    pub configuration: Configuration,
    /// When that was.
    pub configured_at: Timestamp,
    /// Whether it does anything when its state changes.
    pub actions_enabled: bool,
    /// Its tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// In which state it is.
    pub state: State,
}

/// What an alarm was told to be, without its tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "most alarms are metric alarms, and none is moved about")]
pub enum Configuration {
    /// It looks at a metric or an expression.
    Metric(#[serde(with = "wire::stored")] PutMetricAlarmInput),
    /// It looks at other alarms.
    Composite(#[serde(with = "wire::stored")] PutCompositeAlarmInput),
}

/// A state and how it came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The state.
    #[serde(with = "state_value")]
    pub value: StateValue,
    /// Why, for a person.
    pub reason: String,
    /// Why, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_data: Option<String>,
    /// When anything of this was last written.
    pub updated_at: Timestamp,
    /// When the state was last another one.
    pub transitioned_at: Timestamp,
    /// Whether SetAlarmState set it, and no evaluation has come since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_set_by_hand: bool,
}

impl State {
    /// That of an alarm that has just been made.
    pub fn initial(now: Timestamp) -> Self {
        Self {
            value: StateValue::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: None,
            updated_at: now,
            transitioned_at: now,
            is_set_by_hand: false,
        }
    }
}

impl Alarm {
    /// The metric alarm, if it is one.
    pub fn metric(&self) -> Option<&PutMetricAlarmInput> {
        if let Configuration::Metric(metric) = &self.configuration { Some(metric) } else { None }
    }

    /// The composite alarm, if it is one.
    pub fn composite(&self) -> Option<&PutCompositeAlarmInput> {
        if let Configuration::Composite(composite) = &self.configuration { Some(composite) } else { None }
    }

    /// What it does when it enters a state.
    pub fn actions(&self, state: StateValue) -> &[String] {
        let (ok, alarm, insufficient) = match &self.configuration {
            Configuration::Metric(it) => (&it.ok_actions, &it.alarm_actions, &it.insufficient_data_actions),
            Configuration::Composite(it) => (&it.ok_actions, &it.alarm_actions, &it.insufficient_data_actions),
        };
        match state {
            StateValue::Ok => ok.as_deref(),
            StateValue::Alarm => alarm.as_deref(),
            StateValue::InsufficientData => insufficient.as_deref(),
        }
        .unwrap_or_default()
    }

    /// The metrics that it looks at.
    pub fn metrics(&self) -> BTreeSet<MetricId> {
        let Some(alarm) = self.metric() else { return BTreeSet::new() };
        let queried = alarm.metrics.iter().flatten().filter_map(|query| query.metric_stat.as_ref());
        let queried = queried.filter_map(|stat| {
            let (namespace, name) = (stat.metric.namespace.as_deref()?, stat.metric.metric_name.as_deref()?);
            Some(metric_id(namespace, name, stat.metric.dimensions.as_deref()))
        });
        let own = alarm.namespace.as_deref().zip(alarm.metric_name.as_deref());
        let own = own.map(|(namespace, name)| metric_id(namespace, name, alarm.dimensions.as_deref()));
        queried.chain(own).collect()
    }
}

/// A metric by what a request names.
pub(crate) fn metric_id(namespace: &str, name: &str, dimensions: Option<&[crate::api::Dimension]>) -> MetricId {
    let dimensions = dimensions.unwrap_or_default().iter().map(|it| (it.name.clone(), it.value.clone()));
    MetricId::new(namespace, name, dimensions.collect())
}

impl Record for Alarm {
    const SERVICE: &'static str = "cloudwatch";
    const KIND: &'static str = "alarm";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        self.metrics().iter().map(|metric| SecondaryKey::new(BY_SERIES, metric.series())).collect()
    }
}

/// The alarm of a name.
pub(crate) async fn find(store: &Store, scope: &Scope, name: &str) -> Result<Option<Versioned<Alarm>>, StoreError> {
    store.read(scope, &[name]).await
}

/// States are stored as their words.
mod state_value {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::api::StateValue;

    pub(super) fn serialize<S: Serializer>(state: &StateValue, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(state.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StateValue, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
