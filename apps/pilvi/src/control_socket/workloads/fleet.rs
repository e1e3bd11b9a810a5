//! Commands about workloads, answered from the server's workloads and the nodes that run them.

use std::collections::BTreeMap;
use std::sync::Arc;

use images::Reference;
use node::client::{Node, NodeError, Talk, TalkSender};
use node::protocol::{Input, Session, WorkloadStats};
use node::supply::{BoxFuture, chain};
use platform::workloads::{Filter, NewWorkload, PullPolicy, Stop, Workload, WorkloadError, Workloads};
use scheduler::Availability;
use store::Scope;
use workload::{Desired, NodeId, WorkloadId};

use super::protocol::{ContainerTold, NodeTold, Refusal, Resources, Told, Why};
use super::runtime::{Broken, Creation, Heard, Hears, Runtime, Says, Takes, Talking, Watching};

/// Who wants what the command line runs.
const OWNER: &str = "run";
/// What is noted about what somebody stops.
const ASKED: &str = "somebody stopped it on the command line";

/// The server's handles on nodes.
pub(crate) trait Nodes: Send + Sync + 'static {
    /// A node; none if it is not known, or its host is lost.
    fn node(&self, id: &NodeId) -> Option<Node>;
    /// The one on this machine, if there is one.
    fn own(&self) -> Option<Node>;
    /// Whether an image can be used without being pulled or unpacked first.
    fn has_image<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, bool>;
}

/// The workloads of the account and region that the command line speaks for, and the nodes.
pub(crate) struct Fleet {
    pub(crate) workloads: Workloads,
    pub(crate) scope: Scope,
    pub(crate) nodes: Arc<dyn Nodes>,
}

impl Fleet {
    async fn get(&self, id: &WorkloadId) -> Result<Workload, String> {
        let found = self.workloads.get(&self.scope, id).await.map_err(|error| chain(&error))?;
        found.map(|found| found.value).ok_or_else(|| format!("there is no container {id} any more"))
    }

    /// The node that a workload is on.
    async fn node_of(&self, id: &WorkloadId) -> Result<Node, Broken> {
        let workload = self.get(id).await.map_err(Broken::Refused)?;
        let node = workload.node.ok_or_else(|| Broken::Refused(format!("container {id} is on no node yet")))?;
        self.nodes.node(&node).ok_or_else(|| Broken::Away(format!("node {node} cannot be reached")))
    }

    async fn all(&self, stopped: bool) -> Result<Vec<Workload>, String> {
        let filter = Filter { owner: None, stopped };
        let listed = self.workloads.list(&self.scope, &filter).await.map_err(|error| chain(&error))?;
        Ok(listed.workloads.into_iter().map(|one| one.value).collect())
    }

    async fn stats_of(&self, ids: &[WorkloadId]) -> Result<Vec<WorkloadStats>, String> {
        let mut by_node: BTreeMap<NodeId, Vec<WorkloadId>> = BTreeMap::new();
        for one in self.all(false).await? {
            if let Some(node) = one.node.filter(|_| ids.is_empty() || ids.contains(&one.workload_id)) {
                by_node.entry(node).or_default().push(one.workload_id);
            }
        }
        let mut all = Vec::new();
        for (node, ids) in by_node {
            // What runs on a node that is away is not told of; `pilvi nodes` tells that it is.
            if let Some(node) = self.nodes.node(&node) {
                all.extend(node.stats(&ids).await.map_err(|error| chain(&error))?);
            }
        }
        Ok(all)
    }

    async fn purge_all(&self) -> Result<u64, String> {
        for one in self.all(true).await? {
            match self.workloads.remove(&self.scope, &one.workload_id, true).await {
                Ok(_) | Err(WorkloadError::NotFound { .. }) => {}
                Err(error) => return Err(chain(&error)),
            }
        }
        match self.nodes.own() {
            Some(node) => node.purge().await.map_err(|error| chain(&error)),
            None => Ok(0),
        }
    }
}

impl Runtime for Fleet {
    fn has_image<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, bool> {
        self.nodes.has_image(reference)
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeTold>, String>> {
        Box::pin(async {
            let nodes = self.workloads.nodes().await.map_err(|error| chain(&error))?;
            Ok(nodes.into_iter().filter_map(|found| node_told(found.name(), found.value.clone())).collect())
        })
    }

    fn create(&self, creation: Creation) -> BoxFuture<'_, Result<WorkloadId, String>> {
        Box::pin(async move {
            let Creation { spec, name, remove, never_pulls, log } = creation;
            let first = spec.containers.first().map(|container| container.name.clone());
            let sinks = first.into_iter().zip(log).collect();
            let new = NewWorkload {
                spec,
                name,
                owner: OWNER.to_owned(),
                pull: if never_pulls { PullPolicy::Never } else { PullPolicy::Missing },
                remove_when_stopped: remove,
                sinks,
                ..NewWorkload::default()
            };
            self.workloads.create(&self.scope, new).await.map_err(|error| chain(&error))
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Told>, String>> {
        Box::pin(async { Ok(self.all(true).await?.into_iter().map(told).collect()) })
    }

    fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Told>, String>> {
        Box::pin(async move {
            match self.workloads.find(&self.scope, name).await {
                Ok(found) => Ok(Some(told(found.value))),
                Err(WorkloadError::NotFound { .. }) => Ok(None),
                Err(error) => Err(chain(&error)),
            }
        })
    }

    fn watch<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<Box<dyn Watching>, String>> {
        let (workloads, scope, id) = (self.workloads.clone(), self.scope.clone(), id.clone());
        Box::pin(async move { Ok(Box::new(Looking { workloads, scope, id, last: None }) as Box<dyn Watching>) })
    }

    fn stop<'a>(&'a self, id: &'a WorkloadId, timeout_s: Option<u32>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let stop = Stop { timeout_s, reason: ASKED.to_owned() };
            self.workloads.stop(&self.scope, id, &stop).await.map_err(|error| chain(&error))
        })
    }

    fn remove<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(
            async move { self.workloads.remove(&self.scope, id, false).await.map(drop).map_err(|error| chain(&error)) },
        )
    }

    fn why<'a>(&'a self, id: &'a WorkloadId) -> BoxFuture<'a, Result<Why, String>> {
        Box::pin(async move {
            let why = self.workloads.why(&self.scope, id).await.map_err(|error| chain(&error))?;
            let refusal = |verdict: platform::workloads::NodeVerdict| Refusal {
                node: verdict.node.to_string(),
                reason: verdict.refusal.unwrap_or_else(|| "it has room".to_owned()),
            };
            Ok(Why {
                workload: told(why.workload),
                because: why.because,
                activity: why.activity,
                refusals: why.nodes.into_iter().map(refusal).collect(),
                passed: why.passed,
            })
        })
    }

    fn signal<'a>(&'a self, id: &'a WorkloadId, signal: i32) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let container = self.get(id).await?.containers.into_iter().next().map(|first| first.name);
            let node = self.node_of(id).await.map_err(Broken::into_reason)?;
            node.signal(id, container.as_deref(), signal).await.map_err(|error| chain(&error))
        })
    }

    fn stats<'a>(&'a self, ids: &'a [WorkloadId]) -> BoxFuture<'a, Result<Vec<WorkloadStats>, String>> {
        Box::pin(self.stats_of(ids))
    }

    fn takes(&self) -> Box<dyn Takes> {
        Box::new(Taking(self.workloads.takes()))
    }

    fn open<'a>(&'a self, id: &'a WorkloadId, session: Session) -> BoxFuture<'a, Result<Talking, Broken>> {
        Box::pin(async move {
            let talk = self.node_of(id).await?.open(session).await.map_err(broken)?;
            let says = Box::new(Saying(talk.sender()));
            Ok(Talking { hears: Box::new(Hearing(talk)), says })
        })
    }

    fn purge(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(self.purge_all())
    }
}

/// Looks at a workload each time it has changed.
struct Looking {
    workloads: Workloads,
    scope: Scope,
    id: WorkloadId,
    last: Option<Workload>,
}

impl Watching for Looking {
    fn next(&mut self) -> BoxFuture<'_, Option<Told>> {
        Box::pin(async {
            let last = &self.last;
            let changed = |workload: &Workload| last.as_ref() != Some(workload);
            // An error is the server's end, and the command's.
            let found = self.workloads.wait(&self.scope, &self.id, changed).await.ok().flatten()?;
            self.last = Some(found.value.clone());
            Some(told(found.value))
        })
    }
}

/// Hears what nodes take.
struct Taking(platform::workloads::Takes);

impl Takes for Taking {
    fn of<'a>(&'a mut self, id: &'a WorkloadId) -> BoxFuture<'a, ()> {
        Box::pin(self.0.of(id))
    }
}

struct Hearing(Talk);

impl Hears for Hearing {
    fn next(&mut self) -> BoxFuture<'_, Result<Heard, Broken>> {
        Box::pin(async {
            match self.0.next().await {
                Some(Ok(event)) => Ok(Heard::Event(event)),
                Some(Err(error)) => Err(broken(error)),
                None => match self.0.answer() {
                    Some(answer) => Ok(Heard::Answer(answer.clone())),
                    None => Err(Broken::Away("the node has ended the session".to_owned())),
                },
            }
        })
    }
}

struct Saying(TalkSender);

impl Says for Saying {
    fn say(&self, input: Input) -> BoxFuture<'_, Result<(), Broken>> {
        Box::pin(async move { self.0.send(input).await.map_err(broken) })
    }
}

fn broken(error: NodeError) -> Broken {
    let reason = chain(&error);
    match error {
        NodeError::Failed(_) => Broken::Refused(reason),
        _ => Broken::Away(reason),
    }
}

fn node_told(name: &str, node: platform::workloads::Node) -> Option<NodeTold> {
    let state = match node.availability {
        Availability::Ready => "ready",
        Availability::Away => "away",
        Availability::Lost => "lost",
    };
    let (has, reserved) = (node.capacity, node.reserved);
    Some(NodeTold {
        id: name.parse().ok()?,
        state: state.to_owned(),
        since: node.since,
        problem: node.problem,
        workloads: reserved.workloads,
        has: Resources { cpu_millis: has.cpu_millis, memory_bytes: has.memory_bytes, disk_bytes: has.disk_bytes },
        reserved: Resources {
            cpu_millis: reserved.cpu_millis,
            memory_bytes: reserved.memory_bytes,
            disk_bytes: reserved.disk_bytes,
        },
        attributes: node.attributes,
    })
}

fn told(workload: Workload) -> Told {
    let Workload { workload_id: id, name, owner, containers, created_at, node, desired, waiting, observed, .. } =
        workload;
    let container = |one: platform::workloads::ContainerSummary| ContainerTold {
        name: one.name,
        image: one.image,
        command: one.command,
        tty: one.tty,
    };
    Told {
        id,
        name,
        owner: (owner != OWNER).then_some(owner),
        containers: containers.into_iter().map(container).collect(),
        created_at,
        node,
        is_stopping: matches!(desired, Desired::Stopped { .. }),
        waiting,
        observed,
    }
}
