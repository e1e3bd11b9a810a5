//! Ports of the host: wished, found, and kept from others.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

use workload::{PortBinding, PortProtocol, PublishedPort};

use crate::Error;

/// A socket that has a port of the host, so that nobody else thinks that it is free. The proxy serves through it; where nft leads
/// packets away before they come to a socket, nothing ever arrives.
#[derive(Debug)]
pub(crate) enum Hold {
    Tcp(TcpListener),
    Udp(UdpSocket),
}

impl Hold {
    fn take(address: Ipv4Addr, port: u16, protocol: PortProtocol) -> std::io::Result<Self> {
        let at = SocketAddrV4::new(address, port);
        match protocol {
            PortProtocol::Tcp => {
                let listener = TcpListener::bind(at)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(listener))
            }
            PortProtocol::Udp => {
                let socket = UdpSocket::bind(at)?;
                socket.set_nonblocking(true)?;
                Ok(Self::Udp(socket))
            }
        }
    }
}

/// Finds free ports of a range, one after the other.
#[derive(Debug)]
pub(crate) struct Finder {
    range: [u16; 2],
    address: Ipv4Addr,
    next: AtomicU16,
}

impl Finder {
    /// In a range; `address` is for ports that name none.
    pub(crate) fn new(range: [u16; 2], address: Ipv4Addr) -> Self {
        Self { range, address, next: AtomicU16::new(0) }
    }

    /// Takes the ports that a workload wishes.
    pub(crate) fn take(&self, wished: &[PublishedPort]) -> Result<Vec<(PortBinding, Hold)>, Error> {
        wished.iter().map(|port| self.take_one(port)).collect()
    }

    fn take_one(&self, wished: &PublishedPort) -> Result<(PortBinding, Hold), Error> {
        let address = wished.host_address.unwrap_or(self.address);
        let (host_port, hold) = match wished.host_port {
            0 => self.find(address, wished.protocol)?,
            port => (port, take(address, port, wished.protocol)?),
        };
        let binding = PortBinding {
            container_port: wished.container_port,
            host_port,
            host_address: address,
            protocol: wished.protocol,
        };
        Ok((binding, hold))
    }

    fn find(&self, address: Ipv4Addr, protocol: PortProtocol) -> Result<(u16, Hold), Error> {
        let [first, last] = self.range;
        let size = u32::from(last - first) + 1;
        for _ in 0..size {
            let step = u32::from(self.next.fetch_add(1, Ordering::Relaxed)) % size;
            let port = first + u16::try_from(step).expect("a step is below the range's size, which is of 16 bits");
            match take(address, port, protocol) {
                Ok(hold) => return Ok((port, hold)),
                Err(Error::PortTaken { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::NoPort { address, range: self.range })
    }
}

/// Takes a port.
pub(crate) fn take(address: Ipv4Addr, port: u16, protocol: PortProtocol) -> Result<Hold, Error> {
    Hold::take(address, port, protocol).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Error::PortTaken { address, port, protocol },
        _ => Error::io(format!("take port {port} of {address}"))(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(host_port: u16, protocol: PortProtocol) -> PublishedPort {
        PublishedPort { container_port: 80, host_port, host_address: None, protocol }
    }

    #[test]
    fn a_port_is_given_once_and_is_free_again_when_dropped() {
        let finder = Finder::new([40_000, 65_535], Ipv4Addr::LOCALHOST);
        let taken = finder.take(&[wish(0, PortProtocol::Tcp)]).unwrap();
        let port = taken[0].0.host_port;
        assert!(matches!(finder.take(&[wish(port, PortProtocol::Tcp)]), Err(Error::PortTaken { .. })));
        drop(taken);
        assert!(finder.take(&[wish(port, PortProtocol::Tcp)]).is_ok());
    }

    #[test]
    fn a_range_without_a_free_port_says_so() {
        let holder = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let finder = Finder::new([port, port], Ipv4Addr::LOCALHOST);
        assert!(matches!(finder.take(&[wish(0, PortProtocol::Udp)]), Err(Error::NoPort { .. })));
    }
}
