//! Removing what nobody needs, and counting what there is.

use std::collections::HashSet;

use super::{State, Store};
use crate::{DiffId, Error};

/// What collecting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// How many layers were removed.
    pub layers: u64,
    /// How many bytes their files had.
    pub bytes: u64,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many references name images.
    pub images: u64,
    /// How many leases are taken.
    pub leases: u64,
    /// How many layers there are.
    pub layers: u64,
    /// How many files, directories and links they have.
    pub entries: u64,
    /// How many bytes their files have, without holes. What the file system adds is not counted.
    pub bytes: u64,
    /// How many of these bytes [`Store::collect`] would free now.
    pub unneeded_bytes: u64,
}

impl Store {
    /// Removes the layers that no record, no lease and no [`Prepared`](super::Prepared) needs. A layer that is being prepared
    /// meanwhile stays: it is held before it is looked for, and it is withdrawn and forgotten in one step.
    pub fn collect(&self) -> Result<Collected, Error> {
        self.sweep()?;
        let mut collected = Collected::default();
        {
            let mut state = self.state();
            let needed = state.needed();
            let unneeded: Vec<DiffId> = state.layers.keys().filter(|it| !needed.contains(it)).copied().collect();
            for diff_id in unneeded {
                let withdrawn = self.0.disk.withdraw(diff_id)?;
                // If removing it fails, the next time goes on with it.
                state.leftovers.push(withdrawn);
                if let Some(stored) = state.layers.remove(&diff_id) {
                    collected.layers += 1;
                    collected.bytes += stored.unpacked.bytes;
                }
            }
        }
        self.sweep()?;
        Ok(collected)
    }

    /// Takes from the disk what crashes and failures left. To be called in the background after opening; collecting does it,
    /// too.
    pub fn sweep(&self) -> Result<(), Error> {
        loop {
            let Some(name) = self.state().leftovers.pop() else { return Ok(()) };
            if let Err(error) = self.0.disk.remove_staged(&name) {
                self.state().leftovers.push(name);
                return Err(error);
            }
        }
    }

    /// How many bytes the files of these layers have, without holes, each layer counted once; none if one is not there.
    pub fn bytes_of(&self, layers: &[DiffId]) -> Option<u64> {
        let state = self.state();
        let layers: HashSet<&DiffId> = layers.iter().collect();
        layers.into_iter().map(|diff_id| state.layers.get(diff_id).map(|stored| stored.unpacked.bytes)).sum()
    }

    /// What there is.
    pub fn usage(&self) -> Usage {
        let state = self.state();
        let needed = state.needed();
        let mut usage = Usage {
            images: state.images.len() as u64,
            leases: state.leases.len() as u64,
            layers: state.layers.len() as u64,
            ..Usage::default()
        };
        for (diff_id, stored) in &state.layers {
            usage.entries += stored.unpacked.entries;
            usage.bytes += stored.unpacked.bytes;
            usage.unneeded_bytes += if needed.contains(diff_id) { 0 } else { stored.unpacked.bytes };
        }
        usage
    }
}

impl State {
    fn needed(&self) -> HashSet<DiffId> {
        let images = self.images.values().flat_map(|image| &image.layers);
        let leases = self.leases.values().flat_map(|lease| &lease.layers);
        images.chain(leases).chain(self.pins.keys()).copied().collect()
    }
}
