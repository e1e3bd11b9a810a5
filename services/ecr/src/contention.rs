//! Transactions that others may outrun.

use store::StoreError;

use crate::Error;

/// How often a transaction is built and committed before its conflict is reported. Of requests that want the same record
/// one wins each round, so this is how many may come between.
const ATTEMPTS_MAX: u32 = 256;

/// Counts the attempts of one request at its transaction, each of which reads, decides and commits.
#[derive(Debug)]
pub(crate) struct Attempts(u32);

impl Attempts {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(0)
    }

    /// Counts an attempt, and tells whether to make another: another request came between, and not too often.
    pub(crate) fn again<T>(&mut self, outcome: &Result<T, Error>) -> bool {
        self.0 += 1;
        self.0 < ATTEMPTS_MAX && matches!(outcome, Err(Error::Store(StoreError::Conflict { .. })))
    }
}
