//! What is in an image, before it is unpacked.

use std::collections::BTreeSet;

use crate::store::in_layer;
use crate::tar::Entry;
use crate::unpack::{Reading, look};
use crate::{BlobSource, Error, Image, Limits};

/// How a layer says that something of a lower one is hidden. (OCI image specification, "Whiteouts".)
const WHITEOUT: &[u8] = b".wh.";

impl Image {
    /// Which of these paths the image has, as files or links; they have no `/` in front. Links to directories are not
    /// followed. Every layer is read and compared with its digests: it blocks for as long as that takes.
    ///
    /// # Errors
    /// As of [`crate::Store::prepare`].
    pub fn has<'a>(&self, source: &dyn BlobSource, paths: &[&'a str]) -> Result<BTreeSet<&'a str>, Error> {
        let mut found = BTreeSet::new();
        for layer in &self.layers {
            let digest = layer.blob.digest;
            let opened = source.open(&layer.blob).map_err(|source| Error::Read { digest, source })?;
            let blob = opened.ok_or(Error::NotFound { digest })?;
            let reading = Reading { layer, limits: &Limits::default(), progress: &|_| true };
            look(&reading, blob, |entry| see(entry, paths, &mut found)).map_err(in_layer(digest))?;
        }
        Ok(found)
    }
}

fn see<'a>(entry: &Entry, paths: &[&'a str], found: &mut BTreeSet<&'a str>) {
    let path = entry.path.strip_prefix(b"./").unwrap_or(&entry.path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (directory, name) = path.split_at(at);
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        let hidden = [directory, hidden].concat();
        found.retain(|path| path.as_bytes() != hidden && !path.as_bytes().starts_with(&[&hidden[..], b"/"].concat()));
    } else if let Some(wanted) = paths.iter().find(|wanted| wanted.as_bytes() == path) {
        found.insert(wanted);
    }
}
