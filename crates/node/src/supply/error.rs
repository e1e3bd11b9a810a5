//! Why an image is not here.

use std::error::Error;
use std::io;

use images::remote::RemoteError;
use images::{InvalidReference, Reference};
use store::StoreError;

use crate::client::NodeError;

/// Why an image was not pulled, listed or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupplyError {
    /// The text names no image.
    #[error("that names no image")]
    Reference(#[from] InvalidReference),
    /// The registry on this machine has no such image.
    #[error("the registry on this machine has no image {reference}")]
    Missing {
        /// Which.
        reference: Box<Reference>,
    },
    /// The image is not kept here by its name, but because the registry on this machine has it.
    #[error("{reference} is in the registry on this machine; remove it there, with `aws ecr batch-delete-image`")]
    InRegistry {
        /// Which.
        reference: Box<Reference>,
    },
    /// The registry on this machine failed.
    #[error("the registry on this machine: {0}")]
    Local(String),
    /// The registry elsewhere did not give it.
    #[error("{reference} was not pulled")]
    Remote {
        /// Which.
        reference: Box<Reference>,
        /// Why.
        source: RemoteError,
    },
    /// Its documents are refused, or nothing in it is for the machine.
    #[error("{reference} cannot be used")]
    Image {
        /// Which.
        reference: Box<Reference>,
        /// Why.
        source: images::Error,
    },
    /// Its blobs are here, and it could not be made ready to run.
    #[error("{reference} is here and was not unpacked")]
    Unpack {
        /// Which.
        reference: Box<Reference>,
        /// Why.
        source: NodeError,
    },
    /// The node failed.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// Blobs that came were collected before the image had its record, each time.
    #[error("blobs of {reference} were removed while it was pulled; pull it again")]
    Lost {
        /// Which.
        reference: Box<Reference>,
    },
    /// The state cannot be read or written.
    #[error("the state failed")]
    Store(#[from] StoreError),
    /// The disk failed.
    #[error("{doing} failed")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// A fault of this program ended the pull.
    #[error("the pull broke off")]
    BrokenOff,
}

/// An error and what led to it, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let told = error.to_string();
        // A transparent error says the same as its source.
        if !text.ends_with(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        source = error.source();
    }
    text
}
