//! Proxies, as the environment names them.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::ConfigError;
use super::address::{Origin, split_port};

/// What connections go through. Nothing that is on this machine goes through a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For addresses with TLS, which goes through the proxy unopened (`CONNECT`).
    pub https: Option<Proxy>,
    /// For addresses without.
    pub http: Option<Proxy>,
    /// For which hosts none is used.
    pub except: Exceptions,
}

/// A proxy that speaks HTTP.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) origin: Origin,
    /// The value of `Proxy-Authorization`.
    pub(super) authorization: Option<Zeroizing<String>>,
}

/// The hosts that are reached without a proxy, as `NO_PROXY` lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exceptions(Vec<Exception>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exception {
    Everything,
    /// A domain with all below it, or with a dot before it those below it alone; on all ports or one.
    Domain {
        name: String,
        port: Option<u16>,
    },
    /// The addresses that begin with so many bits of this one.
    Network {
        ip: IpAddr,
        bits: u32,
        port: Option<u16>,
    },
}

impl Proxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, for both else `ALL_PROXY`, and `NO_PROXY`; each in small letters first, as curl does.
    ///
    /// # Errors
    /// [`ConfigError::Proxy`] if one is no address of a proxy that speaks HTTP.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let find = |name: &str| {
            let lower = name.to_ascii_lowercase();
            let given = variable(&lower).filter(|value| !value.is_empty()).map(|value| (lower, value));
            given.or_else(|| variable(name).filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value)))
        };
        let proxy = |name: &str| {
            let found = find(name).or_else(|| find("ALL_PROXY"));
            found.map(|(variable, value)| Proxy::read(&value).ok_or(ConfigError::Proxy { variable })).transpose()
        };
        let except = find("NO_PROXY").map_or_else(Exceptions::default, |(_, list)| Exceptions::parse(&list));
        Ok(Self { https: proxy("HTTPS_PROXY")?, http: proxy("HTTP_PROXY")?, except })
    }

    /// The proxy on the way to an origin.
    pub(super) fn on_the_way_to(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = if origin.encrypted { self.https.as_ref() } else { self.http.as_ref() };
        proxy.filter(|_| !origin.says_loopback() && !self.except.covers(origin))
    }
}

impl Proxy {
    /// Reads `http://proxy.example:3128`, `https://name:password@proxy.example` or the like; `http` is the default.
    ///
    /// # Errors
    /// [`ConfigError::Proxy`] if it is no such address.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::read(text).ok_or_else(|| ConfigError::Proxy { variable: "the proxy".to_owned() })
    }

    fn read(text: &str) -> Option<Self> {
        let (encrypted, rest) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some(_) => return None,
            None => (false, text),
        };
        let rest = rest.split(['/', '?', '#']).next()?;
        let (user, host) = match rest.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest),
        };
        let authorization = user.map(basic).transpose().ok()?;
        Some(Self { origin: Origin::of_host(host, encrypted)?, authorization })
    }
}

/// The header for `name:password`, both in the escapes of an address.
fn basic(user: &str) -> Result<Zeroizing<String>, std::string::FromUtf8Error> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let plain = Zeroizing::new(format!("{}:{}", unescaped(name)?, unescaped(password)?));
    Ok(Zeroizing::new(format!("Basic {}", BASE64_STANDARD.encode(plain.as_bytes()))))
}

fn unescaped(text: &str) -> Result<String, std::string::FromUtf8Error> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%').then(|| after.get(..2).and_then(|digits| hex::decode(digits).ok())).flatten();
        match escaped {
            Some(byte) => {
                bytes.extend(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes)
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({})", self.origin)
    }
}

impl Exceptions {
    /// Reads a list: names of domains, addresses, networks (`10.0.0.0/8`), each with a port or without, and `*`. What is none
    /// of these is left out, as everybody does it.
    pub fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(|entry| Exception::parse(entry.trim())).collect())
    }

    fn covers(&self, origin: &Origin) -> bool {
        self.0.iter().any(|exception| exception.covers(origin))
    }
}

impl Exception {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some((ip, bits)) = entry.split_once('/') {
            let (ip, bits): (IpAddr, u32) = (ip.parse().ok()?, bits.parse().ok()?);
            return (bits <= width(ip)).then_some(Self::Network { ip, bits, port: None });
        }
        if let Ok(ip) = entry.parse::<IpAddr>() {
            return Some(Self::Network { ip, bits: width(ip), port: None });
        }
        let (name, port) = split_port(entry.strip_prefix("*").unwrap_or(entry))?;
        match name.parse::<IpAddr>() {
            Ok(ip) => Some(Self::Network { ip, bits: width(ip), port }),
            Err(_) => Some(Self::Domain { name: name.to_ascii_lowercase(), port }),
        }
    }

    fn covers(&self, origin: &Origin) -> bool {
        match self {
            Self::Everything => true,
            Self::Domain { name, port } => {
                let host = origin.host.trim_end_matches('.');
                let is_below = |name: &str| host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
                let is_covered = match name.strip_prefix('.') {
                    Some(name) => is_below(name),
                    None => host == name || is_below(name),
                };
                is_covered && port.is_none_or(|port| port == origin.port)
            }
            Self::Network { ip, bits, port } => {
                let is_within = origin.ip().is_some_and(|host| is_within(host.to_canonical(), *ip, *bits));
                is_within && port.is_none_or(|port| port == origin.port)
            }
        }
    }
}

fn width(ip: IpAddr) -> u32 {
    if ip.is_ipv4() { 32 } else { 128 }
}

fn is_within(ip: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            (ip.to_bits() ^ network.to_bits()) & mask == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            (ip.to_bits() ^ network.to_bits()) & mask == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
