//! A new file system for each store.
//!
//! On one that has been used a store's price depends on what was deleted before: ext4, for one, looks at each inode that was
//! freed of late before it hands another one out. A new one is the same for all, and quickly gone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::mount::{UnmountFlags, unmount};

use super::command::printed;
use crate::report::say;

/// Sparse: what is not written takes no place.
const BYTES: u64 = 16 << 30;

/// A folder for a store. Dropping it removes it with everything in it.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    /// The file that holds the file system, and its device; none where this machine allows no such thing.
    own: Option<(PathBuf, String)>,
}

impl Disk {
    /// Makes a file system, or says why there is none and takes a plain folder.
    pub(super) fn new(scratch: &Path) -> Result<Self> {
        let folder = scratch.join("disk");
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        let mut disk = Self { folder, own: None };
        match disk.mount(&scratch.join("disk.ext4")) {
            Ok(()) => {}
            Err(why) => say(&format!("no file system of its own for a store, a plain folder instead: {why:#}")),
        }
        Ok(disk)
    }

    /// Where the store may be.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn mount(&mut self, image: &Path) -> Result<()> {
        File::create(image)?.set_len(BYTES)?;
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-E", "nodiscard,lazy_itable_init=1,lazy_journal_init=1"]).arg(image);
        printed(mkfs)?;
        let mut losetup = Command::new("losetup");
        losetup.args(["--find", "--show", "--direct-io=on"]).arg(image);
        let device = printed(losetup)?;
        self.own = Some((image.to_owned(), device.clone()));
        let mut mount = Command::new("mount");
        // Nobody initialises inode tables in the background while a store is filled.
        mount.args(["-t", "ext4", "-o", "noinit_itable", &device]).arg(&self.folder);
        printed(mount).map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some((image, device)) = &self.own {
            let _ = unmount(&self.folder, UnmountFlags::DETACH);
            let mut losetup = Command::new("losetup");
            losetup.args(["--detach", device]);
            let _ = printed(losetup);
            let _ = fs::remove_file(image);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
