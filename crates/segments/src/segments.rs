//! The entry points.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use base::Timestamp;

use crate::{
    Appended, Corruption, Dropped, Error, EventRef, GroupKey, NewEvent, Options, Page, Query, Scan, Scanned,
    StreamStats, Subscription,
};

/// Events of many groups in a directory. See the [crate's page](crate).
#[derive(Debug)]
pub struct Segments {}

impl Segments {
    /// Opens the directory, which is made if it is not there. Groups are opened when they are needed.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it open, [`Error::Io`] if it can be neither made nor opened.
    pub fn open(_directory: &Path, _options: Options) -> Result<Arc<Self>, Error> {
        Err(Error::Closed)
    }

    /// Stores events of one stream. When it returns, they are written (see the crate's page for what that means); on
    /// an error none of them is. The events are ordered by their time; those of one time stay as they are given. If the
    /// returned future is dropped, the events may be stored or not.
    ///
    /// # Errors
    /// [`Error::Full`] if the disk is full or does not write, [`Error::TooLarge`], [`Error::InvalidStream`],
    /// [`Error::Deleted`], [`Error::Closed`].
    pub async fn append(
        &self,
        _group: &GroupKey,
        _stream: &str,
        _ingestion: Timestamp,
        _events: Vec<NewEvent>,
    ) -> Result<Appended, Error> {
        Err(Error::Closed)
    }

    /// Events of a stream. A group or stream without events has an empty page. Blocks on the disk.
    pub fn read(&self, _group: &GroupKey, _stream: &str, _query: Query) -> Result<Page, Error> {
        Err(Error::Closed)
    }

    /// Passes the events of a group, all streams interleaved by time, then arrival, to `visit`, until it breaks, a limit
    /// is reached, or nothing is left. No lock is held meanwhile. Blocks on the disk.
    pub fn scan(
        &self,
        _group: &GroupKey,
        _scan: &Scan,
        _visit: &mut dyn FnMut(EventRef<'_>) -> ControlFlow<()>,
    ) -> Result<Scanned, Error> {
        Err(Error::Closed)
    }

    /// Follows a group: every event appended after this returns is received, or told to be missed.
    pub fn subscribe(&self, _group: &GroupKey) -> Result<Subscription, Error> {
        Err(Error::Closed)
    }

    /// What a stream holds; none if it has no events. Blocks on the disk.
    pub fn stream_stats(&self, _group: &GroupKey, _stream: &str) -> Result<Option<StreamStats>, Error> {
        Err(Error::Closed)
    }

    /// The bytes of a group's files: what CloudWatch Logs calls `storedBytes`. Blocks on the disk.
    pub fn group_bytes(&self, _group: &GroupKey) -> Result<u64, Error> {
        Err(Error::Closed)
    }

    /// All groups that have a folder, in no order: to find those that should have been deleted. Blocks on the disk.
    pub fn groups(&self) -> Result<Vec<GroupKey>, Error> {
        Err(Error::Closed)
    }

    /// Deletes the events of a stream, durably; what is appended afterwards is a new stream's. Blocks on the disk.
    pub fn delete_stream(&self, _group: &GroupKey, _stream: &str) -> Result<(), Error> {
        Err(Error::Closed)
    }

    /// Deletes a group, durably. Later calls that name it answer [`Error::Deleted`]. Blocks on the disk.
    pub fn delete_group(&self, _group: &GroupKey) -> Result<(), Error> {
        Err(Error::Closed)
    }

    /// Retention: no event before that time, of those stored until now, is answered again. Blocks on the disk.
    pub fn expire(&self, _group: &GroupKey, _before: Timestamp) -> Result<(), Error> {
        Err(Error::Closed)
    }

    /// The events of a group that were lost since the store was opened.
    pub fn dropped(&self, _group: &GroupKey) -> Dropped {
        Dropped::default()
    }

    /// Damage that was found since the store was opened, the first [`crate::CORRUPTIONS_MAX`] of it.
    pub fn corruptions(&self) -> Vec<Corruption> {
        Vec::new()
    }
}
