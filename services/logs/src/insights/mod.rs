//! CloudWatch Logs Insights QL: what StartQuery runs.
//!
//! ```text
//! filter level = "ERROR" | stats count(*) as errors by bin(5m), service | sort errors desc | limit 20
//! ```
//!
//! A query is a row of commands: `fields`, `filter` (or `where`), `parse`, `unnest`, `stats` (two at most), `sort`, `limit`
//! (`limit any` too, and `head` and `tail`, as CloudWatch Logs keeps them), `dedup` and `display`. [`Query::parse`] compiles it to stages; an
//! [`Execution`] takes events one by one, keeps no more of them than can end in the result, and tells when the memory that
//! it may take is too little.
//!
//! Fields are the event's own (`@timestamp`, `@message`, `@logStream`, `@log`, `@ingestionTime`, `@ptr`), what is found in
//! it (the members of a JSON document, as `user.id` and `items.0.name`; AWS Lambda's `@requestId`, `@duration` …), and what
//! commands make. They have no type: what looks like a number is one.
//!
//! Not supported, and refused: `parse`'s modes logfmt and CSV, and all other commands, of which `pattern`, `diff`,
//! `anomaly`, `unmask`, `filterIndex`, `SOURCE`, `lookup` and `join` by name. Regular expressions are the `regex` crate's: no look-around, no references back.
//!
//! Source: CloudWatch Logs User Guide, "CloudWatch Logs Insights language query syntax". Where it is silent: a comparison
//! with a missing field does not hold, nor does its opposite; booleans of JSON are 1 and 0 and also compare with `true`
//! and `false`; `min` and `max` of an instant are milliseconds; `stddev` is that of the values themselves; weeks begin on
//! Monday; without events there are no groups, not even one that counts 0.

mod aggregate;
mod ast;
mod collect;
mod evaluate;
mod execute;
mod expression;
mod function;
mod glob;
mod hint;
mod lambda;
mod order;
mod parser;
mod plan;
mod record;
mod scanner;
mod scope;
mod sketch;
mod subnet;
mod time;
mod value;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use execute::Execution;
pub use hint::TimeBounds;
pub use record::{DISCOVERED_FIELDS_MAX, Record};

use plan::Plan;

/// How long a query may be, in characters (StartQuery's `queryString`).
pub const QUERY_LENGTH_MAX: usize = 10_000;
/// How many rows a query can ask for (CloudWatch Logs' quota).
pub const LIMIT_MAX: usize = 100_000;
/// How many rows a query yields at most if it does not say (CloudWatch Logs' default).
pub const LIMIT_DEFAULT: usize = 10_000;
/// How many regular expressions a query may have.
pub const REGEXES_MAX: usize = 32;
/// How many `stats` commands a query may have (CloudWatch Logs' quota).
pub const STATS_MAX: usize = 2;
/// How many groups `stats` may make.
pub const GROUPS_MAX: usize = 100_000;
/// How much memory a run may take for what it keeps, in bytes, unless told otherwise.
pub const MEMORY_BYTES_MAX: usize = 64 << 20;

/// How much memory functions and `parse` may take for one row, in bytes.
pub const ROW_BYTES_MAX: usize = 16 << 20;

/// Why a text is no query: StartQuery's MalformedQueryException, with its `queryCompileError`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MalformedQuery {
    /// What is wrong.
    pub message: String,
    /// `startCharOffset`: where it begins, in characters from 0.
    pub start: usize,
    /// `endCharOffset`: where it ends, exclusive.
    pub end: usize,
}

/// Why a run cannot go on. The query's status becomes Failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExecutionError {
    /// What it would have to keep is too much.
    #[error(
        "The query would keep more than {bytes_max} bytes. Filter more, show fewer fields, or limit the number of results."
    )]
    Memory {
        /// The limit.
        bytes_max: usize,
    },
    /// What it makes of one event is too much.
    #[error("The query would make more than {ROW_BYTES_MAX} bytes of one event. Use fewer functions that make texts.")]
    Row,
    /// There are too many groups.
    #[error("The stats command makes more than {GROUPS_MAX} groups. Filter more, or group by fewer fields.")]
    Groups,
}

/// A compiled query. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Query {
    plan: Arc<Plan>,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Query, MalformedQuery> {
        Ok(Query { plan: Arc::new(plan::plan(parser::parse(text)?)) })
    }

    /// Which times its filters leave: who scans for it can leave out all other events.
    pub fn time_bounds(&self) -> TimeBounds {
        self.plan.time
    }

    /// Whether an event with this message can pass the query's filters: a search for words that is quick to answer no.
    /// [`Execution::push`] asks this itself.
    pub fn may_match(&self, message: &str) -> bool {
        self.plan.needed.may_be_in(message)
    }
}

/// How a query is run.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// When it was started, in milliseconds since 1970: what `now()` goes by.
    pub now_ms: i64,
    /// The first millisecond that counts.
    pub start_ms: i64,
    /// The last millisecond that counts.
    pub end_ms: i64,
    /// How many rows it yields if the query itself does not say (StartQuery's `limit`).
    pub limit: usize,
    /// How much it may keep at a time, in bytes.
    pub memory_bytes_max: usize,
}

impl Options {
    /// A run over events of a range of time, with the usual limits.
    pub fn new(now_ms: i64, start_ms: i64, end_ms: i64) -> Options {
        Options { now_ms, start_ms, end_ms, limit: LIMIT_DEFAULT, memory_bytes_max: MEMORY_BYTES_MAX }
    }
}

/// A query's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// Each row's fields, as GetQueryResults shows them; what a row does not have is left out. Rows that are events end
    /// with `@ptr`.
    pub rows: Vec<Vec<Field>>,
    /// What was looked at.
    pub statistics: Statistics,
}

/// GetQueryResults' ResultField.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The column's title.
    pub field: String,
    /// The value.
    pub value: String,
}

/// GetQueryResults' QueryStatistics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How many events passed the filters.
    pub records_matched: u64,
    /// How many events were looked at.
    pub records_scanned: u64,
    /// How long their messages are together, in bytes.
    pub bytes_scanned: u64,
}
