//! Output that comes faster than anybody could read it.
//!
//! What a container prints is read by its shim, whose processor time is not the container's, and goes to a ring of files that is
//! rewritten again and again. A shim cannot be in the container's cgroup: it must answer when that is frozen or has used up its
//! time. So within a second a container has its ring written once, or [`BYTES_MAX`] if it is smaller. What comes beyond that in this
//! second is let go of without being copied, counted as lost, and stops nobody; but what comes last is held, and written when the
//! second is over or the container has ended. And who prints little, but all the time, is not read each time ([`Rhythm`]).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::pipe::SpliceFlags;

use crate::output::Stream;

/// How much is written within a second, in bytes, whatever the ring's size.
const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// For which time that is counted.
const WINDOW: Duration = Duration::from_secs(1);
/// How much is held of a stream, in bytes.
pub(super) const HELD_BYTES_MAX: usize = 16 * 1024;
/// How much is read at once, in bytes: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// Who prints little by little, but all the time, is read once in so long.
const PAUSE: Duration = Duration::from_micros(500);
/// How much is little, in bytes: a quarter of what a pipe holds.
const LITTLE_BYTES: usize = 16 * 1024;
/// How often in a row that must have come faster than it is to be read.
const HURRIED_MAX: u32 = 16;

/// How fast a container's output is written.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_max: u64,
    began: Instant,
    bytes: u64,
    held: [Vec<u8>; 2],
}

impl Pace {
    /// Of a ring of so many bytes.
    pub(super) fn of(ring_bytes: u64) -> Self {
        Self { bytes_max: ring_bytes.max(BYTES_MAX), began: Instant::now(), bytes: 0, held: Default::default() }
    }

    /// Whether nothing more is written for now.
    pub(super) fn is_spent(&self, now: Instant) -> bool {
        self.bytes >= self.bytes_max && now.duration_since(self.began) < WINDOW
    }

    /// So much is written.
    pub(super) fn note(&mut self, now: Instant, bytes: usize) {
        if now.duration_since(self.began) >= WINDOW {
            (self.began, self.bytes) = (now, 0);
        }
        self.bytes += bytes as u64;
    }

    /// Holds what came last of a stream, instead of what is held if `is_gap` says that there was more between them. Answers how many
    /// bytes are lost by that.
    pub(super) fn hold(&mut self, stream: Stream, data: &[u8], is_gap: bool) -> usize {
        let held = &mut self.held[index(stream)];
        let before = held.len();
        if is_gap {
            held.clear();
        }
        held.extend_from_slice(&data[data.len().saturating_sub(HELD_BYTES_MAX)..]);
        held.drain(..held.len().saturating_sub(HELD_BYTES_MAX));
        before + data.len() - held.len()
    }

    /// Hands out what is held of a stream.
    pub(super) fn take(&mut self, stream: Stream) -> Vec<u8> {
        std::mem::take(&mut self.held[index(stream)])
    }

    /// How long something is held yet. None if nothing is.
    pub(super) fn is_due_in(&self, now: Instant) -> Option<Duration> {
        let is_held = self.held.iter().any(|held| !held.is_empty());
        is_held.then(|| WINDOW.saturating_sub(now.duration_since(self.began)))
    }
}

fn index(stream: Stream) -> usize {
    match stream {
        Stream::Output => 0,
        Stream::Errors => 1,
    }
}

/// What a shim reads output with. One whose containers print nothing has nothing of it.
#[derive(Debug, Default)]
pub(super) struct Tools {
    buffer: Vec<u8>,
    null: Option<OwnedFd>,
}

impl Tools {
    pub(super) fn buffer(&mut self) -> &mut [u8] {
        self.buffer.resize(READ_BYTES, 0);
        &mut self.buffer
    }

    /// Lets go of what a pipe holds, but for as much as is held of a stream. Answers how much that was.
    pub(super) fn let_go(&mut self, pipe: BorrowedFd<'_>) -> usize {
        let waiting = rustix::io::ioctl_fionread(pipe).unwrap_or(0);
        let waiting = usize::try_from(waiting).unwrap_or(usize::MAX);
        let Some(too_much) = waiting.checked_sub(HELD_BYTES_MAX).filter(|count| *count > 0) else { return 0 };
        if self.null.is_none() {
            self.null = File::options().write(true).open("/dev/null").ok().map(OwnedFd::from);
        }
        let Some(null) = &self.null else { return 0 };
        rustix::pipe::splice(pipe, None, null.as_fd(), None, too_much, SpliceFlags::NONBLOCK).unwrap_or(0)
    }
}

/// How fast a shim is woken by what is printed.
#[derive(Debug)]
pub(super) struct Rhythm {
    before: Instant,
    hurried: u32,
}

impl Rhythm {
    pub(super) fn new() -> Self {
        Self { before: Instant::now(), hurried: 0 }
    }

    /// Waits a little if the shim is woken all the time for next to nothing: a pipe takes more before anybody has to wait.
    pub(super) fn pause_if_hurried(&mut self, woken: Instant, printed: Option<usize>) {
        if self.is_hurried(woken, printed) {
            std::thread::sleep(PAUSE);
        }
        self.before = Instant::now();
    }

    fn is_hurried(&mut self, woken: Instant, printed: Option<usize>) -> bool {
        let is_little = printed.is_some_and(|bytes| bytes < LITTLE_BYTES);
        let is_one_more = is_little && woken.duration_since(self.before) < PAUSE;
        self.hurried = if is_one_more { self.hurried.saturating_add(1) } else { 0 };
        self.hurried > HURRIED_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_written_once_within_a_second() {
        let mut pace = Pace::of(1 << 30);
        let began = Instant::now();
        pace.note(began, (1 << 30) - 1);
        assert!(!pace.is_spent(began));
        pace.note(began, 1);
        assert!(pace.is_spent(began));
        assert!(!pace.is_spent(began + 2 * WINDOW));
        pace.note(began + 2 * WINDOW, 1);
        assert!(!pace.is_spent(began + 2 * WINDOW));
    }

    #[test]
    fn what_comes_last_is_held_and_the_rest_is_counted() {
        let mut pace = Pace::of(0);
        let now = Instant::now();
        assert_eq!(pace.is_due_in(now), None);
        assert_eq!(pace.hold(Stream::Output, b"first", false), 0);
        assert_eq!(pace.hold(Stream::Output, b" second", false), 0);
        assert_eq!(pace.hold(Stream::Errors, b"error", false), 0);
        assert!(pace.is_due_in(now).is_some());
        let long = vec![b'x'; HELD_BYTES_MAX - 1];
        assert_eq!(pace.hold(Stream::Output, &long, false), 11);
        assert_eq!(pace.take(Stream::Output)[..2], *b"dx");
        assert_eq!(pace.hold(Stream::Output, b"lost", false), 0);
        assert_eq!(pace.hold(Stream::Output, b"last", true), 4);
        assert_eq!(pace.hold(Stream::Errors, &vec![b'y'; 3 * HELD_BYTES_MAX], true), 5 + 2 * HELD_BYTES_MAX);
        assert_eq!((pace.take(Stream::Output), pace.take(Stream::Errors).len()), (b"last".to_vec(), HELD_BYTES_MAX));
        assert_eq!(pace.is_due_in(now), None);
    }

    #[test]
    fn who_prints_little_all_the_time_is_waited_for() {
        let mut rhythm = Rhythm::new();
        let now = rhythm.before;
        assert!(!(0..HURRIED_MAX).any(|_| rhythm.is_hurried(now, Some(1))));
        assert!(rhythm.is_hurried(now, Some(1)));
        assert!(!rhythm.is_hurried(now, Some(LITTLE_BYTES)));
        assert!(!rhythm.is_hurried(now, Some(1)));
        assert!(!(0..100).any(|_| rhythm.is_hurried(now + PAUSE, Some(1)) || rhythm.is_hurried(now, None)));
    }

    #[test]
    fn a_pipe_is_let_go_of_but_for_its_end() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&write, &[b'x'; HELD_BYTES_MAX]).unwrap();
        let mut tools = Tools::default();
        assert_eq!(tools.let_go(read.as_fd()), 0);
        rustix::io::write(&write, &[b'y'; 1000]).unwrap();
        assert_eq!(tools.let_go(read.as_fd()), 1000);
        assert_eq!(rustix::io::ioctl_fionread(&read).unwrap(), HELD_BYTES_MAX as u64);
    }
}
