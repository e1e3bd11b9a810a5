//! Members of an archive become files beneath a directory.
//!
//! Nothing is ever named by a path that the kernel resolves freely. The directory of a member is opened by `openat2` with
//! `RESOLVE_IN_ROOT`: symbolic links of the layer are followed (real layers have files behind `lib -> usr/lib`), but for
//! them the layer's root is the root, so neither `..` nor an absolute link leads out, and no race does. The member itself is
//! made, replaced or linked by its name in that directory, never through a link of that name.
//!
//! Members count one after the other: a later one replaces an earlier one of the same path, and what lies beneath it.

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, XattrFlags};
use rustix::io::Errno;

use super::attributes::{apply, apply_by_name, owner, refuse_overlay_attributes, set_times};
use super::path::{Meaning, Place};
use super::{DevicePolicy, MemberError, TarProblem, Target, UnpackError, Unpacked};
use crate::remove;
use crate::tar::{Entry, Extent, Kind, TarError, TarReader};

/// How many bytes of paths of directories are kept until the end. Beyond, they get their times at once, and lose them if
/// something is added later.
const PENDING_BYTES_MAX: usize = 64 << 20;
/// How many bytes of a file are copied at a time.
const COPIED_AT_ONCE_BYTES: usize = 64 * 1024;
/// How often a path is resolved again after something was renamed somewhere in the system meanwhile.
const RESOLVE_TRIES_MAX: usize = 1000;
/// The mode of directories that nobody described, as Docker makes them.
const IMPLIED_MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);

/// A layer's root while members are added.
pub(super) struct Tree<'a> {
    target: &'a Target<'a>,
    /// The directory that the last member was in: most have it in common with the one before.
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
    pending: Vec<Pending>,
    pending_bytes: usize,
    replaced: u64,
    unpacked: Unpacked,
}

/// A directory whose times, which change with each file in it, and mode, which may forbid that, are set at the end.
struct Pending {
    path: Vec<u8>,
    inode: u64,
    mode: u32,
    mtime: (i64, u32),
}

/// Why a member was not added.
enum Failure {
    Member(MemberError),
    Archive(TarError),
    TooMany,
}

impl<'a> Tree<'a> {
    pub(super) fn new(target: &'a Target<'a>) -> Result<Self, UnpackError> {
        let tree = Self {
            target,
            last: None,
            pending: Vec::new(),
            pending_bytes: 0,
            replaced: 0,
            unpacked: Unpacked::default(),
        };
        tree.own_implied(target.root).map_err(|error| UnpackError::member(b"", error))?;
        Ok(tree)
    }

    /// Adds a member, whose content is read from the archive.
    pub(super) fn add<R: BufRead>(&mut self, entry: &Entry, archive: &mut TarReader<R>) -> Result<(), UnpackError> {
        self.member(entry, archive).map_err(|failure| self.told(entry, failure))
    }

    /// Adds a file, directory or symbolic link whose content is read in pieces, an empty one being the end, and of whose name
    /// nothing has a meaning but where it leads.
    pub(super) fn add_from(
        &mut self,
        entry: &Entry,
        read: impl FnMut(&mut [u8]) -> Result<usize, UnpackError>,
    ) -> Result<(), UnpackError> {
        let written = match self.place_of(entry) {
            Ok(Some((place, directory))) if entry.kind == Kind::File => {
                return self.copied(&place, directory.as_fd(), entry, read);
            }
            Ok(Some((place, directory))) if entry.kind == Kind::Symlink => {
                self.symlink(directory.as_fd(), place.name(), entry).map_err(Failure::from)
            }
            Ok(Some((place, directory))) => self.directory(&place, directory.as_fd(), entry).map_err(Failure::from),
            Ok(None) => self.root(entry),
            Err(failure) => Err(failure),
        };
        written.map_err(|failure| self.told(entry, failure))
    }

    /// Where an entry belongs; none if it is the root.
    fn place_of(&mut self, entry: &Entry) -> Result<Option<(Place, Rc<OwnedFd>)>, Failure> {
        self.count()?;
        let Some(place) = Place::of(&entry.path)? else { return Ok(None) };
        let directory = self.directory_of(&place)?;
        Ok(Some((place, directory)))
    }

    fn copied(
        &mut self,
        place: &Place,
        directory: BorrowedFd<'_>,
        entry: &Entry,
        mut read: impl FnMut(&mut [u8]) -> Result<usize, UnpackError>,
    ) -> Result<(), UnpackError> {
        let refused = |error| UnpackError::member(&entry.path, error);
        if entry.size > self.target.limits.file_bytes_max {
            return Err(refused(MemberError::TooLarge { size: entry.size }));
        }
        let mut file = self.new_file(directory, place.name()).map_err(refused)?;
        let mut piece = vec![0; COPIED_AT_ONCE_BYTES];
        loop {
            match read(&mut piece)? {
                0 => break,
                count => file.write_all(&piece[..count]).map_err(|error| refused(written(error)))?,
            }
        }
        self.unpacked.bytes += entry.size;
        self.unpacked.xattrs_omitted += apply(file.as_fd(), entry, entry.mode, self.target.policy).map_err(refused)?;
        set_times(file.as_fd(), entry.mtime).map_err(refused)
    }

    fn told(&self, entry: &Entry, failure: Failure) -> UnpackError {
        match failure {
            Failure::Member(error) => UnpackError::member(&entry.path, error),
            Failure::Archive(error) => TarProblem(error).into(),
            Failure::TooMany => UnpackError::TooManyEntries { max: self.target.limits.entries_max },
        }
    }

    /// Does what could not be done while files were added.
    pub(super) fn finish(mut self) -> Result<Unpacked, UnpackError> {
        self.settle()?;
        Ok(self.unpacked)
    }

    fn member<R: BufRead>(&mut self, entry: &Entry, archive: &mut TarReader<R>) -> Result<(), Failure> {
        self.count()?;
        let Some(place) = Place::of(&entry.path)? else { return self.root(entry) };
        match place.meaning()? {
            Meaning::Nothing => Ok(()),
            Meaning::Opaque => {
                let directory = self.directory_of(&place)?;
                Ok(self.make_opaque(directory.as_fd())?)
            }
            Meaning::Whiteout(name) => {
                let directory = self.directory_of(&place)?;
                Ok(self.whiteout(directory.as_fd(), name)?)
            }
            Meaning::File => {
                let directory = self.directory_of(&place)?;
                self.file(&place, directory.as_fd(), entry, archive)
            }
        }
    }

    fn file<R: BufRead>(
        &mut self,
        place: &Place,
        directory: BorrowedFd<'_>,
        entry: &Entry,
        archive: &mut TarReader<R>,
    ) -> Result<(), Failure> {
        let name = place.name();
        match entry.kind {
            Kind::File => self.regular(directory, name, entry, archive),
            Kind::Directory => Ok(self.directory(place, directory, entry)?),
            Kind::Symlink => Ok(self.symlink(directory, name, entry)?),
            Kind::HardLink => Ok(self.hard_link(directory, name, entry)?),
            Kind::Fifo => Ok(self.fifo(directory, name, entry)?),
            Kind::CharacterDevice | Kind::BlockDevice => Ok(self.device(entry)?),
        }
    }

    fn regular<R: BufRead>(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        entry: &Entry,
        archive: &mut TarReader<R>,
    ) -> Result<(), Failure> {
        if entry.size > self.target.limits.file_bytes_max {
            return Err(MemberError::TooLarge { size: entry.size }.into());
        }
        let mut file = self.new_file(directory, name)?;
        self.unpacked.bytes += archive.content();
        match &entry.sparse {
            None => archive.read_content(|piece| Ok::<_, Failure>(file.write_all(piece).map_err(written)?))?,
            Some(extents) => write_sparse(&file, extents, entry.size, archive)?,
        }
        self.unpacked.xattrs_omitted += apply(file.as_fd(), entry, entry.mode, self.target.policy)?;
        Ok(set_times(file.as_fd(), entry.mtime)?)
    }

    fn new_file(&mut self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<File, MemberError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let make = || rustix::fs::openat(directory, name, flags, Mode::RUSR | Mode::WUSR);
        Ok(File::from(self.make(directory, name, "making a file", make)?))
    }

    fn directory(&mut self, place: &Place, directory: BorrowedFd<'_>, entry: &Entry) -> Result<(), MemberError> {
        let name = place.name();
        let doing = "making a directory";
        let make = || rustix::fs::mkdirat(directory, name, Mode::RWXU);
        let replaces = match make() {
            Ok(()) => false,
            Err(Errno::EXIST) if is_directory(&stat(directory, name)?) => false,
            // In the layers below there may be a directory of that name, too, which was gone for a moment.
            Err(Errno::EXIST) => {
                self.make_room(directory, name)?;
                make().map_err(MemberError::os(doing))?;
                true
            }
            Err(error) => return Err(MemberError::os(doing)(error)),
        };
        let made = open_directory(directory, name)?;
        if replaces {
            self.make_opaque(made.as_fd())?;
        }
        self.describe(place.path(), made.as_fd(), entry)
    }

    /// The root itself, as a member.
    fn root(&mut self, entry: &Entry) -> Result<(), Failure> {
        if entry.kind != Kind::Directory {
            return Err(MemberError::Root.into());
        }
        Ok(self.describe(b"", self.target.root, entry)?)
    }

    fn describe(&mut self, path: &[u8], directory: BorrowedFd<'_>, entry: &Entry) -> Result<(), MemberError> {
        let passable = entry.mode | Mode::RWXU.bits();
        self.unpacked.xattrs_omitted += apply(directory, entry, passable, self.target.policy)?;
        let inode = rustix::fs::fstat(directory).map_err(MemberError::os("looking at a directory"))?.st_ino;
        self.pending_bytes += path.len() + size_of::<Pending>();
        self.pending.push(Pending { path: path.to_vec(), inode, mode: entry.mode, mtime: entry.mtime });
        if self.pending_bytes > PENDING_BYTES_MAX { self.settle_pending() } else { Ok(()) }
    }

    fn symlink(&mut self, directory: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> Result<(), MemberError> {
        let target = entry.link.as_slice();
        if target.is_empty() || target.contains(&0) {
            return Err(MemberError::Name);
        }
        let make = || rustix::fs::symlinkat(target, directory, name);
        self.make(directory, name, "making a symbolic link", make)?;
        self.unpacked.xattrs_omitted += apply_by_name(directory, name, entry, self.target.policy)?;
        Ok(())
    }

    /// Another name for what the layer has already; for a symbolic link itself if it is one, never for what that leads to.
    fn hard_link(&mut self, directory: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> Result<(), MemberError> {
        refuse_overlay_attributes(entry)?;
        let target = Place::of(&entry.link)?.ok_or(MemberError::LinkTarget)?;
        let target_directory = match self.resolve(target.directory()) {
            Ok(found) => found,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Err(MemberError::LinkTarget),
            Err(error) => return Err(MemberError::os("opening a directory")(error)),
        };
        let found = match rustix::fs::statat(&target_directory, target.name(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if !is_directory(&found) && !is_whiteout(&found) => found,
            Ok(_) | Err(Errno::NOENT) => return Err(MemberError::LinkTarget),
            Err(error) => return Err(MemberError::os("looking at a file")(error)),
        };
        // To itself: to replace it would be to lose it.
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(own) if own.st_ino == found.st_ino => return Ok(()),
            _ => {}
        }
        let make = || rustix::fs::linkat(&target_directory, target.name(), directory, name, AtFlags::empty());
        match self.make(directory, name, "making a hard link", make) {
            // It lay beneath what it replaced.
            Err(MemberError::Io { source, .. }) if source.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
                Err(MemberError::LinkTarget)
            }
            made => made,
        }
    }

    fn fifo(&mut self, directory: BorrowedFd<'_>, name: &[u8], entry: &Entry) -> Result<(), MemberError> {
        let make = || rustix::fs::mknodat(directory, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0);
        self.make(directory, name, "making a named pipe", make)?;
        self.unpacked.xattrs_omitted += apply_by_name(directory, name, entry, self.target.policy)?;
        Ok(())
    }

    fn device(&mut self, entry: &Entry) -> Result<(), MemberError> {
        let is_whiteout = entry.kind == Kind::CharacterDevice && entry.device == (0, 0);
        if is_whiteout || self.target.policy.devices == DevicePolicy::Refuse {
            return Err(MemberError::Device);
        }
        refuse_overlay_attributes(entry)?;
        self.unpacked.devices_omitted += 1;
        Ok(())
    }

    /// Hides what the layers below have of this name. What this layer has of it stays, and hides that already unless it is a
    /// directory.
    fn whiteout(&mut self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), MemberError> {
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) if is_directory(&found) => self.make_opaque(open_directory(directory, name)?.as_fd()),
            Ok(_) => Ok(()),
            // Not even root's privilege is needed for this one device.
            Err(Errno::NOENT) => rustix::fs::mknodat(directory, name, FileType::CharacterDevice, Mode::empty(), 0)
                .map_err(MemberError::os("making a whiteout")),
            Err(error) => Err(MemberError::os("looking at a file")(error)),
        }
    }

    fn make_opaque(&self, directory: BorrowedFd<'_>) -> Result<(), MemberError> {
        rustix::fs::fsetxattr(directory, self.target.policy.overlay.opaque(), b"y", XattrFlags::empty())
            .map_err(MemberError::os("making a directory opaque"))
    }

    /// Makes something, if need be in place of what is there.
    fn make<T>(
        &mut self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        doing: &'static str,
        make: impl Fn() -> Result<T, Errno>,
    ) -> Result<T, MemberError> {
        match make() {
            Err(Errno::EXIST) => {
                self.make_room(directory, name)?;
                make().map_err(MemberError::os(doing))
            }
            made => made.map_err(MemberError::os(doing)),
        }
    }

    /// Removes what has this name, with all that is beneath it.
    fn make_room(&mut self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<(), MemberError> {
        let doing = "replacing a file";
        // It may be on the way to what was opened last.
        self.last = None;
        if !is_directory(&stat(directory, name)?) {
            return rustix::fs::unlinkat(directory, name, AtFlags::empty()).map_err(MemberError::os(doing));
        }
        self.replaced += 1;
        let there = format!("replaced-{}", self.replaced);
        rustix::fs::renameat(directory, name, self.target.trash, &there).map_err(MemberError::os(doing))?;
        remove::all_in(self.target.trash).map_err(MemberError::os(doing))
    }

    fn count(&mut self) -> Result<(), Failure> {
        self.unpacked.entries += 1;
        if self.unpacked.entries > self.target.limits.entries_max { Err(Failure::TooMany) } else { Ok(()) }
    }

    /// The directory that a member is to be in. Those that are missing are made.
    fn directory_of(&mut self, place: &Place) -> Result<Rc<OwnedFd>, Failure> {
        let path = place.directory();
        if let Some((last, directory)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(directory));
        }
        let directory = match self.resolve(path) {
            Ok(directory) => directory,
            Err(Errno::NOENT | Errno::NOTDIR) => self.make_directories(path)?,
            Err(Errno::LOOP) => return Err(MemberError::NotADirectory.into()),
            Err(error) => return Err(MemberError::os("opening a directory")(error).into()),
        };
        let directory = Rc::new(directory);
        self.last = Some((path.to_vec(), Rc::clone(&directory)));
        Ok(directory)
    }

    /// Opens a directory beneath the root, for whose symbolic links it is the root.
    fn resolve(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() { b"." } else { path };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut tries = 1..=RESOLVE_TRIES_MAX;
        loop {
            match rustix::fs::openat2(self.target.root, path, flags, Mode::empty(), resolve) {
                // Something was renamed somewhere while a link led upwards: the kernel could not be sure.
                Err(Errno::AGAIN | Errno::INTR) if tries.next().is_some() => {}
                opened => return opened,
            }
        }
    }

    /// Makes the directories of a path that are not there. From the end, because most are.
    fn make_directories(&mut self, path: &[u8]) -> Result<OwnedFd, Failure> {
        let ends = path.iter().enumerate().rev().filter(|(_, b)| **b == b'/').map(|(end, _)| end);
        let (mut end, mut directory) = (0, None);
        for candidate in ends {
            if let Ok(found) = self.resolve(&path[..candidate]) {
                (end, directory) = (candidate + 1, Some(found));
                break;
            }
        }
        let mut directory = match directory {
            Some(found) => found,
            None => self.resolve(b"").map_err(MemberError::os("opening a directory"))?,
        };
        for name in path[end..].split(|&b| b == b'/') {
            self.count()?;
            directory = self.imply(directory.as_fd(), name)?;
        }
        Ok(directory)
    }

    /// Makes a directory that no member described. It may take the place of a whiteout.
    fn imply(&mut self, directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, MemberError> {
        let doing = "making a directory";
        let make = || rustix::fs::mkdirat(directory, name, IMPLIED_MODE);
        let replaces = match make() {
            Ok(()) => false,
            Err(Errno::EXIST) if is_whiteout(&stat(directory, name)?) => {
                self.make_room(directory, name)?;
                make().map_err(MemberError::os(doing))?;
                true
            }
            // A file, or a link to nowhere.
            Err(Errno::EXIST) => return Err(MemberError::NotADirectory),
            Err(error) => return Err(MemberError::os(doing)(error)),
        };
        let made = open_directory(directory, name)?;
        rustix::fs::fchmod(&made, IMPLIED_MODE).map_err(MemberError::os(doing))?;
        self.own_implied(made.as_fd())?;
        if replaces {
            self.make_opaque(made.as_fd())?;
        }
        Ok(made)
    }

    /// Gives what nobody described to the container's root.
    fn own_implied(&self, directory: BorrowedFd<'_>) -> Result<(), MemberError> {
        match owner(self.target.policy, 0, 0)? {
            Some((uid, gid)) => rustix::fs::fchown(directory, Some(uid), Some(gid))
                .map_err(MemberError::os("giving a directory its owner")),
            None => Ok(()),
        }
    }

    fn settle(&mut self) -> Result<(), UnpackError> {
        self.settle_pending().map_err(|error| UnpackError::member(b"", error))
    }

    /// Gives directories their modes and times; the deeper ones first, because a mode may shut them in.
    fn settle_pending(&mut self) -> Result<(), MemberError> {
        let mut pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        // Of two for one directory the later one counts.
        pending.sort_by_key(|it| std::cmp::Reverse(it.path.len()));
        for it in pending {
            let directory = match self.resolve(&it.path) {
                Ok(directory) => directory,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(error) => return Err(MemberError::os("opening a directory")(error)),
            };
            let inode = rustix::fs::fstat(&directory).map_err(MemberError::os("looking at a directory"))?.st_ino;
            // Another one may have taken its place.
            if inode == it.inode {
                let mode = Mode::from_raw_mode(it.mode);
                rustix::fs::fchmod(&directory, mode).map_err(MemberError::os("giving a directory its mode"))?;
                set_times(directory.as_fd(), it.mtime)?;
            }
        }
        Ok(())
    }
}

fn write_sparse<R: BufRead>(
    file: &File,
    extents: &[Extent],
    size: u64,
    archive: &mut TarReader<R>,
) -> Result<(), Failure> {
    let mut extents = extents.iter().copied().filter(|extent| extent.length > 0);
    let mut current = extents.next();
    archive.read_content(|mut piece| {
        while let (Some(extent), false) = (&mut current, piece.is_empty()) {
            let length = usize::try_from(extent.length).unwrap_or(usize::MAX).min(piece.len());
            file.write_all_at(&piece[..length], extent.offset).map_err(written)?;
            (extent.offset, extent.length) = (extent.offset + length as u64, extent.length - length as u64);
            piece = &piece[length..];
            if extent.length == 0 {
                current = extents.next();
            }
        }
        Ok::<_, Failure>(())
    })?;
    Ok(file.set_len(size).map_err(written)?)
}

fn stat(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Stat, MemberError> {
    rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).map_err(MemberError::os("looking at a file"))
}

fn open_directory(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, MemberError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty()).map_err(MemberError::os("opening a directory"))
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

fn written(source: std::io::Error) -> MemberError {
    MemberError::Io { doing: "writing a file", source }
}

impl From<MemberError> for Failure {
    fn from(error: MemberError) -> Self {
        Self::Member(error)
    }
}

impl From<TarError> for Failure {
    fn from(error: TarError) -> Self {
        Self::Archive(error)
    }
}
