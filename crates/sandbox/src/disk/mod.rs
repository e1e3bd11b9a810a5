//! Directories on disk that hold so many bytes and no more: what containers write to their roots, and scratch volumes.
//!
//! ```text
//! <directory>/                root's alone
//!     trees/<name>/           a directory; with a project quota where it is limited
//!     images/<name>.ext4      or a file system in a sparse file, where there are no quotas
//!     templates/<bytes>.ext4  file systems as they begin
//!     mounts/, devices/       used for moments, on old kernels and in containers
//!     trash/                  trees that are being removed
//! ```
//!
//! A tree and an image's file system hold the same two directories: `upper`, which is what is written to, and `work`, which an
//! overlay needs beside it. An image is mounted, but attached nowhere: it is seen by nobody who was not handed a descriptor,
//! and is unmounted, its loop device free again, when the last mount of it is gone. What is on images is lost when the
//! machine starts again; the workloads are, too.
//!
//! Everything here blocks for some milliseconds, and needs root.

mod error;
mod image;
mod limited;
mod loops;
mod quota;
mod trash;

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

pub use self::error::Error;
use self::limited::{Form, make_parts, usage_of_tree};
pub use self::limited::{Limited, Usage};
use self::loops::Loop;

/// The longest name, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// The smallest size that a directory can be limited to, in bytes.
pub const BYTES_MIN: u64 = 1024 * 1024;
/// The largest size that a directory can be limited to, in bytes: what ext4 has on files of 4 KiB blocks.
pub const BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024 * 1024 - 256 * 1024 * 1024 * 1024;

/// What an image's file is called after its name.
const IMAGE_SUFFIX: &str = ".ext4";
/// Projects of ours are numbered from here; which of them are free is asked of the kernel.
const PROJECT_FIRST: u32 = 0x5000_0000;
/// How many numbers are tried before none is free.
const PROJECTS_TRIED_MAX: u32 = 100_000;

/// What the next tree is called in the trash, after this process's number.
static NEXT_ASIDE: AtomicU64 = AtomicU64::new(0);

/// By what a directory's size is limited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The file system's own project quotas.
    Quota,
    /// A file system of its own, in a file.
    Image,
    /// Nothing: limited directories are refused.
    Nothing {
        /// Why, for a person.
        reason: String,
    },
}

/// The limited directories of one node.
#[derive(Debug)]
pub struct Disks {
    path: PathBuf,
    kind: Kind,
    formatter: Option<PathBuf>,
    /// The next project's number. Its lock is held while a number is taken.
    next_project: Mutex<u32>,
    /// Held while the trash is emptied.
    emptying: Mutex<()>,
}

/// How much room there is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Of the file system.
    pub bytes_total: u64,
    /// Free in it.
    pub bytes_free: u64,
    /// What limited directories may yet grow by: of the free ones, these can be used up by what is there.
    pub bytes_promised: u64,
}

impl Disks {
    /// Finds out how sizes can be limited in a directory of root's own, and clears away what a node that was killed, or the
    /// machine's last life, has left half done.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        for name in ["", "trees", "images", "templates", "mounts", "devices", "trash"] {
            make_directory(&directory.join(name))?;
        }
        let path = std::fs::canonicalize(directory).map_err(Error::std("resolving", directory))?;
        let formatter = image::formatter();
        let kind = kind(&path, &formatter);
        let disks = Self {
            path,
            kind,
            formatter: formatter.ok(),
            next_project: Mutex::new(PROJECT_FIRST),
            emptying: Mutex::new(()),
        };
        disks.clear_leftovers()?;
        Ok(disks)
    }

    /// By what sizes are limited here.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Makes a directory that so many bytes fit into. By an image a little more fits, at most a hundredth: what its tables
    /// were not needed for. So do files: one for each 16 KiB, at least 2,048.
    ///
    /// # Errors
    /// [`Error::Unsupported`], [`Error::Exists`], [`Error::Size`], [`Error::Name`], [`Error::Format`], [`Error::Io`]. Then
    /// nothing is left of it.
    pub fn limited(&self, name: &str, bytes_max: u64) -> Result<Limited, Error> {
        check_name(name)?;
        if !(BYTES_MIN..=BYTES_MAX).contains(&bytes_max) {
            return Err(Error::Size { bytes: bytes_max });
        }
        if self.exists(name) {
            return Err(Error::Exists { name: name.to_owned() });
        }
        let made = match &self.kind {
            Kind::Quota => self.make_tree(name, Some(bytes_max)),
            Kind::Image => self.make_image(name, bytes_max),
            Kind::Nothing { reason } => Err(Error::Unsupported { reason: reason.clone() }),
        };
        made.inspect_err(|error| self.undo(name, error))
    }

    /// Makes a directory that as much fits into as the disk has.
    ///
    /// # Errors
    /// As [`Disks::limited`].
    pub fn unlimited(&self, name: &str) -> Result<Limited, Error> {
        check_name(name)?;
        if self.exists(name) {
            return Err(Error::Exists { name: name.to_owned() });
        }
        self.make_tree(name, None).inspect_err(|error| self.undo(name, error))
    }

    /// A directory that was made before, also by a node before this one, and whether or not anything uses it now.
    pub fn find(&self, name: &str) -> Result<Option<Limited>, Error> {
        check_name(name)?;
        let tree = self.tree(name);
        if tree.exists() {
            return Limited::of_tree(&tree).map(Some);
        }
        let path = self.image(name);
        let image = match rustix::fs::open(&path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(image) => image,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(Error::io("opening", path)(error)),
        };
        let device = match Loop::find(image.as_fd(), &self.path.join("devices"))? {
            Some(device) => device,
            None => Loop::make(image.as_fd(), &self.path.join("devices"))?,
        };
        self.mounted(name, device).map(Some)
    }

    /// The names of all directories, sorted.
    pub fn list(&self) -> Result<Vec<String>, Error> {
        let mut all = BTreeSet::new();
        all.extend(names(&self.path.join("trees"))?);
        let images = names(&self.path.join("images"))?;
        all.extend(images.iter().filter_map(|name| name.strip_suffix(IMAGE_SUFFIX)).map(str::to_owned));
        Ok(all.into_iter().collect())
    }

    /// Removes a directory; gone already is success. It is quick: an image's space is free when nothing uses it any more, a
    /// tree's when [`Disks::empty_trash`] has been there.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        let image = self.image(name);
        match std::fs::remove_file(&image) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::std("removing", image)(error)),
        }
        let tree = self.tree(name);
        if !tree.exists() {
            return Ok(());
        }
        loop {
            let number = NEXT_ASIDE.fetch_add(1, Ordering::Relaxed);
            let aside = self.path.join("trash").join(format!("{}.{number}", std::process::id()));
            match rustix::fs::renameat_with(CWD, &tree, CWD, &aside, rustix::fs::RenameFlags::NOREPLACE) {
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(Error::io("removing", tree)(error)),
            }
        }
    }

    /// Removes what has been removed for good. Takes as long as there are files: for a thread in the background.
    pub fn empty_trash(&self) -> Result<(), Error> {
        let _one_at_a_time = self.emptying.lock();
        trash::empty(open_directory(&self.path.join("trash"))?.as_fd())
    }

    /// Removes everything, and the node's directory itself.
    pub fn remove_all(self) -> Result<(), Error> {
        for name in self.list()? {
            self.remove(&name)?;
        }
        self.empty_trash()?;
        std::fs::remove_dir_all(&self.path).map_err(Error::std("removing", &self.path))
    }

    /// How much room there is.
    pub fn space(&self) -> Result<Space, Error> {
        let of_all = rustix::fs::statvfs(&self.path).map_err(Error::io("looking at", &self.path))?;
        let mut bytes_promised = 0u64;
        for name in names(&self.path.join("images"))? {
            let image = self.path.join("images").join(name);
            // Gone meanwhile promises nothing.
            if let Ok(image) = rustix::fs::stat(&image) {
                let size = u64::try_from(image.st_size).unwrap_or(0);
                let written = u64::try_from(image.st_blocks).unwrap_or(0) * 512;
                bytes_promised += size.saturating_sub(written);
            }
        }
        if self.kind == Kind::Quota {
            for name in names(&self.path.join("trees"))? {
                let usage = open_directory(&self.tree(&name)).and_then(|tree| usage_of_tree(tree.as_fd()));
                bytes_promised += usage.ok().flatten().map_or(0, |one| one.bytes_max.saturating_sub(one.bytes_used));
            }
        }
        Ok(Space {
            bytes_total: of_all.f_blocks * of_all.f_frsize,
            bytes_free: of_all.f_bavail * of_all.f_frsize,
            bytes_promised,
        })
    }

    fn tree(&self, name: &str) -> PathBuf {
        self.path.join("trees").join(name)
    }

    fn image(&self, name: &str) -> PathBuf {
        self.path.join("images").join(format!("{name}{IMAGE_SUFFIX}"))
    }

    fn exists(&self, name: &str) -> bool {
        self.tree(name).exists() || self.image(name).exists()
    }

    /// Half a directory is none. Should this fail, too, it is listed, and removed by whoever compares.
    fn undo(&self, name: &str, error: &Error) {
        if !matches!(error, Error::Exists { .. }) {
            let _ = self.remove(name);
        }
    }

    fn make_tree(&self, name: &str, bytes_max: Option<u64>) -> Result<Limited, Error> {
        let path = self.tree(name);
        match rustix::fs::mkdir(&path, Mode::from_raw_mode(0o700)) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(Error::Exists { name: name.to_owned() }),
            Err(error) => return Err(Error::io("making", path)(error)),
        }
        if let Some(bytes_max) = bytes_max {
            self.limit_tree(&path, bytes_max)?;
        }
        let root = open_directory(&path)?;
        make_parts(root.as_fd(), &path)?;
        Limited::of_tree(&path)
    }

    fn limit_tree(&self, path: &Path, bytes_max: u64) -> Result<(), Error> {
        let tree = open_directory(path)?;
        let failed = |error| Error::std("limiting", path)(error);
        let mut next = self.next_project.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for _ in 0..PROJECTS_TRIED_MAX {
            let project = *next;
            *next = next.checked_add(1).unwrap_or(PROJECT_FIRST);
            let of_project = quota::look(tree.as_fd(), project).map_err(failed)?;
            if of_project.bytes_max == 0 && of_project.bytes_used == 0 && of_project.inodes_used == 0 {
                quota::limit(tree.as_fd(), project, bytes_max, image::inodes(bytes_max)).map_err(failed)?;
                return quota::assign(tree.as_fd(), project).map_err(failed);
            }
        }
        Err(Error::io("finding a free project for", path)(Errno::BUSY))
    }

    fn make_image(&self, name: &str, bytes_max: u64) -> Result<Limited, Error> {
        let formatter = self.formatter.as_deref().ok_or_else(|| Error::Unsupported {
            reason: "mke2fs is not installed (Debian's package is e2fsprogs)".to_owned(),
        })?;
        let image = image::make(formatter, &self.path.join("templates"), bytes_max, &self.image(name), name)?;
        let device = Loop::make(image.as_fd(), &self.path.join("devices"))?;
        let root = image::mount(&device.path)?;
        // What every ext4 is born with, and only a check of it needs.
        match rustix::fs::unlinkat(&root, "lost+found", AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(Error::io("preparing", self.image(name))(error)),
        }
        make_parts(root.as_fd(), &self.image(name))?;
        self.mounted(name, device)
    }

    fn mounted(&self, name: &str, device: Loop) -> Result<Limited, Error> {
        let root = image::mount(&device.path)?;
        let is_of_use_detached = crate::mounts::can_be_copied(root.as_fd());
        let attach_at = self.path.join("mounts").join(name);
        Limited::of(root, Form::Image { device, attach_at, is_of_use_detached })
    }

    fn clear_leftovers(&self) -> Result<(), Error> {
        let mounts = self.path.join("mounts");
        for name in names(&mounts)? {
            let at = mounts.join(name);
            while rustix::mount::unmount(&at, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW).is_ok() {}
            std::fs::remove_dir(&at).map_err(Error::std("removing", &at))?;
        }
        for name in names(&self.path.join("templates"))? {
            if name.starts_with("unfinished.") {
                let path = self.path.join("templates").join(name);
                std::fs::remove_file(&path).map_err(Error::std("removing", &path))?;
            }
        }
        self.forget_before_boot()
    }

    /// Images have no journal: after a crash of the machine nobody knows what is on them, and nobody needs it.
    fn forget_before_boot(&self) -> Result<(), Error> {
        let now_path = "/proc/sys/kernel/random/boot_id";
        let now = std::fs::read(now_path).map_err(Error::std("reading", now_path))?;
        let noted = self.path.join("boot");
        if std::fs::read(&noted).is_ok_and(|before| before == now) {
            return Ok(());
        }
        for directory in ["images", "templates"] {
            let directory = self.path.join(directory);
            for name in names(&directory)? {
                let path = directory.join(name);
                std::fs::remove_file(&path).map_err(Error::std("removing", &path))?;
            }
        }
        std::fs::write(&noted, now).map_err(Error::std("writing", &noted))
    }
}

/// How sizes can be limited in a directory.
fn kind(path: &Path, formatter: &Result<PathBuf, String>) -> Kind {
    if probe_quota(path).unwrap_or(false) {
        return Kind::Quota;
    }
    let usable = formatter.as_ref().map(drop).map_err(Clone::clone).and_then(|()| loops::probe());
    match usable {
        Ok(()) => Kind::Image,
        Err(reason) => {
            let reason = format!("the file system has no project quotas (prjquota), and {reason}");
            Kind::Nothing { reason }
        }
    }
}

/// Whether a limit of a project holds. Where it does, a directory says that it is as large as its limit, whoever asks; that
/// something is refused cannot be asked as root, who may exceed limits.
fn probe_quota(path: &Path) -> Result<bool, Error> {
    let at = path.join("trash").join(".quota");
    make_directory(&at)?;
    let directory = open_directory(&at)?;
    let probe = || -> std::io::Result<bool> {
        let project = PROJECT_FIRST - 1;
        let before = quota::look(directory.as_fd(), project)?;
        if before.bytes_used != 0 || before.inodes_used > 1 {
            return Ok(false);
        }
        quota::limit(directory.as_fd(), project, BYTES_MIN, 0)?;
        quota::assign(directory.as_fd(), project)?;
        let seen = rustix::fs::fstatvfs(&directory)?;
        let holds = seen.f_blocks * seen.f_frsize == BYTES_MIN;
        quota::limit(directory.as_fd(), project, 0, 0)?;
        Ok(holds)
    };
    let outcome = probe();
    std::fs::remove_dir(&at).map_err(Error::std("removing", &at))?;
    // No system call, no quotas, no right to: all mean that there are none.
    Ok(outcome.unwrap_or(false))
}

fn open_directory(path: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(Error::io("opening", path))
}

fn make_directory(path: &Path) -> Result<(), Error> {
    match rustix::fs::mkdir(path, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(Error::io("making", path)(error)),
    }
}

fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let failed = |error| Error::std("listing", directory)(error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        if let Ok(name) = entry.map_err(failed)?.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

fn check_name(name: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain);
    if fits { Ok(()) } else { Err(Error::Name { name: name.to_owned() }) }
}

#[cfg(test)]
mod tests;
