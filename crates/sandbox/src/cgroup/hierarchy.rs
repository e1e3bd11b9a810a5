//! Directories and control files, by descriptors beneath a hierarchy's own directory of ours.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::error::Error;

/// The two forms of cgroups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller, or for some together.
    One,
    /// One hierarchy for all.
    Two,
}

/// What a hierarchy controls, as far as we use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Controller {
    Cpu,
    /// Version 1 alone; version 2 counts processor time always.
    Cpuacct,
    Cpuset,
    Memory,
    Pids,
    /// `blkio` in version 1.
    Io,
    /// Version 1 alone; version 2 asks a program.
    Devices,
    /// Version 1 alone; every group of version 2 can be frozen.
    Freezer,
    /// The hierarchy of version 1 that controls nothing and by which systemd knows whose a process is.
    Named,
}

impl Controller {
    /// What version 2 is asked to control.
    pub(super) const OF_VERSION_2: [Self; 5] = [Self::Cpu, Self::Cpuset, Self::Memory, Self::Pids, Self::Io];

    pub(super) fn of_version_1(name: &str) -> Option<Self> {
        Some(match name {
            "cpu" => Self::Cpu,
            "cpuacct" => Self::Cpuacct,
            "cpuset" => Self::Cpuset,
            "memory" => Self::Memory,
            "pids" => Self::Pids,
            "blkio" => Self::Io,
            "devices" => Self::Devices,
            "freezer" => Self::Freezer,
            "name=systemd" => Self::Named,
            _ => return None,
        })
    }

    pub(super) fn of_version_2(name: &str) -> Option<Self> {
        Self::OF_VERSION_2.into_iter().find(|one| one.name() == name)
    }

    /// As version 2 calls it, where it has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Cpuset => "cpuset",
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Io => "io",
            Self::Devices => "devices",
            Self::Freezer => "freezer",
            Self::Named => "name=systemd",
        }
    }
}

/// A hierarchy, and the directory in it that all our groups are in.
#[derive(Debug)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    pub(super) controllers: Vec<Controller>,
    pub(super) top: Directory,
}

/// The longest content of a control file that is read, in bytes: `cgroup.procs` of the most processes a kernel has.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A group's directory in one hierarchy.
#[derive(Debug)]
pub(super) struct Directory {
    descriptor: OwnedFd,
    /// On the host, for plans and for persons.
    path: PathBuf,
}

impl Directory {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty()).map_err(Error::io("opening", path))?;
        Ok(Self { descriptor, path: path.to_path_buf() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// A directory beneath. `None` if it is not there.
    pub(super) fn child(&self, relative: &str) -> Result<Option<Self>, Error> {
        let path = self.path.join(relative);
        match self.open_beneath(relative, OFlags::PATH | OFlags::DIRECTORY) {
            Ok(descriptor) => Ok(Some(Self { descriptor, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("opening", &path)(error)),
        }
    }

    /// A directory beneath, made if it is not there; whether it was made now comes with it. Those above must be there.
    pub(super) fn make(&self, relative: &str) -> Result<(Self, bool), Error> {
        let path = self.path.join(relative);
        let is_new = match rustix::fs::mkdirat(&self.descriptor, relative, Mode::from_raw_mode(0o755)) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(Error::io("making", &path)(error)),
        };
        let child = self.child(relative)?;
        child.map(|child| (child, is_new)).ok_or_else(|| Error::io("opening", &path)(Errno::NOENT))
    }

    /// Removes an empty directory beneath. `false` if processes or directories are in it; gone already is success.
    pub(super) fn remove(&self, relative: &str) -> Result<bool, Error> {
        match rustix::fs::unlinkat(&self.descriptor, relative, rustix::fs::AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::BUSY | Errno::NOTEMPTY) => Ok(false),
            Err(error) => Err(Error::io("removing", self.path.join(relative))(error)),
        }
    }

    /// The names of the directories in it.
    pub(super) fn children(&self) -> Result<Vec<String>, Error> {
        let failed = |error| Error::io("listing", &self.path)(error);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let listed = match rustix::fs::openat(&self.descriptor, ".", flags, Mode::empty()) {
            Ok(listed) => listed,
            Err(Errno::NOENT) => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(listed).map_err(failed)? {
            let entry = match entry {
                Ok(entry) => entry,
                // It is being removed.
                Err(Errno::NODEV | Errno::NOENT) => break,
                Err(error) => return Err(failed(error)),
            };
            if entry.file_type() == rustix::fs::FileType::Directory
                && let Ok(name) = entry.file_name().to_str()
                && !matches!(name, "." | "..")
            {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    pub(super) fn has(&self, file: &str) -> bool {
        rustix::fs::accessat(&self.descriptor, file, rustix::fs::Access::EXISTS, rustix::fs::AtFlags::empty()).is_ok()
    }

    pub(super) fn write(&self, file: &str, value: &str) -> Result<(), Error> {
        self.try_write(file, value).map_err(Error::io("writing", self.path.join(file)))
    }

    /// As [`Directory::write`], for callers that look at the kernel's answer.
    pub(super) fn try_write(&self, file: &str, value: &str) -> Result<(), Errno> {
        let descriptor = self.open_beneath(file, OFlags::WRONLY | OFlags::TRUNC)?;
        // A control file takes its value by one write, or not at all.
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&descriptor, value.as_bytes()))?;
        if written == value.len() { Ok(()) } else { Err(Errno::IO) }
    }

    pub(super) fn read(&self, file: &str) -> Result<String, Error> {
        self.try_read(file).map_err(|error| Error::Io {
            doing: "reading",
            path: self.path.join(file).display().to_string(),
            source: error,
        })
    }

    /// The content of a file, or nothing where there is none, or it says nothing.
    pub(super) fn read_if_there(&self, file: &str) -> Option<String> {
        self.try_read(file).ok()
    }

    /// A file of one number.
    pub(super) fn number(&self, file: &str) -> Option<u64> {
        self.read_if_there(file)?.trim().parse().ok()
    }

    pub(super) fn open_to_read(&self, file: &str) -> Result<OwnedFd, Errno> {
        self.open_beneath(file, OFlags::RDONLY)
    }

    fn try_read(&self, file: &str) -> std::io::Result<String> {
        let mut content = String::new();
        std::fs::File::from(self.open_to_read(file)?).take(FILE_BYTES_MAX).read_to_string(&mut content)?;
        Ok(content)
    }

    fn open_beneath(&self, relative: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let open = || rustix::fs::openat2(&self.descriptor, relative, flags | OFlags::CLOEXEC, Mode::empty(), resolve);
        rustix::io::retry_on_intr(open)
    }
}
