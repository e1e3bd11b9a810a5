//! Small blobs that are read again and again: manifests.

use std::collections::HashMap;
use std::mem::take;
use std::sync::{Mutex, PoisonError};

use blobs::Digest;
use bytes::Bytes;

/// The largest blob that is kept in memory.
pub(super) const BYTES_EACH_MAX: u64 = 256 * 1024;
/// How many bytes are kept in all.
const BYTES_MAX: usize = 8 << 20;
/// What an entry counts besides its bytes.
const ENTRY_BYTES: usize = 128;

/// Blobs in memory. They cannot go stale: they are named by what they are.
#[derive(Debug, Default)]
pub(super) struct Small(Mutex<Generations>);

/// Who is asked for comes into the new generation; when that has half of all bytes it becomes the old one, and whoever has
/// not been asked for since goes.
#[derive(Debug, Default)]
struct Generations {
    new: HashMap<Digest, Bytes>,
    new_bytes: usize,
    old: HashMap<Digest, Bytes>,
}

impl Small {
    /// A blob, if it is kept.
    pub(super) fn get(&self, digest: &Digest) -> Option<Bytes> {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = generations.new.get(digest) {
            return Some(bytes.clone());
        }
        let bytes = generations.old.remove(digest)?;
        generations.insert(*digest, bytes.clone());
        Some(bytes)
    }

    /// Keeps a blob.
    pub(super) fn keep(&self, digest: Digest, bytes: Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, bytes);
    }
}

impl Generations {
    fn insert(&mut self, digest: Digest, bytes: Bytes) {
        let cost = bytes.len() + ENTRY_BYTES;
        if self.new_bytes + cost > BYTES_MAX / 2 {
            self.old = take(&mut self.new);
            self.new_bytes = 0;
        }
        if self.new.insert(digest, bytes).is_none() {
            self.new_bytes += cost;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let small = Small::default();
        let blob = |n: u32| (Digest::of(&n.to_le_bytes()), Bytes::from(vec![0; 100_000]));
        let (favourite, bytes) = blob(0);
        small.keep(favourite, bytes.clone());
        for n in 1..1000 {
            let (digest, bytes) = blob(n);
            assert_eq!(small.get(&digest), None);
            small.keep(digest, bytes);
            assert!(small.get(&favourite).is_some());
        }
        assert_eq!(small.get(&blob(1).0), None);
        assert_eq!(small.get(&blob(999).0), Some(bytes));
        let generations = small.0.lock().unwrap();
        let held: usize = generations.new.values().chain(generations.old.values()).map(Bytes::len).sum();
        assert!(held <= BYTES_MAX);
    }
}
