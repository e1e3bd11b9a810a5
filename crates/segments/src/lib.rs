//! Log events in append-only files, by group and stream.

mod error;
mod event;
mod key;
mod options;
mod query;
mod report;
mod segments;
mod subscribe;

pub use error::Error;
pub use event::{Appended, Event, EventId, EventRef, NewEvent};
pub use key::GroupKey;
pub use options::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Options, STREAM_NAME_LENGTH_MAX};
pub use query::{Cursor, Direction, PAGE_BYTES_MAX, PAGE_EVENTS_MAX, Page, Query, Scan, Scanned};
pub use report::{Corruption, Damage, Dropped, StreamStats};
pub use segments::Segments;
pub use subscribe::{Received, Subscription};

/// The most damaged places that are listed; more are only counted in the log.
pub const CORRUPTIONS_MAX: usize = 1024;
