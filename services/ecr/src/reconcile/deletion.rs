//! Removes what deleted repositories leave behind: manifests, tags, references to blobs, uploads, lifecycle policies.
//!
//! DeleteRepository replaces the repository by a [`Deletion`] in one transaction; what lies below the repository's id goes
//! then, in as many steps as it takes, and the [`Deletion`] last.

use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use serde::{Deserialize, Serialize};
use store::limits::PREFIX_DELETIONS_MAX;
use store::{Key, ListOptions, Op, Range, Record, Scope, Store, StoreError, Tx, Txn, Versioned};

use crate::image::push::{push_key, sweep_key};
use crate::image::{Manifest, Tag, tag_of};
use crate::layer::BlobReference;
use crate::lifecycle::{LifecyclePolicy, Preview, PreviewResults};
use crate::names::RepositoryName;
use crate::reconcile::prepare;
use crate::repository::Found;
use crate::upload::Upload;
use crate::{Ecr, Error};

/// How many deletions one round takes up.
const DELETIONS_A_ROUND_MAX: usize = 100;
/// How many keys one transaction removes, those of indexes among them.
const KEYS_A_STEP: usize = 110;
/// How many tags one transaction removes; each takes a message with it.
const TAGS_A_STEP: usize = 50;
/// How many manifests are read at once.
const MANIFESTS_A_PAGE: usize = 100;

/// A repository that has been deleted. Its record's id is the repository's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// The name that the repository had.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

impl Record for Deletion {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "repository-deletion";
}

/// Leaves the record by which the content of a repository is removed.
pub(crate) fn schedule(tx: &mut Tx, repository: &Found, now: Timestamp) {
    let deletion = Deletion { name: repository.name.name.clone(), since: now };
    tx.insert(&repository.record.scope, &[repository.id()], &deletion);
}

struct Deletions {
    ecr: Ecr,
}

/// The content of one repository goes.
#[derive(Debug, Clone)]
struct Remove(Versioned<Deletion>);

impl fmt::Display for Remove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "remove what was in repository {}", self.0.name())
    }
}

struct Observed {
    deletions: Vec<Versioned<Deletion>>,
    more: bool,
}

impl Planned for Deletions {
    type Observed = Observed;
    type Step = Remove;

    fn name(&self) -> &str {
        "ecr/repository-deletion"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Deletion>()]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Observed, Cause>> {
        Box::pin(async {
            let found = self.ecr.platform.store.list_everywhere::<Deletion>(None, DELETIONS_A_ROUND_MAX).await?;
            Ok(Observed { deletions: found.items, more: found.more })
        })
    }

    fn plan(&self, observed: &Observed, now: Timestamp) -> Plan<Remove> {
        let steps = observed.deletions.iter().cloned().map(Remove).collect();
        Plan { steps, due: observed.more.then_some(now) }
    }

    fn execute<'a>(&'a self, step: &'a Remove) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move { Ok(self.remove(&step.0).await?) })
    }
}

impl Deletions {
    async fn remove(&self, deletion: &Versioned<Deletion>) -> Result<(), Error> {
        let (store, scope, id) = (&self.ecr.platform.store, &deletion.scope, deletion.name());
        self.remove_tags(deletion).await?;
        self.remove_manifests(scope, id).await?;
        self.discard_uploads(scope, id).await?;
        let of_kind = |kind: &str| scope.key().child("ecr").child(kind).child(id);
        for kind in [BlobReference::KIND, Upload::KIND, PreviewResults::KIND] {
            remove_below(store, &of_kind(kind)).await?;
        }
        let mut tx = Tx::new();
        let single = [LifecyclePolicy::KIND, Preview::KIND].map(of_kind);
        for key in single.into_iter().chain([push_key(scope, id), sweep_key(scope, id)]) {
            tx.op(Op::Delete { key });
        }
        tx.remove(deletion);
        ignoring_conflicts(store.commit(tx).await.map(drop))
    }

    /// Tags go with a word to whoever has prepared what they name.
    async fn remove_tags(&self, deletion: &Versioned<Deletion>) -> Result<(), Error> {
        let store = &self.ecr.platform.store;
        let (Some(registry), Some(region)) = (deletion.scope.account(), deletion.scope.region().cloned()) else {
            return Ok(());
        };
        let repository = RepositoryName { registry, region, name: deletion.name.clone() };
        loop {
            let options = ListOptions { id_prefix: &[deletion.name()], limit: TAGS_A_STEP, ..ListOptions::default() };
            let page = store.list::<Tag>(&deletion.scope, options).await?;
            if page.items.is_empty() {
                return Ok(());
            }
            let mut tx = Tx::new();
            for tag in &page.items {
                tx.remove(tag);
                prepare::changed(&mut tx, &repository, tag_of(tag));
            }
            ignoring_conflicts(store.commit(tx).await.map(drop))?;
        }
    }

    /// Manifests go one by one: the store keeps their indexes elsewhere.
    async fn remove_manifests(&self, scope: &Scope, id: &str) -> Result<(), Error> {
        let store = &self.ecr.platform.store;
        loop {
            let options = ListOptions { id_prefix: &[id], limit: MANIFESTS_A_PAGE, ..ListOptions::default() };
            let page = store.list::<Manifest>(scope, options).await?;
            if page.items.is_empty() {
                return Ok(());
            }
            let (mut tx, mut keys) = (Tx::new(), 0);
            for manifest in &page.items {
                let own = 1 + manifest.secondary_keys().len();
                if keys > 0 && keys + own > KEYS_A_STEP {
                    break;
                }
                keys += own;
                tx.remove(manifest);
            }
            ignoring_conflicts(store.commit(tx).await.map(drop))?;
        }
    }

    async fn discard_uploads(&self, scope: &Scope, id: &str) -> Result<(), Error> {
        let options = ListOptions { id_prefix: &[id], ..ListOptions::default() };
        for upload in self.ecr.platform.store.list::<Upload>(scope, options).await?.items {
            self.ecr.content.discard(upload.name());
        }
        Ok(())
    }
}

/// Removes all that lies below a key and is no record with secondary keys.
pub(crate) async fn remove_below(store: &Store, prefix: &Key) -> Result<(), StoreError> {
    while !store.range(Range::prefix(prefix).limit(1)).await?.entries.is_empty() {
        let delete = Op::DeletePrefix { prefix: prefix.clone(), limit: PREFIX_DELETIONS_MAX };
        store.txn(Txn { then: vec![delete], ..Txn::default() }).await?;
    }
    Ok(())
}

/// Who meets another at the same work leaves it to the next round.
fn ignoring_conflicts(outcome: Result<(), StoreError>) -> Result<(), Error> {
    match outcome {
        Err(error) if !error.is_conflict() => Err(error.into()),
        _ => Ok(()),
    }
}

/// The reconciler, to be started.
pub fn reconciler(ecr: &Ecr) -> Arc<dyn Reconciler> {
    platform::planned(&ecr.platform, Deletions { ecr: ecr.clone() })
}
