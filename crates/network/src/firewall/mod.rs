//! Who reaches whom: one nft table of the node's own. It is written by `nft` as a whole, in one transaction; what changes with a
//! workload is an element or two, sent to the kernel directly.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use workload::{PortBinding, PortProtocol};

use crate::netlink::Socket;
use crate::nf::{self, Batch, Family, Header, Rule, Value};
use crate::{Error, Subnet};

mod nft;
mod table;

#[cfg(test)]
mod tests;

pub(crate) use nft::Nft;
pub(crate) use table::{removal, table_name};

/// What holds for every workload of a node.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) tag: String,
    pub(crate) subnet: Subnet,
    pub(crate) gateway: Ipv4Addr,
    pub(crate) denied: Vec<Subnet>,
}

impl Frame {
    /// The table's name.
    pub(crate) fn table(&self) -> String {
        table_name(&self.tag)
    }
}

/// What of a workload matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) address: Ipv4Addr,
    pub(crate) group: Option<String>,
    pub(crate) ports: Vec<PortBinding>,
}

/// Where something is published: the host's address (none is every one), what is carried, and the host's port.
type Published = (Option<Ipv4Addr>, PortProtocol, u16);

/// What changes with workloads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Model {
    /// Numbers of groups, by name. Names come from tenants; in the table there are numbers.
    groups: BTreeMap<String, u32>,
    /// Members, by their group's number.
    members: BTreeMap<u32, BTreeSet<Ipv4Addr>>,
    published: BTreeMap<Published, (Ipv4Addr, u16)>,
    last_group: u32,
}

impl Model {
    /// With a workload more; the changes that make the table so.
    fn add(&mut self, member: &Member, mut batch: Batch) -> Batch {
        if let Some(name) = &member.group {
            let number = *self.groups.entry(name.clone()).or_insert_with(|| {
                self.last_group += 1;
                self.last_group
            });
            let (chain, set) = (table::chain_of(number), table::set_of(number));
            let members = self.members.entry(number).or_default();
            if members.is_empty() {
                let from_member = Rule::default().within(Header::Network, 12, 4, &set).accept();
                batch = batch.set_of_addresses(&set).chain(&chain).rule(&chain, from_member);
            }
            members.insert(member.address);
            batch = batch.element(&set, &nf::address(member.address), Value::None).element(
                table::INBOUND,
                &nf::address(member.address),
                Value::Jump(&chain),
            );
        }
        for port in &member.ports {
            let (key, to) = publication(member.address, port);
            self.published.insert(key, to);
            let (map, key) = element_of(key);
            batch = batch.element(map, &key, Value::Bytes(&target(to)));
        }
        batch
    }

    /// With a workload less; the changes that make the table so.
    fn remove(&mut self, member: &Member, mut batch: Batch) -> Batch {
        for port in &member.ports {
            let (key, to) = publication(member.address, port);
            if self.published.get(&key) == Some(&to) {
                self.published.remove(&key);
                let (map, key) = element_of(key);
                batch = batch.without_element(map, &key, Value::Bytes(&target(to)));
            }
        }
        let number = member.group.as_ref().and_then(|name| self.groups.get(name).copied());
        let members = number.and_then(|number| self.members.get_mut(&number));
        if let (Some(name), Some(number), Some(members)) = (&member.group, number, members)
            && members.remove(&member.address)
        {
            let (chain, set) = (table::chain_of(number), table::set_of(number));
            batch = batch
                .without_element(table::INBOUND, &nf::address(member.address), Value::Jump(&chain))
                .without_element(&set, &nf::address(member.address), Value::None);
            if members.is_empty() {
                batch = batch.without_chain(&chain).without_set(&set);
                self.members.remove(&number);
                self.groups.remove(name);
            }
        }
        batch
    }
}

/// From where a port of a workload is published, and to where.
fn publication(address: Ipv4Addr, port: &PortBinding) -> (Published, (Ipv4Addr, u16)) {
    let at = (!port.host_address.is_unspecified()).then_some(port.host_address);
    ((at, port.protocol, port.host_port), (address, port.container_port))
}

/// In which map something published is, and by what key.
fn element_of((at, protocol, port): Published) -> (&'static str, Vec<u8>) {
    let protocol = match protocol {
        PortProtocol::Tcp => [6],
        PortProtocol::Udp => [17],
    };
    let port = port.to_be_bytes();
    match at {
        Some(address) => (table::PUBLISHED, nf::joined(&[&nf::address(address), &protocol, &port])),
        None => (table::PUBLISHED_EVERYWHERE, nf::joined(&[&protocol, &port])),
    }
}

fn target((address, port): (Ipv4Addr, u16)) -> Vec<u8> {
    nf::joined(&[&nf::address(address), &port.to_be_bytes()])
}

/// The node's table. Blocks.
#[derive(Debug)]
pub(crate) struct Firewall {
    frame: Frame,
    nft: Nft,
    model: Model,
    /// Kept, because the kernel lets nobody close one before it is done with everything that was removed.
    socket: Socket,
}

impl Firewall {
    /// Writes the table as a whole, for the workloads that there are, in place of what was there.
    pub(crate) fn write(frame: Frame, nft: Nft, members: &[Member]) -> Result<Self, Error> {
        let mut model = Model::default();
        for member in members {
            model.add(member, Batch::new(Family::Inet, ""));
        }
        nft.run(&table::render(&frame, &model))?;
        let socket = Socket::netfilter().map_err(Error::io("open netlink"))?;
        Ok(Self { frame, nft, model, socket })
    }

    /// A workload more.
    pub(crate) fn add(&mut self, member: &Member) -> Result<(), Error> {
        let mut model = self.model.clone();
        let batch = model.add(member, Batch::new(Family::Inet, &self.frame.table()));
        self.apply(model, batch)
    }

    /// A workload less.
    pub(crate) fn remove(&mut self, member: &Member) -> Result<(), Error> {
        let mut model = self.model.clone();
        let batch = model.remove(member, Batch::new(Family::Inet, &self.frame.table()));
        self.apply(model, batch)
    }

    /// Makes the changes, or writes everything anew where they do not fit what is there: somebody may have flushed the table.
    fn apply(&mut self, model: Model, batch: Batch) -> Result<(), Error> {
        if !batch.is_empty()
            && let Err(error) = self.socket.batch(&batch.finish())
        {
            tracing::warn!(%error, table = self.frame.table(), "a change of the nft table failed; it is written anew");
            self.nft.run(&table::render(&self.frame, &model))?;
        }
        self.model = model;
        Ok(())
    }

    /// Writes the table anew if it is not there any more: somebody flushed every rule of the host.
    pub(crate) fn mend(&mut self) -> Result<bool, Error> {
        if self.nft.has_table(&self.frame.table())? {
            return Ok(false);
        }
        self.nft.run(&table::render(&self.frame, &self.model))?;
        Ok(true)
    }

    /// Without the table.
    pub(crate) fn delete(&mut self) -> Result<(), Error> {
        self.nft.run(&removal(&self.frame.tag))
    }
}
