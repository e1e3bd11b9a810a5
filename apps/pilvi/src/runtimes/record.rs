//! What is kept of a runtime.

use std::path::PathBuf;

use base::Timestamp;
use images::{Descriptor, Reference};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, Scope, Store, StoreError, Tx, Versioned};

/// How often a record is written again that another has changed meanwhile.
const ATTEMPTS_MAX: u32 = 8;

/// A runtime that was supplied, or taken away. It belongs to the installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Runtime {
    /// Its name: `python3.13`.
    pub(super) name: String,
    /// What became of it.
    pub(super) standing: Standing,
    /// Since when.
    pub(super) since: Timestamp,
}

/// What became of a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Standing {
    /// Functions may have it.
    Offered(Box<Offered>),
    /// It was removed: what this machine has of it is not to be taken.
    Removed,
}

/// A runtime that functions may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Offered {
    /// Where it is from.
    pub(super) origin: Origin,
    /// Its image: the manifest.
    pub(super) root: Descriptor,
    /// The bytes of its layers.
    pub(super) layer_bytes: u64,
    /// The files of all its documents and layers.
    pub(super) files: Vec<blobs::Digest>,
}

/// Where a runtime is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Origin {
    /// It was made of this machine's files.
    Machine {
        /// The interpreter; none of a runtime that has none.
        program: Option<PathBuf>,
        /// What tells whether these files have changed since.
        fingerprint: String,
    },
    /// It is an image that somebody named.
    Image {
        /// Its name.
        reference: Reference,
    },
}

impl Record for Runtime {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "runtime";

    fn blobs(&self) -> Vec<blobs::Digest> {
        match &self.standing {
            Standing::Offered(offered) => offered.files.clone(),
            Standing::Removed => Vec::new(),
        }
    }
}

/// What is known of a name.
pub(super) async fn find(store: &Store, name: &str) -> Result<Option<Versioned<Runtime>>, StoreError> {
    store.read(&Scope::system(), &[name]).await
}

/// Writes down what became of a runtime, whatever was known before. Of two that do it at one time the later one wins.
pub(super) async fn keep(store: &Store, runtime: &Runtime) -> Result<(), StoreError> {
    for attempt in 1.. {
        let mut tx = Tx::new();
        match find(store, &runtime.name).await? {
            Some(old) => tx.replace(&old, runtime),
            None => tx.insert(&Scope::system(), &[&runtime.name], runtime),
        };
        match store.commit(tx).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS_MAX => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("the last attempt returns")
}

/// All that are known, in the order of their names.
pub(super) async fn all(store: &Store) -> Result<Vec<Runtime>, StoreError> {
    let (mut runtimes, mut after) = (Vec::new(), None::<String>);
    loop {
        let options = ListOptions { after: after.as_deref(), ..ListOptions::default() };
        let page = store.list::<Runtime>(&Scope::system(), options).await?;
        runtimes.extend(page.items.into_iter().map(|runtime| runtime.value));
        after = page.next;
        if after.is_none() {
            return Ok(runtimes);
        }
    }
}
