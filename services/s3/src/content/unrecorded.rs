//! Files that are there before a record names them.

use blobs::files::{FileId, Files};

use super::{Content, Data, blocking};

/// Files that have their names and not yet an owner. They are removed when this is dropped: whoever is about to commit a
/// record that names them [releases](Self::release) them first. Requests end wherever they wait, when their client goes.
#[derive(Debug)]
pub(crate) struct Unrecorded {
    files: Files,
    ids: Vec<FileId>,
}

impl Content {
    /// The files of data that no record names.
    pub(crate) fn unrecorded(&self, data: &Data) -> Unrecorded {
        Unrecorded::new(&self.files, data.files().collect())
    }
}

impl Unrecorded {
    pub(super) fn new(files: &Files, ids: Vec<FileId>) -> Self {
        Self { files: files.clone(), ids }
    }

    /// From here on a record may name them.
    pub(crate) fn release(mut self) {
        self.ids.clear();
    }

    /// Removes them, and waits for that.
    pub(super) async fn discard(mut self) {
        let (files, ids) = (self.files.clone(), std::mem::take(&mut self.ids));
        let removed = blocking(move || {
            remove(&files, &ids);
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::warn!(%error, "files that are of no use could not be removed yet");
        }
    }
}

impl Drop for Unrecorded {
    fn drop(&mut self) {
        let ids = std::mem::take(&mut self.ids);
        if ids.is_empty() {
            return;
        }
        let files = self.files.clone();
        match tokio::runtime::Handle::try_current() {
            // Nothing waits for it; where the process ends first, a sweep finds them after the next start.
            Ok(runtime) => drop(runtime.spawn_blocking(move || remove(&files, &ids))),
            Err(_) => remove(&files, &ids),
        }
    }
}

/// What cannot be removed now is an orphan, which a sweep finds.
fn remove(files: &Files, ids: &[FileId]) {
    if let Err(error) = files.remove(ids) {
        tracing::warn!(%error, "a file that is of no use could not be removed yet");
    }
}
