//! Adds up how far a pull has come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use images::remote::{self, Arrival, RemoteError};
use images::{Descriptor, Digest};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::ahead::Landed;
use super::{Phase, Progress, Watcher};
use crate::protocol;

/// Hears of single layers and tells of all of them.
#[derive(Debug)]
pub(super) struct Tracker {
    state: Mutex<State>,
    told: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct State {
    blobs: HashMap<Digest, Blob>,
    /// Who unpacks what has landed, until all has.
    landed: Option<UnboundedSender<Landed>>,
    /// What the node said of the image as a whole, once that is unpacked.
    image: Option<protocol::Progress>,
}

#[derive(Debug, Clone, Copy)]
struct Blob {
    done: u64,
    size: u64,
    is_here: bool,
    ahead: Ahead,
}

/// How far a layer is unpacked that the node was asked for by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ahead {
    /// It was not.
    No,
    /// So many bytes of its blob.
    UnderWay(u64),
    /// It is there, or was a moment ago.
    Finished,
}

/// A layer that is unpacked ahead of its image. One that is dropped before it was finished does not count.
#[derive(Debug)]
pub(super) struct UnpackingAhead {
    tracker: Arc<Tracker>,
    blob: Digest,
}

impl Tracker {
    pub(super) fn new(told: watch::Sender<Progress>) -> Self {
        Self { state: Mutex::default(), told }
    }

    /// From now on it is told where what has landed is.
    pub(super) fn tell_of_landed(&self, to: UnboundedSender<Landed>) {
        self.lock().landed = Some(to);
    }

    /// A layer is about to be unpacked by itself.
    pub(super) fn unpacking_ahead(self: &Arc<Self>, blob: &Descriptor) -> UnpackingAhead {
        let ahead = UnpackingAhead { tracker: Arc::clone(self), blob: blob.digest };
        ahead.is(Ahead::UnderWay(0));
        ahead
    }

    /// The node goes on with the image.
    pub(super) fn unpacking(&self, node: &protocol::Progress) {
        let mut state = self.lock();
        state.image = Some(node.clone());
        self.tell_unpacking(&state);
    }

    /// Nothing is on its way here any more: the image is about to be unpacked.
    pub(super) fn begin_unpacking(&self) {
        let mut state = self.lock();
        (state.landed, state.image) = (None, None);
        self.tell_unpacking(&state);
    }

    /// Told under the lock, so that what is told last is the latest.
    fn tell_unpacking(&self, state: &State) {
        let mut progress = state.unpacking();
        self.told.send_modify(|told| {
            // Between the end of a layer by itself and the image's hearing of it, and when one is lost that was there.
            if told.phase == Phase::Unpacking && told.bytes_total == progress.bytes_total {
                progress.bytes_done = progress.bytes_done.max(told.bytes_done);
            }
            *told = progress;
        });
    }

    fn change(&self, blob: &Descriptor, change: impl FnOnce(&mut Blob)) {
        if !is_layer(blob) {
            return;
        }
        let mut state = self.lock();
        let new = Blob { done: 0, size: blob.size, is_here: false, ahead: Ahead::No };
        change(state.blobs.entry(blob.digest).or_insert(new));
        // Told under the lock, so that what is told last is the latest.
        self.told.send_replace(state.downloading());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn downloading(&self) -> Progress {
        self.sum(Phase::Downloading, |blob| blob.done.min(blob.size), |blob| blob.is_here)
    }

    /// What the node says of the image counts no layer that is still unpacked by itself, and until it says something, what
    /// was unpacked by itself is all that is known.
    fn unpacking(&self) -> Progress {
        let Some(image) = &self.image else {
            return self.sum(Phase::Unpacking, Blob::unpacked_ahead, |blob| blob.ahead == Ahead::Finished);
        };
        let under_way = |blob: &Blob| if blob.ahead == Ahead::Finished { 0 } else { blob.unpacked_ahead() };
        let beside = self.blobs.values().map(under_way).fold(0, u64::saturating_add);
        Progress {
            phase: Phase::Unpacking,
            bytes_done: image.bytes_done.saturating_add(beside).min(image.bytes_total),
            bytes_total: image.bytes_total,
            layers_done: image.layers_done,
            layers_total: image.layers_total,
            trouble: None,
        }
    }

    /// An image has few blobs: adding them up anew is cheaper than being wrong once.
    fn sum(&self, phase: Phase, done: fn(&Blob) -> u64, is_done: fn(&Blob) -> bool) -> Progress {
        let blobs = &self.blobs;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Progress {
            phase,
            bytes_done: blobs.values().map(done).fold(0, u64::saturating_add),
            bytes_total: blobs.values().map(|blob| blob.size).fold(0, u64::saturating_add),
            layers_done: count(blobs.values().filter(|blob| is_done(blob)).count()),
            layers_total: count(blobs.len()),
            trouble: None,
        }
    }
}

impl Blob {
    fn unpacked_ahead(&self) -> u64 {
        match self.ahead {
            Ahead::No => 0,
            Ahead::UnderWay(bytes) => bytes.min(self.size),
            Ahead::Finished => self.size,
        }
    }
}

impl UnpackingAhead {
    /// So many bytes of its blob have been read.
    pub(super) fn advanced(&self, bytes: u64) {
        self.is(Ahead::UnderWay(bytes));
    }

    /// It is there.
    pub(super) fn finished(&self) {
        self.is(Ahead::Finished);
    }

    fn is(&self, ahead: Ahead) {
        let mut state = self.tracker.lock();
        if let Some(blob) = state.blobs.get_mut(&self.blob) {
            blob.ahead = ahead;
        }
        // While downloading that is what is told of.
        if state.landed.is_none() {
            self.tracker.tell_unpacking(&state);
        }
    }
}

impl Drop for UnpackingAhead {
    fn drop(&mut self) {
        let mut state = self.tracker.lock();
        if let Some(blob) = state.blobs.get_mut(&self.blob).filter(|blob| blob.ahead != Ahead::Finished) {
            blob.ahead = Ahead::No;
        }
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
        if is_layer(blob) {
            self.landed(Landed::Layer(blob.clone()));
        }
    }

    fn retrying(&self, error: &RemoteError, wait: Duration) {
        let trouble = format!("{}; again in {} s", super::chain(error), wait.as_secs_f32().ceil());
        self.told.send_modify(|progress| progress.trouble = Some(trouble));
    }
}

impl Watcher for Tracker {
    fn resolved(&self, root: &Descriptor) {
        self.landed(Landed::Root(root.clone()));
    }
}

impl Tracker {
    fn landed(&self, what: Landed) {
        if let Some(landed) = &self.lock().landed {
            // Whoever unpacks ahead may have given up.
            let _ = landed.send(what);
        }
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

    #[test]
    fn what_is_unpacked_ahead_counts_once_and_only_while_it_is_not_lost() {
        let (sender, told) = watch::channel(Progress::default());
        let tracker = Arc::new(Tracker::new(sender));
        let (sender, mut landed) = super::super::ahead::channel();
        tracker.tell_of_landed(sender);
        let (a, b, c) = (blob(b"a", 100), blob(b"b", 50), blob(b"c", 10));
        for blob in [&a, &b, &c] {
            tracker.finished(blob, Arrival::Present);
            assert!(matches!(landed.try_recv(), Ok(Landed::Layer(layer)) if layer == *blob));
        }
        let [first, second, third] = [&a, &b, &c].map(|blob| tracker.unpacking_ahead(blob));
        first.finished();
        second.advanced(20);
        third.advanced(9);
        assert_eq!(told.borrow().phase, Phase::Downloading);
        drop(third);
        tracker.begin_unpacking();
        let now = || (told.borrow().bytes_done, told.borrow().bytes_total, told.borrow().layers_done);
        assert_eq!((told.borrow().phase, now()), (Phase::Unpacking, (120, 160, 1)));
        assert!(landed.try_recv().is_err(), "nothing lands any more");
        let image = |bytes_done, layers_done| protocol::Progress {
            layer: a.digest,
            layer_bytes_done: 0,
            layer_bytes_total: 0,
            layers_done,
            layers_total: 3,
            bytes_done,
            bytes_total: 160,
        };
        tracker.unpacking(&image(100, 1));
        assert_eq!(now(), (120, 160, 1));
        second.advanced(30);
        assert_eq!(now(), (130, 160, 1));
        second.finished();
        assert_eq!(now(), (130, 160, 1));
        tracker.unpacking(&image(150, 2));
        assert_eq!(now(), (150, 160, 2));
    }
}
