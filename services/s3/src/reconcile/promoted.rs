//! Which files came back from an older version to the latest one while a sweep reads the records.
//!
//! A file goes from a part to what is latest, from there to what is older and then to what nobody needs; a sweep reads the
//! records in this order and so meets each file that goes on or stays. One way leads back: whoever deletes the latest version
//! for good makes the one before it the latest. Such files are told here, before that is committed.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use blobs::files::FileId;

/// How many files may come back while somebody watches. Each takes some 16 bytes.
const SEEN_MAX: usize = 1_000_000;

/// The files that come back. They are known by half of their names, as by the sweep.
#[derive(Debug, Default)]
pub(crate) struct Promotions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By commits that have not been answered, and by how many of them.
    under_way: HashMap<u64, u32>,
    /// Since somebody watches; none while nobody does.
    seen: Option<HashSet<u64>>,
}

/// Files that are coming back: until this is dropped.
#[derive(Debug)]
pub(crate) struct Promotion<'a> {
    promotions: &'a Promotions,
    files: Vec<u64>,
}

/// Somebody watches: until this is dropped.
#[derive(Debug)]
pub(crate) struct Watching<'a>(&'a Promotions);

impl Promotions {
    /// Tells of files that a transaction brings back. To be dropped when that is answered.
    pub(crate) fn begin(&self, files: impl Iterator<Item = FileId>) -> Promotion<'_> {
        let files: Vec<u64> = files.map(|file| file.short()).collect();
        let mut state = self.state();
        for file in &files {
            *state.under_way.entry(*file).or_default() += 1;
        }
        if let Some(seen) = &mut state.seen {
            // One more than the most says that there were too many.
            let room = (SEEN_MAX + 1).saturating_sub(seen.len());
            seen.extend(files.iter().take(room));
        }
        drop(state);
        Promotion { promotions: self, files }
    }

    /// Watches: from those on that are on their way. One watches at a time. A commit that nobody waits for any more is no
    /// longer on its way here, but may still be in the store's queue.
    pub(crate) fn watch(&self) -> Watching<'_> {
        let mut state = self.state();
        state.seen = Some(state.under_way.keys().copied().collect());
        drop(state);
        Watching(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Counting cannot be left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching<'_> {
    /// The files that have come back until now; none if there were too many to know them all.
    pub(crate) fn seen(&self) -> Option<Vec<u64>> {
        let state = self.0.state();
        state.seen.as_ref().filter(|seen| seen.len() <= SEEN_MAX).map(|seen| seen.iter().copied().collect())
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.state().seen = None;
    }
}

impl Drop for Promotion<'_> {
    fn drop(&mut self) {
        let mut state = self.promotions.state();
        for file in &self.files {
            if let Some(count) = state.under_way.get_mut(file) {
                *count -= 1;
                if *count == 0 {
                    state.under_way.remove(file);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SeededRng;
    use std::sync::Arc;

    fn files(count: usize) -> Vec<FileId> {
        let directory = tempfile::TempDir::new().unwrap();
        let files = blobs::files::Files::open_root(directory.path(), Arc::new(SeededRng::new(4))).unwrap();
        (0..count).map(|_| files.writer(0).unwrap().finish().unwrap()).collect()
    }

    #[test]
    fn who_watches_sees_what_was_under_way_and_what_comes_and_not_what_was_over() {
        let promotions = Promotions::default();
        let files = files(4);
        let one = |at: usize| promotions.begin(files[at..=at].iter().copied());
        drop(one(0));
        let (under_way, twice) = (one(1), one(1));
        drop(twice);
        let watching = promotions.watch();
        drop((under_way, one(2)));
        let mut expected = vec![files[1].short(), files[2].short()];
        let mut seen = watching.seen().unwrap();
        expected.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, expected);
        drop(watching);
        drop(one(3));
        assert_eq!(promotions.watch().seen(), Some(Vec::new()));
        assert!(promotions.state().under_way.is_empty());
    }
}
