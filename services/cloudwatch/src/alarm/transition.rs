//! An alarm's change of state, with all that belongs to it, in one transaction.

use base::{Rng, Timestamp};
use store::{Scope, Tx, Versioned};

use super::history::{self, Kind, Writer};
use super::{Alarm, State};
use crate::api::StateValue;

/// What a state is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The state.
    pub value: StateValue,
    /// Why, for a person.
    pub reason: String,
    /// Why, as JSON.
    pub reason_data: Option<String>,
    /// Whether SetAlarmState says so.
    pub is_set_by_hand: bool,
}

/// Adds to the transaction what brings an alarm into a state: the record, the history, and the actions of a state that it
/// was not in. Answers whether it was not.
pub fn transition(
    tx: &mut Tx,
    scope: &Scope,
    alarm: &Versioned<Alarm>,
    target: Target,
    (now, rng): (Timestamp, &dyn Rng),
) -> bool {
    let old = &alarm.value.state;
    let is_another = old.value != target.value;
    let new = State {
        value: target.value,
        reason: target.reason,
        reason_data: target.reason_data,
        updated_at: now,
        transitioned_at: if is_another { now } else { old.transitioned_at },
        is_set_by_hand: target.is_set_by_hand,
    };
    if is_another {
        let mut writer = Writer::new(scope, now, rng);
        let (name, is_composite) = (alarm.name(), alarm.value.composite().is_some());
        let summary = format!("Alarm updated from {} to {}", old.value.as_str(), new.value.as_str());
        let data = history::state_update(old, &new);
        writer.write(tx, name, is_composite, (Kind::StateUpdate, summary, data));
        if alarm.value.actions_enabled {
            for action in alarm.value.actions(new.value) {
                let summary = format!("Failed to execute action {action}");
                let data = history::failed_action(action, now, &undeliverable(action));
                writer.write(tx, name, is_composite, (Kind::Action, summary, data));
            }
        }
    }
    tx.replace(alarm, &Alarm { state: new, ..alarm.value.clone() });
    is_another
}

/// Why an action cannot be executed: nothing that an alarm can call exists here yet.
fn undeliverable(action: &str) -> String {
    let service = action.split(':').nth(2).unwrap_or_default();
    format!("Pilvi does not serve actions of {service} yet: nothing was notified.")
}
