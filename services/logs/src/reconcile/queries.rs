//! Runs the queries that a process before this one has not finished, and lets old ones go.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause, Plan, Planned, Wake};
use store::{Scope, Tx, Versioned};

use crate::query::{KEPT, QUERIES_KEPT_MAX, Query, QueryKey};
use crate::{Error, Logs};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(3600);

/// The reconciler.
pub struct OpenQueries {
    logs: Logs,
}

/// What becomes of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is run.
    Run(Versioned<Query>),
    /// Its time is over, or there are too many.
    Remove(Versioned<Query>),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(query) => write!(f, "run query {}", query.name()),
            Self::Remove(query) => write!(f, "remove query {}", query.name()),
        }
    }
}

impl OpenQueries {
    /// All but those that run already.
    async fn queries(&self) -> Result<Vec<Versioned<Query>>, Error> {
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = self.logs.platform.store.list_everywhere::<Query>(after.as_deref(), usize::MAX).await?;
            let runs =
                |query: &Versioned<Query>| query.is_open() && self.logs.queries.progress(&key_of(query)).is_some();
            found.extend(page.items.into_iter().filter(|query| !runs(query)));
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    }

    async fn execute(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Run(query) => self.logs.run_query(key_of(query), query.value.clone()),
            Step::Remove(query) => {
                let mut tx = Tx::new();
                tx.remove(query);
                match self.logs.platform.store.commit(tx).await {
                    Err(error) if !error.is_conflict() => return Err(error.into()),
                    _ => self.logs.queries.forget(&key_of(query)),
                }
            }
        }
        Ok(())
    }
}

fn key_of(query: &Versioned<Query>) -> QueryKey {
    QueryKey { scope: query.scope.clone(), id: query.name().to_owned() }
}

impl Planned for OpenQueries {
    type Observed = Vec<Versioned<Query>>;
    type Step = Step;

    fn name(&self) -> &str {
        "logs/queries"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::records::<Query>()]
    }

    fn observe(&self) -> BoxFuture<'_, Result<Vec<Versioned<Query>>, Cause>> {
        Box::pin(async { Ok(self.queries().await?) })
    }

    fn plan(&self, queries: &Vec<Versioned<Query>>, now: Timestamp) -> Plan<Step> {
        let mut ended: BTreeMap<&Scope, Vec<&Versioned<Query>>> = BTreeMap::new();
        let mut steps = Vec::new();
        for query in queries {
            match query.is_open() {
                true => steps.push(Step::Run(query.clone())),
                false => ended.entry(&query.scope).or_default().push(query),
            }
        }
        for mut queries in ended.into_values() {
            queries.sort_by_key(|query| std::cmp::Reverse(query.value.created));
            let goes = |(number, query): &(usize, &Versioned<Query>)| {
                *number >= QUERIES_KEPT_MAX || now.since(query.value.created) > KEPT
            };
            let gone = queries.into_iter().enumerate().filter(goes);
            steps.extend(gone.map(|(_, query)| Step::Remove(query.clone())));
        }
        Plan { steps, due: Some(now.plus(EVERY)) }
    }

    fn execute<'a>(&'a self, step: &'a Step) -> BoxFuture<'a, Result<(), Cause>> {
        Box::pin(async move { Ok(Self::execute(self, step).await?) })
    }
}

/// The reconciler, to be started.
pub fn reconciler(logs: &Logs) -> Arc<dyn platform::Reconciler> {
    platform::planned(&logs.platform, OpenQueries { logs: logs.clone() })
}
