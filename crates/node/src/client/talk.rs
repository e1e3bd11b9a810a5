//! Sessions, as whoever asks has them.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::NodeError;
use super::connection::{Connection, Lost};
use super::mailbox::{End, Mailbox};
use crate::protocol::{Answer, DATA_BYTES_MAX, Event, Input, WINDOW_BYTES, cost};

/// So much is taken before the node is told of it.
const TAKEN_TOLD_AFTER: u32 = WINDOW_BYTES / 4;

/// A [`Session`](crate::protocol::Session) that is open. Dropping it ends it.
#[derive(Debug)]
pub struct Talk {
    sender: TalkSender,
    /// What was taken and not told yet.
    taken: u32,
    ended: Option<Answer>,
    is_over: bool,
    _place: OwnedSemaphorePermit,
}

/// Says something in a session, from wherever; cheap to clone. It does not keep the session open.
#[derive(Debug, Clone)]
pub struct TalkSender {
    connection: Arc<Connection>,
    id: u64,
    mailbox: Arc<Mailbox>,
}

impl Talk {
    pub(super) fn new(
        connection: Arc<Connection>,
        id: u64,
        mailbox: Arc<Mailbox>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let sender = TalkSender { connection, id, mailbox };
        Self { sender, taken: 0, ended: None, is_over: false, _place: place }
    }

    /// The next thing that happened. None once the session is over; [`Talk::answer`] then says how it ended. What is printed is
    /// taken by this: who does not call it holds the other side up, and nothing else. May be dropped and called again.
    ///
    /// # Errors
    /// [`NodeError::Failed`] as the node says; [`NodeError::Lost`] if the connection broke. Nothing comes after an error.
    pub async fn next(&mut self) -> Option<Result<Event, NodeError>> {
        if self.is_over {
            return None;
        }
        match self.sender.mailbox.next().await {
            Ok(event) => {
                if let Event::Output(output) = &event {
                    self.take(cost(&output.data));
                }
                Some(Ok(event))
            }
            Err(end) => {
                self.is_over = true;
                match end {
                    End::Answered(Ok(answer)) => {
                        self.ended = Some(answer);
                        None
                    }
                    End::Answered(Err(failure)) => Some(Err(failure.into())),
                    End::Lost => Some(Err(NodeError::Lost)),
                }
            }
        }
    }

    /// What the session ended with, once [`Talk::next`] has answered none.
    pub fn answer(&self) -> Option<&Answer> {
        self.ended.as_ref()
    }

    /// Says something. Waits while the node has not taken enough of what was said before.
    ///
    /// # Errors
    /// As of [`TalkSender::send`].
    pub async fn send(&self, input: Input) -> Result<(), NodeError> {
        self.sender.send(input).await
    }

    /// For saying something while another waits for what happens.
    pub fn sender(&self) -> TalkSender {
        self.sender.clone()
    }

    fn take(&mut self, count: u32) {
        self.taken += count;
        if self.taken >= TAKEN_TOLD_AFTER {
            // First here: the node may send as much more as soon as it has heard.
            self.sender.mailbox.told_taken(self.taken);
            // If it is not sent, the connection is broken, and that is told as such.
            let _ = self.sender.connection.say(self.sender.id, Input::Taken(self.taken));
            self.taken = 0;
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.sender.connection.hang_up(self.sender.id);
    }
}

impl TalkSender {
    /// Says something. Waits while the node has not taken enough of what was said before.
    ///
    /// # Errors
    /// [`NodeError::Lost`] if the session is over.
    pub async fn send(&self, input: Input) -> Result<(), NodeError> {
        if let Input::Data(data) = &input {
            let credit = self.mailbox.credit.acquire_many(cost(data)).await.map_err(|_| NodeError::Lost)?;
            credit.forget();
        }
        self.connection.say(self.id, input).map_err(|Lost| NodeError::Lost)
    }

    /// Says bytes, in as many pieces as it takes.
    ///
    /// # Errors
    /// As of [`TalkSender::send`].
    pub async fn data(&self, bytes: &[u8]) -> Result<(), NodeError> {
        for piece in bytes.chunks(DATA_BYTES_MAX) {
            self.send(Input::data(piece)).await?;
        }
        Ok(())
    }
}

/// What comes of all workloads of a node: each of them, then [`Event::Told`], then each change. Of a workload that changes faster
/// than it is looked at, only the latest.
#[derive(Debug)]
pub struct Following(Talk);

impl Following {
    pub(super) fn new(talk: Talk) -> Self {
        Self(talk)
    }

    /// The next thing that happened: [`Event::Observed`] or [`Event::Told`]. May be dropped and called again.
    ///
    /// # Errors
    /// [`NodeError`]. After one nothing more comes: follow again, and everything is told anew.
    pub async fn next(&mut self) -> Result<Event, NodeError> {
        self.0.next().await.unwrap_or(Err(NodeError::Lost))
    }
}
