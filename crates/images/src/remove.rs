//! Removing trees of any depth.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// Removes all that is in a directory.
///
/// A layer can be nested deeper than a thread's stack or a process's descriptors reach. So nothing is descended into:
/// directories that are not empty are moved up into `directory`, and emptied there.
pub fn all_in(directory: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut moved = 0_u64;
    loop {
        let mut left = false;
        for name in names(directory)? {
            if !unlink(directory, &name)? {
                left = true;
                empty(directory, &name, &mut moved)?;
            }
        }
        if !left {
            return Ok(());
        }
    }
}

/// Removes what is in a directory of `top`, or moves it up.
fn empty(top: BorrowedFd<'_>, name: &[u8], moved: &mut u64) -> Result<(), Errno> {
    let directory = open(top, name)?;
    for inner in names(directory.as_fd())? {
        if unlink(directory.as_fd(), &inner)? {
            continue;
        }
        // To move a directory is to change its parent, which is its own entry.
        drop(open(directory.as_fd(), &inner)?);
        loop {
            *moved += 1;
            let there = format!("moved-{moved}");
            match rustix::fs::renameat_with(
                &directory,
                inner.as_slice(),
                top,
                &there,
                rustix::fs::RenameFlags::NOREPLACE,
            ) {
                Err(Errno::EXIST) => {}
                renamed => break renamed?,
            }
        }
    }
    Ok(())
}

/// Removes a file or an empty directory. Answers whether it is gone.
fn unlink(directory: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        // Linux says the first, POSIX the second.
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    match rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a directory, and makes sure that its owner can change it.
fn open(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let mode = Mode::from_raw_mode(stat.st_mode);
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory && !mode.contains(Mode::RWXU) {
        rustix::fs::chmodat(directory, name, Mode::RWXU, AtFlags::empty())?;
    }
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

/// The names in a directory.
pub(crate) fn names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_bytes().to_vec());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_tree_deeper_than_any_path_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let top: OwnedFd = fs::File::open(dir.path()).unwrap().into();
        let mut at = top.try_clone().unwrap();
        for level in 0..3000 {
            rustix::fs::mkdirat(&at, "d", Mode::RWXU).unwrap();
            rustix::fs::symlinkat("/etc", &at, format!("link-{level}")).unwrap();
            at = open(at.as_fd(), b"d").unwrap();
        }
        all_in(top.as_fd()).unwrap();
        assert!(names(top.as_fd()).unwrap().is_empty());
    }

    #[test]
    fn links_are_removed_and_not_followed_and_shut_directories_are_opened() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("kept"), "x").unwrap();
        fs::create_dir_all(dir.path().join("shut/inner/moved-1")).unwrap();
        fs::write(dir.path().join("shut/inner/file"), "x").unwrap();
        fs::create_dir(dir.path().join("moved-1")).unwrap();
        symlink(other.path(), dir.path().join("shut/inner/link")).unwrap();
        for path in ["shut/inner/moved-1", "shut/inner", "shut"] {
            fs::set_permissions(dir.path().join(path), fs::Permissions::from_mode(0o000)).unwrap();
        }
        all_in(fs::File::open(dir.path()).unwrap().as_fd()).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        assert!(other.path().join("kept").exists());
    }
}
