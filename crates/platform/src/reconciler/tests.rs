use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base::{Clock, ManualClock, Rng, SeededRng};
use store::{HistoryPolicy, Key, Op, Store, StoreError, StoreOptions, Txn};
use tokio::sync::Notify;

use super::*;
use crate::{Backoff, Platform};

fn platform() -> (Platform, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(1_767_225_600)));
    let store = Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() });
    (Platform { store, clock: clock.clone(), ..Platform::in_memory() }, clock)
}

async fn write(store: &Store, key: &str) {
    let put = Op::Put { key: Key::new(key.split('/')), value: vec![1], lease: None };
    store.txn(Txn { then: vec![put], ..Txn::default() }).await.unwrap();
}

/// Answers what it is told to, and counts.
struct Told {
    answers: Mutex<Vec<Result<Round, Cause>>>,
    rounds: AtomicU64,
    wakes: Vec<Wake>,
    ran: Notify,
}

impl Told {
    fn new(wakes: Vec<Wake>, mut answers: Vec<Result<Round, Cause>>) -> Arc<Self> {
        answers.reverse();
        Arc::new(Self { answers: Mutex::new(answers), rounds: AtomicU64::new(0), wakes, ran: Notify::new() })
    }

    fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::SeqCst)
    }
}

impl Reconciler for Told {
    fn name(&self) -> &str {
        "told"
    }

    fn wakes(&self) -> Vec<Wake> {
        self.wakes.clone()
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async {
            self.rounds.fetch_add(1, Ordering::SeqCst);
            self.ran.notify_one();
            let answer = self.answers.lock().unwrap().pop().unwrap_or_else(|| Ok(Round::idle()));
            match answer {
                Err(cause) if cause.to_string() == "panic" => panic!("as told"),
                Err(cause) if cause.to_string() == "hang" => std::future::pending().await,
                answer => answer,
            }
        })
    }
}

fn below_a() -> Vec<Wake> {
    vec![Wake::Prefix(Key::new(["a"]))]
}

#[tokio::test]
async fn any_number_of_wakes_is_one_round() {
    let (platform, _) = platform();
    let told = Told::new(vec![Wake::Prefix(Key::new(["a"])), Wake::Queue("q".to_owned())], Vec::new());
    let mut runner = Runner::new(&platform, told.clone());
    assert_eq!(runner.settle().await, 1);
    for name in 0..600 {
        write(&platform.store, &format!("a/{name}")).await;
        platform.store.enqueue("q", &name.to_string(), vec![], platform.clock.now()).await.unwrap();
    }
    write(&platform.store, "b/x").await;
    assert_eq!(runner.settle().await, 1);
    write(&platform.store, "b/x").await;
    assert_eq!((runner.step().await, told.rounds()), (Turn::Waits(None), 2));
}

#[tokio::test]
async fn a_signal_before_or_in_a_round_is_not_lost() {
    let (platform, _) = platform();
    let signal = Arc::new(Notify::new());
    let told = Told::new(vec![Wake::Signal(signal.clone())], Vec::new());
    let mut runner = Runner::new(&platform, told);
    signal.notify_one();
    assert_eq!(runner.settle().await, 2);
    signal.notify_one();
    signal.notify_one();
    assert_eq!(runner.settle().await, 1);
}

#[tokio::test]
async fn it_runs_again_when_it_is_due() {
    let (platform, clock) = platform();
    let due = clock.now().plus(Duration::from_secs(10));
    let mut runner = Runner::new(&platform, Told::new(Vec::new(), vec![Ok(Round::did(2, "made two").due(due))]));
    assert_eq!(runner.step().await, Turn::Ran);
    assert_eq!(runner.step().await, Turn::Waits(Some(due)));
    let status = runner.status();
    assert_eq!((status.next_due, status.rounds), (Some(due), 1));
    assert_eq!(status.last.unwrap().outcome, RoundOutcome::Done { changes: 2, did: "made two".to_owned() });
    clock.advance(Duration::from_secs(10));
    assert_eq!(runner.step().await, Turn::Ran);
    assert_eq!(runner.step().await, Turn::Waits(None));
}

#[tokio::test]
async fn a_round_that_does_nothing_and_wants_to_run_at_once_is_slowed_down() {
    let (platform, clock) = platform();
    let mut runner = Runner::new(&platform, Told::new(Vec::new(), vec![Ok(Round::idle().due(clock.now()))]));
    runner.step().await;
    assert_eq!(runner.step().await, Turn::Waits(Some(clock.now().plus(Duration::from_secs(1)))));
    let busy = vec![Ok(Round::did(1, "one").due(clock.now())), Ok(Round::idle())];
    assert_eq!(Runner::new(&platform, Told::new(Vec::new(), busy)).settle().await, 2);
}

#[tokio::test]
async fn a_failure_backs_off_and_wakes_do_not_shorten_it() {
    let (platform, clock) = platform();
    let told = Told::new(below_a(), (0..20).map(|n| Err(format!("failure {n}").into())).collect());
    let mut runner = Runner::new(&platform, told);
    for failures in 1..=20 {
        assert_eq!(runner.step().await, Turn::Ran);
        write(&platform.store, "a/x").await;
        let Turn::Waits(Some(at)) = runner.step().await else { panic!("it does not wait") };
        let wait = at.since(clock.now());
        let full = Backoff::DEFAULT.first.saturating_mul(1 << (failures - 1)).min(Backoff::DEFAULT.longest);
        assert!(wait <= full && wait * 2 >= full, "{wait:?} after {failures}");
        assert_eq!(runner.status().failures_in_row, failures);
        clock.advance(wait);
    }
    assert_eq!(runner.step().await, Turn::Ran);
    let status = runner.status();
    assert_eq!((status.failures, status.failures_in_row, status.rounds), (20, 0, 21));
    assert_eq!(status.last_failure.unwrap().outcome, RoundOutcome::Failed { error: "failure 19".to_owned() });
}

#[tokio::test(start_paused = true)]
async fn a_round_that_panics_or_hangs_is_a_failure() {
    let (platform, clock) = platform();
    let mut runner = Runner::new(&platform, Told::new(Vec::new(), vec![Err("panic".into()), Err("hang".into())]));
    for expected in ["it panicked: as told", "it was not done within 300 s"] {
        assert_eq!(runner.step().await, Turn::Ran);
        let outcome = runner.status().last.unwrap().outcome;
        assert_eq!(outcome, RoundOutcome::Failed { error: expected.to_owned() });
        clock.advance(Backoff::DEFAULT.longest);
    }
    assert_eq!(runner.step().await, Turn::Ran);
    assert_eq!(runner.status().failures_in_row, 0);
}

#[tokio::test]
async fn a_watch_whose_history_is_gone_is_one_round_and_goes_on() {
    let (platform, _) = platform();
    let told = Told::new(below_a(), Vec::new());
    let mut runner = Runner::new(&platform, told.clone());
    runner.settle().await;
    write(&platform.store, "a/x").await;
    write(&platform.store, "a/y").await;
    platform.store.compact(&Key::root(), platform.store.revision()).await.unwrap();
    assert_eq!(runner.settle().await, 1);
    write(&platform.store, "a/x").await;
    assert_eq!(runner.settle().await, 1);
}

#[tokio::test]
async fn the_loop_ends_with_the_store_in_whatever_state_it_is() {
    let (platform, _) = platform();
    let reconcilers = Reconcilers::new(&platform);
    let signal = Arc::new(Notify::new());
    let told = Told::new(vec![Wake::Signal(signal)], vec![Err("failure".into())]);
    reconcilers.start(told.clone());
    told.ran.notified().await;
    struct Quiet;
    impl Reconciler for Quiet {
        fn name(&self) -> &str {
            "quiet"
        }
        fn wakes(&self) -> Vec<Wake> {
            Vec::new()
        }
        fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
            Box::pin(async { Ok(Round::idle()) })
        }
    }
    reconcilers.start(Arc::new(Quiet));
    platform.store.close().await.unwrap();
    reconcilers.ended().await;
    assert!(reconcilers.list().iter().all(|status| status.ended));
    assert_eq!(reconcilers.list().iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["told", "quiet"]);
}

#[tokio::test]
async fn a_store_that_is_closed_in_a_round_is_no_failure() {
    let (platform, _) = platform();
    let mut runner = Runner::new(&platform, Told::new(below_a(), vec![Err(StoreError::Closed.into())]));
    platform.store.close().await.unwrap();
    assert_eq!(runner.step().await, Turn::Ended);
    assert_eq!(runner.status().failures, 0);
}

#[tokio::test(start_paused = true)]
async fn the_loop_is_woken_by_a_write() {
    let (platform, _) = platform();
    let told = Told::new(below_a(), Vec::new());
    let reconcilers = Reconcilers::new(&platform);
    reconcilers.start(told.clone());
    told.ran.notified().await;
    write(&platform.store, "a/x").await;
    told.ran.notified().await;
    assert_eq!(told.rounds(), 2);
    platform.store.close().await.unwrap();
    reconcilers.ended().await;
}

/// Keeps `b/<n>` for each `a/<n>`: what a reconciler is, in small.
struct Mirror(Platform);

impl Planned for Mirror {
    type Observed = (Vec<String>, Vec<String>);
    type Step = String;

    fn name(&self) -> &str {
        "mirror"
    }

    fn wakes(&self) -> Vec<Wake> {
        below_a()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>> {
        Box::pin(async {
            let mut names = Vec::new();
            for prefix in ["a", "b"] {
                let page = self.0.store.range(store::Range::prefix(&Key::new([prefix]))).await?;
                names.push(page.entries.iter().filter_map(|it| Some(it.key.segments().last()?.into_owned())).collect());
            }
            let mirrored = names.pop().unwrap();
            Ok((names.pop().unwrap(), mirrored))
        })
    }

    fn plan(&self, (wanted, there): &Self::Observed, _: Timestamp) -> Plan<String> {
        Plan { steps: wanted.iter().filter(|name| !there.contains(name)).cloned().collect(), due: None }
    }

    fn execute<'a>(&'a self, step: &'a String) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move {
            if step == "bad" {
                return Err("it is bad".into());
            }
            write(&self.0.store, &format!("b/{step}")).await;
            Ok(())
        })
    }
}

#[tokio::test]
async fn a_step_that_fails_keeps_no_other_from_being_done() {
    let (platform, _) = platform();
    for name in ["a/bad", "a/good"] {
        write(&platform.store, name).await;
    }
    let mut runner = Runner::new(&platform, planned(&platform, Mirror(platform.clone())));
    runner.settle().await;
    assert!(platform.store.get(&Key::new(["b", "good"])).await.unwrap().is_some());
    let failed = RoundOutcome::Failed { error: "cannot bad: it is bad".to_owned() };
    assert_eq!(runner.status().last.unwrap().outcome, failed);
}

#[tokio::test]
async fn from_any_seed_it_converges_whatever_is_written_compacted_and_dropped() {
    for seed in 0..50 {
        let (platform, clock) = platform();
        platform
            .store
            .set_history(&Key::new(["a"]), HistoryPolicy { keep: Duration::ZERO, events_max: 8 })
            .await
            .unwrap();
        let rng = SeededRng::new(seed);
        let mut runner = Runner::new(&platform, planned(&platform, Mirror(platform.clone())));
        for _ in 0..100 {
            match rng.next_u64() % 6 {
                0..3 => write(&platform.store, &format!("a/{}", rng.next_u64() % 20)).await,
                3 => drop(runner.step().await),
                4 => runner = Runner::new(&platform, planned(&platform, Mirror(platform.clone()))),
                _ => {
                    clock.advance(Duration::from_secs(rng.next_u64() % 100));
                    platform.store.maintain().await.unwrap();
                }
            }
        }
        runner.settle().await;
        let (wanted, there) = Mirror(platform.clone()).observe().await.unwrap();
        assert_eq!(wanted, there, "seed {seed}");
    }
}
