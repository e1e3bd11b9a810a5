//! One workload's network: made, taken over, held.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use workload::{NetworkMode, PortBinding, WorkloadId};

use crate::host::Host;
use crate::inner::{Inner, member_of};
use crate::pool::Ready;
use crate::port::{self, Hold};
use crate::proxy::{self, Target};
use crate::record::Record;
use crate::sockets::{self, Sockets};
use crate::tasks::Tasks;
use crate::wire::{self, Quarters};
use crate::{Attached, Error, LinkLocal, Living, limits, namespace, place};

/// What this process holds of a workload's network.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) record: Record,
    /// None where it is the host's.
    pub(crate) namespace: Option<Arc<OwnedFd>>,
    work: Mutex<Work>,
}

/// What is done for a workload for as long as it is attached.
#[derive(Debug, Default)]
struct Work {
    _holds: Vec<Hold>,
    tasks: Tasks,
}

impl Attachment {
    /// Nothing is done for it any more, once the tasks that are given back have ended.
    pub(crate) fn silence(&self) -> Tasks {
        std::mem::take(&mut *self.work.lock().unwrap_or_else(PoisonError::into_inner)).tasks
    }
}

/// A workload's address, where it has one.
pub(crate) fn address_of(record: &Record, host: &Host) -> Option<Ipv4Addr> {
    record.place.and_then(|place| host.subnet.at(place))
}

impl Inner {
    /// Makes a workload's network.
    pub(crate) fn make(
        self: &Arc<Self>,
        id: &WorkloadId,
        wanted: &workload::Network,
    ) -> Result<(Attachment, Attached), Error> {
        match wanted.mode {
            NetworkMode::Host => self.make_of_host(id, wanted),
            NetworkMode::None => self.make_unwired(id, wanted, None),
            NetworkMode::Bridge | NetworkMode::Address if self.firewall.is_none() => {
                let place = self.take_place()?;
                self.make_unwired(id, wanted, Some(place)).inspect_err(|_| self.give_back_place(place))
            }
            NetworkMode::Bridge | NetworkMode::Address => self.make_wired(id, wanted),
        }
    }

    fn make_of_host(&self, id: &WorkloadId, wanted: &workload::Network) -> Result<(Attachment, Attached), Error> {
        let (services, endpoint) = (listen_on_host(0)?, listen_on_host(0)?);
        let ports = wanted.ports.iter().map(|port| PortBinding {
            container_port: port.container_port,
            host_port: port.container_port,
            host_address: port.host_address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            protocol: port.protocol,
        });
        let record = Record {
            ports: ports.collect(),
            host_ports: Some([services.1.port(), endpoint.1.port()]),
            ..record(id, wanted, None, false)
        };
        self.records.put(&record)?;
        self.finish_of_host(record, services, endpoint)
    }

    fn finish_of_host(
        &self,
        record: Record,
        (services, services_at): (TcpListener, SocketAddrV4),
        (endpoint, endpoint_at): (TcpListener, SocketAddrV4),
    ) -> Result<(Attachment, Attached), Error> {
        let attached = Attached {
            namespace: None,
            address: None,
            gateway: None,
            ports: record.ports.clone(),
            listeners: LinkLocal { services, services_at, endpoint, endpoint_at },
            resolv_conf: resolv_conf_of_host(),
            hosts: loopback_names(),
        };
        Ok((Attachment { record, namespace: None, work: Mutex::default() }, attached))
    }

    fn make_unwired(
        &self,
        id: &WorkloadId,
        wanted: &workload::Network,
        place: Option<u32>,
    ) -> Result<(Attachment, Attached), Error> {
        let quarters = wire::unwired(place.map(|place| self.address_at(place)))?;
        let taken = if wanted.mode == NetworkMode::Bridge { self.ports.take(&wanted.ports)? } else { Vec::new() };
        let (ports, holds) = taken.into_iter().unzip();
        let record = Record { ports, ..record(id, wanted, place, false) };
        self.records.put(&record)?;
        self.finish(record.clone(), quarters, holds).or_else(|error| {
            self.records.forget(&record.id)?;
            Err(error)
        })
    }

    fn make_wired(
        self: &Arc<Self>,
        id: &WorkloadId,
        wanted: &workload::Network,
    ) -> Result<(Attachment, Attached), Error> {
        let taken = if wanted.mode == NetworkMode::Bridge { self.ports.take(&wanted.ports)? } else { Vec::new() };
        let (ports, holds): (_, Vec<Hold>) = taken.into_iter().unzip();
        let Ready { place, quarters } = self.wired()?;
        let record = Record { ports, ..record(id, wanted, Some(place), true) };
        let made = self
            .records
            .put(&record)
            .and_then(|()| self.admit(&record))
            .and_then(|()| self.finish(record.clone(), quarters, holds));
        made.or_else(|error| {
            self.tear_down(&record)?;
            Err(error)
        })
    }

    /// Tells the table of a workload with a link.
    fn admit(&self, record: &Record) -> Result<(), Error> {
        let (Some(firewall), Some(member)) = (&self.firewall, member_of(record, &self.host)) else { return Ok(()) };
        if record.ports.iter().any(|port| port.host_address.is_loopback() || port.host_address.is_unspecified()) {
            // What the host sends from its loopback to a port published there may leave through this link. What comes from
            // the link for the host's loopback is dropped by the table before it is looked at.
            let name = record.place.map(|place| place::link_name(&self.settings.tag, place)).unwrap_or_default();
            namespace::set(&format!("ipv4/conf/{name}/route_localnet"), "1")?;
        }
        firewall.lock().unwrap_or_else(PoisonError::into_inner).add(&member)
    }

    /// Begins what is done for a workload with a namespace of its own.
    fn finish(&self, record: Record, quarters: Quarters, holds: Vec<Hold>) -> Result<(Attachment, Attached), Error> {
        let Quarters { namespace, sockets } = quarters;
        let Sockets { services, services_at, endpoint, endpoint_at, questions, question_streams } = sockets;
        let address = address_of(&record, &self.host);
        let given = namespace.try_clone().map_err(Error::io("hold a namespace"))?;
        let namespace = Arc::new(namespace);
        // Without a link there is nobody to ask and nobody of the group to reach.
        let work = if record.linked {
            let tasks = self.resolver.serve(record.group.clone(), questions, question_streams)?;
            Work { _holds: holds, tasks }
        } else {
            Work { _holds: Vec::new(), tasks: self.proxies(&record, address, &namespace, holds)? }
        };
        if let (true, Some(group), Some(address)) = (record.linked, &record.group, address) {
            self.resolver.names().add(group, &record.aliases, address);
        }
        let attached = Attached {
            namespace: Some(given),
            address,
            gateway: record.linked.then_some(self.host.gateway),
            ports: record.ports.clone(),
            listeners: LinkLocal { services, services_at, endpoint, endpoint_at },
            resolv_conf: format!("nameserver {}\noptions ndots:0\n", sockets::RESOLVER),
            hosts: loopback_names(),
        };
        Ok((Attachment { record, namespace: Some(namespace), work: Mutex::new(work) }, attached))
    }

    fn proxies(
        &self,
        record: &Record,
        address: Option<Ipv4Addr>,
        namespace: &Arc<OwnedFd>,
        holds: Vec<Hold>,
    ) -> Result<Tasks, Error> {
        let mut proxies = Tasks::default();
        for (port, hold) in record.ports.iter().zip(holds) {
            let target = Target {
                namespace: Some(Arc::clone(namespace)),
                addresses: address.into_iter().collect(),
                port: port.container_port,
            };
            proxies.push(proxy::serve(&self.runtime, hold, target)?);
        }
        Ok(proxies)
    }

    /// Takes over what a record tells of, if that is what there is.
    pub(crate) fn take_over(
        self: &Arc<Self>,
        record: &Record,
        living: Living,
    ) -> Result<(Attachment, Attached), Error> {
        let lost = |problem: &str| Error::Lost { id: record.id.clone(), problem: problem.to_owned() };
        if record.mode != living.wanted.mode {
            return Err(lost("its network is of another kind than it should be"));
        }
        if let Some([services, endpoint]) = record.host_ports {
            return self.finish_of_host(record.clone(), listen_on_host(services)?, listen_on_host(endpoint)?);
        }
        let namespace = living.namespace.ok_or_else(|| lost("its namespace is gone"))?;
        if record.linked {
            if self.firewall.is_none() {
                return Err(lost("it has a link, which nothing guards any more"));
            }
            let wiring = self.wiring(record.place.ok_or_else(|| lost("its place is not known"))?);
            if !wire::is_wired(&wiring, &namespace)? {
                return Err(lost("its namespace has no link, or not its own"));
            }
        }
        let quarters = wire::reopen(namespace)?;
        self.finish(record.clone(), quarters, self.hold_again(record)?)
    }

    /// Takes published ports again. Where nft leads packets away the port works without, so somebody else's quickness is no reason to
    /// end a workload.
    fn hold_again(&self, record: &Record) -> Result<Vec<Hold>, Error> {
        let mut holds = Vec::new();
        for port in &record.ports {
            match port::take(port.host_address, port.host_port, port.protocol) {
                Ok(hold) => holds.push(hold),
                Err(error) if record.linked => {
                    tracing::warn!(%error, workload = %record.id, "a published port is held by another")
                }
                Err(error) => return Err(error),
            }
        }
        Ok(holds)
    }
}

fn record(id: &WorkloadId, wanted: &workload::Network, place: Option<u32>, linked: bool) -> Record {
    Record {
        version: Record::VERSION,
        id: id.clone(),
        mode: wanted.mode,
        place,
        linked,
        group: wanted.group.clone(),
        aliases: wanted.aliases.clone(),
        ports: Vec::new(),
        host_ports: None,
    }
}

/// Listens at a port of the host's loopback; 0 takes a free one.
fn listen_on_host(port: u16) -> Result<(TcpListener, SocketAddrV4), Error> {
    let failed = || Error::io("listen at the host's loopback");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed())?;
    listener.set_nonblocking(true).map_err(failed())?;
    let port = listener.local_addr().map_err(failed())?.port();
    Ok((listener, SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)))
}

fn loopback_names() -> Vec<(IpAddr, String)> {
    vec![(Ipv4Addr::LOCALHOST.into(), "localhost".to_owned()), (Ipv6Addr::LOCALHOST.into(), "localhost".to_owned())]
}

fn resolv_conf_of_host() -> String {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open("/etc/resolv.conf")
        .and_then(|file| file.take(limits::RESOLV_CONF_BYTES_MAX).read_to_string(&mut text));
    if let Err(error) = read {
        tracing::warn!(%error, "the host's /etc/resolv.conf cannot be read");
    }
    text
}
