//! Links of workloads that ended. The kernel waits for every processor when it removes a device, tens of milliseconds with a lock that
//! everybody needs; it waits once for many that go together. So a workload is cut off at once by its route, and links are removed
//! together, in the background.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::inner::Inner;
use crate::netlink::Socket;
use crate::{Error, flows, link, place};

/// Links at once. The kernel holds its lock for so many.
const AT_ONCE: usize = 64;

/// Places whose links are to be removed.
#[derive(Debug, Default)]
pub(crate) struct Doomed {
    state: Mutex<State>,
    /// Held by whoever removes.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    places: Vec<u32>,
    removing: bool,
}

impl Doomed {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Cuts a place off: nothing reaches it, and what comes from it comes by a way that does not lead to it, which the table and the
    /// kernel drop. Its link is removed later, what is remembered of its
    /// connections, too, and then the place is free again.
    pub(crate) fn cut_off(self: &Arc<Self>, place: u32) -> Result<(), Error> {
        let address = self.address_at(place);
        Socket::route()
            .and_then(|mut socket| link::unroute(&mut socket, address))
            .map_err(Error::io(format!("remove the route to {address}")))?;
        let mut doomed = self.doomed.lock();
        doomed.places.push(place);
        if !doomed.removing {
            doomed.removing = true;
            let inner = Arc::clone(self);
            self.runtime.spawn_blocking(move || inner.remove_doomed());
        }
        Ok(())
    }

    /// Removes the links of all that are cut off. Afterwards they are gone, whoever removed them.
    pub(crate) fn remove_doomed(&self) {
        let _turn = self.doomed.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let places = {
                let mut doomed = self.doomed.lock();
                let many = doomed.places.len().min(AT_ONCE);
                let places: Vec<u32> = doomed.places.drain(..many).collect();
                doomed.removing = !places.is_empty();
                places
            };
            if places.is_empty() {
                return;
            }
            if let Err(error) = self.remove_links(&places) {
                // Their places stay taken, and the next process of the node removes them.
                tracing::warn!(%error, links = places.len(), "links of workloads that ended are left");
                continue;
            }
            if let Err(error) = self.forget_flows(&places) {
                // Places are taken again in the order in which they were given back, so most of it is over by then.
                tracing::warn!(%error, "connections of workloads that ended are remembered until they are over");
            }
            places.iter().for_each(|place| self.give_back_place(*place));
        }
    }

    fn remove_links(&self, places: &[u32]) -> Result<(), Error> {
        let names: Vec<String> = places.iter().map(|place| place::link_name(&self.settings.tag, *place)).collect();
        let mut socket = Socket::route().map_err(Error::io("open netlink"))?;
        link::remove_all(&mut socket, &names).map_err(Error::io("remove the links of workloads that ended"))
    }

    fn forget_flows(&self, places: &[u32]) -> Result<(), Error> {
        let addresses = places.iter().map(|place| self.address_at(*place)).collect();
        Socket::netfilter()
            .and_then(|mut socket| flows::forget(&mut socket, &addresses))
            .map_err(Error::io("forget the connections of workloads that ended"))
    }
}
