//! Works out previews of lifecycle policies, and lets their results go after a day.

use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use store::{Tx, Versioned};

use crate::lifecycle::document::{self, Action};
use crate::lifecycle::{
    PREVIEW_KEPT, Preview, PreviewResult, PreviewResults, PreviewStatus, RESULTS_A_CHUNK, Snapshot, results_key,
};
use crate::reconcile::deletion::remove_below;
use crate::{Ecr, Error};

struct Previews {
    ecr: Ecr,
}

/// What is to be done with a preview.
enum Step {
    /// It is worked out.
    WorkOut(Versioned<Preview>),
    /// Its results go.
    Expire(Versioned<Preview>),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkOut(preview) => write!(f, "work out the lifecycle policy preview {}", preview.value.id),
            Self::Expire(preview) => write!(f, "drop the results of the lifecycle policy preview {}", preview.value.id),
        }
    }
}

impl Planned for Previews {
    type Observed = Vec<Versioned<Preview>>;
    type Step = Step;

    fn name(&self) -> &str {
        "ecr/lifecycle-preview"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Preview>()]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>> {
        Box::pin(async {
            let (mut previews, mut after) = (Vec::new(), None);
            loop {
                let store = &self.ecr.platform.store;
                let page = store.list_everywhere::<Preview>(after.as_deref(), usize::MAX).await?;
                previews.extend(page.items);
                after = page.next;
                if after.is_none() {
                    return Ok(previews);
                }
            }
        })
    }

    fn plan(&self, observed: &Self::Observed, now: Timestamp) -> Plan<Step> {
        let mut plan = Plan::default();
        for preview in observed {
            let expires = preview.started.plus(PREVIEW_KEPT);
            match preview.status {
                PreviewStatus::InProgress => plan.steps.push(Step::WorkOut(preview.clone())),
                PreviewStatus::Complete { .. } if expires <= now => plan.steps.push(Step::Expire(preview.clone())),
                PreviewStatus::Complete { .. } => plan.due = plan.due.into_iter().chain([expires]).min(),
                PreviewStatus::Expired => {}
            }
        }
        plan
    }

    fn execute<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move {
            match step {
                Step::WorkOut(preview) => self.work_out(preview).await?,
                Step::Expire(preview) => {
                    remove_below(&self.ecr.platform.store, &results_key(&preview.scope, preview.name())).await?;
                    self.settle(preview, PreviewStatus::Expired).await?;
                }
            }
            Ok(())
        })
    }
}

impl Previews {
    async fn work_out(&self, preview: &Versioned<Preview>) -> Result<(), Error> {
        let (store, scope, repository_id) = (&self.ecr.platform.store, &preview.scope, preview.name());
        // Those of the preview before, or of a try that was interrupted.
        remove_below(store, &results_key(scope, repository_id)).await?;
        let snapshot = Snapshot::read(store, scope, repository_id).await?;
        let document = document::parse(&preview.text)?;
        let verdicts = snapshot.evaluate(&document, self.ecr.platform.clock.now());
        let of = |action| u32::try_from(verdicts.iter().filter(|(it, _)| it.action == action).count());
        let status = PreviewStatus::Complete {
            expiring: of(Action::Expire).unwrap_or(u32::MAX),
            archiving: of(Action::Archive).unwrap_or(u32::MAX),
        };
        for (number, chunk) in verdicts.chunks(RESULTS_A_CHUNK).enumerate() {
            let results = chunk.iter().map(|(verdict, it)| PreviewResult::new(verdict, it.name(), it)).collect();
            let mut tx = Tx::new();
            // Should another preview have been started, these results are nobody's.
            tx.require(preview);
            let id = [repository_id, &preview.value.id, &format!("{number:08}")];
            tx.insert(scope, &id, &PreviewResults(results));
            match store.commit(tx).await {
                Ok(_) => {}
                Err(error) if error.is_conflict() => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.settle(preview, status).await
    }

    async fn settle(&self, preview: &Versioned<Preview>, status: PreviewStatus) -> Result<(), Error> {
        let mut tx = Tx::new();
        tx.replace(preview, &Preview { status, ..preview.value.clone() });
        match self.ecr.platform.store.commit(tx).await {
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The reconciler, to be started.
pub fn reconciler(ecr: &Ecr) -> Arc<dyn Reconciler> {
    platform::planned(&ecr.platform, Previews { ecr: ecr.clone() })
}
