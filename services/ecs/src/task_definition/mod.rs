//! Task definitions: what is kept of one, its states, and the family that numbers its revisions.
//!
//! ```text
//! RegisterTaskDefinition ─> ACTIVE ─Deregister─> INACTIVE ─Delete─> DELETE_IN_PROGRESS ─reconciler─> gone
//! ```
//!
//! - [`admission`] decides whether ECS would register a request, and fills in what ECS fills in;
//! - [`capabilities`] says where it can run and what an instance must be able to do;
//! - [`Family`] counts: a revision's number is never used again, not even after the revision is gone.

pub mod admission;
pub mod capabilities;
mod family;
pub mod fargate_size;
mod refusal;
mod size;
mod transition;

use base::Timestamp;
use platform::Ctx;
use serde::{Deserialize, Serialize};
use store::{Record, SecondaryKey};

use crate::Tags;
use crate::api::{self, TaskDefinitionStatus};
use crate::names::DefinitionId;

pub use family::{Family, FamilyStatus};
pub use refusal::Refusal;
pub(crate) use transition::Transition;

/// The index by which revisions of a status are listed.
pub const BY_STATUS: &str = "status";

/// A task definition's states, each with what it brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Lifecycle {
    /// Tasks and services may be made of it.
    Active,
    /// What runs of it goes on; nothing new is made of it.
    Inactive {
        /// When it was deregistered.
        deregistered_at: Timestamp,
    },
    /// It goes as soon as nothing uses it.
    DeleteInProgress {
        /// When it was deregistered.
        deregistered_at: Timestamp,
        /// When its deletion was asked for.
        delete_requested_at: Timestamp,
    },
}

/// What is done to a task definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// DeregisterTaskDefinition.
    Deregister,
    /// DeleteTaskDefinitions.
    Delete,
}

/// An event that a state does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot be done to a task definition that is {from:?}")]
pub struct IllegalTransition {
    /// The state.
    pub from: Lifecycle,
    /// The event.
    pub event: Event,
}

impl Lifecycle {
    /// The state after an event at `now`. Doing again what has been done changes nothing.
    pub fn next(self, event: Event, now: Timestamp) -> Result<Self, IllegalTransition> {
        match (self, event) {
            (Self::Active, Event::Deregister) => Ok(Self::Inactive { deregistered_at: now }),
            (Self::Inactive { .. }, Event::Deregister) | (Self::DeleteInProgress { .. }, Event::Delete) => Ok(self),
            (Self::Inactive { deregistered_at }, Event::Delete) => {
                Ok(Self::DeleteInProgress { deregistered_at, delete_requested_at: now })
            }
            (from, event) => Err(IllegalTransition { from, event }),
        }
    }

    /// The word on the wire.
    pub fn status(self) -> TaskDefinitionStatus {
        match self {
            Self::Active => TaskDefinitionStatus::Active,
            Self::Inactive { .. } => TaskDefinitionStatus::Inactive,
            Self::DeleteInProgress { .. } => TaskDefinitionStatus::DeleteInProgress,
        }
    }

    fn deregistered_at(self) -> Option<Timestamp> {
        match self {
            Self::Active => None,
            Self::Inactive { deregistered_at } | Self::DeleteInProgress { deregistered_at, .. } => {
                Some(deregistered_at)
            }
        }
    }
}

/// A revision of a family. Its record's id is [`DefinitionId::key`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// Its state.
    pub lifecycle: Lifecycle,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The ARN of the principal that registered it.
    pub registered_by: String,
    /// Its tags.
    pub tags: Tags,
    /// What was registered, with everything that ECS fills in; without what the other fields and the id say.
    #[serde(with = "wire::stored")]
    pub registered: api::TaskDefinition,
}

impl Record for TaskDefinition {
    const SERVICE: &'static str = "ecs";
    const KIND: &'static str = "task-definition";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        vec![SecondaryKey::new(BY_STATUS, self.lifecycle.status().as_str())]
    }
}

impl TaskDefinition {
    /// The task definition as operations answer it.
    pub fn describe(&self, ctx: &Ctx, id: &DefinitionId) -> api::TaskDefinition {
        api::TaskDefinition {
            task_definition_arn: Some(id.arn(ctx)),
            family: Some(id.family.clone()),
            revision: Some(id.revision),
            status: Some(self.lifecycle.status()),
            registered_at: Some(self.registered_at),
            registered_by: Some(self.registered_by.clone()),
            deregistered_at: self.lifecycle.deregistered_at(),
            ..self.registered.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_goes_one_way_only() {
        let (first, second, third) = (Timestamp::from_secs(1), Timestamp::from_secs(2), Timestamp::from_secs(3));
        let inactive = Lifecycle::Active.next(Event::Deregister, first).unwrap();
        assert_eq!(inactive, Lifecycle::Inactive { deregistered_at: first });
        assert_eq!(inactive.next(Event::Deregister, second), Ok(inactive));
        let deleting = inactive.next(Event::Delete, second).unwrap();
        assert_eq!(deleting, Lifecycle::DeleteInProgress { deregistered_at: first, delete_requested_at: second });
        assert_eq!(deleting.next(Event::Delete, third), Ok(deleting));
        assert!(Lifecycle::Active.next(Event::Delete, first).is_err());
        assert!(deleting.next(Event::Deregister, third).is_err());
    }

    #[test]
    fn a_state_is_stored_with_its_own_data() {
        let state = Lifecycle::Inactive { deregistered_at: Timestamp::from_millis(5) };
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(text, r#"{"status":"INACTIVE","deregisteredAt":5}"#);
        assert_eq!(serde_json::from_str::<Lifecycle>(&text).unwrap(), state);
    }
}
