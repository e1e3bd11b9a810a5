//! What is asked of the supply of images, and what it tells.

use std::hash::{Hash, Hasher};

use base::Timestamp;
use images::remote::Credentials;
use images::{Descriptor, Digest, Platform, Reference};
use serde::{Deserialize, Serialize};

/// An image that somebody wants on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub reference: Reference,
    /// The machine that it is for; this one, if none is named.
    pub platform: Option<Platform>,
    /// Who asks the registry for it; nobody in particular, if none is named. Whoever asks as somebody else asks for something
    /// else: nobody is given what another has the right to.
    pub credentials: Option<Credentials>,
}

impl Hash for Order {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal orders are equal in these; secrets are compared only.
        (&self.reference, &self.platform).hash(state);
    }
}

/// How far a pull has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// How many bytes of all layers are done, as they are transferred.
    pub bytes_done: u64,
    /// How many bytes all layers have, as they are transferred.
    pub bytes_total: u64,
    /// How many layers are done.
    pub layers_done: u32,
    /// How many there are.
    pub layers_total: u32,
    /// What went wrong and is tried again, until it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// The registry is asked what the name means.
    #[default]
    Resolving,
    /// Blobs are on their way here.
    Downloading,
    /// Layers are verified and unpacked.
    Unpacking,
}

/// An image that is here now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pulled {
    /// Its name, in full: of an image in the registry on this machine the one that it is known by here.
    pub reference: Reference,
    /// What the name led to.
    pub root: Digest,
    /// What was unpacked of it, and where: nothing without a node.
    pub prepared: Option<Prepared>,
    /// How many bytes came from elsewhere; nothing of what was here already.
    pub downloaded_bytes: u64,
    /// Whether it is of the registry on this machine.
    pub is_local: bool,
}

/// An image that containers can be made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prepared {
    /// The digest of its manifest.
    pub manifest: Digest,
    /// How many layers it has.
    pub layers: u64,
    /// How many bytes the files of its layers have.
    pub unpacked_bytes: u64,
}

/// Which images there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// In the order of their names.
    pub images: Vec<Listed>,
    /// Whether the node could say which of them it has ready.
    pub node: NodeState,
}

/// Whether there is somebody who unpacks images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NodeState {
    /// There is, and it answers.
    Answers,
    /// There is, and it does not answer.
    Away {
        /// Why, for a person.
        reason: String,
    },
    /// There is nobody: that takes root.
    Absent,
}

/// An image that is named here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name, in full.
    pub reference: Reference,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// What it was built for.
    pub platform: Platform,
    /// The bytes of its layers as they are transferred.
    pub blob_bytes: u64,
    /// The bytes of its layers' files, those that it shares with other images included; nothing if it is not unpacked.
    pub unpacked_bytes: Option<u64>,
    /// When it was pulled, or unpacked after a push.
    pub since: Timestamp,
    /// Where its documents and layers came from.
    pub origin: Origin,
}

/// Where an image came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// It was pulled from a registry elsewhere.
    Pulled,
    /// It is in the registry on this machine.
    Registry,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pruned {
    /// Names that are known no more.
    pub images: u64,
    /// Layers that were unpacked for images that are gone.
    pub layers: u64,
    /// Bytes of these layers' files.
    pub layer_bytes: u64,
    /// Files of blobs that nothing needs.
    pub blobs: u64,
    /// Bytes of these blobs, and of downloads that nobody went on with.
    pub blob_bytes: u64,
    /// Bytes of the blobs that nothing needs and that stay for some hours, because whoever is about to need them may not
    /// have said so yet.
    pub young_bytes: u64,
}

/// What a name means in the registry on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// Nothing: it names another registry.
    Elsewhere,
    /// No image: the registry has none of this name.
    Missing,
    /// An image.
    Found {
        /// The name that it is known by here.
        reference: Reference,
        /// Its manifest or index, whose blobs are here.
        root: Box<Descriptor>,
    },
}
