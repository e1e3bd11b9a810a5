//! Memory for manifests that are answered several at a time: each may have 4 MiB, and whoever asks chooses how many and how
//! often.

use tokio::sync::{Semaphore, SemaphorePermit};

/// What the manifests of one answer have together, in bytes. Usual ones have a thousand to ten thousand each, and a hundred
/// can be asked for at once.
pub(crate) const ANSWERED_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// What those of all answers that are being made have together, in bytes; further ones wait. In memory it is a small
/// multiple.
const BYTES_MAX: u32 = 64 * 1024 * 1024;

/// The room.
#[derive(Debug)]
pub(crate) struct Room(Semaphore);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(BYTES_MAX as usize))
    }
}

impl Room {
    /// Takes room for all manifests of an answer, before the first of them is read: so nobody who waits has any.
    pub(crate) async fn take(&self, bytes: u64) -> Option<SemaphorePermit<'_>> {
        let bytes = u32::try_from(bytes).unwrap_or(BYTES_MAX).min(BYTES_MAX);
        // Nobody closes the semaphore.
        self.0.acquire_many(bytes).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_finds_no_room_waits_for_others_to_be_done() {
        let room = Room::default();
        let held = room.take(u64::MAX).await.unwrap();
        let mut waits = std::pin::pin!(room.take(1));
        assert!(futures_poll(&mut waits).await.is_pending());
        drop(held);
        assert!(waits.await.is_some());
    }

    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> std::task::Poll<F::Output> {
        std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context))).await
    }
}
