//! What has happened to alarms, kept for 30 days and beyond the alarm's own end.

use std::time::Duration;

use base::{Rng, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Record, Scope, SecondaryKey, Tx};

use super::{Alarm, State};
use crate::api::{AlarmHistoryItem, AlarmType, HistoryItemType};

/// How long history is kept (CloudWatch's figure).
pub const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// The secondary key of an item's alarm.
pub(crate) const BY_ALARM: &str = "alarm";
/// The queue of days whose history is to be removed.
pub const QUEUE: &str = "cloudwatch/alarm-history";
/// The longest HistoryData and HistorySummary of the model.
const DATA_MAX: usize = 4095;
const SUMMARY_MAX: usize = 255;
/// What one day is.
const DAY_MS: i64 = 86_400_000;

/// Something that has happened. Its id begins with the instant, so that items come in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The alarm.
    pub alarm: String,
    /// Whether the alarm is a composite one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_composite: bool,
    /// When it was.
    pub at: Timestamp,
    /// What it is about.
    pub kind: Kind,
    /// What happened, for a person.
    pub summary: String,
    /// What happened, as JSON.
    pub data: String,
}

/// What an item is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The alarm was created, changed or deleted.
    ConfigurationUpdate,
    /// Its state changed.
    StateUpdate,
    /// It did something, or could not.
    Action,
}

impl Record for Item {
    const SERVICE: &'static str = "cloudwatch";
    const KIND: &'static str = "alarm-history";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        vec![SecondaryKey::new(BY_ALARM, &self.alarm)]
    }
}

impl Kind {
    /// The model's word.
    pub fn api(self) -> HistoryItemType {
        match self {
            Self::ConfigurationUpdate => HistoryItemType::ConfigurationUpdate,
            Self::StateUpdate => HistoryItemType::StateUpdate,
            Self::Action => HistoryItemType::Action,
        }
    }
}

impl Item {
    /// The item as DescribeAlarmHistory answers it.
    pub fn describe(self) -> AlarmHistoryItem {
        let alarm_type = if self.is_composite { AlarmType::CompositeAlarm } else { AlarmType::MetricAlarm };
        AlarmHistoryItem {
            alarm_name: Some(self.alarm),
            alarm_type: Some(alarm_type),
            timestamp: Some(self.at),
            history_item_type: Some(self.kind.api()),
            history_summary: Some(self.summary),
            history_data: Some(self.data),
            ..AlarmHistoryItem::default()
        }
    }
}

/// Below what all items of a scope lie.
pub(crate) fn items_key(scope: &Scope) -> Key {
    scope.key().child(Item::SERVICE).child(Item::KIND)
}

/// Below what the ids of one alarm's items lie.
pub(crate) fn items_of_key(scope: &Scope, alarm: &str) -> Key {
    scope.key().child(Item::SERVICE).child(&format!("{}@{BY_ALARM}", Item::KIND)).child(alarm)
}

/// What the ids of items at an instant begin with.
pub(crate) fn id_at(at: Timestamp) -> String {
    format!("{:013}", at.as_millis().max(0))
}

/// Items of one transaction, in their order.
#[derive(Debug)]
pub struct Writer<'a> {
    scope: &'a Scope,
    now: Timestamp,
    /// Tells the items of two transactions of one instant apart.
    token: String,
    written: usize,
}

impl<'a> Writer<'a> {
    /// For a transaction at an instant.
    pub fn new(scope: &'a Scope, now: Timestamp, rng: &dyn Rng) -> Self {
        let mut bytes = [0; 4];
        rng.fill(&mut bytes);
        Self { scope, now, token: hex::encode(bytes), written: 0 }
    }

    /// Adds an item, and sees to it that it goes when its time has come.
    pub fn write(
        &mut self,
        tx: &mut Tx,
        alarm: &str,
        is_composite: bool,
        (kind, summary, data): (Kind, String, String),
    ) {
        let id = format!("{}-{}-{:02}", id_at(self.now), self.token, self.written);
        let item = Item {
            alarm: alarm.to_owned(),
            is_composite,
            at: self.now,
            kind,
            summary: summary.chars().take(SUMMARY_MAX).collect(),
            data,
        };
        tx.insert(self.scope, &[&id], &item);
        if self.written == 0 {
            schedule(tx, self.scope, self.now);
        }
        self.written += 1;
    }
}

/// Which day's history is to be removed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Day {
    pub(crate) account: base::AccountId,
    pub(crate) region: base::Region,
    /// The end of the day: what was before is removed.
    pub(crate) end: Timestamp,
}

/// One message a day and scope, however many items.
fn schedule(tx: &mut Tx, scope: &Scope, now: Timestamp) {
    let (Some(account), Some(region)) = (scope.account(), scope.region().cloned()) else { return };
    let end_ms = (now.as_millis().div_euclid(DAY_MS) + 1) * DAY_MS;
    let day = Day { account, region, end: Timestamp::from_millis(end_ms) };
    let id = format!("{account}/{}/{end_ms}", day.region);
    let body = serde_json::to_vec(&day).expect("two texts and a number always serialize");
    tx.enqueue(QUEUE, id, body, day.end.plus(KEPT));
}

/// The data of a change of state.
pub fn state_update(old: &State, new: &State) -> String {
    let told = |state: &State, with_data: bool| {
        let mut told = serde_json::json!({"stateValue": state.value.as_str(), "stateReason": state.reason});
        let data = state.reason_data.as_deref().filter(|_| with_data);
        if let Some(data) = data.and_then(|data| serde_json::from_str::<serde_json::Value>(data).ok()) {
            told["stateReasonData"] = data;
        }
        told
    };
    // What is too long goes without the numbers, first the old ones.
    for (old_data, new_data) in [(true, true), (false, true), (false, false)] {
        let data = serde_json::json!({
            "version": "1.0", "oldState": told(old, old_data), "newState": told(new, new_data)
        });
        let text = data.to_string();
        if text.len() <= DATA_MAX {
            return text;
        }
    }
    serde_json::json!({
        "version": "1.0",
        "oldState": {"stateValue": old.value.as_str()},
        "newState": {"stateValue": new.value.as_str()}
    })
    .to_string()
}

/// The data of a change of configuration: `Create`, `Update`, `Delete`.
pub fn configuration_update(what: &str, member: &str, arn: &str, name: &str, alarm: &Alarm) -> String {
    let mut described = super::describe::for_history(arn, name, alarm);
    loop {
        let data = serde_json::json!({"version": "1.0", "type": what, member: described.clone()}).to_string();
        let Some(members) = described.as_object_mut().filter(|members| data.len() > DATA_MAX && !members.is_empty())
        else {
            return data;
        };
        // The longest member goes, until the rest fits.
        let longest = members.iter().max_by_key(|(_, value)| value.to_string().len()).map(|(key, _)| key.clone());
        if let Some(longest) = longest {
            members.remove(&longest);
        }
    }
}

/// The data of an action that could not be executed.
pub fn failed_action(arn: &str, now: Timestamp, error: &str) -> String {
    serde_json::json!({
        "actionState": "Failed",
        "stateUpdateTimestamp": now.as_millis(),
        "notificationResource": arn,
        "publishedMessage": null,
        "error": error
    })
    .to_string()
}
