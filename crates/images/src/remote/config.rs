//! How registries are reached.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::{Clock, Rng, SystemClock, SystemRng};

use super::address::split_port;
use super::{ConfigError, Credentials, Proxies};

/// Where a bundle of authorities is named by those who have one of their own (OpenSSL's variable).
const CA_FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// How registries are reached. The default goes straight to them, trusts whom the machine trusts, and takes plain HTTP from
/// this machine alone.
#[derive(Debug, Clone)]
pub struct Config {
    /// For a registry as references name it (`docker.io`, `registry.example:5000`) the places that are asked before it, the
    /// first first.
    pub mirrors: BTreeMap<String, Vec<Mirror>>,
    /// Hosts, with a port or on all ports, that are spoken to without TLS. This machine's own (`localhost`, 127.0.0.0/8,
    /// `::1`) need not be named: they are tried with TLS first.
    pub plain_http: BTreeSet<String>,
    /// Hosts, with a port or on all ports, that may lead to this machine or its own link although their name does not say so,
    /// and to which registries elsewhere may lead. Mirrors and hosts of `plain_http` need not be named.
    pub inward: BTreeSet<String>,
    /// Whom to trust.
    pub authorities: Authorities,
    /// What connections go through.
    pub proxies: Proxies,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How much things may cost.
    pub limits: RemoteLimits,
    /// What tells how far off a date is that a registry names.
    pub clock: Arc<dyn Clock>,
    /// What keeps many who wait from asking again at the same moment.
    pub rng: Arc<dyn Rng>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mirrors: BTreeMap::new(),
            plain_http: BTreeSet::new(),
            inward: BTreeSet::new(),
            authorities: Authorities::default(),
            proxies: Proxies::default(),
            timeouts: Timeouts::default(),
            limits: RemoteLimits::default(),
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        }
    }
}

impl Config {
    /// The default with what the environment says: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` in capitals or not, and
    /// `SSL_CERT_FILE`.
    ///
    /// # Errors
    /// [`ConfigError::Proxy`] if one of them is no proxy that can be used.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let bundle = variable(CA_FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let authorities = Authorities { bundle, ..Authorities::default() };
        Ok(Self { authorities, proxies: Proxies::from_environment(variable)?, ..Self::default() })
    }
}

/// The certificate authorities that servers are known by. They are read when the first one is connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authorities {
    /// A file of certificates in PEM that takes the place of the machine's own.
    pub bundle: Option<PathBuf>,
    /// Files of certificates in PEM that are trusted as well.
    pub extra: Vec<PathBuf>,
}

/// A place that has the images of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Whether it is reached without TLS. This machine's own and those of [`Config::plain_http`] are reached so, too.
    pub(crate) plain: bool,
    /// Host, and port if one was named.
    pub(crate) host: String,
    /// What comes before the name of each repository, without slashes around; empty if nothing does.
    pub(crate) prefix: String,
    /// Who asks. What is known for the registry itself is never sent to a mirror.
    pub(crate) credentials: Option<Credentials>,
}

impl Mirror {
    /// Reads `mirror.example`, `mirror.example:5000/proxied/docker`, `https://…` or `http://…`: what follows the host comes
    /// before the name of each repository.
    ///
    /// # Errors
    /// [`ConfigError::Mirror`] if it is none of these.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let wrong = || ConfigError::Mirror { text: text.chars().take(NAMED_LENGTH_MAX).collect() };
        let (plain, rest) = match text.split_once("://") {
            Some(("http", rest)) => (true, rest),
            Some(("https", rest)) => (false, rest),
            Some(_) => return Err(wrong()),
            None => (false, text),
        };
        let (host, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let is_path = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-/".contains(&b);
        if split_port(host).is_none() || !prefix.bytes().all(is_path) || prefix.split('/').any(|it| it == "..") {
            return Err(wrong());
        }
        Ok(Self { plain, host: host.to_owned(), prefix: prefix.to_owned(), credentials: None })
    }

    /// With somebody who asks.
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self { credentials: Some(credentials), ..self }
    }
}

/// How much of a setting an error repeats, in characters.
pub(super) const NAMED_LENGTH_MAX: usize = 200;

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Finding a host, connecting, going through a proxy and agreeing on TLS, together. By default 20 s.
    pub connect: Duration,
    /// From a request to the head of its answer. By default 60 s.
    pub head: Duration,
    /// Between two pieces of an answer. By default 30 s.
    pub idle: Duration,
    /// A whole document: manifest, configuration, token. By default 120 s.
    pub document: Duration,
    /// Before the first retry; each further one waits twice as long. By default 500 ms.
    pub retry_first: Duration,
    /// The longest wait before a retry, if the registry does not ask for more. By default 15 s.
    pub retry_longest: Duration,
    /// The longest wait that a registry can ask for (`Retry-After`); if it asks for more the pull fails. By default 60 s.
    pub retry_after_longest: Duration,
    /// How long a connection that is not used is kept. By default 30 s.
    pub keep: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            head: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            document: Duration::from_secs(120),
            retry_first: Duration::from_millis(500),
            retry_longest: Duration::from_secs(15),
            retry_after_longest: Duration::from_secs(60),
            keep: Duration::from_secs(30),
        }
    }
}

/// How much things may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteLimits {
    /// How many blobs are fetched at a time, of all images together. Each takes a thread and about 2 MiB. By default 6.
    pub downloads: usize,
    /// How many blobs of one image are fetched at a time. By default 4.
    pub downloads_of_image: usize,
    /// How often a request is tried in vain; one that brought a MiB was not in vain. By default 6.
    pub attempts: u32,
    /// The least speed of a blob, in bytes a second, over [`RemoteLimits::slow_window`]. By default 2 KiB/s.
    pub speed_least: u64,
    /// What the speed is measured over. By default 60 s.
    pub slow_window: Duration,
    /// How often one request is sent on to another address. By default 6.
    pub redirects: u32,
    /// The largest blob, in bytes. By default [`crate::LAYER_BYTES_MAX`].
    pub blob_bytes: u64,
}

impl Default for RemoteLimits {
    fn default() -> Self {
        Self {
            downloads: 6,
            downloads_of_image: 4,
            attempts: 6,
            speed_least: 2 * 1024,
            slow_window: Duration::from_secs(60),
            redirects: 6,
            blob_bytes: crate::LAYER_BYTES_MAX,
        }
    }
}
