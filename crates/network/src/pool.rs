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
