//! What a backup copies.

use std::fs::File;
use std::sync::Arc;

use crate::Error;
use crate::shared::Shared;

/// A file as it is at the moment of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotFile {
    /// Relative to the store's directory.
    pub path: String,
    /// How many bytes from its beginning belong to the snapshot. Those do not change; behind them the file may grow.
    pub length: u64,
}

/// The files of a store at one moment, group by group. As long as this exists they are not removed, so that they can be
/// copied in peace; copied into an empty directory, they are a store.
#[derive(Debug)]
pub struct Snapshot {
    shared: Arc<Shared>,
    files: Vec<SnapshotFile>,
}

impl Snapshot {
    pub(crate) fn take(shared: &Arc<Shared>) -> Result<Self, Error> {
        shared.root.hold();
        let mut snapshot = Self { shared: Arc::clone(shared), files: Vec::new() };
        for key in crate::segments::group_folders(shared)? {
            if let Some(group) = shared.group(&key) {
                group.list_files(shared, &mut snapshot.files)?;
            }
        }
        Ok(snapshot)
    }

    /// The files.
    pub fn files(&self) -> &[SnapshotFile] {
        &self.files
    }

    /// Opens a file for reading; none if its group has been deleted since.
    pub fn open(&self, file: &SnapshotFile) -> Result<Option<File>, Error> {
        self.shared.root.open_to_copy(&file.path)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.shared.root.release();
        self.shared.work.empty_trash();
    }
}
