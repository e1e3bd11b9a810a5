//! Who needs which layers.

use std::os::fd::AsFd;
use std::sync::Arc;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, Durable};
use super::{Prepared, State, Store};
use crate::{Algorithm, DiffId, Digest, Error};

/// The longest name of a lease, in bytes.
pub const LEASE_NAME_LENGTH_MAX: usize = 255;
/// The most leases.
const LEASES_MAX: usize = 100_000;
/// The form of [`Lease`] that is written.
const VERSION: u32 = 1;

/// Somebody's need of layers, which outlives the process: a sandbox goes on running while its node is restarted, and an
/// overlay does not keep its layers from being removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    version: u32,
    /// Whose it is; chosen by whoever takes it.
    pub name: String,
    /// What is needed, from the bottom up.
    pub layers: Vec<DiffId>,
    /// Since when.
    pub taken_at: Timestamp,
}

pub(super) fn load(disk: &Disk, state: &mut State) -> Result<(), Error> {
    for (file, lease) in disk.read_records::<Lease>(disk.leases.as_fd())? {
        if lease.version == VERSION && file == file_name(&lease.name) {
            state.leases.insert(lease.name.clone(), Arc::new(lease));
        } else {
            disk.remove_record(disk.leases.as_fd(), &file)?;
        }
    }
    Ok(())
}

impl Store {
    /// Keeps an image's layers until [`Store::release`]. Taking it again under the same name replaces it.
    ///
    /// It survives this process, and not necessarily a loss of power: what it protects does not either.
    pub fn lease(&self, name: &str, prepared: &Prepared) -> Result<(), Error> {
        if name.is_empty() || name.len() > LEASE_NAME_LENGTH_MAX {
            return Err(Error::LeaseName);
        }
        let (layers, taken_at) = (prepared.layers.clone(), self.0.clock.now());
        let lease = Lease { version: VERSION, name: name.to_owned(), layers, taken_at };
        let disk = &self.0.disk;
        let mut state = self.state();
        if state.leases.len() >= LEASES_MAX && !state.leases.contains_key(name) {
            return Err(Error::TooMany { what: "leases", max: LEASES_MAX });
        }
        disk.write_record(disk.leases.as_fd(), &file_name(name), &lease, Durable::No)?;
        state.leases.insert(name.to_owned(), Arc::new(lease));
        Ok(())
    }

    /// Gives a lease up. Answers whether there was one.
    pub fn release(&self, name: &str) -> Result<bool, Error> {
        let disk = &self.0.disk;
        let mut state = self.state();
        if !state.leases.contains_key(name) {
            return Ok(false);
        }
        disk.remove_record(disk.leases.as_fd(), &file_name(name))?;
        Ok(state.leases.remove(name).is_some())
    }

    /// All leases, in the order of their names: whoever takes them compares them with what it knows after a restart.
    pub fn leases(&self) -> Vec<Arc<Lease>> {
        self.state().leases.values().cloned().collect()
    }
}

fn file_name(name: &str) -> String {
    format!("{}.json", Digest::of(Algorithm::Sha256, name.as_bytes()).hex())
}
