//! Removes the files that no record names any more. Who reads one keeps it until they have done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Timestamp;
use blobs::files::{FileId, Removal};
use platform::{BoxFuture, Cause, Reconciler, Round, Wake};
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
    /// After which record the next round goes on; none begins anew. So those that are read at length hold up no others.
    after: Mutex<Option<String>>,
}

impl Reconciler for Remover {
    fn name(&self) -> &str {
        "s3/unused-files"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Unused>()]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async { Ok(self.remove_some().await?) })
    }
}

impl Remover {
    /// Takes up one page of the records.
    async fn remove_some(&self) -> Result<Round, Error> {
        let after = self.after().clone();
        let options = ListOptions { limit: A_ROUND, after: after.as_deref(), ..ListOptions::default() };
        let page = self.s3.platform.store.list::<Unused>(&Scope::system(), options).await?;
        let (mut removed, mut failure) = (0, None);
        for some in page.items.chunks(A_STEP) {
            match self.remove(some).await {
                Ok(Some(count)) => removed += count,
                // A backup is under way: nothing can be removed, and none of these has been tried in vain.
                Ok(None) => return Ok(self.done(removed, Some(AGAIN))),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let all_seen = after.is_none() && !page.more;
        *self.after() = page.next.filter(|_| page.more);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let wait = match page.more {
            true => Some(Duration::ZERO),
            // Those that are read now stay; and whatever came before the first of this page has yet to be looked at.
            false => (!all_seen || removed < page.items.len()).then_some(AGAIN),
        };
        Ok(self.done(removed, wait))
    }

    fn done(&self, removed: usize, wait: Option<Duration>) -> Round {
        let did = format!("removed the files of {removed} records that nobody needs");
        Round::did(removed as u64, did).due(wait.map(|wait| self.s3.platform.clock.now().plus(wait)))
    }

    /// Removes the files of some records; answers of how many, or nothing if all files are held.
    async fn remove(&self, unused: &[Versioned<Unused>]) -> Result<Option<usize>, Error> {
        let files = self.s3.content.files().clone();
        let wanted: Vec<Vec<FileId>> = unused.iter().map(|record| record.files.clone()).collect();
        let Some(removed) = blocking(move || Ok(files.remove_each(&wanted)?)).await? else { return Ok(None) };
        let mut tx = Tx::new();
        let mut count = 0;
        for (record, _) in unused.iter().zip(removed).filter(|(_, removed)| *removed == Removal::Done) {
            tx.remove(record);
            count += 1;
        }
        if count == 0 {
            return Ok(Some(0));
        }
        match self.s3.platform.store.commit(tx).await {
            Ok(_) => Ok(Some(count)),
            Err(error) if error.is_conflict() => Ok(Some(0)),
            Err(error) => Err(error.into()),
        }
    }

    fn after(&self) -> MutexGuard<'_, Option<String>> {
        // A name is replaced whole.
        self.after.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The reconciler, to be started.
pub fn reconciler(s3: &S3) -> Arc<dyn Reconciler> {
    Arc::new(Remover { s3: s3.clone(), after: Mutex::default() })
}
