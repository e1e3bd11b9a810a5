//! Links, addresses and routes.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use rtnetlink::packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::netlink::Socket;
use crate::{Subnet, Traffic};

/// The loopback device's number, in every namespace.
pub(crate) const LOOPBACK: u32 = 1;

/// A device.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// Of a pair, the other's number.
    pub(crate) peer: Option<u32>,
    /// The biggest packet, in bytes.
    pub(crate) mtu: Option<u32>,
    /// Whether what is sent through it arrives.
    pub(crate) is_running: bool,
}

/// A route to some addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) to: Subnet,
    /// Whether it says that nothing is there.
    pub(crate) unreachable: bool,
    /// The device that it goes through.
    pub(crate) through: Option<u32>,
    pub(crate) metric: u32,
}

/// Every device.
pub(crate) fn links(socket: &mut Socket) -> io::Result<Vec<Link>> {
    Ok(socket.list(RouteNetlinkMessage::GetLink(LinkMessage::default()))?.iter().filter_map(link_of).collect())
}

/// The device of a name. A newer kernel (6.14) has done by then what it does when the other end of a pair is switched on.
pub(crate) fn link(socket: &mut Socket, name: &str) -> io::Result<Option<Link>> {
    let answer = socket.one(RouteNetlinkMessage::GetLink(named(name)));
    Ok(absent_is_none(answer)?.as_ref().and_then(link_of))
}

fn named(name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::IfName(name.to_owned()));
    message
}

fn numbered(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

fn link_of(message: &RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let name = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })?;
    let peer = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Link(index) => Some(*index),
        _ => None,
    });
    let mtu = message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Mtu(mtu) => Some(*mtu),
        _ => None,
    });
    let is_running = message.attributes.contains(&LinkAttribute::OperState(State::Up));
    Some(Link { index: message.header.index, name, peer, mtu, is_running })
}

/// How much went through a device, as the other end sees it; nothing, if there is no such device.
pub(crate) fn traffic(socket: &mut Socket, name: &str) -> io::Result<Option<Traffic>> {
    let Some(RouteNetlinkMessage::NewLink(message)) =
        absent_is_none(socket.one(RouteNetlinkMessage::GetLink(named(name))))?
    else {
        return Ok(None);
    };
    Ok(message.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Stats64(stats) => Some(Traffic {
            received_bytes: stats.tx_bytes,
            sent_bytes: stats.rx_bytes,
            received_packets: stats.tx_packets,
            sent_packets: stats.rx_packets,
        }),
        _ => None,
    }))
}

/// Makes a bridge, unless it is there.
pub(crate) fn make_bridge(socket: &mut Socket, name: &str) -> io::Result<()> {
    let mut message = named(name);
    message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
    present_is_fine(socket.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL))
}

/// Makes a pair of devices, one here and one, `peer`, in another namespace.
pub(crate) fn make_pair(
    socket: &mut Socket,
    name: &str,
    peer: &str,
    namespace: BorrowedFd<'_>,
    mtu: Option<u32>,
) -> io::Result<()> {
    // As many as are used by default. Without a word the kernel makes as many as there are processors, and then takes them away again.
    let queues = [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)];
    let mut other = named(peer);
    other.attributes.extend(queues.clone());
    other.attributes.push(LinkAttribute::NetNsFd(namespace.as_raw_fd()));
    other.attributes.extend(mtu.map(LinkAttribute::Mtu));
    let mut message = named(name);
    message.attributes.extend(queues);
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(other))),
    ]));
    socket.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
}

/// Switches a device on.
pub(crate) fn set_up(socket: &mut Socket, index: u32) -> io::Result<()> {
    let mut message = numbered(index);
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    socket.change(RouteNetlinkMessage::SetLink(message), 0)
}

/// Removes a device; one that is not there is none.
pub(crate) fn remove(socket: &mut Socket, name: &str) -> io::Result<()> {
    absent_is_fine(socket.change(RouteNetlinkMessage::DelLink(named(name)), 0))
}

/// Removes devices, all at once: they are put into a group of their own, which is removed. Those that are not there are none.
pub(crate) fn remove_all(socket: &mut Socket, names: &[String]) -> io::Result<()> {
    let mut there = Vec::new();
    for name in names {
        there.extend(link(socket, name)?.map(|link| link.name));
    }
    let names = match &there[..] {
        [] => return Ok(()),
        [one] => return remove(socket, one),
        many => many,
    };
    let group = unused_group(socket)?;
    let mut grouped = Vec::new();
    for name in names {
        let mut message = named(name);
        message.attributes.push(LinkAttribute::Group(group));
        if absent_is_none(socket.change(RouteNetlinkMessage::SetLink(message), 0))?.is_some() {
            grouped.push(name);
        }
    }
    if grouped.is_empty() {
        return Ok(());
    }
    let mut all = LinkMessage::default();
    all.attributes.push(LinkAttribute::Group(group));
    absent_is_fine(socket.change(RouteNetlinkMessage::DelLink(all), 0))
}

/// A group in which no device is. It is drawn, so that nobody else takes the same one meanwhile.
fn unused_group(socket: &mut Socket) -> io::Result<u32> {
    let all = socket.list(RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    loop {
        let drawn = getrandom::u32().map_err(io::Error::other)?;
        let is_used = all.iter().any(|message| match message {
            RouteNetlinkMessage::NewLink(message) => message.attributes.contains(&LinkAttribute::Group(drawn)),
            _ => false,
        });
        // 0 is every device's group at first.
        if drawn != 0 && !is_used {
            return Ok(drawn);
        }
    }
}

/// Gives a device an address that nobody else on its wire has.
pub(crate) fn add_address(socket: &mut Socket, index: u32, address: Ipv4Addr) -> io::Result<()> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = 32;
    message.header.index = index;
    message.header.scope = AddressScope::Universe;
    message.attributes.push(AddressAttribute::Address(address.into()));
    message.attributes.push(AddressAttribute::Local(address.into()));
    present_is_fine(socket.change(RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_EXCL))
}

/// The addresses of a device.
pub(crate) fn addresses(socket: &mut Socket, index: u32) -> io::Result<Vec<Ipv4Addr>> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    let all = socket.list(RouteNetlinkMessage::GetAddress(message))?;
    Ok(all
        .iter()
        .filter_map(|message| match message {
            RouteNetlinkMessage::NewAddress(message) if message.header.index == index => Some(message),
            _ => None,
        })
        .flat_map(|message| &message.attributes)
        .filter_map(|attribute| match attribute {
            AddressAttribute::Local(std::net::IpAddr::V4(address)) => Some(*address),
            _ => None,
        })
        .collect())
}

/// Every route, those to everywhere included.
pub(crate) fn routes(socket: &mut Socket) -> io::Result<Vec<Route>> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    let all = socket.list(RouteNetlinkMessage::GetRoute(message))?;
    Ok(all.iter().filter_map(route_of).collect())
}

fn route_of(message: &RouteNetlinkMessage) -> Option<Route> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let first = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(first)) => Some(*first),
        _ => None,
    });
    let through = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    });
    let metric = message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Priority(metric) => Some(*metric),
        _ => None,
    });
    let to = Subnet::containing(first.unwrap_or(Ipv4Addr::UNSPECIFIED), message.header.destination_prefix_length);
    let unreachable = message.header.kind == RouteType::Unreachable;
    Some(Route { to, unreachable, through, metric: metric.unwrap_or(0) })
}

/// Says that nothing is at some addresses but where a longer route says otherwise. The metric tells whose word it is.
pub(crate) fn claim(socket: &mut Socket, subnet: Subnet, metric: u32) -> io::Result<()> {
    let message = RouteNetlinkMessage::NewRoute(unreachable(subnet, metric));
    present_is_fine(socket.change(message, NLM_F_CREATE | NLM_F_EXCL))
}

/// Takes [`claim`] back.
pub(crate) fn unclaim(socket: &mut Socket, subnet: Subnet, metric: u32) -> io::Result<()> {
    absent_is_fine(socket.change(RouteNetlinkMessage::DelRoute(unreachable(subnet, metric)), 0))
}

fn unreachable(subnet: Subnet, metric: u32) -> RouteMessage {
    let mut message = route_to(subnet);
    message.header.kind = RouteType::Unreachable;
    message.attributes.push(RouteAttribute::Priority(metric));
    message
}

/// Routes an address through a device; `source` is the address by which the host itself speaks to it.
pub(crate) fn route_through(
    socket: &mut Socket,
    address: Ipv4Addr,
    index: u32,
    source: Option<Ipv4Addr>,
) -> io::Result<()> {
    let mut message = route_to(Subnet::containing(address, 32));
    message.header.scope = RouteScope::Link;
    message.attributes.push(RouteAttribute::Oif(index));
    message.attributes.extend(source.map(|source| RouteAttribute::PrefSource(RouteAddress::Inet(source))));
    socket.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
}

/// Takes [`route_through`] back.
pub(crate) fn unroute(socket: &mut Socket, address: Ipv4Addr) -> io::Result<()> {
    let mut message = route_to(Subnet::containing(address, 32));
    message.header.scope = RouteScope::NoWhere;
    message.header.protocol = RouteProtocol::Unspec;
    absent_is_fine(socket.change(RouteNetlinkMessage::DelRoute(message), 0))
}

/// Routes everything else to a gateway.
pub(crate) fn route_everything(socket: &mut Socket, gateway: Ipv4Addr, index: u32) -> io::Result<()> {
    let mut message = route_to(Subnet::containing(Ipv4Addr::UNSPECIFIED, 0));
    message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
    message.attributes.push(RouteAttribute::Oif(index));
    socket.change(RouteNetlinkMessage::NewRoute(message), NLM_F_CREATE | NLM_F_REPLACE)
}

fn route_to(subnet: Subnet) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope = RouteScope::Universe;
    message.header.kind = RouteType::Unicast;
    message.header.destination_prefix_length = subnet.prefix();
    if subnet.prefix() > 0 {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(subnet.first())));
    }
    message
}

fn present_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    match outcome {
        Err(error) if is(&error, rustix::io::Errno::EXIST) => Ok(()),
        other => other,
    }
}

fn absent_is_fine(outcome: io::Result<()>) -> io::Result<()> {
    absent_is_none(outcome).map(|_| ())
}

fn absent_is_none<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    use rustix::io::Errno;
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if is(&error, Errno::NODEV) || is(&error, Errno::SRCH) || is(&error, Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether an error is a certain one.
pub(crate) fn is(error: &io::Error, errno: rustix::io::Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}
