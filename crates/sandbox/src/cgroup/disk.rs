//! Which disk holds a path, as the kernel's throttles want to know it.

use std::os::fd::AsFd;
use std::path::PathBuf;

use super::error::Error;
use super::limits::Disk;

impl Disk {
    /// The whole disk that holds an open file or directory. `None` for what no single disk holds: a network's file system,
    /// memory, an overlay, Btrfs.
    pub fn that_holds(file: impl AsFd) -> Result<Option<Self>, Error> {
        let device = rustix::fs::fstat(file).map_err(Error::io("looking at", "a file"))?.st_dev;
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        if major == 0 {
            return Ok(None);
        }
        let numbered = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
        let Ok(directory) = std::fs::canonicalize(&numbered) else { return Ok(None) };
        // Throttles are for whole disks: a partition's directory is in its disk's.
        let whole = if directory.join("partition").exists() { directory.join("..") } else { directory };
        let Ok(numbers) = std::fs::read_to_string(whole.join("dev")) else { return Ok(None) };
        let Some((major, minor)) = numbers.trim().split_once(':') else { return Ok(None) };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { return Ok(None) };
        let scheduler = std::fs::read_to_string(whole.join("queue/scheduler")).unwrap_or_default();
        Ok(Some(Self { major, minor, has_weights: scheduler.contains("[bfq]") || scheduler.contains("[cfq]") }))
    }
}
