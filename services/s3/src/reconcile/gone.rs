//! Removes what deleted buckets and ended uploads leave behind: settings, uploads, parts.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use blobs::files::FileId;
use platform::{BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Op, Record, Tx, Versioned};

use crate::bucket::Bucket;
use crate::multipart::{Part, Upload};
use crate::reconcile::unused::Unused;
use crate::{Error, S3, settings};

/// How many records one round takes up.
const A_ROUND: usize = 100;
/// How many parts or uploads go in one transaction, in which each takes a few operations.
const A_STEP: usize = 40;

/// Something that has gone, and whose rest is to be removed. Its record's id is its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// What.
    pub what: What,
    /// Since when.
    pub since: Timestamp,
}

/// What has gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// A bucket.
    Bucket,
    /// An upload.
    Upload {
        /// The files of its parts that an object has now.
        kept: Vec<FileId>,
    },
}

impl Record for Gone {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "gone";
}

impl Gone {
    /// Leaves a bucket's rest to be removed.
    pub(crate) fn leave(tx: &mut Tx, bucket: &Versioned<Bucket>, now: Timestamp) {
        tx.insert(&bucket.scope, &[&bucket.uid], &Self { what: What::Bucket, since: now });
    }

    /// Leaves the parts of an upload to be removed, but for the files that are `kept`.
    pub(crate) fn leave_upload(tx: &mut Tx, upload: &Versioned<Upload>, kept: Vec<FileId>, now: Timestamp) {
        tx.insert(&upload.scope, &[&upload.value.id], &Self { what: What::Upload { kept }, since: now });
    }
}

struct Remover {
    s3: S3,
}

/// The rest of one thing goes.
#[derive(Debug, Clone)]
struct Remove(Versioned<Gone>);

impl fmt::Display for Remove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0.what {
            What::Bucket => "bucket",
            What::Upload { .. } => "upload",
        };
        write!(f, "remove what {what} {} has left", self.0.name())
    }
}

impl Planned for Remover {
    type Observed = (Vec<Versioned<Gone>>, bool);
    type Step = Remove;

    fn name(&self) -> &str {
        "s3/gone"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Gone>()]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>> {
        Box::pin(async {
            let found = self.s3.platform.store.list_everywhere::<Gone>(None, A_ROUND).await?;
            Ok((found.items, found.more))
        })
    }

    fn plan(&self, (gone, more): &Self::Observed, now: Timestamp) -> Plan<Remove> {
        Plan { steps: gone.iter().cloned().map(Remove).collect(), due: more.then_some(now) }
    }

    fn execute<'a>(&'a self, step: &'a Remove) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move {
            match &step.0.what {
                What::Bucket => self.remove_bucket(&step.0).await?,
                What::Upload { kept } => self.remove_parts(&step.0, kept).await?,
            }
            Ok(())
        })
    }
}

impl Remover {
    async fn remove_bucket(&self, gone: &Versioned<Gone>) -> Result<(), Error> {
        let store = &self.s3.platform.store;
        loop {
            let options = ListOptions { id_prefix: &[gone.name()], limit: A_STEP, ..ListOptions::default() };
            let page = store.list::<Upload>(&gone.scope, options).await?;
            if page.items.is_empty() {
                break;
            }
            let mut tx = Tx::new();
            for upload in &page.items {
                tx.remove(upload);
                Gone::leave_upload(&mut tx, upload, Vec::new(), self.s3.platform.clock.now());
            }
            self.commit(tx).await?;
        }
        let mut tx = Tx::new();
        for kind in settings::KINDS {
            tx.op(Op::Delete { key: gone.scope.key().join([Gone::SERVICE, kind, gone.name()]) });
        }
        tx.remove(gone);
        self.commit(tx).await
    }

    async fn remove_parts(&self, gone: &Versioned<Gone>, kept: &[FileId]) -> Result<(), Error> {
        let kept: HashSet<&FileId> = kept.iter().collect();
        loop {
            let options = ListOptions { id_prefix: &[gone.name()], limit: A_STEP, ..ListOptions::default() };
            let page = self.s3.platform.store.list::<Part>(&gone.scope, options).await?;
            let mut tx = Tx::new();
            for part in &page.items {
                tx.remove(part);
                let files = part.data.files().filter(|file| !kept.contains(file)).collect();
                Unused::leave(&self.s3, &mut tx, files, self.s3.platform.clock.now());
            }
            if page.items.is_empty() {
                tx.remove(gone);
                return self.commit(tx).await;
            }
            self.commit(tx).await?;
        }
    }

    /// Who meets another at the same work leaves it to the next round.
    async fn commit(&self, tx: Tx) -> Result<(), Error> {
        Ok(self.s3.platform.store.commit(tx).await.map(drop)?)
    }
}

/// The reconciler, to be started.
pub fn reconciler(s3: &S3) -> Arc<dyn Reconciler> {
    platform::planned(&s3.platform, Remover { s3: s3.clone() })
}
