//! Pulling an image.

use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;
use store::{StoreError, Tx, Versioned};

use super::Manifest;
use crate::{Ecr, Error};

/// How fresh [`Manifest::last_pulled`] is kept. (API reference, ImageDetail: "at least once every 24 hours".)
const PULLED_EVERY: Duration = Duration::from_secs(20 * 3600);

/// Reads a manifest's bytes for somebody who pulls the image, and notes that it was pulled.
///
/// # Errors
/// What the store and the disk answer.
pub async fn pull(ecr: &Ecr, manifest: &Versioned<Manifest>, now: Timestamp) -> Result<Bytes, Error> {
    let bytes = ecr.content.read(manifest.content, manifest.size).await?;
    note(ecr, manifest, now).await?;
    Ok(bytes)
}

/// Notes that an image was pulled. That it has changed meanwhile is no reason to try again: the next pull notes it.
pub(crate) async fn note(ecr: &Ecr, manifest: &Versioned<Manifest>, now: Timestamp) -> Result<(), Error> {
    if manifest.last_pulled.is_some_and(|last| now.since(last) < PULLED_EVERY) {
        return Ok(());
    }
    let mut tx = Tx::new();
    tx.replace(manifest, &Manifest { last_pulled: Some(now), ..manifest.value.clone() });
    match ecr.platform.store.commit(tx).await {
        Ok(_) | Err(StoreError::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
