//! The node's own configuration, which nobody but root writes: what workloads may use and what they are allowed. `node.toml` beside
//! this file has an example of everything that can be said.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::net::Ipv4Addr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use network::Subnet;
use serde::Deserialize;

/// The file, in the node's directory.
pub(super) const FILE: &str = "node.toml";
/// The longest that it can be, in bytes.
const BYTES_MAX: u64 = 256 * 1024;

/// What the node's own configuration says. What it does not say is found out from the machine.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Processor time that workloads may use, in thousandths of a processor.
    pub(super) cpu_millis: Option<u32>,
    /// Memory that workloads may use, in bytes.
    pub(super) memory_bytes: Option<u64>,
    /// Disk that workloads may use, in bytes.
    pub(super) disk_bytes: Option<u64>,
    /// What workloads are allowed beyond what every one may, by the names of attributes: `pilvi.host-volumes`.
    pub(super) allow: BTreeSet<String>,
    /// Further facts about the node, by which workloads are placed.
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) network: NetworkSettings,
}

/// How workloads are connected.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NetworkSettings {
    /// The addresses of workloads: `10.88.0.0/20`.
    pub(super) subnet: Option<Subnet>,
    /// Where published ports listen that name no address; loopback, if none is given.
    pub(super) publish_address: Option<Ipv4Addr>,
    /// The first and the last port of those that workloads are given.
    pub(super) port_range: Option<[u16; 2]>,
    /// Where no workload may connect to.
    pub(super) denied: Vec<Subnet>,
}

/// Why the configuration is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("the node's configuration cannot be read")]
    Io(#[from] std::io::Error),
    #[error("the node's configuration could be written to by others than root")]
    Insecure,
    #[error("the node's configuration is longer than {BYTES_MAX} bytes")]
    TooLong,
    #[error("the node's configuration: {0}")]
    Text(#[from] toml::de::Error),
    #[error("the node's configuration allows `{0}`, which is nothing that can be allowed")]
    Unknown(String),
}

/// What a specification can ask permission for.
const PERMISSIONS: [&str; 8] = [
    "pilvi.host-volumes",
    "pilvi.host-network",
    "pilvi.host-processes",
    "pilvi.host-ipc",
    "pilvi.privileged",
    "pilvi.devices",
    "pilvi.unconfined",
    "pilvi.capabilities",
];

impl Settings {
    /// Reads the file in the node's directory, if there is one.
    pub(super) fn read(directory: &Path) -> Result<Self, SettingsError> {
        let file = match std::fs::File::open(directory.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let about = file.metadata()?;
        if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
            return Err(SettingsError::Insecure);
        }
        if about.len() > BYTES_MAX {
            return Err(SettingsError::TooLong);
        }
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text)?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, SettingsError> {
        let settings: Self = toml::from_str(text)?;
        match settings.allow.iter().find(|name| !PERMISSIONS.contains(&name.as_str())) {
            Some(name) => Err(SettingsError::Unknown(name.clone())),
            None => Ok(settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_said_is_taken_and_what_is_not_known_is_refused() {
        let text = "memory_bytes = 1024\nallow = [\"pilvi.host-volumes\"]\n[network]\nsubnet = \"10.90.0.0/20\"\n";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.memory_bytes, Some(1024));
        assert!(settings.allow.contains("pilvi.host-volumes"));
        assert_eq!(settings.network.subnet, Some("10.90.0.0/20".parse().unwrap()));
        assert!(matches!(Settings::parse("allow = [\"everything\"]"), Err(SettingsError::Unknown(_))));
        assert!(matches!(Settings::parse("alow = []"), Err(SettingsError::Text(_))));
    }

    #[test]
    fn the_example_says_everything_that_can_be_said() {
        let text = include_str!("node.toml");
        let settings = Settings::parse(text).unwrap();
        assert!(settings.cpu_millis.is_some() && settings.memory_bytes.is_some() && settings.disk_bytes.is_some());
        assert!(PERMISSIONS.iter().all(|name| settings.allow.contains(*name)) && !settings.attributes.is_empty());
        let network = settings.network;
        assert!(network.subnet.is_some() && network.publish_address.is_some() && network.port_range.is_some());
        assert!(!network.denied.is_empty());
    }

    #[test]
    fn a_file_that_others_can_write_to_is_not_taken() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Settings::read(directory.path()).unwrap(), Settings::default());
        let path = directory.path().join(FILE);
        std::fs::write(&path, "cpu_millis = 500").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(Settings::read(directory.path()).unwrap().cpu_millis, Some(500));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664)).unwrap();
        assert!(matches!(Settings::read(directory.path()), Err(SettingsError::Insecure)));
    }
}
