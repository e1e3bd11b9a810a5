//! Container images: named, read, verified, unpacked, kept, mounted. The node's half of a registry.
//!
//! - [`Reference`] is a name, [`Platform`] a machine. [`Image::resolve`] reads the documents behind a digest, chooses among
//!   platforms, and answers what is to be unpacked. Documents are hostile: bounded in bytes, nesting, members and layers.
//! - [`BlobSource`] is where blobs come from. [`blobs::Blobs`] is one: what the registry on this machine holds is pulled
//!   without moving a byte.
//! - [`Store::prepare`] unpacks the layers that are not there yet and answers a [`Prepared`] image, whose
//!   [`Prepared::lower`] makes a root file system ([`overlay`]).
//! - [`Store::record`] gives it a name, [`Store::lease`] keeps it for somebody who outlives the process,
//!   [`Store::collect`] removes what nobody needs.
//!
//! - [`remote`] fetches images from registries elsewhere. It is the server's, and runs where there is a network and no right of
//!   root; all else here is the node's, and knows no network.
//!
//! Calls but those of [`remote`] block on the disk: from asynchronous code they belong on a blocking thread.
//!
//! # Layers
//!
//! A layer is unpacked once, under its diffID (the digest of its uncompressed archive), whatever images have it and however
//! its blob is compressed. A blob that is new to a layer that is there is read all the same, and compared: an image that names
//! the layer of another, and a blob of its own, gets nothing. (Whoever names the other's blob, too, must have been let to it:
//! that is the registry's to see to.) It is a directory that an overlay takes as it is: what it hides of lower layers is character
//! devices 0:0 and opaque directories. It depends on no other layer, so layers are unpacked at the same time, as Docker's
//! overlay2 driver does it; directories that a layer only implies have mode 0755, as there.
//!
//! One pass does everything: a blob is hashed and inflated while the archive that comes out is hashed and written. It gets
//! its name when both digests are right, not before.
//!
//! # What an archive may not do
//!
//! Leave its root: each path is opened beneath it by `openat2(2)`, symbolic links of the layer lead nowhere else, and a path
//! with `..` is refused. Make device files, or anything that an overlay would take for its own. Cost more than [`Limits`] say.
//! What is read, what is left out and what is refused stands in [`Policy`], [`UnpackError`] and [`MemberError`].
//!
//! # What a crash leaves
//!
//! Layers come into being in a staging directory and are renamed when they are whole, so a process that is killed leaves at
//! most what the next one sweeps away. Nothing waits for the disk on the way to a prepared image: a layer can be made again
//! from its blob. [`Store::settle`] waits, in the background, for all layers at once, and notes it beside each; after the
//! machine has lost power, layers without the note are not used again. Records of images are on the disk when their call returns.

mod archive;
mod bounded;
mod config;
mod digest;
mod error;
mod image;
mod limits;
mod look;
mod manifest;
mod media;
pub mod overlay;
mod platform;
mod reference;
pub mod remote;
mod remove;
mod source;
mod store;
mod tar;
mod unpack;
mod zip;

pub use archive::archive_layer;
pub use bounded::DOCUMENT_BYTES_MAX;
pub use config::{Config, Run};
pub use digest::{Algorithm, DiffId, Digest, InvalidDigest};
pub use error::{DocumentError, Error};
pub use image::{Image, Layer};
pub use limits::{ARCHIVE_BLOB_BYTES_MAX, ARCHIVE_LIMITS, Limits};
pub use manifest::{Descriptor, Document, Index, LAYER_BYTES_MAX, LAYERS_MAX, Manifest};
pub use platform::Platform;
pub use reference::{InvalidReference, NAME_LENGTH_MAX, Reference};
pub use remove::all_in as remove_all_in;
pub use source::BlobSource;
pub use store::{Collected, ImageRecord, LEASE_NAME_LENGTH_MAX, Lease, Options, Prepared, Progress, Store, Usage};
pub use unpack::{
    DevicePolicy, MemberError, Owners, Policy, TarProblem, UnpackError, Unpacked, XattrNamespace, ZipProblem,
};
pub use zip::ZipError;
