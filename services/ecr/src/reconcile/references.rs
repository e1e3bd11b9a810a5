//! Takes blobs from repositories that no image there has any more.
//!
//! It must not take one from an image that is just being pushed, and pushes must not wait for it. Two marks see to that,
//! keys that are written blindly: the *last push* whenever a manifest comes into a repository, the *last sweep* whenever
//! blobs are taken from it.
//!
//! - A sweep reads the last push, then the manifests and references, and commits only if there has been no push since.
//!   So no manifest has come that it does not know.
//! - A push reads the last sweep, then the references that it needs, and commits only if there has been no sweep since. So
//!   all of them are there still.
//!
//! Whichever commits first, the other one reads again. Besides, a blob is left alone for [`UNUSED_KEPT`] after a client was
//! last told that it is there: whoever skipped its upload then has so long to push the manifest.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{Attempts, BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use store::{Key, ListOptions, Op, StoreError, Tx, Versioned};

use crate::digest::ContentDigest;
use crate::image::push::{Mark, push_key, sweep_key};
use crate::image::{self, Manifest};
use crate::layer::{self, BlobReference};
use crate::repository::{Found, Repository};
use crate::{Ecr, Error};

/// How long a blob that no image has is kept after it came or was last asked for.
pub const UNUSED_KEPT: Duration = Duration::from_secs(24 * 3600);
/// How often it looks.
const EVERY: Duration = Duration::from_secs(3600);
/// How many references one transaction removes.
const REFERENCES_A_STEP: usize = 100;

struct References {
    ecr: Ecr,
}

/// The unused blobs of a repository go.
struct Sweep(Versioned<Repository>);

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "take unused blobs from repository {}", self.0.name())
    }
}

impl Planned for References {
    type Observed = Vec<Versioned<Repository>>;
    type Step = Sweep;

    fn name(&self) -> &str {
        "ecr/unused-blobs"
    }

    fn wakes(&self) -> Vec<Wake> {
        Vec::new()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>> {
        Box::pin(async { Ok(self.repositories().await?) })
    }

    fn plan(&self, observed: &Self::Observed, now: Timestamp) -> Plan<Sweep> {
        Plan { steps: observed.iter().cloned().map(Sweep).collect(), due: Some(now.plus(EVERY)) }
    }

    fn execute<'a>(&'a self, step: &'a Sweep) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move { Ok(sweep(&self.ecr, &step.0).await.map(drop)?) })
    }
}

impl References {
    /// The repositories that have a blob that may be unused by now.
    async fn repositories(&self) -> Result<Vec<Versioned<Repository>>, Error> {
        let store = &self.ecr.platform.store;
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.list_everywhere::<Repository>(after.as_deref(), usize::MAX).await?;
            for repository in page.items {
                if !candidates(&self.ecr, &repository).await?.is_empty() {
                    found.push(repository);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }
}

/// The references of a repository to blobs that no image has and that nobody has asked for lately.
async fn candidates(ecr: &Ecr, repository: &Versioned<Repository>) -> Result<Vec<Versioned<BlobReference>>, Error> {
    let (store, scope, id) = (&ecr.platform.store, &repository.scope, repository.value.id.as_str());
    let now = ecr.platform.clock.now();
    let (mut old, mut after) = (Vec::new(), None);
    loop {
        let options = ListOptions { id_prefix: &[id], after: after.as_deref(), ..ListOptions::default() };
        let page = store.list::<BlobReference>(scope, options).await?;
        old.extend(page.items.into_iter().filter(|reference| now.since(reference.seen) > UNUSED_KEPT));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if old.is_empty() {
        return Ok(old);
    }
    let names: BTreeSet<&str> = old.iter().map(Versioned::name).collect();
    let mut used = BTreeSet::new();
    let look = |manifest: Versioned<Manifest>| {
        let blobs = manifest.kind.blobs().iter().map(|blob| blob.digest.as_str());
        used.extend(blobs.filter_map(|digest| names.get(digest).map(|name| (*name).to_owned())));
        ControlFlow::Continue(())
    };
    image::each(store, scope, id, look).await?;
    old.retain(|reference| !used.contains(reference.name()));
    Ok(old)
}

/// Takes the unused blobs from a repository, and answers how many that were. A push that comes in between ends it: the
/// next round goes on.
///
/// # Errors
/// What the store answers.
pub async fn sweep(ecr: &Ecr, repository: &Versioned<Repository>) -> Result<usize, Error> {
    let (store, scope, id) = (&ecr.platform.store, &repository.scope, repository.value.id.as_str());
    let pushed = Mark::read(store, push_key(scope, id)).await?;
    let unused = candidates(ecr, repository).await?;
    let mut taken = 0;
    for some in unused.chunks(REFERENCES_A_STEP) {
        let mut tx = Tx::new();
        pushed.require(&mut tx);
        for reference in some {
            tx.remove(reference);
        }
        tx.op(swept(ecr, sweep_key(scope, id)));
        match store.commit(tx).await {
            Ok(_) => taken += some.len(),
            Err(StoreError::Conflict { .. }) => return Ok(taken),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(taken)
}

/// What became of a blob that was to be taken from a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The repository has it no more.
    Gone,
    /// The repository had it not.
    NotFound,
    /// An image has it.
    InUse,
}

/// Takes one blob from a repository, however new it is, unless an image has it.
///
/// # Errors
/// What the store answers.
pub async fn take(ecr: &Ecr, repository: &Found, digest: &ContentDigest) -> Result<Taken, Error> {
    let mut attempts = Attempts::new();
    loop {
        let outcome = take_once(ecr, repository, digest).await;
        if !attempts.again(&outcome) {
            return outcome;
        }
    }
}

async fn take_once(ecr: &Ecr, repository: &Found, digest: &ContentDigest) -> Result<Taken, Error> {
    let (store, scope, id) = (&ecr.platform.store, &repository.record.scope, repository.id());
    let pushed = Mark::read(store, push_key(scope, id)).await?;
    let Some(reference) = layer::read(store, repository, digest).await? else { return Ok(Taken::NotFound) };
    if image::is_blob_used(store, scope, id, digest).await? {
        return Ok(Taken::InUse);
    }
    let mut tx = Tx::new();
    pushed.require(&mut tx);
    tx.remove(&reference).op(swept(ecr, sweep_key(scope, id)));
    store.commit(tx).await?;
    Ok(Taken::Gone)
}

/// Writes that blobs were taken.
fn swept(ecr: &Ecr, key: Key) -> Op {
    Op::Put { key, value: ecr.platform.clock.now().as_millis().to_string().into_bytes(), lease: None }
}

/// The reconciler, to be started.
pub fn reconciler(ecr: &Ecr) -> Arc<dyn Reconciler> {
    platform::planned(&ecr.platform, References { ecr: ecr.clone() })
}
