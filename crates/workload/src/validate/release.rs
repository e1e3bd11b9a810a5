//! What can still be decided of a workload whose containers have been made and wait.

use super::words::wrong;
use crate::{Container, InvalidSpec, MemoryLimits, Resources, Spec, VolumeSource};

/// A kernel's limit is changed by another one, and by none it is not.
const LIMIT_TAKEN_AWAY: &str = "a limit can be changed, and not be taken away any more";

impl Spec {
    /// Whether a workload that was made by this specification, and of which nothing has been executed, can become one of another:
    /// what its containers execute may differ, and what each and all of them may use of processors, memory and processes; volumes of archives and files may be
    /// added, and mounted. Nothing else. The other one is valid by itself.
    ///
    /// # Errors
    /// The first thing that differs and cannot.
    pub fn check_release(&self, other: &Self) -> Result<(), InvalidSpec> {
        let differs = |member: &str| Err(wrong(member, "it has been made, and cannot be another any more"));
        if other.containers.len() != self.containers.len() {
            return differs("containers");
        }
        let Some(added) = other.volumes.strip_prefix(self.volumes.as_slice()) else { return differs("volumes") };
        let can_be_late =
            |source: &VolumeSource| matches!(source, VolumeSource::Archive { .. } | VolumeSource::Files { .. });
        if !added.iter().all(|volume| can_be_late(&volume.source)) {
            return Err(wrong("volumes", "only archives and files can be added once containers have been made"));
        }
        for (place, (held, released)) in self.containers.iter().zip(&other.containers).enumerate() {
            let Some(mounts) = released.mounts.strip_prefix(held.mounts.as_slice()) else {
                return differs(&format!("containers[{place}].mounts"));
            };
            if !mounts.iter().all(|mount| added.iter().any(|volume| volume.name == mount.volume)) {
                return differs(&format!("containers[{place}].mounts"));
            }
            if as_made(held) != as_made(released) {
                return differs(&format!("containers[{place}]"));
            }
            if !keeps_limits(limits_of(held), limits_of(released)) {
                return Err(wrong(format!("containers[{place}]"), LIMIT_TAKEN_AWAY));
            }
        }
        let shared = |all: &Resources| {
            [all.cpu_millis_max.map(u64::from), all.memory_bytes_max, all.pids_max.map(u64::from), None]
        };
        if !keeps_limits(shared(&self.resources), shared(&other.resources)) {
            return Err(wrong("resources", LIMIT_TAKEN_AWAY));
        }
        let rest = |spec: &Self| Self {
            containers: Vec::new(),
            volumes: Vec::new(),
            labels: Default::default(),
            resources: Resources { disk_bytes_max: spec.resources.disk_bytes_max, ..Resources::default() },
            ..spec.clone()
        };
        if rest(self) != rest(other) { differs("the whole") } else { Ok(()) }
    }
}

/// A container without what it executes, mounts and may use.
fn as_made(container: &Container) -> Container {
    let mut made = container.clone();
    (made.entrypoint, made.command, made.working_dir, made.user) = (None, None, None, None);
    (made.env, made.mounts) = (Vec::new(), Vec::new());
    (made.memory, made.cpu_millis_max, made.pids_max) = (MemoryLimits::default(), None, None);
    made
}

fn limits_of(container: &Container) -> [Option<u64>; 4] {
    let memory = container.memory;
    let [cpu, pids] = [container.cpu_millis_max, container.pids_max].map(|max| max.map(u64::from));
    [cpu, memory.bytes_max, memory.bytes_reserved, pids]
}

fn keeps_limits(before: [Option<u64>; 4], after: [Option<u64>; 4]) -> bool {
    before.iter().zip(after).all(|(before, after)| before.is_none() || after.is_some())
}
