//! The link-local sockets of a namespace.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};

use crate::Error;
use crate::link;
use crate::netlink::Socket;
use crate::nf::{Batch, Family, Header, Rule};

/// Where local services and the endpoint are: the address that ECS gives credentials at.
pub(crate) const SERVICES: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
/// Where the resolver is: the address that a VPC's is at.
pub(crate) const RESOLVER: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);

const SERVICES_PORT: u16 = 80;
const ENDPOINT_PORT: u16 = 4566;
const RESOLVER_PORT: u16 = 53;

/// Ports at which the sockets really listen: above those that the kernel gives to outgoing connections (`ip_local_port_range`), so
/// that only a program which names one of them can be in the way; then the next ones are tried.
const HIDDEN_PORTS: [u16; 8] = [64_080, 64_180, 64_280, 64_380, 64_480, 64_580, 64_680, 64_780];

/// `NF_IP_PRI_MANGLE`: before what a privileged container may have of its own to filter with.
const PRIORITY: i32 = -150;
const TABLE: &str = "pilvi";
const CHAIN: &str = "services";
const TCP: u8 = 6;
const UDP: u8 = 17;

/// Whether a namespace had such sockets before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Age {
    New,
    Old,
}

/// The link-local sockets of a namespace.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) services: TcpListener,
    pub(crate) services_at: SocketAddrV4,
    pub(crate) endpoint: TcpListener,
    pub(crate) endpoint_at: SocketAddrV4,
    pub(crate) questions: UdpSocket,
    pub(crate) question_streams: TcpListener,
}

/// Gives the calling thread's namespace its loopback with the link-local addresses.
pub(crate) fn set_up_loopback(socket: &mut Socket) -> Result<(), Error> {
    let failed = |what: &str| Error::io(format!("{what} of a workload's loopback"));
    link::set_up(socket, link::LOOPBACK).map_err(failed("setting up"))?;
    for address in [SERVICES, RESOLVER] {
        link::add_address(socket, link::LOOPBACK, address).map_err(failed("an address"))?;
    }
    Ok(())
}

/// Makes the sockets in the calling thread's namespace.
///
/// A socket that listens at an address's port keeps everybody from listening at that port of every address, which is what most servers
/// do. So the sockets listen elsewhere, and packets to and from the well-known ports are rewritten. Where the kernel cannot, they listen
/// at the well-known ports.
pub(crate) fn open(age: Age) -> Result<Sockets, Error> {
    let mut taken = None;
    for base in HIDDEN_PORTS {
        match open_at([base, base + 1, base + 2]) {
            Ok(sockets) => {
                return match rewrite([base, base + 1, base + 2], age) {
                    Ok(()) => Ok(sockets),
                    Err(_) => {
                        drop(sockets);
                        open_at([SERVICES_PORT, ENDPOINT_PORT, RESOLVER_PORT])
                    }
                };
            }
            Err(error) => taken = Some(error),
        }
    }
    Err(taken.expect("there are hidden ports, so one of them failed"))
}

fn open_at([services, endpoint, resolver]: [u16; 3]) -> Result<Sockets, Error> {
    let listen = |address: Ipv4Addr, port: u16| {
        TcpListener::bind((address, port))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(Error::io(format!("listen at {address}:{port} in a workload's namespace")))
    };
    let questions = UdpSocket::bind((RESOLVER, resolver))
        .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
        .map_err(Error::io("open the resolver's socket in a workload's namespace"))?;
    Ok(Sockets {
        services: listen(SERVICES, services)?,
        services_at: SocketAddrV4::new(SERVICES, SERVICES_PORT),
        endpoint: listen(SERVICES, endpoint)?,
        endpoint_at: SocketAddrV4::new(SERVICES, ENDPOINT_PORT),
        questions,
        question_streams: listen(RESOLVER, resolver)?,
    })
}

/// Rewrites the ports of packets to and from the sockets. It needs no connection tracking: each packet tells all.
fn rewrite([services, endpoint, resolver]: [u16; 3], age: Age) -> std::io::Result<()> {
    let pairs = [
        (SERVICES, TCP, SERVICES_PORT, services),
        (SERVICES, TCP, ENDPOINT_PORT, endpoint),
        (RESOLVER, TCP, RESOLVER_PORT, resolver),
        (RESOLVER, UDP, RESOLVER_PORT, resolver),
    ];
    let batch = Batch::new(Family::Ip, TABLE);
    let batch = if age == Age::Old { batch.without_table() } else { batch };
    let mut batch = batch.table().output_chain(CHAIN, PRIORITY);
    for (address, protocol, known, hidden) in pairs {
        let checksum = if protocol == TCP { 16 } else { 6 };
        let [source, destination] = [(12, 0, hidden, known), (16, 2, known, hidden)].map(|(at, port_at, from, to)| {
            Rule::default()
                .equals(Header::Network, at, &address.octets())
                .equals(Header::Network, 9, &[protocol])
                .equals(Header::Transport, port_at, &u16::to_be_bytes(from))
                .write(port_at, &u16::to_be_bytes(to), checksum)
        });
        batch = batch.rule(CHAIN, source).rule(CHAIN, destination);
    }
    Socket::netfilter()?.batch(&batch.finish())
}
