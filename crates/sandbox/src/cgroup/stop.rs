//! Everything in a group stopped, continued, killed; the group removed.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, kill_process};

use super::error::Error;
use super::group::Group;
use super::hierarchy::{Directory, Version};
use super::stats::value;
use super::{FREEZE_WAIT_MS, REMOVE_WAIT_MS};

/// How often a group of version 1 is looked at, at first and at most: it tells nobody when it changes.
const PAUSE_MIN: Duration = Duration::from_micros(200);
const PAUSE_MAX: Duration = Duration::from_millis(20);
/// How long one look at a group of version 2 waits to be told, so that a lost word costs little.
const TOLD_WITHIN: Duration = Duration::from_millis(100);
/// How often a group without `cgroup.kill` is killed through. Nothing forks while it is frozen: more than a few are not
/// needed unless freezing fails.
const KILLS_MAX: usize = 100;

impl Group {
    /// Stops everything in it, until [`Group::thaw`]. What is frozen can be killed.
    ///
    /// # Errors
    /// [`Error::Busy`] if something did not stop within [`FREEZE_WAIT_MS`]: then all of it runs on. [`Error::Unsupported`].
    pub fn freeze(&self) -> Result<(), Error> {
        let (version, directory) = self.stopper()?;
        let deadline = Instant::now() + Duration::from_millis(FREEZE_WAIT_MS);
        set_frozen(version, &directory, true)?;
        let is_frozen = match version {
            Version::Two => wait_for_event(&directory, "frozen", 1, deadline)?,
            Version::One => wait(deadline, || {
                let state = directory.read("freezer.state")?;
                if state.trim() == "FROZEN" {
                    return Ok(true);
                }
                // What was forked meanwhile may have been passed over; asking again takes it along.
                set_frozen(version, &directory, true)?;
                Ok(false)
            })?,
        };
        if is_frozen {
            return Ok(());
        }
        set_frozen(version, &directory, false)?;
        Err(self.busy("run", FREEZE_WAIT_MS))
    }

    /// Has everything in it go on.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::Io`].
    pub fn thaw(&self) -> Result<(), Error> {
        let (version, directory) = self.stopper()?;
        set_frozen(version, &directory, false)
    }

    /// Kills everything in it and in the groups within it, frozen or not. Processes may be there for a moment yet:
    /// [`Group::remove`] waits for them. A group that is gone is success.
    pub fn kill(&self) -> Result<(), Error> {
        for (hierarchy, directory) in self.directories()? {
            if hierarchy.version == Version::Two && directory.has("cgroup.kill") {
                match directory.try_write("cgroup.kill", "1") {
                    Ok(()) => return Ok(()),
                    // It is being removed: nothing is in it.
                    Err(Errno::NODEV | Errno::NOENT) => return Ok(()),
                    Err(error) => return Err(Error::io("killing", self.path_in(hierarchy))(error)),
                }
            }
        }
        self.kill_each()
    }

    /// Before Linux 5.14, and with version 1 alone: all are stopped, so that none forks, and killed one by one.
    pub(super) fn kill_each(&self) -> Result<(), Error> {
        for _ in 0..KILLS_MAX {
            let is_frozen = self.freeze().is_ok();
            let processes = self.processes()?;
            for &process in &processes {
                match kill_process(process, Signal::KILL) {
                    Ok(()) | Err(Errno::SRCH) => {}
                    Err(error) => return Err(Error::io("killing a process of", &self.path)(error)),
                }
            }
            // In version 1 what is frozen dies when it is thawed.
            if is_frozen {
                self.thaw()?;
            }
            if is_frozen || processes.is_empty() {
                return Ok(());
            }
        }
        Err(self.busy("run", 0))
    }

    /// Removes it and the groups within it, as soon as no process is in them; gone already is success.
    ///
    /// # Errors
    /// [`Error::Busy`] if processes are there after [`REMOVE_WAIT_MS`].
    pub fn remove(&self) -> Result<(), Error> {
        let deadline = Instant::now() + Duration::from_millis(REMOVE_WAIT_MS);
        let directories = self.directories()?;
        for (hierarchy, directory) in &directories {
            if hierarchy.version == Version::Two && !wait_for_event(directory, "populated", 0, deadline)? {
                return Err(self.busy("are there", REMOVE_WAIT_MS));
            }
        }
        for (hierarchy, directory) in directories {
            let is_gone = wait(deadline, || {
                remove_beneath(&directory, super::group::DEPTH_MAX)?;
                hierarchy.top.remove(&self.path)
            })?;
            if !is_gone {
                return Err(self.busy("are there", REMOVE_WAIT_MS));
            }
        }
        self.inner.reserved.take_back(&self.inner.hierarchies, &self.path)
    }

    fn busy(&self, still: &'static str, waited_ms: u64) -> Error {
        Error::Busy { path: self.path.clone(), still, waited_ms }
    }

    fn stopper(&self) -> Result<(Version, Directory), Error> {
        let hierarchy = self.inner.stopper().ok_or_else(|| Error::Unsupported {
            limit: "whether it runs",
            reason: self.inner.why_missing("freezer"),
        })?;
        let directory = hierarchy.top.child(&self.path)?;
        let directory = directory.ok_or_else(|| Error::Absent { path: self.path.clone() })?;
        Ok((hierarchy.version, directory))
    }
}

fn set_frozen(version: Version, directory: &Directory, is_frozen: bool) -> Result<(), Error> {
    match (version, is_frozen) {
        (Version::Two, true) => directory.write("cgroup.freeze", "1"),
        (Version::Two, false) => directory.write("cgroup.freeze", "0"),
        (Version::One, true) => directory.write("freezer.state", "FROZEN"),
        (Version::One, false) => directory.write("freezer.state", "THAWED"),
    }
}

/// Groups that are within, which a container may have made, the deepest first. What cannot be removed yet is left.
fn remove_beneath(directory: &Directory, depth: usize) -> Result<(), Error> {
    for name in directory.children()? {
        if depth > 0
            && let Some(child) = directory.child(&name)?
        {
            remove_beneath(&child, depth - 1)?;
        }
        directory.remove(&name)?;
    }
    Ok(())
}

/// Looks until it is so or the time is over; says whether it is so.
fn wait(deadline: Instant, mut is_so: impl FnMut() -> Result<bool, Error>) -> Result<bool, Error> {
    let mut pause = PAUSE_MIN;
    loop {
        if is_so()? {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Waits for a line of `cgroup.events`, whose changes the kernel tells. A group that is gone has what was waited for.
fn wait_for_event(directory: &Directory, name: &str, wanted: u64, deadline: Instant) -> Result<bool, Error> {
    let failed = |error| Error::io("waiting for", directory.path())(error);
    // Opened before it is read: a change after the read is told to this descriptor.
    let events = match directory.open_to_read("cgroup.events") {
        Ok(events) => events,
        Err(Errno::NOENT | Errno::NODEV) => return Ok(true),
        Err(error) => return Err(failed(error)),
    };
    loop {
        let mut content = [0; 512];
        let length = match rustix::io::pread(&events, &mut content, 0) {
            Ok(length) => length,
            Err(Errno::NODEV) => return Ok(true),
            Err(error) => return Err(failed(error)),
        };
        if value(&String::from_utf8_lossy(&content[..length]), name) == Some(wanted) {
            return Ok(true);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        wait_for_change(events.as_fd(), left.min(TOLD_WITHIN)).map_err(failed)?;
    }
}

fn wait_for_change(events: BorrowedFd<'_>, at_most: Duration) -> Result<(), Errno> {
    let at_most = Timespec { tv_sec: at_most.as_secs().cast_signed(), tv_nsec: i64::from(at_most.subsec_nanos()) };
    match poll(&mut [PollFd::from_borrowed_fd(events, PollFlags::PRI)], Some(&at_most)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error),
    }
}
