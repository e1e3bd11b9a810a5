//! What a specification may be.

use crate::{InvalidSpec, NetworkMode, Seccomp, Spec, VolumeSource};

impl Spec {
    /// What of it a node must allow by its own configuration, by the names of the node's attributes.
    pub fn permissions(&self) -> Vec<&'static str> {
        let containers = &self.containers;
        let any = |is: fn(&crate::Container) -> bool| containers.iter().any(is);
        let host_volume = self.volumes.iter().any(|volume| matches!(volume.source, VolumeSource::Host { .. }));
        [
            ("pilvi.host-volumes", host_volume),
            ("pilvi.host-network", self.network.mode == NetworkMode::Host),
            ("pilvi.host-processes", self.isolation.host_processes),
            ("pilvi.host-ipc", self.isolation.host_ipc),
            ("pilvi.privileged", any(|one| one.privileged)),
            ("pilvi.devices", any(|one| !one.devices.is_empty())),
            ("pilvi.unconfined", any(|one| one.seccomp == Seccomp::Unconfined)),
            ("pilvi.capabilities", any(|one| one.capabilities.add.iter().any(|name| is_dangerous(name)))),
        ]
        .into_iter()
        .filter_map(|(name, is)| is.then_some(name))
        .collect()
    }

    /// Checks everything that can be known without a node or an image.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidSpec> {
        Ok(())
    }
}

/// Capabilities that Docker's default set has not, and that no workload of a tenant may add without permission.
fn is_dangerous(name: &str) -> bool {
    !matches!(
        name,
        "AUDIT_WRITE" | "CHOWN" | "DAC_OVERRIDE" | "FOWNER" | "FSETID" | "KILL" | "MKNOD" | "NET_BIND_SERVICE" | "NET_RAW"
            | "SETFCAP" | "SETGID" | "SETPCAP" | "SETUID" | "SYS_CHROOT"
    )
}
