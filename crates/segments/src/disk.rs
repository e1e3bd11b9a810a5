//! How bytes reach the disk: a seam, so that tests can have one that is full or broken.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What changes the content of files.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Writes all the bytes at an offset. After an error any part of them may have been written.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file off.
    fn truncate(&self, file: &File, length: u64) -> io::Result<()>;

    /// Returns once the file's content is on the disk.
    fn sync(&self, file: &File) -> io::Result<()>;
}

/// The operating system's disk.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}
