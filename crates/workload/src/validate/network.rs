//! How a workload reaches others and is reached.

use super::words::{is_directory_name, is_host_name, wrong};
use crate::limits::{ALIASES_MAX, HOSTS_MAX, PORTS_MAX};
use crate::{Demand, InvalidSpec, NetworkMode, PortDemand, Spec};

pub(super) fn check(spec: &Spec) -> Result<(), InvalidSpec> {
    let network = &spec.network;
    if network.ports.len() > PORTS_MAX {
        return Err(wrong("network.ports", format!("there are more than {PORTS_MAX}")));
    }
    for (place, port) in network.ports.iter().enumerate() {
        let refused = |problem: &str| Err(wrong(format!("network.ports[{place}]"), problem));
        if port.container_port == 0 {
            return refused("0 is no port of a container");
        }
        let is_same = port.host_port == 0 || port.host_port == port.container_port;
        match network.mode {
            NetworkMode::None => return refused("nothing leads to a workload without a network"),
            NetworkMode::Host | NetworkMode::Address if !is_same => {
                return refused("the port is the container's own there: the host's cannot be another");
            }
            _ => {}
        }
    }
    let taken = Demand::of(spec).ports;
    let meets = |one: &PortDemand, other: &PortDemand| {
        one.port == other.port
            && one.protocol == other.protocol
            && (one.address.is_none() || other.address.is_none() || one.address == other.address)
    };
    let twice = taken.iter().enumerate().find(|(place, one)| taken[..*place].iter().any(|other| meets(one, other)));
    if let Some((_, port)) = twice {
        return Err(wrong("network.ports", format!("port {} of the host is wanted twice", port.port)));
    }
    if network.group.as_ref().is_some_and(|group| !is_directory_name(group)) {
        return Err(wrong("network.group", "it is no name"));
    }
    if network.aliases.len() > ALIASES_MAX || !network.aliases.iter().all(|alias| is_host_name(alias)) {
        return Err(wrong("network.aliases", format!("one is no host name, or there are more than {ALIASES_MAX}")));
    }
    let has_address = matches!(network.mode, NetworkMode::Bridge | NetworkMode::Address);
    if !has_address && (network.group.is_some() || !network.aliases.is_empty()) {
        return Err(wrong("network.group", "without an address of its own nothing reaches it by name"));
    }
    if spec.hostname.as_ref().is_some_and(|name| !is_host_name(name) || name.len() > HOSTNAME_BYTES_MAX) {
        return Err(wrong("hostname", "it is no host name"));
    }
    if spec.hosts.len() > HOSTS_MAX {
        return Err(wrong("hosts", format!("there are more than {HOSTS_MAX}")));
    }
    let is_entry =
        |names: &Vec<String>| (1..=ALIASES_MAX).contains(&names.len()) && names.iter().all(|name| is_host_name(name));
    if let Some(place) = spec.hosts.iter().position(|entry| !is_entry(&entry.names)) {
        return Err(wrong(format!("hosts[{place}]"), "it has no names, or one that is none"));
    }
    Ok(())
}

/// The longest name that the kernel takes for a host (`sethostname(2)`), in bytes.
const HOSTNAME_BYTES_MAX: usize = 64;
