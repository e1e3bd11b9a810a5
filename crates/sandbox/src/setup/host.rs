//! What is read from or said to the host before it is left.

use std::io::{self, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::failure::{Doing, refused};
use crate::plan::DevicePlan;
use crate::protocol::ShimFailure;

/// How deep devices are looked for.
const DEPTH_MAX: usize = 6;
/// The most devices of a privileged container.
const DEVICES_MAX: usize = 4000;
/// What of the host's `/dev` a container has of its own.
const OWN: [&str; 5] = ["pts", "shm", "mqueue", "console", "ptmx"];

/// Has the kernel spare this process no more than any other when memory is short, whatever the shim's own standing.
pub(crate) fn be_killed_first() -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open("/proc/self/oom_score_adj")?;
    let mut score = String::new();
    file.read_to_string(&mut score)?;
    if score.trim_start().starts_with('-') {
        file.rewind()?;
        file.write_all(b"0")?;
    }
    Ok(())
}

/// `CLONE_NEWUSER` if a process is in another user namespace than this one; the kernel refuses to join one's own.
pub(crate) fn other_users(process: BorrowedFd<'_>) -> io::Result<libc::c_int> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd()))?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).map(str::trim).unwrap_or("-1");
    if pid.starts_with('-') {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    let theirs = std::fs::read_link(format!("/proc/{pid}/ns/user"))?;
    let ours = std::fs::read_link("/proc/self/ns/user")?;
    Ok(if theirs == ours { 0 } else { libc::CLONE_NEWUSER })
}

/// Every device file of the host's `/dev`, for containers that may do everything.
pub(crate) fn devices() -> Result<Vec<DevicePlan>, ShimFailure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dev = rustix::fs::open("/dev", flags, Mode::empty()).doing("reading the host's /dev")?;
    let mut all = Vec::new();
    read(dev, "/dev", DEPTH_MAX, &mut all)?;
    Ok(all)
}

fn read(directory: OwnedFd, path: &str, depth: usize, all: &mut Vec<DevicePlan>) -> Result<(), ShimFailure> {
    let doing = || format!("reading the host's {path}");
    for entry in Dir::read_from(&directory).doing_so(doing)? {
        let entry = entry.doing_so(doing)?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        if matches!(name, "." | "..") || OWN.contains(&name) {
            continue;
        }
        // A device that has just gone is none.
        let Ok(stat) = rustix::fs::statat(directory.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let path = format!("{path}/{name}");
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth > 0 => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let Ok(below) = rustix::fs::openat(&directory, name, flags, Mode::empty()) else { continue };
                read(below, &path, depth - 1, all)?;
            }
            kind @ (FileType::CharacterDevice | FileType::BlockDevice) => all.push(DevicePlan {
                path,
                block: kind == FileType::BlockDevice,
                major: rustix::fs::major(stat.st_rdev),
                minor: rustix::fs::minor(stat.st_rdev),
                mode: stat.st_mode & 0o777,
            }),
            _ => {}
        }
        if all.len() > DEVICES_MAX {
            return Err(refused(format!("the host has more than {DEVICES_MAX} devices")));
        }
    }
    Ok(())
}
