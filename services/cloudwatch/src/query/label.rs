//! Labels: those that queries have by default, and what `${…}` in a label stands for.

use std::collections::BTreeSet;

use base::Timestamp;

use super::{MetricQuery, Query, Source};
use crate::alarm::reason::number;
use crate::math::Series;

/// The labels of metrics: what the request says, or the metric's name, with what tells it from the others that are called
/// the same.
pub fn defaults(queries: &[Query]) -> Vec<String> {
    queries
        .iter()
        .map(|query| match (&query.label, &query.source) {
            (Some(label), _) => label.clone(),
            (None, Source::Metric(metric)) => default(metric, queries),
            (None, Source::Expression(_)) => query.id.clone(),
        })
        .collect()
}

fn default(metric: &MetricQuery, queries: &[Query]) -> String {
    let alike: Vec<&MetricQuery> = queries
        .iter()
        .filter(|query| query.label.is_none())
        .filter_map(Query::metric)
        .filter(|other| other.metric.name() == metric.metric.name())
        .collect();
    let parts: [fn(&MetricQuery) -> String; 4] = [
        |it| it.metric.namespace().to_owned(),
        |it| it.metric.dimensions().iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" "),
        |it| it.stat.clone(),
        |it| it.period_s.to_string(),
    ];
    let mut label = metric.metric.name().to_owned();
    for part in parts {
        let different: BTreeSet<String> = alike.iter().map(|it| part(it)).collect();
        let own = part(metric);
        if different.len() > 1 && !own.is_empty() {
            label = format!("{label} {own}");
        }
    }
    label
}

/// How many dynamic values a label has (CloudWatch's quota): some look at all data points, and all can be long.
const DYNAMIC_VALUES_MAX: usize = 6;

/// What a label's properties are of.
#[derive(Debug, Clone, Copy)]
pub struct Properties<'a> {
    /// The query.
    pub query: &'a Query,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
}

/// A label with the first six `${…}` that CloudWatch knows replaced; others stay as they are.
pub fn expand(label: &str, series: &Series, properties: &Properties<'_>) -> String {
    let mut out = String::with_capacity(label.len());
    let mut rest = label;
    let mut left = DYNAMIC_VALUES_MAX;
    while let Some(start) = rest.find("${").filter(|_| left > 0) {
        let Some(length) = rest[start..].find('}') else { break };
        let (before, inner) = (&rest[..start], &rest[start + 2..start + length]);
        out.push_str(before);
        match value(inner.trim(), series, properties) {
            Some(value) => {
                out.push_str(&value);
                left -= 1;
            }
            None => out.push_str(&rest[start..=start + length]),
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

fn value(inner: &str, series: &Series, properties: &Properties<'_>) -> Option<String> {
    if let Some(name) = inner.strip_prefix("PROP(").and_then(|it| it.strip_suffix(')')) {
        return property(name.trim_matches(|it| matches!(it, '\'' | '"')), properties);
    }
    let (name, is_time) = match inner.strip_suffix("_TIME") {
        Some(name) => (name, true),
        None => (inner, false),
    };
    let by_value = |a: &(&i64, &f64), b: &(&i64, &f64)| a.1.total_cmp(b.1);
    let point = match name {
        "FIRST" => series.values.iter().next(),
        "LAST" => series.values.iter().next_back(),
        "MIN" => series.values.iter().min_by(by_value),
        "MAX" => series.values.iter().max_by(by_value),
        _ => None,
    };
    if matches!(name, "FIRST" | "LAST" | "MIN" | "MAX") {
        let Some((at, value)) = point else { return Some("--".to_owned()) };
        return Some(if is_time { Timestamp::from_secs(*at).iso8601() } else { number(*value) });
    }
    let (count, sum) = (series.values.len(), || series.values.values().sum::<f64>());
    match inner {
        "LABEL" => Some(properties.query.metric().map_or(&series.id[..], |it| it.metric.name()).to_owned()),
        "DATAPOINT_COUNT" => Some(count.to_string()),
        "SUM" => Some(number(sum())),
        "AVG" if count == 0 => Some("--".to_owned()),
        "AVG" => Some(number(sum() / count as f64)),
        _ => None,
    }
}

fn property(name: &str, properties: &Properties<'_>) -> Option<String> {
    let metric = properties.query.metric();
    match name {
        "AccountId" => Some(properties.account.to_owned()),
        "Region" => Some(properties.region.to_owned()),
        "MetricName" => metric.map(|it| it.metric.name().to_owned()),
        "Namespace" => metric.map(|it| it.metric.namespace().to_owned()),
        "Period" => metric.map(|it| it.period_s.to_string()),
        "Stat" => metric.map(|it| it.stat.clone()),
        _ => {
            let wanted = name.strip_prefix("Dim.")?;
            let mut dimensions = metric?.metric.dimensions().iter();
            dimensions.find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::MetricId;
    use crate::metric::statistic::Statistic;

    fn query(name: &str, dimension: &str, stat: &str) -> Query {
        let metric = MetricId::new("ns", name, vec![("Host".to_owned(), dimension.to_owned())]);
        let statistic = Statistic::parse(stat).unwrap();
        let source = MetricQuery { metric, period_s: 60, statistic, stat: stat.to_owned(), unit: None };
        Query { id: "m1".to_owned(), label: None, returns_data: true, period_s: None, source: Source::Metric(source) }
    }

    #[test]
    fn a_label_has_what_tells_metrics_apart() {
        assert_eq!(defaults(&[query("cpu", "a", "Sum"), query("ram", "a", "Sum")]), ["cpu", "ram"]);
        assert_eq!(defaults(&[query("cpu", "a", "Sum"), query("cpu", "b", "Sum")]), ["cpu a", "cpu b"]);
        assert_eq!(defaults(&[query("cpu", "a", "Sum"), query("cpu", "a", "p99")]), ["cpu Sum", "cpu p99"]);
    }

    #[test]
    fn what_a_label_refers_to_is_filled_in() {
        let query = query("cpu", "web", "Sum");
        let values = [(0, 3.0), (60, 9.0), (120, 6.0)].into();
        let series = Series { id: "m1".to_owned(), label: String::new(), period_s: 60, is_metric: true, values };
        let properties = Properties { query: &query, account: "123456789012", region: "eu-north-1" };
        let expanded = |label: &str| expand(label, &series, &properties);
        assert_eq!(expanded("[max ${MAX} at ${MAX_TIME}, avg ${AVG}]"), "[max 9.0 at 1970-01-01T00:01:00Z, avg 6.0]");
        assert_eq!(expanded("${PROP('Dim.Host')} ${PROP('MetricName')} ${PROP('Region')}"), "web cpu eu-north-1");
        assert_eq!(expanded("${NOTHING} ${ open"), "${NOTHING} ${ open");
        assert_eq!(expanded(&"${LABEL}".repeat(8)), "cpucpucpucpucpucpu${LABEL}${LABEL}");
    }
}
