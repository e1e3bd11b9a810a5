//! A workload's namespace: made, and wired to the host.

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use crate::netlink::Socket;
use crate::sockets::{self, Age, Sockets};
use crate::{Error, limits, link, namespace};

/// What the link is called inside.
const INSIDE: &str = "eth0";
/// The pause before the kernel is asked again whether a link is usable.
const RUNNING_PAUSE: Duration = Duration::from_millis(1);

/// A namespace with everything that a workload finds there.
#[derive(Debug)]
pub(crate) struct Quarters {
    pub(crate) namespace: OwnedFd,
    pub(crate) sockets: Sockets,
}

/// Which link a workload is to have.
#[derive(Debug, Clone)]
pub(crate) struct Wiring {
    /// The host's end.
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    pub(crate) gateway: Ipv4Addr,
    /// The host's own smallest packet size on its way out, so that none need be broken up.
    pub(crate) mtu: Option<u32>,
}

/// Makes a namespace without a link. `address` is given to loopback, for whoever asks for the workload's address.
pub(crate) fn unwired(address: Option<Ipv4Addr>) -> Result<Quarters, Error> {
    namespace::on_own_thread(|| {
        let namespace = namespace::enter_new()?;
        let mut socket = settle()?;
        if let Some(address) = address {
            link::add_address(&mut socket, link::LOOPBACK, address)
                .map_err(Error::io("give a workload its address"))?;
        }
        Ok(Quarters { namespace, sockets: sockets::open(Age::New)? })
    })
}

/// Makes a namespace with a link to the host.
///
/// # Errors
/// A link of that name that is there already; a system that refuses. Nothing is left then.
pub(crate) fn wired(wiring: &Wiring) -> Result<Quarters, Error> {
    namespace::on_own_thread(|| {
        let host = namespace::own()?;
        let mut on_host = Socket::route().map_err(Error::io("open netlink"))?;
        let namespace = namespace::enter_new()?;
        let mut in_here = settle()?;
        link::make_pair(&mut on_host, &wiring.name, INSIDE, namespace.as_fd(), wiring.mtu)
            .map_err(Error::io(format!("make the link {}", wiring.name)))?;
        let made = connect(wiring, &mut in_here).and_then(|()| sockets::open(Age::New)).and_then(|sockets| {
            namespace::enter(host.as_fd())?;
            set_up_host_end(wiring, &mut on_host)?;
            until_running(wiring, &mut in_here)?;
            Ok(sockets)
        });
        match made {
            Ok(sockets) => Ok(Quarters { namespace, sockets }),
            Err(error) => {
                if let Err(error) = link::remove(&mut on_host, &wiring.name) {
                    tracing::warn!(link = wiring.name, %error, "a link is left of a namespace that could not be made");
                }
                Err(error)
            }
        }
    })
}

/// Opens the sockets of a namespace whose earlier ones ended with their process.
pub(crate) fn reopen(namespace: OwnedFd) -> Result<Quarters, Error> {
    let sockets = namespace::inside(namespace.as_fd(), || sockets::open(Age::Old))?;
    Ok(Quarters { namespace, sockets })
}

/// What every new namespace has.
fn settle() -> Result<Socket, Error> {
    namespace::set_if_there("ipv6/conf/default/disable_ipv6", "1")?;
    // Low ports keep a host's services apart from its users; here there is the workload alone.
    namespace::set_if_there("ipv4/ip_unprivileged_port_start", "0")?;
    namespace::set_if_there("ipv4/ping_group_range", "0 2147483647")?;
    let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
    sockets::set_up_loopback(&mut socket)?;
    Ok(socket)
}

/// The inside of a link.
fn connect(wiring: &Wiring, socket: &mut Socket) -> Result<(), Error> {
    let failed = |what: &'static str| Error::io(format!("{what} of {}", wiring.name));
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let index =
        link::link(socket, INSIDE).and_then(|link| link.ok_or_else(missing)).map_err(failed("find the inside"))?.index;
    link::set_up(socket, index).map_err(failed("set up the inside"))?;
    link::add_address(socket, index, wiring.address).map_err(failed("give an address to the inside"))?;
    link::route_through(socket, wiring.gateway, index, None).map_err(failed("route to the gateway on the inside"))?;
    link::route_everything(socket, wiring.gateway, index).map_err(failed("route to everywhere on the inside"))
}

/// The host's end of a link. Its settings come first: from the moment it is up, packets come.
fn set_up_host_end(wiring: &Wiring, socket: &mut Socket) -> Result<(), Error> {
    let name = &wiring.name;
    namespace::set_if_there(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
    // What comes through it must come from the address that is routed through it. The nft table says so, too.
    namespace::set(&format!("ipv4/conf/{name}/rp_filter"), "1")?;
    namespace::set(&format!("ipv4/conf/{name}/forwarding"), "1")?;
    // Nobody on the link has anything to say about ways, and nobody there needs to be told of shorter ones.
    namespace::set(&format!("ipv4/conf/{name}/accept_redirects"), "0")?;
    namespace::set(&format!("ipv4/conf/{name}/send_redirects"), "0")?;
    let failed = |what: &'static str| Error::io(format!("{what} of {name}"));
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let index = link::link(socket, name)
        .and_then(|link| link.ok_or_else(missing))
        .map_err(failed("find the host's end"))?
        .index;
    link::set_up(socket, index).map_err(failed("set up the host's end"))?;
    link::route_through(socket, wiring.address, index, Some(wiring.gateway)).map_err(failed("route to the inside"))
}

/// Waits until packets can be sent from the inside. It was switched on before the host's end, and the kernel drops them until it has
/// seen to that in the background: the first of a workload that is quick would be lost, and be sent again a second later.
fn until_running(wiring: &Wiring, in_here: &mut Socket) -> Result<(), Error> {
    for _ in 0..limits::LINK_RUNNING_TRIES {
        let inside =
            link::link(in_here, INSIDE).map_err(Error::io(format!("look at the inside of {}", wiring.name)))?;
        if inside.is_none_or(|link| link.is_running) {
            return Ok(());
        }
        std::thread::sleep(RUNNING_PAUSE);
    }
    tracing::warn!(link = wiring.name, "a link is not usable yet; what is sent at first may be lost");
    Ok(())
}

/// Whether a namespace is the inside of a link whose host's end has a certain name and address.
pub(crate) fn is_wired(wiring: &Wiring, namespace: &OwnedFd) -> Result<bool, Error> {
    let failed = || Error::io(format!("look at the link {}", wiring.name));
    let mut on_host = Socket::route().map_err(failed())?;
    let Some(host_end) = link::link(&mut on_host, &wiring.name).map_err(failed())? else { return Ok(false) };
    namespace::inside(namespace.as_fd(), || {
        let mut socket = Socket::route().map_err(failed())?;
        let Some(inside) = link::link(&mut socket, INSIDE).map_err(failed())? else { return Ok(false) };
        let addresses = link::addresses(&mut socket, inside.index).map_err(failed())?;
        Ok(inside.peer == Some(host_end.index)
            && host_end.peer == Some(inside.index)
            && addresses.contains(&wiring.address))
    })
}
