//! What a reader sees: the files as they are at one moment, which stay readable while they are superseded.

use std::sync::Arc;

use super::{Group, State};
use crate::files::{StoredFile, TEMPORARY};
use crate::log::Chunk;
use crate::marks::Hidden;
use crate::segment::Segment;
use crate::select::Selection;
use crate::shared::Shared;
use crate::{Error, SnapshotFile, lock};

/// The files that a query needs.
pub(crate) struct View {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) chunks: Vec<(Arc<StoredFile>, Arc<Chunk>)>,
    pub(crate) hidden: Arc<Hidden>,
}

impl Group {
    /// What there is of a selection now.
    pub(crate) fn view(self: &Arc<Self>, shared: &Shared, selection: &Selection<'_>) -> Result<View, Error> {
        let (first, last) = (selection.first_timestamp(), selection.last_timestamp());
        self.with(shared, |open| {
            let overlaps = |segment: &&Arc<Segment>| {
                segment.totals.first_timestamp <= last && segment.totals.last_timestamp >= first
            };
            let mut chunks = Vec::new();
            for log in open.logs() {
                let found = log.chunks(selection);
                chunks.extend(found.map(|chunk| (Arc::clone(&log.file), Arc::clone(chunk))));
            }
            let segments = open.segments.iter().filter(overlaps).cloned().collect();
            Ok(View { segments, chunks, hidden: Arc::clone(open.marks.hidden()) })
        })
    }

    /// Its files and how much of them is written.
    pub(crate) fn list_files(&self, shared: &Shared, files: &mut Vec<SnapshotFile>) -> Result<(), Error> {
        match &*lock(&self.state) {
            State::Open(open) => {
                let mut add = |path: &str, length| files.push(SnapshotFile { path: path.to_owned(), length });
                open.segments.iter().for_each(|segment| add(segment.file.path(), segment.size));
                open.logs().for_each(|log| add(log.file.path(), log.length));
                open.marks.stored().into_iter().for_each(|(path, length)| add(path, length));
            }
            State::Closed { .. } => {
                let listed = shared.root.list(self.key.as_str())?.into_iter();
                let stored = listed.filter(|file| !file.is_folder && !file.name.ends_with(TEMPORARY));
                files.extend(stored.map(|file| {
                    let path = format!("{}/{}", self.key, file.name);
                    SnapshotFile { path, length: file.size }
                }));
            }
            State::Deleted => {}
        }
        Ok(())
    }
}
