//! Namespaces that are wired before anybody asks.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::wire::Quarters;

/// A wired namespace that nobody has.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) place: u32,
    pub(crate) quarters: Quarters,
}

#[derive(Debug, Default)]
struct State {
    ready: VecDeque<Ready>,
    filling: bool,
    closed: bool,
}

/// Namespaces that are wired before anybody asks.
#[derive(Debug)]
pub(crate) struct Pool {
    size: usize,
    state: Mutex<State>,
    settled: Condvar,
}

impl Pool {
    /// Empty.
    pub(crate) fn new(size: usize) -> Self {
        Self { size, state: Mutex::default(), settled: Condvar::new() }
    }

    /// One, if there is any.
    pub(crate) fn take(&self) -> Option<Ready> {
        self.lock().ready.pop_front()
    }

    /// Whether somebody has to fill it; one does at a time, with [`Pool::put`] until that says no, or else [`Pool::give_up`].
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.lock();
        let wanted = !state.filling && !state.closed && state.ready.len() < self.size;
        state.filling |= wanted;
        wanted
    }

    /// Puts one in. Whether another one is wanted, or what was given, if the pool is closed: whoever fills it removes that one, and
    /// then gives up.
    pub(crate) fn put(&self, ready: Ready) -> Result<bool, Ready> {
        let mut state = self.lock();
        if state.closed {
            return Err(ready);
        }
        state.ready.push_back(ready);
        state.filling = state.ready.len() < self.size;
        Ok(state.filling)
    }

    /// Nobody fills it any more.
    pub(crate) fn give_up(&self) {
        self.lock().filling = false;
        self.settled.notify_all();
    }

    /// Nothing can be put in any more, and nobody tries; what was there. Waits for whoever is filling it.
    pub(crate) fn close(&self) -> VecDeque<Ready> {
        let mut state = self.lock();
        state.closed = true;
        while state.filling {
            state = self.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.ready)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
    use std::sync::Arc;

    use super::*;
    use crate::sockets::Sockets;

    /// What looks like a wired namespace.
    fn ready(place: u32) -> Ready {
        let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let at = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        let sockets = Sockets {
            services: listener(),
            services_at: at,
            endpoint: listener(),
            endpoint_at: at,
            questions: UdpSocket::bind(at).unwrap(),
            question_streams: listener(),
        };
        Ready { place, quarters: Quarters { namespace: crate::namespace::own().unwrap(), sockets } }
    }

    #[test]
    fn one_at_a_time_fills_it_until_it_is_full_and_again_when_something_was_taken() {
        let pool = Pool::new(2);
        assert!(pool.begin() && !pool.begin());
        assert!(pool.put(ready(2)).unwrap());
        assert!(!pool.put(ready(3)).unwrap());
        assert!(!pool.begin(), "it is full");
        assert_eq!(pool.take().unwrap().place, 2);
        assert!(pool.begin());
        pool.give_up();
        assert!(pool.begin(), "whoever gave up is nobody any more");
    }

    #[test]
    fn nothing_comes_into_a_pool_after_it_was_closed_and_whoever_closes_it_waits_for_whoever_fills_it() {
        let pool = Arc::new(Pool::new(4));
        assert!(pool.begin());
        assert!(pool.put(ready(2)).unwrap());
        let (closed, is_closed) = std::sync::mpsc::channel();
        let closing = std::thread::spawn({
            let pool = Arc::clone(&pool);
            move || {
                let found = pool.close().len();
                closed.send(()).unwrap();
                found
            }
        });
        let refused = (3..).find_map(|place| {
            let refused = pool.put(ready(place)).err();
            if refused.is_none() {
                // As many stay as were there.
                drop(pool.take());
            }
            refused
        });
        assert!(refused.is_some());
        assert!(is_closed.try_recv().is_err(), "somebody fills it yet");
        pool.give_up();
        assert_eq!(closing.join().unwrap(), 1);
        assert!(!pool.begin());
    }
}
