//! What is kept of workloads and nodes.

use std::collections::BTreeMap;

use base::{AccountId, Region, Timestamp};
use scheduler::{Availability, Capacity, Reserved};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, SecondaryKey, Versioned};
use workload::{ContainerState, Demand, Desired, NodeId, Observed, Phase, Reason, Spec, WorkloadId};

/// The index by which a workload is found by its name.
pub(super) const BY_NAME: &str = "name";

/// A workload: what is wanted of it, where it is and what came of it. Its record's id is its own, in the account and region
/// that it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Its id, told again.
    pub workload_id: WorkloadId,
    /// What it is called, besides. No two of an account and region have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who wanted it: `run`, `ecs`.
    pub owner: String,
    /// What its owner notes about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its containers, in short.
    pub containers: Vec<ContainerSummary>,
    /// What it asks of a node.
    pub demand: Demand,
    /// The node that it must be on, if not any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted_node: Option<NodeId>,
    /// When its images are asked for anew.
    #[serde(default)]
    pub pull: PullPolicy,
    /// What is to become of it.
    pub desired: Desired,
    /// Rises with each change of what is desired; 1 at first.
    pub generation: u64,
    /// The node that it was placed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The generation that the node was last heard to work on; 0 until it was heard of there.
    #[serde(default)]
    pub accepted: u64,
    /// Manifests of its images on the node, by container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<String, String>,
    /// Where containers' output goes, by container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sinks: BTreeMap<String, LogDestination>,
    /// Whether it is kept once it has stopped.
    #[serde(default)]
    pub removal: Removal,
    /// Why it is not on its way yet, while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Reason>,
    /// What came of it: what its node told last, or that it was lost. Once it has stopped that never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<Observed>,
    /// When it was wanted.
    pub created_at: Timestamp,
    /// When it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_at: Option<Timestamp>,
    /// When its node was first heard to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
}

impl Record for Workload {
    const SERVICE: &'static str = "workload";
    const KIND: &'static str = "workload";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        self.name.iter().map(|name| SecondaryKey::unique(BY_NAME, name)).collect()
    }
}

impl Workload {
    /// How far it is.
    pub fn phase(&self) -> Phase {
        self.observed.as_ref().map_or(Phase::Pending, |observed| observed.phase)
    }

    /// Whether nothing will happen to it any more.
    pub fn is_stopped(&self) -> bool {
        self.phase().is_final()
    }

    /// Why it is not further, or why it stopped.
    pub fn reason(&self) -> Option<&Reason> {
        self.waiting.as_ref().or_else(|| self.observed.as_ref()?.reason.as_ref())
    }

    /// The exit code of its first container, if it has one.
    pub fn exit_code(&self) -> Option<i32> {
        match &self.observed.as_ref()?.containers.first()?.state {
            ContainerState::Exited(exit) => exit.code,
            _ => None,
        }
    }
}

/// A container of a workload, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSummary {
    /// Its name.
    pub name: String,
    /// The image, as it was asked for.
    pub image: String,
    /// What it executes if not what its image says; the first [`ContainerSummary::COMMAND_BYTES_MAX`] bytes of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Whether a terminal is its input and output.
    #[serde(default)]
    pub tty: bool,
}

impl ContainerSummary {
    /// How much of a command is kept, in bytes.
    pub const COMMAND_BYTES_MAX: usize = 256;

    /// The containers of a specification.
    pub(super) fn of(spec: &Spec) -> Vec<Self> {
        let summary = |container: &workload::Container| {
            let (mut command, mut left) = (Vec::new(), Self::COMMAND_BYTES_MAX);
            for word in container.entrypoint.iter().chain(&container.command).flatten() {
                let kept = &word[..word.floor_char_boundary(left)];
                command.push(kept.to_owned());
                left -= kept.len();
                if kept.len() < word.len() {
                    break;
                }
            }
            Self { name: container.name.clone(), image: container.image.clone(), command, tty: container.tty }
        };
        spec.containers.iter().map(summary).collect()
    }
}

/// Whether a workload is kept once it has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Removal {
    /// Until somebody removes it.
    #[default]
    Kept,
    /// For as long as whoever watches it needs to see how it ended.
    WhenStopped,
    /// It is not: somebody has asked for its removal already.
    Asked,
}

/// When an image is asked for although it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PullPolicy {
    /// It is not: only one that is missing is pulled.
    #[default]
    Missing,
    /// Each time: what its name means may have changed.
    Always,
    /// Never, and one that is missing is an error.
    Never,
}

/// Where the output of a container goes: a log stream of the workload's account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogDestination {
    /// The log group.
    pub group: String,
    /// The log stream, which is made if it is not there.
    pub stream: String,
    /// Whether the group is made if it is not there.
    #[serde(default)]
    pub creates_group: bool,
}

/// What a workload is. Beside its [`Workload`], under the same id; stays until its node has forgotten the workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Specification(pub Spec);

impl Record for Specification {
    const SERVICE: &'static str = "workload";
    const KIND: &'static str = "specification";
}

/// Whose a workload is, where that is not told by its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

impl Owner {
    pub(super) fn of(scope: &Scope) -> Self {
        Self { account: scope.account(), region: scope.region().cloned() }
    }

    pub(super) fn scope(&self) -> Scope {
        match (self.account, &self.region) {
            (Some(account), Some(region)) => Scope::new(account, region.clone()),
            _ => Scope::system(),
        }
    }
}

/// A workload that has no node: the installation's, at the instant when it was wanted and its id, so that the oldest come
/// first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    pub(super) owner: Owner,
    pub(super) workload_id: WorkloadId,
    pub(super) demand: Demand,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wanted_node: Option<NodeId>,
}

impl Record for Queued {
    const SERVICE: &'static str = "workload";
    const KIND: &'static str = "queued";
}

impl Queued {
    /// The first segment of its record's id; the second is the workload's id.
    pub(super) fn at(created_at: Timestamp) -> String {
        format!("{:016}", created_at.as_millis())
    }
}

/// A workload that has a node: the installation's, at the node's name and its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    pub(super) owner: Owner,
    pub(super) demand: Demand,
    /// The workload's own.
    pub(super) generation: u64,
    /// Whether the node was heard to have it.
    #[serde(default)]
    pub(super) is_accepted: bool,
    /// Whether it has stopped: nothing is set aside for it any more.
    #[serde(default)]
    pub(super) is_stopped: bool,
    /// Whether it was removed: the node is to forget it.
    #[serde(default)]
    pub(super) is_removed: bool,
    /// Containers whose output is sent on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ships: Vec<String>,
}

impl Record for Placement {
    const SERVICE: &'static str = "workload";
    const KIND: &'static str = "placement";
}

impl Placement {
    /// The account and region of the workload.
    pub fn scope(&self) -> Scope {
        self.owner.scope()
    }

    /// The containers whose output is sent on.
    pub fn ships(&self) -> &[String] {
        &self.ships
    }

    /// Whether its node has it, or had it.
    pub fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    /// Whether it has stopped.
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Whether it was removed.
    pub fn is_removed(&self) -> bool {
        self.is_removed
    }
}

/// The workload of a placement.
pub(super) fn workload_of(placement: &Versioned<Placement>) -> Option<WorkloadId> {
    placement.name().parse().ok()
}

/// How far the output of a container was sent on: the installation's, at the node, the workload and the container.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shipped {
    /// Where to go on.
    pub position: u64,
    /// Whether there is no more.
    #[serde(default)]
    pub is_done: bool,
    /// How many bytes were overwritten before they could be sent on.
    #[serde(default)]
    pub lost_bytes: u64,
}

impl Record for Shipped {
    const SERVICE: &'static str = "workload";
    const KIND: &'static str = "shipped";
}

/// A node. The installation's, at its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// Whether it takes workloads.
    pub availability: Availability,
    /// Since when.
    pub since: Timestamp,
    /// What workloads may use of it.
    pub capacity: Capacity,
    /// What is set aside.
    pub reserved: Reserved,
    /// Facts about it, and what its own configuration allows.
    pub attributes: BTreeMap<String, Option<String>>,
    /// When its machine was started, as its kernel names it.
    pub boot_id: String,
    /// When it was first heard of.
    pub registered_at: Timestamp,
    /// Why it is not ready, while it is not; for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl Record for Node {
    const SERVICE: &'static str = "workload";
    const KIND: &'static str = "node";
}

impl Node {
    /// The node, as placement sees it.
    pub(super) fn seen(&self, id: NodeId) -> scheduler::Node {
        scheduler::Node {
            id,
            availability: self.availability,
            capacity: self.capacity,
            reserved: self.reserved.clone(),
            attributes: self.attributes.clone(),
        }
    }
}
