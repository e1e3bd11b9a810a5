//! How far an image is on its way, as seen by whoever asked for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use images::{Digest, Layer};

use super::Agent;
use super::space::Space;
use crate::protocol::Progress;

/// The shortest time between two reports of one image.
const REPORT_EVERY: Duration = Duration::from_millis(100);

/// Follows layers into the store, reports, and ends it when nobody wants it or the disk gets full.
pub(super) struct Tracker<'a> {
    agent: &'a Agent,
    report: &'a (dyn Fn(Progress) + Sync),
    unwanted: &'a Unwanted,
    space: Space,
    state: Mutex<State>,
    was_short: AtomicBool,
}

/// Nobody wants the layers any more, once somebody says so.
#[derive(Debug, Clone, Default)]
pub(super) struct Unwanted(Arc<AtomicBool>);

#[derive(Debug)]
struct State {
    /// By the digests of blobs: how much has been read, and whether the layer is there.
    layers: HashMap<Digest, Read>,
    /// Their sums.
    bytes_done: u64,
    bytes_total: u64,
    layers_done: u32,
    reported: Option<Instant>,
}

#[derive(Debug)]
struct Read {
    done: u64,
    total: u64,
    is_ready: bool,
}

impl Unwanted {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl State {
    fn of(layers: &[Layer]) -> Self {
        let read = |layer: &Layer| (layer.blob.digest, Read { done: 0, total: layer.blob.size, is_ready: false });
        let layers: HashMap<Digest, Read> = layers.iter().map(read).collect();
        let bytes_total = layers.values().map(|layer| layer.total).fold(0, u64::saturating_add);
        Self { layers, bytes_done: 0, bytes_total, layers_done: 0, reported: None }
    }

    fn advance(&mut self, blob: &Digest, to: u64, is_ready: bool) {
        let Some(layer) = self.layers.get_mut(blob) else { return };
        // What comes late, or twice, takes nothing back.
        let to = to.min(layer.total).max(layer.done);
        self.bytes_done = self.bytes_done.saturating_add(to - layer.done);
        layer.done = to;
        if is_ready && !layer.is_ready {
            layer.is_ready = true;
            self.layers_done += 1;
        }
    }

    fn progress(&self, blob: &Digest) -> Option<Progress> {
        let layer = self.layers.get(blob)?;
        Some(Progress {
            layer: *blob,
            layer_bytes_done: layer.done,
            layer_bytes_total: layer.total,
            layers_done: self.layers_done,
            layers_total: u32::try_from(self.layers.len()).unwrap_or(u32::MAX),
            bytes_done: self.bytes_done,
            bytes_total: self.bytes_total,
        })
    }
}

impl<'a> Tracker<'a> {
    pub(super) fn new(
        agent: &'a Agent,
        layers: &[Layer],
        unwanted: &'a Unwanted,
        report: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        let space = Space::new(agent.directory().to_owned(), agent.0.options.spare_bytes);
        Self { agent, report, unwanted, space, state: Mutex::new(State::of(layers)), was_short: AtomicBool::new(false) }
    }

    /// Whether it was the disk that ended it.
    pub(super) fn was_short(&self) -> bool {
        self.was_short.load(Ordering::Relaxed)
    }

    fn advance(&self, layer: &Layer, to: u64, is_ready: bool) {
        let blob = &layer.blob.digest;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.advance(blob, to, is_ready);
        let is_due = state.reported.is_none_or(|last| last.elapsed() >= REPORT_EVERY);
        let is_last = state.layers_done as usize == state.layers.len();
        if (is_due || is_last)
            && let Some(progress) = state.progress(blob)
        {
            state.reported = Some(Instant::now());
            (self.report)(progress);
        }
    }
}

impl images::Progress for Tracker<'_> {
    fn advanced(&self, layer: &Layer, read_bytes: u64) {
        self.advance(layer, read_bytes, false);
    }

    fn finished(&self, layer: &Layer) {
        self.advance(layer, layer.blob.size, true);
    }

    fn stopped(&self) -> bool {
        if self.space.is_short() {
            self.was_short.store(true, Ordering::Relaxed);
        }
        self.was_short() || self.unwanted.is_set() || self.agent.is_stopping()
    }
}

#[cfg(test)]
mod tests {
    use images::{Algorithm, Descriptor};

    use super::*;

    fn layer(name: &[u8], size: u64) -> Layer {
        let digest = Digest::of(Algorithm::Sha256, name);
        Layer { blob: Descriptor { media_type: String::new(), digest, size, platform: None }, diff_id: digest.into() }
    }

    #[test]
    fn progress_adds_up_whatever_order_it_comes_in() {
        let [a, b] = [layer(b"a", 10), layer(b"b", 5)];
        let mut state = State::of(&[a.clone(), b.clone(), a.clone()]);
        let sums = |state: &State| (state.bytes_done, state.bytes_total, state.layers_done, state.layers.len());
        assert_eq!(sums(&state), (0, 15, 0, 2), "a layer that occurs twice counts once");
        state.advance(&a.blob.digest, 7, false);
        state.advance(&a.blob.digest, 3, false);
        assert_eq!(sums(&state), (7, 15, 0, 2));
        state.advance(&b.blob.digest, 99, true);
        state.advance(&b.blob.digest, 5, true);
        assert_eq!(sums(&state), (12, 15, 1, 2));
        state.advance(&a.blob.digest, 10, true);
        assert_eq!(sums(&state), (15, 15, 2, 2));
        assert_eq!(state.progress(&a.blob.digest).unwrap().layer_bytes_done, 10);
    }
}
