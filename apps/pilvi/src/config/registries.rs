//! `[registries]`: how registries elsewhere are reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use images::remote::{self, Mirror};
use serde::{Deserialize, Serialize};

use super::Secret;

/// What the environment of `pilvi up` tells of the way to registries. The server has an environment of its own.
const VARIABLES: [&str; 9] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
];

/// The section as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RegistriesSection {
    /// For a registry the places that are asked before it.
    mirrors: BTreeMap<RegistryHost, Vec<MirrorAddress>>,
    /// Registries that are spoken to without TLS.
    plain_http: Vec<RegistryHost>,
    /// Registries that may be on this machine or its own link.
    on_this_machine: Vec<RegistryHost>,
    /// Files of certificate authorities that are trusted beside the machine's own.
    ca_files: Vec<PathBuf>,
}

/// How registries elsewhere are reached, the environment included and paths made absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registries {
    mirrors: BTreeMap<RegistryHost, Vec<MirrorAddress>>,
    plain_http: Vec<RegistryHost>,
    on_this_machine: Vec<RegistryHost>,
    ca_files: Vec<PathBuf>,
    /// Proxies, whose addresses may hold passwords.
    environment: BTreeMap<String, Secret>,
}

impl RegistriesSection {
    /// The section of a file in this directory, with the caller's environment.
    pub(super) fn in_directory(&self, directory: &Path) -> Registries {
        Registries {
            mirrors: self.mirrors.clone(),
            plain_http: self.plain_http.clone(),
            on_this_machine: self.on_this_machine.clone(),
            ca_files: self.ca_files.iter().map(|path| directory.join(path)).collect(),
            environment: BTreeMap::new(),
        }
    }
}

impl Registries {
    /// The same with what the environment says.
    pub(crate) fn with_environment(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| Some((name.to_owned(), Secret::new(variable(name)?)));
        self.environment = VARIABLES.iter().filter_map(|name| given(name)).collect();
        self
    }

    /// The same for the client of registries.
    ///
    /// # Errors
    /// When a proxy that the environment names cannot be used.
    pub(crate) fn remote(&self) -> Result<remote::Config, remote::ConfigError> {
        let variable = |name: &str| self.environment.get(name).map(|value| value.reveal().to_owned());
        let mut config = remote::Config::from_environment(variable)?;
        for (registry, mirrors) in &self.mirrors {
            let mirrors = mirrors.iter().map(|mirror| Mirror::parse(&mirror.0)).collect::<Result<_, _>>()?;
            config.mirrors.insert(registry.0.clone(), mirrors);
        }
        let names = |hosts: &[RegistryHost]| hosts.iter().map(|host| host.0.clone()).collect();
        config.plain_http = names(&self.plain_http);
        config.inward = names(&self.on_this_machine);
        config.authorities.extra.clone_from(&self.ca_files);
        Ok(config)
    }
}

/// A registry as references name it: `docker.io`, `registry.example:5000`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct RegistryHost(String);

impl FromStr for RegistryHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What stands before the first slash of a reference and is taken for a registry is one.
        let reference = format!("{text}/name").parse::<images::Reference>().ok();
        match reference.filter(|reference| reference.registry() == text && reference.repository() == "name") {
            Some(_) => Ok(Self(text.to_owned())),
            None if text == "docker.io" => Ok(Self(text.to_owned())),
            None => Err(format!("`{text}` is no registry such as registry.example:5000")),
        }
    }
}

impl fmt::Display for RegistryHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::values::as_text!(RegistryHost);

/// The address of a mirror.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct MirrorAddress(String);

impl FromStr for MirrorAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Mirror::parse(text).map(|_| Self(text.to_owned())).map_err(|error| error.to_string())
    }
}

impl fmt::Display for MirrorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MirrorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

super::values::as_text!(MirrorAddress);

#[cfg(test)]
mod tests {
    use super::*;

    fn section(text: &str) -> Result<RegistriesSection, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_is_configured_reaches_the_client_of_registries() {
        let text = r#"
            plain_http = ["registry.internal:5000"]
            on_this_machine = ["registry.box"]
            ca_files = ["own.pem", "/etc/ca.pem"]
            [mirrors]
            "docker.io" = ["https://mirror.example", "cache.example:5000/docker"]
        "#;
        let registries = section(text).unwrap().in_directory(Path::new("/etc/pilvi"));
        let remote = registries.remote().unwrap();
        assert_eq!(remote.mirrors["docker.io"].len(), 2);
        assert!(remote.plain_http.contains("registry.internal:5000") && remote.inward.contains("registry.box"));
        assert_eq!(remote.authorities.extra, [Path::new("/etc/pilvi/own.pem"), Path::new("/etc/ca.pem")]);
        assert_eq!(remote.authorities.bundle, None);
    }

    #[test]
    fn what_cannot_be_a_registry_or_a_mirror_is_refused_where_it_is_read() {
        for wrong in [
            "plain_http = [\"http://registry.example\"]",
            "plain_http = [\"\"]",
            "plain_http = [\"registry\"]",
            "plain_http = [\"registry.example/path\"]",
            "[mirrors]\n\"docker.io\" = [\"ftp://x.example\"]",
            "[mirrors]\n\"a b\" = []",
        ] {
            assert!(section(wrong).is_err(), "{wrong}");
        }
        for right in ["docker.io", "localhost", "localhost:5000", "[::1]:5000", "192.0.2.1", "quay.io"] {
            assert!(right.parse::<RegistryHost>().is_ok(), "{right}");
        }
    }

    #[test]
    fn the_environment_says_which_proxies_there_are_and_its_passwords_are_not_printed() {
        let variable = |name: &str| (name == "https_proxy").then(|| "http://u:hunter2@proxy.example:3128".to_owned());
        let registries = Registries::default().with_environment(variable);
        assert!(registries.remote().unwrap().proxies.https.is_some());
        assert!(!format!("{registries:?}").contains("hunter2"));
        let sent = serde_json::to_string(&registries).unwrap();
        assert_eq!(serde_json::from_str::<Registries>(&sent).unwrap(), registries);
        let wrong = Registries::default().with_environment(|_| Some("socks5://proxy.example".to_owned()));
        assert!(wrong.remote().is_err());
    }
}
