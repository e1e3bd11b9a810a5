//! What can go wrong with a remote registry.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Digest, Error, Reference};

/// Why an image was not fetched. What a registry said is quoted within bounds and with control characters escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address is none that may be asked: another scheme than https, plain http to another machine, a name or password
    /// in it.
    #[error("{url} is not an address that may be asked: it is not https, and plain HTTP to it is not configured")]
    Address {
        /// Which.
        url: Quoted,
    },
    /// A name that does not say so leads to this machine or its own link.
    #[error("{host} leads to {ip}, which is this machine or its own link")]
    Inward {
        /// Which.
        host: Quoted,
        /// Where it leads to.
        ip: IpAddr,
    },
    /// The address of a host cannot be found.
    #[error("the address of {host} cannot be found")]
    Lookup {
        /// Which.
        host: Quoted,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is no connection.
    #[error("connecting to {host} failed")]
    Connect {
        /// To which.
        host: Quoted,
        /// What the operating system, or TLS, said.
        source: io::Error,
    },
    /// A server's certificate is not trusted.
    #[error("the certificate of {host} is not trusted: {reason}")]
    Certificate {
        /// Whose.
        host: Quoted,
        /// Why.
        reason: Quoted,
    },
    /// A proxy did not let the connection through.
    #[error("the proxy {proxy} answered {status} when asked for {host}")]
    Proxy {
        /// Which, without its password.
        proxy: Quoted,
        /// To which host.
        host: Quoted,
        /// Its status.
        status: u16,
    },
    /// The exchange broke off.
    #[error("the exchange with {host} broke off")]
    Exchange {
        /// With which.
        host: Quoted,
        /// How.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something took too long.
    #[error("{host} took too long {waiting_for}")]
    TimedOut {
        /// Which.
        host: Quoted,
        /// For what.
        waiting_for: &'static str,
    },
    /// The answer is too long, or not as long as it says.
    #[error("{host} sent {what}")]
    Length {
        /// Which.
        host: Quoted,
        /// What.
        what: &'static str,
    },
    /// Sent on to another address too often, or to none.
    #[error("{host} leads through too many redirections, or to none that may be followed")]
    Redirects {
        /// Which.
        host: Quoted,
    },
    /// The registry wants other credentials, or some.
    #[error("{host} lets nobody in with {credentials}{message}")]
    Unauthorized {
        /// Which.
        host: Quoted,
        /// With what.
        credentials: &'static str,
        /// What it said.
        message: Said,
    },
    /// Whoever asks may not have it.
    #[error("{host} denies it{message}")]
    Denied {
        /// Which.
        host: Quoted,
        /// What it said.
        message: Said,
    },
    /// The registry does not have it.
    #[error("{host} does not have {what}{message}")]
    NotFound {
        /// Which.
        host: Quoted,
        /// What.
        what: String,
        /// What it said.
        message: Said,
    },
    /// Too much was asked for.
    #[error("{host} wants to be asked later{}{message}", after(*retry_after))]
    RateLimited {
        /// Which.
        host: Quoted,
        /// After how long, if it said.
        retry_after: Option<Duration>,
        /// What it said.
        message: Said,
    },
    /// An answer that says neither yes nor no.
    #[error("{host} answered {status}{message}")]
    Status {
        /// Which.
        host: Quoted,
        /// What.
        status: u16,
        /// What it said.
        message: Said,
    },
    /// The answer lacks something, or cannot be understood.
    #[error("the answer of {host} is not to be understood: {what}")]
    Answer {
        /// Which.
        host: Quoted,
        /// What is wrong.
        what: &'static str,
    },
    /// Something else came than was asked for.
    #[error("{host} was asked for {expected}, and {found} came")]
    Mismatch {
        /// Which.
        host: Quoted,
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Box<Digest>,
    },
    /// A blob is larger than is taken.
    #[error("the blob {digest} is said to have {size} bytes, and {size_max} is the most")]
    TooLarge {
        /// Which.
        digest: Digest,
        /// How large it is said to be, in bytes.
        size: u64,
        /// The limit, in bytes.
        size_max: u64,
    },
    /// A document of the image is refused, or nothing in it is for this machine.
    #[error(transparent)]
    Image(#[from] Error),
    /// The disk is full. What came is kept for another time.
    #[error("no space is left for images")]
    Full,
    /// What came cannot be kept.
    #[error("keeping the blob {digest} failed")]
    Sink {
        /// Which.
        digest: Digest,
        /// What the disk said.
        source: io::Error,
    },
    /// The authorities cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The runtime stops.
    #[error("the pull was stopped")]
    Stopped,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A proxy is no address.
    #[error("{variable} is no address of a proxy: `http://` or `https://`, a host and a port are")]
    Proxy {
        /// Where it was named.
        variable: String,
    },
    /// A mirror is no address.
    #[error("the mirror {text:?} is no address: a host, optionally with a port, a path, and `http://` or `https://`")]
    Mirror {
        /// What was named.
        text: String,
    },
    /// A file of authorities cannot be read.
    #[error("the certificate authorities in {} cannot be read", path.display())]
    Authorities {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds no certificate.
    #[error("there is no certificate authority in {}", path.display())]
    NoAuthority {
        /// Which.
        path: PathBuf,
    },
    /// The registry of a reference cannot be part of an address.
    #[error("{reference} names no registry that can be asked")]
    Reference {
        /// Which.
        reference: Box<Reference>,
    },
}

/// A text of somebody else, short and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(String);

/// What a registry said beside its status, if it said something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said(Option<Quoted>);

/// The longest quotation, in characters.
const QUOTED_LENGTH_MAX: usize = 300;

impl Quoted {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.chars().take(QUOTED_LENGTH_MAX).flat_map(escaped).collect())
    }
}

fn escaped(character: char) -> impl Iterator<Item = char> {
    let is_plain = !character.is_control() && (character.is_ascii() || character.is_alphanumeric());
    let plain = is_plain.then_some(character);
    let escape = (!is_plain).then(|| character.escape_default());
    plain.into_iter().chain(escape.into_iter().flatten())
}

impl Said {
    pub(crate) fn new(text: &str) -> Self {
        Self((!text.is_empty()).then(|| Quoted::new(text)))
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |said| write!(f, ": {said}"))
    }
}

fn after(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |after| format!(", in {} s", after.as_secs()))
}
