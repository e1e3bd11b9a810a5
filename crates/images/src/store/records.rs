//! What references name.

use std::os::fd::AsFd;
use std::sync::Arc;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, Durable};
use super::{Prepared, State, Store};
use crate::{Algorithm, DiffId, Digest, Error, Image, Platform, Reference, Run};

/// The most references that name images.
const IMAGES_MAX: usize = 10_000;
/// The form of [`ImageRecord`] that is written.
const VERSION: u32 = 1;

/// What a reference names on this machine: all that is needed to run it without its documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageRecord {
    version: u32,
    /// The name.
    pub reference: Reference,
    /// The digest of the manifest.
    pub manifest: Digest,
    /// The digest of the configuration.
    pub config: Digest,
    /// What it was built for.
    pub platform: Platform,
    /// How it is run.
    pub run: Run,
    /// Its layers, the lowest first.
    pub layers: Vec<DiffId>,
    /// The bytes of its layers' blobs.
    pub blob_bytes: u64,
    /// When the reference was last made to name it.
    pub recorded_at: Timestamp,
}

pub(super) fn load(disk: &Disk, state: &mut State) -> Result<(), Error> {
    for (name, record) in disk.read_records::<ImageRecord>(disk.images.as_fd())? {
        if record.version == VERSION && name == file_name(&record.reference) {
            state.images.insert(record.reference.clone(), Arc::new(record));
        } else {
            disk.remove_record(disk.images.as_fd(), &name)?;
        }
    }
    Ok(())
}

impl Store {
    /// Makes a reference name a prepared image, and its layers stay until it does so no more. On the disk when it returns.
    pub fn record(&self, reference: &Reference, image: &Image, prepared: &Prepared) -> Result<Arc<ImageRecord>, Error> {
        let record = Arc::new(ImageRecord {
            version: VERSION,
            reference: reference.clone(),
            manifest: image.manifest,
            config: image.config,
            platform: image.platform.clone(),
            run: image.run.clone(),
            layers: prepared.layers.clone(),
            blob_bytes: image.layers.iter().map(|layer| layer.blob.size).sum(),
            recorded_at: self.0.clock.now(),
        });
        // The pins of `prepared` keep the layers until the record does.
        let (disk, name) = (&self.0.disk, file_name(reference));
        let mut state = self.state();
        if state.images.len() >= IMAGES_MAX && !state.images.contains_key(reference) {
            return Err(Error::TooMany { what: "images", max: IMAGES_MAX });
        }
        disk.write_record(disk.images.as_fd(), &name, &*record, Durable::Yes)?;
        state.images.insert(reference.clone(), Arc::clone(&record));
        Ok(record)
    }

    /// What a reference names; none if it was never recorded, or removed.
    pub fn image(&self, reference: &Reference) -> Option<Arc<ImageRecord>> {
        self.state().images.get(reference).cloned()
    }

    /// All that references name, in their order.
    pub fn images(&self) -> Vec<Arc<ImageRecord>> {
        self.state().images.values().cloned().collect()
    }

    /// Makes a reference name nothing. Its layers go with the next collection, if nothing else needs them. Answers whether it
    /// named something.
    pub fn forget(&self, reference: &Reference) -> Result<bool, Error> {
        let disk = &self.0.disk;
        let mut state = self.state();
        if !state.images.contains_key(reference) {
            return Ok(false);
        }
        disk.remove_record(disk.images.as_fd(), &file_name(reference))?;
        Ok(state.images.remove(reference).is_some())
    }
}

/// References hold slashes and may be longer than names of files.
fn file_name(reference: &Reference) -> String {
    format!("{}.json", Digest::of(Algorithm::Sha256, reference.to_string().as_bytes()).hex())
}
