//! What a run of Pilvi goes by: flags, then environment, then configuration file, then defaults.
//!
//! The supervisor resolves [`Settings`] once, with the rights of whoever called it (a key file may be readable by root
//! alone), and hands the server the result over the control channel, never through arguments or the environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base::{AccountId, Region};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::config::{
    AccessKey, CloudWatchLogs, Config, DnsName, Limits, Listen, LogFilter, LogFormat, PublicUrl, Registries, Secret,
    TlsChoice,
};

/// A larger certificate chain or key file is refused.
const PEM_BYTES_MAX: u64 = 1024 * 1024;

/// Which data directory and configuration a command is about.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Place {
    /// Where all state is kept
    ///
    /// By default /var/lib/pilvi when root calls, else $XDG_DATA_HOME/pilvi or ~/.local/share/pilvi of the person who
    /// calls, also under sudo.
    #[arg(long, value_name = "DIR", env = "PILVI_DATA_DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// A configuration file; `pilvi config` prints one with every key explained
    #[arg(long, value_name = "FILE", env = "PILVI_CONFIG", value_hint = clap::ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

impl Place {
    /// The data directory that flag, environment or configuration name, made absolute; `None` for the default one.
    ///
    /// # Errors
    /// When the configuration file is wrong.
    pub(crate) fn named_data_dir(&self) -> Result<Option<PathBuf>> {
        let configured = match (&self.data_dir, &self.config) {
            (Some(_), _) | (None, None) => None,
            (None, Some(file)) => Config::read(file)?.data_dir(),
        };
        absolute(self.data_dir.clone().or(configured))
    }
}

/// The settings that `pilvi up` takes as flags.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Flags {
    /// Address and port of the AWS API [default: 127.0.0.1:4566]
    ///
    /// Port 0 picks a free one. An address that other machines reach needs TLS, or --allow-plain-http.
    #[arg(long, value_name = "ADDRESS:PORT", env = "PILVI_LISTEN")]
    pub(crate) listen: Option<Listen>,
    /// Address and port where machines join as nodes [default: none]
    ///
    /// They speak TLS of their own there, whatever protects the AWS API.
    #[arg(long, value_name = "ADDRESS:PORT", env = "PILVI_NODE_LISTEN")]
    pub(crate) node_listen: Option<Listen>,
    /// Where the root-owned state is kept: unpacked images
    ///
    /// By default a directory below /var/lib/pilvi-node, another one for each data directory. Only root has one: without root
    /// nothing is unpacked. All directories above it must be root's.
    #[arg(long, value_name = "DIR", env = "PILVI_NODE_DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) node_dir: Option<PathBuf>,
    /// Region that clients are given [default: us-east-1]
    #[arg(long, env = "PILVI_REGION")]
    pub(crate) region: Option<Region>,
    /// Account of the root key, twelve digits [default: 000000000000]
    #[arg(long, env = "PILVI_ACCOUNT")]
    pub(crate) account: Option<AccountId>,
    /// Base of the URLs that are handed out [default: the Host header of each request]
    #[arg(long, value_name = "URL", env = "PILVI_PUBLIC_URL")]
    pub(crate) public_url: Option<PublicUrl>,
    /// Let secrets travel unencrypted when --listen is not loopback
    #[arg(long, env = "PILVI_ALLOW_PLAIN_HTTP", num_args = 0..=1, default_missing_value = "true")]
    pub(crate) allow_plain_http: Option<bool>,
    /// How log lines look [default: text]
    #[arg(long, value_name = "FORMAT", env = "PILVI_LOG_FORMAT", value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// Which log lines are written, such as `debug` or `info,wire=debug` [default: info]
    #[arg(long, value_name = "FILTER", env = "PILVI_LOG")]
    pub(crate) log: Option<LogFilter>,
}

/// Everything that a server needs to know but its data directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The address that was asked for; the port may be 0.
    pub(crate) listen: SocketAddr,
    /// Where machines join as nodes, if they may; the port may be 0.
    #[serde(default)]
    pub(crate) node_listen: Option<SocketAddr>,
    /// Where the node's own state is kept; `None` for the default place.
    pub(crate) node_dir: Option<PathBuf>,
    /// The region that clients are given.
    pub(crate) region: Region,
    /// The account of the root key.
    pub(crate) account: AccountId,
    /// The base of URLs that are handed out; `None` to follow each request's Host header.
    pub(crate) public_url: Option<PublicUrl>,
    /// The log.
    pub(crate) log: Log,
    /// Fixed access keys beside the root key.
    pub(crate) access_keys: Vec<AccessKey>,
    /// What protects the port.
    pub(crate) tls: Tls,
    /// What a single client can take.
    pub(crate) limits: Limits,
    /// What the events of log groups may take of the disk.
    pub(crate) cloudwatch_logs: CloudWatchLogs,
    /// How registries elsewhere are reached.
    pub(crate) registries: Registries,
}

/// The log's form and volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) filter: LogFilter,
}

/// What protects the port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tls {
    /// Nothing: plain HTTP.
    Off,
    /// The operator's certificate chain and key, as PEM.
    Own { certificate: String, key: Secret },
    /// A certificate authority in the data directory, for these names beside the local ones.
    Generated { names: Vec<DnsName> },
}

impl Settings {
    /// Adds up flags (with their environment variables), configuration file and defaults. The data directory that was
    /// named comes beside the settings; `None` means the default one.
    ///
    /// # Errors
    /// When the configuration is wrong, a certificate file cannot be read, or the port would be open to the network
    /// without protection.
    pub(crate) fn resolve(place: &Place, flags: &Flags) -> Result<(Self, Option<PathBuf>)> {
        let config = place.config.as_deref().map(Config::read).transpose()?;
        let data_dir = place.data_dir.clone().or_else(|| config.as_ref().and_then(Config::data_dir));
        Ok((Self::combine(config.as_ref(), flags)?, absolute(data_dir)?))
    }

    /// What a configuration file alone comes to.
    ///
    /// # Errors
    /// As [`Settings::resolve`].
    pub(crate) fn check(config: &Config) -> Result<Self> {
        Self::combine(Some(config), &Flags::default())
    }

    fn combine(config: Option<&Config>, flags: &Flags) -> Result<Self> {
        let file = config.map(|config| &config.file);
        let flags = flags.clone();
        let account = flags.account.or(file.and_then(|f| f.account)).unwrap_or(AccountId::DEFAULT);
        let listen = flags.listen.or(file.and_then(|f| f.listen)).unwrap_or_default().0;
        let registries = config.map(Config::registries).unwrap_or_default();
        let registries = registries.with_environment(|name| std::env::var(name).ok());
        registries.remote().context("registries cannot be reached as the configuration or the environment says")?;
        let tls = config.map_or(Ok(Tls::Off), |config| load_tls(&config.tls))?;
        let plain_allowed = flags.allow_plain_http.or(file.and_then(|f| f.allow_plain_http)).unwrap_or(false);
        if tls == Tls::Off && !listen.ip().is_loopback() && !plain_allowed {
            bail!(
                "{listen} can be reached from other machines, and without TLS every secret would cross the network \
                 unencrypted: configure [tls] (`generate = true` needs nothing else), or, behind a proxy that ends TLS \
                 or in a private container network, set allow_plain_http = true (--allow-plain-http)"
            );
        }
        Ok(Self {
            listen,
            node_listen: flags.node_listen.or(file.and_then(|f| f.node_listen)).map(|listen| listen.0),
            node_dir: absolute(flags.node_dir.or_else(|| config.and_then(Config::node_dir)))?,
            account,
            region: flags.region.or_else(|| file.and_then(|f| f.region.clone())).unwrap_or_default(),
            public_url: flags.public_url.or_else(|| file.and_then(|f| f.public_url.clone())),
            log: Log {
                format: flags.log_format.or(file.and_then(|f| f.log.format)).unwrap_or_default(),
                filter: flags.log.or_else(|| file.and_then(|f| f.log.filter.clone())).unwrap_or_default(),
            },
            access_keys: config.map(|config| config.access_keys(account)).unwrap_or_default(),
            tls,
            limits: file.map(|f| f.limits.clone()).unwrap_or_default(),
            cloudwatch_logs: file.map(|f| f.cloudwatch_logs.clone()).unwrap_or_default(),
            registries,
        })
    }
}

fn absolute(path: Option<PathBuf>) -> Result<Option<PathBuf>> {
    path.map(|path| std::path::absolute(&path).with_context(|| format!("cannot find {}", path.display()))).transpose()
}

fn load_tls(choice: &TlsChoice) -> Result<Tls> {
    Ok(match choice {
        TlsChoice::Off => Tls::Off,
        TlsChoice::Generated { names } => Tls::Generated { names: names.clone() },
        TlsChoice::Own { certificate, key } => {
            let (certificate_text, key_text) = (read_pem(certificate)?, read_pem(key)?);
            crate::tls::check_own(&certificate_text, &key_text)
                .with_context(|| format!("{} and {} make no TLS identity", certificate.display(), key.display()))?;
            Tls::Own { certificate: certificate_text, key: Secret::new(key_text) }
        }
    })
}

fn read_pem(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if size > PEM_BYTES_MAX {
        bail!("{} has {size} bytes, which is too much for a PEM file", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(Path::new("/etc/pilvi.toml"), text).unwrap()
    }

    #[test]
    fn without_any_setting_the_defaults_hold() {
        let settings = Settings::combine(None, &Flags::default()).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:4566");
        assert_eq!((settings.region.as_str(), settings.account), ("us-east-1", AccountId::DEFAULT));
        assert_eq!(settings.tls, Tls::Off);
    }

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let config = config("region = \"eu-north-1\"\naccount = \"111122223333\"\n[log]\nfilter = \"debug\"\n");
        let flags = Flags { region: Some("eu-west-1".parse().unwrap()), ..Flags::default() };
        let settings = Settings::combine(Some(&config), &flags).unwrap();
        assert_eq!(settings.region.as_str(), "eu-west-1");
        assert_eq!(settings.account.as_str(), "111122223333");
        assert_eq!(settings.log.filter.to_string(), "debug");
    }

    #[test]
    fn a_port_open_to_the_network_needs_tls_or_an_explicit_word() {
        let open = "listen = \"0.0.0.0:4566\"\n";
        let refused = Settings::check(&config(open)).unwrap_err().to_string();
        assert!(refused.contains("allow_plain_http = true") && refused.contains("[tls]"), "{refused}");
        assert!(Settings::check(&config(&format!("{open}allow_plain_http = true\n"))).is_ok());
        assert!(Settings::check(&config(&format!("{open}[tls]\ngenerate = true\n"))).is_ok());
        let overruled = Flags { allow_plain_http: Some(false), ..Flags::default() };
        let file = config(&format!("{open}allow_plain_http = true\n"));
        assert!(Settings::combine(Some(&file), &overruled).is_err());
    }

    #[test]
    fn settings_survive_the_way_to_the_server_and_do_not_print_secrets() {
        let text = "[[access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\nsecret = \"wJalrXUtnFEMI/K7MDENG\"\n";
        let settings = Settings::check(&config(text)).unwrap();
        let sent = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&sent).unwrap(), settings);
        assert!(!format!("{settings:?}").contains("wJalr"));
    }
}
