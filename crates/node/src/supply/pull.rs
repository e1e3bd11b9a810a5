//! One pull, from its name to an image that is ready.

use std::sync::Arc;
use std::time::Duration;

use images::remote::{Fetched, RemoteError};
use images::{Descriptor, Image, Platform, Reference};
use tokio::sync::watch;

use super::tracker::Tracker;
use super::{
    Local, Means, Order, PARTIAL_AGE_MAX, PARTIAL_BYTES_MAX, Prepared, Progress, Pulled, PulledImage, SupplyError,
    Wanted, ahead, blocking, record,
};
use crate::protocol::{Prepare, Urgency};

/// How often blobs are fetched again that were collected on the way. They count as new for hours: once is rare.
const ATTEMPTS_MAX: u32 = 3;

impl Means {
    pub(super) async fn pull(
        self: &Arc<Self>,
        order: &Order,
        progress: watch::Sender<Progress>,
    ) -> Result<Pulled, SupplyError> {
        let tracker = Arc::new(Tracker::new(progress));
        match self.parts.local.resolve(&order.reference).await.map_err(SupplyError::Local)? {
            Local::Found { reference, root } => self.take(order, reference, *root, &tracker).await,
            Local::Missing => Err(SupplyError::Missing { reference: Box::new(order.reference.clone()) }),
            Local::Elsewhere => {
                let (sender, landed) = ahead::channel();
                tracker.tell_of_landed(sender);
                let machine = machine(order);
                let ahead = Arc::clone(self).unpack_ahead(&order.reference, &machine, landed, Arc::clone(&tracker));
                ahead::beside(ahead, self.fetch(order, &tracker)).await
            }
        }
    }

    /// Takes what is here already.
    async fn take(
        self: &Arc<Self>,
        order: &Order,
        reference: Reference,
        root: Descriptor,
        tracker: &Tracker,
    ) -> Result<Pulled, SupplyError> {
        // Whoever unpacks reads the documents; without it they are read here, or what is no image would pass for one.
        if self.parts.node.is_none() {
            self.read(&reference, &root, machine(order)).await?;
        }
        let prepared = self.prepare(&reference, &root, order.platform.clone(), Urgency::Waited, tracker).await?;
        Ok(Pulled { reference, root: root.digest, prepared, downloaded_bytes: 0, is_local: true })
    }

    /// Downloads it and keeps a record of it.
    async fn fetch(self: &Arc<Self>, order: &Order, tracker: &Arc<Tracker>) -> Result<Pulled, SupplyError> {
        let machine = machine(order);
        let (reference, mut downloaded_bytes) = (&order.reference, 0_u64);
        // Whoever begins downloads and leaves them must not fill the disk with their parts.
        self.sweep(PARTIAL_AGE_MAX, PARTIAL_BYTES_MAX).await?;
        let failed = |source| SupplyError::Remote { reference: Box::new(reference.clone()), source };
        for _ in 0..ATTEMPTS_MAX {
            let wanted = Wanted { reference, machine: &machine, credentials: order.credentials.as_ref() };
            let sink = Arc::new(self.downloads.clone());
            let fetched = match self.parts.upstream.fetch(wanted, sink, Arc::clone(tracker) as _).await {
                Err(RemoteError::Full) => {
                    // Room is wanted more than what would be gone on with.
                    self.sweep(Duration::ZERO, 0).await?;
                    return Err(failed(RemoteError::Full));
                }
                fetched => fetched.map_err(failed)?,
            };
            downloaded_bytes = downloaded_bytes.saturating_add(fetched.moved_bytes);
            let Some(files) = self.refresh(&fetched).await? else { continue };
            self.keep(reference, &fetched, machine, files).await?;
            let prepared =
                self.prepare(reference, &fetched.root, order.platform.clone(), Urgency::Waited, tracker).await?;
            let (reference, root) = (reference.clone(), fetched.root.digest);
            return Ok(Pulled { reference, root, prepared, downloaded_bytes, is_local: false });
        }
        Err(SupplyError::Lost { reference: Box::new(reference.clone()) })
    }

    /// Makes all blobs of an image count as new, so that they stay until its record is there; nothing if one is gone.
    async fn refresh(&self, fetched: &Fetched) -> Result<Option<Vec<blobs::Digest>>, SupplyError> {
        let (downloads, blobs) = (self.downloads.downloads().clone(), fetched.blobs.clone());
        // By what they are called here, which is their SHA-256, whatever the registry knows them by.
        let refresh = move || blobs.iter().map(|blob| downloads.refresh(blob)).collect();
        blocking("looking for the blobs of an image", refresh).await
    }

    /// Writes down what came.
    async fn keep(
        &self,
        reference: &Reference,
        fetched: &Fetched,
        machine: Platform,
        files: Vec<blobs::Digest>,
    ) -> Result<(), SupplyError> {
        let image = self.read(reference, &fetched.root, machine.clone()).await?;
        let pulled = PulledImage {
            reference: reference.clone(),
            root: fetched.root.clone(),
            machine,
            manifest: image.manifest,
            platform: image.platform,
            blob_bytes: image.layers.iter().map(|layer| layer.blob.size).fold(0, u64::saturating_add),
            files,
            pulled: self.parts.clock.now(),
        };
        Ok(record::keep(&self.parts.store, &pulled).await?)
    }

    /// Reads the documents of an image whose blobs are here.
    pub(super) async fn read(
        &self,
        reference: &Reference,
        root: &Descriptor,
        machine: Platform,
    ) -> Result<Image, SupplyError> {
        let (blobs, root) = (self.parts.blobs.clone(), root.clone());
        let read = blocking("reading an image", move || Ok(Image::resolve(&blobs, &root, &machine))).await?;
        read.map_err(|source| SupplyError::Image { reference: Box::new(reference.clone()), source })
    }

    /// Has an image unpacked, where there is somebody who does it.
    pub(super) async fn prepare(
        &self,
        reference: &Reference,
        root: &Descriptor,
        platform: Option<Platform>,
        urgency: Urgency,
        tracker: &Tracker,
    ) -> Result<Option<Prepared>, SupplyError> {
        let Some(node) = &self.parts.node else { return Ok(None) };
        tracker.begin_unpacking();
        let image = Prepare { reference: Some(reference.clone()), root: root.clone(), platform, urgency };
        let prepared = node.prepare(&image, Box::new(|progress| tracker.unpacking(progress))).await;
        let prepared =
            prepared.map_err(|source| SupplyError::Unpack { reference: Box::new(reference.clone()), source })?;
        Ok(Some(Prepared {
            manifest: prepared.manifest,
            layers: prepared.layers.len() as u64,
            unpacked_bytes: prepared.unpacked_bytes,
        }))
    }
}

/// The machine that an image is for.
fn machine(order: &Order) -> Platform {
    order.platform.clone().unwrap_or_else(Platform::host)
}
