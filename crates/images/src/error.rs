//! What can go wrong with images.

use std::io;

use crate::{DiffId, Digest, UnpackError};

/// Why an image was not read, unpacked, kept or mounted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A manifest, index or configuration is not to be understood.
    #[error("the document {digest} is no usable part of an image")]
    Document {
        /// Which.
        digest: Digest,
        /// Why.
        source: Box<DocumentError>,
    },
    /// Nothing in an index runs on this machine.
    #[error("nothing for {machine}: the image is for {offered}")]
    NoPlatform {
        /// This machine.
        machine: String,
        /// What there is, the first few; nothing if the index says nothing.
        offered: String,
    },
    /// The source does not have a blob.
    #[error("the blob {digest} is not there")]
    NotFound {
        /// Which.
        digest: Digest,
    },
    /// The source gave something else than it was asked for. Another source, or another time, may be better.
    #[error("{expected} was asked for, and {found} came")]
    Mismatch {
        /// What was asked for.
        expected: Digest,
        /// What came; what came of it before it was too long.
        found: Box<Digest>,
    },
    /// The source failed while it was read.
    #[error("reading the blob {digest} failed")]
    Read {
        /// Which.
        digest: Digest,
        /// How.
        source: io::Error,
    },
    /// A layer's content is refused, or it could not be written.
    #[error("the layer {digest} cannot be unpacked")]
    Layer {
        /// Its blob.
        digest: Digest,
        /// Why.
        source: Box<UnpackError>,
    },
    /// A layer of the image is not in the store, or not any more.
    #[error("the layer {diff_id} is not in the store: prepare the image again")]
    LayerMissing {
        /// Which.
        diff_id: DiffId,
    },
    /// Whoever asked for the work wants it no more.
    #[error("preparing the image was stopped")]
    Stopped,
    /// Another process has the store open.
    #[error("the image store is in use by another process")]
    InUse,
    /// Somebody else could change what containers are made from.
    #[error("the directory of the image store must belong to its user and be writable by nobody else")]
    Insecure,
    /// The name of a lease is none.
    #[error("the name of a lease has 1 to {max} bytes", max = crate::LEASE_NAME_LENGTH_MAX)]
    LeaseName,
    /// There are as many images or leases as there may be.
    #[error("the store holds no more than {max} {what}")]
    TooMany {
        /// Images or leases.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// The options of a mount are longer than this kernel takes.
    #[error("the options of the mount have {length} bytes, and this kernel takes {max}")]
    OptionsTooLong {
        /// How long they are, in bytes.
        length: usize,
        /// The limit, in bytes.
        max: usize,
    },
    /// The disk is full. Nothing is left of what was being written.
    #[error("no space is left for images")]
    Full,
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Why a document is refused. What it holds is not repeated: it may be anything that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// More bytes than are read.
    #[error("it has more than {bytes_max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        bytes_max: u64,
    },
    /// More nesting than is read.
    #[error("it is nested deeper than {levels_max} levels")]
    TooDeep {
        /// The limit.
        levels_max: usize,
    },
    /// It is no JSON, or a member is not what it should be.
    #[error("line {line}, column {column} is not what a document of its kind has there")]
    Malformed {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// It could be read as two things, or is another thing than was said.
    #[error("it is another kind of document than it, or the way to it, says")]
    Ambiguous,
    /// It is an artifact of another kind.
    #[error("it is no container image")]
    NotAnImage,
    /// Docker's first manifests, which cannot be verified.
    #[error("manifests of schema 1 are not supported: push the image anew with a current client")]
    Schema1,
    /// A layer is of a kind that cannot be unpacked.
    #[error("the layer {digest} is of an unknown media type")]
    UnknownLayer {
        /// Which.
        digest: Digest,
    },
    /// A blob is announced to be larger than is taken.
    #[error("the blob {digest} is said to have {size} bytes, and {size_max} is the most")]
    BlobTooLarge {
        /// Which.
        digest: Digest,
        /// What is announced, in bytes.
        size: u64,
        /// The limit, in bytes.
        size_max: u64,
    },
    /// More layers than can be mounted.
    #[error("it has {layers} layers, and {max} is the most", max = crate::LAYERS_MAX)]
    TooManyLayers {
        /// How many.
        layers: usize,
    },
    /// Manifest and configuration do not belong together.
    #[error("the manifest has {manifest} layers, and the configuration {config}")]
    LayersDiffer {
        /// In the manifest.
        manifest: usize,
        /// In the configuration.
        config: usize,
    },
    /// An index leads to an index, and so on.
    #[error("it leads through more than {levels_max} indexes")]
    IndexesTooDeep {
        /// The limit.
        levels_max: usize,
    },
    /// Something else is wrong with it.
    #[error("{0}")]
    Invalid(&'static str),
}

impl Error {
    /// What an error of the operating system means.
    pub(crate) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| if is_full(&source) { Self::Full } else { Self::Io { doing, source } }
    }

    /// The same for rustix's errors.
    pub(crate) fn os(doing: &'static str) -> impl Fn(rustix::io::Errno) -> Self {
        move |error| Self::io(doing)(error.into())
    }
}

pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
