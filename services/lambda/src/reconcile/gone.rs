//! Removes what deleted functions leave behind: versions, aliases, addresses.

use std::fmt;
use std::sync::Arc;

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Reconciler, Wake};
use serde::{Deserialize, Serialize};
use store::{ListOptions, Op, Record, Scope, Tx, Versioned};

use crate::function::{Alias, Function, Version};
use crate::url::UrlName;
use crate::{Error, Lambda};

/// How many records one round takes up.
const A_ROUND: usize = 100;
/// How many versions or aliases go in one transaction.
const A_STEP: usize = 40;

/// A function that has gone, and whose rest is to be removed. Its record's id is the function's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Since when.
    pub since: Timestamp,
}

impl Record for Gone {
    const SERVICE: &'static str = "lambda";
    const KIND: &'static str = "gone";
}

impl Gone {
    /// Leaves a function's rest to be removed.
    pub(crate) fn leave(tx: &mut Tx, function: &Versioned<Function>, now: Timestamp) {
        tx.insert(&function.scope, &[&function.uid], &Self { since: now });
    }
}

struct Remover {
    lambda: Lambda,
}

/// The rest of one function goes.
#[derive(Debug, Clone)]
struct Remove(Versioned<Gone>);

impl fmt::Display for Remove {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "remove what function {} has left", self.0.name())
    }
}

impl Planned for Remover {
    type Observed = (Vec<Versioned<Gone>>, bool);
    type Step = Remove;

    fn name(&self) -> &str {
        "lambda/gone"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Gone>()]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Self::Observed, Cause>> {
        Box::pin(async {
            let found = self.lambda.platform.store.list_everywhere::<Gone>(None, A_ROUND).await?;
            Ok((found.items, found.more))
        })
    }

    fn plan(&self, (gone, more): &Self::Observed, now: Timestamp) -> Plan<Remove> {
        Plan { steps: gone.iter().cloned().map(Remove).collect(), due: more.then_some(now) }
    }

    fn execute<'a>(&'a self, step: &'a Remove) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move {
            self.remove(&step.0).await?;
            Ok(())
        })
    }
}

impl Remover {
    async fn remove(&self, gone: &Versioned<Gone>) -> Result<(), Error> {
        let store = &self.lambda.platform.store;
        let below = [gone.name()];
        let options = || ListOptions { id_prefix: &below, limit: A_STEP, ..ListOptions::default() };
        loop {
            let page = store.list::<Version>(&gone.scope, options()).await?;
            if page.items.is_empty() {
                break;
            }
            let mut tx = Tx::new();
            for version in &page.items {
                tx.remove(version);
            }
            store.commit(tx).await?;
        }
        loop {
            let page = store.list::<Alias>(&gone.scope, options()).await?;
            let mut tx = Tx::new();
            for alias in &page.items {
                tx.remove(alias);
                if let Some(url) = &alias.attached.url {
                    remove_address(&mut tx, &url.id);
                }
            }
            if page.items.is_empty() {
                tx.remove(gone);
            }
            store.commit(tx).await?;
            if page.items.is_empty() {
                return Ok(());
            }
        }
    }
}

/// An address names nobody any more.
pub(crate) fn remove_address(tx: &mut Tx, id: &str) {
    tx.op(Op::Delete { key: UrlName::key(&Scope::system(), &[id]) });
}

/// The reconciler, to be started.
pub fn reconciler(lambda: &Lambda) -> Arc<dyn Reconciler> {
    platform::planned(&lambda.platform, Remover { lambda: lambda.clone() })
}
