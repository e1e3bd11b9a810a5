//! Removes uploads that nobody continues, and files of uploads that have no record.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use store::{Tx, Versioned};

use crate::upload::{UPLOAD_KEPT, Upload};
use crate::{Ecr, Error};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(3600);

struct Uploads {
    ecr: Ecr,
}

struct Observed {
    /// The files; listed before the records, since a record is there before its file.
    files: Vec<String>,
    uploads: Vec<Versioned<Upload>>,
}

/// One removal.
enum Step {
    /// An upload whose time is over.
    Expired(Versioned<Upload>),
    /// A file that belongs to none.
    Stray(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(upload) => write!(f, "give up the upload {}", upload.name()),
            Self::Stray(id) => write!(f, "remove the file of upload {id}, which is over"),
        }
    }
}

impl Uploads {
    async fn look(&self) -> Result<Observed, Error> {
        let files = self.ecr.content.uploads().await?;
        let (mut uploads, mut after) = (Vec::new(), None);
        loop {
            let page = self.ecr.platform.store.list_everywhere::<Upload>(after.as_deref(), usize::MAX).await?;
            uploads.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(Observed { files, uploads });
            }
        }
    }

    async fn remove(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Stray(id) => self.ecr.content.discard(id),
            Step::Expired(upload) => {
                let mut tx = Tx::new();
                tx.remove(upload);
                match self.ecr.platform.store.commit(tx).await {
                    Ok(_) => self.ecr.content.discard(upload.name()),
                    // Somebody continued or finished it.
                    Err(error) if error.is_conflict() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}

impl Planned for Uploads {
    type Observed = Observed;
    type Step = Step;

    fn name(&self) -> &str {
        "ecr/upload-expiry"
    }

    fn wakes(&self) -> Vec<Wake> {
        Vec::new()
    }

    fn observe(&self) -> BoxFuture<'_, Result<Observed, Cause>> {
        Box::pin(async { Ok(self.look().await?) })
    }

    fn plan(&self, observed: &Observed, now: Timestamp) -> Plan<Step> {
        let known: BTreeSet<&str> = observed.uploads.iter().map(Versioned::name).collect();
        let is_over = |upload: &&Versioned<Upload>| now.since(upload.active) > UPLOAD_KEPT;
        let expired = observed.uploads.iter().filter(is_over).cloned().map(Step::Expired);
        let strays = observed.files.iter().filter(|id| !known.contains(id.as_str())).cloned().map(Step::Stray);
        Plan { steps: expired.chain(strays).collect(), due: Some(now.plus(EVERY)) }
    }

    fn execute<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move { Ok(self.remove(step).await?) })
    }
}

/// The reconciler, to be started.
pub fn reconciler(ecr: &Ecr) -> Arc<dyn Reconciler> {
    platform::planned(&ecr.platform, Uploads { ecr: ecr.clone() })
}
