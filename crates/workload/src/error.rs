//! What is wrong with a specification.

/// Why a specification is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSpec {
    /// Not the name of a workload or node.
    #[error("`{given}` is no such identifier")]
    Id {
        /// What was given.
        given: String,
    },
    /// A member is not what it may be.
    #[error("{member}: {problem}")]
    Member {
        /// Which: `containers[0].name`.
        member: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Containers wait for each other.
    #[error("the containers {} wait for each other", containers.join(", "))]
    Cycle {
        /// Which.
        containers: Vec<String>,
    },
}
