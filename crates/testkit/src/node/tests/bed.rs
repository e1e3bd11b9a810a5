//! A server without its process, and nodes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{AccountId, ManualClock, Region};
use platform::ports::{LogEvent, LogSink, LogSinkError, LogTarget};
use platform::workloads::{NewWorkload, Node, Workload, Workloads};
use platform::{BoxFuture, Platform, Runner, Turn};
use store::{Key, Range, Scope, Versioned};
use workload::{Container, NodeId, Phase, Reason, Resources, Spec, WorkloadId};

use crate::node::FakeNode;

/// How often everything must have had nothing to do, one after the other, to be at rest.
const QUIET: u32 = 4;

pub(super) struct Bed {
    pub(super) platform: Platform,
    pub(super) clock: Arc<ManualClock>,
    pub(super) workloads: Workloads,
    pub(super) nodes: BTreeMap<NodeId, FakeNode>,
    pub(super) scope: Scope,
    /// Where output goes.
    pub(super) sink: Arc<Sink>,
    runners: Vec<Runner>,
}

/// What was sent on, and whether more is taken.
#[derive(Default)]
pub(super) struct Sink {
    pub(super) taken: Mutex<Vec<String>>,
    pub(super) refuses: Mutex<Option<LogSinkError>>,
}

impl LogSink for Sink {
    fn put_events<'a>(
        &'a self,
        target: LogTarget<'a>,
        events: Vec<LogEvent>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>> {
        Box::pin(async move {
            if let Some(error) = &*self.refuses.lock().unwrap() {
                return Err(error.clone());
            }
            let told = events.into_iter().map(|event| format!("{}/{}: {}", target.group, target.stream, event.message));
            self.taken.lock().unwrap().extend(told);
            Ok(())
        })
    }
}

impl Bed {
    /// A server and one node, called `a`, with 4 processors and 4,096 MiB.
    pub(super) fn new() -> Self {
        let mut bed = Self::without_nodes();
        bed.join("a", 4, 4096);
        bed
    }

    pub(super) fn without_nodes() -> Self {
        let (platform, clock) = crate::platform();
        let workloads = Workloads::new(&platform);
        let scope = Scope::new(AccountId::DEFAULT, Region::default());
        let mut bed = Self {
            platform,
            clock,
            workloads,
            nodes: BTreeMap::new(),
            scope,
            sink: Arc::default(),
            runners: Vec::new(),
        };
        bed.restart_server();
        bed
    }

    pub(super) fn join(&mut self, name: &str, cpus: u64, mib: u64) -> FakeNode {
        let node = FakeNode::new(self.clock.clone(), cpus, mib);
        let id: NodeId = name.parse().unwrap();
        self.serve(&id, &node);
        self.nodes.insert(id, node.clone());
        node
    }

    /// The server's process is killed wherever it is, and another started.
    pub(super) fn restart_server(&mut self) {
        self.runners.clear();
        self.workloads = Workloads::new(&self.platform);
        self.runners.extend(self.workloads.reconcilers().into_iter().map(|one| Runner::new(&self.platform, one)));
        for (id, node) in self.nodes.clone() {
            self.serve(&id, &node);
        }
    }

    fn serve(&mut self, id: &NodeId, node: &FakeNode) {
        let drive = self.workloads.drive(id.clone(), Arc::new(node.clone()));
        let ship = self.workloads.ship(id.clone(), Arc::new(node.clone()), self.sink.clone());
        self.runners.extend([drive, ship].map(|one| Runner::new(&self.platform, one)));
    }

    /// Lets everything that can go on do so for a while, or until nothing does.
    pub(super) async fn turns(&mut self, turns: u32) {
        let mut quiet = 0;
        for _ in 0..turns {
            let mut ran = false;
            for runner in &mut self.runners {
                ran |= runner.step().await == Turn::Ran;
            }
            // Tasks beside the rounds, and who listens to nodes.
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            quiet = if ran { 0 } else { quiet + 1 };
            if quiet == QUIET {
                return;
            }
        }
    }

    /// Lets everything go on until nothing does.
    pub(super) async fn settle(&mut self) {
        self.turns(100_000).await;
    }

    /// Lets time pass, and everything that waits for it happen.
    pub(super) async fn pass(&mut self, time: Duration) {
        let step = Duration::from_millis(500);
        let mut left = time;
        while !left.is_zero() {
            let by = left.min(step);
            self.clock.advance(by);
            left -= by;
            self.settle().await;
        }
    }

    pub(super) async fn create(&self, new: NewWorkload) -> WorkloadId {
        self.workloads.create(&self.scope, new).await.unwrap()
    }

    /// Wants a workload and lets it run.
    pub(super) async fn run(&mut self, new: NewWorkload) -> WorkloadId {
        let id = self.create(new).await;
        self.settle().await;
        id
    }

    pub(super) async fn workload(&self, id: &WorkloadId) -> Versioned<Workload> {
        self.workloads.get(&self.scope, id).await.unwrap().expect("it is there")
    }

    pub(super) async fn phase(&self, id: &WorkloadId) -> Phase {
        self.workload(id).await.phase()
    }

    pub(super) async fn reason(&self, id: &WorkloadId) -> Reason {
        self.workload(id).await.reason().cloned().expect("it has a reason")
    }

    pub(super) async fn node(&self, name: &str) -> Node {
        self.workloads.node(&name.parse().unwrap()).await.unwrap().value
    }

    /// How many keys there are of a kind of record, wherever they are.
    pub(super) async fn kept(&self, kind: &str) -> usize {
        let mut kept = 0;
        for scope in [self.scope.clone(), Scope::system()] {
            let below: Key = scope.key().join(["workload", kind]);
            kept += self.platform.store.range(Range::prefix(&below)).await.unwrap().entries.len();
        }
        kept
    }
}

/// A workload of one container that asks for 100 thousandths of a processor and 64 MiB.
pub(super) fn small() -> NewWorkload {
    sized(100, 64)
}

pub(super) fn sized(cpu_millis: u32, mib: u64) -> NewWorkload {
    let container =
        Container { name: "main".to_owned(), image: "app:1".to_owned(), essential: true, ..Container::default() };
    let resources =
        Resources { cpu_millis_reserved: cpu_millis, memory_bytes_reserved: mib << 20, ..Resources::default() };
    let spec = Spec { containers: vec![container], resources, ..Spec::default() };
    NewWorkload { spec, owner: "test".to_owned(), ..NewWorkload::default() }
}
