//! A shim: one process for each workload, which holds its sandbox, makes its containers, keeps what they print and how they
//! ended. It has one thread and waits for nothing but `epoll_wait`; what takes time happens in children ([`crate::setup`]).
//!
//! - A node is a guest: at most one is connected ([`peer`]), and nothing depends on it.
//! - A container is a [`container::Container`] with its life as one enum; so is an [`exec::Exec`]. Both go on by reports of the
//!   processes that make them ([`making`]) and by children that end ([`children`]).
//! - It ends when its sandbox's process has: by [`Request::Destroy`], by its fence, because somebody killed that process
//!   ([`end`]), or because the workload's directory is not there any more. If it is killed itself, the kernel kills the sandbox's process, its child, and that one's namespace.

mod children;
mod container;
mod end;
mod exec;
mod flood;
mod making;
mod peer;
mod poll;
mod printed;
mod process;
mod requests;
mod sandbox;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::Mode;

use self::container::Container;
use self::end::Ending;
use self::exec::Exec;
use self::flood::{Rhythm, Tools};
use self::peer::Peer;
use self::poll::{Poll, Source};
use self::sandbox::Sandbox;
#[cfg(doc)]
use crate::protocol::Request;
use crate::sys;

/// The socket in a workload's directory at which its shim can be reached.
pub(crate) const SOCKET_FILE: &str = "shim.sock";
/// What a shim that ends in its own order leaves in the workload's directory: its state, as JSON.
pub(crate) const LAST_WORDS_FILE: &str = "shim.last";
/// The longest that it can be, in bytes.
pub(crate) const LAST_WORDS_BYTES_MAX: u64 = 1024 * 1024;
/// What a shim holds a lock of for as long as it is there.
const LOCK_FILE: &str = "shim.lock";
/// What a shim ends with that could not be one.
const EXIT_FAILED: i32 = 1;
/// How often a shim that has nothing to do looks whether its workload's directory is still there.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// What a shim says to nobody: that it panicked, and where.
const LOG_FILE: &str = "shim.log";

/// A path to the socket that always fits into an address, and leads to this directory whatever its own path is.
pub(crate) fn socket_path(directory: BorrowedFd<'_>) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{SOCKET_FILE}", directory.as_raw_fd()))
}

/// Is a shim, which speaks over this connection first and at its socket later.
pub(crate) fn run(directory: OwnedFd, connection: OwnedFd) -> ! {
    let _ = rustix::thread::set_name(c"pilvi-shim");
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    sys::ignore(&[libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGPIPE]);
    log_to(directory.as_fd());
    let code = match Shim::start(directory) {
        Ok(mut shim) => match shim.welcome(connection) {
            Ok(()) => shim.serve(),
            Err(_) => EXIT_FAILED,
        },
        Err(error) => {
            peer::refuse(connection, &error);
            EXIT_FAILED
        }
    };
    std::process::exit(code)
}

/// Makes standard error a file of the workload's. Failing costs a line that is read after a panic.
fn log_to(directory: BorrowedFd<'_>) {
    use rustix::fs::{OFlags, openat};
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Ok(log) = openat(directory, LOG_FILE, flags, Mode::RUSR | Mode::WUSR) {
        let _ = rustix::stdio::dup2_stderr(log);
    }
}

/// Everything that a shim knows.
#[derive(Debug)]
struct Shim {
    directory: OwnedFd,
    /// Whether the file system says how many names a directory has. Some say 0 always.
    counts_links: bool,
    poll: Poll,
    listener: OwnedFd,
    /// Keeps other shims out of the directory.
    _lock: OwnedFd,
    children: OwnedFd,
    fence: OwnedFd,
    peer: Option<Peer>,
    sandbox: Sandbox,
    containers: BTreeMap<String, Container>,
    execs: BTreeMap<u64, Exec>,
    kept: Vec<OwnedFd>,
    ending: Option<Ending>,
    fenced: bool,
    last_key: u64,
    tools: Tools,
}

impl Shim {
    fn start(directory: OwnedFd) -> io::Result<Self> {
        // What children leave behind is the shim's to reap.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let poll = Poll::new()?;
        let children = sys::signal_socket()?;
        let fence = end::timer()?;
        let (listener, lock) = peer::listen(directory.as_fd())?;
        poll.add(&children, Source::Children)?;
        poll.add(&fence, Source::Fence)?;
        poll.add(&listener, Source::Listener)?;
        let counts_links = rustix::fs::fstat(&directory)?.st_nlink > 0;
        Ok(Self {
            directory,
            counts_links,
            poll,
            listener,
            _lock: lock,
            children,
            fence,
            peer: None,
            sandbox: Sandbox::None,
            containers: BTreeMap::new(),
            execs: BTreeMap::new(),
            kept: Vec::new(),
            ending: None,
            fenced: false,
            last_key: 0,
            tools: Tools::default(),
        })
    }

    /// Serves until everything has ended. Answers what the process ends with.
    fn serve(&mut self) -> i32 {
        let mut patience = LOOK_EVERY;
        let mut rhythm = Rhythm::new();
        loop {
            let Ok(ready) = self.poll.wait(patience) else {
                // Nothing can be waited for any more; what the sandbox holds ends with this process.
                return EXIT_FAILED;
            };
            let woken = Instant::now();
            let printed: Option<usize> = ready.map(|source| self.handle(source)).sum();
            patience = self.settle_outputs().map_or(LOOK_EVERY, |held| held.min(LOOK_EVERY));
            if self.is_homeless() {
                self.begin_to_end(None);
            }
            if self.has_ended() {
                self.say_last_words();
                return 0;
            }
            self.flush_peer();
            rhythm.pause_if_hurried(woken, printed);
        }
    }

    /// Answers how much was printed, if that is what it was about.
    fn handle(&mut self, source: Source) -> Option<usize> {
        match source {
            Source::Listener => self.accept(),
            Source::Children => self.children_ended(),
            Source::Fence => self.fence_reached(),
            Source::Peer(key) => self.peer_ready(key),
            Source::Making(key) => self.making_ready(key),
            Source::Output(key) => return Some(self.printed(key, crate::output::Stream::Output)),
            Source::Errors(key) => return Some(self.printed(key, crate::output::Stream::Errors)),
        }
        None
    }

    /// Whether the workload's directory was removed: no node will ever find this shim again, nor read what its containers print.
    fn is_homeless(&self) -> bool {
        self.counts_links && rustix::fs::fstat(&self.directory).is_ok_and(|about| about.st_nlink == 0)
    }

    fn next_key(&mut self) -> u64 {
        self.last_key += 1;
        self.last_key
    }
}

/// Nanoseconds since 1970.
fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
