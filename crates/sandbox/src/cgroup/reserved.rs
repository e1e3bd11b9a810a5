//! Memory that is left to groups in version 2. A group is left at most what is left to the group above it, so what containers
//! reserve is passed up: a workload reserves what its containers do together, the node what its workloads do. No more: what
//! nobody claims would be shared out within, and be missing on the host.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::error::Error;
use super::hierarchy::{Controller, Directory, Hierarchy, Version};

const FILE: &str = "memory.low";

/// What workloads reserve, in bytes, by their names.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    workloads: Mutex<BTreeMap<String, u64>>,
}

impl Reserved {
    /// What the workloads that are there reserve.
    pub(super) fn of(hierarchies: &[Hierarchy]) -> Result<Self, Error> {
        let mut workloads = BTreeMap::new();
        if let Some(memory) = holder(hierarchies) {
            for name in memory.top.children()? {
                let bytes = memory.top.child(&name)?.map_or(0, |directory| low(&directory));
                if bytes > 0 {
                    workloads.insert(name, bytes);
                }
            }
        }
        Ok(Self { workloads: Mutex::new(workloads) })
    }

    /// Passes up what a group has been given.
    pub(super) fn pass_up(&self, hierarchies: &[Hierarchy], group: &str) -> Result<(), Error> {
        let Some(memory) = holder(hierarchies) else { return Ok(()) };
        let workload = group.split_once('/').map_or(group, |(workload, _)| workload);
        let Some(directory) = memory.top.child(workload)? else { return Ok(()) };
        let mut all = self.lock();
        let mut bytes = low(&directory);
        if workload != group {
            let mut of_containers = 0u64;
            for name in directory.children()? {
                of_containers = of_containers.saturating_add(directory.child(&name)?.map_or(0, |child| low(&child)));
            }
            if of_containers > bytes {
                directory.write(FILE, &of_containers.to_string())?;
                bytes = of_containers;
            }
        }
        all.insert(workload.to_owned(), bytes);
        write_sum(memory, &all)
    }

    /// Takes back what a workload has reserved.
    pub(super) fn take_back(&self, hierarchies: &[Hierarchy], workload: &str) -> Result<(), Error> {
        let mut all = self.lock();
        match (all.remove(workload), holder(hierarchies)) {
            (Some(_), Some(memory)) => write_sum(memory, &all),
            _ => Ok(()),
        }
    }

    /// What panicked while it held the lock has at most written a sum too early.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.workloads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holder(hierarchies: &[Hierarchy]) -> Option<&Hierarchy> {
    let of_memory = |one: &&Hierarchy| one.version == Version::Two && one.controllers.contains(&Controller::Memory);
    hierarchies.iter().find(of_memory)
}

/// What a group reserves; all there is (`max`) is no number, and nobody's here.
fn low(directory: &Directory) -> u64 {
    directory.number(FILE).unwrap_or(0)
}

fn write_sum(memory: &Hierarchy, all: &BTreeMap<String, u64>) -> Result<(), Error> {
    let sum = all.values().fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
    memory.top.write(FILE, &sum.to_string())
}
