//! Writing.

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::Ordering;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::room::Room;
use super::{FileId, Files, TEMPORARY};
use crate::BlobError;
use crate::place::BLOB_MODE;
use crate::root::open_beneath;

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A file that is being written. Dropping it leaves nothing.
#[derive(Debug)]
pub struct FileWriter {
    files: Files,
    file: File,
    /// The path of the temporary file, where it has one.
    pub(super) temporary: Option<String>,
    size: u64,
    size_max: u64,
    room: Room,
}

/// How far a file has come on its way to its owner.
#[cfg_attr(not(test), expect(dead_code, reason = "only tests stop on the way"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Its bytes are on disk.
    Synced,
    /// It has its name.
    Named,
    /// The name is on disk.
    Settled,
}

impl Files {
    /// Begins a file of at most `size_max` bytes.
    pub fn writer(&self, size_max: u64) -> Result<FileWriter, BlobError> {
        let (file, temporary) = self.new_file()?;
        Ok(FileWriter { files: self.clone(), file, temporary, size: 0, size_max, room: self.room() })
    }

    fn new_file(&self) -> Result<(File, Option<String>), BlobError> {
        let doing = "making a temporary file";
        if self.0.has_nameless.load(Ordering::Relaxed) {
            let flags = OFlags::RDWR | OFlags::TMPFILE;
            match open_beneath(self.root(), TEMPORARY, flags, PRIVATE) {
                Ok(file) => return Ok((file.into(), None)),
                Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::NOENT | Errno::INVAL) => {
                    self.0.has_nameless.store(false, Ordering::Relaxed);
                }
                Err(error) => return Err(BlobError::os(doing)(error)),
            }
        }
        let path = format!("{TEMPORARY}/{}", self.0.next_temporary.fetch_add(1, Ordering::Relaxed));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let file = open_beneath(self.root(), &path, flags, PRIVATE).map_err(BlobError::os(doing))?;
        Ok((file.into(), Some(path)))
    }
}

impl FileWriter {
    /// Adds bytes, if that leaves enough of the disk to the state.
    ///
    /// # Errors
    /// [`BlobError::TooLarge`] and [`BlobError::Full`]; the writer is of no more use then.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        let count = bytes.len() as u64;
        let size = self.size.saturating_add(count);
        if size > self.size_max {
            return Err(BlobError::TooLarge { max: self.size_max });
        }
        self.room.cover(count, self.size)?;
        self.file.write_all(bytes).map_err(BlobError::io("writing a file"))?;
        self.room.filled(count);
        self.size = size;
        Ok(())
    }

    /// How many bytes have been added.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Gives the file its name. When this returns it is on disk and has an owner: the caller.
    pub fn finish(mut self) -> Result<FileId, BlobError> {
        self.advance(Step::Settled)
    }

    /// Goes so far and no further: for [`FileWriter::finish`], and for tests of what is left when it is killed on the way.
    pub(super) fn advance(&mut self, to: Step) -> Result<FileId, BlobError> {
        let doing = "storing a file";
        rustix::fs::fchmod(&self.file, BLOB_MODE).map_err(BlobError::os(doing))?;
        self.file.sync_all().map_err(BlobError::io(doing))?;
        if to == Step::Synced {
            return Ok(FileId::random(&*self.files.0.rng));
        }
        let id = self.name()?;
        if to == Step::Settled {
            self.files.settle(&id)?;
        }
        Ok(id)
    }

    fn name(&mut self) -> Result<FileId, BlobError> {
        let Some(from) = &self.temporary else {
            // A file without a name can be given one, or this file system is none that makes such files.
            return self.files.give_name(&self.file)?.ok_or_else(|| BlobError::os("naming a file")(Errno::NOENT));
        };
        let root = self.files.root();
        let named = self.files.with_new_name(|id| {
            rustix::fs::renameat_with(root, from, root, id.path(), rustix::fs::RenameFlags::NOREPLACE).map(Some)
        })?;
        self.temporary = None;
        Ok(named.expect("a rename that succeeds gives a name"))
    }
}

impl Write for FileWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if let Some(path) = &self.temporary {
            // If it cannot be removed now, the next opening does it.
            let _ = rustix::fs::unlinkat(self.files.root(), path, AtFlags::empty());
        }
    }
}
