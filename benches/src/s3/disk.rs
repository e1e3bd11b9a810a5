//! What the disk itself allows: the same bytes written to a file, and fsync, and their MD5, as a careful program with a
//! thread for each file would do it.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use md5::{Digest, Md5};

use super::cell::Run;
use super::load::{self, Pace};
use super::stage::Watched;

/// What is hashed and written at once.
const PIECE_BYTES: usize = 256 * 1024;

/// A folder of files.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
}

impl Disk {
    pub(super) fn new(folder: &Path) -> Result<Self> {
        fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Writes files of these bytes; removes them when the time has been taken.
    pub(super) fn put(&self, bytes: &Arc<[u8]>, pace: Pace) -> Result<Run> {
        let worker = || {
            Ok(|number: u64| {
                let md5 = write(&self.path(number), bytes)?;
                // The sum is wanted, and no compiler may leave it out.
                ensure!(std::hint::black_box(md5) != [0; 16], "an MD5 of noughts");
                Ok(())
            })
        };
        let (run, count) = load::work(pace, Watched::nobody(), worker)?;
        (0..count).try_for_each(|number| fs::remove_file(self.path(number)).context("removing a file of the floor"))?;
        Ok(run)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(number.to_string())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<[u8; 16]> {
    let mut file = File::create_new(path).with_context(|| format!("making {}", path.display()))?;
    let mut md5 = Md5::new();
    for piece in bytes.chunks(PIECE_BYTES) {
        md5.update(piece);
        file.write_all(piece)?;
    }
    file.sync_all()?;
    Ok(md5.finalize().into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_floor_writes_what_it_is_given_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("one");
        let sum = write(&path, b"abc").unwrap();
        assert_eq!(
            (hex::encode(sum), fs::read(&path).unwrap()),
            ("900150983cd24fb0d6963f7d28e17f72".into(), b"abc".into())
        );
        let disk = Disk::new(&folder.path().join("files")).unwrap();
        let pace = Pace { callers: 2, time: Duration::from_secs(60), count_max: 5 };
        assert_eq!(disk.put(&Arc::from(vec![7; 300_000]), pace).unwrap().latency.samples, 5);
        assert_eq!(fs::read_dir(folder.path().join("files")).unwrap().count(), 0);
    }
}
