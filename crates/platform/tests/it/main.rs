//! What goes on after the commit, over the store on disk: it answers from other threads, and can be closed at any instant
//! and opened again.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use platform::outbox::{Deliver, DeliveryError, DeliveryOptions, Dispatcher, Event, Outbox};
use platform::{BoxFuture, Platform, Reconcilers};
use store::{Maintenance, Store, StoreOptions, Tx};
use tokio::sync::Notify;

const KEYS: u32 = 7;

#[derive(Default)]
struct Destination {
    got: Mutex<BTreeMap<String, Vec<u32>>>,
    delivered: Notify,
}

impl Destination {
    /// What was delivered of a key, without what came again at once.
    fn of_key(&self, key: u32) -> Vec<u32> {
        let mut got = self.got.lock().unwrap().get(&key.to_string()).cloned().unwrap_or_default();
        got.dedup();
        got
    }

    fn count(&self) -> usize {
        (0..KEYS).map(|key| self.of_key(key).len()).sum()
    }
}

impl Deliver<u32> for Destination {
    fn deliver<'a>(&'a self, event: &'a Event<u32>) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async {
            self.got.lock().unwrap().entry(event.key.clone()).or_default().push(event.payload);
            self.delivered.notify_one();
            Ok(())
        })
    }
}

struct Process {
    platform: Platform,
    outbox: Arc<Outbox<u32>>,
    reconcilers: Reconcilers,
}

impl Process {
    fn start(directory: &Path, to: &Arc<Destination>) -> Self {
        let options = StoreOptions { maintenance: Maintenance::Automatic, ..StoreOptions::default() };
        let store = Store::open(directory, options).unwrap();
        let platform = Platform {
            store,
            clock: Arc::new(base::SystemClock),
            rng: Arc::new(base::SystemRng),
            ..Platform::in_memory()
        };
        let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
        let reconcilers = Reconcilers::new(&platform);
        reconcilers.start(Dispatcher::new(&outbox, to.clone()));
        Self { platform, outbox, reconcilers }
    }

    async fn put(&self, payload: u32) {
        let mut tx = Tx::new();
        self.outbox.put(&mut tx, &(payload % KEYS).to_string(), payload);
        self.platform.store.commit(tx).await.unwrap();
    }

    async fn stop(self) {
        self.platform.store.close().await.unwrap();
        self.reconcilers.ended().await;
        assert!(self.reconcilers.list().iter().all(|status| status.ended));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_reordered_over_processes_that_stop_in_the_middle() {
    let directory = tempfile::tempdir().unwrap();
    let to = Arc::new(Destination::default());
    let mut payload = 0;
    for _ in 0..6 {
        let process = Process::start(directory.path(), &to);
        for _ in 0..50 {
            process.put(payload).await;
            payload += 1;
        }
        process.stop().await;
    }
    let process = Process::start(directory.path(), &to);
    while to.count() < payload as usize {
        to.delivered.notified().await;
    }
    for key in 0..KEYS {
        let wanted: Vec<u32> = (0..payload).filter(|payload| payload % KEYS == key).collect();
        assert_eq!(to.of_key(key), wanted, "key {key}");
    }
    process.stop().await;
}
