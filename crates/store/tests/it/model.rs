//! Random histories, run on the engine in memory and on SQLite: both must answer the same to everything.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use store::{Event, Guard, HistoryPolicy, Key, LeaseId, Message, Op, Range, Revision, StoreError, Txn};

use crate::bed::{Bed, Kind, key};

/// A step of a history. What names something that was answered before (a revision, a lease, a message) does so by how
/// long ago it was.
#[derive(Debug, Clone)]
enum Step {
    Txn { guards: Vec<(u8, Key, u64)>, then: Vec<Write>, otherwise: Vec<Write> },
    Range { prefix: Key, limit: usize, reverse: bool, ago: Option<u64> },
    Events { prefix: Key, ago: u64 },
    Receive { queue: &'static str, max: usize },
    Ack { ago: usize },
    Extend { ago: usize, seconds: u64 },
    Grant { seconds: u64 },
    Renew { ago: usize },
    Revoke { ago: usize },
    SetHistory { prefix: Key, seconds: u64 },
    Compact { prefix: Key, ago: u64 },
    Pass { seconds: u64 },
}

#[derive(Debug, Clone)]
enum Write {
    Put(Key, Vec<u8>),
    PutLeased(Key, usize),
    Delete(Key),
    DeletePrefix(Key, usize),
    Enqueue(&'static str, &'static str, u64),
    Ack(usize),
}

/// One engine, and what it has answered.
struct Side {
    bed: Bed,
    leases: Vec<LeaseId>,
    messages: Vec<Message>,
}

fn any_key() -> impl Strategy<Value = Key> {
    select(vec!["a", "b", "a/a", "a/b", "a/b/c", "a/b/d", "ab", "b/a", "b/a/x"]).prop_map(key)
}

fn any_prefix() -> impl Strategy<Value = Key> {
    select(vec!["", "a", "a/b", "b", "c"]).prop_map(key)
}

fn any_write() -> impl Strategy<Value = Write> {
    let queue = || select(vec!["q", "r"]);
    prop_oneof![
        6 => (any_key(), prop::collection::vec(any::<u8>(), 0..4)).prop_map(|(key, value)| Write::Put(key, value)),
        2 => (any_key(), 0..3_usize).prop_map(|(key, lease)| Write::PutLeased(key, lease)),
        3 => any_key().prop_map(Write::Delete),
        1 => (any_prefix(), 0..4_usize).prop_map(|(prefix, limit)| Write::DeletePrefix(prefix, limit)),
        3 => (queue(), select(vec!["1", "2", "3"]), 0..20_u64).prop_map(|(queue, id, delay)| Write::Enqueue(queue, id, delay)),
        1 => (0..3_usize).prop_map(Write::Ack),
    ]
}

fn any_step() -> impl Strategy<Value = Step> {
    let writes = |most| prop::collection::vec(any_write(), 0..most);
    let guards = prop::collection::vec((0..5_u8, any_key(), 0..4_u64), 0..3);
    let at = prop::option::of(0..12_u64);
    prop_oneof![
        12 => (guards, writes(4), writes(2)).prop_map(|(guards, then, otherwise)| Step::Txn { guards, then, otherwise }),
        4 => (any_prefix(), 0..6_usize, any::<bool>(), at)
            .prop_map(|(prefix, limit, reverse, ago)| Step::Range { prefix, limit, reverse, ago }),
        3 => (any_prefix(), 0..12_u64).prop_map(|(prefix, ago)| Step::Events { prefix, ago }),
        2 => (select(vec!["q", "r"]), 0..3_usize).prop_map(|(queue, max)| Step::Receive { queue, max }),
        1 => (0..3_usize).prop_map(|ago| Step::Ack { ago }),
        1 => (0..3_usize, 0..20_u64).prop_map(|(ago, seconds)| Step::Extend { ago, seconds }),
        1 => (1..40_u64).prop_map(|seconds| Step::Grant { seconds }),
        1 => (0..3_usize).prop_map(|ago| Step::Renew { ago }),
        1 => (0..3_usize).prop_map(|ago| Step::Revoke { ago }),
        1 => (any_prefix(), 1..60_u64).prop_map(|(prefix, seconds)| Step::SetHistory { prefix, seconds }),
        1 => (any_prefix(), 0..10_u64).prop_map(|(prefix, ago)| Step::Compact { prefix, ago }),
        3 => (0..30_u64).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

impl Side {
    fn new(kind: Kind) -> Self {
        Self { bed: kind.bed(), leases: Vec::new(), messages: Vec::new() }
    }

    fn ago(&self, ago: u64) -> Revision {
        // Revision 1 is the empty store's: there is no event that made it.
        Revision(self.bed.store.revision().0.saturating_sub(ago).max(1))
    }

    fn message(&self, ago: usize) -> Option<&Message> {
        self.messages.iter().rev().nth(ago)
    }

    fn lease(&self, ago: usize) -> LeaseId {
        self.leases.iter().rev().nth(ago).copied().unwrap_or(LeaseId(1_000_000))
    }

    fn guard(&self, (kind, key, ago): &(u8, Key, u64)) -> Guard {
        match kind {
            0 => Guard::Absent(key.clone()),
            1 => Guard::Exists(key.clone()),
            2 => Guard::Modified(key.clone(), self.ago(*ago)),
            3 => Guard::NoneBelow(key.clone()),
            _ => self.message(usize::try_from(*ago).unwrap()).map_or(Guard::Absent(key.clone()), |message| {
                Guard::Held { queue: message.queue.clone(), id: message.id.clone(), receipt: message.receipt }
            }),
        }
    }

    fn op(&self, write: &Write) -> Op {
        match write.clone() {
            Write::Put(key, value) => Op::Put { key, value, lease: None },
            Write::PutLeased(key, ago) => Op::Put { key, value: Vec::new(), lease: Some(self.lease(ago)) },
            Write::Delete(key) => Op::Delete { key },
            Write::DeletePrefix(prefix, limit) => Op::DeletePrefix { prefix, limit },
            Write::Enqueue(queue, id, delay) => Op::Enqueue {
                queue: queue.to_owned(),
                id: id.to_owned(),
                body: Vec::new(),
                visible_at: self.bed.now().plus(Duration::from_secs(delay)),
            },
            Write::Ack(ago) => match self.message(ago) {
                Some(message) => {
                    Op::Ack { queue: message.queue.clone(), id: message.id.clone(), receipt: message.receipt }
                }
                None => Op::Delete { key: key("nothing") },
            },
        }
    }

    /// Does a step and describes what came of it.
    async fn step(&mut self, step: &Step) -> String {
        let store = self.bed.store.clone();
        match step {
            Step::Txn { guards, then, otherwise } => {
                let guards = guards.iter().map(|guard| self.guard(guard)).collect();
                let ops = |writes: &[Write]| writes.iter().map(|write| self.op(write)).collect();
                told(store.txn(Txn { guards, then: ops(then), otherwise: ops(otherwise) }).await)
            }
            Step::Range { prefix, limit, reverse, ago } => {
                let range = Range { reverse: *reverse, at: ago.map(|ago| self.ago(ago)), ..Range::prefix(prefix) };
                told(store.range(range.limit(*limit)).await)
            }
            Step::Events { prefix, ago } => told(self.events(prefix, self.ago(*ago)).await),
            Step::Receive { queue, max } => {
                let received = store.receive(queue, *max, Duration::from_secs(10)).await;
                self.messages.extend(received.iter().flatten().cloned());
                told(received)
            }
            Step::Ack { ago } => match self.message(*ago) {
                Some(message) => told(store.ack(message).await),
                None => String::new(),
            },
            Step::Extend { ago, seconds } => match self.message(*ago) {
                Some(message) => told(store.extend(message, self.bed.now().plus(Duration::from_secs(*seconds))).await),
                None => String::new(),
            },
            Step::Grant { seconds } => {
                let lease = store.grant(Duration::from_secs(*seconds)).await;
                self.leases.extend(lease.as_ref().ok());
                told(lease)
            }
            Step::Renew { ago } => told(store.renew(self.lease(*ago)).await),
            Step::Revoke { ago } => told(store.revoke(self.lease(*ago)).await),
            Step::SetHistory { prefix, seconds } => {
                let policy = HistoryPolicy { keep: Duration::from_secs(*seconds), events_max: 1000 };
                told(store.set_history(prefix, policy).await)
            }
            Step::Compact { prefix, ago } => told(store.compact(prefix, self.ago(*ago)).await),
            Step::Pass { seconds } => {
                self.bed.pass(*seconds).await;
                String::new()
            }
        }
    }

    /// All events up to now. Each revision has one, but perhaps not below the prefix: so the root is watched, which
    /// must tell of the prefix what a watch of it would.
    async fn events(&self, prefix: &Key, after: Revision) -> Result<Vec<Event>, StoreError> {
        let store = &self.bed.store;
        let mut events = Vec::new();
        let mut watch = store.watch(&Key::root(), after);
        while watch.position() < store.revision() {
            events.extend(watch.next().await?);
        }
        events.retain(|event| prefix.covers(event.key()));
        let mut of_prefix = store.watch(prefix, after);
        let mut same = Vec::new();
        while same.len() < events.len() {
            same.extend(of_prefix.next().await?);
        }
        assert_eq!(events, same);
        Ok(events)
    }

    async fn everything(&self) -> String {
        let store = &self.bed.store;
        let mut text = told(store.range(Range::prefix(&Key::root())).await);
        for queue in ["q", "r"] {
            text += &told(store.count(queue).await);
        }
        text
    }
}

fn told<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    format!("{answer:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_engines_answer_the_same_to_any_history(steps in prop::collection::vec(any_step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut memory, mut sqlite) = (Side::new(Kind::Memory), Side::new(Kind::Sqlite));
            for (number, step) in steps.iter().enumerate() {
                let (expected, found) = (memory.step(step).await, sqlite.step(step).await);
                prop_assert_eq!(expected, found, "step {}: {:?}", number, step);
                prop_assert_eq!(memory.bed.store.revision(), sqlite.bed.store.revision());
            }
            prop_assert_eq!(memory.everything().await, sqlite.everything().await);
            Ok(())
        })?;
    }

    #[test]
    fn opening_again_changes_nothing(steps in prop::collection::vec(any_step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut side = Side::new(Kind::Sqlite);
            for step in &steps {
                side.step(step).await;
            }
            let before = (side.bed.store.revision(), side.everything().await);
            side.bed = side.bed.reopened().await;
            prop_assert_eq!(before, (side.bed.store.revision(), side.everything().await));
            Ok(())
        })?;
    }
}
