//! What an image has at a volume's place, copied into the volume while that is empty, as Docker does with named ones.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use sandbox::mounts;

/// How deep directories are copied: what is deeper was made to be.
const DEPTH_MAX: usize = 64;
/// The most files and directories.
const ENTRIES_MAX: usize = 1_000_000;

/// Copies what is at a path within `root` into a directory that has nothing in it, owner and mode of the directory included. Nothing
/// is done where that is no directory, or the place is not empty. Users and groups are counted from the first one on.
pub(super) fn if_empty(root: BorrowedFd<'_>, path: &str, into: BorrowedFd<'_>, first_user: u32) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let from = match mounts::open_beneath(root, path, flags) {
        Ok(from) => from,
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let into = rustix::fs::openat(into, ".", flags | OFlags::CLOEXEC, Mode::empty())?;
    if !names(into.as_fd())?.is_empty() {
        return Ok(());
    }
    let mut copying = Copying { left: ENTRIES_MAX, first_user };
    copying.directory(from.as_fd(), into.as_fd(), 0)
}

struct Copying {
    left: usize,
    first_user: u32,
}

impl Copying {
    fn directory(&mut self, from: BorrowedFd<'_>, into: BorrowedFd<'_>, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other("what the image has there is too deep"));
        }
        for name in names(from)? {
            self.left = self.left.checked_sub(1).ok_or_else(|| io::Error::other("the image has too much there"))?;
            let name = name.as_slice();
            let about = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(about.st_mode) {
                FileType::Directory => {
                    rustix::fs::mkdirat(into, name, Mode::RWXU)?;
                    self.directory(open(from, name)?.as_fd(), open(into, name)?.as_fd(), depth + 1)?;
                }
                FileType::RegularFile => self.file(from, into, name, &about)?,
                FileType::Symlink => {
                    let target = rustix::fs::readlinkat(from, name, Vec::new())?;
                    rustix::fs::symlinkat(target, into, name)?;
                    self.own(into, name, &about)?;
                }
                // Sockets, pipes and devices say nothing to another container.
                _ => {}
            }
        }
        let about = rustix::fs::fstat(from)?;
        let (user, group) = self.owner(&about);
        rustix::fs::fchown(into, Some(user), Some(group))?;
        Ok(rustix::fs::fchmod(into, Mode::from_raw_mode(about.st_mode))?)
    }

    fn file(
        &self,
        from: BorrowedFd<'_>,
        into: BorrowedFd<'_>,
        name: &[u8],
        about: &rustix::fs::Stat,
    ) -> io::Result<()> {
        // It may have become something else meanwhile: neither a link nor what is waited for is opened.
        let reading = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut source = File::from(rustix::fs::openat(from, name, reading, Mode::empty())?);
        if !source.metadata()?.is_file() {
            return Ok(());
        }
        let writing = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut copy = File::from(rustix::fs::openat(into, name, writing, Mode::RUSR | Mode::WUSR)?);
        io::copy(&mut source, &mut copy)?;
        self.own(into, name, about)?;
        // After its owner, who would take set-user-ID bits along.
        Ok(rustix::fs::fchmod(&copy, Mode::from_raw_mode(about.st_mode))?)
    }

    fn own(&self, at: BorrowedFd<'_>, name: &[u8], about: &rustix::fs::Stat) -> io::Result<()> {
        let (user, group) = self.owner(about);
        Ok(rustix::fs::chownat(at, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?)
    }

    fn owner(&self, about: &rustix::fs::Stat) -> (Uid, Gid) {
        let own = |number: u32| number.saturating_sub(self.first_user);
        (Uid::from_raw(own(about.st_uid)), Gid::from_raw(own(about.st_gid)))
    }
}

fn open(at: BorrowedFd<'_>, name: &[u8]) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

fn names(directory: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
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
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn open_dir(path: &Path) -> File {
        File::open(path).unwrap()
    }

    #[test]
    fn what_an_image_has_is_copied_once_and_links_are_not_followed() {
        let (root, volume) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let data = root.path().join("var/data");
        std::fs::create_dir_all(data.join("inner")).unwrap();
        std::fs::write(data.join("inner/file"), "content").unwrap();
        std::fs::set_permissions(data.join("inner/file"), std::fs::Permissions::from_mode(0o4750)).unwrap();
        symlink("/etc/passwd", data.join("link")).unwrap();
        symlink("data", root.path().join("var/alias")).unwrap();
        let copy = || if_empty(open_dir(root.path()).as_fd(), "/var/alias", open_dir(volume.path()).as_fd(), 0);
        copy().unwrap();
        let there = volume.path().join("inner/file");
        assert_eq!(std::fs::read_to_string(&there).unwrap(), "content");
        assert_eq!(std::fs::metadata(&there).unwrap().permissions().mode() & 0o7777, 0o4750);
        assert_eq!(std::fs::read_link(volume.path().join("link")).unwrap(), Path::new("/etc/passwd"));
        std::fs::remove_file(&there).unwrap();
        copy().unwrap();
        assert!(!there.exists(), "a volume that has something is left as it is");
    }

    #[test]
    fn where_an_image_has_nothing_nothing_is_copied() {
        let (root, volume) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(root.path().join("file"), "x").unwrap();
        for path in ["/missing", "/file"] {
            if_empty(open_dir(root.path()).as_fd(), path, open_dir(volume.path()).as_fd(), 0).unwrap();
        }
        assert_eq!(std::fs::read_dir(volume.path()).unwrap().count(), 0);
    }
}
