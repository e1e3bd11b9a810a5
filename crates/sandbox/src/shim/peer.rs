//! The node, as the shim sees it: at most one connection, which may break at any time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, fcntl_lock, openat, unlinkat};
use rustix::net::sockopt::socket_peercred;
use serde::Deserialize;

use super::poll::Source;
use super::process::{failed, refused};
use super::{LOCK_FILE, SOCKET_FILE, Shim, socket_path};
use crate::protocol::{Answer, FromShim, ShimFailure, ToShim};
use crate::sys::{Frame, FrameRead, Incoming, Outgoing};

/// From so many bytes that the node has not read nothing more is asked of it.
const UNREAD_BYTES_FULL: usize = 1024 * 1024;
/// From so many on the node is given up: it can connect again and ask for the state.
const UNREAD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How many requests are taken before anything else that is ready.
const REQUESTS_AT_ONCE_MAX: usize = 32;
/// How long a shim that ends waits for the node to read that.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub(super) struct Peer {
    key: u64,
    socket: OwnedFd,
    incoming: Incoming,
    outgoing: Outgoing,
    /// Whether it is waited for to be readable, and to be writable.
    waits: (bool, bool),
}

impl Peer {
    /// Whether it reads what it is told, so that it can ask for more.
    fn is_listening(&self) -> bool {
        self.outgoing.bytes() < UNREAD_BYTES_FULL
    }
}

/// Who asked, and what for: a request of a connection that may be gone by the time of its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    peer: u64,
    id: u64,
}

/// What is to be known of any request.
#[derive(Deserialize)]
struct Unknown {
    id: u64,
}

/// Listens in a workload's directory, which is locked as long as the other descriptor is open. Whatever shim was there before
/// has ended, or this one is not wanted.
pub(super) fn listen(directory: BorrowedFd<'_>) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let lock = openat(directory, LOCK_FILE, flags, Mode::RUSR | Mode::WUSR)?;
    // This kind of lock is the process's alone: none of its children keeps it.
    fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    let _ = unlinkat(directory, SOCKET_FILE, AtFlags::empty());
    let listener = UnixListener::bind(socket_path(directory))?;
    listener.set_nonblocking(true)?;
    Ok((listener.into(), lock))
}

/// Answers the first request with why there is no shim.
pub(super) fn refuse(socket: OwnedFd, error: &io::Error) {
    let failure = match rustix::io::Errno::from_io_error(error) {
        Some(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
            refused("there is a shim for that directory already")
        }
        _ => failed(format!("the shim cannot use the workload's directory: {error}")),
    };
    let Ok(timeout) = Timespec::try_from(LAST_WORDS_TIMEOUT) else { return };
    let mut ready = [PollFd::new(&socket, PollFlags::IN)];
    let _ = rustix::event::poll(&mut ready, Some(&timeout));
    if let Ok(FrameRead::Frame(frame)) = Incoming::default().read(socket.as_fd())
        && let Ok(Unknown { id }) = serde_json::from_slice(&frame.body)
    {
        let mut outgoing = Outgoing::default();
        let _ = outgoing.push(&FromShim::Answer { id, answer: Err(failure) }, Vec::new());
        let _ = outgoing.write(socket.as_fd());
    }
}

impl Shim {
    /// Takes connections; each replaces the one before.
    pub(super) fn accept(&mut self) {
        let flags = rustix::net::SocketFlags::CLOEXEC | rustix::net::SocketFlags::NONBLOCK;
        while let Ok(connection) = rustix::net::accept_with(&self.listener, flags) {
            // The directory is closed to others; so is the door.
            let is_own = socket_peercred(&connection).is_ok_and(|who| who.uid == rustix::process::geteuid());
            if is_own {
                let _ = self.welcome(connection);
            }
        }
    }

    /// Makes this the connection to the node.
    pub(super) fn welcome(&mut self, socket: OwnedFd) -> io::Result<()> {
        self.drop_peer();
        let key = self.next_key();
        self.poll.add(&socket, Source::Peer(key))?;
        let (incoming, outgoing) = (Incoming::default(), Outgoing::default());
        self.peer = Some(Peer { key, socket, incoming, outgoing, waits: (true, false) });
        Ok(())
    }

    fn drop_peer(&mut self) {
        if let Some(peer) = self.peer.take() {
            self.poll.remove(&peer.socket);
            if self.sandbox.ends_with_connection() {
                self.begin_to_end(None);
            }
        }
        // What it wanted to be told of it can ask for again.
        self.forget_watches();
    }

    /// Takes requests that have come; if there are many, the rest when others have had their turn.
    pub(super) fn peer_ready(&mut self, key: u64) {
        for _ in 0..REQUESTS_AT_ONCE_MAX {
            let Some(peer) = self.peer.as_mut().filter(|peer| peer.key == key && peer.is_listening()) else { return };
            match peer.incoming.read(peer.socket.as_fd()) {
                Ok(FrameRead::Frame(frame)) => self.take(key, frame),
                Ok(FrameRead::Blocked) => return,
                Ok(FrameRead::Ended) | Err(_) => return self.drop_peer(),
            }
        }
    }

    fn take(&mut self, peer: u64, frame: Frame) {
        match serde_json::from_slice::<ToShim>(&frame.body) {
            Ok(ToShim { id, request }) => {
                let asker = Asker { peer, id };
                match self.request(asker, request, frame.descriptors) {
                    Ok(Some((answer, descriptors))) => self.answer(asker, Ok(answer), descriptors),
                    Ok(None) => {}
                    Err(failure) => self.answer(asker, Err(failure), Vec::new()),
                }
            }
            Err(error) => match serde_json::from_slice::<Unknown>(&frame.body) {
                Ok(Unknown { id }) => {
                    let failure = refused(format!("this shim does not know what is asked for: {error}"));
                    self.answer(Asker { peer, id }, Err(failure), Vec::new());
                }
                Err(_) => self.drop_peer(),
            },
        }
    }

    /// Answers a request, unless who asked has gone.
    pub(super) fn answer(&mut self, asker: Asker, answer: Result<Answer, ShimFailure>, descriptors: Vec<OwnedFd>) {
        if self.peer.as_ref().is_some_and(|peer| peer.key == asker.peer) {
            self.say(&FromShim::Answer { id: asker.id, answer }, descriptors);
        }
    }

    /// Answers a request that was made more than once.
    pub(super) fn answer_all(&mut self, askers: Vec<Asker>, answer: &Result<Answer, ShimFailure>) {
        for asker in askers {
            self.answer(asker, answer.clone(), Vec::new());
        }
    }

    /// Tells the node something, if there is one.
    pub(super) fn tell(&mut self, message: &FromShim) {
        self.say(message, Vec::new());
    }

    fn say(&mut self, message: &FromShim, descriptors: Vec<OwnedFd>) {
        let Some(peer) = &mut self.peer else { return };
        if peer.outgoing.push(message, descriptors).is_err() || peer.outgoing.bytes() > UNREAD_BYTES_MAX {
            self.drop_peer();
        }
    }

    /// Writes what the node takes, and waits for what is to be waited for.
    pub(super) fn flush_peer(&mut self) {
        let Some(peer) = &mut self.peer else { return };
        if !peer.outgoing.is_empty() && peer.outgoing.write(peer.socket.as_fd()).is_err() {
            return self.drop_peer();
        }
        let waits = (peer.is_listening(), !peer.outgoing.is_empty());
        if waits != peer.waits {
            peer.waits = waits;
            let changed = self.poll.change(&peer.socket, Source::Peer(peer.key), waits.0, waits.1);
            if changed.is_err() {
                self.drop_peer();
            }
        }
    }

    /// Waits until the node has read everything, but not for long.
    pub(super) fn flush_peer_at_last(&mut self) {
        let until = Instant::now() + LAST_WORDS_TIMEOUT;
        self.flush_peer();
        while let Some(peer) = self.peer.as_ref().filter(|peer| !peer.outgoing.is_empty()) {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(timeout) = Timespec::try_from(left) else { return };
            let mut ready = [PollFd::new(&peer.socket, PollFlags::OUT)];
            if left.is_zero() || rustix::event::poll(&mut ready, Some(&timeout)).is_err() {
                return;
            }
            self.flush_peer();
        }
    }
}
