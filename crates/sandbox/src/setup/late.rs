//! What a prepared container receives with what it executes.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use base64::Engine;
use rustix::fs::{FileType, Mode, OFlags};

use super::failure::{Doing, refused};
use super::root;
use crate::mounts::{self, Kind};
use crate::plan::{ContainerPlan, LateFile, LateParts};
use crate::protocol::ShimFailure;

/// The most files.
const FILES_MAX: usize = 1000;

/// Adds mounts, then files, to the container that this process is in.
pub(crate) fn add(late: &LateParts, given: &[OwnedFd], plan: &ContainerPlan) -> Result<(), ShimFailure> {
    let root = rustix::fs::open("/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .doing("opening the container's root")?;
    let given: Vec<BorrowedFd<'_>> = given.iter().map(AsFd::as_fd).collect();
    root::mount_all(root.as_fd(), &late.mounts, &given, plan.privileged)?;
    if late.files.len() > FILES_MAX {
        return Err(refused(format!("more than {FILES_MAX} files")));
    }
    late.files.iter().try_for_each(|file| write(root.as_fd(), file))
}

/// Writes a file, in place of what a file of that path has in it. Nothing but a file is written to.
fn write(root: BorrowedFd<'_>, file: &LateFile) -> Result<(), ShimFailure> {
    let doing = || format!("writing {}", file.path);
    let not_a_file = || refused(format!("{} of the container is no file", file.path));
    let content = base64::engine::general_purpose::STANDARD.decode(&file.content).doing_so(doing)?;
    let place = mounts::make_beneath(root, &file.path, Kind::File).doing_so(doing)?;
    if FileType::from_raw_mode(rustix::fs::fstat(&place).doing_so(doing)?.st_mode) != FileType::RegularFile {
        return Err(not_a_file());
    }
    let kind = rustix::fs::fstatfs(&place).doing_so(doing)?.f_type as u64;
    if kind == libc::PROC_SUPER_MAGIC as u64 || kind == libc::SYSFS_MAGIC as u64 {
        return Err(not_a_file());
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = mounts::open_beneath(root, &file.path, flags).doing_so(doing)?;
    let is_same = |a: &rustix::fs::Stat, b: &rustix::fs::Stat| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino);
    if !is_same(&rustix::fs::fstat(&opened).doing_so(doing)?, &rustix::fs::fstat(&place).doing_so(doing)?) {
        return Err(not_a_file());
    }
    rustix::fs::ftruncate(&opened, 0).doing_so(doing)?;
    mounts::write_all(opened.as_fd(), &content).doing_so(doing)?;
    rustix::fs::fchmod(&opened, Mode::from_raw_mode(file.mode & 0o7777)).doing_so(doing)
}
