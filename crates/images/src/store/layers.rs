//! The layers that are there.

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::{State, Store};
use crate::{DiffId, Digest, Error, Policy, Unpacked};

/// What is known of a layer that is there.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) unpacked: Unpacked,
    /// The blobs of which it is known that they are this layer.
    pub(super) blobs: Vec<Digest>,
    /// Whether it survives a loss of power.
    settled: bool,
    /// Which of those that ever had this name it is.
    generation: u64,
}

/// How many blobs are remembered to be one layer. Further ones are verified each time.
const BLOBS_MAX: usize = 16;
/// The form of [`LayerFile`] that is written. Layers in another one are unpacked anew.
const VERSION: u32 = 1;

/// What stands beside a layer.
#[derive(Serialize, Deserialize)]
pub(super) struct LayerFile {
    version: u32,
    policy: Policy,
    boot_id: String,
    blobs: Vec<Digest>,
    entries: u64,
    bytes: u64,
    devices_omitted: u64,
    xattrs_omitted: u64,
}

impl LayerFile {
    pub(super) fn new(policy: Policy, boot_id: &str, blobs: Vec<Digest>, unpacked: Unpacked) -> Self {
        let Unpacked { entries, bytes, devices_omitted, xattrs_omitted } = unpacked;
        let boot_id = boot_id.to_owned();
        Self { version: VERSION, policy, boot_id, blobs, entries, bytes, devices_omitted, xattrs_omitted }
    }

    fn unpacked(&self) -> Unpacked {
        let &Self { entries, bytes, devices_omitted, xattrs_omitted, .. } = self;
        Unpacked { entries, bytes, devices_omitted, xattrs_omitted }
    }
}

/// Finds the layers that can be used. The others are withdrawn: those that nobody waited for before the machine stopped,
/// those that were made under another policy, and what is none.
pub(super) fn load(disk: &Disk, policy: &Policy, boot_id: &str, state: &mut State) -> Result<(), Error> {
    for (algorithm, name) in disk.layer_names()? {
        let Ok(digest) = Digest::from_hex(algorithm, &name) else {
            disk.withdraw_name(algorithm, &name)?;
            continue;
        };
        let diff_id = DiffId::from(digest);
        let settled = disk.is_settled(diff_id);
        let usable = disk
            .read_layer::<LayerFile>(diff_id)
            .filter(|file| file.version == VERSION && file.policy == *policy && (settled || file.boot_id == boot_id));
        match usable {
            Some(file) => state.add(diff_id, file.unpacked(), file.blobs, settled),
            None => {
                tracing::info!(%diff_id, "a layer may be incomplete or is of another form: it will be unpacked anew");
                disk.withdraw(diff_id)?;
            }
        }
    }
    Ok(())
}

impl State {
    pub(super) fn add(&mut self, diff_id: DiffId, unpacked: Unpacked, blobs: Vec<Digest>, settled: bool) {
        self.added += 1;
        self.layers.insert(diff_id, Stored { unpacked, blobs, settled, generation: self.added });
    }
}

impl Store {
    /// Remembers that a blob is a layer that is there.
    pub(super) fn remember(&self, diff_id: DiffId, blob: Digest) -> Result<(), Error> {
        let mut state = self.state();
        let Some(stored) = state.layers.get_mut(&diff_id) else { return Ok(()) };
        if stored.blobs.len() >= BLOBS_MAX || stored.blobs.contains(&blob) {
            return Ok(());
        }
        let blobs = [stored.blobs.as_slice(), &[blob]].concat();
        // With this boot's name: if it is torn when the machine stops, the layer is unpacked anew.
        let file = LayerFile::new(self.0.policy, &self.0.boot_id, blobs.clone(), stored.unpacked);
        self.0.disk.rewrite_layer(diff_id, &file)?;
        stored.blobs = blobs;
        Ok(())
    }

    /// Waits until the layers that were unpacked are on the disk, and notes it, so that they survive a loss of power.
    ///
    /// Unpacking itself waits for nothing: layers can be made again from their blobs, and one that was not settled when the
    /// machine stopped is not used again. To be called in the background after images were prepared. It is one `syncfs(2)`
    /// for all layers since the last time: for each file, a layer of ten thousand would take as many waits.
    ///
    /// # Errors
    /// [`Error::Io`] if the disk did not take what was written: then the layers stay unsettled.
    pub fn settle(&self) -> Result<(), Error> {
        let unsettled: Vec<(DiffId, u64)> = {
            let state = self.state();
            let layers = state.layers.iter().filter(|(_, stored)| !stored.settled);
            layers.map(|(diff_id, stored)| (*diff_id, stored.generation)).collect()
        };
        if unsettled.is_empty() {
            return Ok(());
        }
        self.0.disk.sync()?;
        for (diff_id, generation) in unsettled {
            let mut state = self.state();
            // It may have been collected meanwhile, and unpacked again.
            if let Some(stored) = state.layers.get_mut(&diff_id).filter(|stored| stored.generation == generation) {
                self.0.disk.mark_settled(diff_id)?;
                stored.settled = true;
            }
        }
        Ok(())
    }
}
