//! What a command and the server say to each other: the command one line of JSON, the server any number of them, the last of
//! which is the answer. A command that hangs up wants no answer any more. In a session ([`super::workloads::Say`]) the command
//! goes on to say lines, too.

use images::{Platform, Reference};
use node::supply::{Listed, NodeState, Progress, Pruned, Pulled};
use serde::{Deserialize, Serialize};
use workload::NodeId;

use super::workloads::{WorkloadAnswer, WorkloadRequest};
use crate::config::Secret;
use crate::runtimes::{ListedRuntime, Source};

/// The version of what is said. A command of another version than the server is told so.
pub(super) const VERSION: u32 = 1;
/// The longest request, in bytes: a workload's specification is the longest part of one.
pub(super) const REQUEST_BYTES_MAX: u64 = 1024 * 1024;
/// The longest line of an answer, in bytes: what a node did for a workload is the longest.
pub(super) const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// What a command sends.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Envelope {
    pub(super) version: u32,
    pub(super) request: Request,
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Request {
    /// Something about images.
    Image(Box<ImageRequest>),
    /// Something about what runs, and where.
    Workload(Box<WorkloadRequest>),
    /// Something about machines that join.
    Node(NodeRequest),
    /// Something about what functions can be written in.
    Runtime(RuntimeRequest),
}

/// What a command asks about runtimes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RuntimeRequest {
    /// Which there are. Answered by [`Answer::Runtime`] for each, then [`Answer::RuntimesListed`].
    List,
    /// That one be supplied. Answered by [`Answer::Runtime`].
    Add {
        /// Its name.
        name: String,
        /// What of.
        source: Source,
    },
    /// That one be taken away. Answered by [`Answer::Removed`].
    Remove {
        /// Its name.
        name: String,
    },
}

/// What a command asks about machines that join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NodeRequest {
    /// A token by which one may. Answered by [`Answer::NodeToken`].
    CreateToken {
        /// For how long, in seconds.
        ttl_s: u64,
    },
    /// That one be let go. Answered by [`Answer::Removed`].
    Remove {
        /// Its name.
        name: NodeId,
    },
}

/// What a command asks of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ImageRequest {
    /// Which images there are. Answered by [`Answer::Image`] for each, then [`Answer::Listed`].
    List,
    /// An image. Answered by [`Answer::Progress`], then [`Answer::Pulled`].
    Pull(Pull),
    /// That an image be let go. Answered by [`Answer::Removed`].
    Remove {
        /// Its name.
        reference: Reference,
    },
    /// That what is not needed be removed. Answered by [`Answer::Pruned`].
    Prune {
        /// Whether images that were pulled from elsewhere go, too.
        all: bool,
    },
}

/// An image that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pull {
    /// Its name.
    pub(crate) reference: Reference,
    /// The machine that it is for; the server's own, if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<Credentials>,
}

/// Who asks a registry elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Credentials {
    /// A name and a password.
    Password {
        /// The name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// What the registry's token service gives tokens for.
    IdentityToken(Secret),
    /// A token of the registry's.
    RegistryToken(Secret),
}

/// What the server says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    /// One image of several.
    Image(Box<Listed>),
    /// All images have been told of.
    Listed {
        /// Whether there is a node that unpacks images.
        node: NodeState,
    },
    /// How far a pull has come.
    Progress(Progress),
    /// The image is here.
    Pulled(Box<Pulled>),
    /// Whether there was such an image.
    Removed(bool),
    /// What was removed.
    Pruned(Pruned),
    /// About what runs.
    Workload(Box<WorkloadAnswer>),
    /// A token by which a machine may join.
    NodeToken {
        /// The token.
        token: Secret,
        /// Where to.
        endpoint: String,
    },
    /// One runtime of several, or the one that was supplied.
    Runtime(Box<ListedRuntime>),
    /// All runtimes have been told of.
    RuntimesListed,
    /// It goes on: there is nothing else to tell at the moment.
    Working,
    /// It did not work.
    Failed {
        /// Why, for a person to read.
        reason: String,
    },
}

impl From<ImageRequest> for Request {
    fn from(request: ImageRequest) -> Self {
        Self::Image(Box::new(request))
    }
}

impl From<NodeRequest> for Request {
    fn from(request: NodeRequest) -> Self {
        Self::Node(request)
    }
}

impl From<RuntimeRequest> for Request {
    fn from(request: RuntimeRequest) -> Self {
        Self::Runtime(request)
    }
}

impl From<WorkloadRequest> for Request {
    fn from(request: WorkloadRequest) -> Self {
        Self::Workload(Box::new(request))
    }
}
