//! Log events in append-only files, by group and stream: what CloudWatch Logs keeps.
//!
//! A group is a folder. Batches are appended to its active file as they come. When that is full it is sealed: sorted by
//! stream and time, compressed, indexed; sealed files never change. Small ones are compacted into larger ones.
//!
//! - [`Segments::open`] opens a directory, [`Segments::append`] stores a batch of one stream's events.
//! - [`Segments::read`] answers pages of a stream, [`Segments::scan`] passes a group's streams interleaved,
//!   [`Segments::subscribe`] follows a group live.
//! - [`Segments::expire`], [`Segments::delete_stream`] and [`Segments::delete_group`] take events away.
//! - [`Segments::snapshot`] names the files that a backup copies.
//!
//! # What is promised
//!
//! **A batch that [`Segments::append`] has acknowledged is written:** the operating system has it, so a process that is
//! killed loses none of it. **It is on the disk ([`fdatasync(2)`]) at most a second later**, together with what else
//! came in that time; [`Segments::sync`], sealing and closing bring it there at once. So a machine that loses power may lose
//! the last second, and only that. If the disk reports that it could not take what was written, the batches are written
//! anew, into a sealed file. Deletions and expiries are on the disk when their call returns.
//!
//! **A batch is stored as a whole or not at all.** What a crash leaves half-written is cut off at the next opening.
//! Sealed files come into being under a temporary name, are synced and renamed; so a crash at any point leaves the old
//! files or the new one.
//!
//! **Damage costs what it hits.** Every byte is under a checksum. A damaged batch or block is reported
//! ([`Segments::corruptions`]) and passed over, a damaged index is made again; everything else stays readable.
//!
//! **A full disk stops logging, nothing else.** Batches answer [`Error::Full`], are counted ([`Segments::dropped`]) and
//! leave nothing behind; reading goes on, and so does writing once there is room. [`Options`] caps the bytes of each group
//! and of all; beyond a cap the oldest sealed files go, and are counted. A cap is held in the background: it may be
//! exceeded by what is written in the meantime.
//!
//! **Order:** by the time of the event, then by arrival, whatever the order of arrival was. [`EventId`]s and [`Cursor`]s
//! stay valid for good.
//!
//! # What it costs
//!
//! A group that is not in use costs a name in memory. Of an open one the places of its chunks of 64 KiB are kept, of a
//! sealed file a line; indexes and blocks are cached within fixed bounds, and groups that are not used are closed when all
//! take more than 24 MiB. A query holds 48 MiB of blocks at most and reads each when its time has come. At most 128 files
//! stay open.
//!
//! [`fdatasync(2)`]: https://man7.org/linux/man-pages/man2/fdatasync.2.html

mod block;
mod cache;
mod disk;
mod error;
mod event;
mod files;
mod frame;
mod group;
mod key;
mod log;
mod lru;
mod marks;
mod merge;
mod options;
mod query;
mod read;
mod report;
mod segment;
mod segments;
mod select;
mod shared;
mod snapshot;
mod subscribe;
mod summary;
mod varint;
mod workers;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use disk::{Disk, SystemDisk};
pub use error::Error;
pub use event::{Appended, Event, EventId, EventRef, NewEvent};
pub use key::GroupKey;
pub use options::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Options, STREAM_NAME_LENGTH_MAX};
pub use query::{Cursor, Direction, PAGE_BYTES_MAX, PAGE_EVENTS_MAX, Page, Query, Scan, Scanned};
pub use report::{Corruption, Damage, Dropped, StreamStats};
pub use segments::Segments;
pub use snapshot::{Snapshot, SnapshotFile};
pub use subscribe::{Received, Subscription};

/// The most damaged places that are listed and logged: whoever has as many has another problem.
pub const CORRUPTIONS_MAX: usize = 1024;

/// A lock's content. A thread that panicked has not left it half-changed in any way that a reader would notice: what is
/// inside is changed in single steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
