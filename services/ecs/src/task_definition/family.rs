//! Families: the numbers of revisions, and how many are in which state.

use serde::{Deserialize, Serialize};
use store::{Record, SecondaryKey};

use crate::api::TaskDefinitionStatus;

/// ECS's quota of revisions of a family.
const REVISIONS_MAX: i32 = 1_000_000;

/// A family. Its record's id is its name. It outlives its revisions, so that no number is used twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Family {
    /// The latest number that was given to a revision.
    pub last_revision: i32,
    /// How many revisions are ACTIVE.
    pub active: u32,
    /// How many are INACTIVE.
    pub inactive: u32,
    /// How many are DELETE_IN_PROGRESS.
    pub deleting: u32,
}

/// A family's status, as ListTaskDefinitionFamilies has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyStatus {
    /// It has an ACTIVE revision.
    Active,
    /// It has revisions, none of them ACTIVE.
    Inactive,
}

impl FamilyStatus {
    /// The value by which families of this status are listed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

impl Family {
    /// The index by which families of a status are listed.
    pub const BY_STATUS: &'static str = "status";
    /// The value by which families that have any revision are listed.
    pub const ALL: &'static str = "ALL";

    /// The status; none for a family whose revisions are all gone.
    pub fn status(&self) -> Option<FamilyStatus> {
        match (self.active, self.inactive + self.deleting) {
            (0, 0) => None,
            (0, _) => Some(FamilyStatus::Inactive),
            _ => Some(FamilyStatus::Active),
        }
    }

    /// The family with one more revision, which is ACTIVE; none if there has been the last that there can be.
    pub fn with_next_revision(self) -> Option<Self> {
        let last_revision = self.last_revision + 1;
        (last_revision <= REVISIONS_MAX).then_some(Self { last_revision, active: self.active + 1, ..self })
    }

    /// Counts a revision that goes from one state to another; none is gone.
    pub fn moved(&mut self, from: TaskDefinitionStatus, to: Option<TaskDefinitionStatus>) {
        let left = self.count(from);
        *left = left.saturating_sub(1);
        if let Some(to) = to {
            *self.count(to) += 1;
        }
    }

    fn count(&mut self, status: TaskDefinitionStatus) -> &mut u32 {
        match status {
            TaskDefinitionStatus::Active => &mut self.active,
            TaskDefinitionStatus::Inactive => &mut self.inactive,
            TaskDefinitionStatus::DeleteInProgress => &mut self.deleting,
        }
    }
}

impl Record for Family {
    const SERVICE: &'static str = "ecs";
    const KIND: &'static str = "task-definition-family";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        let keys = |status: FamilyStatus| [status.as_str(), Self::ALL].map(|it| SecondaryKey::new(Self::BY_STATUS, it));
        self.status().map(keys).into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_active_while_one_of_its_revisions_is() {
        let mut family = Family::default().with_next_revision().unwrap().with_next_revision().unwrap();
        assert_eq!((family.last_revision, family.status()), (2, Some(FamilyStatus::Active)));
        family.moved(TaskDefinitionStatus::Active, Some(TaskDefinitionStatus::Inactive));
        assert_eq!(family.status(), Some(FamilyStatus::Active));
        family.moved(TaskDefinitionStatus::Active, Some(TaskDefinitionStatus::Inactive));
        assert_eq!(family.status(), Some(FamilyStatus::Inactive));
        for _ in 0..2 {
            family.moved(TaskDefinitionStatus::Inactive, Some(TaskDefinitionStatus::DeleteInProgress));
            family.moved(TaskDefinitionStatus::DeleteInProgress, None);
        }
        assert_eq!((family.status(), family.last_revision), (None, 2));
        assert!(family.secondary_keys().is_empty());
    }

    #[test]
    fn the_last_number_is_the_last() {
        let family = Family { last_revision: REVISIONS_MAX, ..Family::default() };
        assert_eq!(family.with_next_revision(), None);
    }
}
