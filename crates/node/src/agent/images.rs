//! The images that references name.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ::images::{Image, ImageRecord, Platform, Prepared, Reference, Run, Store};

use super::failure;
use crate::protocol::{Failure, FailureKind, IMAGES_PAGE_MAX, ImageInfo, ImagesPage, PLATFORM_LENGTH_MAX};

/// The most bytes that all images together may say about how they are run: it is kept in memory, and its makers are
/// strangers. Usual images have one to ten thousand each.
const RUN_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How many bytes the images of a store say about how they are run. Whoever changes which images there are holds it.
#[derive(Debug)]
pub(super) struct Recorded(Mutex<u64>);

impl Recorded {
    pub(super) fn of(store: &Store) -> Self {
        Self(Mutex::new(store.images().iter().map(|image| run_bytes(&image.run)).sum()))
    }

    /// Gives a prepared image a name.
    pub(super) fn record(
        &self,
        store: &Store,
        reference: &Reference,
        image: &Image,
        prepared: &Prepared,
    ) -> Result<(), Failure> {
        let mut bytes = self.lock();
        let before = store.image(reference).map_or(0, |image| run_bytes(&image.run));
        let after = bytes.saturating_sub(before) + run_bytes(&image.run);
        if after > RUN_BYTES_MAX {
            let message = format!("the configurations of all images together have more than {RUN_BYTES_MAX} bytes");
            return Err(Failure::new(FailureKind::Busy, message));
        }
        store.record(reference, image, prepared).map_err(|error| failure::of(&error))?;
        *bytes = after;
        Ok(())
    }

    /// Takes a name away. Answers whether it named something.
    pub(super) fn forget(&self, store: &Store, reference: &Reference) -> Result<bool, Failure> {
        let mut bytes = self.lock();
        let before = store.image(reference).map_or(0, |image| run_bytes(&image.run));
        let it_did = store.forget(reference).map_err(|error| failure::of(&error))?;
        *bytes = bytes.saturating_sub(before);
        Ok(it_did)
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // A number is never half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Some of the images, those after a reference.
pub(super) fn page(store: &Store, after: Option<&Reference>) -> ImagesPage {
    let images = store.images();
    let first = after.map_or(0, |after| images.partition_point(|image| image.reference <= *after));
    let rest = &images[first..];
    let page = rest.iter().take(IMAGES_PAGE_MAX).map(|image| info(store, image));
    ImagesPage { images: page.collect(), more: rest.len() > IMAGES_PAGE_MAX }
}

fn info(store: &Store, image: &ImageRecord) -> ImageInfo {
    let unpacked_bytes = store.bytes_of(&image.layers);
    ImageInfo {
        reference: image.reference.clone(),
        manifest: image.manifest,
        config: image.config,
        platform: short(&image.platform),
        blob_bytes: image.blob_bytes,
        unpacked_bytes: unpacked_bytes.unwrap_or(0),
        ready: unpacked_bytes.is_some(),
        recorded_at: image.recorded_at,
    }
}

fn short(platform: &Platform) -> Platform {
    let short = |text: &String| text[..text.floor_char_boundary(PLATFORM_LENGTH_MAX)].to_owned();
    Platform {
        os: short(&platform.os),
        architecture: short(&platform.architecture),
        variant: platform.variant.as_ref().map(short),
    }
}

fn run_bytes(run: &Run) -> u64 {
    // Texts and lists of texts are always JSON.
    serde_json::to_vec(run).map_or(u64::MAX / 2, |text| text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_platform_is_short() {
        let long = "ä".repeat(10_000);
        let platform = short(&Platform { os: "linux".to_owned(), architecture: long.clone(), variant: Some(long) });
        assert_eq!(platform.os, "linux");
        assert!(platform.architecture.len() <= PLATFORM_LENGTH_MAX);
        assert!(platform.variant.unwrap().len() <= PLATFORM_LENGTH_MAX);
    }
}
