//! What is said at the node's socket: lines of JSON, each of at most [`LINE_BYTES_MAX`] bytes.
//!
//! ```text
//! server → node   {"versions":[1],"program":"0.1.0"}
//! node → server   {"accepted":{"version":1,"program":"0.1.0","pid":4711}}
//! server → node   {"ask":{"id":1,"request":{"prepare":{"reference":"…","root":{…}}}}}
//! node → server   {"progress":{"id":1,"progress":{…}}}          any number of times
//! node → server   {"done":{"id":1,"answer":{"prepared":{…}}}}   or {"failed":{"id":1,"failure":{…}}}
//! server → node   {"cancel":{"id":1}}
//! server → node   {"ask":{"id":2,"request":{"open":{"exec":{…}}}}}
//! node → server   {"event":{"id":2,"event":{"output":{…}}}}     any number of times, within a window
//! server → node   {"input":{"id":2,"input":{"data":"…"}}}       the same
//! ```
//!
//! A connection can be something else, too: the way to what is served near a workload, whose bytes the node carries unread.
//!
//! ```text
//! server → node   {"versions":[1],"program":"0.1.0"}
//! node → server   {"accepted":{"version":1,"program":"0.1.0","pid":4711}}
//! server → node   {"channel":{"id":"0123456789abcdef0123456789abcdef"}}
//! node → server   "opened"                                      or {"failed":{"kind":"…","message":"…"}}
//! bytes in both directions
//! ```
//!
//! Requests are numbered by whoever asks and go on at the same time. One that is asked for the wrong way, or that this node
//! does not know, fails alone; a line that is none of these ends the connection. When a connection ends, so does what was
//! asked for on it. What goes on for long is a [`Session`]: both sides say something, and neither more than [`WINDOW_BYTES`] that
//! the other has not taken. Members that are not known are passed over, so that a server and a node of neighbouring versions
//! understand each other.

use base::Timestamp;
use images::{Descriptor, DiffId, Digest, Platform, Reference};
use serde::{Deserialize, Serialize};
use workload::WorkloadId;

mod workloads;

pub(crate) use workloads::cost;
pub use workloads::{
    Assignment, ContainerStats, DATA_BYTES_MAX, Description, Event, Exec, Input, Output, OutputOf, PIECE_COST, Session,
    WINDOW_BYTES, WorkloadStats,
};

/// The form of the messages that this program speaks.
pub const VERSION: u32 = 1;
/// The longest line, its end included, in bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// The most images that one page tells of. The longest that a reference, a digest and a platform can be, so many times, fit
/// into a line.
pub const IMAGES_PAGE_MAX: usize = 200;

/// The longest part of a platform that is told of, in bytes: it is what somebody wrote into an image.
pub const PLATFORM_LENGTH_MAX: usize = 64;

/// The first line of whoever connects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The versions that it speaks.
    pub versions: Vec<u32>,
    /// Its own version, for people.
    pub program: String,
}

/// The node's first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Welcome {
    /// Requests are taken.
    Accepted {
        /// The version that is spoken from here on.
        version: u32,
        /// The node's own version, for people.
        program: String,
        /// The node's process.
        pid: u32,
    },
    /// The connection ends here.
    Refused {
        /// Why.
        reason: String,
    },
}

/// What goes to the node after the [`Hello`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ToNode<R> {
    /// Asks for something.
    Ask {
        /// A number that is not in use on this connection.
        id: u64,
        /// What for.
        request: R,
    },
    /// Something for a [`Session`] that is open.
    Input {
        /// Its request.
        id: u64,
        /// What.
        input: Input,
    },
    /// As the first after the [`Hello`], and then as the only one: from here on the connection is the way to what is served near a
    /// workload in the server's own terms. Answered by [`Channelled`]; what comes after that are bytes, in both directions.
    Channel {
        /// Which workload.
        id: WorkloadId,
    },
    /// What was asked for is not wanted any more. Nothing need be answered, and what is on its way may still come.
    Cancel {
        /// Which request.
        id: u64,
    },
}

/// To [`ToNode::Channel`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Channelled {
    /// Bytes follow.
    Opened,
    /// There is no such way; the connection ends.
    Failed(Failure),
}

/// What comes from the node after the [`Welcome`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FromNode {
    /// A request goes on. Of many only the latest need be looked at.
    Progress {
        /// Which request.
        id: u64,
        /// How far it is.
        progress: Progress,
    },
    /// Something happened in a [`Session`].
    Event {
        /// Its request.
        id: u64,
        /// What.
        event: Event,
    },
    /// A request is answered.
    Done {
        /// Which request.
        id: u64,
        /// The answer.
        answer: Answer,
    },
    /// A request has failed.
    Failed {
        /// Which request.
        id: u64,
        /// Why.
        failure: Failure,
    },
}

/// What a node can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Make an image ready; answered by [`Answer::Prepared`].
    Prepare(Prepare),
    /// Unpack a layer of an image whose other blobs are still on their way; answered by [`Answer::LayerPrepared`].
    PrepareLayer(PrepareLayer),
    /// Unpack a zip archive for the volumes that are made of it; answered by [`Answer::ArchivePrepared`].
    PrepareArchive(PrepareArchive),
    /// Tell which images references name; answered by [`Answer::Images`].
    Images {
        /// Only those after this one, in their order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Reference>,
    },
    /// Make a reference name nothing; answered by [`Answer::Forgotten`].
    Forget {
        /// Which.
        reference: Reference,
    },
    /// Remove the layers that nothing needs; answered by [`Answer::Collected`].
    Prune,
    /// Tell what there is; answered by [`Answer::Usage`].
    Usage,
    /// Tell how the node is; answered by [`Answer::Status`].
    Status,
    /// Tell what the node has; answered by [`Answer::Description`].
    Describe,
    /// Make a workload true. Answered by [`Answer::Assigned`] once it is on the node's disk; what comes of it is told to who
    /// follows.
    Assign(Box<Assignment>),
    /// Forget a workload that has stopped. Answered by [`Answer::Retired`].
    Retire {
        /// Which.
        id: WorkloadId,
    },
    /// Send a signal to a container's process 1; answered by [`Answer::Signalled`].
    Signal {
        /// The workload.
        id: WorkloadId,
        /// The container; the only one, if none is named.
        #[serde(default)]
        container: Option<String>,
        /// By its number.
        signal: i32,
    },
    /// Freeze every container of a workload, or let it go on; answered by [`Answer::Signalled`].
    Freeze {
        /// The workload.
        id: WorkloadId,
        /// Whether it is to be frozen.
        frozen: bool,
    },
    /// What workloads use: those named, or all; answered by [`Answer::Stats`].
    Stats {
        /// Which.
        ids: Vec<WorkloadId>,
        /// Only those after this one, in their order.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<WorkloadId>,
    },
    /// Something that goes on, with [`FromNode::Event`] and [`ToNode::Input`].
    Open(Session),
    /// Stop everything at once and remove every trace of workloads on this machine; answered by [`Answer::Purged`].
    Purge,
}

/// An image that is to be made ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prepare {
    /// What names it from then on; without one its layers stay only until the next collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Its manifest, or an index that leads to it.
    pub root: Descriptor,
    /// Which of an index's images; by default what suits the node's machine best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Who waits for it.
    #[serde(default, skip_serializing_if = "Urgency::is_waited")]
    pub urgency: Urgency,
}

/// Whether somebody waits for what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Urgency {
    /// Somebody does.
    #[default]
    Waited,
    /// Nobody does: whatever else the machine does goes first.
    Background,
}

impl Urgency {
    fn is_waited(&self) -> bool {
        *self == Self::Waited
    }
}

/// A layer that is to be unpacked before the image that it belongs to is prepared, which then finds it. Nothing keeps it until
/// then: should it be collected, it is unpacked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrepareLayer {
    /// Its blob.
    pub blob: Descriptor,
    /// What the image's configuration says that comes out of the blob.
    pub diff_id: DiffId,
}

/// A zip archive that is to be unpacked before a workload has a volume made of it. Nothing keeps it until then: should it be
/// collected, the workload is refused as one whose archive is not prepared, and it is unpacked again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrepareArchive {
    /// Its blob.
    pub blob: Descriptor,
    /// Who waits for it.
    #[serde(default, skip_serializing_if = "Urgency::is_waited")]
    pub urgency: Urgency,
}

/// How far an image, or a single layer, is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The blob of the layer that went on.
    pub layer: Digest,
    /// How much of that blob has been read, in bytes.
    pub layer_bytes_done: u64,
    /// How long that blob is, in bytes.
    pub layer_bytes_total: u64,
    /// How many layers are ready.
    pub layers_done: u32,
    /// How many layers the image has.
    pub layers_total: u32,
    /// How much of all blobs has been read, or need not be, in bytes.
    pub bytes_done: u64,
    /// How long all blobs are together, in bytes.
    pub bytes_total: u64,
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// To [`Request::Prepare`].
    Prepared(PreparedImage),
    /// To [`Request::PrepareLayer`]: the layer is there.
    LayerPrepared,
    /// To [`Request::PrepareArchive`]: the archive is there.
    ArchivePrepared,
    /// To [`Request::Images`].
    Images(ImagesPage),
    /// To [`Request::Forget`]: whether it named something.
    Forgotten(bool),
    /// To [`Request::Prune`].
    Collected(Collected),
    /// To [`Request::Usage`].
    Usage(Usage),
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Describe`].
    Description(Description),
    /// To [`Request::Assign`].
    Assigned,
    /// To [`Request::Retire`]: whether there was such a workload.
    Retired(bool),
    /// To [`Request::Signal`] and [`Request::Freeze`].
    Signalled,
    /// To [`Request::Stats`]: some of them, in the order of their names; none if there are no further ones.
    Stats(Vec<WorkloadStats>),
    /// The program of an exec has ended.
    Exited {
        /// Its exit code, or 128 and the signal's number; what a shell says, if it could not be executed.
        code: i32,
        /// Why it could not be executed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// There is no more output.
    OutputEnded,
    /// To [`Session::Channel`]: the other side has had enough, or the workload has stopped.
    ChannelEnded,
    /// To [`Request::Purge`]: how many workloads there were.
    Purged(u64),
}

/// An image that is ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreparedImage {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The digest of its configuration.
    pub config: Digest,
    /// Its layers, from the bottom up, each once.
    pub layers: Vec<DiffId>,
    /// How many bytes the files of its layers have, without holes.
    pub unpacked_bytes: u64,
}

/// Some of the images that references name, in the order of the references.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImagesPage {
    /// At most [`IMAGES_PAGE_MAX`].
    pub images: Vec<ImageInfo>,
    /// Whether there are more after the last one.
    pub more: bool,
}

/// An image that a reference names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageInfo {
    /// The name.
    pub reference: Reference,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The digest of its configuration, which is what Docker calls the image's identifier.
    pub config: Digest,
    /// What it was built for.
    pub platform: Platform,
    /// How many bytes the blobs of its layers have.
    pub blob_bytes: u64,
    /// How many bytes the files of its layers have, without holes; layers that it shares with others included.
    pub unpacked_bytes: u64,
    /// Whether all its layers are there. A loss of power may have taken some: it is to be prepared again.
    pub ready: bool,
    /// When the reference was last made to name it.
    pub recorded_at: Timestamp,
}

/// What removing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Collected {
    /// How many layers were removed.
    pub layers: u64,
    /// How many bytes their files had.
    pub bytes: u64,
}

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// How many references name images.
    pub images: u64,
    /// How many layers there are.
    pub layers: u64,
    /// How many files, directories and links they have.
    pub entries: u64,
    /// How many bytes their files have, without holes.
    pub bytes: u64,
    /// How many of these bytes [`Request::Prune`] would free now.
    pub unneeded_bytes: u64,
}

/// How a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub program: String,
    /// Since when it has taken requests.
    pub started_at: Timestamp,
    /// How many images are being prepared.
    pub preparing: u32,
    /// How many wait to be prepared.
    pub waiting: u32,
    /// What there is.
    pub usage: Usage,
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it means for whoever asked.
    pub kind: FailureKind,
    /// What happened, for a person; at most [`FAILURE_LENGTH_MAX`] bytes, without line breaks.
    pub message: String,
}

/// The longest message of a failure, in bytes.
pub const FAILURE_LENGTH_MAX: usize = 2048;

/// What a failure means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// A blob is not there.
    NotFound,
    /// A blob is not what its digest says.
    Mismatch,
    /// The image's documents or layers are refused, and always will be.
    Refused,
    /// The image is for other machines.
    NoPlatform,
    /// The disk is full.
    Full,
    /// There is as much to do, or as much stored, as there may be.
    Busy,
    /// It was cancelled, or the node ends.
    Stopped,
    /// This node does not know such a request.
    Unknown,
    /// Something is wrong with the node or its machine. So is what a newer node says and this program does not know.
    #[serde(other)]
    Internal,
}

impl FailureKind {
    /// Whether the same request will fail the same way each time.
    pub fn is_permanent(self) -> bool {
        matches!(self, Self::Refused | Self::NoPlatform | Self::Unknown)
    }
}

impl Failure {
    /// A failure, its message made to fit.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        message.truncate(message.floor_char_boundary(FAILURE_LENGTH_MAX));
        if message.contains(char::is_control) {
            message = message.replace(char::is_control, " ");
        }
        Self { kind, message }
    }
}

impl Hello {
    /// What this program says first.
    pub fn own() -> Self {
        Self { versions: vec![VERSION], program: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

#[cfg(test)]
mod tests;
