//! The files of uploads, in one directory, named by the ids of the uploads.

use std::fs::{DirBuilder, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::ContentError;
use super::room::has_room;

/// How much is read at once.
pub(super) const READ_BUFFER_BYTES: usize = 256 * 1024;

/// What stands behind an upload's id while its file is being copied.
const COPY: &str = ".copy";
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// The directory.
#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

/// An upload's file, at its beginning.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// Whether it has another name: that of a blob.
    pub(super) is_blob: bool,
}

impl Directory {
    /// Opens the directory, which is made if it is not there, and clears away copies that were not finished.
    pub(super) fn open(path: &Path) -> Result<Self, ContentError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let directory = Self(File::open(path)?.into());
        for copy in directory.names()?.iter().filter(|name| name.strip_suffix(COPY).is_some_and(is_id)) {
            directory.remove(copy)?;
        }
        Ok(directory)
    }

    /// Whether so many bytes more leave room on the disk.
    pub(super) fn has_room(&self, bytes: u64) -> bool {
        has_room(&self.0, bytes)
    }

    /// Opens an upload's file, which is made if it is not there.
    pub(super) fn file(&self, id: &str) -> Result<Opened, ContentError> {
        if !is_id(id) {
            return Err(ContentError::Broken("an upload has an id that is none".to_owned()));
        }
        match self.opened(id, OFlags::RDWR | OFlags::CREATE) {
            // It is a blob, or was to become one when the process was killed; then it can be written to again.
            Err(Errno::ACCESS) => self.opened(id, OFlags::RDONLY).and_then(|opened| {
                if opened.is_blob {
                    return Ok(opened);
                }
                rustix::fs::fchmod(&opened.file, PRIVATE)?;
                self.opened(id, OFlags::RDWR)
            }),
            opened => opened,
        }
        .map_err(|error| std::io::Error::from(error).into())
    }

    fn opened(&self, name: &str, flags: OFlags) -> Result<Opened, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let mode = if flags.contains(OFlags::CREATE) { PRIVATE } else { Mode::empty() };
        let file = rustix::fs::openat2(&self.0, name, flags | OFlags::CLOEXEC, mode, resolve)?;
        let is_blob = rustix::fs::fstat(&file)?.st_nlink > 1;
        Ok(Opened { file: file.into(), is_blob })
    }

    /// Gives an upload a file of its own in place of one that is a blob. It stands at its end.
    pub(super) fn copy(&self, mut from: &File, id: &str) -> Result<File, ContentError> {
        let name = format!("{id}{COPY}");
        let copied = self.opened(&name, OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC).map_err(std::io::Error::from);
        let copied = copied.and_then(|Opened { mut file, .. }| {
            from.seek(SeekFrom::Start(0))?;
            std::io::copy(&mut from, &mut file)?;
            rustix::fs::renameat(&self.0, &name, &self.0, id)?;
            Ok(file)
        });
        if copied.is_err() {
            self.remove(&name)?;
        }
        Ok(copied?)
    }

    /// Removes an upload's file, if there is one.
    pub(super) fn remove(&self, id: &str) -> Result<(), ContentError> {
        match rustix::fs::unlinkat(&self.0, id, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(std::io::Error::from(error).into()),
        }
    }

    /// The ids of all uploads that have a file.
    pub(super) fn list(&self) -> Result<Vec<String>, ContentError> {
        let mut names = self.names()?;
        names.retain(|name| is_id(name));
        Ok(names)
    }

    fn names(&self) -> Result<Vec<String>, ContentError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(self.0.as_fd()).map_err(std::io::Error::from)? {
            let entry = entry.map_err(std::io::Error::from)?;
            names.extend(entry.file_name().to_str().map(str::to_owned));
        }
        Ok(names)
    }
}

/// Whether a text is an id that this program gives to uploads: a UUID in lower case.
pub(super) fn is_id(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let fits = |(at, byte): (usize, u8)| if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { digit(byte) };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// Reads a file from where it stands to its end, piece by piece.
pub(super) fn each_piece(
    mut file: &File,
    mut take: impl FnMut(&[u8]) -> Result<(), ContentError>,
) -> Result<u64, ContentError> {
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    let mut length = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(length),
            Ok(read) => {
                take(&buffer[..read])?;
                length += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_and_nothing_that_leads_elsewhere() {
        assert!(is_id("0123abcd-0123-4123-8123-0123456789ab"));
        for wrong in ["", "..", "0123abcd-0123-4123-8123-0123456789aB", "0123abcd/0123-4123-8123-0123456789ab"] {
            assert!(!is_id(wrong), "{wrong}");
        }
        let directory = tempfile::tempdir().unwrap();
        assert!(Directory::open(directory.path()).unwrap().file("../x").is_err());
    }
}
