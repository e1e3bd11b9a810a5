//! IP addresses and subnets, for the functions that test them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address range in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subnet {
    V4 { network: u32, mask: u32 },
    V6 { network: u128, mask: u128 },
}

impl Subnet {
    /// Reads `10.0.0.0/8` or `2001:db8::/32`.
    pub(super) fn parse(text: &str) -> Option<Subnet> {
        let (address, length) = text.split_once('/')?;
        let length: u32 = length.parse().ok()?;
        match address.parse().ok()? {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32u32.checked_sub(length)?).unwrap_or(0);
                Some(Subnet::V4 { network: u32::from(address) & mask, mask })
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128u32.checked_sub(length)?).unwrap_or(0);
                Some(Subnet::V6 { network: u128::from(address) & mask, mask })
            }
        }
    }

    /// Whether an address is in it; one of the other version is not.
    pub(super) fn has(self, address: IpAddr) -> bool {
        match (self, address) {
            (Subnet::V4 { network, mask }, IpAddr::V4(address)) => u32::from(address) & mask == network,
            (Subnet::V6 { network, mask }, IpAddr::V6(address)) => u128::from(address) & mask == network,
            _ => false,
        }
    }

    pub(super) fn is_v4(self) -> bool {
        matches!(self, Subnet::V4 { .. })
    }
}

/// Whether a text is an IPv4 address.
pub(super) fn is_v4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// Whether a text is an IPv6 address.
pub(super) fn is_v6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}
