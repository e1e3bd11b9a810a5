//! Queries of GetMetricData and of alarms on expressions: which there are, and what they come to.

pub mod label;
mod run;

pub use run::{run, window};

use std::collections::{BTreeMap, BTreeSet};

use base::AccountId;

use crate::Error;
use crate::api::{MetricDataQuery, MetricStat};
use crate::math::{self, Expression};
use crate::metric::MetricId;
use crate::metric::datum::{admit_dimensions, unit_of};
use crate::metric::resolution::is_period;
use crate::metric::statistic::Statistic;
use crate::metric::unit::Unit;

/// The most queries of one request.
pub const QUERIES_MAX: usize = 500;

/// One query.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Its id.
    pub id: String,
    /// What a person reads, as the request has it.
    pub label: Option<String>,
    /// Whether it is answered, or only used by others.
    pub returns_data: bool,
    /// The length of a period, where the query itself says it.
    pub period_s: Option<i64>,
    /// What it is of.
    pub source: Source,
}

/// What a query is of.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A metric.
    Metric(MetricQuery),
    /// Other queries.
    Expression(Expression),
}

/// A statistic of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricQuery {
    /// The metric.
    pub metric: MetricId,
    /// The length of a period.
    pub period_s: i64,
    /// The statistic.
    pub statistic: Statistic,
    /// The statistic as it was written.
    pub stat: String,
    /// In which unit alone; none for all.
    pub unit: Option<Unit>,
}

impl Query {
    /// The statistic of a metric, if it is of one.
    pub fn metric(&self) -> Option<&MetricQuery> {
        if let Source::Metric(metric) = &self.source { Some(metric) } else { None }
    }
}

/// Checks the queries of a request.
///
/// # Errors
/// [`Error::Validation`], which names the query.
pub fn admit(queries: Vec<MetricDataQuery>, account: AccountId) -> Result<Vec<Query>, Error> {
    if queries.is_empty() || queries.len() > QUERIES_MAX {
        let message = format!("The collection MetricDataQueries must have a size between 1 and {QUERIES_MAX}.");
        return Err(Error::Validation(message));
    }
    let mut ids = BTreeSet::new();
    let mut admitted = Vec::with_capacity(queries.len());
    for query in queries {
        if !ids.insert(query.id.clone()) {
            let message = "The values for parameter id in MetricDataQueries are not unique.";
            return Err(Error::Validation(message.to_owned()));
        }
        admitted.push(admit_one(query, account)?);
    }
    check_references(&admitted)?;
    Ok(admitted)
}

fn admit_one(query: MetricDataQuery, account: AccountId) -> Result<Query, Error> {
    let MetricDataQuery { account_id, expression, id, label, metric_stat, period, return_data } = query;
    let is_word = |it: char| it.is_ascii_alphanumeric() || it == '_';
    if !id.starts_with(|it: char| it.is_ascii_lowercase()) || !id.chars().all(is_word) {
        return Err(Error::Validation(format!(
            "The value {id} for parameter id is invalid: it must begin with a lowercase letter and have letters, numbers and \
             underscores only."
        )));
    }
    if account_id.is_some_and(|other| other != account.as_str()) {
        return Err(Error::not_served(format!("Reading another account's metrics (query '{id}')")));
    }
    let period_s = period.map(|period| admit_period(period, &id)).transpose()?;
    let source = match (metric_stat, expression) {
        (Some(stat), None) => Source::Metric(admit_stat(stat, &id)?),
        (None, Some(text)) => {
            Source::Expression(math::parse(&text).map_err(|error| Error::in_expression(&id, &error))?)
        }
        (Some(_), Some(_)) => {
            let message = format!("Only one of MetricStat and Expression may be specified for query '{id}'.");
            return Err(Error::Validation(message));
        }
        (None, None) => {
            let message = format!("Either MetricStat or Expression must be specified for query '{id}'.");
            return Err(Error::Validation(message));
        }
    };
    Ok(Query { id, label, returns_data: return_data.unwrap_or(true), period_s, source })
}

/// Checks a period.
pub(crate) fn admit_period(period: i32, id: &str) -> Result<i64, Error> {
    let period = i64::from(period);
    if is_period(period) {
        return Ok(period);
    }
    Err(Error::Validation(format!(
        "The parameter Period of '{id}' must be 1, 5, 10, 20, 30 or a multiple of 60; it is {period}."
    )))
}

fn admit_stat(stat: MetricStat, id: &str) -> Result<MetricQuery, Error> {
    let missing = |what: &str| Error::Validation(format!("The metric of query '{id}' has no {what}."));
    let namespace = stat.metric.namespace.ok_or_else(|| missing("Namespace"))?;
    let name = stat.metric.metric_name.ok_or_else(|| missing("MetricName"))?;
    let dimensions = admit_dimensions(stat.metric.dimensions, "MetricStat.Metric.Dimensions")?;
    let Some(statistic) = Statistic::parse(&stat.stat) else {
        return Err(Error::Validation(format!(
            "The value {} for parameter Stat of query '{id}' is invalid.",
            stat.stat
        )));
    };
    Ok(MetricQuery {
        metric: MetricId::new(namespace, name, dimensions),
        period_s: admit_period(stat.period, id)?,
        statistic,
        stat: stat.stat,
        unit: stat.unit.map(unit_of),
    })
}

/// Every id that is referred to is there, and no expression needs itself.
fn check_references(queries: &[Query]) -> Result<(), Error> {
    let by_id: BTreeMap<&str, &Query> = queries.iter().map(|query| (query.id.as_str(), query)).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for query in queries {
        let mut open: Vec<(&str, bool)> = vec![(&query.id, false)];
        let mut path: BTreeSet<&str> = BTreeSet::new();
        while let Some((id, is_left)) = open.pop() {
            if is_left {
                path.remove(id);
                done.insert(id);
                continue;
            }
            if done.contains(id) {
                continue;
            }
            if !path.insert(id) {
                return Err(Error::Validation(format!("Circular dependency of query '{id}'.")));
            }
            open.push((id, true));
            let Some(Query { source: Source::Expression(expression), .. }) = by_id.get(id) else { continue };
            for other in expression.ids() {
                if !by_id.contains_key(other) {
                    let error = math::MathError::Unknown(other.to_owned());
                    return Err(Error::in_expression(id, &error));
                }
                open.push((other, false));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expression(id: &str, text: &str) -> MetricDataQuery {
        MetricDataQuery { id: id.to_owned(), expression: Some(text.to_owned()), ..MetricDataQuery::default() }
    }

    fn refusal(queries: Vec<MetricDataQuery>) -> String {
        admit(queries, AccountId::DEFAULT).unwrap_err().to_string()
    }

    #[test]
    fn queries_that_need_each_other_are_refused() {
        assert_eq!(
            refusal(vec![expression("a", "b + 1"), expression("b", "c"), expression("c", "a")]),
            "Circular dependency of query 'a'."
        );
        assert_eq!(refusal(vec![expression("a", "a")]), "Circular dependency of query 'a'.");
        let diamond = vec![
            expression("a", "b + c"),
            expression("b", "d"),
            expression("c", "d + d"),
            expression("d", "TIME_SERIES(1)"),
        ];
        assert_eq!(admit(diamond, AccountId::DEFAULT).unwrap().len(), 4);
    }

    #[test]
    fn a_query_that_cannot_be_answered_is_refused_by_name() {
        for (queries, expected) in [
            (vec![], "The collection MetricDataQueries must have a size between 1 and 500."),
            (
                vec![expression("a", "TIME_SERIES(1)"), expression("a", "TIME_SERIES(1)")],
                "The values for parameter id in MetricDataQueries are not unique.",
            ),
            (vec![expression("a", "b")], "Error in expression 'a': Unresolved identifier: b"),
            (
                vec![expression("a", "SEARCH('x')")],
                "Error in expression 'a': The function SEARCH is not served by Pilvi.",
            ),
            (
                vec![MetricDataQuery { id: "a".to_owned(), ..MetricDataQuery::default() }],
                "Either MetricStat or Expression must be specified for query 'a'.",
            ),
            (
                vec![MetricDataQuery { period: Some(45), ..expression("a", "TIME_SERIES(1)") }],
                "The parameter Period of 'a' must be 1, 5, 10, 20, 30 or a multiple of 60; it is 45.",
            ),
        ] {
            assert_eq!(refusal(queries), expected);
        }
        assert!(refusal(vec![expression("A", "1")]).starts_with("The value A for parameter id is invalid"));
    }
}
