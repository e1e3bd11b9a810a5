//! Insights queries: what is kept of one, and its states.
//!
//! Scheduled → Running → Complete, Failed, Timeout; Cancelled from either of the first two. A query is a record from the
//! moment that StartQuery answers; that it is running only the process knows that runs it. One that the process did not
//! finish because it died is run again by the next.
//!
//! Its rows are in memory, as long as there is room: events are never in records, nor is what is made of them. Rows that
//! are asked for and gone are made again; the query is Running meanwhile.

mod pointer;
mod rows;
mod run;

use std::time::Duration;

use base::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use store::Record;

use crate::api::{self, QueryStatus};
use crate::insights;

pub(crate) use pointer::Pointer;
pub(crate) use run::{Queries, QueryKey};

/// How long a query can be asked for (CloudWatch Logs' quota).
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many groups a query can be about (CloudWatch Logs' quota).
pub const QUERY_GROUPS_MAX: usize = 50;
/// How many queries of an account and region can be Scheduled or Running (CloudWatch Logs' quota).
pub const CONCURRENT_MAX: usize = 100;
/// How long a query may run (CloudWatch Logs' quota).
pub const RUN_MAX: Duration = Duration::from_secs(3600);
/// How much memory a query may take for what it keeps, in bytes.
pub const RUN_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How much memory the rows of all queries together may take, in bytes.
pub const ROWS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many queries of an account and region are kept: when there are more, those that ended first go.
pub const QUERIES_KEPT_MAX: usize = 1000;

/// A query. Its record's id is the query's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Query {
    /// The query itself.
    pub text: String,
    /// The groups that it asks, in their order.
    pub groups: Vec<QueriedGroup>,
    /// The first millisecond that counts.
    pub start_ms: i64,
    /// The last millisecond that counts.
    pub end_ms: i64,
    /// How many rows it yields if it does not say.
    pub limit: usize,
    /// When it was started.
    pub created: Timestamp,
    /// Who started it: an ARN.
    pub user: String,
    /// Its state. Running is never stored.
    #[serde(with = "wire::stored")]
    pub status: QueryStatus,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// What it looked at.
    pub statistics: Scanned,
    /// How many rows it has.
    pub rows: usize,
}

/// A group that a query asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueriedGroup {
    /// Whose it is.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// [`LogGroup::storage_id`](crate::group::LogGroup::storage_id).
    pub storage_id: String,
}

/// What a query looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    /// Events that passed its filters.
    pub matched: u64,
    /// Events.
    pub records: u64,
    /// Bytes of messages.
    pub bytes: u64,
    /// Groups.
    pub groups: u64,
}

impl QueriedGroup {
    /// `@log`.
    pub(crate) fn log(&self) -> String {
        format!("{}:{}", self.account, self.name)
    }
}

impl Record for Query {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "query";
}

impl Query {
    /// Whether it still has to come to its end.
    pub(crate) fn is_open(&self) -> bool {
        self.status == QueryStatus::Scheduled
    }

    /// The query as DescribeQueries answers it.
    pub(crate) fn describe(self, id: &str, status: QueryStatus, now: Timestamp) -> api::QueryInfo {
        api::QueryInfo {
            query_id: Some(id.to_owned()),
            query_string: Some(self.text),
            query_language: Some(api::QueryLanguage::Cwli),
            status: Some(status),
            create_time: Some(self.created.as_millis()),
            log_group_name: self.groups.into_iter().next().map(|group| group.name),
            bytes_scanned: Some(self.statistics.bytes as f64),
            query_duration: i64::try_from(self.ended.unwrap_or(now).since(self.created).as_millis()).ok(),
            user_identity: Some(self.user),
        }
    }
}

impl Scanned {
    /// After so many groups.
    fn of(statistics: insights::Statistics, groups: u64) -> Self {
        Self {
            matched: statistics.records_matched,
            records: statistics.records_scanned,
            bytes: statistics.bytes_scanned,
            groups,
        }
    }

    /// The statistics as GetQueryResults answers them.
    pub(crate) fn describe(self, rows: usize) -> api::QueryStatistics {
        api::QueryStatistics {
            records_matched: Some(self.matched as f64),
            records_scanned: Some(self.records as f64),
            bytes_scanned: Some(self.bytes as f64),
            log_groups_scanned: Some(self.groups as f64),
            estimated_bytes_skipped: Some(0.0),
            estimated_records_skipped: Some(0.0),
            result_count: Some(rows as f64),
        }
    }
}
