//! Work on content that is done while the content comes: piece by piece, in order, on a thread that may wait.
//!
//! A thread works as long as pieces are there and goes when there is none: clients that are slow, however many, keep no
//! threads. Those that are fast have as many threads between them as there is use for, and take turns.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// How many pieces wait for a worker; with the one at work this bounds an upload's memory.
const PIECES_WAITING: usize = 2;
/// How many pieces of all uploads together wait or are at work; this bounds the memory of many.
const PIECES_MAX: usize = 48;
/// How many pieces a thread takes before it is another one's turn.
const PIECES_OF_TURN: usize = 32;
/// How many threads work at once for each processor: some of them wait for the disk.
const THREADS_PER_PROCESSOR: usize = 3;

/// What all uploads have between them.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    /// Of threads.
    turns: Arc<Semaphore>,
    /// Of pieces.
    places: Arc<Semaphore>,
}

/// A piece in its place, which is free again when nobody has the piece any more.
#[derive(Clone)]
pub(super) struct Placed(Arc<(Bytes, OwnedSemaphorePermit)>);

impl Shop {
    pub(super) fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let turns = Arc::new(Semaphore::new(processors * THREADS_PER_PROCESSOR));
        Self { turns, places: Arc::new(Semaphore::new(PIECES_MAX)) }
    }

    /// Waits for a place. Those who have one get on by themselves, so that it comes.
    ///
    /// # Errors
    /// Never, as long as nobody closes the shop, which nobody does.
    pub(super) async fn place(&self, piece: Bytes) -> Result<Placed, Error> {
        let permit = self.places.clone().acquire_owned().await.map_err(|_| broken_off())?;
        Ok(Placed(Arc::new((piece, permit))))
    }
}

/// What is done with pieces.
pub(super) trait Work: Send + 'static {
    /// Does it with the next one.
    fn take(&mut self, piece: &[u8]) -> Result<(), Error>;
}

/// A worker and the pieces that wait for it. There is one who hands pieces in.
pub(super) struct Lane<W>(Arc<Shared<W>>);

struct Shared<W> {
    turns: Arc<Semaphore>,
    state: Mutex<State<W>>,
    /// That there is room again, or the worker back.
    changed: Notify,
}

struct State<W> {
    waiting: VecDeque<Placed>,
    worker: Worker<W>,
}

enum Worker<W> {
    Idle(W),
    /// With a thread, or waiting for its turn.
    Busy,
    Failed(Error),
    /// The error was told, or the worker given away.
    Gone,
}

impl<W: Work> Lane<W> {
    pub(super) fn new(worker: W, shop: &Shop) -> Self {
        let state = Mutex::new(State { waiting: VecDeque::new(), worker: Worker::Idle(worker) });
        Self(Arc::new(Shared { turns: shop.turns.clone(), state, changed: Notify::new() }))
    }

    /// Hands a piece in as soon as there is room for it.
    ///
    /// # Errors
    /// What has gone wrong with an earlier piece.
    pub(super) async fn push(&self, piece: Placed) -> Result<(), Error> {
        loop {
            if self.0.is_pushed(&self.0, &piece)? {
                return Ok(());
            }
            self.0.changed.notified().await;
        }
    }

    /// The worker, when it is done with all pieces.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(super) async fn finish(self) -> Result<W, Error> {
        loop {
            if let Some(worker) = self.0.lock().idle()? {
                return Ok(worker);
            }
            self.0.changed.notified().await;
        }
    }
}

impl<W> State<W> {
    /// Takes the worker out, if it is idle.
    fn idle(&mut self) -> Result<Option<W>, Error> {
        match std::mem::replace(&mut self.worker, Worker::Gone) {
            Worker::Idle(worker) => Ok(Some(worker)),
            Worker::Busy => {
                self.worker = Worker::Busy;
                Ok(None)
            }
            Worker::Failed(error) => Err(error),
            Worker::Gone => Err(broken_off()),
        }
    }
}

impl<W: Work> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there was room.
    fn is_pushed(&self, shared: &Arc<Self>, piece: &Placed) -> Result<bool, Error> {
        let mut state = self.lock();
        match state.idle()? {
            Some(worker) => {
                state.worker = Worker::Busy;
                Turn { shared: shared.clone(), is_over: false }.begin(worker, piece.clone());
            }
            None if state.waiting.len() < PIECES_WAITING => state.waiting.push_back(piece.clone()),
            None => return Ok(false),
        }
        Ok(true)
    }
}

/// A thread's turn: until no piece waits, or others have waited long enough.
struct Turn<W: Work> {
    shared: Arc<Shared<W>>,
    is_over: bool,
}

impl<W: Work> Turn<W> {
    /// Has a thread work, now or when there is one.
    fn begin(self, worker: W, piece: Placed) {
        let turns = self.shared.turns.clone();
        match turns.clone().try_acquire_owned() {
            Ok(permit) => {
                tokio::task::spawn_blocking(move || self.work(worker, piece, permit));
            }
            Err(_) => {
                tokio::spawn(async move {
                    // Nobody closes it; if somebody did, the turn would be over here.
                    let Ok(permit) = turns.acquire_owned().await else { return };
                    tokio::task::spawn_blocking(move || self.work(worker, piece, permit));
                });
            }
        }
    }

    fn work(mut self, mut worker: W, mut piece: Placed, permit: OwnedSemaphorePermit) {
        for _ in 0..PIECES_OF_TURN {
            let done = worker.take(&piece.0.0);
            let mut state = self.shared.lock();
            let end = match (done, state.waiting.pop_front()) {
                (Ok(()), Some(next)) => {
                    drop(state);
                    self.shared.changed.notify_one();
                    piece = next;
                    continue;
                }
                (Ok(()), None) => Worker::Idle(worker),
                (Err(error), _) => Worker::Failed(error),
            };
            state.worker = end;
            self.is_over = true;
            drop(state);
            self.shared.changed.notify_one();
            return;
        }
        drop(permit);
        self.begin(worker, piece);
    }
}

impl<W: Work> Drop for Turn<W> {
    /// A worker that panics does not come back, and nobody waits for it.
    fn drop(&mut self) {
        if !self.is_over {
            self.shared.lock().worker = Worker::Failed(broken_off());
            self.shared.changed.notify_one();
        }
    }
}

fn broken_off() -> Error {
    Error::Internal("taking content in broke off".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what it is given; fails or panics at what says so.
    #[derive(Default)]
    struct Keeper(Vec<u8>);

    impl Work for Keeper {
        fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
            match piece {
                b"fail" => return Err(Error::DiskFull),
                b"panic" => panic!("as it was told"),
                piece => self.0.extend_from_slice(piece),
            }
            Ok(())
        }
    }

    async fn placed(piece: &[u8]) -> Placed {
        Shop::new().place(Bytes::copy_from_slice(piece)).await.unwrap()
    }

    #[tokio::test]
    async fn pieces_are_taken_in_their_order() {
        let lane = Lane::new(Keeper::default(), &Shop::new());
        let pieces: Vec<u8> = (0..200).collect();
        for piece in pieces.chunks(1) {
            lane.push(placed(piece).await).await.unwrap();
        }
        assert_eq!(lane.finish().await.unwrap().0, pieces);
        assert!(Lane::new(Keeper::default(), &Shop::new()).finish().await.unwrap().0.is_empty());
    }

    #[tokio::test]
    async fn a_worker_that_fails_or_panics_is_told_to_whoever_pushes_or_waits() {
        for (what, is_told) in [("fail", Error::DiskFull), ("panic", broken_off())] {
            let lane = Lane::new(Keeper::default(), &Shop::new());
            lane.push(placed(what.as_bytes()).await).await.unwrap();
            let error = loop {
                if let Err(error) = lane.push(placed(b"more").await).await {
                    break error;
                }
            };
            assert_eq!(error.to_string(), is_told.to_string());
            assert!(lane.push(placed(b"more").await).await.is_err());
            let lane = Lane::new(Keeper::default(), &Shop::new());
            lane.push(placed(what.as_bytes()).await).await.unwrap();
            assert_eq!(lane.finish().await.err().unwrap().to_string(), is_told.to_string());
        }
    }

    #[tokio::test]
    async fn no_more_pieces_wait_than_may() {
        struct Gate(std::sync::mpsc::Receiver<()>);
        impl Work for Gate {
            fn take(&mut self, _: &[u8]) -> Result<(), Error> {
                self.0.recv().map_err(|_| Error::DiskFull)
            }
        }
        let (open, gate) = std::sync::mpsc::channel();
        let lane = Lane::new(Gate(gate), &Shop::new());
        for _ in 0..=PIECES_WAITING {
            lane.push(placed(b"x").await).await.unwrap();
        }
        let mut next = Box::pin(lane.push(placed(b"x").await));
        assert!(futures_are_pending(&mut next).await);
        for _ in 0..=PIECES_WAITING + 1 {
            open.send(()).unwrap();
        }
        next.await.unwrap();
        lane.finish().await.unwrap();
    }

    #[tokio::test]
    async fn all_come_to_their_end_though_only_one_works_at_a_time_and_there_is_little_room() {
        let shop = Shop { turns: Arc::new(Semaphore::new(1)), places: Arc::new(Semaphore::new(2)) };
        let all = (0..10).map(|_| {
            let lane = Lane::new(Keeper::default(), &shop);
            let shop = shop.clone();
            tokio::spawn(async move {
                for number in 0..3 * PIECES_OF_TURN {
                    lane.push(shop.place(vec![number as u8].into()).await?).await?;
                }
                lane.finish().await
            })
        });
        for lane in all.collect::<Vec<_>>() {
            assert_eq!(lane.await.unwrap().unwrap().0, (0..96).collect::<Vec<u8>>());
        }
    }

    async fn futures_are_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}
