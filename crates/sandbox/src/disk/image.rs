//! File systems in files, made once for each size and copied.
//!
//! Nothing of them need outlive the machine's next start: they have no journal, and nobody waits until something is on the
//! disk.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag};

use super::error::Error;

/// How many sizes are kept formatted. A node meets few.
const TEMPLATES_MAX: usize = 16;
/// One file or directory for so many bytes, as `mke2fs` has it by default.
const BYTES_PER_INODE: u64 = 16 * 1024;
const INODES_MIN: u64 = 2_048;
const INODE_BYTES: u64 = 256;
const BLOCK_BYTES: u64 = 4_096;
/// What a block group describes: as many blocks as a block has bits.
const GROUP_BYTES: u64 = BLOCK_BYTES * BLOCK_BYTES * 8;
/// Where programs of the system's are. Root's PATH is asked after them.
const PROGRAM_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
/// How much of what a program says of its failure is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 512;

/// The program that makes file systems; why it cannot be used, for a person.
pub(super) fn formatter() -> Result<PathBuf, String> {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let directories = PROGRAM_DIRECTORIES.iter().map(PathBuf::from).chain(std::env::split_paths(&in_path));
    let mut candidates = directories.filter(|directory| directory.is_absolute()).map(|one| one.join("mke2fs"));
    let found = candidates.find(|path| path.is_file() && makes_ext4(path));
    found.ok_or_else(|| "mke2fs is not installed (Debian's package is e2fsprogs)".to_owned())
}

/// Whether it is e2fsprogs' own. Busybox has one of the same name that knows little.
fn makes_ext4(program: &Path) -> bool {
    let output = Command::new(program).arg("-V").env_clear().stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success() && output.stderr.starts_with(b"mke2fs 1."))
}

/// How many files and directories go with so many bytes.
pub(super) fn inodes(bytes_max: u64) -> u64 {
    (bytes_max / BYTES_PER_INODE).max(INODES_MIN)
}

/// How large an image is on which so many bytes are free: its tables come on top.
pub(super) fn image_bytes(bytes_max: u64) -> u64 {
    let data = bytes_max.next_multiple_of(BLOCK_BYTES) + inodes(bytes_max) * INODE_BYTES;
    let groups = data.div_ceil(GROUP_BYTES) + 1;
    // Of each group two bitmaps, its line in the tables of groups and their copies, a table of inodes rounded up; and the
    // root directory, lost+found, what stands in front.
    let tables = groups * (3 * BLOCK_BYTES) + groups.div_ceil(BLOCK_BYTES / 32) * BLOCK_BYTES * copies(groups);
    (data + tables + 16 * BLOCK_BYTES).next_multiple_of(BLOCK_BYTES)
}

/// How many groups have a copy of the tables of groups: the first, and those of powers of 3, 5 and 7 (`sparse_super`).
fn copies(groups: u64) -> u64 {
    let powers = |base: u64| u64::from(groups.max(1).ilog(base)) + 1;
    2 + powers(3) + powers(5) + powers(7)
}

/// Makes the image of a new file system on which so many bytes are free. `name` is whose it is.
pub(super) fn make(
    formatter: &Path,
    templates: &Path,
    bytes_max: u64,
    image: &Path,
    name: &str,
) -> Result<OwnedFd, Error> {
    let template = template(formatter, templates, bytes_max)?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let made = rustix::fs::open(image, flags, Mode::from_raw_mode(0o600)).map_err(|error| match error {
        Errno::EXIST => Error::Exists { name: name.to_owned() },
        error => Error::io("making", image)(error),
    })?;
    match copy_sparse(&template, made) {
        Ok(made) => Ok(made),
        Err(error) => {
            // A part of an image is none. What cannot be removed now is found at the next start.
            let _ = std::fs::remove_file(image);
            Err(Error::std("copying a file system to", image)(error))
        }
    }
}

fn template(formatter: &Path, templates: &Path, bytes_max: u64) -> Result<File, Error> {
    let path = templates.join(format!("{bytes_max}.ext4"));
    match File::open(&path) {
        Ok(template) => return Ok(template),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::std("opening", path)(error)),
    }
    make_room(templates)?;
    // Two threads may make the same one: each its own, and the last stays.
    let (file, unfinished) = new_file(templates)?;
    let outcome = file
        .set_len(image_bytes(bytes_max))
        .map_err(Error::std("making", &unfinished))
        .and_then(|()| format(formatter, &unfinished, inodes(bytes_max)))
        .and_then(|()| std::fs::rename(&unfinished, &path).map_err(Error::std("keeping", &path)));
    match outcome {
        Ok(()) => Ok(file),
        Err(error) => {
            let _ = std::fs::remove_file(&unfinished);
            Err(error)
        }
    }
}

fn new_file(directory: &Path) -> Result<(File, PathBuf), Error> {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = directory.join(format!("unfinished.{}.{number}", std::process::id()));
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
    Ok((file.map_err(Error::std("making", &path))?, path))
}

/// Removes what is kept when it is too much. All of it: which size is asked for next, nobody knows.
fn make_room(templates: &Path) -> Result<(), Error> {
    let failed = |error| Error::std("listing", templates)(error);
    let kept: Vec<_> = std::fs::read_dir(templates).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if kept.len() >= TEMPLATES_MAX {
        for entry in kept {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    Ok(())
}

/// The features that a file system in a file needs, whatever the host's own configuration says. `uninit_bg` lets tables be
/// written as they are used; a journal would save what is thrown away after a crash.
const FEATURES: &str = "none,ext_attr,dir_index,filetype,sparse_super,large_file,huge_file,extent,flex_bg,uninit_bg,\
                        dir_nlink,extra_isize,64bit";

fn format(formatter: &Path, file: &Path, inodes: u64) -> Result<(), Error> {
    let output = Command::new(formatter)
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", "-m", "0", "-O", FEATURES])
        .args(["-E", "lazy_itable_init=1,nodiscard,root_owner=0:0", "-N", &inodes.to_string()])
        .arg(file)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .output()
        .map_err(Error::std("executing", formatter))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = said.trim().chars().take(MESSAGE_BYTES_MAX).collect();
    Err(Error::Format { status: output.status.to_string(), message })
}

/// Copies what a sparse file holds. A new file system is some hundred KiB of it, whatever its size.
fn copy_sparse(from: &File, to: OwnedFd) -> std::io::Result<OwnedFd> {
    if rustix::fs::ioctl_ficlone(&to, from).is_ok() {
        return Ok(to);
    }
    let size = from.metadata()?.len();
    let mut to = File::from(to);
    to.set_len(size)?;
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(from, rustix::fs::SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but holes from here on.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(from, rustix::fs::SeekFrom::Hole(start))?;
        copy_range(from, &mut to, start, end)?;
        at = end;
    }
    Ok(to.into())
}

fn copy_range(from: &File, to: &mut File, start: u64, end: u64) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt;
    let mut buffer = vec![0; 128 * 1024];
    let mut at = start;
    to.seek(SeekFrom::Start(start))?;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let read = from.read_at(&mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        to.write_all(&buffer[..read])?;
        at += read as u64;
    }
    Ok(())
}

/// Mounts what is on a device, attached nowhere. On a device that is mounted already it is a further mount of the same.
pub(super) fn mount(device: &Path) -> Result<OwnedFd, Error> {
    let mounted = || -> Result<OwnedFd, Errno> {
        let context = rustix::mount::fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
        rustix::mount::fsconfig_set_string(&context, "source", device)?;
        // A hole reads as an empty table: nobody need write them. And nobody waits for the disk.
        for option in ["noinit_itable", "nobarrier"] {
            fsconfig_set_flag(context.as_fd(), option)?;
        }
        fsconfig_create(context.as_fd())?;
        let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
        rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)
    };
    mounted().map_err(Error::io("mounting", device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_little_larger_than_what_fits() {
        const MIB: u64 = 1024 * 1024;
        for bytes in [MIB, 10 * MIB, 1024 * MIB, 20 * 1024 * MIB, 4 * 1024 * 1024 * MIB] {
            let image = image_bytes(bytes);
            assert!(image > bytes);
            assert!(image - bytes < bytes / 40 + 2 * MIB, "{bytes} bytes need {image}");
            assert_eq!(image % BLOCK_BYTES, 0);
        }
    }
}
