//! Places of workloads that ended. A workload is cut off at once, by its route; everything else waits a moment and is done for all
//! that ended meanwhile, in the background. For the kernel waits for every processor when it removes a device, tens of milliseconds
//! with a lock that everybody needs, and waits once for many that go together; most go by themselves with their namespaces. And to find
//! what it remembers of connections it walks through its whole table, ten milliseconds on a usual host though nothing is in it.
//!
//! A place is nobody's until all of that is done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::inner::Inner;
use crate::netlink::Socket;
use crate::network::blocking;
use crate::{Error, flows, limits, link, place};

/// Places of workloads that ended.
#[derive(Debug, Default)]
pub(crate) struct Doomed {
    state: Mutex<State>,
    /// Held by whoever clears away.
    turn: Mutex<()>,
    /// Told when there are so many that nobody should wait for more.
    many: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Those that are cut off.
    places: Vec<u32>,
    /// Those whose links are gone, while connections of theirs are still remembered.
    remembered: Vec<u32>,
    /// Whether somebody waits to clear away.
    awaited: bool,
}

impl Doomed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Cuts a place off for good: it is nobody's any more. What is left of it is cleared away later, and then the place is free again.
    pub(crate) fn cut_off(self: &Arc<Self>, place: u32) -> Result<(), Error> {
        self.unroute(place)?;
        self.doom(place);
        Ok(())
    }

    /// Nothing reaches a place any more, and what comes from it comes by a way that does not lead to it, which the table and the kernel
    /// drop.
    pub(crate) fn unroute(&self, place: u32) -> Result<(), Error> {
        let address = self.address_at(place);
        Socket::route()
            .and_then(|mut socket| link::unroute(&mut socket, address))
            .map_err(Error::io(format!("remove the route to {address}")))
    }

    /// Has a place be cleared away that nothing reaches and nobody will ever speak of again: soon it is another's.
    pub(crate) fn doom(self: &Arc<Self>, place: u32) {
        let mut doomed = self.doomed.lock();
        doomed.places.push(place);
        if doomed.places.len() >= limits::DOOMED_MAX {
            self.doomed.many.notify_one();
        }
        if !doomed.awaited {
            doomed.awaited = true;
            self.runtime.spawn(clear_away_soon(Arc::downgrade(self), Arc::clone(&self.doomed)));
        }
    }

    /// Clears away what is left of all that are cut off. Afterwards they are free, whoever cleared them away.
    pub(crate) fn clear_away(&self) {
        let _turn = self.doomed.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let (places, mut remembered) = {
            let mut doomed = self.doomed.lock();
            doomed.awaited = false;
            (std::mem::take(&mut doomed.places), std::mem::take(&mut doomed.remembered))
        };
        for some in places.chunks(limits::LINKS_AT_ONCE) {
            match self.remove_links(some) {
                Ok(()) => remembered.extend(some),
                // Their places stay taken, and the next process of the node removes them.
                Err(error) => tracing::warn!(%error, links = some.len(), "links of workloads that ended are left"),
            }
        }
        if remembered.is_empty() {
            return;
        }
        match self.forget_flows(&remembered) {
            Ok(()) => remembered.iter().for_each(|place| self.give_back_place(*place)),
            Err(error) => {
                tracing::warn!(%error, "connections of workloads that ended are remembered; it is tried again");
                self.doomed.lock().remembered.append(&mut remembered);
            }
        }
    }

    fn remove_links(&self, places: &[u32]) -> Result<(), Error> {
        let names: Vec<String> = places.iter().map(|place| place::link_name(&self.settings.tag, *place)).collect();
        let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
        link::remove_all(&mut socket, &names).map_err(Error::io("remove the links of workloads that ended"))
    }

    fn forget_flows(&self, places: &[u32]) -> Result<(), Error> {
        let over: std::collections::BTreeSet<_> = places.iter().map(|place| self.address_at(*place)).collect();
        Socket::netfilter()
            .and_then(|mut socket| flows::forget(&mut socket, |address| over.contains(&address)))
            .map_err(Error::io("forget the connections of workloads that ended"))
    }
}

async fn clear_away_soon(network: Weak<Inner>, doomed: Arc<Doomed>) {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(limits::DOOMED_PAUSE_MS)) => {}
        () = doomed.many.notified() => {}
    }
    // If nobody uses the network any more, the next process of the node finds what is left.
    let Some(inner) = network.upgrade() else { return };
    let cleared = blocking(move || {
        inner.clear_away();
        Ok(())
    });
    if let Err(error) = cleared.await {
        tracing::debug!(%error, "what is left of workloads that ended is for the next process of the node");
    }
}
