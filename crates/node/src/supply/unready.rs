//! Images that are here and not unpacked: a crash cut it off, the node was away, or its layers were lost with the power.
//!
//! Compared is what the records say with what the node has; there is no list of what is to be done that could be lost.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use images::{Digest, Reference};
use store::Versioned;
use tokio::time::timeout;

use super::tracker::Tracker;
use super::{Means, Progress, PulledImage, Supply, SupplyError, record};
use crate::client::NodeError;
use crate::protocol::{FailureKind, Urgency};

/// Images that one round has unpacked, one after the other.
pub const UNREADY_ROUND_MAX: usize = 16;
/// How long one may take.
pub const UNREADY_LIMIT: Duration = Duration::from_secs(1800);

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readied {
    /// How many images were unpacked.
    pub images: u64,
    /// How many are to be looked at again: somebody pulls them right now, or did meanwhile, or the round has had its share.
    pub left: u64,
}

/// Images that the node could not unpack, and could not if it tried again. After a start it does, or when the name means
/// something else.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<HashMap<Reference, Digest>>);

impl Refused {
    fn has(&self, image: &PulledImage) -> bool {
        let refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.get(&image.reference) == Some(&image.manifest)
    }

    fn add(&self, image: &PulledImage) {
        let mut refused = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(image.reference.clone(), image.manifest);
    }

    /// Forgets those that are not pulled any more, so that there are never more than there are images.
    fn retain(&self, pulled: &[Versioned<PulledImage>]) {
        let names: HashSet<&Reference> = pulled.iter().map(|image| &image.value.reference).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|reference, _| names.contains(reference));
    }
}

impl Supply {
    /// Has images unpacked that were pulled and are not ready. One that fails keeps no other from it.
    ///
    /// # Errors
    /// Of several the first. Those that will fail each time are told once.
    pub async fn ready_pulled(&self) -> Result<Readied, SupplyError> {
        let means = &self.means;
        let Some(node) = &means.parts.node else { return Ok(Readied::default()) };
        let pulled = record::all(&means.parts.store).await?;
        means.refused.retain(&pulled);
        if pulled.is_empty() {
            return Ok(Readied::default());
        }
        let ready: HashMap<Reference, Digest> =
            node.images().await?.into_iter().filter(|it| it.ready).map(|it| (it.reference, it.manifest)).collect();
        let is_unready =
            |image: &PulledImage| ready.get(&image.reference) != Some(&image.manifest) && !means.refused.has(image);
        let (mut readied, mut tried, mut failure) = (Readied::default(), 0, None);
        for image in pulled.iter().map(|image| &image.value).filter(|image| is_unready(image)) {
            if tried == UNREADY_ROUND_MAX || self.pulls.any(|order| order.reference == image.reference) {
                readied.left += 1;
                continue;
            }
            tried += 1;
            match means.make_ready(image).await {
                Ok(true) => readied.images += 1,
                Ok(false) => readied.left += 1,
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(readied), Err)
    }
}

impl Means {
    /// Has an image unpacked. Answers whether it still is what was pulled by then.
    async fn make_ready(&self, image: &PulledImage) -> Result<bool, SupplyError> {
        let PulledImage { reference, root, machine, .. } = image;
        let unseen = Tracker::new(tokio::sync::watch::channel(Progress::default()).0);
        let prepare = self.prepare(reference, root, Some(machine.clone()), Urgency::Background, &unseen);
        let prepared = timeout(UNREADY_LIMIT, prepare).await;
        match prepared.map_err(|_| SupplyError::BrokenOff).flatten() {
            Err(SupplyError::Unpack { reference, source }) if is_for_good(&source) => {
                self.refused.add(image);
                return Err(SupplyError::Unpack { reference, source });
            }
            prepared => prepared?,
        };
        // It may have been removed or pulled anew meanwhile; what is pulled anew names it, too, and may have done so before.
        let Some(now) = record::find(&self.parts.store, reference).await? else {
            self.forget(reference).await?;
            return Ok(false);
        };
        Ok(now.value.manifest == image.manifest)
    }
}

/// Whether nothing but another pull can help.
fn is_for_good(error: &NodeError) -> bool {
    error.is_permanent() || matches!(error.kind(), Some(FailureKind::NotFound | FailureKind::Mismatch))
}
