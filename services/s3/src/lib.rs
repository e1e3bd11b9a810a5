//! Amazon Simple Storage Service: buckets and objects, and the events that tell of them.
//!
//! This is the service as `aws s3` and `aws s3api` see it. Object lock, replication, encryption at rest, inventories, access
//! points and directory buckets are not served.
//!
//! - [`S3`] is the entry; generated code in `api` routes each operation to its file in `ops`.
//! - [`bucket`]: found by a name that the whole installation shares; what is in one lies below a random id.
//! - [`object`]: versions and delete markers; [`listing`]: what is where, page by page; [`multipart`]: uploads in parts.
//! - [`content`]: bytes, on their way in and out, which know no bucket.
//! - [`acl`], [`policy_setting`]: who may; [`cors`], [`website`], [`lifecycle`], [`notification`]: what else a bucket may have.
//! - [`reconcile`]: what goes on without a request.

pub mod acl;
mod amend;
pub mod api;
pub mod bucket;
pub mod checksum;
pub mod condition;
pub mod content;
mod copy;
pub mod cors;
mod cross_origin;
mod describe;
mod error;
pub mod etag;
pub mod event;
mod facts;
#[cfg(test)]
mod flows;
pub mod lifecycle;
mod listed;
pub mod listing;
pub mod multipart;
pub mod names;
pub mod notification;
pub mod object;
mod object_reader;
mod ops;
pub mod policy_setting;
mod read;
pub mod reconcile;
mod settings;
pub mod tags;
pub mod website;
pub mod website_routes;

use std::sync::Arc;

use content::Content;
use notification::{Delivery, Destinations};
use platform::Platform;
use platform::outbox::Outbox;

pub use error::{Absent, Error};

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub struct S3 {
    /// What it is built on.
    pub platform: Platform,
    /// The bytes.
    pub content: Content,
    /// The events on their way.
    pub outbox: Arc<Outbox<Delivery>>,
    /// Where events go.
    pub destinations: Arc<dyn Destinations>,
    kept: Arc<facts::Kept>,
    promotions: Arc<reconcile::promoted::Promotions>,
}

impl S3 {
    /// The service over a platform, bytes, and those who are told of events.
    pub fn new(platform: Platform, content: Content, destinations: Arc<dyn Destinations>) -> Self {
        let outbox = notification::outbox(&platform);
        Self { platform, content, outbox, destinations, kept: Arc::default(), promotions: Arc::default() }
    }
}
