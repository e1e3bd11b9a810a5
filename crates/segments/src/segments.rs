//! The entry points.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::Timestamp;
use tokio::sync::Semaphore;

use crate::files::{Root, TRASH};
use crate::group::{Group, Request};
use crate::shared::Shared;
use crate::workers::{Workers, sync_round};
use crate::{
    Appended, BATCH_BYTES_MAX, BATCH_EVENTS_MAX, Corruption, Dropped, Error, GroupKey, NewEvent, Options,
    STREAM_NAME_LENGTH_MAX, Snapshot, StreamStats, Subscription, lock,
};

/// How much may wait to be written; whoever appends more waits for its turn.
const WAITING_KIB_MAX: u32 = 64 * 1024;
/// What an event takes besides its message while it waits.
const EVENT_BYTES: usize = 32;
const SYNC_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Events of many groups in a directory. See the [crate's page](crate).
#[derive(Debug)]
pub struct Segments {
    pub(crate) shared: Arc<Shared>,
    waiting: Arc<Semaphore>,
    workers: Mutex<Workers>,
}

impl Segments {
    /// Opens the directory, which is made if it is not there. Groups are opened when they are needed.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it open, [`Error::Io`] if it can be neither made nor opened.
    pub fn open(directory: &Path, options: Options) -> Result<Arc<Self>, Error> {
        let root = Arc::new(Root::open(directory, Arc::clone(&options.disk))?);
        let shared = Arc::new(Shared::new(root, &options));
        let workers = Workers::start(&shared, options.sync_interval.min(SYNC_INTERVAL_MAX))?;
        shared.work.empty_trash();
        shared.work.measure();
        let waiting = Arc::new(Semaphore::new(WAITING_KIB_MAX as usize));
        Ok(Arc::new(Self { shared, waiting, workers: Mutex::new(workers) }))
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
        group: &GroupKey,
        stream: &str,
        ingestion: Timestamp,
        events: Vec<NewEvent>,
    ) -> Result<Appended, Error> {
        if !(1..=STREAM_NAME_LENGTH_MAX).contains(&stream.len()) {
            return Err(Error::InvalidStream);
        }
        let bytes: usize = events.iter().map(|event| event.message.len()).sum();
        if events.len() > BATCH_EVENTS_MAX || bytes > BATCH_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        if events.is_empty() {
            return Ok(Appended { events: 0, message_bytes: 0, first: None });
        }
        let kib = u32::try_from((bytes + EVENT_BYTES * events.len()) / 1024 + 1).unwrap_or(WAITING_KIB_MAX);
        let waiting = Arc::clone(&self.waiting);
        let permit = waiting.acquire_many_owned(kib.min(WAITING_KIB_MAX)).await.map_err(|_| Error::Closed)?;
        let (request, written) = Request::new(stream, ingestion.as_millis(), events, permit);
        let group = self.group(group)?;
        if group.enqueue(request) && !self.shared.work.write(group) {
            return Err(Error::Closed);
        }
        written.await.unwrap_or(Err(Error::Closed))
    }

    /// Follows a group: every event appended after this returns is received, or told to be missed.
    ///
    /// # Errors
    /// [`Error::Deleted`].
    pub fn subscribe(&self, group: &GroupKey) -> Result<Subscription, Error> {
        Ok(self.group(group)?.subscribers.subscribe())
    }

    /// What a stream holds; none if it has no events. What has expired counts until its file is rewritten, but for the
    /// first time. Blocks on the disk.
    pub fn stream_stats(&self, group: &GroupKey, stream: &str) -> Result<Option<StreamStats>, Error> {
        self.group(group)?.stream_stats(&self.shared, stream)
    }

    /// The bytes of a group's files: what CloudWatch Logs calls `storedBytes`. Blocks on the disk.
    pub fn group_bytes(&self, group: &GroupKey) -> Result<u64, Error> {
        let group = self.group(group)?;
        group.measure(&self.shared)?;
        Ok(group.bytes())
    }

    /// All groups that have a folder, in no order: to find those that should have been deleted. Blocks on the disk.
    pub fn groups(&self) -> Result<Vec<GroupKey>, Error> {
        group_folders(&self.shared)
    }

    /// Deletes the events of a stream, durably; what is appended afterwards is a new stream's. Blocks on the disk.
    pub fn delete_stream(&self, group: &GroupKey, stream: &str) -> Result<(), Error> {
        if !(1..=STREAM_NAME_LENGTH_MAX).contains(&stream.len()) {
            return Err(Error::InvalidStream);
        }
        self.group(group)?.delete_stream(&self.shared, stream)
    }

    /// Deletes a group, durably. Later calls that name it answer [`Error::Deleted`]. Blocks on the disk.
    pub fn delete_group(&self, group: &GroupKey) -> Result<(), Error> {
        let Some(known) = self.shared.group(group) else { return Ok(()) };
        known.delete(&self.shared)?;
        self.shared.forget(group);
        self.shared.work.empty_trash();
        Ok(())
    }

    /// Retention: no event before that time, of those stored until now, is answered again. Blocks on the disk.
    pub fn expire(&self, group: &GroupKey, before: Timestamp) -> Result<(), Error> {
        self.group(group)?.expire(&self.shared, before.as_millis())
    }

    /// The events of a group that were lost since the store was opened.
    pub fn dropped(&self, group: &GroupKey) -> Dropped {
        self.shared.known(group).map(|group| group.dropped()).unwrap_or_default()
    }

    /// The events of all groups that were lost since the store was opened.
    pub fn dropped_in_all(&self) -> Dropped {
        let of_groups = self.shared.known_groups();
        of_groups.iter().map(|group| group.dropped()).fold(Dropped::default(), |sum, one| Dropped {
            refused: sum.refused + one.refused,
            capped: sum.capped + one.capped,
        })
    }

    /// Damage that was found since the store was opened, the first [`crate::CORRUPTIONS_MAX`] places of it.
    pub fn corruptions(&self) -> Vec<Corruption> {
        self.shared.reports.all()
    }

    /// What a backup copies. Blocks on the disk.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        Snapshot::take(&self.shared)
    }

    /// Everything that has been appended is on the disk when this returns, unless the log says otherwise. Blocks.
    pub fn sync(&self) {
        sync_round(&self.shared);
    }

    /// Seals what a group has, and waits until it has been done or has failed. Blocks.
    pub fn seal(&self, group: &GroupKey) -> Result<(), Error> {
        self.group(group)?.freeze(&self.shared)?;
        self.settle();
        Ok(())
    }

    /// Waits until what is done in the background has been done. Blocks.
    pub fn settle(&self) {
        self.shared.work.settle();
    }

    /// Writes and syncs what has been appended and stops; dropping it does the same. Calls that come later may answer
    /// [`Error::Closed`]. Blocks.
    pub fn close(&self) {
        self.waiting.close();
        lock(&self.workers).stop(&self.shared);
        self.shared.known_groups().iter().for_each(|group| group.subscribers.close());
    }

    pub(crate) fn group(&self, key: &GroupKey) -> Result<Arc<Group>, Error> {
        self.shared.group(key).ok_or_else(|| Error::Deleted(key.clone()))
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.close();
    }
}

/// The groups that have a folder.
pub(crate) fn group_folders(shared: &Shared) -> Result<Vec<GroupKey>, Error> {
    let mut keys = Vec::new();
    let folders = |path: &str| shared.root.list(path).map(|listed| listed.into_iter().filter(|entry| entry.is_folder));
    for account in folders("")?.filter(|folder| folder.name != TRASH) {
        for region in folders(&account.name)? {
            let ids = folders(&format!("{}/{}", account.name, region.name))?;
            keys.extend(ids.filter_map(|id| GroupKey::from_path(&account.name, &region.name, &id.name)));
        }
    }
    Ok(keys)
}
