//! What a shim does with groups: it has paths alone, and waits for nothing.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::plan::CgroupPlan;

/// Kills everything that is in a group now, as far as the kernel can do it at once (version 2); one by one where it cannot:
/// then what was forked meanwhile is still there and `false` is answered. A group that is gone is success.
pub fn kill(plan: &CgroupPlan) -> io::Result<bool> {
    let kill_all = |mut file: std::fs::File| io::Write::write_all(&mut file, b"1");
    for directory in &plan.directories {
        match std::fs::OpenOptions::new().write(true).open(format!("{directory}/cgroup.kill")).and_then(kill_all) {
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
