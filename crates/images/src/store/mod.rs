//! The layers and images that a machine has.

mod collect;
mod disk;
mod layers;
mod leases;
mod prepare;
mod records;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use base::{Clock, SystemClock};

pub use collect::{Collected, Usage};
pub use leases::{LEASE_NAME_LENGTH_MAX, Lease};
pub use prepare::Progress;
pub(crate) use prepare::in_layer;
pub use records::ImageRecord;

use crate::overlay::Lower;
use crate::{DevicePolicy, DiffId, Error, Limits, Owners, Policy, Reference, XattrNamespace};
use disk::Disk;
use layers::Stored;

/// How a store works.
#[derive(Debug, Clone)]
pub struct Options {
    /// How files are made; by default what this process's privileges allow: numbers of the archive and `trusted.` attributes
    /// for root.
    pub policy: Option<Policy>,
    /// What one layer may cost.
    pub limits: Limits,
    /// How many layers are unpacked at a time; by default one a processor. Each takes two threads.
    pub workers: NonZeroUsize,
    /// What tells the time of records.
    pub clock: Arc<dyn Clock>,
    /// What tells one start of the machine from another; by default the kernel's own.
    pub boot_id: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            policy: None,
            limits: Limits::default(),
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            clock: Arc::new(SystemClock),
            boot_id: None,
        }
    }
}

/// Layers and images in a directory; a handle that is cheap to clone. See the [crate's page](crate).
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Disk,
    policy: Policy,
    limits: Limits,
    workers: usize,
    clock: Arc<dyn Clock>,
    boot_id: String,
    state: Mutex<State>,
    /// A layer is there, or a worker is free.
    changed: Condvar,
}

/// What is on disk, and who uses it. The disk is read once, when the store is opened: nobody else writes there.
#[derive(Debug, Default)]
struct State {
    layers: HashMap<DiffId, Stored>,
    images: BTreeMap<Reference, Arc<ImageRecord>>,
    leases: BTreeMap<String, Arc<Lease>>,
    /// How many hold a layer in memory.
    pins: HashMap<DiffId, usize>,
    /// The layers that are being unpacked.
    busy: HashSet<DiffId>,
    /// Counts the layers that were added, so that a layer is told from one that had its name before.
    added: u64,
    /// What a crash left in the staging directory.
    leftovers: Vec<String>,
}

/// An image whose layers are in the store, and stay for as long as this exists.
#[derive(Debug)]
pub struct Prepared {
    store: Store,
    /// From the bottom up, each once.
    layers: Vec<DiffId>,
}

impl Store {
    /// Opens a directory, which is made if it is not there.
    ///
    /// Layers that a crash left half-unpacked are not there any more; [`Store::sweep`] takes what is left of them from the
    /// disk. So are those that were not on the disk yet when the machine lost power.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process has it open, [`Error::Insecure`] if another user could write to it.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        let disk = Disk::open(path)?;
        let policy = match options.policy {
            Some(policy) => policy,
            None => default_policy(&disk)?,
        };
        let boot_id = options.boot_id.map_or_else(disk::kernel_boot_id, Ok)?;
        let mut state = State::default();
        layers::load(&disk, &policy, &boot_id, &mut state)?;
        records::load(&disk, &mut state)?;
        leases::load(&disk, &mut state)?;
        state.leftovers = disk.staged()?;
        let (limits, workers, clock) = (options.limits, options.workers.get(), options.clock);
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Ok(Self(Arc::new(Inner { disk, policy, limits, workers, clock, boot_id, state, changed })))
    }

    /// How files are made here.
    pub fn policy(&self) -> Policy {
        self.0.policy
    }

    /// Holds layers that must be there: those of a record or a lease.
    ///
    /// # Errors
    /// [`Error::LayerMissing`] if one is not, which a loss of power may have done: prepare the image again.
    pub fn hold(&self, layers: &[DiffId]) -> Result<Prepared, Error> {
        let held = self.pin(layers);
        let state = self.state();
        match held.layers.iter().find(|diff_id| !state.layers.contains_key(diff_id)) {
            Some(&diff_id) => {
                drop(state);
                Err(Error::LayerMissing { diff_id })
            }
            None => {
                drop(state);
                Ok(held)
            }
        }
    }

    /// Keeps layers from being collected, whether they are there yet or not.
    fn pin(&self, layers: &[DiffId]) -> Prepared {
        let layers = once_each(layers);
        let mut state = self.state();
        for diff_id in &layers {
            *state.pins.entry(*diff_id).or_default() += 1;
        }
        Prepared { store: self.clone(), layers }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prepared {
    /// Its layers, from the bottom up, each once.
    pub fn layers(&self) -> &[DiffId] {
        &self.layers
    }

    /// Where its layers are, the topmost first. They are there for as long as this exists, or a lease names them.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.layers.iter().rev().map(|diff_id| self.store.0.disk.layer_path(*diff_id)).collect()
    }

    /// Opens its layers, to be mounted.
    pub fn lower(&self) -> Result<Lower, Error> {
        let disk = &self.store.0.disk;
        let mut layers = Vec::new();
        for diff_id in self.layers.iter().rev() {
            layers.push(disk.open_layer(*diff_id)?.ok_or(Error::LayerMissing { diff_id: *diff_id })?);
        }
        Ok(Lower { layers, empty: disk.open_empty()?, namespace: self.store.0.policy.overlay })
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let mut state = self.store.state();
        for diff_id in &self.layers {
            if let Some(pins) = state.pins.get_mut(diff_id) {
                *pins -= 1;
                if *pins == 0 {
                    state.pins.remove(diff_id);
                }
            }
        }
    }
}

/// Of layers that occur more than once the topmost: it does again all that the lower ones did, and no overlay takes one
/// directory twice.
fn once_each(layers: &[DiffId]) -> Vec<DiffId> {
    let mut seen = HashSet::new();
    let mut layers: Vec<DiffId> = layers.iter().rev().copied().filter(|diff_id| seen.insert(*diff_id)).collect();
    layers.reverse();
    layers
}

fn default_policy(disk: &Disk) -> Result<Policy, Error> {
    let is_root = rustix::process::geteuid().is_root();
    let owners = if is_root { Owners::Archive { shift: 0 } } else { Owners::Caller };
    let trusted = disk.takes_trusted_attributes()?;
    let overlay = if trusted { XattrNamespace::Trusted } else { XattrNamespace::User };
    Ok(Policy { owners, devices: DevicePolicy::Omit, overlay })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Algorithm, Digest};

    #[test]
    fn of_a_layer_that_occurs_twice_the_topmost_is_used() {
        let [a, b, c] = [b"a", b"b", b"c"].map(|text| DiffId::from(Digest::of(Algorithm::Sha256, text)));
        assert_eq!(once_each(&[a, b, a, c, b]), [a, c, b]);
        assert_eq!(once_each(&[]), []);
    }
}
