//! This program as the launcher executes it: so that nobody who gets at `/proc/PID/exe` of it can change it (CVE-2019-5736).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, StatVfsMountFlags, fcntl_add_seals, memfd_create};
use rustix::mount::{MountPropagationFlags, UnmountFlags};

use crate::mounts::{self, Depth};
use crate::plan::MountFlags;

/// This program, to be executed and changed by nobody: its own file by a read-only mount, which costs no memory, or else a sealed
/// copy.
pub(super) fn protected() -> io::Result<OwnedFd> {
    read_only().or_else(|_| sealed_copy())
}

/// This program's file by a read-only mount that is in no mount namespace, and never will be: nobody, whatever his rights, can make
/// that one writable, attach it or copy it.
fn read_only() -> io::Result<OwnedFd> {
    let own = File::open("/proc/self/exe")?;
    // By its path, since what this process was executed from may be in a mount namespace that it has left.
    let path = std::fs::read_link("/proc/self/exe")?;
    let place = File::from(rustix::fs::open(&path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?);
    let name = |file: &File| file.metadata().map(|about| (about.dev(), about.ino()));
    if name(&own)? != name(&place)? || !is_kept_from_writers(&path) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mount = mounts::clone_of(place.as_fd(), Depth::Alone)?;
    let flags = MountFlags { read_only: true, no_exec: false, no_suid: true, no_dev: true };
    mounts::restrict(mount.as_fd(), flags, Depth::Alone)?;
    // Who attaches and detaches it leaves it in no namespace; until then it is in one that some may change.
    mounts::in_a_thread(|| {
        mounts::unshare(libc::CLONE_NEWNS)?;
        rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        let place = rustix::fs::open(&path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        mounts::attach(mount.as_fd(), place.as_fd())?;
        rustix::mount::unmount(&path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
    })?;
    let program = File::open(format!("/proc/self/fd/{}", mount.as_raw_fd()))?;
    let is_read_only = rustix::fs::fstatvfs(&program)?.f_flag.contains(StatVfsMountFlags::RDONLY);
    if name(&program)? == name(&own)? && is_read_only {
        Ok(program.into())
    } else {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Whether the host's root, too, is kept from writing to a program that is executed. Kernels of 2024 (6.11, 6.12) let it, and what
/// replaces a program without making a new file would then end what runs.
fn is_kept_from_writers(path: &Path) -> bool {
    let busy_or_read_only = [Some(libc::ETXTBSY), Some(libc::EROFS)];
    File::options().write(true).open(path).is_err_and(|error| busy_or_read_only.contains(&error.raw_os_error()))
}

/// This program in memory, never to be changed again. Only what the kernel loads of it: what it has for debuggers would be
/// most of it.
fn sealed_copy() -> io::Result<OwnedFd> {
    let program = File::open("/proc/self/exe")?;
    let length = loaded_bytes(&program)?.unwrap_or(u64::MAX);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and need none.
    let copy = memfd_create("pilvi", flags | MemfdFlags::EXEC).or_else(|_| memfd_create("pilvi", flags))?;
    let mut copy = File::from(copy);
    io::copy(&mut program.take(length), &mut copy)?;
    let content = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE;
    // Its mode, too: what nobody may execute makes no launcher. Kernels before 6.3 do not know that seal.
    fcntl_add_seals(&copy, SealFlags::SEAL | content | SealFlags::EXEC)
        .or_else(|_| fcntl_add_seals(&copy, SealFlags::SEAL | content))?;
    // A descriptor that can only read, so that what is executed is not busy being written.
    Ok(File::open(format!("/proc/self/fd/{}", copy.as_raw_fd()))?.into())
}

/// Where the last part of an ELF file ends that is loaded; none if it is another kind of file than expected. Offsets are those
/// of the 64-bit format (elf(5)).
fn loaded_bytes(program: &File) -> io::Result<Option<u64>> {
    const LOADED: u64 = 1;
    let mut head = [0; 64];
    program.read_exact_at(&mut head, 0)?;
    let is_elf64 = head.starts_with(b"\x7fELF\x02");
    let (Some(table), Some(entry_bytes), Some(entries)) =
        (number(&head, 32, 8), number(&head, 54, 2), number(&head, 56, 2))
    else {
        return Ok(None);
    };
    let mut end = None;
    let mut entry = [0; 56];
    for index in 0..entries {
        program.read_exact_at(&mut entry, table + index * entry_bytes)?;
        if number(&entry, 0, 4) == Some(LOADED)
            && let (Some(offset), Some(bytes)) = (number(&entry, 8, 8), number(&entry, 32, 8))
        {
            end = end.max(offset.checked_add(bytes));
        }
    }
    Ok(end.filter(|_| is_elf64))
}

/// A number of the machine's byte order.
fn number(bytes: &[u8], offset: usize, length: usize) -> Option<u64> {
    let mut number = [0; 8];
    let part = bytes.get(offset..offset + length)?;
    if cfg!(target_endian = "little") {
        number[..length].copy_from_slice(part);
    } else {
        number[8 - length..].copy_from_slice(part);
    }
    Some(u64::from_ne_bytes(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_of_this_program_is_a_part_of_it() {
        let program = File::open("/proc/self/exe").unwrap();
        let loaded = loaded_bytes(&program).unwrap().unwrap();
        assert!(loaded > 4096 && loaded <= program.metadata().unwrap().len());
        let copy = File::from(sealed_copy().unwrap());
        assert_eq!(copy.metadata().unwrap().len(), loaded);
    }

    #[test]
    fn the_copy_cannot_be_changed_by_whoever_opens_it() {
        let copy = sealed_copy().unwrap();
        let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
        if let Ok(again) = File::options().write(true).open(path) {
            assert!(again.write_all_at(b"x", 0).is_err());
            assert!(again.set_len(0).is_err());
        }
    }

    #[test]
    fn the_copy_cannot_be_made_what_nobody_executes() {
        use std::os::unix::fs::PermissionsExt;
        let copy = sealed_copy().unwrap();
        let knows = rustix::fs::fcntl_get_seals(&copy).unwrap().contains(SealFlags::EXEC);
        let none = std::fs::Permissions::from_mode(0o000);
        let changed = std::fs::set_permissions(format!("/proc/self/fd/{}", copy.as_raw_fd()), none);
        assert!(changed.is_err() || !knows);
        assert!(
            knows || memfd_create("none", MemfdFlags::EXEC).is_err(),
            "a kernel that knows the flag knows the seal"
        );
    }

    #[test]
    fn by_its_read_only_mount_nothing_of_the_program_can_be_changed_by_anybody() {
        use std::os::unix::fs::PermissionsExt;
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // A test's program may be where it is not kept from writers, or no mounts can be made.
        let Ok(program) = read_only() else { return };
        let path = format!("/proc/self/fd/{}", program.as_raw_fd());
        let is_read_only = |error: io::Error| assert_eq!(error.raw_os_error(), Some(libc::EROFS), "{error}");
        // It is executed at this moment, which the kernel says first.
        assert_eq!(File::options().write(true).open(&path).unwrap_err().raw_os_error(), Some(libc::ETXTBSY));
        is_read_only(std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap_err());
        let xattr = rustix::fs::setxattr(&path, "user.pilvi", b"x", rustix::fs::XattrFlags::empty()).unwrap_err();
        is_read_only(xattr.into());
        // Root with every right can neither make the mount writable nor get a copy that he could.
        let nothing = MountFlags::default();
        assert_eq!(mounts::restrict(program.as_fd(), nothing, Depth::Alone).unwrap_err(), rustix::io::Errno::INVAL);
        assert_eq!(mounts::clone_of(program.as_fd(), Depth::Alone).unwrap_err(), rustix::io::Errno::INVAL);
        let directory = tempfile::NamedTempFile::new().unwrap();
        assert!(mounts::attach(program.as_fd(), directory.as_file().as_fd()).is_err());
    }

    #[test]
    fn another_kind_of_file_is_taken_as_it_is() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[b'x'; 64], 0).unwrap();
        file.write_all_at(&[0; 2], 56).unwrap();
        assert_eq!(loaded_bytes(&file).unwrap(), None);
    }
}
