//! Adds up how far a pull has come.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use images::remote::{self, Arrival, RemoteError};
use images::{Descriptor, Digest};
use tokio::sync::watch;

use super::{Phase, Progress};
use crate::protocol;

/// Hears of single layers and tells of all of them.
#[derive(Debug)]
pub(super) struct Tracker {
    blobs: Mutex<HashMap<Digest, Blob>>,
    told: watch::Sender<Progress>,
}

#[derive(Debug, Clone, Copy)]
struct Blob {
    done: u64,
    size: u64,
    is_here: bool,
}

impl Tracker {
    pub(super) fn new(told: watch::Sender<Progress>) -> Self {
        Self { blobs: Mutex::default(), told }
    }

    /// The node goes on.
    pub(super) fn unpacking(&self, node: &protocol::Progress) {
        self.told.send_replace(Progress {
            phase: Phase::Unpacking,
            bytes_done: node.bytes_done,
            bytes_total: node.bytes_total,
            layers_done: node.layers_done,
            layers_total: node.layers_total,
            trouble: None,
        });
    }

    /// Layers are about to be unpacked.
    pub(super) fn begin_unpacking(&self) {
        self.told.send_replace(Progress { phase: Phase::Unpacking, ..Progress::default() });
    }

    fn change(&self, blob: &Descriptor, change: impl FnOnce(&mut Blob)) {
        if !is_layer(blob) {
            return;
        }
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        change(blobs.entry(blob.digest).or_insert(Blob { done: 0, size: blob.size, is_here: false }));
        // An image has few blobs: adding them up anew is cheaper than being wrong once.
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let total = |part: fn(&Blob) -> u64| blobs.values().map(part).fold(0, u64::saturating_add);
        let progress = Progress {
            phase: Phase::Downloading,
            bytes_done: total(|blob| blob.done.min(blob.size)),
            bytes_total: total(|blob| blob.size),
            layers_done: count(blobs.values().filter(|blob| blob.is_here).count()),
            layers_total: count(blobs.len()),
            trouble: None,
        };
        // Told under the lock, so that what is told last is the latest.
        self.told.send_replace(progress);
    }
}

impl remote::Progress for Tracker {
    fn planned(&self, blob: &Descriptor) {
        self.change(blob, |_| {});
    }

    fn advanced(&self, blob: &Descriptor, bytes_done: u64) {
        self.change(blob, |it| it.done = bytes_done);
    }

    fn finished(&self, blob: &Descriptor, _: Arrival) {
        self.change(blob, |it| (it.done, it.is_here) = (it.size, true));
    }

    fn retrying(&self, error: &RemoteError, wait: Duration) {
        let trouble = format!("{}; again in {} s", super::chain(error), wait.as_secs_f32().ceil());
        self.told.send_modify(|progress| progress.trouble = Some(trouble));
    }
}

/// Whether a blob is a layer: those are what takes time, and what is unpacked afterwards. (OCI's types of layers hold
/// `layer`, Docker's `rootfs`.)
fn is_layer(blob: &Descriptor) -> bool {
    ["layer", "rootfs"].iter().any(|part| blob.media_type.contains(part))
}

#[cfg(test)]
mod tests {
    use images::Algorithm;
    use remote::Progress as _;

    use super::*;

    fn blob(name: &[u8], size: u64) -> Descriptor {
        let digest = Digest::of(Algorithm::Sha256, name);
        Descriptor { media_type: "application/vnd.oci.image.layer.v1.tar".to_owned(), digest, size, platform: None }
    }

    #[test]
    fn what_is_told_is_the_sum_over_all_blobs() {
        let (sender, told) = watch::channel(Progress::default());
        let tracker = Tracker::new(sender);
        let (a, b) = (blob(b"a", 100), blob(b"b", 50));
        tracker.planned(&Descriptor {
            media_type: "application/vnd.oci.image.config.v1+json".to_owned(),
            ..blob(b"c", 7)
        });
        assert_eq!(*told.borrow(), Progress::default(), "documents are no work");
        tracker.planned(&a);
        tracker.planned(&b);
        tracker.advanced(&a, 40);
        tracker.finished(&b, Arrival::Present);
        let expected = Progress {
            phase: Phase::Downloading,
            bytes_done: 90,
            bytes_total: 150,
            layers_done: 1,
            layers_total: 2,
            trouble: None,
        };
        assert_eq!(*told.borrow(), expected);
        tracker.retrying(&RemoteError::Stopped, Duration::from_millis(1500));
        assert_eq!(told.borrow().trouble.as_deref(), Some("the pull was stopped; again in 2 s"));
        tracker.advanced(&a, 10);
        assert_eq!((told.borrow().bytes_done, &told.borrow().trouble), (60, &None), "it may fall back");
    }
}
