//! Finds the files that no record names: those of a process that died between writing a file and recording it.
//!
//! Soon after the start and then daily it reads which files the records name and removes the others that were there before
//! the start, or are older than a day: whatever is being written now is younger. It knows a file by half of its name, so that a
//! million of them take eight megabytes; where that half is another one's, too, an orphan stays.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base::Timestamp;
use blobs::files::{FileId, Removal};
use platform::{BoxFuture, Cause, Reconciler, Round, Wake};
use store::{Record, Tx};

use crate::content::{Data, blocking};
use crate::multipart::Part;
use crate::object::parts::PieceList;
use crate::object::{Current, Older, Version};
use crate::reconcile::promoted::Watching;
use crate::reconcile::unused::Unused;
use crate::{Error, S3};

/// How old a file is that may be an orphan, of those that came after the start.
const GRACE: Duration = Duration::from_secs(24 * 3600);
/// How long after the start the first sweep is: a server that starts has better to do, and one that died may have left much.
const FIRST_AFTER: Duration = Duration::from_secs(10);
/// How often there is a sweep.
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// The longest sweep.
const LIMIT: Duration = Duration::from_secs(3600);
/// How many records are read at once.
const A_PAGE: usize = 500;
/// How many files one pass over the records knows: what is more takes further passes.
const KNOWN_MAX: usize = 1_000_000;
/// How many files are removed before a backup that waits gets its turn.
const A_STEP: usize = 100;
/// The directories that files are in.
const DIRECTORIES: u32 = 256;

struct Sweep {
    s3: S3,
    /// When the next one is due, in milliseconds since the epoch.
    due: AtomicI64,
}

impl Reconciler for Sweep {
    fn name(&self) -> &str {
        "s3/orphans"
    }

    fn wakes(&self) -> Vec<Wake> {
        Vec::new()
    }

    fn limit(&self) -> Duration {
        LIMIT
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            let now = self.s3.platform.clock.now();
            let due = Timestamp::from_millis(self.due.load(Ordering::Relaxed));
            if now < due {
                return Ok(Round { due: Some(due), ..Round::default() });
            }
            let removed = sweep(&self.s3, GRACE, KNOWN_MAX).await?;
            let next = now.plus(EVERY);
            self.due.store(next.as_millis(), Ordering::Relaxed);
            Ok(Round {
                due: Some(next),
                ..Round::did(removed, format!("removed {removed} files that no record names"))
            })
        })
    }
}

/// Removes the files that were there before the start or are older than `grace`, and that no record names; answers how many.
/// Of those that may be orphans, and of those that records name, so many are known at once, but for one directory's.
pub(crate) async fn sweep(s3: &S3, grace: Duration, known_max: usize) -> Result<u64, Error> {
    let (mut removed, mut directory, mut width) = (0, 0, DIRECTORIES);
    while directory < DIRECTORIES {
        let most = (directory + width).min(DIRECTORIES);
        let (mut candidates, mut end) = candidates(s3, directory..most, grace, known_max).await?;
        // Files that come after this are not among them, so what is recorded later is not missed.
        while !candidates.is_empty() {
            if let Some(known) = known(s3, directory..end, known_max).await? {
                removed += remove(s3, candidates, known).await?;
                break;
            }
            width = ((end - directory) / 2).max(1);
            end = directory + width;
            candidates.retain(|file| u32::from(file.directory()) < end);
        }
        directory = end;
    }
    Ok(removed)
}

/// What may be orphans in directories from the first one on: as many directories as have not more than `max` together, and one
/// at least. Also where those directories end.
pub(crate) async fn candidates(
    s3: &S3,
    directories: Range<u32>,
    grace: Duration,
    max: usize,
) -> Result<(Vec<FileId>, u32), Error> {
    let files = s3.content.files().clone();
    blocking(move || {
        let mut found: Vec<FileId> = Vec::new();
        for directory in directories.clone() {
            let some = files.settled(u8::try_from(directory).unwrap_or(u8::MAX), grace)?;
            if directory > directories.start && found.len() + some.len() > max {
                return Ok((found, directory));
            }
            found.extend(some);
        }
        Ok((found, directories.end))
    })
    .await
}

/// Removes those candidates that are not among the known files, which are in order.
pub(crate) async fn remove(s3: &S3, candidates: Vec<FileId>, known: Vec<u64>) -> Result<u64, Error> {
    let files = s3.content.files().clone();
    blocking(move || {
        let mut removed = 0;
        let orphans: Vec<[FileId; 1]> = candidates
            .into_iter()
            .filter(|file| known.binary_search(&file.short()).is_err())
            .map(|file| [file])
            .collect();
        for some in orphans.chunks(A_STEP) {
            // While a backup holds them nothing is removed; they are there for the next sweep.
            let Some(removals) = files.remove_each(some)? else { break };
            for ([orphan], _) in some.iter().zip(removals).filter(|(_, removal)| *removal == Removal::Done) {
                tracing::warn!(file = %orphan, "a file that no record names was removed");
                removed += 1;
            }
        }
        Ok(removed)
    })
    .await
}

/// The files of some directories that records name, in order; none if there are more than `max`, and fewer directories could
/// be looked at.
async fn known(s3: &S3, directories: Range<u32>, max: usize) -> Result<Option<Vec<u64>>, Error> {
    let mut known = Known::begin(s3, directories, max).await?;
    // The order in which a file goes: whoever reads in it meets each but those that came back, of which they are told.
    known.parts().await?;
    known.latest().await?;
    known.older().await?;
    known.beside().await?;
    known.unused().await?;
    known.finish()
}

/// Files that records name, as they are read.
pub(crate) struct Known<'a> {
    s3: &'a S3,
    watching: Watching<'a>,
    directories: Range<u32>,
    max: usize,
    files: Vec<u64>,
}

impl<'a> Known<'a> {
    /// From here on no file is missed.
    pub(crate) async fn begin(s3: &'a S3, directories: Range<u32>, max: usize) -> Result<Self, Error> {
        let watching = s3.promotions.watch();
        // Commits are one after the other: whatever nobody waits for any more is done when this is.
        s3.platform.store.commit(Tx::new()).await?;
        Ok(Self { s3, watching, directories, max, files: Vec::new() })
    }

    /// Reads those of the parts of uploads.
    pub(crate) async fn parts(&mut self) -> Result<(), Error> {
        self.collect::<Part>(|part| part.data.files().collect()).await
    }

    /// Reads those of the latest versions.
    pub(crate) async fn latest(&mut self) -> Result<(), Error> {
        self.collect::<Current>(|current| files_of(&current.latest)).await
    }

    /// Reads those of the older ones.
    pub(crate) async fn older(&mut self) -> Result<(), Error> {
        self.collect::<Older>(|older| files_of(&older.past)).await
    }

    /// Reads those that are named beside versions, where they stay whatever the latest is.
    pub(crate) async fn beside(&mut self) -> Result<(), Error> {
        self.collect::<PieceList>(|list| list.pieces.iter().map(|piece| piece.file).collect()).await
    }

    /// Reads those that are to be removed anyway.
    pub(crate) async fn unused(&mut self) -> Result<(), Error> {
        self.collect::<Unused>(|unused| unused.files.clone()).await
    }

    /// All that are known, in order; none if they were too many to be read.
    pub(crate) fn finish(mut self) -> Result<Option<Vec<u64>>, Error> {
        if self.is_too_much() {
            return Ok(None);
        }
        let too_many = || Error::Internal("too many deleted versions gave way to older ones during a sweep".to_owned());
        self.files.extend(self.watching.seen().ok_or_else(too_many)?);
        self.files.sort_unstable();
        Ok(Some(self.files))
    }

    fn is_too_much(&self) -> bool {
        self.files.len() > self.max && self.directories.len() > 1
    }

    async fn collect<R: Record>(&mut self, files_of: impl Fn(&R) -> Vec<FileId>) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let page = self.s3.platform.store.list_everywhere::<R>(after.as_deref(), A_PAGE).await?;
            for file in page.items.iter().flat_map(|record| files_of(&record.value)) {
                if self.directories.contains(&u32::from(file.directory())) {
                    self.files.push(file.short());
                }
            }
            after = page.next;
            if after.is_none() || self.is_too_much() {
                return Ok(());
            }
        }
    }
}

fn files_of(version: &Version) -> Vec<FileId> {
    let data: Option<&Data> = version.object().map(|object| &object.data);
    data.into_iter().flat_map(Data::files).collect()
}

/// The reconciler, to be started.
pub fn reconciler(s3: &S3) -> Arc<dyn Reconciler> {
    let first = s3.platform.clock.now().plus(FIRST_AFTER);
    Arc::new(Sweep { s3: s3.clone(), due: AtomicI64::new(first.as_millis()) })
}
