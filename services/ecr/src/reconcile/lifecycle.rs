//! Executes lifecycle policies: soon after one is set, and every hour from then on. (User guide: "within 24 hours".)

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use store::{StoreError, Tx, Versioned};

use crate::image::Manifest;
use crate::image::delete::{Condition, image_if};
use crate::lifecycle::document::{self, Action};
use crate::lifecycle::{LifecyclePolicy, Snapshot};
use crate::names::RepositoryName;
use crate::repository::{self, Found};
use crate::{Ecr, Error};

/// How often a policy is executed.
const EVERY: Duration = Duration::from_secs(3600);
/// The longest round: a policy may expire the images of years.
const ROUND_LIMIT: Duration = Duration::from_secs(1800);

struct Lifecycle {
    ecr: Ecr,
}

/// A policy is executed.
struct Execute(Versioned<LifecyclePolicy>);

impl fmt::Display for Execute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "execute the lifecycle policy of repository {}", self.0.repository)
    }
}

impl Planned for Lifecycle {
    type Observed = Vec<Versioned<LifecyclePolicy>>;
    type Step = Execute;

    fn name(&self) -> &str {
        "ecr/lifecycle"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<LifecyclePolicy>()]
    }

    fn limit(&self) -> Duration {
        ROUND_LIMIT
    }

    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>> {
        Box::pin(async {
            let (mut policies, mut after) = (Vec::new(), None);
            loop {
                let store = &self.ecr.platform.store;
                let page = store.list_everywhere::<LifecyclePolicy>(after.as_deref(), usize::MAX).await?;
                policies.extend(page.items);
                after = page.next;
                if after.is_none() {
                    return Ok(policies);
                }
            }
        })
    }

    fn plan(&self, observed: &Self::Observed, now: Timestamp) -> Plan<Execute> {
        let due = |policy: &LifecyclePolicy| policy.last_evaluated.map_or(now, |last| last.plus(EVERY));
        let steps = observed.iter().filter(|policy| due(policy) <= now).cloned().map(Execute).collect();
        let next = observed.iter().map(|policy| due(policy)).filter(|due| *due > now).min();
        Plan { steps, due: next }
    }

    fn execute<'a>(&'a self, step: &'a Execute) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move { Ok(self.run(&step.0).await?) })
    }
}

impl Lifecycle {
    async fn run(&self, policy: &Versioned<LifecyclePolicy>) -> Result<(), Error> {
        let Some(repository) = repository_of(&self.ecr, policy).await? else { return Ok(()) };
        let now = self.ecr.platform.clock.now();
        // A stored text was read before it was stored; one that cannot be read any more does nothing.
        if let Ok(document) = document::parse(&policy.text) {
            let (store, scope) = (&self.ecr.platform.store, &policy.scope);
            let snapshot = Snapshot::read(store, scope, repository.id()).await?;
            for (verdict, manifest) in snapshot.evaluate(&document, now) {
                match verdict.action {
                    Action::Expire => self.expire(policy, &repository, manifest).await?,
                    Action::Archive => self.archive(policy, manifest, now).await?,
                }
            }
            for orphan in snapshot.orphans(now) {
                self.expire(policy, &repository, orphan).await?;
            }
        }
        self.note(policy, now).await
    }

    /// Deletes an image, unless it or the policy has changed since it was looked at.
    async fn expire(
        &self,
        policy: &Versioned<LifecyclePolicy>,
        repository: &Found,
        manifest: &Versioned<Manifest>,
    ) -> Result<(), Error> {
        let Ok(digest) = manifest.name().parse() else { return Ok(()) };
        let seen = &manifest.value;
        let condition = Condition {
            is_still: |present: &Manifest| {
                let mut present = present.clone();
                present.forget_blobs();
                present == *seen
            },
            reason: Some((policy.key.clone(), policy.modified)),
        };
        image_if(&self.ecr.platform.store, repository, &digest, condition).await.map(drop)
    }

    async fn archive(
        &self,
        policy: &Versioned<LifecyclePolicy>,
        manifest: &Versioned<Manifest>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let store = &self.ecr.platform.store;
        let id = [manifest.repository_id.as_str(), manifest.name()];
        let present: Option<Versioned<Manifest>> = store.read(&manifest.scope, &id).await?;
        let Some(present) = present.filter(|present| present.modified == manifest.modified) else { return Ok(()) };
        let mut archived = present.value.clone();
        archived.storage.archive(now);
        let mut tx = Tx::new();
        tx.require(policy).replace(&present, &archived);
        ignoring_conflicts(store.commit(tx).await.map(drop))
    }

    async fn note(&self, policy: &Versioned<LifecyclePolicy>, now: Timestamp) -> Result<(), Error> {
        let mut tx = Tx::new();
        tx.replace(policy, &LifecyclePolicy { last_evaluated: Some(now), ..policy.value.clone() });
        ignoring_conflicts(self.ecr.platform.store.commit(tx).await.map(drop))
    }
}

/// The repository that a policy is of, if it is still there.
async fn repository_of(ecr: &Ecr, policy: &Versioned<LifecyclePolicy>) -> Result<Option<Found>, Error> {
    let (Some(registry), Some(region)) = (policy.scope.account(), policy.scope.region().cloned()) else {
        return Ok(None);
    };
    let name = RepositoryName { registry, region, name: policy.repository.clone() };
    match repository::find(&ecr.platform.store, name).await {
        Ok(found) => Ok(Some(found).filter(|found| found.id() == policy.name())),
        Err(Error::RepositoryNotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What has changed meanwhile is looked at again in the next round.
fn ignoring_conflicts(outcome: Result<(), StoreError>) -> Result<(), Error> {
    match outcome {
        Err(error) if !error.is_conflict() => Err(error.into()),
        _ => Ok(()),
    }
}

/// The reconciler, to be started.
pub fn reconciler(ecr: &Ecr) -> Arc<dyn Reconciler> {
    platform::planned(&ecr.platform, Lifecycle { ecr: ecr.clone() })
}
