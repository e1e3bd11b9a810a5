//! Work that several ask for at the same time is done once, and for as long as anybody waits for it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;
use tokio::task::AbortHandle;

/// What is under way, by what was asked for. `P` is how far it has come, `T` what comes of it.
#[derive(Debug)]
pub(crate) struct Flights<K: Key, P, T>(Arc<Map<K, P, T>>);

/// What work is told apart by.
pub(crate) trait Key: Eq + Hash + Clone + Send + 'static {}

impl<K: Eq + Hash + Clone + Send + 'static> Key for K {}

type Map<K, P, T> = Mutex<HashMap<K, Weak<Flight<K, P, T>>>>;

#[derive(Debug)]
struct Flight<K: Key, P, T> {
    key: K,
    map: Weak<Map<K, P, T>>,
    progress: watch::Receiver<P>,
    outcome: watch::Receiver<Option<T>>,
    work: AbortHandle,
}

/// A share in work. When the last one is dropped the work ends where it is.
#[derive(Debug)]
pub(crate) struct Share<K: Key, P, T>(Arc<Flight<K, P, T>>);

impl<K: Key, P, T> Default for Flights<K, P, T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(HashMap::new())))
    }
}

impl<K, P, T> Flights<K, P, T>
where
    K: Key,
    P: Default + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the work that is under way for the same thing, or begins it. Work that has ended is begun anew.
    pub(crate) fn join<W>(&self, key: K, begin: impl FnOnce(watch::Sender<P>) -> W) -> Share<K, P, T>
    where
        W: Future<Output = T> + Send + 'static,
    {
        // Declared before the lock and so dropped after it: whoever drops the last share takes the lock.
        let found;
        let mut map = lock(&self.0);
        found = map.get(&key).and_then(Weak::upgrade);
        if let Some(flight) = found.as_ref().filter(|flight| !flight.has_ended()) {
            return Share(Arc::clone(flight));
        }
        let (progress, watched) = watch::channel(P::default());
        let (ended, outcome) = watch::channel(None);
        let work = begin(progress);
        let task = tokio::spawn(async move {
            let outcome = work.await;
            ended.send_replace(Some(outcome));
        });
        let flight = Arc::new(Flight {
            key: key.clone(),
            map: Arc::downgrade(&self.0),
            progress: watched,
            outcome,
            work: task.abort_handle(),
        });
        map.insert(key, Arc::downgrade(&flight));
        Share(flight)
    }

    /// Whether work is under way for something of which this is so.
    pub(crate) fn any(&self, is_so: impl Fn(&K) -> bool) -> bool {
        // Collected under the lock and dropped after it, as above.
        let flights: Vec<Arc<Flight<K, P, T>>> = {
            let map = lock(&self.0);
            map.iter().filter(|(key, _)| is_so(key)).filter_map(|(_, flight)| flight.upgrade()).collect()
        };
        flights.iter().any(|flight| !flight.has_ended())
    }

    /// How much is under way.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        lock(&self.0).len()
    }
}

impl<K: Key, P, T> Flight<K, P, T> {
    /// Whether it has come to an end, or broken off.
    fn has_ended(&self) -> bool {
        self.outcome.borrow().is_some() || self.outcome.has_changed().is_err()
    }
}

impl<K: Key, P, T: Clone> Share<K, P, T> {
    /// How far it has come, from now on.
    pub(crate) fn progress(&self) -> watch::Receiver<P> {
        self.0.progress.clone()
    }

    /// What comes of it; nothing if it breaks off, which only a fault of the program makes it do.
    pub(crate) async fn outcome(&self) -> Option<T> {
        let mut outcome = self.0.outcome.clone();
        let ended = outcome.wait_for(Option::is_some).await.ok()?;
        ended.clone()
    }
}

impl<K: Key, P, T> Drop for Flight<K, P, T> {
    fn drop(&mut self) {
        self.work.abort();
        let Some(map) = self.map.upgrade() else { return };
        let mut map = lock(&map);
        // Another may have its place by now.
        if map.get(&self.key).is_some_and(|flight| flight.strong_count() == 0) {
            map.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole at every step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    type Numbers = Flights<&'static str, u64, usize>;

    /// Work that waits for a permit, and answers how often it was begun.
    async fn work(begun: Arc<AtomicUsize>, gate: Arc<Semaphore>, progress: watch::Sender<u64>) -> usize {
        let count = begun.fetch_add(1, Ordering::SeqCst) + 1;
        progress.send_replace(1);
        gate.acquire().await.unwrap().forget();
        count
    }

    struct Bed {
        flights: Numbers,
        begun: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
    }

    impl Bed {
        fn new() -> Self {
            Self { flights: Flights::default(), begun: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
        }

        fn join(&self, key: &'static str) -> Share<&'static str, u64, usize> {
            self.flights.join(key, |progress| work(self.begun.clone(), self.gate.clone(), progress))
        }
    }

    #[tokio::test]
    async fn those_who_ask_for_the_same_at_one_time_share_one_piece_of_work() {
        let bed = Bed::new();
        let (one, other, different) = (bed.join("a"), bed.join("a"), bed.join("b"));
        one.progress().wait_for(|progress| *progress == 1).await.unwrap();
        different.progress().wait_for(|progress| *progress == 1).await.unwrap();
        bed.gate.add_permits(2);
        assert_eq!(one.outcome().await, other.outcome().await);
        assert!(different.outcome().await.is_some());
        assert_eq!(bed.begun.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn work_that_has_ended_is_begun_anew_by_the_next() {
        let bed = Bed::new();
        let first = bed.join("a");
        assert!(bed.flights.any(|key| *key == "a") && !bed.flights.any(|key| *key == "b"));
        bed.gate.add_permits(2);
        assert_eq!(first.outcome().await, Some(1));
        assert!(!bed.flights.any(|_| true), "it has ended, though somebody still has a share");
        assert_eq!(bed.join("a").outcome().await, Some(2));
        drop(first);
        assert_eq!(bed.flights.count(), 0);
    }

    #[tokio::test]
    async fn work_goes_on_while_one_waits_and_ends_when_the_last_leaves() {
        let bed = Bed::new();
        let (one, other) = (bed.join("a"), bed.join("a"));
        let mut progress = other.progress();
        progress.wait_for(|progress| *progress == 1).await.unwrap();
        drop(one);
        assert_eq!(bed.flights.count(), 1);
        drop(other);
        assert_eq!(bed.flights.count(), 0);
        // The sender is dropped with the work.
        while progress.changed().await.is_ok() {}
        assert_eq!(bed.gate.available_permits(), 0);
    }

    #[tokio::test]
    async fn work_that_breaks_off_is_told_to_all_and_holds_up_nobody() {
        let flights = Numbers::default();
        let broken = flights.join("a", |_| async { panic!("a fault of the test's") });
        assert_eq!(broken.outcome().await, None);
        assert_eq!(flights.join("a", |_| async { 7 }).outcome().await, Some(7));
    }
}
