//! Why a workload is as it is, for a person.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use base::Timestamp;
use scheduler::{Pending, Snapshot};
use serde::{Deserialize, Serialize};
use store::{Scope, Versioned};
use workload::{ContainerState, NodeId, StepOutcome, WorkloadId};

use super::{Workload, WorkloadError, Workloads};

/// What goes on about workloads at this moment: what is told of them before there is anything to write down.
#[derive(Debug, Default)]
pub(super) struct Activities(Mutex<BTreeMap<WorkloadId, String>>);

impl Activities {
    pub(super) fn set(&self, id: &WorkloadId, what: impl Into<String>) {
        self.lock().insert(id.clone(), what.into());
    }

    pub(super) fn clear(&self, id: &WorkloadId) {
        self.lock().remove(id);
    }

    fn get(&self, id: &WorkloadId) -> Option<String> {
        self.lock().get(id).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<WorkloadId, String>> {
        // Whole values go in and out.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a workload is as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The workload.
    pub workload: Workload,
    /// In a sentence.
    pub because: String,
    /// What goes on at this moment, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
    /// Of one that has no node: what each node says to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeVerdict>,
    /// What happened to it, in order.
    pub passed: Vec<Passed>,
}

/// What a node says to a workload that has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeVerdict {
    /// The node.
    pub node: NodeId,
    /// Why it does not take it; nothing if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// Something that happened to a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Passed {
    /// When it happened, or began.
    pub at: Timestamp,
    /// What.
    pub what: String,
    /// How long it took, in microseconds, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_us: Option<u64>,
}

impl Workloads {
    /// Why a workload is as it is.
    ///
    /// # Errors
    /// [`WorkloadError::NotFound`], and the store's.
    pub async fn why(&self, scope: &Scope, id: &WorkloadId) -> Result<Why, WorkloadError> {
        let found = self.get(scope, id).await?;
        let found = found.ok_or_else(|| WorkloadError::NotFound { given: id.to_string() })?;
        let nodes = if found.node.is_none() && !found.is_stopped() { self.verdicts(&found).await? } else { Vec::new() };
        let activity = self.activities.get(id);
        Ok(Why {
            because: because(&found, activity.as_deref()),
            activity,
            nodes,
            passed: passed(&found),
            workload: found.value,
        })
    }

    async fn verdicts(&self, found: &Versioned<Workload>) -> Result<Vec<NodeVerdict>, WorkloadError> {
        let nodes = self.nodes().await?;
        let nodes = nodes.iter().filter_map(|node| Some(node.seen(node.name().parse().ok()?))).collect();
        let snapshot = Snapshot { nodes };
        let (id, demand, node) = (found.workload_id.clone(), found.demand.clone(), found.wanted_node.clone());
        let verdicts = scheduler::explain(&snapshot, &Pending { id, demand, node });
        let told = |(node, refusal): (&NodeId, Option<scheduler::Refusal>)| NodeVerdict {
            node: node.clone(),
            refusal: refusal.map(|refusal| refusal.to_string()),
        };
        Ok(verdicts.into_iter().map(told).collect())
    }
}

/// Why it is as it is, in a sentence.
fn because(workload: &Workload, activity: Option<&str>) -> String {
    if let Some(reason) = workload.reason().filter(|reason| !reason.message.is_empty()) {
        return reason.message.clone();
    }
    if let Some(activity) = activity {
        return activity.to_owned();
    }
    let Some(observed) = &workload.observed else {
        return match &workload.node {
            None => "it waits for its turn to be placed".to_owned(),
            Some(node) => format!("it waits for node {node}"),
        };
    };
    let waiting = observed.containers.iter().find_map(|container| match &container.state {
        ContainerState::Waiting { reason } => Some(format!("container {}: {}", container.name, reason.message)),
        _ => None,
    });
    match (observed.phase, waiting) {
        (workload::Phase::Running, None) => "it runs".to_owned(),
        (workload::Phase::Stopped, _) => "it has ended".to_owned(),
        (_, Some(waiting)) => waiting,
        (phase, None) => format!("it is {phase:?}").to_lowercase(),
    }
}

fn passed(workload: &Workload) -> Vec<Passed> {
    let moment = |at: Timestamp, what: String| Passed { at, what, took_us: None };
    let mut passed = vec![moment(workload.created_at, format!("wanted by {}", workload.owner))];
    if let (Some(at), Some(node)) = (workload.placed_at, &workload.node) {
        passed.push(moment(at, format!("placed on node {node}")));
    }
    if let Some(at) = workload.accepted_at {
        passed.push(moment(at, "heard of from its node".to_owned()));
    }
    let Some(observed) = &workload.observed else { return passed };
    for step in &observed.steps {
        let name = format!("{:?}", step.name).to_lowercase();
        let of = step.container.as_ref().map_or(String::new(), |container| format!(" {container}"));
        let outcome = match &step.outcome {
            StepOutcome::Running => " goes on".to_owned(),
            StepOutcome::Done => String::new(),
            StepOutcome::Failed(reason) => format!(" failed: {}", reason.message),
            StepOutcome::Undone => " was undone".to_owned(),
        };
        passed.push(Passed { at: step.began_at, what: format!("{name}{of}{outcome}"), took_us: step.took_us });
    }
    if let Some(at) = observed.stopped_at {
        passed.push(moment(at, "stopped".to_owned()));
    }
    passed.sort_by_key(|one| one.at);
    passed
}
