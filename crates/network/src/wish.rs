//! What a workload may wish.

use workload::{Network, NetworkMode};

use crate::{Error, limits};

/// Checks a workload's wish, whoever checked it before: names become parts of answers, ports of rules.
pub(crate) fn validate(wanted: &Network) -> Result<(), Error> {
    let refuse = |problem: String| Err(Error::Refused { problem });
    if wanted.ports.len() > workload::limits::PORTS_MAX {
        return refuse(format!("more than {} ports are published", workload::limits::PORTS_MAX));
    }
    if wanted.ports.iter().any(|port| port.container_port == 0) {
        return refuse("port 0 of a container cannot be published".to_owned());
    }
    if wanted.mode == NetworkMode::None && !wanted.ports.is_empty() {
        return refuse("a workload without a network cannot publish ports".to_owned());
    }
    if wanted.aliases.len() > limits::ALIASES_MAX {
        return refuse(format!("more than {} aliases", limits::ALIASES_MAX));
    }
    if let Some(alias) = wanted.aliases.iter().find(|alias| !is_name(alias)) {
        return refuse(format!("`{alias}` is no name that can be asked for"));
    }
    if wanted.group.as_ref().is_some_and(|group| group.is_empty() || group.len() > limits::NAME_BYTES_MAX) {
        return refuse(format!("a group's name has 1 to {} bytes", limits::NAME_BYTES_MAX));
    }
    Ok(())
}

/// Letters, digits, `-` and `_` in parts of at most 63 bytes between dots.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.len() <= limits::NAME_BYTES_MAX && name.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_can_be_asked_for() {
        for good in ["web", "Web_1", "a.b-c", "1"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".", "a.", "a b", "ä", "a..b", &"a".repeat(64), &["a"; 200].join(".")] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_wish_has_bounds() {
        let port = workload::PublishedPort {
            container_port: 80,
            host_port: 0,
            host_address: None,
            protocol: Default::default(),
        };
        let good = Network { ports: vec![port.clone(); 128], aliases: vec!["a".to_owned(); 32], ..Network::default() };
        assert!(validate(&good).is_ok());
        let bad = [
            Network { ports: vec![port.clone(); 129], ..Network::default() },
            Network {
                ports: vec![workload::PublishedPort { container_port: 0, ..port.clone() }],
                ..Network::default()
            },
            Network { ports: vec![port], mode: NetworkMode::None, ..Network::default() },
            Network { aliases: vec!["a".to_owned(); 33], ..Network::default() },
            Network { group: Some(String::new()), ..Network::default() },
            Network { group: Some("a".repeat(254)), ..Network::default() },
        ];
        assert!(bad.iter().all(|wanted| validate(wanted).is_err()));
    }
}
