//! Which watched metrics have new data: how the alarms learn of it without asking.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::Key;
use tokio::sync::Notify;

/// What has come in since somebody looked, of the metrics that somebody is interested in. Metrics are named by the keys of
/// their records.
#[derive(Debug, Default)]
pub struct Arrivals {
    state: Mutex<State>,
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    watched: HashSet<Key>,
    /// The earliest instant that data came in for, in seconds since the epoch.
    arrived: HashMap<Key, i64>,
}

impl Arrivals {
    /// Says which metrics are of interest from now on.
    pub fn watch(&self, metrics: HashSet<Key>) {
        self.state().watched = metrics;
    }

    /// Tells of data: metrics, and the earliest instant that each has data for.
    pub fn tell<'a>(&self, data: impl Iterator<Item = (&'a Key, i64)>) {
        let mut state = self.state();
        let mut is_news = false;
        for (metric, at_s) in data {
            if state.watched.contains(metric) {
                let earliest = state.arrived.entry(metric.clone()).or_insert(at_s);
                *earliest = (*earliest).min(at_s);
                is_news = true;
            }
        }
        drop(state);
        if is_news {
            self.news.notify_one();
        }
    }

    /// Takes what has come in.
    pub fn take(&self) -> HashMap<Key, i64> {
        std::mem::take(&mut self.state().arrived)
    }

    /// Tells that there may be something to do, though no data has come in.
    pub fn wake(&self) {
        self.news.notify_one();
    }

    /// What is notified when something has come in.
    pub fn signal(&self) -> Arc<Notify> {
        self.news.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
