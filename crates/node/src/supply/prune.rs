//! Images that are not wanted any more.

use std::time::Duration;

use images::Reference;

use super::{Local, Means, PARTIAL_AGE_MAX, PARTIAL_BYTES_MAX, Pruned, Supply, SupplyError, blocking, record};

/// Which images are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// Those that nothing leads to any more.
    Unneeded,
    /// Those that were pulled from elsewhere, too.
    Pulled,
}

impl Supply {
    /// Lets an image go that was pulled, or that the node still has a name of. What it is made of goes with the next
    /// collection, if nothing else needs it.
    ///
    /// # Errors
    /// [`SupplyError::InRegistry`] for one that the registry on this machine has.
    pub async fn remove(&self, reference: &Reference) -> Result<bool, SupplyError> {
        let reference = match self.local(reference).await? {
            Local::Found { reference, .. } => {
                return Err(SupplyError::InRegistry { reference: Box::new(reference) });
            }
            Local::Missing | Local::Elsewhere => reference,
        };
        let means = &self.means;
        let was_pulled = match record::find(&means.parts.store, reference).await? {
            Some(image) => record::remove(&means.parts.store, &image).await?,
            None => false,
        };
        Ok(means.forget(reference).await? | was_pulled)
    }

    /// Removes what nothing needs: names that the registry on this machine has given up, layers, blobs, and downloads that
    /// broke off; with [`Prune::Pulled`] all that was pulled from elsewhere, too.
    ///
    /// # Errors
    /// [`SupplyError`]; what was removed by then is gone.
    pub async fn prune(&self, which: Prune) -> Result<Pruned, SupplyError> {
        let means = &self.means;
        let mut pruned = Pruned::default();
        if which == Prune::Pulled {
            for image in record::all(&means.parts.store).await? {
                if record::remove(&means.parts.store, &image).await? {
                    means.forget(&image.reference).await?;
                    pruned.images += 1;
                }
            }
        }
        pruned.images += self.forget_strays().await?;
        if let Some(node) = &means.parts.node {
            let collected = node.prune().await?;
            (pruned.layers, pruned.layer_bytes) = (collected.layers, collected.bytes);
        }
        let partial_bytes = means.sweep(Duration::ZERO, 0).await?;
        let (collected, young_bytes) = means.collect().await?;
        pruned.blobs = collected.removed;
        pruned.blob_bytes = collected.removed_bytes.saturating_add(partial_bytes);
        pruned.young_bytes = young_bytes;
        Ok(pruned)
    }

    /// Removes the downloads that nobody went on with for long.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn sweep(&self) -> Result<u64, SupplyError> {
        self.means.sweep(PARTIAL_AGE_MAX, PARTIAL_BYTES_MAX).await
    }

    /// Has the node forget the names that lead nowhere: of images that are neither pulled nor in the registry any more.
    async fn forget_strays(&self) -> Result<u64, SupplyError> {
        let means = &self.means;
        let Some(node) = &means.parts.node else { return Ok(0) };
        let mut forgotten = 0;
        for image in node.images().await? {
            let is_kept = record::find(&means.parts.store, &image.reference).await?.is_some()
                || matches!(self.local(&image.reference).await?, Local::Found { .. });
            if !is_kept {
                forgotten += u64::from(node.forget(&image.reference).await?);
            }
        }
        Ok(forgotten)
    }

    async fn local(&self, reference: &Reference) -> Result<Local, SupplyError> {
        self.means.parts.local.resolve(reference).await.map_err(SupplyError::Local)
    }
}

impl Means {
    pub(super) async fn forget(&self, reference: &Reference) -> Result<bool, SupplyError> {
        match &self.parts.node {
            Some(node) => Ok(node.forget(reference).await?),
            None => Ok(false),
        }
    }

    /// Removes the downloads that nobody goes on with: those of this age, and the oldest beyond so many bytes.
    pub(super) async fn sweep(&self, age: Duration, bytes_max: u64) -> Result<u64, SupplyError> {
        let downloads = self.downloads.downloads().clone();
        blocking("removing downloads", move || downloads.sweep(age, bytes_max)).await
    }

    /// Removes the blobs that no record needs. What comes to be needed meanwhile is new. Answers how many bytes those have
    /// that nothing needs and that are too new to be removed, too.
    async fn collect(&self) -> Result<(blobs::Collected, u64), SupplyError> {
        let needed = self.parts.store.referenced_blobs().await?;
        let (blobs, grace) = (self.parts.blobs.clone(), self.parts.blob_grace);
        blocking("removing blobs", move || {
            let failed = std::io::Error::other;
            let collected = blobs.collect(|digest| needed.contains(digest), grace).map_err(failed)?;
            let mut young_bytes = 0_u64;
            for digest in blobs.list().map_err(failed)?.iter().filter(|digest| !needed.contains(digest)) {
                young_bytes = young_bytes.saturating_add(blobs.size(digest).map_err(failed)?.unwrap_or_default());
            }
            Ok((collected, young_bytes))
        })
        .await
    }
}
