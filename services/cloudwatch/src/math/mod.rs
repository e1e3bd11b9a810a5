//! Metric math: expressions over time series.
//!
//! - [`parse`] reads a text to an [`Expression`], and tells which other queries it refers to.
//! - [`evaluate`] computes it; pure, so an alarm, a query and a test get the same.
//!
//! What CloudWatch says of missing data holds: arithmetic and comparisons take a missing value for 0, a division by zero
//! drops the data point, and what is not a finite number is dropped.

mod evaluate;
mod functions;
mod lexer;
mod parse;
mod series;
#[cfg(test)]
mod tests;

pub use evaluate::{Scope, evaluate};
pub use parse::{Expression, parse};
pub use series::{LABEL_BYTES_PER_POINT, Series};

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MathError {
    /// It cannot be read.
    #[error("{0}")]
    Syntax(String),
    /// It refers to a query that is not there.
    #[error("Unresolved identifier: {0}")]
    Unknown(String),
    /// A function is given what it does not take.
    #[error("{0}")]
    Type(String),
    /// It would need more memory than one request may have.
    #[error("The expression is too large to be computed")]
    TooLarge,
    /// CloudWatch has it, and Pilvi does not.
    #[error("{0} is not served by Pilvi.")]
    NotServed(String),
}

/// The functions that CloudWatch has and Pilvi does not.
const NOT_SERVED: [&str; 7] = [
    "ANOMALY_DETECTION_BAND",
    "DB_PERF_INSIGHTS",
    "INSIGHT_RULE_METRIC",
    "LAMBDA",
    "SEARCH",
    "SERVICE_QUOTA",
    "SELECT",
];

/// Whether this is a function that is not served.
pub(crate) fn is_not_served(function: &str) -> bool {
    NOT_SERVED.contains(&function)
}
