//! Amazon S3.

pub mod checksum;
pub mod condition;
pub mod content;
mod error;
pub mod etag;
pub mod names;

pub use error::{Absent, Error};
