//! What the host itself has for the node: the workloads' addresses, the gateway, the table.

use std::net::Ipv4Addr;

use crate::firewall::{self, Firewall, Frame, Member, Nft};
use crate::link::Route;
use crate::netlink::Socket;
use crate::record::Records;
use crate::{Error, Settings, Subnet, flows, link, namespace, place};

/// How long a prefix a node's addresses have that nobody chose: 4,093 workloads.
const PREFIX: u8 = 20;

/// What the host has for the node.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) subnet: Subnet,
    pub(crate) gateway: Ipv4Addr,
    /// The biggest packet on the host's way out, in bytes.
    pub(crate) mtu: Option<u32>,
}

/// Finds addresses for workloads, claims them and sets up the gateway. Whether the addresses are those of before.
pub(crate) fn open(settings: &Settings, records: &Records) -> Result<(Host, bool), Error> {
    let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
    let kept = records.subnet()?;
    let subnet = claim(&mut socket, settings, kept)?;
    records.set_subnet(subnet)?;
    let gateway = place::gateway_of(subnet);
    let mtu = outward_mtu(&mut socket)?;
    Ok((Host { subnet, gateway, mtu }, kept == Some(subnet)))
}

/// What can be done without nft is less, and this says why it is not there.
pub(crate) fn open_firewall(settings: &Settings, host: &Host, members: &[Member]) -> Result<Firewall, String> {
    const WITHOUT: &str = "so workloads have no link: nothing but the link-local services is reached from inside, those of a group do \
                           not reach each other, and published ports go through a proxy in the node's process";
    if !settings.nft {
        return Err(format!("nftables is switched off, {WITHOUT}"));
    }
    let Some(nft) = Nft::find() else {
        return Err(format!("the program nft (package nftables) is not installed, {WITHOUT}"));
    };
    if let Err(error) = Socket::netfilter().and_then(|mut socket| flows::count(&mut socket)) {
        return Err(format!("the kernel cannot be asked for its connections (ctnetlink: {error}), {WITHOUT}"));
    }
    let frame = Frame {
        tag: settings.tag.clone(),
        subnet: host.subnet,
        gateway: host.gateway,
        denied: settings.denied.clone(),
    };
    Firewall::write(frame, nft, members).map_err(|error| format!("nftables does not work ({error}), {WITHOUT}"))
}

/// What others' tables keep workloads from, which nothing in the node's own can change.
pub(crate) fn obstacles() -> Result<Vec<String>, Error> {
    let tables = Nft::find().map_or(Ok(Vec::new()), |nft| nft.tables_that_drop())?;
    let say = |table: &String| {
        format!(
            "the nft table `{table}` drops what the host forwards unless its own rules let it pass: workloads reach nothing beyond the \
             host or each other, and published ports are not reached from elsewhere, until it lets links pass that begin with pv"
        )
    };
    Ok(tables.iter().map(say).collect())
}

/// Sets up the device that holds the gateway's address, and forwarding. What was changed for everybody on the host.
pub(crate) fn open_gateway(settings: &Settings, host: &Host) -> Result<Option<String>, Error> {
    let name = place::gateway_name(&settings.tag);
    let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
    let failed = || Error::io(format!("set up {name}"));
    if let Some(link) = link::link(&mut socket, &name).map_err(failed())? {
        let addresses = link::addresses(&mut socket, link.index).map_err(failed())?;
        // That of a node before this one, whose settings were others.
        if addresses.iter().any(|address| *address != host.gateway) {
            link::remove(&mut socket, &name).map_err(failed())?;
        }
    }
    link::make_bridge(&mut socket, &name).map_err(failed())?;
    namespace::set_if_there(&format!("ipv6/conf/{name}/disable_ipv6"), "1")?;
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let index = link::link(&mut socket, &name).and_then(|link| link.ok_or_else(missing)).map_err(failed())?.index;
    link::add_address(&mut socket, index, host.gateway).map_err(failed())?;
    link::set_up(&mut socket, index).map_err(failed())?;
    if namespace::get("ipv4/ip_forward")? == "1" {
        return Ok(None);
    }
    namespace::set("ipv4/ip_forward", "1")?;
    Ok(Some(
        "net.ipv4.ip_forward was 0 and is 1 now: the host forwards packets, which workloads need to reach others"
            .to_owned(),
    ))
}

/// Removes what [`open`], [`open_firewall`] and [`open_gateway`] made.
pub(crate) fn close(settings: &Settings, firewall: Option<&mut Firewall>) -> Result<(), Error> {
    let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
    let metric = metric_of(&settings.tag);
    let name = place::gateway_name(&settings.tag);
    link::remove(&mut socket, &name).map_err(Error::io(format!("remove {name}")))?;
    for route in own_claims(&mut socket, metric)? {
        link::unclaim(&mut socket, route.to, metric).map_err(Error::io(format!("give {} back", route.to)))?;
    }
    match (firewall, Nft::find()) {
        (Some(firewall), _) => firewall.delete(),
        // An earlier process may have used it.
        (None, Some(nft)) => nft.run(&firewall::removal(&settings.tag)),
        (None, None) => Ok(()),
    }
}

/// What there is of a node, a line each.
pub(crate) fn leftovers(tag: &str) -> Result<Vec<String>, Error> {
    let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
    let links = link::links(&mut socket).map_err(Error::io("list links"))?;
    let own = |name: &str| name == place::gateway_name(tag) || place::place_of(tag, name).is_some();
    let mut found: Vec<String> =
        links.iter().filter(|link| own(&link.name)).map(|link| format!("link {}", link.name)).collect();
    let claims = own_claims(&mut socket, metric_of(tag))?;
    found.extend(claims.iter().map(|route| format!("route unreachable {}", route.to)));
    let table = firewall::table_name(tag);
    if let Some(nft) = Nft::find()
        && nft.has_table(&table)?
    {
        found.push(format!("nft table inet {table}"));
    }
    Ok(found)
}

/// Finds addresses that nobody on this host has a route to, and says so to everybody by a route that says that nothing is there.
fn claim(socket: &mut Socket, settings: &Settings, kept: Option<Subnet>) -> Result<Subnet, Error> {
    let metric = metric_of(&settings.tag);
    let own: Vec<u32> = link::links(socket)
        .map_err(Error::io("list links"))?
        .iter()
        .filter(|link| {
            link.name == place::gateway_name(&settings.tag) || place::place_of(&settings.tag, &link.name).is_some()
        })
        .map(|link| link.index)
        .collect();
    let candidates: Vec<Subnet> = match settings.subnet {
        Some(subnet) => vec![subnet],
        None => kept.into_iter().chain(usual()).collect(),
    };
    for subnet in candidates {
        let mut taken = conflict(socket, subnet, metric, &own)?;
        if taken.is_none() {
            link::claim(socket, subnet, metric).map_err(Error::io(format!("claim {subnet}")))?;
            // Two nodes that start at once both see that nobody was there; after they said so, each sees the other.
            taken = conflict(socket, subnet, metric, &own)?;
            if taken.is_none() {
                give_back_others(socket, subnet, metric)?;
                return Ok(subnet);
            }
            link::unclaim(socket, subnet, metric).map_err(Error::io(format!("give {subnet} back")))?;
        }
        if let (Some(wanted), Some(taken)) = (settings.subnet, taken) {
            return Err(Error::SubnetTaken { wanted, taken });
        }
    }
    Err(Error::NoSubnet)
}

/// A route of somebody else's to some of the addresses.
fn conflict(socket: &mut Socket, subnet: Subnet, metric: u32, own: &[u32]) -> Result<Option<Subnet>, Error> {
    let routes = link::routes(socket).map_err(Error::io("list routes"))?;
    let is_own = |route: &Route| is_claim(route, metric) || route.through.is_some_and(|index| own.contains(&index));
    Ok(routes
        .iter()
        .find(|route| route.to.prefix() > 0 && route.to.overlaps(subnet) && !is_own(route))
        .map(|route| route.to))
}

fn give_back_others(socket: &mut Socket, kept: Subnet, metric: u32) -> Result<(), Error> {
    for route in own_claims(socket, metric)?.iter().filter(|route| route.to != kept) {
        link::unclaim(socket, route.to, metric).map_err(Error::io(format!("give {} back", route.to)))?;
    }
    Ok(())
}

fn own_claims(socket: &mut Socket, metric: u32) -> Result<Vec<Route>, Error> {
    let routes = link::routes(socket).map_err(Error::io("list routes"))?;
    Ok(routes.into_iter().filter(|route| is_claim(route, metric)).collect())
}

fn is_claim(route: &Route, metric: u32) -> bool {
    route.unreachable && route.metric == metric
}

/// The metric by which a node knows its claim. No other route to the same addresses is there that it could lose against.
fn metric_of(tag: &str) -> u32 {
    u32::from_str_radix(tag, 16).unwrap_or(u32::MAX)
}

/// Addresses of private use that few others take: those of 10.88.0.0–10.127.255.255, then of 172.16.0.0–172.31.255.255.
fn usual() -> impl Iterator<Item = Subnet> {
    let seconds = (88..128).map(|second| (10, second)).chain((16..32).map(|second| (172, second)));
    seconds.flat_map(|(first, second)| {
        (0..16).map(move |third| Subnet::containing(Ipv4Addr::new(first, second, third << 4, 0), PREFIX))
    })
}

/// The biggest packet that every way out of the host takes.
fn outward_mtu(socket: &mut Socket) -> Result<Option<u32>, Error> {
    let routes = link::routes(socket).map_err(Error::io("list routes"))?;
    let links = link::links(socket).map_err(Error::io("list links"))?;
    let outward = routes.iter().filter(|route| route.to.prefix() == 0).filter_map(|route| route.through);
    Ok(outward.filter_map(|index| links.iter().find(|link| link.index == index)?.mtu).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_ranges_are_many_and_none_overlaps_another() {
        let usual: Vec<Subnet> = usual().collect();
        assert_eq!((usual.len(), usual[0].to_string()), (56 * 16, "10.88.0.0/20".to_owned()));
        assert!(usual.windows(2).all(|two| two[0] < two[1] && !two[0].overlaps(two[1])));
        assert_eq!(usual.last().unwrap().to_string(), "172.31.240.0/20");
    }
}
