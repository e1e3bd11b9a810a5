//! What is told about what is stored.

use std::sync::Mutex;

use base::Timestamp;

use crate::files::StoredFile;
use crate::{CORRUPTIONS_MAX, GroupKey, lock};

/// What a stream holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamStats {
    /// The time of its oldest event.
    pub first_event: Timestamp,
    /// The time of its newest event.
    pub last_event: Timestamp,
    /// When the last event arrived.
    pub last_ingestion: Timestamp,
    /// How many events it has. Those that have expired count until their file is rewritten.
    pub events: u64,
    /// The bytes of their messages.
    pub message_bytes: u64,
}

/// Events that are lost, since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Events that were not taken because the disk was full or did not write.
    pub refused: u64,
    /// Events that had to go because a byte cap was reached.
    pub capped: u64,
}

/// A place in a file that does not hold what was written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Corruption {
    /// The group.
    pub group: GroupKey,
    /// The file, relative to the store's directory.
    pub file: String,
    /// Where the damage begins, in bytes from the file's beginning, as precisely as a checksum can tell.
    pub offset: u64,
    /// How many bytes cannot be read because of it.
    pub length: u64,
    /// What was found.
    pub what: Damage,
}

/// What a damaged place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// The end of an active file that a crash left half-written. It has been cut off; nothing in it was acknowledged,
    /// unless the machine itself went down within the last second.
    TornTail,
    /// A batch of an active file. Its events cannot be read.
    Batch,
    /// A block of a sealed file. Its events cannot be read.
    Block,
    /// The index of a sealed file. It has been rebuilt from the blocks.
    Index,
    /// The list of what has been deleted and has expired.
    Marks,
}

/// The damage that has been found.
#[derive(Debug, Default)]
pub(crate) struct Reports(Mutex<Vec<Corruption>>);

impl Reports {
    /// Takes note of damage, once for each place.
    pub(crate) fn add(&self, group: &GroupKey, file: &StoredFile, offset: u64, length: u64, what: Damage) {
        let corruption = Corruption { group: group.clone(), file: file.path().to_owned(), offset, length, what };
        let mut known = lock(&self.0);
        let is_known =
            |other: &Corruption| other.offset == offset && other.what == what && other.file == corruption.file;
        if known.len() >= CORRUPTIONS_MAX || known.iter().any(is_known) {
            return;
        }
        tracing::warn!(%group, file = file.path(), offset, length, ?what, "a file of events is damaged");
        known.push(corruption);
    }

    pub(crate) fn all(&self) -> Vec<Corruption> {
        lock(&self.0).clone()
    }
}
