//! The node's end of a session: what it says and hears, within windows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::sync::{Semaphore, mpsc};

use crate::lines;
use crate::protocol::{Event, FromNode, Input, Output, PIECE_COST, WINDOW_BYTES, cost};

/// What waits of what whoever asks says: all that a window has room for, and some sizes of terminals.
const INPUTS_WAITING_MAX: usize = (WINDOW_BYTES / PIECE_COST) as usize + 64;

/// Whoever asks is gone, or does not want it any more.
#[derive(Debug)]
pub(super) struct Gone;

/// What was said is against the rules.
#[derive(Debug)]
pub(super) struct BeyondWindow;

/// What a session says, as what serves it has it.
#[derive(Debug)]
pub(super) struct Telling {
    id: u64,
    sender: mpsc::Sender<Vec<u8>>,
    windows: Arc<Windows>,
}

/// What a session hears, as what serves it has it.
#[derive(Debug)]
pub(super) struct Hearing(mpsc::Receiver<Input>);

/// A session, as the connection has it.
#[derive(Debug)]
pub(super) struct Inbox {
    inputs: mpsc::Sender<Input>,
    windows: Arc<Windows>,
}

#[derive(Debug)]
struct Windows {
    /// What may still be said to whoever asks.
    output: Semaphore,
    /// What whoever asks may still say.
    input: AtomicU32,
    /// What is said once has been.
    is_released: AtomicBool,
}

/// Both ends of a new session.
pub(super) fn session(id: u64, sender: mpsc::Sender<Vec<u8>>) -> (Inbox, Telling, Hearing) {
    let windows = Arc::new(Windows {
        output: Semaphore::new(WINDOW_BYTES as usize),
        input: AtomicU32::new(WINDOW_BYTES),
        is_released: AtomicBool::new(false),
    });
    let (inputs, waiting) = mpsc::channel(INPUTS_WAITING_MAX);
    let inbox = Inbox { inputs, windows: Arc::clone(&windows) };
    (inbox, Telling { id, sender, windows }, Hearing(waiting))
}

impl Inbox {
    /// Takes what was said. Never waits.
    pub(super) fn put(&self, input: Input) -> Result<(), BeyondWindow> {
        match &input {
            Input::Taken(count) => {
                let room = (WINDOW_BYTES as usize).saturating_sub(self.windows.output.available_permits());
                self.windows.output.add_permits((*count as usize).min(room));
                return Ok(());
            }
            Input::Data(data) => {
                let take = |left: u32| left.checked_sub(cost(data));
                let taken = self.windows.input.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
                taken.map_err(|_| BeyondWindow)?;
            }
            // Further sizes than there is room for are passed over: the next one counts.
            Input::Resize(_) if self.inputs.capacity() < INPUTS_WAITING_MAX / 2 => return Ok(()),
            // It may be long, and is kept until it is looked at.
            Input::Release(_) if self.windows.is_released.swap(true, Ordering::Relaxed) => return Err(BeyondWindow),
            Input::Resize(_) | Input::End | Input::Release(_) => {}
        }
        match self.inputs.try_send(input) {
            Err(mpsc::error::TrySendError::Full(_)) => Err(BeyondWindow),
            // The session has ended, and the other side does not know it yet.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
        }
    }
}

impl Telling {
    /// Tells something that is not bound by a window.
    pub(super) async fn tell(&self, event: Event) -> Result<(), Gone> {
        let line = lines::line(&FromNode::Event { id: self.id, event });
        let line =
            line.inspect_err(|error| tracing::error!(%error, "what happened cannot be told")).map_err(|_| Gone)?;
        self.sender.send(line).await.map_err(|_| Gone)
    }

    /// Tells what was printed, when enough of what was told before has been taken.
    pub(super) async fn print(&self, output: Output) -> Result<(), Gone> {
        let window = self.windows.output.acquire_many(cost(&output.data)).await.map_err(|_| Gone)?;
        window.forget();
        self.tell(Event::Output(output)).await
    }

    /// Lets whoever asks say as much again as a piece of input counted for.
    pub(super) async fn taken(&self, data: &str) -> Result<(), Gone> {
        let count = cost(data);
        // First here: the other side may say as much more as soon as it has heard.
        self.windows.input.fetch_add(count, Ordering::Relaxed);
        self.tell(Event::Taken(count)).await
    }
}

impl Hearing {
    /// What whoever asks says next; none when it will say no more.
    pub(super) async fn next(&mut self) -> Option<Input> {
        self.0.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(length: usize) -> Input {
        Input::Data("A".repeat(length))
    }

    #[tokio::test]
    async fn whoever_says_more_than_was_taken_breaks_the_rules() {
        let (sender, mut lines) = mpsc::channel(8);
        let (inbox, telling, mut hearing) = session(7, sender);
        let half = (WINDOW_BYTES / 2 - PIECE_COST) as usize;
        inbox.put(data(half)).unwrap();
        inbox.put(data(half)).unwrap();
        assert!(inbox.put(data(0)).is_err());
        let Some(Input::Data(first)) = hearing.next().await else { panic!() };
        telling.taken(&first).await.unwrap();
        inbox.put(data(half)).unwrap();
        assert!(inbox.put(data(0)).is_err());
        let told = format!(r#"{{"event":{{"id":7,"event":{{"taken":{}}}}}}}"#, WINDOW_BYTES / 2);
        assert_eq!(lines.recv().await.unwrap(), format!("{told}\n").into_bytes());
    }

    #[tokio::test]
    async fn output_waits_until_it_is_taken() {
        let (sender, mut lines) = mpsc::channel(8);
        let (inbox, telling, _hearing) = session(7, sender);
        let piece = || {
            let data = "A".repeat((WINDOW_BYTES - PIECE_COST) as usize);
            Output { stream: 1, data, at_ms: 0, next: 0, partial: false, lost_bytes: 0 }
        };
        telling.print(piece()).await.unwrap();
        lines.recv().await.unwrap();
        let second = telling.print(piece());
        tokio::pin!(second);
        assert!(asked_once(&mut second).is_none(), "it is not told yet");
        inbox.put(Input::Taken(u32::MAX)).unwrap();
        second.await.unwrap();
        assert_eq!(telling.windows.output.available_permits(), 0, "more than all is never given back");
    }

    /// Asks a future once.
    fn asked_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn sizes_of_a_terminal_never_break_the_rules() {
        let (sender, _lines) = mpsc::channel(1);
        let (inbox, _telling, mut hearing) = session(1, sender);
        for columns in 0..10_000 {
            inbox.put(Input::Resize([columns, 24])).unwrap();
        }
        inbox.put(Input::End).unwrap();
        assert_eq!(hearing.next().await, Some(Input::Resize([0, 24])));
    }
}
