//! Transactions that others may outrun.

/// How often a transaction is built and committed before its conflict is reported. Of requests that want the same record
/// one wins each round, so this is how many may come between.
const ATTEMPTS_MAX: u32 = 1024;

/// A service's error, of which one kind says that another request changed what a transaction depends on.
pub trait MayConflict {
    /// Whether it says so.
    fn is_conflict(&self) -> bool;
}

/// Counts the attempts of one request at its transaction, each of which reads, decides and commits.
#[derive(Debug, Default)]
pub struct Attempts(u32);

impl Attempts {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an attempt, and tells whether to make another: another request came between, and not too often.
    pub fn again<T, E: MayConflict>(&mut self, outcome: &Result<T, E>) -> bool {
        self.0 += 1;
        self.0 < ATTEMPTS_MAX && outcome.as_ref().is_err_and(MayConflict::is_conflict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failure(bool);

    impl MayConflict for Failure {
        fn is_conflict(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn only_a_conflict_is_tried_again_and_not_for_ever() {
        let mut attempts = Attempts::new();
        assert!(!attempts.again(&Ok::<_, Failure>(())));
        assert!(!attempts.again(&Err::<(), _>(Failure(false))));
        let further = (0..2 * ATTEMPTS_MAX).take_while(|_| attempts.again(&Err::<(), _>(Failure(true)))).count();
        assert_eq!(further as u32 + 3, ATTEMPTS_MAX);
    }
}
