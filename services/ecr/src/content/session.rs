//! One upload, while somebody writes to it or finishes it.
//!
//! What has been received is what the file holds; its hash goes along in memory. A process that finds a file but no hash
//! (it is another one than that which wrote, or has had many uploads since) reads the file once.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blobs::{Blobs, Digest};
use sha2::{Digest as _, Sha256, Sha512};
use tokio::sync::OwnedMutexGuard;

use super::file::{Directory, each_piece};
use super::{ContentError, blocking};
use crate::digest::{Algorithm, ContentDigest};

/// The largest blob: ECR's quota of a layer's size, 52,000 MiB.
pub const UPLOAD_BYTES_MAX: u64 = 52_000 * 1024 * 1024;
/// How many uploads have an open file and a running hash. Beyond that those that nobody uses give theirs up.
const LIVE_MAX: usize = 512;

/// All uploads of the process.
#[derive(Debug)]
pub(super) struct Sessions {
    directory: Directory,
    live: Mutex<Live>,
}

#[derive(Debug, Default)]
struct Live {
    slots: HashMap<String, Slot>,
    /// Counts uses, to tell which slot was used last.
    uses: u64,
}

#[derive(Debug)]
struct Slot {
    state: Arc<tokio::sync::Mutex<Option<State>>>,
    used: u64,
}

/// An open upload.
#[derive(Debug)]
struct State {
    file: File,
    length: u64,
    hasher: Sha256,
}

impl Sessions {
    pub(super) fn open(path: &Path) -> Result<Self, ContentError> {
        Ok(Self { directory: Directory::open(path)?, live: Mutex::default() })
    }

    pub(super) fn list(&self) -> Result<Vec<String>, ContentError> {
        self.directory.list()
    }

    pub(super) async fn session(sessions: &Arc<Self>, blobs: &Blobs, id: &str) -> Result<Session, ContentError> {
        let guard = sessions.slot(id).lock_owned().await;
        if guard.is_some() {
            return Ok(Session { blobs: blobs.clone(), guard });
        }
        let (opener, id) = (sessions.clone(), id.to_owned());
        let guard = blocking(move || {
            let mut guard = guard;
            *guard = Some(State::open(opener.directory.file(&id)?)?);
            Ok(guard)
        });
        Ok(Session { blobs: blobs.clone(), guard: guard.await? })
    }

    /// Forgets an upload and removes its file. A session that is open still writes into a file without a name.
    pub(super) fn discard(sessions: &Arc<Self>, id: &str) {
        let (sessions, id) = (sessions.clone(), id.to_owned());
        drop(tokio::task::spawn_blocking(move || {
            sessions.lock().slots.remove(&id);
            if let Err(error) = sessions.directory.remove(&id) {
                // The sweep of uploads removes it later.
                tracing::warn!(%error, "the file of an upload cannot be removed");
            }
        }));
    }

    fn slot(&self, id: &str) -> Arc<tokio::sync::Mutex<Option<State>>> {
        let mut live = self.lock();
        live.uses += 1;
        let used = live.uses;
        if live.slots.len() >= LIVE_MAX && !live.slots.contains_key(id) {
            live.give_up();
        }
        let slot = live.slots.entry(id.to_owned()).or_insert_with(|| Slot { state: Arc::default(), used });
        slot.used = used;
        slot.state.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        // Nothing that holds the lock can leave the map half changed.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// Drops the half of the slots that was used longest ago, but for those that somebody uses now.
    fn give_up(&mut self) {
        let mut idle: Vec<(u64, String)> = self
            .slots
            .iter()
            .filter(|(_, slot)| Arc::strong_count(&slot.state) == 1)
            .map(|(id, slot)| (slot.used, id.clone()))
            .collect();
        idle.sort_unstable();
        for (_, id) in idle.into_iter().take(LIVE_MAX / 2) {
            self.slots.remove(&id);
        }
    }
}

impl State {
    fn open(file: File) -> Result<Self, ContentError> {
        let mut hasher = Sha256::new();
        let length = each_piece(&file, |piece| {
            hasher.update(piece);
            Ok(())
        })?;
        Ok(Self { file, length, hasher })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), ContentError> {
        let length = self.length.saturating_add(bytes.len() as u64);
        if length > UPLOAD_BYTES_MAX {
            return Err(ContentError::TooLarge);
        }
        if let Err(error) = self.file.write_all(bytes) {
            // What came of it is taken back, so that the file is again what was acknowledged.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error.into());
        }
        self.hasher.update(bytes);
        self.length = length;
        Ok(())
    }

    fn shorten(&mut self, length: u64) -> Result<(), ContentError> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(0))?;
        *self = Self::open(self.file.try_clone()?)?;
        Ok(())
    }

    /// Its digest by an algorithm. The file stands anywhere afterwards.
    fn digest(&mut self, algorithm: Algorithm) -> Result<ContentDigest, ContentError> {
        match algorithm {
            Algorithm::Sha256 => Ok(ContentDigest::from_sha256(&self.hasher.clone().finalize().into())),
            Algorithm::Sha512 => {
                self.file.seek(SeekFrom::Start(0))?;
                let mut hasher = Sha512::new();
                each_piece(&self.file, |piece| {
                    hasher.update(piece);
                    Ok(())
                })?;
                Ok(ContentDigest::from_sha512(&hasher.finalize().into()))
            }
        }
    }

    fn publish(&mut self, blobs: &Blobs, expected: &ContentDigest) -> Result<Digest, ContentError> {
        let found = self.digest(expected.algorithm())?;
        let outcome = if found == *expected { self.store(blobs) } else { Err(ContentError::Mismatch { found }) };
        self.file.seek(SeekFrom::Start(self.length))?;
        outcome
    }

    fn store(&mut self, blobs: &Blobs) -> Result<Digest, ContentError> {
        let digest = Digest::from_bytes(self.hasher.clone().finalize().into());
        if blobs.refresh(&digest)? {
            return Ok(digest);
        }
        let mut writer = blobs.writer(UPLOAD_BYTES_MAX)?;
        self.file.seek(SeekFrom::Start(0))?;
        each_piece(&self.file, |piece| Ok(writer.append(piece)?))?;
        Ok(writer.finish_as(&digest)?)
    }
}

/// One upload, held alone. Dropping it at any await leaves the upload whole: what has been begun is finished.
#[derive(Debug)]
pub struct Session {
    blobs: Blobs,
    guard: OwnedMutexGuard<Option<State>>,
}

impl Session {
    /// How many bytes have been received.
    pub fn length(&self) -> u64 {
        self.guard.as_ref().map_or(0, |state| state.length)
    }

    /// Adds bytes. Afterwards they are in the file, or none of them is.
    ///
    /// # Errors
    /// [`ContentError::Full`], [`ContentError::TooLarge`]
    pub async fn append(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Result<Self, ContentError> {
        self.with(move |state, _| state.append(bytes.as_ref())).await.map(|(session, ())| session)
    }

    /// Gives up what was received beyond `length` bytes.
    ///
    /// # Errors
    /// [`ContentError::Broken`]
    pub async fn shorten(self, length: u64) -> Result<Self, ContentError> {
        self.with(move |state, _| state.shorten(length)).await.map(|(session, ())| session)
    }

    /// Makes what was received a blob, if it is what `expected` says. The upload stays until it is discarded, so that a
    /// process that dies before anything refers to the blob loses nothing.
    ///
    /// # Errors
    /// [`ContentError::Mismatch`]
    pub async fn publish(self, expected: ContentDigest) -> Result<(Self, Digest), ContentError> {
        self.with(move |state, blobs| state.publish(blobs, &expected)).await
    }

    async fn with<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut State, &Blobs) -> Result<T, ContentError> + Send + 'static,
    ) -> Result<(Self, T), ContentError> {
        blocking(move || {
            let mut session = self;
            let state =
                session.guard.as_mut().expect("a session is made with an open state, and nothing takes it away");
            let outcome = work(state, &session.blobs);
            if matches!(outcome, Err(ContentError::Broken(_))) {
                // Who knows what the file holds: the next session reads it.
                *session.guard = None;
            }
            outcome.map(|done| (session, done))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
