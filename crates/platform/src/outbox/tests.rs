use std::collections::BTreeMap;
use std::sync::Mutex;

use base::{ManualClock, SeededRng};
use proptest::prelude::{prop, proptest};
use store::StoreOptions;

use super::*;
use crate::reconciler::{Reconciler, Runner, Turn};

fn platform() -> (Platform, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(1_767_225_600)));
    let store = Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() });
    (Platform { store, clock: clock.clone(), ..Platform::in_memory() }, clock)
}

/// What a destination does with the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    FailsBefore,
    FailsAfter,
    Refuses,
    Panics,
}

type MoodOf = dyn Fn(&Event<u32>) -> Mood + Send + Sync;

/// A destination that keeps what it got. It can be interrupted before and after it takes an event.
struct Destination {
    got: Mutex<Vec<Event<u32>>>,
    calls: AtomicU64,
    mood: Box<MoodOf>,
}

impl Destination {
    fn new(mood: impl Fn(&Event<u32>) -> Mood + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { got: Mutex::default(), calls: AtomicU64::new(0), mood: Box::new(mood) })
    }

    fn payloads(&self, key: &str) -> Vec<u32> {
        self.got.lock().unwrap().iter().filter(|event| event.key == key).map(|event| event.payload).collect()
    }
}

impl Deliver<u32> for Destination {
    fn deliver<'a>(&'a self, event: &'a Event<u32>) -> BoxFuture<'a, Result<(), DeliveryError>> {
        Box::pin(async {
            self.calls.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            let mood = (self.mood)(event);
            match mood {
                Mood::FailsBefore => return Err(DeliveryError::transient("not now")),
                Mood::Refuses => return Err(DeliveryError::permanent("never")),
                Mood::Panics => std::panic::resume_unwind(Box::new("it panics")),
                Mood::Takes | Mood::FailsAfter => self.got.lock().unwrap().push(event.clone()),
            }
            tokio::task::yield_now().await;
            if mood == Mood::FailsAfter { Err(DeliveryError::transient("too late")) } else { Ok(()) }
        })
    }
}

async fn put(platform: &Platform, outbox: &Outbox<u32>, key: &str, payload: u32) {
    let mut tx = Tx::new();
    outbox.put(&mut tx, key, payload);
    platform.store.commit(tx).await.unwrap();
}

/// A process that delivers.
fn process(platform: &Platform, outbox: &Arc<Outbox<u32>>, to: &Arc<Destination>) -> Runner {
    Runner::new(platform, Dispatcher::new(outbox, to.clone()))
}

/// Runs what can run without the passing of time.
async fn run(runner: &mut Runner) -> Option<Timestamp> {
    loop {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        match runner.step().await {
            Turn::Ran => {}
            Turn::Waits(due) => return due,
            Turn::Ended => panic!("the store is closed"),
        }
    }
}

/// Runs until nothing waits.
async fn drain(outbox: &Outbox<u32>, runner: &mut Runner, clock: &ManualClock) {
    for _ in 0..10_000 {
        let due = run(runner).await;
        if outbox.depth().await.unwrap().events == 0 {
            return;
        }
        clock.advance(due.unwrap().since(clock.now()));
    }
    panic!("{:?} does not come to an end: {:?}", outbox, outbox.depth().await);
}

#[tokio::test]
async fn an_event_is_delivered_if_its_transaction_is_committed() {
    let (platform, clock) = platform();
    let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
    let to = Destination::new(|_| Mood::Takes);
    let mut runner = process(&platform, &outbox, &to);
    let mut refused = Tx::new();
    outbox.put(&mut refused, "a", 1);
    refused.guard(store::Guard::Exists(Key::new(["nothing"])));
    assert!(platform.store.commit(refused).await.unwrap_err().is_conflict());
    let mut tx = Tx::new();
    let ids = outbox.put_all(&mut tx, [("a".to_owned(), 2), ("b".to_owned(), 3), ("a".to_owned(), 4)]);
    platform.store.commit(tx).await.unwrap();
    assert_eq!(outbox.depth().await.unwrap().events, 3);
    drain(&outbox, &mut runner, &clock).await;
    assert_eq!((to.payloads("a"), to.payloads("b")), (vec![2, 4], vec![3]));
    let mut got: Vec<String> = to.got.lock().unwrap().iter().map(|event| event.id.clone()).collect();
    got.sort();
    assert_eq!(got, std::collections::BTreeSet::from_iter(ids).into_iter().collect::<Vec<_>>());
    let depth = outbox.depth().await.unwrap();
    assert_eq!((depth.events, depth.groups, depth.oldest), (0, QueueCount::default(), None));
}

#[tokio::test]
async fn a_key_that_fails_holds_up_nobody_else_and_keeps_its_order() {
    let (platform, clock) = platform();
    let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
    let to =
        Destination::new(|event| if event.payload == 1 && event.attempt < 5 { Mood::FailsBefore } else { Mood::Takes });
    let mut runner = process(&platform, &outbox, &to);
    for (key, payload) in [("a", 1), ("a", 2), ("b", 3)] {
        put(&platform, &outbox, key, payload).await;
    }
    run(&mut runner).await;
    assert_eq!((to.payloads("a"), to.payloads("b")), (vec![], vec![3]));
    // The message says when to come back, rather than that somebody is at it.
    assert_eq!(outbox.depth().await.unwrap().groups.delayed, 1);
    // A further event does not shorten the wait of the first one.
    let calls = to.calls.load(Ordering::SeqCst);
    put(&platform, &outbox, "a", 4).await;
    run(&mut runner).await;
    assert_eq!((to.payloads("a"), to.calls.load(Ordering::SeqCst)), (vec![], calls));
    assert_eq!(outbox.depth().await.unwrap().groups.delayed, 1);
    drain(&outbox, &mut runner, &clock).await;
    assert_eq!(to.payloads("a"), [1, 2, 4]);
    assert_eq!(to.got.lock().unwrap().iter().map(|event| event.attempt).max(), Some(5));
}

#[tokio::test]
async fn a_key_is_not_put_to_rest_while_it_has_an_event() {
    let (platform, _) = platform();
    let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
    put(&platform, &outbox, "a", 1).await;
    let group = platform.store.receive(&outbox.queue, 1, Duration::from_secs(1)).await.unwrap().remove(0).id;
    // As if the event had been put between the reading of the group and this.
    assert!(!outbox.rest(&group).await.unwrap());
    assert_eq!(outbox.depth().await.unwrap().groups.held, 1);
}

#[tokio::test]
async fn an_event_is_given_up_after_its_tries_or_its_time_and_the_next_ones_go_on() {
    for (options, mood, attempts) in [
        (DeliveryOptions { attempts_max: 3, ..DeliveryOptions::default() }, Mood::FailsBefore, 3),
        (DeliveryOptions { attempts_max: 3, ..DeliveryOptions::default() }, Mood::Panics, 3),
        (DeliveryOptions { age_max: Duration::ZERO, ..DeliveryOptions::default() }, Mood::FailsBefore, 1),
        (DeliveryOptions::default(), Mood::Refuses, 1),
    ] {
        let (platform, clock) = platform();
        let outbox = Outbox::new(&platform, "test", options);
        let healthy = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let is_healthy = healthy.clone();
        let to =
            Destination::new(
                move |event| {
                    if event.payload == 1 && !is_healthy.load(Ordering::SeqCst) { mood } else { Mood::Takes }
                },
            );
        let mut runner = process(&platform, &outbox, &to);
        put(&platform, &outbox, "a", 1).await;
        put(&platform, &outbox, "a", 2).await;
        drain(&outbox, &mut runner, &clock).await;
        assert_eq!(to.payloads("a"), [2]);
        let dead = outbox.dead_letters(None, 10).await.unwrap().items.pop().unwrap();
        assert_eq!((dead.value.key.as_str(), &dead.payload, dead.attempts), ("a", &1.into(), attempts), "{mood:?}");
        assert_eq!(outbox.depth().await.unwrap().dead_letters, 1);

        healthy.store(true, Ordering::SeqCst);
        outbox.redrive(&dead).await.unwrap();
        assert!(outbox.redrive(&dead).await.unwrap_err().is_conflict());
        drain(&outbox, &mut runner, &clock).await;
        assert_eq!(to.payloads("a"), [2, 1]);
        assert_eq!(to.got.lock().unwrap()[1].id, dead.event_id);
        assert_eq!(outbox.depth().await.unwrap().dead_letters, 0);
    }
}

#[tokio::test]
async fn dead_letters_are_bounded_in_number_and_time() {
    let (platform, clock) = platform();
    let options = DeliveryOptions { dead_letters_max: 2, ..DeliveryOptions::default() };
    let outbox = Outbox::new(&platform, "test", options);
    let to = Destination::new(|_| Mood::Refuses);
    let mut runner = process(&platform, &outbox, &to);
    for payload in 0..4 {
        put(&platform, &outbox, "a", payload).await;
        drain(&outbox, &mut runner, &clock).await;
        clock.advance(Duration::from_secs(1));
    }
    let left: Vec<_> =
        outbox.dead_letters(None, 10).await.unwrap().items.into_iter().map(|it| it.value.payload).collect();
    assert_eq!(left, [2, 3]);
    clock.advance(options.dead_letters_kept);
    run(&mut runner).await;
    assert!(outbox.dead_letters(None, 10).await.unwrap().items.is_empty());
    assert_eq!(outbox.depth().await.unwrap().dead_letters, 0);
}

#[tokio::test]
async fn what_this_program_cannot_read_is_given_up() {
    let (platform, clock) = platform();
    let texts = Outbox::<String>::new(&platform, "test", DeliveryOptions::default());
    let mut tx = Tx::new();
    texts.put(&mut tx, "a", "no number".to_owned());
    platform.store.commit(tx).await.unwrap();
    let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
    drain(&outbox, &mut process(&platform, &outbox, &Destination::new(|_| Mood::Takes)), &clock).await;
    assert_eq!(outbox.depth().await.unwrap().dead_letters, 1);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_hangs_is_given_up_and_asked_again() {
    struct Hangs(Mutex<u32>);
    impl Deliver<u32> for Hangs {
        fn deliver<'a>(&'a self, event: &'a Event<u32>) -> BoxFuture<'a, Result<(), DeliveryError>> {
            Box::pin(async {
                *self.0.lock().unwrap() += 1;
                if event.attempt == 1 { std::future::pending().await } else { Ok(()) }
            })
        }
    }
    let (platform, clock) = platform();
    let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
    put(&platform, &outbox, "a", 1).await;
    let to = Arc::new(Hangs(Mutex::new(0)));
    let mut runner = Runner::new(&platform, Dispatcher::new(&outbox, to.clone()));
    runner.step().await;
    tokio::time::sleep(DeliveryOptions::default().limit * 2).await;
    assert_eq!(*to.0.lock().unwrap(), 1);
    clock.advance(Duration::from_secs(1));
    drain(&outbox, &mut runner, &clock).await;
    assert_eq!(*to.0.lock().unwrap(), 2);
}

#[tokio::test]
async fn the_loop_delivers_without_being_driven() {
    let (platform, _) = platform();
    let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
    let to = Destination::new(|_| Mood::Takes);
    let dispatcher = Dispatcher::new(&outbox, to.clone());
    assert_eq!(dispatcher.name(), "outbox/test");
    let reconcilers = crate::Reconcilers::new(&platform);
    reconcilers.start(dispatcher);
    for payload in 0..100 {
        put(&platform, &outbox, &format!("key-{}", payload % 30), payload).await;
        while payload % 10 == 0 && outbox.depth().await.unwrap().events > 0 {
            tokio::task::yield_now().await;
        }
    }
    while outbox.depth().await.unwrap().events > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(to.payloads("key-3"), [3, 33, 63, 93]);
    platform.store.close().await.unwrap();
    reconcilers.ended().await;
}

/// Puts, failures, panics, deaths of the process and the passing of time, in an order that the seed decides.
async fn simulate(seed: u64) {
    let (platform, clock) = platform();
    let rng = Arc::new(SeededRng::new(seed));
    let options = DeliveryOptions { concurrent_max: 1 + (seed % 4) as usize, ..DeliveryOptions::default() };
    let moods = rng.clone();
    let to = Destination::new(move |_| match moods.next_u64() % 8 {
        0 => Mood::FailsBefore,
        1 => Mood::FailsAfter,
        2 => Mood::Panics,
        _ => Mood::Takes,
    });
    let mut outbox = Outbox::new(&platform, "test", options);
    let mut runner = process(&platform, &outbox, &to);
    let mut put_so_far: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for payload in 0..300 {
        match rng.next_u64() % 8 {
            0..3 => {
                let key = format!("key-{}", rng.next_u64() % 4);
                put(&platform, &outbox, &key, payload).await;
                put_so_far.entry(key).or_default().push(payload);
            }
            3..5 => drop(runner.step().await),
            5 => {
                for _ in 0..rng.next_u64() % 8 {
                    tokio::task::yield_now().await;
                }
            }
            6 => clock.advance(Duration::from_millis(rng.next_u64() % 10_000)),
            _ => {
                // The process dies, with whatever it is delivering.
                drop(runner);
                outbox = Outbox::new(&platform, "test", options);
                runner = process(&platform, &outbox, &to);
            }
        }
    }
    drain(&outbox, &mut runner, &clock).await;
    for (key, wanted) in put_so_far {
        let mut got = to.payloads(&key);
        got.dedup();
        assert_eq!(got, wanted, "seed {seed}, {key}: lost, out of order, or again after a later one");
    }
    let mut ids: BTreeMap<u32, String> = BTreeMap::new();
    for event in &*to.got.lock().unwrap() {
        assert_eq!(ids.entry(event.payload).or_insert_with(|| event.id.clone()), &event.id, "seed {seed}");
    }
    assert_eq!(outbox.depth().await.unwrap().groups, QueueCount::default(), "seed {seed}");
}

#[tokio::test]
async fn from_any_seed_nothing_is_lost_or_reordered_however_often_the_process_dies() {
    for seed in 0..100 {
        simulate(seed).await;
    }
}

proptest! {
    #[test]
    fn whatever_the_keys_are_each_has_its_events_in_order(keys in prop::collection::vec(".{0,3}", 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (platform, clock) = platform();
            let outbox = Outbox::new(&platform, "test", DeliveryOptions::default());
            let to = Destination::new(|_| Mood::Takes);
            let mut wanted: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            for (payload, key) in (0..).zip(&keys) {
                put(&platform, &outbox, key, payload).await;
                wanted.entry(key.clone()).or_default().push(payload);
            }
            drain(&outbox, &mut process(&platform, &outbox, &to), &clock).await;
            for (key, wanted) in wanted {
                assert_eq!(to.payloads(&key), wanted);
            }
        });
    }
}
