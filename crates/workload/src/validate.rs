//! What a specification may be.
//!
//! Everything that can be known without a node or an image is checked here, once, before anything is written down: who reads
//! a [`Spec`] later need not wonder whether a name is a path or a number is none.

mod container;
mod network;
mod order;
mod process;
mod release;
mod volume;
mod words;

use crate::limits::{CONTAINERS_MAX, DISK_BYTES_MIN, LABELS_MAX, MEMORY_BYTES_MIN, NAME_BYTES_MAX, SPEC_BYTES_MAX};
use crate::{Container, InvalidSpec, NetworkMode, Resources, Seccomp, Spec, VolumeSource};
use words::{is_name, wrong};

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
        let count = self.containers.len();
        if !(1..=CONTAINERS_MAX).contains(&count) {
            return Err(wrong("containers", format!("there are {count}, and 1 to {CONTAINERS_MAX} can be")));
        }
        volume::check_all(&self.volumes)?;
        for (place, container) in self.containers.iter().enumerate() {
            let at = format!("containers[{place}]");
            container::check(&at, container, self)?;
            if self.containers[..place].iter().any(|other| other.name == container.name) {
                return Err(wrong(format!("{at}.name"), format!("another container is called {}", container.name)));
            }
        }
        if !self.containers.iter().any(|container| container.essential) {
            return Err(wrong("containers", "none of them is essential"));
        }
        order::check(&self.containers)?;
        network::check(self)?;
        resources(&self.resources, &self.containers)?;
        isolation(self)?;
        if self.local_service.as_ref().is_some_and(|name| !is_name(name)) {
            return Err(wrong("localService", "it is no name"));
        }
        labels(self)?;
        let bytes = serde_json::to_vec(self).map(|text| text.len()).unwrap_or(usize::MAX);
        if bytes > SPEC_BYTES_MAX {
            return Err(wrong("the whole", format!("it has {bytes} bytes, and {SPEC_BYTES_MAX} are the most")));
        }
        Ok(())
    }
}

fn resources(resources: &Resources, containers: &[Container]) -> Result<(), InvalidSpec> {
    let at = |member: &str| format!("resources.{member}");
    let Resources { cpu_millis_reserved, memory_bytes_reserved, disk_bytes_reserved, .. } = *resources;
    if resources.cpu_millis_max.is_some_and(|max| max < cpu_millis_reserved.max(process::CPU_MILLIS_MIN)) {
        return Err(wrong(at("cpuMillisMax"), "it is less than what is set aside, or than can be limited to"));
    }
    if resources.memory_bytes_max.is_some_and(|max| max < memory_bytes_reserved.max(MEMORY_BYTES_MIN)) {
        return Err(wrong(at("memoryBytesMax"), "it is less than what is set aside, or than a process needs"));
    }
    if resources.disk_bytes_max.is_some_and(|max| max < disk_bytes_reserved.max(DISK_BYTES_MIN)) {
        return Err(wrong(at("diskBytesMax"), "it is less than what is set aside, or than can be limited to"));
    }
    if resources.pids_max == Some(0) {
        return Err(wrong(at("pidsMax"), "nothing runs without a process"));
    }
    let largest = |of: fn(&Container) -> Option<u64>| containers.iter().filter_map(of).max().unwrap_or_default();
    if resources.memory_bytes_max.is_some_and(|all| all < largest(|one| one.memory.bytes_max)) {
        return Err(wrong(at("memoryBytesMax"), "a single container may have more"));
    }
    if resources.disk_bytes_max.is_some_and(|all| all < largest(|one| one.disk_bytes_max)) {
        return Err(wrong(at("diskBytesMax"), "a single container may write more"));
    }
    Ok(())
}

fn isolation(spec: &Spec) -> Result<(), InvalidSpec> {
    let isolation = &spec.isolation;
    let is_of_host = isolation.host_processes || isolation.host_ipc || spec.network.mode == NetworkMode::Host;
    if isolation.user_namespace && (is_of_host || spec.containers.iter().any(|container| container.privileged)) {
        let problem = "a workload with users of its own cannot be privileged, nor use the host's namespaces";
        return Err(wrong("isolation.userNamespace", problem));
    }
    if isolation.host_processes && isolation.share_processes {
        return Err(wrong("isolation.shareProcesses", "the host's processes are seen by all containers already"));
    }
    if isolation.host_ipc && isolation.share_ipc {
        return Err(wrong("isolation.shareIpc", "the host's IPC is used by all containers already"));
    }
    Ok(())
}

fn labels(spec: &Spec) -> Result<(), InvalidSpec> {
    if spec.labels.len() > LABELS_MAX {
        return Err(wrong("labels", format!("there are more than {LABELS_MAX}")));
    }
    if spec.labels.keys().any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        return Err(wrong("labels", format!("a name has no bytes, or more than {NAME_BYTES_MAX}")));
    }
    Ok(())
}

/// Capabilities that Docker's default set has not, and that no workload of a tenant may add without permission.
fn is_dangerous(name: &str) -> bool {
    !matches!(
        name,
        "AUDIT_WRITE"
            | "CHOWN"
            | "DAC_OVERRIDE"
            | "FOWNER"
            | "FSETID"
            | "KILL"
            | "MKNOD"
            | "NET_BIND_SERVICE"
            | "NET_RAW"
            | "SETFCAP"
            | "SETGID"
            | "SETPCAP"
            | "SETUID"
            | "SYS_CHROOT"
    )
}

#[cfg(test)]
mod tests;
