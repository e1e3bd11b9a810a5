//! Lets events go whose group says how long it keeps them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Wake};
use segments::GroupKey;

use crate::group::LogGroup;
use crate::ingest::expiry;
use crate::reconcile::key_of;
use crate::{Error, Logs};

/// How often it looks. AWS says that expired events may be answered for up to 72 hours.
const EVERY: Duration = Duration::from_secs(3600);

/// The reconciler.
pub struct Retention {
    logs: Logs,
}

/// A group that does not keep its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    key: GroupKey,
    days: i32,
}

/// The events of a group from before an instant go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expire {
    key: GroupKey,
    before: Timestamp,
}

impl fmt::Display for Expire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expire the events of {} from before {}", self.key, self.before.iso8601())
    }
}

impl Retention {
    async fn groups(&self) -> Result<Vec<Kept>, Error> {
        let mut kept = Vec::new();
        let mut after = None;
        loop {
            let page = self.logs.platform.store.list_everywhere::<LogGroup>(after.as_deref(), usize::MAX).await?;
            kept.extend(page.items.iter().filter_map(|group| {
                Some(Kept { key: key_of(&group.scope, &group.storage_id)?, days: group.retention_days? })
            }));
            after = page.next;
            if after.is_none() {
                return Ok(kept);
            }
        }
    }
}

impl Planned for Retention {
    type Observed = Vec<Kept>;
    type Step = Expire;

    fn name(&self) -> &str {
        "logs/retention"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Signal(self.logs.retention_changed.clone())]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Kept>, Cause>> {
        Box::pin(async { Ok(self.groups().await?) })
    }

    fn plan(&self, kept: &Vec<Kept>, now: Timestamp) -> Plan<Expire> {
        let steps = kept.iter().map(|it| Expire { key: it.key.clone(), before: expiry(now, it.days) }).collect();
        Plan { steps, due: Some(now.plus(EVERY)) }
    }

    fn execute<'a>(&'a self, step: &'a Expire) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move {
            let Expire { key, before } = step.clone();
            match self.logs.blocking(move |segments| segments.expire(&key, before)).await {
                // The group was deleted in between.
                Ok(()) | Err(Error::GroupNotFound) => Ok(()),
                Err(error) => Err(error.into()),
            }
        })
    }
}

/// The reconciler, to be started.
pub fn reconciler(logs: &Logs) -> Arc<dyn platform::Reconciler> {
    platform::planned(&logs.platform, Retention { logs: logs.clone() })
}
