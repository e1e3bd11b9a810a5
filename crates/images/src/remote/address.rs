//! Addresses: what they are made of, and which may be asked.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use http::Uri;

use super::{Quoted, RemoteError};

/// The longest address that is followed, in bytes. Signed addresses of storage services have one to two thousand.
const URL_LENGTH_MAX: usize = 16 * 1024;

/// Who is spoken to: what credentials and connections belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Origin {
    pub(super) encrypted: bool,
    /// In lower case, an address of IPv6 without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// What is asked for, and of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) origin: Origin,
    /// Path and query, which may hold a signature: no message repeats it.
    pub(super) target: String,
}

impl Origin {
    /// The origin of `host[:port]` as a reference names it.
    pub(super) fn of_host(text: &str, encrypted: bool) -> Option<Self> {
        let (host, port) = split_port(text)?;
        let port = port.unwrap_or(if encrypted { 443 } else { 80 });
        Some(Self { encrypted, host: host.to_ascii_lowercase(), port })
    }

    /// What is asked for there.
    pub(super) fn at(&self, target: impl Into<String>) -> Address {
        Address { origin: self.clone(), target: target.into() }
    }

    /// As a `Host` header has it.
    pub(super) fn authority(&self) -> String {
        let host = self.bracketed();
        let usual = if self.encrypted { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// With the port in any case, as `CONNECT` wants it.
    pub(super) fn authority_with_port(&self) -> String {
        format!("{}:{}", self.bracketed(), self.port)
    }

    pub(super) fn scheme(&self) -> &'static str {
        if self.encrypted { "https" } else { "http" }
    }

    /// For a message.
    pub(super) fn quoted(&self) -> Quoted {
        Quoted::new(&self.authority())
    }

    /// Whether its name says that it is this machine.
    pub(super) fn says_loopback(&self) -> bool {
        let named = self.host == "localhost" || self.host.ends_with(".localhost");
        named || self.ip().is_some_and(|ip| ip.to_canonical().is_loopback())
    }

    /// The address, if the host is one.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    fn bracketed(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.authority())
    }
}

impl Address {
    /// Reads a whole address. One with a name or password in it is none.
    pub(super) fn parse(url: &str) -> Result<Self, RemoteError> {
        Self::read(url).ok_or_else(|| RemoteError::Address { url: without_query(url) })
    }

    fn read(url: &str) -> Option<Self> {
        if url.len() > URL_LENGTH_MAX {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let encrypted = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?.as_str();
        let origin = (!authority.contains('@')).then(|| Origin::of_host(authority, encrypted))??;
        let target = uri.path_and_query().map_or("/", |it| it.as_str());
        let slash = if target.starts_with('/') { "" } else { "/" };
        Some(Self { origin, target: format!("{slash}{target}") })
    }

    /// What a `Location` that was found here leads to.
    pub(super) fn join(&self, location: &str) -> Result<Self, RemoteError> {
        let directory = || {
            let path = self.target.split('?').next().unwrap_or_default();
            path.rsplit_once('/').map_or("", |(directory, _)| directory)
        };
        let scheme = location.split_once(':').map_or("", |(scheme, _)| scheme);
        let is_whole = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        let whole = match location {
            _ if is_whole => location.to_owned(),
            _ if location.starts_with("//") => format!("{}:{location}", self.origin.scheme()),
            _ if location.starts_with('/') => format!("{}{location}", self.origin),
            _ if location.starts_with('?') => {
                format!("{}{}{location}", self.origin, self.target.split('?').next().unwrap_or_default())
            }
            _ => format!("{}{}/{location}", self.origin, directory()),
        };
        Self::parse(&whole)
    }
}

/// An address for a message: queries hold signatures and names before an `@` passwords.
pub(super) fn without_query(url: &str) -> Quoted {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let plain = match (plain.find("://"), plain.rfind('@')) {
        (Some(start), Some(at)) if start < at => format!("{}://***{}", &plain[..start], &plain[at..]),
        (None, Some(at)) => format!("***{}", &plain[at..]),
        _ => plain.to_owned(),
    };
    Quoted::new(&plain)
}

/// Host, without brackets, and port of `host[:port]`.
pub(super) fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_name = |host: &str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    let is_host = !host.is_empty() && (text.starts_with('[') || is_name(host));
    let is_number = |port: &str| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|_| is_number(port))?),
        None => None,
    };
    is_host.then_some((host, port))
}

/// Which addresses may be asked, and where one may lead.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    /// Hosts, with or without a port, in lower case: those that are spoken to without TLS …
    pub(super) plain: BTreeSet<String>,
    /// … and those that may lead to this machine.
    pub(super) inward: BTreeSet<String>,
}

impl Rules {
    /// Whether the origin may be spoken to without TLS.
    pub(super) fn may_be_plain(&self, origin: &Origin) -> bool {
        origin.says_loopback() || is_listed(&self.plain, origin)
    }

    /// Whether it was said to be spoken to without TLS.
    pub(super) fn is_plain(&self, host: &str) -> bool {
        Origin::of_host(host, false).is_some_and(|origin| is_listed(&self.plain, &origin))
    }

    /// Whether an answer of one may lead to the other: never from TLS to none, never inward from elsewhere.
    pub(super) fn may_lead(&self, from: &Origin, to: &Origin) -> bool {
        let keeps_secret = to.encrypted || (!from.encrypted && self.may_be_plain(to));
        keeps_secret && (!to.says_loopback() || from.says_loopback() || is_listed(&self.inward, to))
    }

    /// Whether a connection to the origin may be one to this address.
    pub(super) fn may_reach(&self, origin: &Origin, ip: IpAddr) -> bool {
        let said = origin.says_loopback() && ip.to_canonical().is_loopback();
        !is_own(ip) || said || is_listed(&self.inward, origin)
    }
}

fn is_listed(list: &BTreeSet<String>, origin: &Origin) -> bool {
    let with_port = format!("{}:{}", origin.bracketed(), origin.port);
    list.contains(&origin.bracketed()) || list.contains(&with_port)
}

/// Whether an address is this machine's or leads no further than its own link, where clouds keep their instances' secrets.
fn is_own(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let is_this_network = ip.octets()[0] == 0;
            ip.is_loopback() || ip.is_link_local() || is_this_network || ip.is_multicast() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => {
            // The clouds' own addresses for it, too: fd00:ec2::254.
            let is_metadata = ip.segments()[..2] == [0xfd00, 0x0ec2];
            let embedded = ip.to_ipv4().is_some_and(|v4| is_own(IpAddr::V4(v4)));
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unicast_link_local()
                || is_metadata
                || embedded
        }
    }
}

#[cfg(test)]
mod tests;
