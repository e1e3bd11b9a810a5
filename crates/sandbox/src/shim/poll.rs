//! What a shim waits for.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

/// How many events are taken at once.
const EVENTS_MAX: usize = 32;

/// Something that can be ready. Keys are never used twice, so that an event for what was closed a moment ago finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Somebody connects.
    Listener,
    /// A child has ended.
    Children,
    /// The fence's time has come.
    Fence,
    /// The node, by its connection's key.
    Peer(u64),
    /// A process that makes something, by the key of what it makes.
    Making(u64),
    /// What a container prints, by the container's key.
    Output(u64),
    /// What it prints as errors.
    Errors(u64),
}

const KIND_BITS: u32 = 3;

impl Source {
    fn to_number(self) -> u64 {
        let (kind, key) = match self {
            Self::Listener => (0, 0),
            Self::Children => (1, 0),
            Self::Fence => (2, 0),
            Self::Peer(key) => (3, key),
            Self::Making(key) => (4, key),
            Self::Output(key) => (5, key),
            Self::Errors(key) => (6, key),
        };
        key << KIND_BITS | kind
    }

    fn from_number(number: u64) -> Self {
        let key = number >> KIND_BITS;
        match number & ((1 << KIND_BITS) - 1) {
            0 => Self::Listener,
            1 => Self::Children,
            2 => Self::Fence,
            3 => Self::Peer(key),
            4 => Self::Making(key),
            5 => Self::Output(key),
            _ => Self::Errors(key),
        }
    }
}

/// An epoll instance.
#[derive(Debug)]
pub(super) struct Poll(OwnedFd);

impl Poll {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Waits for this to be readable from now on.
    pub(super) fn add(&self, descriptor: impl AsFd, source: Source) -> io::Result<()> {
        let data = epoll::EventData::new_u64(source.to_number());
        Ok(epoll::add(&self.0, descriptor, data, epoll::EventFlags::IN)?)
    }

    /// Whether this is waited for to be readable, and whether to be writable.
    pub(super) fn change(&self, descriptor: impl AsFd, source: Source, read: bool, write: bool) -> io::Result<()> {
        let mut flags = epoll::EventFlags::empty();
        flags.set(epoll::EventFlags::IN, read);
        flags.set(epoll::EventFlags::OUT, write);
        let data = epoll::EventData::new_u64(source.to_number());
        Ok(epoll::modify(&self.0, descriptor, data, flags)?)
    }

    /// Before a descriptor is closed: a child that was just forked may still have it, and it would go on telling.
    pub(super) fn remove(&self, descriptor: impl AsFd) {
        let _ = epoll::delete(&self.0, descriptor);
    }

    /// Waits until something is ready, but no longer than this.
    pub(super) fn wait(&self, at_most: Duration) -> io::Result<impl Iterator<Item = Source> + use<>> {
        let mut space = [MaybeUninit::<epoll::Event>::uninit(); EVENTS_MAX];
        let mut ready = [0; EVENTS_MAX];
        // None would be for ever, which is what a time comes to that does not fit.
        let at_most = Timespec::try_from(at_most).ok();
        let count = match epoll::wait(&self.0, &mut space, at_most.as_ref()) {
            Ok((events, _)) => {
                for (number, event) in ready.iter_mut().zip(&*events) {
                    *number = event.data.u64();
                }
                events.len()
            }
            // A process that was stopped and goes on.
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(ready.into_iter().take(count).map(Source::from_number))
    }
}
