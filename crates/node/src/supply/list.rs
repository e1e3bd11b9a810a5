//! Which images are known here.

use std::collections::BTreeMap;

use images::{Descriptor, Platform, Reference};

use super::{Inventory, Listed, Local, NodeState, Origin, Supply, SupplyError, chain, record};

impl Supply {
    /// Where the documents of an image begin that is here for this machine; nothing of one that is not.
    ///
    /// # Errors
    /// When the registry on this machine fails, or the state cannot be read.
    pub async fn find(&self, reference: &Reference) -> Result<Option<Descriptor>, SupplyError> {
        let parts = &self.means.parts;
        match parts.local.resolve(reference).await.map_err(SupplyError::Local)? {
            Local::Found { root, .. } => Ok(Some(*root)),
            Local::Missing => Ok(None),
            Local::Elsewhere => {
                let pulled = record::find(&parts.store, reference).await?.map(|image| image.value);
                Ok(pulled.filter(|image| image.machine == Platform::host()).map(|image| image.root))
            }
        }
    }

    /// All images that have a name here, in the order of the names: what was pulled, and what the node has ready. While the
    /// node does not answer, what was pulled.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub async fn images(&self) -> Result<Inventory, SupplyError> {
        let parts = &self.means.parts;
        let mut images: BTreeMap<Reference, Listed> = BTreeMap::new();
        for image in record::all(&parts.store).await? {
            let image = image.value;
            let listed = Listed {
                reference: image.reference.clone(),
                manifest: image.manifest,
                platform: image.platform,
                blob_bytes: image.blob_bytes,
                unpacked_bytes: None,
                since: image.pulled,
                origin: Origin::Pulled,
            };
            images.insert(image.reference, listed);
        }
        let (ready, node) = match &parts.node {
            None => (Vec::new(), NodeState::Absent),
            Some(node) => match node.images().await {
                Ok(ready) => (ready, NodeState::Answers),
                Err(error) => (Vec::new(), NodeState::Away { reason: chain(&error) }),
            },
        };
        for image in ready {
            let unpacked_bytes = image.ready.then_some(image.unpacked_bytes);
            match images.get_mut(&image.reference) {
                // What was pulled since then is not unpacked yet.
                Some(listed) if listed.manifest == image.manifest => listed.unpacked_bytes = unpacked_bytes,
                Some(_) => {}
                None => {
                    let listed = Listed {
                        reference: image.reference.clone(),
                        manifest: image.manifest,
                        platform: image.platform,
                        blob_bytes: image.blob_bytes,
                        unpacked_bytes,
                        since: image.recorded_at,
                        origin: Origin::Registry,
                    };
                    images.insert(image.reference, listed);
                }
            }
        }
        Ok(Inventory { images: images.into_values().collect(), node })
    }
}
