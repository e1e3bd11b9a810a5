//! What a shim and its children do with groups: they have paths alone, and wait for nothing.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::plan::CgroupPlan;

/// What `statfs(2)` says of version 2.
const CGROUP2_SUPER_MAGIC: rustix::fs::FsWord = 0x6367_7270;

/// Moves the calling process into a group, of which it must be the only thread. What it forks from now on is in the group,
/// too. To be called before the process has a cgroup namespace, and while it sees the host's files.
///
/// # Errors
/// The kernel's: `ENOENT` when the group has been removed, `ENODEV` when it is being removed.
pub fn enter(plan: &CgroupPlan) -> io::Result<()> {
    for directory in &plan.directories {
        write(&format!("{directory}/cgroup.procs"), "0")?;
    }
    Ok(())
}

/// The directory for `CLONE_INTO_CGROUP` of `clone3(2)`, by which a process begins in its group, where that is all there is
/// to enter: version 2 alone. It spares what [`enter`] costs, which is that the kernel waits, some milliseconds, until all
/// processors have noticed.
pub fn clone_into(plan: &CgroupPlan) -> io::Result<Option<OwnedFd>> {
    let [directory] = plan.directories.as_slice() else { return Ok(None) };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory.as_str(), flags, Mode::empty())?;
    let is_version_2 = rustix::fs::fstatfs(&opened)?.f_type == CGROUP2_SUPER_MAGIC;
    Ok(is_version_2.then_some(opened))
}

/// Kills everything that is in a group now, as far as the kernel can do it at once (version 2); one by one where it cannot:
/// then what was forked meanwhile is still there and `false` is answered. A group that is gone is success.
pub fn kill(plan: &CgroupPlan) -> io::Result<bool> {
    for directory in &plan.directories {
        match write(&format!("{directory}/cgroup.kill"), "1") {
            Ok(()) => return Ok(true),
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::NODEV)) => {}
            Err(error) => return Err(error),
        }
    }
    let Some(directory) = plan.directories.first() else { return Ok(true) };
    let processes = match std::fs::read_to_string(format!("{directory}/cgroup.procs")) {
        Ok(processes) => processes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    let mut is_empty = true;
    for process in processes.lines().filter_map(|line| line.parse().ok()).filter_map(Pid::from_raw) {
        is_empty = false;
        match kill_process(process, Signal::KILL) {
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(is_empty)
}

/// How many processes of a group the kernel has killed because memory was short. Read it when a container has ended and
/// its group is still there; 0 where it is not counted.
pub fn oom_kills(plan: &CgroupPlan) -> u64 {
    let counted = plan.directories.iter().find_map(|directory| {
        let read = |file| std::fs::read_to_string(format!("{directory}/{file}")).ok();
        read("memory.oom_control").or_else(|| read("memory.events"))
    });
    counted.and_then(|content| super::stats::value(&content, "oom_kill")).unwrap_or(0)
}

fn write(path: &str, value: &str) -> io::Result<()> {
    let descriptor = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::retry_on_intr(|| rustix::io::write(&descriptor, value.as_bytes()))?;
    Ok(())
}
