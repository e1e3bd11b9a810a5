//! Big immutable values as files, named by the SHA-256 of what they hold: image layers, function packages, log segments.
//!
//! Which blobs are needed is not known here: whoever references them keeps the references, and says so when the rest is
//! collected.
//!
//! - [`Blobs::writer`] takes a stream, [`Writer::finish`] makes it a blob. When that returns, the blob is on disk whole;
//!   before it returns, nobody sees it. A crash leaves a temporary file at most, which the next opening clears away.
//! - [`Blobs::adopt`] makes a file a blob that somebody has written and hashed already, without copying it.
//! - [`Blobs::open`] and [`Blobs::size`] find a blob again.
//! - [`Blobs::alias`] lets one be found by its SHA-512, too.
//! - [`Reader`] finds them for another, more privileged user, who trusts nothing in the directory.
//! - [`Blobs::collect`] removes what is neither referenced nor new; [`Blobs::hold`] keeps it from doing so, from other
//!   processes too.
//!
//! Beside them [`files`]: content that has a random name, and one owner each.
//!
//! Calls block on the disk: from asynchronous code they belong on a blocking thread.
//!
//! On disk, `sha256/<2 digits>/<64 digits>` are blobs, `sha512/` other names that some of them have, `tmp/` what is being written, `lock` what holds collection off.
//! Every path is opened beneath the root's descriptor and through no symbolic link.

mod adopt;
mod alias;
mod collect;
mod digest;
mod error;
pub mod files;
mod place;
mod read;
mod reader;
mod root;
mod write;

pub use alias::LongDigest;
pub use collect::{Collected, Hold};
pub use digest::{Digest, InvalidDigest};
pub use error::BlobError;
pub use read::Blob;
pub use reader::Reader;
pub use root::Blobs;
pub use write::Writer;
