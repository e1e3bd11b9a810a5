//! Preparing images, and single layers ahead of them: waiting for a turn, then unpacking aside.

use std::sync::Arc;

use images::{
    ARCHIVE_BLOB_BYTES_MAX, BlobSource, Descriptor, Error, Image, LAYER_BYTES_MAX, Layer, Platform, Prepared,
    archive_layer,
};
use tokio::sync::TryAcquireError;

use super::background::aside;
use super::progress::{Tracker, Unwanted};
use super::{Agent, failure};
use crate::protocol::{
    Failure, FailureKind, PLATFORM_LENGTH_MAX, Prepare, PrepareArchive, PrepareLayer, PreparedImage, Progress, Urgency,
};

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
        check([&wanted.platform, &wanted.root.platform], &wanted.root)?;
        self.in_turn(wanted.urgency, move |agent, unwanted| agent.prepare_now(&wanted, unwanted, &report)).await
    }

    /// Unpacks a layer, when it is its turn. Dropping the future ends it.
    pub(super) async fn prepare_layer(
        &self,
        wanted: PrepareLayer,
        report: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        check([&wanted.blob.platform], &wanted.blob)?;
        if wanted.blob.size > LAYER_BYTES_MAX {
            return Err(Failure::new(FailureKind::Refused, "no layer is that long"));
        }
        let layers = [Layer { blob: wanted.blob, diff_id: wanted.diff_id }];
        self.in_turn(Urgency::Waited, move |agent, unwanted| {
            agent.unpack(&*agent.blobs()?, &layers, unwanted, &report).map(drop)
        })
        .await
    }

    /// Unpacks an archive, when it is its turn; at once, if it is there. Dropping the future ends it.
    pub(super) async fn prepare_archive(
        &self,
        wanted: PrepareArchive,
        report: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<(), Failure> {
        let PrepareArchive { blob, urgency } = wanted;
        check([&blob.platform], &blob)?;
        if blob.size > ARCHIVE_BLOB_BYTES_MAX {
            return Err(Failure::new(FailureKind::Refused, "no archive is that long"));
        }
        if self.0.store.hold(&[archive_layer(&blob.digest)]).is_ok() {
            return Ok(());
        }
        self.in_turn(urgency, move |agent, unwanted| {
            let layer = Layer { diff_id: archive_layer(&blob.digest), blob: blob.clone() };
            let blobs = agent.blobs()?;
            agent.unpacked(&[layer], unwanted, &report, |tracker| {
                agent.0.store.prepare_archive(&blob, &*blobs, tracker).map(drop)
            })
        })
        .await
    }

    /// Does something when it is its turn, aside. It is told that it is not wanted any more when the future is dropped.
    async fn in_turn<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&Self, &Unwanted) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
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
        let done = aside((turn, queued), urgency, move || work(&agent, &unwanted));
        let broken = || Failure::new(FailureKind::Internal, "unpacking broke off");
        done.await.unwrap_or_else(|| Err(broken()))
    }

    fn prepare_now(
        &self,
        wanted: &Prepare,
        unwanted: &Unwanted,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<PreparedImage, Failure> {
        let store = &self.0.store;
        let blobs = self.blobs()?;
        let machine = wanted.platform.clone().unwrap_or_else(Platform::host);
        let image = Image::resolve(&*blobs, &wanted.root, &machine).map_err(|error| failure::of(&error))?;
        let prepared = self.unpack(&*blobs, &image.layers, unwanted, report)?;
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

    /// Opened anew each time: they may have come into being, or been restored, since.
    fn blobs(&self) -> Result<Arc<dyn BlobSource + Send + Sync>, Failure> {
        if let Some(elsewhere) = &self.0.options.elsewhere {
            return Ok(Arc::clone(&elsewhere.0));
        }
        blobs::Reader::open_root_of(&self.0.options.blobs, self.0.options.owner)
            .map(|reader| Arc::new(reader) as Arc<dyn BlobSource + Send + Sync>)
            .map_err(|error| Failure::new(FailureKind::NotFound, format!("there are no blobs: {error}")))
    }

    fn unpack(
        &self,
        blobs: &dyn BlobSource,
        layers: &[Layer],
        unwanted: &Unwanted,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<Prepared, Failure> {
        self.unpacked(layers, unwanted, report, |tracker| self.0.store.prepare_layers(layers, blobs, tracker))
    }

    fn unpacked<T>(
        &self,
        layers: &[Layer],
        unwanted: &Unwanted,
        report: &(dyn Fn(Progress) + Sync),
        unpack: impl FnOnce(&Tracker<'_>) -> Result<T, Error>,
    ) -> Result<T, Failure> {
        let tracker = Tracker::new(self, layers, unwanted, report);
        let prepared = unpack(&tracker).map_err(|error| match tracker.was_short() {
            true => Failure::new(FailureKind::Full, "the disk is nearly full, and what is left is not for images"),
            false => failure::of(&error),
        });
        // Also what was finished of an image that failed.
        self.0.unsettled.notify_one();
        prepared
    }
}

/// What waits in the queue is small, and what has a platform or kind of a longer name is no image.
fn check<const N: usize>(platforms: [&Option<Platform>; N], blob: &Descriptor) -> Result<(), Failure> {
    let platforms = platforms.into_iter().flatten();
    let parts = platforms.flat_map(|it| [Some(&it.os), Some(&it.architecture), it.variant.as_ref()]).flatten();
    let is_long = parts.into_iter().any(|part| part.len() > PLATFORM_LENGTH_MAX);
    match is_long || blob.media_type.len() > MEDIA_TYPE_LENGTH_MAX {
        true => Err(Failure::new(FailureKind::Refused, "the name of a platform or of a media type is too long")),
        false => Ok(()),
    }
}
