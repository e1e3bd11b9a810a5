//! Query definitions: queries that are kept to be started again.

use base::Timestamp;
use serde::{Deserialize, Serialize};
use store::Record;

use crate::api;

/// CloudWatch Logs' quota of query definitions in an account and region.
pub const DEFINITIONS_MAX: usize = 1000;

/// A query definition. Its record's id is its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueryDefinition {
    /// Its name; `/` makes folders of it.
    pub name: String,
    /// The query.
    pub text: String,
    /// The groups to ask.
    pub groups: Vec<String>,
    /// What the query leaves open.
    #[serde(with = "wire::stored")]
    pub parameters: Vec<api::QueryParameter>,
    /// When it was written.
    pub modified: Timestamp,
}

impl Record for QueryDefinition {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "query-definition";
}

impl QueryDefinition {
    /// Whether both say the same, whenever they were written.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        *self == Self { modified: self.modified, ..other.clone() }
    }

    /// The definition as DescribeQueryDefinitions answers it.
    pub(crate) fn describe(self, id: String) -> api::QueryDefinition {
        api::QueryDefinition {
            query_definition_id: Some(id),
            name: Some(self.name),
            query_string: Some(self.text),
            query_language: Some(api::QueryLanguage::Cwli),
            log_group_names: (!self.groups.is_empty()).then_some(self.groups),
            parameters: (!self.parameters.is_empty()).then_some(self.parameters),
            last_modified: Some(self.modified.as_millis()),
        }
    }
}
