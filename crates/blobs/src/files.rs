//! Files with names of their own: content that changes hands often and is not worth a digest, such as S3's objects.
//!
//! - [`Files::writer`] takes a stream, [`FileWriter::finish`] gives it a random name. When that returns the file is on disk,
//!   whole and under its name; before, nobody can see it, and a crash leaves nothing.
//! - [`Files::duplicate`] and [`Files::duplicate_all`] give the bytes of files second names, without copying them where the file
//!   system can.
//! - [`Files::remove`] takes names away, unless somebody has pinned the first one: see [`Files::pin`].
//! - [`HeldFiles`]: all of them, none of which is removed meanwhile, for a backup that another process makes.
//! - [`Files::settled`] lists what a sweep may look at: files that nobody has recorded are orphans of a crash.
//!
//! Each name has one owner, who keeps it in a record and removes it when it is of no more use. On disk a file is at
//! `<2 digits>/<30 digits>`; `tmp/` is used where the file system knows no files without a name.

mod copies;
mod hold;
mod id;
mod opening;
mod room;
mod write;

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Rng;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::BlobError;
use crate::root::{make_directory, names_in, open_beneath, subdirectory};

pub use hold::HeldFiles;
pub use id::{FileId, InvalidFileId};
use opening::Opening;
use room::SetAside;
pub use write::FileWriter;

/// How often a name is made up before the names are taken to be exhausted, which they cannot be.
const NAME_ATTEMPTS_MAX: u32 = 8;

/// Files in a directory; a handle that is cheap to clone. See the [module's page](self).
#[derive(Debug, Clone)]
pub struct Files(Arc<Root>);

#[derive(Debug)]
struct Root {
    root: OwnedFd,
    rng: Arc<dyn Rng>,
    /// Which of the 256 directories are known to have durable names.
    durable: [AtomicBool; 256],
    pins: Mutex<HashMap<FileId, u32>>,
    next_temporary: AtomicU64,
    opening: Opening,
    set_aside: SetAside,
    /// Whether the file system has files without a name.
    has_nameless: AtomicBool,
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct OpenFile {
    /// The file.
    pub file: File,
    /// How many bytes it has.
    pub size: u64,
}

/// While it exists the file is not removed, nor are those that would go with it.
#[derive(Debug)]
pub struct Pin {
    files: Files,
    id: FileId,
}

/// What became of names that were to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// They are gone.
    Done,
    /// Somebody reads, or a backup is under way: nothing was removed, try later.
    Pinned,
}

impl Files {
    /// Opens the directory, which is made if it is not there. One process has it open: what lies in `tmp/` is a crash's.
    ///
    /// # Errors
    /// [`BlobError::Io`] if it can be neither made nor opened.
    pub fn open_root(path: &Path, rng: Arc<dyn Rng>) -> Result<Self, BlobError> {
        let doing = "opening the directory of files";
        make_directory(path).map_err(BlobError::io(doing))?;
        let root: OwnedFd = File::open(path).map_err(BlobError::io(doing))?.into();
        let temporary = subdirectory(root.as_fd(), TEMPORARY)?;
        for name in names_in(temporary.as_fd())? {
            rustix::fs::unlinkat(&temporary, &name, AtFlags::empty()).map_err(BlobError::os(doing))?;
        }
        let opening = Opening::now(temporary.as_fd()).map_err(BlobError::os(doing))?;
        rustix::fs::fsync(&root).map_err(BlobError::os(doing))?;
        Ok(Self(Arc::new(Root {
            root,
            rng,
            opening,
            durable: std::array::from_fn(|_| AtomicBool::new(false)),
            pins: Mutex::default(),
            set_aside: SetAside::default(),
            next_temporary: AtomicU64::new(0),
            has_nameless: AtomicBool::new(true),
        })))
    }

    /// Opens a file; none if it is not there.
    pub fn open(&self, id: &FileId) -> Result<Option<OpenFile>, BlobError> {
        open(self.root(), id)
    }

    /// Keeps [`Files::remove`] from removing the file, and those named with it after it. A reader pins what it has found in
    /// a record, opens it then, and reads the record again if it is not there.
    pub fn pin(&self, id: &FileId) -> Pin {
        *self.pins().entry(*id).or_default() += 1;
        Pin { files: self.clone(), id: *id }
    }

    /// Gives the bytes of a file another name; none if the file is not there. When this returns the name is durable.
    ///
    /// # Errors
    /// [`BlobError::Full`], where they had to be copied.
    pub fn duplicate(&self, id: &FileId) -> Result<Option<FileId>, BlobError> {
        Ok(self.duplicate_all(std::slice::from_ref(id))?.and_then(|mut names| names.pop()))
    }

    /// Removes files, unless the first one is pinned or all of them are held. What is gone already is no error. The names may come back after a
    /// crash of the machine: their owner forgets them when this has returned, and a sweep finds them then.
    pub fn remove(&self, ids: &[FileId]) -> Result<Removal, BlobError> {
        let Some(_removing) = self.removing()? else { return Ok(Removal::Pinned) };
        self.remove_unpinned(ids)
    }

    /// The same for several groups of files, of which each has a first one; none if all files are held.
    pub fn remove_each(&self, groups: &[impl AsRef<[FileId]>]) -> Result<Option<Vec<Removal>>, BlobError> {
        let Some(_removing) = self.removing()? else { return Ok(None) };
        groups.iter().map(|ids| self.remove_unpinned(ids.as_ref())).collect::<Result<_, _>>().map(Some)
    }

    fn remove_unpinned(&self, ids: &[FileId]) -> Result<Removal, BlobError> {
        let Some((first, others)) = ids.split_first() else { return Ok(Removal::Done) };
        {
            // Whoever pins it afterwards finds that it is gone.
            let pins = self.pins();
            if pins.contains_key(first) {
                return Ok(Removal::Pinned);
            }
            self.unlink(first)?;
        }
        others.iter().try_for_each(|id| self.unlink(id))?;
        Ok(Removal::Done)
    }

    /// The files of one of the 256 directories that got their name before the root was opened, or longer ago than `grace`:
    /// nobody is about to record them. None where the clock was set since, by which the one cannot be told from the other.
    pub fn settled(&self, directory: u8, grace: Duration) -> Result<Vec<FileId>, BlobError> {
        let Some(opening) = self.0.opening.if_clock_holds() else { return Ok(Vec::new()) };
        // A new name changes this time of the file, and none other.
        list(self.root(), directory, |stat| opening.is_settled(stat.st_ctime, stat.st_ctime_nsec, grace))
    }

    fn root(&self) -> BorrowedFd<'_> {
        self.0.root.as_fd()
    }

    fn pins(&self) -> MutexGuard<'_, HashMap<FileId, u32>> {
        // Counting cannot be left half done by a panic.
        self.0.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unlink(&self, id: &FileId) -> Result<(), BlobError> {
        match rustix::fs::unlinkat(self.root(), id.path(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(BlobError::os("removing a file")(error)),
        }
    }

    /// Gives an open file a new name, which is not durable yet; none if it can have none.
    fn give_name(&self, file: &File) -> Result<Option<FileId>, BlobError> {
        let own = format!("/proc/self/fd/{}", file.as_raw_fd());
        self.with_new_name(|id| match rustix::fs::linkat(CWD, &own, self.root(), id.path(), AtFlags::SYMLINK_FOLLOW) {
            Ok(()) => Ok(Some(())),
            Err(error) if cannot_link(error) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Tries names until `give` finds one that is free.
    fn with_new_name(&self, give: impl Fn(&FileId) -> Result<Option<()>, Errno>) -> Result<Option<FileId>, BlobError> {
        let doing = "naming a file";
        for _ in 0..NAME_ATTEMPTS_MAX {
            let id = FileId::random(&*self.0.rng);
            drop(subdirectory(self.root(), &id::directory_name(id.directory()))?);
            match give(&id) {
                Ok(given) => return Ok(given.map(|()| id)),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(BlobError::os(doing)(error)),
            }
        }
        Err(BlobError::os(doing)(Errno::EXIST))
    }

    /// Makes the name of a file durable.
    fn settle(&self, id: &FileId) -> Result<(), BlobError> {
        let doing = "making the name of a file durable";
        let name = id::directory_name(id.directory());
        let directory = open_beneath(self.root(), &name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
            .map_err(BlobError::os(doing))?;
        rustix::fs::fsync(&directory).map_err(BlobError::os(doing))?;
        let durable = &self.0.durable[usize::from(id.directory())];
        if !durable.load(Ordering::Acquire) {
            rustix::fs::fsync(self.root()).map_err(BlobError::os(doing))?;
            durable.store(true, Ordering::Release);
        }
        Ok(())
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.files.pins();
        if let Some(count) = pins.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                pins.remove(&self.id);
            }
        }
    }
}

fn open(root: BorrowedFd<'_>, id: &FileId) -> Result<Option<OpenFile>, BlobError> {
    let file = match open_beneath(root, &id.path(), OFlags::RDONLY, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(BlobError::os("opening a file")(error)),
    };
    let stat = rustix::fs::fstat(&file).map_err(BlobError::os("opening a file"))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(BlobError::NoFile);
    }
    Ok(Some(OpenFile { file: file.into(), size: u64::try_from(stat.st_size).unwrap_or_default() }))
}

/// The files of one of the 256 directories that are `wanted`.
fn list(root: BorrowedFd<'_>, directory: u8, wanted: impl Fn(&Stat) -> bool) -> Result<Vec<FileId>, BlobError> {
    let doing = "listing files";
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let opened = match open_beneath(root, &id::directory_name(directory), flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(error) => return Err(BlobError::os(doing)(error)),
    };
    let mut found = Vec::new();
    for name in names_in(opened.as_fd())? {
        let Some(id) = FileId::of_name(directory, &name) else { continue };
        match rustix::fs::statat(&opened, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if wanted(&stat) => found.push(id),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(BlobError::os(doing)(error)),
        }
    }
    Ok(found)
}

/// Where files are that are written under a name.
const TEMPORARY: &str = "tmp";

/// Whether an error says that a file can have no further name there. (`NOENT` is a machine without `/proc`, or a file that
/// has lost its last name.)
fn cannot_link(error: Errno) -> bool {
    let refusals =
        [Errno::XDEV, Errno::NOENT, Errno::PERM, Errno::ACCESS, Errno::MLINK, Errno::OPNOTSUPP, Errno::NOSYS];
    refusals.contains(&error)
}

#[cfg(test)]
mod tests;
