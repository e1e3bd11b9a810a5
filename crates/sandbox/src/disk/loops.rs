//! Loop devices: a file as a block device, for as long as somebody uses it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::error::Error;

/// How often a free device is looked for that somebody else then takes.
const ATTEMPTS_MAX: usize = 64;
/// The driver's number.
const MAJOR: u32 = 7;
const CONTROL: &str = "/dev/loop-control";

// linux/loop.h
const CTL_GET_FREE: libc::c_ulong = 0x4C82;
const GET_STATUS64: libc::c_ulong = 0x4C05;
const CONFIGURE: libc::c_ulong = 0x4C0A;
const AUTOCLEAR: u32 = 4;
const DIRECT_IO: u32 = 16;
/// As the file systems on it have it; what the backing file system can transfer without a copy of its own.
const BLOCK_BYTES: u32 = 4096;

/// `struct loop_info64`
#[derive(Clone, Copy)]
#[repr(C)]
struct Info {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    size_limit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`
#[repr(C)]
struct Config {
    fd: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

const NOTHING: Info = Info {
    device: 0,
    inode: 0,
    rdevice: 0,
    offset: 0,
    size_limit: 0,
    number: 0,
    encrypt_type: 0,
    encrypt_key_size: 0,
    flags: 0,
    file_name: [0; 64],
    crypt_name: [0; 64],
    encrypt_key: [0; 32],
    init: [0; 2],
};

/// A device with a file behind it. It is free again when the last descriptor of it is closed and nothing on it is mounted.
#[derive(Debug)]
pub(super) struct Loop {
    /// Keeps the device until it is mounted.
    _device: OwnedFd,
    /// Where the kernel finds it when it mounts.
    pub(super) path: PathBuf,
}

/// Whether there are such devices; why not, for a person.
pub(super) fn probe() -> Result<(), String> {
    let control = rustix::fs::open(CONTROL, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty());
    control.map(drop).map_err(|error| format!("there are no loop devices: {CONTROL}: {error}"))
}

impl Loop {
    /// Puts a file behind a free device. `nodes` is a directory for the device's file where `/dev` has none.
    pub(super) fn make(image: BorrowedFd<'_>, nodes: &Path) -> Result<Self, Error> {
        let control = rustix::fs::open(CONTROL, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(Error::io("opening", CONTROL))?;
        for _ in 0..ATTEMPTS_MAX {
            let number =
                free_number(control.as_fd()).map_err(Error::std("asking for a free loop device of", CONTROL))?;
            let (device, path) = open_device(number, nodes)?;
            match configure(device.as_fd(), image) {
                Ok(()) => return Ok(Self { _device: device, path }),
                // Somebody else was faster.
                Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
                Err(error) => return Err(Error::std("putting a file behind", &path)(error)),
            }
        }
        Err(Error::io("asking for a free loop device of", CONTROL)(Errno::BUSY))
    }

    /// The device that a file is behind, if there is one.
    pub(super) fn find(image: BorrowedFd<'_>, nodes: &Path) -> Result<Option<Self>, Error> {
        let wanted = rustix::fs::fstat(image).map_err(Error::io("looking at", "an image"))?;
        for number in used_numbers().map_err(Error::std("listing", "/sys/block"))? {
            let Ok((device, path)) = open_device(number, nodes) else { continue };
            let Ok(info) = status(device.as_fd()) else { continue };
            if (info.inode, info.device) == (wanted.st_ino, wanted.st_dev) {
                return Ok(Some(Self { _device: device, path }));
            }
        }
        Ok(None)
    }
}

/// Devices that have a file behind them.
fn used_numbers() -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir("/sys/block")? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|name| name.strip_prefix("loop")?.parse().ok());
        if let Some(number) = number
            && entry.path().join("loop").exists()
        {
            numbers.push(number);
        }
    }
    Ok(numbers)
}

fn open_device(number: u32, nodes: &Path) -> Result<(OwnedFd, PathBuf), Error> {
    let open = |path: &Path| rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty());
    let usual = PathBuf::from(format!("/dev/loop{number}"));
    match open(&usual) {
        Ok(device) => return Ok((device, usual)),
        Err(Errno::NOENT) => {}
        Err(error) => return Err(Error::io("opening", usual)(error)),
    }
    // A container's /dev has only the devices of its beginning.
    let own = nodes.join(format!("loop{number}"));
    let mode = Mode::from_raw_mode(0o600);
    match rustix::fs::mknodat(rustix::fs::CWD, &own, FileType::BlockDevice, mode, rustix::fs::makedev(MAJOR, number)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(Error::io("making", own)(error)),
    }
    let device = open(&own).map_err(Error::io("opening", &own))?;
    Ok((device, own))
}

fn free_number(control: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: this request of the loop control device takes no argument and touches no memory of ours.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), CTL_GET_FREE) };
    u32::try_from(number).map_err(|_| io::Error::last_os_error())
}

fn configure(device: BorrowedFd<'_>, image: BorrowedFd<'_>) -> io::Result<()> {
    let config = Config {
        fd: image.as_raw_fd().cast_unsigned(),
        block_size: BLOCK_BYTES,
        info: Info { flags: AUTOCLEAR | DIRECT_IO, ..NOTHING },
        reserved: [0; 8],
    };
    // SAFETY: the request reads one `struct loop_config`, whose layout `Config` has; it lives through the call, after which
    // the kernel keeps a reference to the file, not to our memory.
    let answer = unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE, &raw const config) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn status(device: BorrowedFd<'_>) -> io::Result<Info> {
    let mut info = NOTHING;
    // SAFETY: the request writes one `struct loop_info64`, whose layout `Info` has and of which any bytes are a value.
    let answer = unsafe { libc::ioctl(device.as_raw_fd(), GET_STATUS64, &raw mut info) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(info) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_reads_has_the_kernels_size() {
        assert_eq!(std::mem::size_of::<Info>(), 232);
        assert_eq!(std::mem::size_of::<Config>(), 304);
    }
}
