//! How a node's network is set up.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, limits};

/// How a node's network is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the names of everything here are made of: 8 lowercase hexadecimal digits, the node's own.
    pub tag: String,
    /// Where the records are kept; made if nothing is there. Nobody but the node can read or write it.
    pub directory: PathBuf,
    /// The addresses; the first /20 in 10.88.0.0–10.127.255.255 and 172.16.0.0–172.31.255.255 to which the host has no route, if none
    /// are given.
    pub subnet: Option<Subnet>,
    /// Where published ports listen that name no address.
    pub publish_address: Ipv4Addr,
    /// The host's ports, first and last, of which a workload without a wish gets one.
    pub port_range: [u16; 2],
    /// The name servers that questions are passed on to; those of the host's `/etc/resolv.conf`, if none are given.
    pub upstreams: Option<Vec<SocketAddr>>,
    /// Where no workload may connect to, beside what none ever may.
    pub denied: Vec<Subnet>,
    /// How many namespaces are kept wired for workloads to come.
    pub pool: usize,
    /// Whether nft is used where it is there.
    pub nft: bool,
}

impl Settings {
    /// The usual settings: published ports at loopback, a pool, nft where it is there.
    pub fn new(tag: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        Self {
            tag: tag.into(),
            directory: directory.into(),
            subnet: None,
            publish_address: Ipv4Addr::LOCALHOST,
            port_range: limits::PORT_RANGE_DEFAULT,
            upstreams: None,
            denied: Vec::new(),
            pool: limits::POOL_DEFAULT,
            nft: true,
        }
    }

    /// Checks what can be checked without the machine.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let refuse = |problem: &str| Err(Error::Settings { problem: problem.to_owned() });
        if self.tag.len() != 8 || !self.tag.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return refuse("the tag must be 8 lowercase hexadecimal digits");
        }
        if self.port_range[0] == 0 || self.port_range[0] > self.port_range[1] {
            return refuse("the range of ports must begin above 0 and not end before it begins");
        }
        if self.subnet.is_some_and(|subnet| !(16..=28).contains(&subnet.prefix)) {
            return refuse("the subnet must have a prefix of 16 to 28 bits");
        }
        if self.pool > limits::POOL_MAX || self.denied.len() > limits::DENIED_MAX {
            return refuse("the pool or the list of denied destinations is too big");
        }
        Ok(())
    }
}

/// A range of addresses: `10.88.16.0/20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    first: Ipv4Addr,
    prefix: u8,
}

impl Subnet {
    /// The range in which `address` is, of those whose first `prefix` bits are fixed; at most 32.
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        Self { first: Ipv4Addr::from_bits(address.to_bits() & mask(prefix)), prefix }
    }

    /// The first address.
    pub fn first(self) -> Ipv4Addr {
        self.first
    }

    /// How many bits all its addresses have in common.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// How many addresses it has.
    pub fn size(self) -> u64 {
        1 << (32 - u32::from(self.prefix))
    }

    /// The address at a place; the first one's is 0.
    pub fn at(self, place: u32) -> Option<Ipv4Addr> {
        (u64::from(place) < self.size()).then(|| Ipv4Addr::from_bits(self.first.to_bits() | place))
    }

    /// Whether an address is one of it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.prefix) == self.first.to_bits()
    }

    /// Whether the two have addresses in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let (first, prefix) = (address.parse().ok()?, prefix.parse().ok().filter(|prefix| *prefix <= 32)?);
            Some(Self { first, prefix }).filter(|subnet| Self::containing(first, prefix) == *subnet)
        });
        parsed.ok_or_else(|| Error::Settings {
            problem: format!("`{text}` is no range of addresses such as 10.88.16.0/20"),
        })
    }
}

impl TryFrom<String> for Subnet {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_is_read_and_written_alike() {
        for text in ["10.88.16.0/20", "0.0.0.0/0", "192.0.2.1/32"] {
            assert_eq!(subnet(text).to_string(), text);
        }
    }

    #[test]
    fn a_range_that_begins_in_the_middle_is_refused() {
        for text in ["10.88.16.1/20", "10.88.16.0/33", "10.88.16.0", "10.88.16.0/-1", "a/20", "10.88.16.0/20/1"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_have_places() {
        assert_eq!(subnet("10.88.16.0/20").at(258), Some(Ipv4Addr::new(10, 88, 17, 2)));
        assert_eq!(subnet("10.88.16.0/20").at(4096), None);
        assert!(subnet("10.88.16.0/20").contains(Ipv4Addr::new(10, 88, 31, 255)));
        assert!(!subnet("10.88.16.0/20").contains(Ipv4Addr::new(10, 88, 32, 0)));
    }

    #[test]
    fn a_range_overlaps_what_is_within_it_and_what_it_is_within() {
        assert!(subnet("10.0.0.0/8").overlaps(subnet("10.88.16.0/20")));
        assert!(subnet("10.88.16.0/20").overlaps(subnet("10.0.0.0/8")));
        assert!(!subnet("10.88.16.0/20").overlaps(subnet("10.88.32.0/20")));
    }
}
