//! What is kept of an image that was pulled from elsewhere.

use base::Timestamp;
use images::{Descriptor, Digest, Platform, Reference};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, Scope, Store, StoreError, Tx, Versioned};

/// An image that was pulled from a registry elsewhere. It belongs to the installation; its record's id is the digest of its
/// name, which may be longer than a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PulledImage {
    /// Its name, in full.
    pub reference: Reference,
    /// What the name led to: a manifest, or an index of several.
    pub root: Descriptor,
    /// The machine that it was pulled for.
    pub machine: Platform,
    /// What was chosen for that machine.
    pub manifest: Digest,
    /// What that was built for.
    pub platform: Platform,
    /// The bytes of its layers as they are transferred.
    pub blob_bytes: u64,
    /// The files of all its documents and layers.
    pub files: Vec<blobs::Digest>,
    /// When it was last pulled.
    pub pulled: Timestamp,
}

impl Record for PulledImage {
    const SERVICE: &'static str = "images";
    const KIND: &'static str = "pulled-image";

    fn blobs(&self) -> Vec<blobs::Digest> {
        self.files.clone()
    }
}

fn id(reference: &Reference) -> String {
    Digest::of(images::Algorithm::Sha256, reference.to_string().as_bytes()).hex()
}

/// What a name was last pulled as.
pub(super) async fn find(store: &Store, reference: &Reference) -> Result<Option<Versioned<PulledImage>>, StoreError> {
    store.read(&Scope::system(), &[&id(reference)]).await
}

/// Keeps an image under its name, in place of what the name meant before. Of two that pull the same name at one time the
/// later one wins.
pub(super) async fn keep(store: &Store, image: &PulledImage) -> Result<(), StoreError> {
    const ATTEMPTS_MAX: u32 = 8;
    for attempt in 1.. {
        let mut tx = Tx::new();
        match find(store, &image.reference).await? {
            Some(old) => tx.replace(&old, image),
            None => tx.insert(&Scope::system(), &[&id(&image.reference)], image),
        };
        match store.commit(tx).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS_MAX => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the last attempt returns")
}

/// Lets an image go. Answers whether it was there; one that was pulled again meanwhile stays.
pub(super) async fn remove(store: &Store, image: &Versioned<PulledImage>) -> Result<bool, StoreError> {
    let mut tx = Tx::new();
    tx.remove(image);
    match store.commit(tx).await {
        Ok(_) => Ok(true),
        Err(StoreError::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// All images that were pulled, in no order that means anything.
pub(super) async fn all(store: &Store) -> Result<Vec<Versioned<PulledImage>>, StoreError> {
    let mut images = Vec::new();
    let mut after = None;
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let page = store.list::<PulledImage>(&Scope::system(), options).await?;
        images.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(images);
        }
    }
}
