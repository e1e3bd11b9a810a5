//! Whose turn it is to write to an upload: the newest request's.
//!
//! A client whose connection broke comes back before anybody here knows that the old one is dead. The request that it
//! sends then must not wait for the old one: that one stops, with what it has received, as soon as a newer one asks.
//! Meanwhile whoever just wants to know how far an upload is learns it without stopping anybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// An upload, by the ids of its repository and of its own.
type UploadKey = (String, String);

/// The uploads that somebody writes to or wants to.
#[derive(Debug, Default)]
pub(super) struct Turns {
    uploads: Mutex<HashMap<UploadKey, Arc<Upload>>>,
}

/// One of them.
#[derive(Debug)]
struct Upload {
    /// The number of the newest request.
    newest: watch::Sender<u64>,
    /// How many bytes are in its file, as far as whoever writes to it has told.
    length: Mutex<Option<u64>>,
}

/// A request's turn: it lasts until a newer request takes one, and ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    key: UploadKey,
    upload: Arc<Upload>,
    number: u64,
}

impl Turns {
    /// Takes the turn from whoever has it.
    pub(super) fn take(&self, repository_id: &str, upload_id: &str) -> Turn<'_> {
        let key = (repository_id.to_owned(), upload_id.to_owned());
        let mut uploads = self.uploads();
        let upload = uploads
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Upload { newest: watch::Sender::new(0), length: Mutex::new(None) }))
            .clone();
        let mut number = 0;
        upload.newest.send_modify(|newest| {
            *newest += 1;
            number = *newest;
        });
        drop(uploads);
        Turn { turns: self, key, upload, number }
    }

    /// How long an upload is that somebody writes to at this moment; none if nobody does.
    pub(super) fn length(&self, repository_id: &str, upload_id: &str) -> Option<u64> {
        let upload = self.uploads().get(&(repository_id.to_owned(), upload_id.to_owned()))?.clone();
        *lock(&upload.length)
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<UploadKey, Arc<Upload>>> {
        lock(&self.uploads)
    }
}

impl Turn<'_> {
    /// Tells how long the upload is.
    pub(super) fn tell(&self, length: u64) {
        *lock(&self.upload.length) = Some(length);
    }

    /// Ends when a newer request has taken the turn.
    pub(super) async fn over(&self) {
        // The sender lives as long as the upload, which this holds.
        let _ = self.upload.newest.subscribe().wait_for(|newest| *newest > self.number).await;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut uploads = self.turns.uploads();
        if *self.upload.newest.borrow() == self.number {
            uploads.remove(&self.key);
        }
    }
}

/// Nothing that holds one of the locks can leave its value half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_request_has_the_turn() {
        let turns = Turns::default();
        let first = turns.take("r", "u");
        let other = turns.take("r", "v");
        let second = turns.take("r", "u");
        first.over().await;
        for mut not_over in [Box::pin(second.over()), Box::pin(other.over())] {
            assert!(futures_are_pending(&mut not_over).await);
        }
    }

    async fn futures_are_pending(future: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        let polled =
            std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context)));
        polled.await.is_pending()
    }

    #[test]
    fn how_far_an_upload_is_is_known_while_somebody_writes() {
        let turns = Turns::default();
        let first = turns.take("r", "u");
        assert_eq!(turns.length("r", "u"), None);
        first.tell(5);
        assert_eq!((turns.length("r", "u"), turns.length("q", "u")), (Some(5), None));
        let second = turns.take("r", "u");
        drop(first);
        assert_eq!(turns.length("r", "u"), Some(5));
        drop(second);
        assert_eq!(turns.length("r", "u"), None);
        assert!(turns.uploads().is_empty());
    }
}
