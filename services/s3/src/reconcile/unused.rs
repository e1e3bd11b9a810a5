//! Removes the files that no record names any more. Who reads one keeps it until they have done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use blobs::files::{FileId, Removal};
use platform::{BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Record, Scope, Tx, Versioned};

use crate::content::blocking;
use crate::{Error, S3};

/// How many records one round takes up.
const A_ROUND: usize = 1000;
/// How many of them one step, and one transaction, takes up.
const A_STEP: usize = 100;
/// When files are tried again that are being read.
const AGAIN: Duration = Duration::from_secs(5);
/// The most files of one record: what is more becomes several, so that none outgrows a value.
const FILES_EACH_MAX: usize = 10_000;

/// Files that are to be removed. The first of them is the one that readers pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unused {
    /// The files.
    pub files: Vec<FileId>,
    /// Since when nobody needs them.
    pub since: Timestamp,
}

impl Record for Unused {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "unused-files";
}

impl Unused {
    /// Leaves files to be removed, in the transaction that takes them from their owner.
    pub(crate) fn leave(s3: &S3, tx: &mut Tx, files: Vec<FileId>, now: Timestamp) {
        for some in files.chunks(FILES_EACH_MAX) {
            let record = Self { files: some.to_vec(), since: now };
            tx.insert(&Scope::system(), &[&base::ids::hex32(&*s3.platform.rng)], &record);
        }
    }
}

struct Remover {
    s3: S3,
}

/// The files of some records go.
#[derive(Debug, Clone)]
struct Remove(Vec<Versioned<Unused>>);

impl fmt::Display for Remove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count: usize = self.0.iter().map(|unused| unused.files.len()).sum();
        write!(f, "remove {count} files that nobody needs")
    }
}

impl Planned for Remover {
    type Observed = (Vec<Versioned<Unused>>, bool);
    type Step = Remove;

    fn name(&self) -> &str {
        "s3/unused-files"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Unused>()]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>> {
        Box::pin(async {
            let options = ListOptions { limit: A_ROUND, ..ListOptions::default() };
            let found = self.s3.platform.store.list::<Unused>(&Scope::system(), options).await?;
            Ok((found.items, found.more))
        })
    }

    fn plan(&self, (unused, more): &Self::Observed, now: Timestamp) -> Plan<Remove> {
        let due = match more {
            true => Some(now),
            // Those that are read now stay, and are looked at again.
            false => (!unused.is_empty()).then(|| now.plus(AGAIN)),
        };
        Plan { steps: unused.chunks(A_STEP).map(|some| Remove(some.to_vec())).collect(), due }
    }

    fn execute<'a>(&'a self, step: &'a Remove) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move { Ok(self.remove(&step.0).await?) })
    }
}

impl Remover {
    async fn remove(&self, unused: &[Versioned<Unused>]) -> Result<(), Error> {
        let files = self.s3.content.files().clone();
        let wanted: Vec<Vec<FileId>> = unused.iter().map(|record| record.files.clone()).collect();
        let removed = blocking(move || {
            let remove = |ids: &Vec<FileId>| Ok(files.remove(ids)? == Removal::Done);
            wanted.iter().map(remove).collect::<Result<Vec<bool>, Error>>()
        })
        .await?;
        let mut tx = Tx::new();
        for (record, _) in unused.iter().zip(removed).filter(|(_, removed)| *removed) {
            tx.remove(record);
        }
        match self.s3.platform.store.commit(tx).await {
            Err(error) if !error.is_conflict() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The reconciler, to be started.
pub fn reconciler(s3: &S3) -> Arc<dyn Reconciler> {
    platform::planned(&s3.platform, Remover { s3: s3.clone() })
}
