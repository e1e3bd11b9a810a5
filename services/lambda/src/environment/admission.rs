//! How many executions there may be at a time: an account's, of which functions may have some for themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{AccountId, Region};
use store::Store;

use crate::executor::{Callee, Refused, Throttle};
use crate::limits::CONCURRENT_EXECUTIONS_MAX;
use crate::usage;

/// What runs now.
#[derive(Debug)]
pub(super) struct Admission {
    store: Store,
    running: Arc<Mutex<Running>>,
}

#[derive(Debug, Default)]
struct Running {
    /// Those of functions that have none for themselves.
    accounts: HashMap<(AccountId, Region), u32>,
    /// By the ids of functions that have.
    functions: HashMap<String, u32>,
}

/// What an execution is counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Of {
    Account(AccountId, Region),
    Function(String),
}

/// The right to be executed; given back when the last copy of it is dropped.
#[derive(Debug, Clone)]
pub(super) struct Permit {
    _counted: Arc<Counted>,
}

#[derive(Debug)]
struct Counted {
    of: Of,
    running: Arc<Mutex<Running>>,
}

impl Admission {
    pub(super) fn new(store: Store) -> Self {
        Self { store, running: Arc::default() }
    }

    /// Admits a call, if there is room for it.
    ///
    /// # Errors
    /// [`Refused::Throttled`]
    pub(super) async fn admit(&self, callee: &Callee) -> Result<Permit, Refused> {
        let (of, max, throttle) = match callee.reserved {
            Some(reserved) => (
                Of::Function(callee.uid.clone()),
                reserved,
                Throttle::ReservedFunctionConcurrentInvocationLimitExceeded,
            ),
            None => {
                let claimed = usage::claimed(&self.store, &callee.function.scope()).await;
                let claimed = claimed.map_err(|error| Refused::Failed(error.to_string()))?;
                (
                    Of::Account(callee.function.account, callee.function.region.clone()),
                    CONCURRENT_EXECUTIONS_MAX.saturating_sub(claimed),
                    Throttle::ConcurrentInvocationLimitExceeded,
                )
            }
        };
        let mut running = lock(&self.running);
        let count = running.count(&of);
        if *count >= max {
            return Err(Refused::Throttled(throttle));
        }
        *count += 1;
        Ok(Permit { _counted: Arc::new(Counted { of, running: self.running.clone() }) })
    }
}

impl Running {
    fn count(&mut self, of: &Of) -> &mut u32 {
        match of {
            Of::Account(account, region) => self.accounts.entry((*account, region.clone())).or_default(),
            Of::Function(uid) => self.functions.entry(uid.clone()).or_default(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        let count = running.count(&self.of);
        *count = count.saturating_sub(1);
        if *count == 0
            && let Of::Function(uid) = &self.of
        {
            running.functions.remove(uid);
        }
    }
}

fn lock(running: &Mutex<Running>) -> MutexGuard<'_, Running> {
    // Counting cannot be left half done by a panic.
    running.lock().unwrap_or_else(PoisonError::into_inner)
}
