//! The directory and its files. Every path is opened beneath the root's descriptor and through no symbolic link; no more
//! than [`OPEN_FILES_MAX`] stay open.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

use crate::lru::Lru;
use crate::{Disk, Error, lock};

/// How many files stay open; those that are being read count on top, one a reader.
const OPEN_FILES_MAX: usize = 128;
/// Where what has been deleted waits until its files are gone.
pub(crate) const TRASH: &str = "trash";
/// The end of the names of files that are being written.
pub(crate) const TEMPORARY: &str = ".tmp";

/// The store's directory.
#[derive(Debug)]
pub(crate) struct Root {
    directory: OwnedFd,
    /// Held as long as the directory is open.
    lock: OwnedFd,
    open: Mutex<Lru<u64, Arc<File>>>,
    next_file: AtomicU64,
    next_number: AtomicU64,
    holds: Mutex<Holds>,
    pub(crate) disk: Arc<dyn Disk>,
}

/// What keeps files from being removed.
#[derive(Debug, Default)]
struct Holds {
    count: usize,
    /// What is to be removed when the last hold ends.
    waiting: Vec<String>,
}

impl Root {
    pub(crate) fn open(path: &Path, disk: Arc<dyn Disk>) -> Result<Self, Error> {
        let doing = "opening the directory of events";
        make_directory(path).map_err(Error::io(doing))?;
        let directory: OwnedFd = File::open(path).map_err(Error::io(doing))?.into();
        let flags = OFlags::RDWR | OFlags::CREATE;
        let lock = open_beneath(&directory, "lock", flags).map_err(Error::os(doing))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(Error::Locked(path.to_owned())),
            Err(error) => return Err(Error::os(doing)(error)),
        }
        let (open, next_file) = (Mutex::new(Lru::new(OPEN_FILES_MAX)), AtomicU64::new(0));
        Ok(Self { directory, lock, open, next_file, next_number: AtomicU64::new(0), holds: Mutex::default(), disk })
    }

    /// Makes a folder and those above it, if need be. Answers whether any was made.
    pub(crate) fn make_folder(&self, path: &str) -> Result<bool, Error> {
        let mut made = false;
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            match self.mkdir(&path[..end]) {
                Ok(()) => made = true,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(Error::os("making a folder for events")(error)),
            }
        }
        Ok(made)
    }

    fn mkdir(&self, path: &str) -> Result<(), Errno> {
        let Some((parent, name)) = path.rsplit_once('/') else {
            return rustix::fs::mkdirat(&self.directory, path, Mode::RWXU);
        };
        rustix::fs::mkdirat(self.folder(parent)?, name, Mode::RWXU)
    }

    fn folder(&self, path: &str) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { "." } else { path };
        open_beneath(&self.directory, path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// Makes the names in a folder, and those of the folders that lead to it, durable.
    pub(crate) fn sync_folders(&self, path: &str) -> Result<(), Error> {
        let doing = "making the names of files durable";
        let above = path.match_indices('/').map(|(end, _)| &path[..end]);
        for folder in above.chain([path, ""]) {
            self.sync_folder(folder).map_err(Error::os(doing))?;
        }
        Ok(())
    }

    /// Makes the names in a folder durable.
    pub(crate) fn sync_folder(&self, path: &str) -> Result<(), Errno> {
        rustix::fs::fsync(self.folder(path)?)
    }

    /// Everything that has been written to the file system is on the disk when this returns.
    pub(crate) fn sync_all(&self) -> Result<(), Error> {
        rustix::fs::syncfs(&self.directory).map_err(Error::os("syncing the file system of events"))
    }

    /// The names in a folder with the sizes of files; empty if there is no such folder.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<Listed>, Error> {
        let doing = "listing a folder of events";
        let folder = match self.folder(path) {
            Ok(folder) => folder,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(error) => return Err(Error::os(doing)(error)),
        };
        let mut listed = Vec::new();
        for entry in Dir::read_from(&folder).map_err(Error::os(doing))? {
            let entry = entry.map_err(Error::os(doing))?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if name == "." || name == ".." {
                continue;
            }
            let stat = match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(error) => return Err(Error::os(doing)(error)),
            };
            let kind = FileType::from_raw_mode(stat.st_mode);
            let size = u64::try_from(stat.st_size).unwrap_or_default();
            listed.push(Listed { name: name.to_owned(), is_folder: kind == FileType::Directory, size });
        }
        Ok(listed)
    }

    /// A file that is there, or is about to be created.
    pub(crate) fn file(self: &Arc<Self>, path: String) -> StoredFile {
        let id = self.next_file.fetch_add(1, Ordering::Relaxed);
        StoredFile { root: Arc::clone(self), path, id, is_doomed: AtomicBool::new(false) }
    }

    /// Makes an empty file, readable and writable by its owner only; an older one of the name is emptied.
    pub(crate) fn create(&self, path: &str) -> Result<File, Error> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC;
        open_beneath(&self.directory, path, flags).map(File::from).map_err(Error::os("making a file for events"))
    }

    /// Gives a file its final name in its folder, in place of what has it.
    pub(crate) fn rename(&self, folder: &str, from: &str, to: &str) -> Result<(), Error> {
        let doing = "renaming a file of events";
        let folder = self.folder(folder).map_err(Error::os(doing))?;
        rustix::fs::renameat(&folder, from, &folder, to).map_err(Error::os(doing))
    }

    /// Removes a file once nothing holds it.
    pub(crate) fn remove(&self, path: String) {
        let mut holds = lock(&self.holds);
        if holds.count > 0 {
            holds.waiting.push(path);
        } else {
            drop(holds);
            self.remove_now(&path);
        }
    }

    /// Removes a file that nobody but its writer has known.
    pub(crate) fn remove_temporary(&self, path: &str) {
        self.remove_now(path);
    }

    fn remove_now(&self, path: &str) {
        let Some((folder, name)) = path.rsplit_once('/') else { return };
        let removed = self.folder(folder).and_then(|folder| rustix::fs::unlinkat(folder, name, AtFlags::empty()));
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            // The next opening finds it, and that it is superseded.
            Err(error) => tracing::warn!(path, %error, "a file of events cannot be removed"),
        }
    }

    /// Keeps files from being removed until [`Root::release`].
    pub(crate) fn hold(&self) {
        lock(&self.holds).count += 1;
    }

    pub(crate) fn release(&self) {
        let mut holds = lock(&self.holds);
        holds.count -= 1;
        let waiting = if holds.count == 0 { std::mem::take(&mut holds.waiting) } else { Vec::new() };
        drop(holds);
        waiting.iter().for_each(|path| self.remove_now(path));
    }

    /// A number for a file that is larger than `least` and that no file has had while the store is open: so whoever
    /// removes a file late removes no other of its name.
    pub(crate) fn next_number(&self, least: u64) -> u64 {
        self.next_number.fetch_max(least, Ordering::AcqRel);
        self.next_number.fetch_add(1, Ordering::AcqRel)
    }

    /// Whether files must not be removed now.
    pub(crate) fn is_held(&self) -> bool {
        lock(&self.holds).count > 0
    }

    /// Moves a folder, if it is there, to where it cannot be found any more, durably.
    pub(crate) fn discard(&self, folder: &str) -> Result<(), Error> {
        let doing = "deleting a group of events";
        self.make_folder(TRASH)?;
        let Some((parent, from)) = folder.rsplit_once('/') else { return Ok(()) };
        let trash = self.folder(TRASH).map_err(Error::os(doing))?;
        let parent = match self.folder(parent) {
            Ok(parent) => parent,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(Error::os(doing)(error)),
        };
        for number in 0_u64.. {
            match rustix::fs::renameat_with(&parent, from, &trash, number.to_string(), RenameFlags::NOREPLACE) {
                Ok(()) => return rustix::fs::fsync(&parent).map_err(Error::os(doing)),
                Err(Errno::NOENT) => return Ok(()),
                // Others wait to be removed.
                Err(Errno::EXIST | Errno::NOTEMPTY) => {}
                Err(error) => return Err(Error::os(doing)(error)),
            }
        }
        Ok(())
    }

    /// Removes what has been discarded.
    pub(crate) fn empty_trash(&self) -> Result<(), Error> {
        let doing = "removing a deleted group of events";
        if self.is_held() {
            return Ok(());
        }
        for discarded in self.list(TRASH)? {
            let path = format!("{TRASH}/{}", discarded.name);
            for file in self.list(&path)? {
                self.remove_now(&format!("{path}/{}", file.name));
            }
            let trash = self.folder(TRASH).map_err(Error::os(doing))?;
            let flags = if discarded.is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
            rustix::fs::unlinkat(trash, &discarded.name, flags).map_err(Error::os(doing))?;
        }
        Ok(())
    }

    /// Opens a file for reading only; none if it is not there.
    pub(crate) fn open_to_copy(&self, path: &str) -> Result<Option<File>, Error> {
        match open_beneath(&self.directory, path, OFlags::RDONLY) {
            Ok(file) => Ok(Some(file.into())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::os("opening a file of events")(error)),
        }
    }

    fn open_file(&self, path: &str) -> Result<File, Errno> {
        open_beneath(&self.directory, path, OFlags::RDWR).map(File::from)
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // Closing alone would leave it to a child that another thread has just forked.
        let _ = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
    }
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) is_folder: bool,
    pub(crate) size: u64,
}

/// A file of the store. Whoever has the value can read the file: once it is doomed, it goes with the last value.
#[derive(Debug)]
pub(crate) struct StoredFile {
    root: Arc<Root>,
    path: String,
    id: u64,
    is_doomed: AtomicBool,
}

impl StoredFile {
    /// What it is called in caches: never given twice while the store is open.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Relative to the store's directory.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Keeps a descriptor of the file that was just created.
    pub(crate) fn opened(&self, file: File) {
        lock(&self.root.open).insert(self.id, Arc::new(file), 1);
    }

    /// An open descriptor.
    ///
    /// # Errors
    /// `NotFound` if the group has been deleted.
    pub(crate) fn open(&self) -> io::Result<Arc<File>> {
        if let Some(file) = lock(&self.root.open).get(&self.id) {
            return Ok(file);
        }
        let file = Arc::new(self.root.open_file(&self.path)?);
        lock(&self.root.open).insert(self.id, Arc::clone(&file), 1);
        Ok(file)
    }

    /// Reads that many bytes from an offset on; fewer if the file ends before.
    pub(crate) fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self.open()?;
        let mut bytes = vec![0; length];
        let mut read = 0;
        while read < length {
            match file.read_at(&mut bytes[read..], offset + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(read);
        Ok(bytes)
    }

    /// The same, as far as the disk can read it.
    pub(crate) fn read_what_can_be(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        match self.read(offset, length) {
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(Vec::new()),
            read => read,
        }
    }

    /// Removes the file, when nobody reads it any more.
    pub(crate) fn doom(&self) {
        self.is_doomed.store(true, Ordering::Release);
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        lock(&self.root.open).remove(&self.id);
        if *self.is_doomed.get_mut() {
            self.root.remove(std::mem::take(&mut self.path));
        }
    }
}

/// Opens a path beneath a directory, through no symbolic link and to no other place.
fn open_beneath(directory: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let mode = if flags.contains(OFlags::CREATE) { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
    loop {
        match rustix::fs::openat2(directory.as_fd(), path, flags | OFlags::CLOEXEC, mode, resolve) {
            // The kernel could not rule out that a rename elsewhere led out of the directory.
            Err(Errno::AGAIN) => {}
            opened => return opened,
        }
    }
}

/// Makes a directory and those above it, if need be, and makes their names durable.
fn make_directory(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    for made in missing.into_iter().filter(|made| !made.as_os_str().is_empty()) {
        let above = made.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    Ok(())
}
