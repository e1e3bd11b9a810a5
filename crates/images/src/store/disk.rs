//! The directory of a store.
//!
//! ```text
//! lock                          held by the process that has the store open
//! staging/                      what is being unpacked, written or removed
//! layers/<algorithm>/<digits>/  a layer: root/, layer.json, and settled once it is on the disk
//! images/<digits>.json          what a reference names
//! leases/<digits>.json          who needs which layers
//! empty/, empty-too/            empty directories
//! ```

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags, ResolveFlags, XattrFlags};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Algorithm, DiffId, Error, XattrNamespace, remove};

const EMPTY: &str = "empty";
const OTHER_EMPTY: &str = "empty-too";
const LAYER_ROOT: &str = "root";
const TRASH: &str = "trash";
const LAYER_FILE: &str = "layer.json";
const SETTLED_FILE: &str = "settled";
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The largest record, in bytes: twice the document that it is made from.
const RECORD_BYTES_MAX: u64 = 2 * crate::DOCUMENT_BYTES_MAX;

/// Whether a written file is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Yes,
    No,
}

#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    root: OwnedFd,
    staging: OwnedFd,
    layers: [OwnedFd; 2],
    pub(super) images: OwnedFd,
    pub(super) leases: OwnedFd,
    next: AtomicU64,
    _lock: Lock,
}

/// A new directory in which a layer is unpacked. Dropping it removes it.
pub(super) struct Staged<'a> {
    disk: &'a Disk,
    /// None once it is a layer.
    name: Option<String>,
    directory: OwnedFd,
    pub(super) root: OwnedFd,
    pub(super) trash: OwnedFd,
}

impl Disk {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let doing = "opening the image store";
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::io(doing))?;
        let root: OwnedFd = File::open(path).map_err(Error::io(doing))?.into();
        let stat = rustix::fs::fstat(&root).map_err(Error::os(doing))?;
        let others_write = Mode::from_raw_mode(stat.st_mode).intersects(Mode::WGRP | Mode::WOTH);
        if stat.st_uid != rustix::process::geteuid().as_raw() || others_write {
            return Err(Error::Insecure);
        }
        let lock = Lock::take(root.as_fd())?;
        let layers = subdirectory(root.as_fd(), "layers")?;
        let of = |algorithm: Algorithm| subdirectory(layers.as_fd(), algorithm.name());
        let layers = [of(Algorithm::Sha256)?, of(Algorithm::Sha512)?];
        let staging = subdirectory(root.as_fd(), "staging")?;
        let images = subdirectory(root.as_fd(), "images")?;
        let leases = subdirectory(root.as_fd(), "leases")?;
        subdirectory(root.as_fd(), EMPTY)?;
        subdirectory(root.as_fd(), OTHER_EMPTY)?;
        rustix::fs::fsync(&root).map_err(Error::os(doing))?;
        let path = std::path::absolute(path).map_err(Error::io(doing))?;
        Ok(Self { path, root, staging, layers, images, leases, next: AtomicU64::new(0), _lock: lock })
    }

    pub(super) fn layer_path(&self, diff_id: DiffId) -> PathBuf {
        let digest = diff_id.digest();
        self.path.join("layers").join(digest.algorithm().name()).join(digest.hex()).join(LAYER_ROOT)
    }

    /// The root of a layer; none if it is not there.
    pub(super) fn open_layer(&self, diff_id: DiffId) -> Result<Option<OwnedFd>, Error> {
        let path = format!("{}/{LAYER_ROOT}", diff_id.digest().hex());
        match open_directory(self.layers_of(diff_id.digest().algorithm()), &path) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::os("opening a layer")(error)),
        }
    }

    pub(super) fn open_empty(&self) -> Result<[OwnedFd; 2], Error> {
        let open = |path| open_directory(self.root.as_fd(), path).map_err(Error::os("opening an empty directory"));
        Ok([open(EMPTY)?, open(OTHER_EMPTY)?])
    }

    /// The names of what is where layers are.
    pub(super) fn layer_names(&self) -> Result<Vec<(Algorithm, String)>, Error> {
        let mut found = Vec::new();
        for algorithm in Algorithm::ALL {
            found.extend(names(self.layers_of(algorithm))?.into_iter().map(|name| (algorithm, name)));
        }
        Ok(found)
    }

    /// What is known of a layer; none if it is not what is expected there.
    pub(super) fn read_layer<T: DeserializeOwned>(&self, diff_id: DiffId) -> Option<T> {
        let path = format!("{}/{LAYER_FILE}", diff_id.digest().hex());
        read_json(self.layers_of(diff_id.digest().algorithm()), &path)
    }

    pub(super) fn rewrite_layer(&self, diff_id: DiffId, record: &impl Serialize) -> Result<(), Error> {
        let layers = self.layers_of(diff_id.digest().algorithm());
        let layer = open_directory(layers, &diff_id.digest().hex()).map_err(Error::os("opening a layer"))?;
        self.write_record(layer.as_fd(), LAYER_FILE, record, Durable::No)
    }

    pub(super) fn is_settled(&self, diff_id: DiffId) -> bool {
        let path = format!("{}/{SETTLED_FILE}", diff_id.digest().hex());
        let algorithm = diff_id.digest().algorithm();
        rustix::fs::statat(self.layers_of(algorithm), path, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Notes that a layer is on the disk.
    pub(super) fn mark_settled(&self, diff_id: DiffId) -> Result<(), Error> {
        let path = format!("{}/{SETTLED_FILE}", diff_id.digest().hex());
        let flags = OFlags::WRONLY | OFlags::CREATE;
        open_beneath(self.layers_of(diff_id.digest().algorithm()), &path, flags, PRIVATE)
            .map(drop)
            .map_err(Error::os("noting that a layer is on the disk"))
    }

    /// Waits until all that was written is on the disk.
    pub(super) fn sync(&self) -> Result<(), Error> {
        rustix::fs::syncfs(&self.root).map_err(Error::os("writing layers to the disk"))
    }

    /// Takes a layer away: nobody finds it any more. Answers what there is to be removed.
    pub(super) fn withdraw(&self, diff_id: DiffId) -> Result<String, Error> {
        self.withdraw_name(diff_id.digest().algorithm(), &diff_id.digest().hex())
    }

    pub(super) fn withdraw_name(&self, algorithm: Algorithm, name: &str) -> Result<String, Error> {
        loop {
            let there = self.new_name();
            let from = self.layers_of(algorithm);
            match rustix::fs::renameat_with(from, name, &self.staging, &there, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(there),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(Error::os("withdrawing a layer")(error)),
            }
        }
    }

    /// What is in the staging directory.
    pub(super) fn staged(&self) -> Result<Vec<String>, Error> {
        names(self.staging.as_fd())
    }

    /// Removes something from the staging directory.
    pub(super) fn remove_staged(&self, name: &str) -> Result<(), Error> {
        let doing = "removing what is left of a layer";
        let directory = match open_directory(self.staging.as_fd(), name) {
            Ok(directory) => directory,
            Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTDIR) => {
                return rustix::fs::unlinkat(&self.staging, name, AtFlags::empty()).map_err(Error::os(doing));
            }
            Err(error) => return Err(Error::os(doing)(error)),
        };
        remove::all_in(directory.as_fd()).map_err(Error::os(doing))?;
        rustix::fs::unlinkat(&self.staging, name, AtFlags::REMOVEDIR).map_err(Error::os(doing))
    }

    pub(super) fn stage(&self) -> Result<Staged<'_>, Error> {
        let doing = "making a directory for a layer";
        let name = loop {
            let name = self.new_name();
            match rustix::fs::mkdirat(&self.staging, &name, Mode::RWXU) {
                Ok(()) => break name,
                // A crash left it.
                Err(Errno::EXIST) => {}
                Err(error) => return Err(Error::os(doing)(error)),
            }
        };
        let directory = open_directory(self.staging.as_fd(), &name).map_err(Error::os(doing))?;
        let (root, trash) = (subdirectory(directory.as_fd(), LAYER_ROOT)?, subdirectory(directory.as_fd(), TRASH)?);
        // As Docker makes it where no member describes it; containers of any user pass through it.
        let mode = Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH;
        rustix::fs::fchmod(&root, mode).map_err(Error::os(doing))?;
        Ok(Staged { disk: self, name: Some(name), directory, root, trash })
    }

    /// Writes a record, whole or not at all.
    pub(super) fn write_record(
        &self,
        directory: BorrowedFd<'_>,
        name: &str,
        record: &impl Serialize,
        durable: Durable,
    ) -> Result<(), Error> {
        let doing = "writing a record";
        let temporary = loop {
            let temporary = self.new_name();
            match write_json(self.staging.as_fd(), &temporary, record, durable) {
                Ok(()) => break temporary,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    let _ = rustix::fs::unlinkat(&self.staging, &temporary, AtFlags::empty());
                    return Err(Error::io(doing)(error));
                }
            }
        };
        rustix::fs::renameat(&self.staging, &temporary, directory, name).map_err(Error::os(doing))?;
        if durable == Durable::Yes { rustix::fs::fsync(directory).map_err(Error::os(doing)) } else { Ok(()) }
    }

    /// The records in a directory. Those that are none, which a loss of power may leave, are removed.
    pub(super) fn read_records<T: DeserializeOwned>(
        &self,
        directory: BorrowedFd<'_>,
    ) -> Result<Vec<(String, T)>, Error> {
        let mut records = Vec::new();
        for name in names(directory)? {
            match read_json(directory, &name) {
                Some(record) => records.push((name, record)),
                None => {
                    tracing::warn!(file = name, "a record of the image store is damaged: it is removed");
                    self.remove_record(directory, &name)?;
                }
            }
        }
        Ok(records)
    }

    pub(super) fn remove_record(&self, directory: BorrowedFd<'_>, name: &str) -> Result<(), Error> {
        match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::os("removing a record")(error)),
        }
    }

    /// Whether this process may set the attributes that overlays read by default.
    pub(super) fn takes_trusted_attributes(&self) -> Result<bool, Error> {
        let staged = self.stage()?;
        let name = XattrNamespace::Trusted.opaque();
        match rustix::fs::fsetxattr(&staged.root, name, b"y", XattrFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::PERM | Errno::NOTSUP) => Ok(false),
            Err(error) => Err(Error::os("trying out extended attributes")(error)),
        }
    }

    fn layers_of(&self, algorithm: Algorithm) -> BorrowedFd<'_> {
        match algorithm {
            Algorithm::Sha256 => self.layers[0].as_fd(),
            Algorithm::Sha512 => self.layers[1].as_fd(),
        }
    }

    fn new_name(&self) -> String {
        format!("{}-{}", std::process::id(), self.next.fetch_add(1, Ordering::Relaxed))
    }
}

impl Staged<'_> {
    /// Gives what was unpacked its name. Nothing waits for the disk here.
    pub(super) fn publish(mut self, diff_id: DiffId, record: &impl Serialize) -> Result<(), Error> {
        let doing = "giving a layer its name";
        write_json(self.directory.as_fd(), LAYER_FILE, record, Durable::No).map_err(Error::io(doing))?;
        rustix::fs::unlinkat(&self.directory, TRASH, AtFlags::REMOVEDIR).map_err(Error::os(doing))?;
        let name = self.name.take().unwrap_or_default();
        let layers = self.disk.layers_of(diff_id.digest().algorithm());
        let hex = diff_id.digest().hex();
        let renamed = rustix::fs::renameat_with(&self.disk.staging, &name, layers, &hex, RenameFlags::NOREPLACE);
        if renamed.is_err() {
            self.name = Some(name);
        }
        renamed.map_err(Error::os(doing))
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name
            && let Err(error) = self.disk.remove_staged(name)
        {
            // The next start does it.
            tracing::warn!(%error, name, "what is left of a layer could not be removed");
        }
    }
}

/// Held by the process that has the store open.
#[derive(Debug)]
struct Lock(OwnedFd);

impl Lock {
    fn take(root: BorrowedFd<'_>) -> Result<Self, Error> {
        let doing = "locking the image store";
        let file = open_beneath(root, "lock", OFlags::RDWR | OFlags::CREATE, PRIVATE).map_err(Error::os(doing))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => Err(Error::InUse),
            Err(error) => Err(Error::os(doing)(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started may still have the descriptor, until it executes
        // its program. It fails for no reason that leaves the lock held.
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

/// What tells one start of the machine from another.
pub(super) fn kernel_boot_id() -> Result<String, Error> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(Error::io("asking for the boot"))?;
    Ok(text.trim().to_owned())
}

fn write_json(directory: BorrowedFd<'_>, name: &str, value: &impl Serialize, durable: Durable) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mut file = File::from(open_beneath(directory, name, flags, PRIVATE)?);
    file.write_all(&bytes)?;
    if durable == Durable::Yes { file.sync_all() } else { Ok(()) }
}

fn read_json<T: DeserializeOwned>(directory: BorrowedFd<'_>, path: &str) -> Option<T> {
    let file = File::from(open_beneath(directory, path, OFlags::RDONLY, Mode::empty()).ok()?);
    let mut bytes = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Opens a path of ours beneath a directory, through no symbolic link and to no other place.
fn open_beneath(directory: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(directory, path, flags | OFlags::CLOEXEC, mode, resolve)
}

fn open_directory(directory: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    open_beneath(directory, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())
}

fn subdirectory(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Error> {
    let doing = "making a directory of the image store";
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(Error::os(doing)(error)),
    }
    open_directory(parent, name).map_err(Error::os(doing))
}

/// The names in a directory that are UTF-8; all that is made here is.
fn names(directory: BorrowedFd<'_>) -> Result<Vec<String>, Error> {
    let names = remove::names(directory).map_err(Error::os("listing a directory of the image store"))?;
    Ok(names.into_iter().filter_map(|name| String::from_utf8(name).ok()).collect())
}
