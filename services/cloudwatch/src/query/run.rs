//! Computes queries.

use std::cell::Cell;
use std::collections::BTreeMap;

use base::Timestamp;
use store::{Scope, Store};

use super::{MetricQuery, Query, Source, label};
use crate::Error;
use crate::math::{self, Expression, LABEL_BYTES_PER_POINT, Series};
use crate::metric::read::{self, Window};
use crate::metric::resolution::start_granularity;

/// The period of an expression that refers to no metric and says none.
const PERIOD_DEFAULT_S: i64 = 60;
/// The most data points that the metrics of one request have, all together: ten times what one answer has.
const POINTS_MAX: usize = 1_000_000;
/// The most data points that the expressions of one request compute.
const COMPUTED_MAX: usize = 2_000_000;
/// The most periods that one query covers; as many as fifteen days have minutes, ten times over.
const PERIODS_MAX: i64 = 216_000;

/// From when on a request that begins at `start` is answered in periods of this length.
pub fn window(start: Timestamp, end: Timestamp, period_s: i64, now: Timestamp) -> Window {
    let granularity = start_granularity(period_s, now.since(start).as_secs().cast_signed());
    let start_s = start.as_secs() - start.as_secs().rem_euclid(granularity);
    // A fraction of a second still reaches into it.
    let end_s = end.as_secs() + i64::from(end.as_millis().rem_euclid(1000) > 0);
    Window { start_s, end_s, period_s }
}

/// Computes every query: what each comes to, by its id. Metrics come to one series, expressions to one or many.
///
/// # Errors
/// [`Error::Validation`] for an expression that cannot be computed, and the store's errors.
pub async fn run(
    store: &Store,
    scope: &Scope,
    queries: &[Query],
    (start, end): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<BTreeMap<String, Vec<Series>>, Error> {
    check_periods(queries, (start, end), now)?;
    let labels = label::defaults(queries);
    let mut results = BTreeMap::new();
    let mut metrics = Vec::new();
    let mut points = 0;
    for (query, label) in queries.iter().zip(labels) {
        if let Source::Metric(metric) = &query.source {
            let window = window(start, end, metric.period_s, now);
            let series = metric_series(store, scope, query, metric, (window, label), now).await?;
            points += series.values.len();
            if points > POINTS_MAX {
                return Err(too_many());
            }
            results.insert(query.id.clone(), vec![series]);
            metrics.push(query.id.clone());
        }
    }
    let by_id: BTreeMap<&str, &Query> = queries.iter().map(|query| (query.id.as_str(), query)).collect();
    let mut budget = COMPUTED_MAX;
    for query in queries {
        // The expressions that it needs come first; that none needs itself has been checked.
        let mut open = vec![query.id.as_str()];
        while let Some(id) = open.last().copied() {
            let Some(Query { source: Source::Expression(expression), .. }) = by_id.get(id) else {
                open.pop();
                continue;
            };
            let needed: Vec<&str> = expression.ids().into_iter().filter(|it| !results.contains_key(*it)).collect();
            if !results.contains_key(id) && needed.is_empty() {
                let period_s = expression_period(by_id[id], expression, &results, &metrics);
                let window = window(start, end, period_s, now);
                let found = expression_series(by_id[id], expression, (&results, &metrics), (window, &mut budget))?;
                results.insert(id.to_owned(), found);
            }
            if needed.is_empty() {
                open.pop();
            }
            open.extend(needed);
        }
    }
    Ok(results)
}

fn check_periods(queries: &[Query], (start, end): (Timestamp, Timestamp), now: Timestamp) -> Result<(), Error> {
    let periods = |metric: &MetricQuery| window(start, end, metric.period_s, now).periods();
    let is_too_long = queries.iter().filter_map(Query::metric).any(|metric| periods(metric) > PERIODS_MAX);
    if is_too_long { Err(too_many()) } else { Ok(()) }
}

fn too_many() -> Error {
    let message = "You have requested too many datapoints. You may reduce the datapoints requested by increasing Period, or \
                   decreasing the time range.";
    Error::Validation(message.to_owned())
}

async fn metric_series(
    store: &Store,
    scope: &Scope,
    query: &Query,
    metric: &MetricQuery,
    (window, label): (Window, String),
    now: Timestamp,
) -> Result<Series, Error> {
    let periods = read::periods(store, scope, &metric.metric.series(), window, now).await?;
    let values = read::in_unit(periods, metric.unit);
    let values = values.iter().filter_map(|(at, all)| Some((*at, metric.statistic.of(all)?))).collect();
    Ok(Series { id: query.id.clone(), label, period_s: metric.period_s, is_metric: true, values })
}

/// What the query says, or the longest of what it refers to.
fn expression_period(
    query: &Query,
    expression: &Expression,
    results: &BTreeMap<String, Vec<Series>>,
    metrics: &[String],
) -> i64 {
    let longest =
        |ids: Vec<&str>| ids.into_iter().filter_map(|id| results.get(id)).flatten().map(|it| it.period_s).max();
    query
        .period_s
        .or_else(|| longest(expression.ids()))
        .or_else(|| longest(metrics.iter().map(String::as_str).collect()))
        .unwrap_or(PERIOD_DEFAULT_S)
}

fn expression_series(
    query: &Query,
    expression: &Expression,
    (results, metrics): (&BTreeMap<String, Vec<Series>>, &[String]),
    (window, budget): (Window, &mut usize),
) -> Result<Vec<Series>, Error> {
    let Window { start_s, end_s, period_s } = window;
    if window.periods() > PERIODS_MAX {
        return Err(too_many());
    }
    let left = Cell::new(*budget);
    let scope = math::Scope { id: &query.id, results, metrics, start_s, end_s, period_s, budget: left };
    let found = math::evaluate(expression, &scope).map_err(|error| Error::in_expression(&query.id, &error))?;
    *budget = scope.budget.get();
    let is_one = found.len() == 1;
    let own = query.label.clone();
    // A label that an expression puts before those of an array grows from expression to expression.
    let labels = own.as_ref().map_or(0, |own| own.len().saturating_mul(found.len()));
    *budget = budget.checked_sub(labels / LABEL_BYTES_PER_POINT).ok_or_else(too_many)?;
    Ok(found
        .into_iter()
        .map(|series| {
            let label = match &own {
                // Of several, each is told apart by the label of what it comes from.
                Some(label) if !is_one && !label.is_empty() => format!("{label} {}", series.label),
                Some(label) if is_one => label.clone(),
                _ if is_one => query.id.clone(),
                _ => series.label.clone(),
            };
            Series { id: query.id.clone(), label, is_metric: false, ..series }
        })
        .collect())
}
