//! What can still be decided of a workload whose containers have been made and wait.

use super::words::wrong;
use crate::{Container, InvalidSpec, Resources, Spec, VolumeSource};

impl Spec {
    /// Whether a workload that was made by this specification, and of which nothing has been executed, can become one of another:
    /// what its containers execute may differ, and what all of them may use but for disk; volumes of archives and files may be
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

/// A container without what it executes and mounts.
fn as_made(container: &Container) -> Container {
    let mut made = container.clone();
    (made.entrypoint, made.command, made.working_dir, made.user) = (None, None, None, None);
    (made.env, made.mounts) = (Vec::new(), Vec::new());
    made
}
