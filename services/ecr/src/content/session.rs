//! One upload, while somebody writes to it or finishes it.
//!
//! What has been received is what the file holds; its hash goes along in memory. A process that finds a file but no hash
//! (it is another one than that which wrote, or has had many uploads since) reads the file once.
//!
//! A finished upload is not copied: its file gets the name of a blob, too, and keeps its own until the upload's record has
//! gone. So a kill in between loses nothing, and a file that has two names is told from one that may be written to.

mod state;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use blobs::{Blobs, Digest};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::file::Directory;
use super::{ContentError, blocking, joined};
use crate::digest::ContentDigest;

use state::State;

/// The largest blob: ECR's quota of a layer's size, 52,000 MiB.
pub const UPLOAD_BYTES_MAX: u64 = 52_000 * 1024 * 1024;
/// How many uploads have an open file and a running hash. Beyond that those that nobody uses give theirs up.
const LIVE_MAX: usize = 512;

/// All uploads of the process.
#[derive(Debug)]
pub(super) struct Sessions {
    blobs: Blobs,
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

impl Sessions {
    pub(super) fn open(blobs: Blobs, path: &Path) -> Result<Self, ContentError> {
        Ok(Self { blobs, directory: Directory::open(path)?, live: Mutex::default() })
    }

    /// Whether so many bytes more leave room on the disk.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.directory.has_room(bytes)
    }

    pub(super) fn list(&self) -> Result<Vec<String>, ContentError> {
        self.directory.list()
    }

    pub(super) async fn session(sessions: &Arc<Self>, id: &str) -> Result<Session, ContentError> {
        let guard = sessions.slot(id).lock_owned().await;
        let mut session = Session { sessions: sessions.clone(), id: id.to_owned(), guard };
        if let Some(state) = session.guard.as_mut() {
            state.mark();
            return Ok(session);
        }
        let opening = blocking(move || {
            *session.guard = Some(State::open(&session.sessions.directory, &session.id)?);
            Ok(session)
        });
        opening.await
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

/// One upload, held alone. Dropping it at any await leaves the upload whole: what has been begun is finished.
#[derive(Debug)]
pub struct Session {
    sessions: Arc<Sessions>,
    id: String,
    guard: OwnedMutexGuard<Option<State>>,
}

/// An upload that has become a blob, still held alone.
#[derive(Debug)]
pub struct Published {
    /// The blob.
    pub content: Digest,
    _session: Session,
}

/// What goes on with a session on another thread.
type Work<T> = JoinHandle<Result<(Session, T), ContentError>>;

impl Session {
    /// How many bytes have been received.
    pub fn length(&self) -> u64 {
        self.guard.as_ref().map_or(0, |state| state.length)
    }

    /// Adds bytes. Afterwards they are in the file, or none of them is.
    ///
    /// They are hashed and written on another thread, from the first poll on: whoever receives more at the same time keeps
    /// both busy. A few hundred KiB at once cost little more than hashing them does.
    ///
    /// # Errors
    /// [`ContentError::Full`], [`ContentError::TooLarge`]
    pub async fn append(self, bytes: impl AsRef<[u8]> + Send + 'static) -> Result<Self, ContentError> {
        self.append_all([bytes]).await
    }

    /// Adds pieces, one after the other, without joining them in memory: all of them, or none.
    ///
    /// # Errors
    /// As [`Session::append`].
    pub async fn append_all<P: AsRef<[u8]>>(
        self,
        pieces: impl AsRef<[P]> + Send + 'static,
    ) -> Result<Self, ContentError> {
        let work = self.start(move |state, sessions, id| state.append(&sessions.directory, id, pieces.as_ref()));
        done(work).await.map(|(session, ())| session)
    }

    /// Gives up what was received beyond `length` bytes.
    ///
    /// # Errors
    /// [`ContentError::Broken`]
    pub async fn shorten(self, length: u64) -> Result<Self, ContentError> {
        let shorten = self.start(move |state, sessions, id| state.shorten(&sessions.directory, id, length));
        done(shorten).await.map(|(session, ())| session)
    }

    /// Makes what was received a blob, if it is what `expected` says. The upload stays until it is discarded, so that a
    /// process that dies before anything refers to the blob loses nothing.
    ///
    /// # Errors
    /// [`ContentError::Mismatch`], [`ContentError::Full`]
    pub async fn publish(self, expected: ContentDigest) -> Result<Published, ContentError> {
        let publish = self.start(move |state, sessions, _| state.publish(&sessions.blobs, &expected));
        done(publish).await.map(|(session, content)| Published { content, _session: session })
    }

    fn start<T: Send + 'static>(
        mut self,
        work: impl FnOnce(&mut State, &Sessions, &str) -> Result<T, ContentError> + Send + 'static,
    ) -> Work<T> {
        tokio::task::spawn_blocking(move || {
            let state = self.guard.as_mut().expect("a session is made with an open state, and lost with it");
            let outcome = work(state, &self.sessions, &self.id);
            if matches!(outcome, Err(ContentError::Broken(_))) {
                // Who knows what the file holds: the next session reads it.
                *self.guard = None;
            }
            outcome.map(|done| (self, done))
        })
    }
}

/// Waits for what goes on with a session.
async fn done<T>(work: Work<T>) -> Result<(Session, T), ContentError> {
    joined(work.await)
}

#[cfg(test)]
mod tests;
