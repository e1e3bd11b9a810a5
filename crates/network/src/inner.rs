//! The network's state, and what is done to it. Everything here blocks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use workload::WorkloadId;

use crate::attachment::{Attachment, address_of};
use crate::doomed::Doomed;
use crate::firewall::{Firewall, Member};
use crate::host::{self, Host};
use crate::netlink::Socket;
use crate::place::{self, Places};
use crate::pool::{Pool, Ready};
use crate::port::Finder;
use crate::proxy::Target;
use crate::record::{Record, Records};
use crate::resolver::{self, Resolver};
use crate::tasks::Tasks;
use crate::wire::{self, Wiring};
use crate::{Adopted, Attached, Error, Living, Settings, Traffic, flows, link, wish};

/// How often another place is tried where a link of an ended workload has not quite gone yet.
const PLACE_TRIES: usize = 16;

/// A node's network.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) host: Host,
    pub(crate) missing: Vec<String>,
    pub(crate) changed: Vec<String>,
    pub(crate) records: Records,
    pub(crate) firewall: Option<Mutex<Firewall>>,
    pub(crate) ports: Finder,
    pub(crate) resolver: Arc<Resolver>,
    pub(crate) runtime: Handle,
    pub(crate) doomed: Arc<Doomed>,
    pub(crate) watching: Mutex<Tasks>,
    pool: Pool,
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Debug)]
struct State {
    places: Places,
    /// What an earlier process left on record, until it is adopted or removed.
    inherited: BTreeMap<WorkloadId, Record>,
    attached: BTreeMap<WorkloadId, Entry>,
    closed: bool,
}

#[derive(Debug)]
enum Entry {
    /// Something is being done to it.
    Busy,
    Attached(Arc<Attachment>),
}

impl Inner {
    pub(crate) fn open(settings: Settings, runtime: Handle) -> Result<Self, Error> {
        let records = Records::open(&settings.directory)?;
        let (host, same) = host::open(&settings, &records)?;
        let mut places = Places::new(host.subnet);
        let mut inherited = BTreeMap::new();
        for record in records.all()? {
            // With other addresses the records say nothing any more: their workloads ended with the machine.
            if same && record.place.is_none_or(|place| places.take_this(place)) {
                inherited.insert(record.id.clone(), record);
            } else {
                records.forget(&record.id)?;
            }
        }
        let members: Vec<Member> = inherited.values().filter_map(|record| member_of(record, &host)).collect();
        let (mut missing, mut changed) = (Vec::new(), Vec::new());
        let firewall = match host::open_firewall(&settings, &host, &members) {
            Ok(firewall) => Some(Mutex::new(firewall)),
            Err(why) => {
                missing.push(why);
                None
            }
        };
        if firewall.is_some() {
            changed.extend(host::open_gateway(&settings, &host)?);
            missing.extend(host::obstacles()?);
        }
        missing.iter().for_each(|sentence| tracing::warn!("{sentence}"));
        changed.iter().for_each(|sentence| tracing::info!("{sentence}"));
        let _entered = runtime.enter();
        let upstreams = settings.upstreams.clone().unwrap_or_else(resolver::of_host);
        Ok(Self {
            ports: Finder::new(settings.port_range, settings.publish_address),
            resolver: Resolver::new(upstreams),
            pool: Pool::new(if firewall.is_some() { settings.pool } else { 0 }),
            state: Mutex::new(State { places, inherited, attached: BTreeMap::new(), closed: false }),
            settled: Condvar::new(),
            doomed: Arc::default(),
            watching: Mutex::default(),
            runtime: runtime.clone(),
            settings,
            host,
            missing,
            changed,
            records,
            firewall,
        })
    }

    pub(crate) fn attach(self: &Arc<Self>, id: &WorkloadId, wanted: &workload::Network) -> Result<Attached, Error> {
        wish::validate(wanted)?;
        {
            let mut state = self.lock();
            if state.closed {
                return Err(Error::Refused { problem: "the network was removed".to_owned() });
            }
            if state.attached.contains_key(id) || state.inherited.contains_key(id) {
                return Err(Error::Attached(id.clone()));
            }
            state.attached.insert(id.clone(), Entry::Busy);
        }
        let made = self.make(id, wanted);
        self.settle(id, made)
    }

    /// Takes a workload's network away. What is still served for it ends with the tasks that are given back.
    pub(crate) fn detach(self: &Arc<Self>, id: &WorkloadId) -> Result<Tasks, Error> {
        let (attachment, inherited) = {
            let mut state = self.lock();
            while matches!(state.attached.get(id), Some(Entry::Busy)) {
                state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            match state.attached.insert(id.clone(), Entry::Busy) {
                Some(Entry::Attached(attachment)) => (Some(attachment), None),
                _ => (None, state.inherited.remove(id)),
            }
        };
        let record = attachment.as_ref().map(|attachment| &attachment.record).or(inherited.as_ref());
        let outcome = record.map_or(Ok(()), |record| self.tear_down(record));
        let mut state = self.lock();
        match (&outcome, &attachment) {
            // It can be tried again.
            (Err(_), Some(attachment)) => state.attached.insert(id.clone(), Entry::Attached(Arc::clone(attachment))),
            _ => state.attached.remove(id),
        };
        drop(state);
        self.settled.notify_all();
        outcome.map(|()| attachment.map(|attachment| attachment.silence()).unwrap_or_default())
    }

    pub(crate) fn adopt(self: &Arc<Self>, living: Vec<Living>) -> Result<Vec<Adopted>, Error> {
        let adopted = living
            .into_iter()
            .map(|living| {
                let id = living.id.clone();
                (id, self.adopt_one(living))
            })
            .collect();
        let others = std::mem::take(&mut self.lock().inherited);
        for record in others.values() {
            self.tear_down(record)?;
        }
        self.clear_away();
        self.remove_strange_links()?;
        self.forget_strange_flows()?;
        Ok(adopted)
    }

    fn adopt_one(self: &Arc<Self>, living: Living) -> Result<Attached, Error> {
        let id = living.id.clone();
        let record = {
            let mut state = self.lock();
            let Some(record) = state.inherited.remove(&id) else {
                return Err(Error::Lost { id, problem: "there is no record of its network".to_owned() });
            };
            state.attached.insert(id.clone(), Entry::Busy);
            record
        };
        let taken_over = self.take_over(&record, living).or_else(|error| {
            self.tear_down(&record)?;
            Err(error)
        });
        self.settle(&id, taken_over)
    }

    /// Ends what was begun with [`Entry::Busy`].
    fn settle(&self, id: &WorkloadId, made: Result<(Attachment, Attached), Error>) -> Result<Attached, Error> {
        let mut state = self.lock();
        let outcome = match made {
            Ok((attachment, attached)) => {
                state.attached.insert(id.clone(), Entry::Attached(Arc::new(attachment)));
                Ok(attached)
            }
            Err(error) => {
                state.attached.remove(id);
                Err(error)
            }
        };
        drop(state);
        self.settled.notify_all();
        outcome
    }

    /// Removes what a record tells of, whatever of it is there. Everything is tried, whatever fails; but for the place, which is
    /// given up once, when nothing can fail any more: who tries again would take it from whoever has it by then, and what the table
    /// still says of it would be that one's.
    pub(crate) fn tear_down(self: &Arc<Self>, record: &Record) -> Result<(), Error> {
        let mut outcome = Ok(());
        if let Some(member) = member_of(record, &self.host) {
            if let Some(group) = &record.group {
                self.resolver.names().remove(group, &record.aliases, member.address);
            }
            if let Some(firewall) = &self.firewall {
                outcome = firewall.lock().unwrap_or_else(PoisonError::into_inner).remove(&member);
            }
        }
        let link = record.place.filter(|_| record.linked);
        let cut = link.map_or(Ok(()), |place| self.unroute(place));
        outcome.and(cut).and_then(|()| self.records.forget(&record.id))?;
        match (link, record.place) {
            (Some(place), _) => self.doom(place),
            (None, Some(place)) => self.give_back_place(place),
            (None, None) => {}
        }
        Ok(())
    }

    /// Removes the links that no workload has.
    fn remove_strange_links(&self) -> Result<(), Error> {
        let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
        let links = link::links(&mut socket).map_err(Error::io("list links"))?;
        let strange = links.iter().filter(|link| {
            let place = place::place_of(&self.settings.tag, &link.name);
            place.is_some_and(|place| !self.lock().places.is_taken(place))
        });
        for link in strange {
            link::remove(&mut socket, &link.name).map_err(Error::io(format!("remove the link {}", link.name)))?;
        }
        Ok(())
    }

    /// Has the kernel forget the connections of addresses that no workload has: an earlier process may have ended before it did.
    fn forget_strange_flows(&self) -> Result<(), Error> {
        if self.firewall.is_none() {
            return Ok(());
        }
        let (subnet, gateway) = (self.host.subnet, self.host.gateway);
        let taken = self.lock().places.addresses();
        let is_strange = |address| subnet.contains(address) && address != gateway && !taken.contains(&address);
        Socket::netfilter()
            .and_then(|mut socket| flows::forget(&mut socket, is_strange))
            .map_err(Error::io("forget the connections of workloads that ended earlier"))
    }

    /// A wired namespace and its place: a prepared one, or else a new one.
    pub(crate) fn wired(&self) -> Result<Ready, Error> {
        match self.pool.take() {
            Some(ready) => Ok(ready),
            None => self.wire(),
        }
    }

    fn wire(&self) -> Result<Ready, Error> {
        let mut problem = Error::NoAddress(self.host.subnet);
        for _ in 0..PLACE_TRIES {
            let place = self.take_place()?;
            match wire::wired(&self.wiring(place)) {
                Ok(quarters) => return Ok(Ready { place, quarters }),
                Err(error) => {
                    self.lock().places.give_back(place);
                    let is_there =
                        matches!(&error, Error::Io { source, .. } if link::is(source, rustix::io::Errno::EXIST));
                    if !is_there {
                        return Err(error);
                    }
                    problem = error;
                }
            }
        }
        Err(problem)
    }

    pub(crate) fn take_place(&self) -> Result<u32, Error> {
        let place = self.lock().places.take();
        if let Some(place) = place {
            return Ok(place);
        }
        // There may be those of workloads that ended a moment ago.
        self.clear_away();
        self.lock().places.take().ok_or(Error::NoAddress(self.host.subnet))
    }

    pub(crate) fn give_back_place(&self, place: u32) {
        self.lock().places.give_back(place);
    }

    pub(crate) fn wiring(&self, place: u32) -> Wiring {
        Wiring {
            name: place::link_name(&self.settings.tag, place),
            address: self.address_at(place),
            gateway: self.host.gateway,
            mtu: self.host.mtu,
        }
    }

    pub(crate) fn address_at(&self, place: u32) -> Ipv4Addr {
        self.lock().places.address(place)
    }

    /// Fills the pool in the background.
    pub(crate) fn fill_pool(inner: &Arc<Self>) {
        if inner.pool.begin() {
            let filling = Filling { inner: Arc::clone(inner), is_full: false };
            inner.runtime.spawn_blocking(|| filling.go_on());
        }
    }

    /// Removes a wired namespace that nobody had.
    fn discard(self: &Arc<Self>, ready: &Ready) {
        if let Err(error) = self.cut_off(ready.place) {
            tracing::warn!(%error, "the link of a namespace that nobody had is left");
        }
    }

    pub(crate) fn stats(&self, id: &WorkloadId) -> Result<Traffic, Error> {
        let attachment = self.attachment(id)?;
        let (true, Some(place)) = (attachment.record.linked, attachment.record.place) else {
            return Ok(Traffic::default());
        };
        let name = place::link_name(&self.settings.tag, place);
        let traffic = Socket::route()
            .and_then(|mut socket| link::traffic(&mut socket, &name))
            .map_err(Error::io(format!("look at the link {name}")))?;
        traffic.ok_or_else(|| Error::Lost { id: id.clone(), problem: format!("its link {name} is gone") })
    }

    pub(crate) fn target(&self, id: &WorkloadId, port: u16) -> Result<Target, Error> {
        let attachment = self.attachment(id)?;
        let address = address_of(&attachment.record, &self.host);
        let addresses = address.into_iter().chain([Ipv4Addr::LOCALHOST]).collect();
        Ok(Target { namespace: attachment.namespace.clone(), addresses, port })
    }

    fn attachment(&self, id: &WorkloadId) -> Result<Arc<Attachment>, Error> {
        match self.lock().attached.get(id) {
            Some(Entry::Attached(attachment)) => Ok(Arc::clone(attachment)),
            _ => Err(Error::Unknown(id.clone())),
        }
    }

    pub(crate) fn purge(self: &Arc<Self>) -> Result<(), Error> {
        let ids: Vec<WorkloadId> = {
            let mut state = self.lock();
            state.closed = true;
            state.attached.keys().chain(state.inherited.keys()).cloned().collect()
        };
        for ready in self.pool.close() {
            self.discard(&ready);
        }
        for id in &ids {
            self.detach(id)?;
        }
        self.clear_away();
        self.remove_strange_links()?;
        let mut firewall =
            self.firewall.as_ref().map(|firewall| firewall.lock().unwrap_or_else(PoisonError::into_inner));
        host::close(&self.settings, firewall.as_deref_mut())?;
        self.records.clear()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who fills the pool. If that comes to nothing, others may.
struct Filling {
    inner: Arc<Inner>,
    is_full: bool,
}

impl Filling {
    fn go_on(mut self) {
        loop {
            match self.inner.wire().map(|ready| self.inner.pool.put(ready)) {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    self.is_full = true;
                    return;
                }
                Ok(Err(refused)) => return self.inner.discard(&refused),
                Err(error) => {
                    tracing::warn!(%error, "no namespace can be prepared");
                    return;
                }
            }
        }
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if !self.is_full {
            self.inner.pool.give_up();
        }
    }
}

/// What of a record matters to the table: that of a workload with a link.
pub(crate) fn member_of(record: &Record, host: &Host) -> Option<Member> {
    let address = address_of(record, host).filter(|_| record.linked)?;
    Some(Member { address, group: record.group.clone(), ports: record.ports.clone() })
}
