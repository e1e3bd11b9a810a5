//! Brings one workload further on its node, until it is as it should be or something has to be waited for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use store::{Scope, StoreError, Versioned, Watch};
use workload::{Container, Desired, Reason, ReasonCode, Spec, WorkloadId};

use super::super::change::Update;
use super::super::end::stop_reason;
use super::super::{Assignment, DriverError, Placement, Specification, Workload, WorkloadError};
use super::state::Known;
use super::step::{Step, next};
use super::{Shared, placements_key};
use crate::backoff::Backoff;
use crate::reconciler::Cause;

/// How often an image is tried that cannot be had for a reason that may pass.
const IMAGE_TRIES_MAX: u32 = 3;
/// When something is tried again that the node did not do.
const RETRY: Backoff = Backoff { first: Duration::from_millis(250), longest: Duration::from_secs(15) };

/// Whether to look once more.
enum Then {
    Again,
    Enough,
}

/// Brings a workload further. A failure of the node is noted and tried again later; an error is the store's.
pub(super) async fn settle(shared: Arc<Shared>, id: WorkloadId) -> Result<(), Cause> {
    while shared.state.is_ready() {
        let place = [shared.node.as_str(), id.as_str()];
        let placement = shared.workloads.store().read::<Placement>(&Scope::system(), &place).await?;
        let known = shared.state.known_of(&id);
        let then = match (next(placement.as_deref(), known.as_ref()), placement) {
            (Step::Nothing, _) => break,
            (Step::Assign, Some(placement)) => shared.assign(&id, &placement, known).await?,
            (Step::Lose, _) => {
                let message = format!("node {} does not know it any more", shared.node);
                shared.end(&id, Reason::new(ReasonCode::HostLost, message)).await?
            }
            (Step::Retire, _) => shared.retire(&id).await,
            (Step::Forget, Some(placement)) => shared.forget(&id, &placement).await?,
            (Step::Kill, _) => shared.kill(&id, known).await,
            // These are steps of placements alone.
            (Step::Assign | Step::Forget, None) => break,
        };
        if matches!(then, Then::Enough) {
            break;
        }
    }
    Ok(())
}

impl Shared {
    async fn assign(
        self: &Arc<Self>,
        id: &WorkloadId,
        placement: &Versioned<Placement>,
        known: Option<Known>,
    ) -> Result<Then, Cause> {
        let scope = placement.scope();
        let store = self.workloads.store();
        // Before the workload is read: whoever changes what is wanted of it later is seen.
        let changes = store.watch(&placements_key(&self.node).child(id.as_str()), store.revision());
        let workload = store.read::<Workload>(&scope, &[id.as_str()]).await?;
        let Some(spec) = store.read::<Specification>(&scope, &[id.as_str()]).await? else {
            // It was removed meanwhile.
            return Ok(if placement.is_removed { Then::Again } else { Then::Enough });
        };
        let desired = workload.as_ref().map_or_else(removed, |workload| workload.desired.clone());
        if known.is_none() && desired != Desired::Running {
            return self.end(id, Reason::new(ReasonCode::Asked, stop_reason(&desired))).await;
        }
        let images = match (&known, &workload) {
            (None, Some(workload)) => match self.prepare_unless_changed(id, &scope, workload, changes).await? {
                Ok(Some(images)) => images,
                Ok(None) => return Ok(Then::Again),
                Err(error) => return self.image_failed(id, error).await,
            },
            (Some(known), _) if !known.images.is_empty() => known.images.clone(),
            (_, workload) => workload.as_ref().map(|workload| workload.images.clone()).unwrap_or_default(),
        };
        let generation = placement.generation;
        let assignment = Assignment { id: id.clone(), generation, spec: spec.value.0, desired, images: images.clone() };
        match self.driver.assign(assignment).await {
            Ok(()) => {
                self.state.assigned(id, generation, images, false);
                // Nobody need want to know.
                let _ = self.workloads.takes.send(id.clone());
                self.workloads.activities.clear(id);
                Ok(Then::Again)
            }
            Err(DriverError::Refused(why)) if known.is_none() => {
                self.end(id, Reason::new(ReasonCode::Refused, why)).await
            }
            Err(error) => Ok(self.again_later(id, &error)),
        }
    }

    /// Makes the images ready; nothing if something else is wanted of the workload meanwhile. The inner error is about an
    /// image.
    async fn prepare_unless_changed(
        self: &Arc<Self>,
        id: &WorkloadId,
        scope: &Scope,
        workload: &Versioned<Workload>,
        mut changes: Watch,
    ) -> Result<Result<Option<BTreeMap<String, String>>, DriverError>, StoreError> {
        let prepared = tokio::select! {
            prepared = self.prepare(scope, workload) => Ok(prepared.map(Some)),
            changed = changes.next() => match changed {
                Ok(_) | Err(StoreError::Compacted { .. }) => Ok(Ok(None)),
                Err(error) => Err(error),
            },
        };
        self.workloads.activities.clear(id);
        prepared
    }

    async fn image_failed(&self, id: &WorkloadId, error: DriverError) -> Result<Then, Cause> {
        // A node that has died is not the image's fault.
        if !self.state.is_ready() {
            return Ok(Then::Enough);
        }
        let mut tries = 0;
        self.state.failed(id, |retry| {
            retry.image_failures += 1;
            tries = retry.image_failures;
        });
        match error {
            DriverError::Unavailable(_) if tries < IMAGE_TRIES_MAX => Ok(self.again_later(id, &error)),
            DriverError::Unavailable(why) | DriverError::Refused(why) => {
                self.end(id, Reason::new(ReasonCode::CannotPull, why)).await
            }
        }
    }

    /// Writes down that a workload has ended without its node telling.
    async fn end(&self, id: &WorkloadId, reason: Reason) -> Result<Then, Cause> {
        self.workloads.activities.clear(id);
        self.state.settled(id);
        self.workloads.update_placed(&self.node, &[(id.clone(), Update::Ended(reason))]).await?;
        Ok(Then::Again)
    }

    async fn retire(&self, id: &WorkloadId) -> Then {
        match self.driver.retire(id).await {
            Ok(()) => {
                self.state.retired(id);
                Then::Again
            }
            Err(error) => self.again_later(id, &error),
        }
    }

    async fn forget(&self, id: &WorkloadId, placement: &Versioned<Placement>) -> Result<Then, Cause> {
        self.workloads.activities.clear(id);
        self.state.retired(id);
        match self.workloads.forget_placement(&self.node, placement).await {
            Ok(()) => Ok(Then::Again),
            Err(error) if error.is_conflict() => Ok(Then::Again),
            Err(error) => Err(WorkloadError::from(error).into()),
        }
    }

    /// Has the node kill what nobody here wanted: it was restored from a backup, or belonged to another server.
    async fn kill(&self, id: &WorkloadId, known: Option<Known>) -> Then {
        let generation = known.map_or(1, |known| known.generation.saturating_add(1));
        tracing::warn!(node = %self.node, workload = %id, "the node has a workload that nobody here wanted; it is killed");
        // What it is never changes, so the node looks at the rest alone.
        let assignment = Assignment {
            id: id.clone(),
            generation,
            spec: anything(),
            desired: Desired::Stopped { timeout_s: Some(0), reason: "nobody wants it".to_owned() },
            images: BTreeMap::new(),
        };
        match self.driver.assign(assignment).await {
            Ok(()) => {
                self.state.assigned(id, generation, BTreeMap::new(), true);
                Then::Again
            }
            Err(error) => self.again_later(id, &error),
        }
    }

    fn again_later(&self, id: &WorkloadId, error: &DriverError) -> Then {
        let now = self.workloads.now();
        self.state.failed(id, |retry| {
            retry.failures = retry.failures.saturating_add(1);
            retry.at = now.plus(RETRY.delay(retry.failures, &*self.workloads.platform.rng));
        });
        self.workloads.activities.set(id, format!("it is tried again: {error}"));
        tracing::info!(node = %self.node, workload = %id, %error, "a workload could not be brought further yet");
        Then::Enough
    }
}

/// A specification that is one.
fn anything() -> Spec {
    let (name, image) = ("unknown".to_owned(), "unknown".to_owned());
    Spec { containers: vec![Container { name, image, essential: true, ..Container::default() }], ..Spec::default() }
}

fn removed() -> Desired {
    Desired::Stopped { timeout_s: Some(0), reason: "it was removed".to_owned() }
}
