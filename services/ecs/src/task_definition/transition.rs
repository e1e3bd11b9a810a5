//! Changes to the states of revisions, and with them to the counts of their families, in one transaction.

use std::collections::BTreeMap;

use store::{Scope, Store, Tx, Versioned};

use super::{Family, Lifecycle, TaskDefinition};
use crate::Error;
use crate::api::TaskDefinitionStatus;

/// Changes that happen together or not at all.
#[derive(Default)]
pub(crate) struct Transition {
    tx: Tx,
    moves: BTreeMap<String, Vec<(TaskDefinitionStatus, Option<TaskDefinitionStatus>)>>,
}

impl Transition {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Brings a revision of `family` into another state; nothing if it is there already.
    pub(crate) fn set(&mut self, family: &str, before: &Versioned<TaskDefinition>, next: Lifecycle) {
        if before.lifecycle == next {
            return;
        }
        let after = TaskDefinition { lifecycle: next, ..before.value.clone() };
        self.tx.replace(before, &after);
        self.moved(family, before, Some(next.status()));
    }

    /// Removes a revision of `family`. The family stays, and with it the number.
    pub(crate) fn remove(&mut self, family: &str, before: &Versioned<TaskDefinition>) {
        self.tx.remove(before);
        self.moved(family, before, None);
    }

    /// What else is to happen in the transaction.
    pub(crate) fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// Commits, unless there is nothing to.
    ///
    /// # Errors
    /// A conflict if a revision or its family has been changed since it was read.
    pub(crate) async fn commit(self, store: &Store, scope: &Scope) -> Result<(), Error> {
        let Self { mut tx, moves } = self;
        for (name, moves) in moves {
            // A family is never removed, so one that has a revision is there.
            let Some(before) = store.read::<Family>(scope, &[&name]).await? else { continue };
            let mut after = before.value;
            for (from, to) in moves {
                after.moved(from, to);
            }
            tx.replace(&before, &after);
        }
        if !tx.is_empty() {
            store.commit(tx).await?;
        }
        Ok(())
    }

    fn moved(&mut self, family: &str, before: &Versioned<TaskDefinition>, to: Option<TaskDefinitionStatus>) {
        self.moves.entry(family.to_owned()).or_default().push((before.lifecycle.status(), to));
    }
}
