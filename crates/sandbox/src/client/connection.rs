//! A connection to a shim: one task that writes requests, reads what comes, and brings answers to who asked.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot};

use super::events::{Entrance, Event, Events, Listeners};
use super::failure::ShimError;
use crate::protocol::{Answer, Exit, FromShim, Request, ShimFailure, Target, ToShim};
use crate::sys::{Frame, FrameRead, Incoming, Outgoing};

/// Requests that wait to be written; who asks when there are as many waits.
const CALLS_WAITING_MAX: usize = 64;
/// Execs whose ends nobody has taken are forgotten from so many on.
const EXECS_MAX: usize = 4096;

/// A connection to a shim. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    calls: mpsc::Sender<Call>,
    entrance: Entrance,
}

/// An answer and what came with it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) descriptors: Vec<OwnedFd>,
    /// For an exec: where its end is told.
    pub(super) ended: Option<oneshot::Receiver<Exit>>,
}

#[derive(Debug)]
struct Call {
    request: Request,
    descriptors: Vec<OwnedFd>,
    reply: oneshot::Sender<Result<Reply, ShimError>>,
}

impl Connection {
    pub(super) fn start(stream: UnixStream) -> Self {
        let (calls, waiting) = mpsc::channel(CALLS_WAITING_MAX);
        let listeners = Listeners::none();
        let entrance = listeners.entrance();
        tokio::spawn(Talk { stream, waiting, listeners, asked: Asked::default() }.run());
        Self { calls, entrance }
    }

    pub(super) fn events(&self) -> Events {
        self.entrance.events()
    }

    pub(super) async fn call(&self, request: Request, descriptors: Vec<OwnedFd>) -> Result<Reply, ShimError> {
        let (reply, answered) = oneshot::channel();
        let call = Call { request, descriptors, reply };
        self.calls.send(call).await.map_err(|_| ShimError::Disconnected)?;
        answered.await.map_err(|_| ShimError::Disconnected)?
    }
}

/// The task's own.
#[derive(Debug)]
struct Talk {
    stream: UnixStream,
    waiting: mpsc::Receiver<Call>,
    listeners: Listeners,
    asked: Asked,
}

/// What has not been answered or has not ended.
#[derive(Debug, Default)]
struct Asked {
    last_id: u64,
    replies: HashMap<u64, oneshot::Sender<Result<Reply, ShimError>>>,
    execs: HashMap<u64, oneshot::Sender<Exit>>,
}

impl Talk {
    /// Runs until either side has had enough. Dropping what was asked tells those who wait.
    async fn run(mut self) {
        let mut incoming = Incoming::default();
        let mut outgoing = Outgoing::default();
        loop {
            let interest =
                if outgoing.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
            tokio::select! {
                call = self.waiting.recv(), if outgoing.is_empty() => match call {
                    Some(call) => self.asked.ask(call, &mut outgoing),
                    None => return,
                },
                ready = self.stream.ready(interest) => if ready.is_err() { return },
            }
            let going_on = self.write(&mut outgoing).and_then(|()| self.read(&mut incoming));
            match going_on {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(%error, "a shim's connection broke");
                    return;
                }
            }
        }
    }

    fn write(&self, outgoing: &mut Outgoing) -> io::Result<()> {
        if outgoing.is_empty() {
            return Ok(());
        }
        let written = self.stream.try_io(Interest::WRITABLE, || {
            outgoing.write(self.stream.as_fd())?;
            if outgoing.is_empty() { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        unless_blocked(written, ())
    }

    /// Takes everything that has come. False when the shim has closed.
    fn read(&mut self, incoming: &mut Incoming) -> io::Result<bool> {
        loop {
            let read = self.stream.try_io(Interest::READABLE, || match incoming.read(self.stream.as_fd())? {
                FrameRead::Blocked => Err(io::ErrorKind::WouldBlock.into()),
                read => Ok(read),
            });
            match unless_blocked(read, FrameRead::Blocked)? {
                FrameRead::Frame(frame) => self.take(frame),
                FrameRead::Blocked => return Ok(true),
                FrameRead::Ended => return Ok(false),
            }
        }
    }

    fn take(&mut self, frame: Frame) {
        match serde_json::from_slice(&frame.body) {
            Ok(FromShim::Answer { id, answer }) => self.asked.answered(id, answer, frame.descriptors),
            Ok(FromShim::Exited { what, exit }) => {
                if let Target::Exec(exec) = what
                    && let Some(waiting) = self.asked.execs.remove(&exec)
                {
                    let _ = waiting.send(exit);
                }
                self.listeners.tell(Event::Exited { what, exit });
            }
            Ok(FromShim::Output { container }) => self.listeners.tell(Event::Output { container }),
            Ok(FromShim::SandboxEnded) => self.listeners.tell(Event::SandboxEnded),
            // A newer shim may tell what this program does not know; it also tells what it did.
            Err(error) => tracing::debug!(%error, "a shim said something that this program does not know"),
        }
    }
}

fn unless_blocked<T>(result: io::Result<T>, blocked: T) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(blocked),
        result => result,
    }
}

impl Asked {
    fn ask(&mut self, call: Call, outgoing: &mut Outgoing) {
        self.last_id += 1;
        let descriptors = call.descriptors.len();
        let message = ToShim { id: self.last_id, request: call.request };
        match outgoing.push(&message, call.descriptors) {
            Ok(()) => {
                self.replies.insert(self.last_id, call.reply);
            }
            Err(bytes) => {
                let _ = call.reply.send(Err(ShimError::TooLong { bytes, descriptors }));
            }
        }
    }

    fn answered(&mut self, id: u64, answer: Result<Answer, ShimFailure>, descriptors: Vec<OwnedFd>) {
        let Some(reply) = self.replies.remove(&id) else {
            return;
        };
        let result = answer.map_err(ShimError::from).map(|answer| {
            let ended = match answer {
                Answer::Executing { exec, .. } => Some(self.expect_end(exec)),
                _ => None,
            };
            Reply { answer, descriptors, ended }
        });
        // Whoever asked may not wait any more.
        let _ = reply.send(result);
    }

    fn expect_end(&mut self, exec: u64) -> oneshot::Receiver<Exit> {
        let (ended, receiver) = oneshot::channel();
        if self.execs.len() >= EXECS_MAX {
            self.execs.retain(|_, waiting| !waiting.is_closed());
        }
        self.execs.insert(exec, ended);
        receiver
    }
}
