//! Port mappings.

use std::collections::BTreeSet;

use super::{Draft, name_of};
use crate::api::{ContainerDefinition, NetworkMode, PortMapping, TransportProtocol};
use crate::task_definition::refusal::Refusal;

/// ECS's quota of port ranges in a container.
const RANGES_MAX: usize = 100;
/// The ports that there are.
const PORTS: std::ops::RangeInclusive<i32> = 1..=65535;
/// The longest name of a port mapping.
const NAME_LENGTH_MAX: usize = 64;

/// Checks the port mappings of all containers, alone and against each other.
pub(super) fn check(draft: &Draft) -> Result<(), Refusal> {
    for container in draft.containers() {
        for mapping in container.port_mappings.iter().flatten() {
            if draft.mode == NetworkMode::None {
                return Err(Refusal::NotInNetworkMode { subject: "Port mappings are", mode: draft.mode.as_str() });
            }
            check_mapping(draft, container, mapping)?;
        }
        let is_range = |it: &&PortMapping| it.container_port_range.is_some();
        if container.port_mappings.iter().flatten().filter(is_range).count() > RANGES_MAX {
            return Err(setting(container, "containerPortRange"));
        }
    }
    check_names(draft)?;
    check_taken(draft)
}

fn check_mapping(draft: &Draft, container: &ContainerDefinition, mapping: &PortMapping) -> Result<(), Refusal> {
    if let Some(range) = mapping.container_port_range.as_deref() {
        if mapping.container_port.is_some() || mapping.host_port.is_some() {
            return Err(Refusal::PortAndRange(name_of(container)));
        }
        if draft.mode == NetworkMode::Host || read_range(range).is_none() {
            return Err(setting(container, "containerPortRange"));
        }
        return Ok(());
    }
    let Some(port) = mapping.container_port.filter(|port| PORTS.contains(port)) else {
        return Err(setting(container, "containerPort"));
    };
    match mapping.host_port {
        Some(host) if host != 0 && !PORTS.contains(&host) => Err(setting(container, "hostPort")),
        Some(host) if draft.mode != NetworkMode::Bridge && host != 0 && host != port => {
            Err(Refusal::PortsMatch(draft.mode.as_str()))
        }
        _ => Ok(()),
    }
}

fn setting(container: &ContainerDefinition, setting: &'static str) -> Refusal {
    Refusal::Setting { container: name_of(container), setting }
}

/// `8080-8090`: the first below the last.
pub(crate) fn read_range(text: &str) -> Option<(i32, i32)> {
    let (first, last) = text.split_once('-')?;
    let port = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|port| is_number && PORTS.contains(port))
    };
    let (first, last) = (port(first)?, port(last)?);
    (first < last).then_some((first, last))
}

/// Names of port mappings are those by which Service Connect finds them.
fn check_names(draft: &Draft) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for container in draft.containers() {
        for name in container.port_mappings.iter().flatten().filter_map(|it| it.name.as_deref()) {
            let is_fit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
            let is_name = (1..=NAME_LENGTH_MAX).contains(&name.len()) && name.bytes().all(is_fit);
            if !is_name || name.starts_with('-') {
                return Err(setting(container, "portMappings.name"));
            }
            if !seen.insert(name) {
                return Err(Refusal::PortNameTwice(draft.mode.as_str()));
            }
        }
    }
    Ok(())
}

/// Containers of a task that share a network share its ports; in bridge mode they share the instance's, as far as they
/// name them.
fn check_taken(draft: &Draft) -> Result<(), Refusal> {
    let is_shared = draft.mode != NetworkMode::Bridge;
    let mut taken = BTreeSet::new();
    for mapping in draft.containers().iter().flat_map(|it| it.port_mappings.iter().flatten()) {
        let protocol = mapping.protocol.unwrap_or(TransportProtocol::Tcp);
        let range = mapping.container_port_range.as_deref().and_then(read_range);
        let (first, last) = match (range, is_shared) {
            (Some(range), true) => range,
            (Some(_), false) => continue,
            (None, true) => mapping.container_port.map_or((0, 0), |port| (port, port)),
            (None, false) => mapping.host_port.map_or((0, 0), |port| (port, port)),
        };
        for port in (first..=last).filter(|port| *port != 0) {
            if !taken.insert((protocol, port)) {
                let protocol = if protocol == TransportProtocol::Tcp { "TCP" } else { "UDP" };
                let side = if is_shared { "container" } else { "host" };
                let mode = is_shared.then_some(draft.mode.as_str());
                return Err(Refusal::PortTwice { protocol, side, port, mode });
            }
        }
    }
    Ok(())
}
