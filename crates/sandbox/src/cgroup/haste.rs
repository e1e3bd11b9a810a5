//! That entering a group does not wait.
//!
//! A process that is moved to a group keeps all others from forking for a moment, and unless told otherwise the kernel has that
//! lock optimised for those who fork: whoever moves first waits until all processors have noticed, 5 to 15 ms. `favordynmods`
//! (Linux 6.0) has it optimised for moving. It is an option of a hierarchy and holds for all of them: so a node holds a
//! hierarchy of its own that controls nothing, which is mounted but attached nowhere. It is gone, and the option with it, when its
//! descriptor is closed, however the node ends. Since Linux 6.18 the kernel stays with it until the machine is started again: there the
//! hierarchy, which everybody sees in `/proc/PID/cgroup`, is let go of at once.
//!
//! Where version 2 is alone nothing is needed: processes are born in their groups.

use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::hierarchy::Directory;

/// For how long a kernel is taken to be ready after a move, where it knows no `favordynmods`. It is for at least a grace period.
const READY_FOR: Duration = Duration::from_millis(4);

/// What has been done about it.
#[derive(Debug)]
pub(super) struct Haste {
    /// What the hierarchy is called.
    name: String,
    /// The group that this process is in.
    own: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing, or it was undone.
    Usual,
    /// The hierarchy is there for as long as this is open.
    Held { _mount: OwnedFd },
    /// The kernel stays with it.
    ForGood,
    /// The kernel does not know the option, or does not let this process mount; a process was moved last at this time.
    Moved { at: Instant },
}

impl Haste {
    pub(super) fn new(name: &str, own: Option<PathBuf>) -> Self {
        Self { name: name.to_owned(), own, state: Mutex::new(State::Usual) }
    }

    /// Has it so that moves do not wait. Waits itself, the first time.
    pub(super) fn begin(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Held { .. } | State::ForGood => {}
            State::Moved { at } if at.elapsed() < READY_FOR => {}
            State::Moved { .. } => *state = self.moved(),
            State::Usual => {
                *state = match hierarchy(&self.name) {
                    Ok(_) if stays_for_good() => State::ForGood,
                    Ok(mount) => State::Held { _mount: mount },
                    Err(_) => self.moved(),
                }
            }
        }
    }

    /// Undoes it, where that is possible.
    pub(super) fn end(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::ForGood) {
            *state = State::Usual;
        }
    }

    /// What is other on the whole host, for a person.
    pub(super) fn what_is_changed(&self) -> Option<&'static str> {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Held { .. } => {
                Some("moves between cgroups are favoured over forks (favordynmods) while the node runs")
            }
            State::ForGood => Some("moves between cgroups do not wait (favordynmods) until the host is started again"),
            State::Usual | State::Moved { .. } => None,
        }
    }

    /// This process enters the group that it is in. Where that cannot be, the kernel has made ready before it says so.
    fn moved(&self) -> State {
        if let Some(own) = &self.own {
            let _ = Directory::open(own).map(|own| own.try_write("cgroup.procs", "0"));
        }
        State::Moved { at: Instant::now() }
    }
}

/// A hierarchy of version 1 with no controller, attached nowhere.
fn hierarchy(name: &str) -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("cgroup", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_set_flag(context.as_fd(), "none")?;
    rustix::mount::fsconfig_set_string(context.as_fd(), "name", name)?;
    rustix::mount::fsconfig_set_flag(context.as_fd(), "favordynmods")?;
    rustix::mount::fsconfig_create(context.as_fd())?;
    rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::MOUNT_ATTR_RDONLY)
}

/// Whether the kernel keeps the option once it was asked for it.
fn stays_for_good() -> bool {
    let system = rustix::system::uname();
    let mut numbers =
        system.release().to_str().unwrap_or("").split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(18))
}
