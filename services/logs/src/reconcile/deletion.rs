//! Removes what deleted log groups leave behind: their streams, their filters and their events.
//!
//! DeleteLogGroup replaces the group by a [`Deletion`] in one transaction; what is below the group's id goes then, in as
//! many steps as it takes, and the [`Deletion`] last. A folder of events that belongs to no group at all (the state is
//! older than the events, because it comes from a backup) is looked for once, when the process starts.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Wake};
use segments::GroupKey;
use serde::{Deserialize, Serialize};
use store::limits::PREFIX_DELETIONS_MAX;
use store::{Op, Range, Record, Tx, Txn, Versioned};

use crate::group::LogGroup;
use crate::names::GroupName;
use crate::reconcile::key_of;
use crate::{Error, Logs, resource_policy};

/// How many deletions one round takes up.
const DELETIONS_A_ROUND_MAX: usize = 100;

/// A group that has been deleted. Its record's id is the group's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// Since when.
    pub since: Timestamp,
}

impl Record for Deletion {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "log-group-deletion";
}

/// Leaves the record by which the rest of a group is removed.
pub(crate) fn schedule(tx: &mut Tx, group: &GroupName, id: &str, now: Timestamp) {
    tx.insert(&group.scope(), &[id], &Deletion { since: now });
}

/// The reconciler.
pub struct Deletions {
    logs: Logs,
    has_swept: AtomicBool,
}

impl Deletions {
    /// The reconciler of a service.
    pub fn new(logs: &Logs) -> Self {
        Self { logs: logs.clone(), has_swept: AtomicBool::new(false) }
    }

    async fn observe(&self) -> Result<Observed, Error> {
        let deletions = self.logs.platform.store.list_everywhere::<Deletion>(None, DELETIONS_A_ROUND_MAX).await?;
        let strays = if self.has_swept.load(Ordering::Relaxed) { Vec::new() } else { self.strays().await? };
        self.has_swept.store(true, Ordering::Relaxed);
        Ok(Observed { deletions: deletions.items, more: deletions.more, strays })
    }

    /// Folders of events whose group is neither there nor being deleted. The folders are listed first: a group is there
    /// before its folder.
    async fn strays(&self) -> Result<Vec<GroupKey>, Error> {
        let folders = self.logs.blocking(|segments| segments.groups()).await?;
        if folders.is_empty() {
            return Ok(folders);
        }
        let mut known = BTreeSet::new();
        let store = &self.logs.platform.store;
        let (mut groups, mut deletions) = (None, None);
        loop {
            let page = store.list_everywhere::<LogGroup>(groups.as_deref(), usize::MAX).await?;
            known.extend(page.items.iter().filter_map(|group| key_of(&group.scope, &group.storage_id)));
            groups = page.next;
            if groups.is_none() {
                break;
            }
        }
        loop {
            let page = store.list_everywhere::<Deletion>(deletions.as_deref(), usize::MAX).await?;
            known.extend(page.items.iter().filter_map(|deletion| key_of(&deletion.scope, deletion.name())));
            deletions = page.next;
            if deletions.is_none() {
                break;
            }
        }
        Ok(folders.into_iter().filter(|folder| !known.contains(folder)).collect())
    }

    async fn execute(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Stray(key) => {
                let key = key.clone();
                self.logs.blocking(move |segments| segments.delete_group(&key)).await
            }
            Step::Group(deletion) => self.delete(deletion).await,
        }
    }

    async fn delete(&self, deletion: &Versioned<Deletion>) -> Result<(), Error> {
        let store = &self.logs.platform.store;
        if let Some(key) = key_of(&deletion.scope, deletion.name()) {
            self.logs.blocking(move |segments| segments.delete_group(&key)).await?;
        }
        for kind in ["log-stream", "metric-filter", "subscription-filter"] {
            let prefix = deletion.scope.key().child("logs").child(kind).child(deletion.name());
            while !store.range(Range::prefix(&prefix).limit(1)).await?.entries.is_empty() {
                let delete = Op::DeletePrefix { prefix: prefix.clone(), limit: PREFIX_DELETIONS_MAX };
                store.txn(Txn { then: vec![delete], ..Txn::default() }).await?;
            }
        }
        let mut tx = Tx::new();
        if let Some(policy) = resource_policy::of_group(store, &deletion.scope, deletion.name()).await? {
            tx.remove(&policy);
        }
        tx.remove(deletion);
        match store.commit(tx).await {
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// What is there to be removed.
#[derive(Debug)]
pub struct Observed {
    deletions: Vec<Versioned<Deletion>>,
    more: bool,
    strays: Vec<GroupKey>,
}

/// One removal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// All of a group.
    Group(Versioned<Deletion>),
    /// Events that belong to no group.
    Stray(GroupKey),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(deletion) => write!(f, "remove what was in log group {}", deletion.name()),
            Self::Stray(key) => write!(f, "remove the events {key}, which belong to no log group"),
        }
    }
}

impl Planned for Deletions {
    type Observed = Observed;
    type Step = Step;

    fn name(&self) -> &str {
        "logs/deletion"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Deletion>()]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Observed, Cause>> {
        Box::pin(async { Ok(Self::observe(self).await?) })
    }

    fn plan(&self, observed: &Observed, now: Timestamp) -> Plan<Step> {
        let groups = observed.deletions.iter().cloned().map(Step::Group);
        let steps = groups.chain(observed.strays.iter().cloned().map(Step::Stray)).collect();
        Plan { steps, due: observed.more.then_some(now) }
    }

    fn execute<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move { Ok(Self::execute(self, step).await?) })
    }
}

/// The reconciler, to be started.
pub fn reconciler(logs: &Logs) -> Arc<dyn platform::Reconciler> {
    platform::planned(&logs.platform, Deletions::new(logs))
}
