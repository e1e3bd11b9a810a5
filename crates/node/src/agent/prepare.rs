//! Preparing an image: waiting for a turn, then unpacking it aside.

use std::sync::Arc;

use images::{Image, Platform};
use tokio::sync::TryAcquireError;

use super::background::aside;
use super::progress::{Tracker, Unwanted};
use super::{Agent, failure};
use crate::protocol::{Failure, FailureKind, PLATFORM_LENGTH_MAX, Prepare, PreparedImage, Progress};

/// The longest name of a media type, in bytes (RFC 6838, section 4.2: 127 each for type and subtype).
const MEDIA_TYPE_LENGTH_MAX: usize = 255;

/// Sets its flag when it is dropped.
struct UntilDropped(Unwanted);

impl Drop for UntilDropped {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl Agent {
    /// Prepares an image, when it is its turn. Dropping the future ends it.
    pub(super) async fn prepare(
        &self,
        wanted: Prepare,
        report: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<PreparedImage, Failure> {
        check(&wanted)?;
        let queued = match Arc::clone(&self.0.queue).try_acquire_owned() {
            Ok(queued) => queued,
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => {
                return Err(Failure::new(FailureKind::Busy, "too many images wait to be prepared"));
            }
        };
        // Nobody closes it.
        let turn = Arc::clone(&self.0.turns).acquire_owned().await.ok();
        let unwanted = Unwanted::default();
        let _until_dropped = UntilDropped(unwanted.clone());
        let agent = self.clone();
        let prepared = aside((turn, queued), move || agent.prepare_now(&wanted, &unwanted, &report));
        let broken = || Failure::new(FailureKind::Internal, "preparing the image broke off");
        prepared.await.unwrap_or_else(|| Err(broken()))
    }

    fn prepare_now(
        &self,
        wanted: &Prepare,
        unwanted: &Unwanted,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<PreparedImage, Failure> {
        let store = &self.0.store;
        // Opened anew each time: it may have come into being, or been restored, since.
        let blobs = blobs::Reader::open_root(&self.0.options.blobs)
            .map_err(|error| Failure::new(FailureKind::NotFound, format!("there are no blobs: {error}")))?;
        let machine = wanted.platform.clone().unwrap_or_else(Platform::host);
        let image = Image::resolve(&blobs, &wanted.root, &machine).map_err(|error| failure::of(&error))?;
        let tracker = Tracker::new(self, &image, unwanted, report);
        let prepared = store.prepare(&image, &blobs, &tracker).map_err(|error| match tracker.was_short() {
            true => Failure::new(FailureKind::Full, "the disk is nearly full, and what is left is not for images"),
            false => failure::of(&error),
        });
        // Also what was finished of an image that failed.
        self.0.unsettled.notify_one();
        let prepared = prepared?;
        if let Some(reference) = &wanted.reference {
            self.0.recorded.record(store, reference, &image, &prepared)?;
        }
        Ok(PreparedImage {
            manifest: image.manifest,
            config: image.config,
            layers: prepared.layers().to_vec(),
            // They are held.
            unpacked_bytes: store.bytes_of(prepared.layers()).unwrap_or_default(),
        })
    }
}

/// What waits in the queue is small, and an image whose platform or kind has a longer name is none.
fn check(wanted: &Prepare) -> Result<(), Failure> {
    let platforms = [&wanted.platform, &wanted.root.platform].into_iter().flatten();
    let parts = platforms.flat_map(|it| [Some(&it.os), Some(&it.architecture), it.variant.as_ref()]).flatten();
    let is_long = parts.into_iter().any(|part| part.len() > PLATFORM_LENGTH_MAX);
    match is_long || wanted.root.media_type.len() > MEDIA_TYPE_LENGTH_MAX {
        true => Err(Failure::new(FailureKind::Refused, "the name of a platform or of a media type is too long")),
        false => Ok(()),
    }
}
