//! A file system that is soon full.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own, until it is dropped.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts one of so many MiB on a folder, whose owner and rights it has.
    ///
    /// # Errors
    /// Why none can be mounted here.
    pub fn mount(at: &Path, mebibytes: u32) -> Result<Self, String> {
        let owner = fs::metadata(at).map_err(|error| error.to_string())?;
        let options = format!("size={mebibytes}m,mode=700,uid={},gid={}", owner.uid(), owner.gid());
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).output();
        let mounted = mounted.map_err(|error| error.to_string())?;
        if mounted.status.success() {
            return Ok(Self(at.to_owned()));
        }
        Err(String::from_utf8_lossy(&mounted.stderr).trim().to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Its server may still be ending.
        Command::new("umount").arg("--lazy").arg(&self.0).status().expect("who can mount can unmount");
    }
}

/// Takes all the room that is left on a disk.
#[track_caller]
pub fn fill(path: &Path) {
    let mut ballast = File::create(path).expect("the folder is writable");
    for size in [1 << 16, 1 << 12, 1] {
        while ballast.write_all(&vec![0; size]).is_ok() {}
    }
}
