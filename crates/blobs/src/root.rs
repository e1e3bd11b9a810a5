//! The directory that blobs are in.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::{BlobError, Digest};

/// Blobs in a directory; a handle that is cheap to clone. See the [crate's page](crate).
#[derive(Debug, Clone)]
pub struct Blobs(Arc<Root>);

#[derive(Debug)]
struct Root {
    root: OwnedFd,
    blobs: OwnedFd,
    temporary: OwnedFd,
    next_temporary: AtomicU64,
    /// Which of the directories of blobs are known to have durable names.
    durable: [AtomicBool; 256],
}

/// The directory of the directories of blobs.
const BLOBS: &str = "sha256";
const DIRECTORY_MODE: Mode = Mode::RWXU;
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

impl Blobs {
    /// Opens the directory, which is made if it is not there, and clears away what crashed writers left. Several
    /// processes may have it open.
    ///
    /// # Errors
    /// [`BlobError::Io`] if it can be neither made nor opened.
    pub fn open_root(path: &Path) -> Result<Self, BlobError> {
        let doing = "opening the directory of blobs";
        make_directory(path).map_err(BlobError::io(doing))?;
        let root: OwnedFd = File::open(path).map_err(BlobError::io(doing))?.into();
        let temporary = subdirectory(root.as_fd(), "tmp")?;
        let blobs = subdirectory(root.as_fd(), BLOBS)?;
        // Whoever made them before may have crashed before this.
        rustix::fs::fsync(&root).map_err(BlobError::os(doing))?;
        let (next_temporary, durable) = (AtomicU64::new(0), std::array::from_fn(|_| AtomicBool::new(false)));
        let root = Self(Arc::new(Root { root, blobs, temporary, next_temporary, durable }));
        root.clear_temporary()?;
        Ok(root)
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.0.root.as_fd()
    }

    /// Where what is being written is.
    pub(crate) fn temporary(&self) -> BorrowedFd<'_> {
        self.0.temporary.as_fd()
    }

    /// Where the directories of blobs are.
    pub(crate) fn blobs(&self) -> BorrowedFd<'_> {
        self.0.blobs.as_fd()
    }

    /// The directory that a blob is in; none if it has never been made.
    pub(crate) fn directory_of(&self, digest: &Digest) -> Result<Option<OwnedFd>, BlobError> {
        match open_beneath(self.blobs(), &digest.hex()[..2], OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(BlobError::os("opening a directory of blobs")(error)),
        }
    }

    /// The directory that a blob is to be in. Its name is durable.
    pub(crate) fn make_directory_of(&self, digest: &Digest) -> Result<OwnedFd, BlobError> {
        let directory = match self.directory_of(digest)? {
            Some(directory) => directory,
            None => subdirectory(self.blobs(), &digest.hex()[..2])?,
        };
        // Another writer may have made it and not come so far.
        let durable = &self.0.durable[usize::from(digest.as_bytes()[0])];
        if !durable.load(Ordering::Acquire) {
            rustix::fs::fsync(self.blobs()).map_err(BlobError::os("making a directory for blobs"))?;
            durable.store(true, Ordering::Release);
        }
        Ok(directory)
    }

    /// A descriptor of its own for the lock between collection and everybody else.
    pub(crate) fn lock_file(&self) -> Result<OwnedFd, BlobError> {
        open_beneath(self.root(), "lock", OFlags::RDWR | OFlags::CREATE, PRIVATE)
            .map_err(BlobError::os("opening the lock of collection"))
    }

    /// A name for a temporary file that nobody has been given in this process.
    pub(crate) fn temporary_name(&self) -> String {
        format!("{}-{}", std::process::id(), self.0.next_temporary.fetch_add(1, Ordering::Relaxed))
    }

    /// A new temporary file, locked for as long as it is open: so it is told from one that a crash left.
    pub(crate) fn new_temporary(&self) -> Result<(String, OwnedFd), BlobError> {
        let doing = "making a temporary file";
        loop {
            let name = self.temporary_name();
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
            let file = match open_beneath(self.temporary(), &name, flags, PRIVATE) {
                // Another process with our number in another PID namespace, or one that crashed.
                Err(Errno::EXIST) => continue,
                opened => opened.map_err(BlobError::os(doing))?,
            };
            let locked = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive);
            // Another process that was just opening the directory may have taken it for a crashed writer's.
            let linked = rustix::fs::fstat(&file).map_err(BlobError::os(doing))?.st_nlink > 0;
            match locked {
                Ok(()) if linked => return Ok((name, file)),
                Ok(()) | Err(Errno::WOULDBLOCK) => {}
                Err(error) => return Err(BlobError::os(doing)(error)),
            }
        }
    }

    fn clear_temporary(&self) -> Result<(), BlobError> {
        let doing = "clearing away temporary files";
        for name in names_in(self.temporary())? {
            let opened = open_beneath(self.temporary(), &name, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty());
            // What cannot be opened is finished in the meantime, or nothing that a writer made.
            let Ok(file) = opened else { continue };
            if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                match rustix::fs::unlinkat(self.temporary(), &name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => {}
                    Err(error) => return Err(BlobError::os(doing)(error)),
                }
            }
        }
        Ok(())
    }
}

/// Where a blob is, beneath the root.
pub(crate) fn path_of(digest: &Digest) -> String {
    let digits = digest.hex();
    format!("{BLOBS}/{}/{digits}", &digits[..2])
}

/// Opens a path beneath a directory, through no symbolic link and to no other place.
pub(crate) fn open_beneath(directory: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(directory, path, flags | OFlags::CLOEXEC, mode, resolve)
}

/// Opens a directory, which is made if it is not there.
pub(crate) fn subdirectory(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, BlobError> {
    let doing = "making a directory for blobs";
    match rustix::fs::mkdirat(parent, name, DIRECTORY_MODE) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(BlobError::os(doing)(error)),
    }
    open_beneath(parent, name, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).map_err(BlobError::os(doing))
}

/// Makes a directory and those above it, if need be, and makes their names durable.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|path| !path.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    for made in missing.into_iter().filter(|made| !made.as_os_str().is_empty()) {
        let above = made.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

/// The names in a directory that are UTF-8; all that is made here is.
pub(crate) fn names_in(directory: BorrowedFd<'_>) -> Result<Vec<String>, BlobError> {
    let doing = "listing a directory of blobs";
    let mut names = Vec::new();
    for entry in Dir::read_from(directory).map_err(BlobError::os(doing))? {
        let entry = entry.map_err(BlobError::os(doing))?;
        match entry.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(name) => names.push(name.to_owned()),
        }
    }
    Ok(names)
}
