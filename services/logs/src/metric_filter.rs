//! Metric filters: what is kept of one, and what they find in events on their way in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use base::Timestamp;
use platform::ports::{MetricSample, MetricSink};
use segments::NewEvent;
use serde::{Deserialize, Serialize};
use store::{Record, Versioned};

use crate::children::{self, Child, Window};
use crate::group::LogGroup;
use crate::names::GroupName;
use crate::pattern::{Message, MetricValue, Pattern, PatternError, Reference};
use crate::{Error, Logs, api};

/// CloudWatch Logs' quota of metric filters in a group.
pub const FILTERS_MAX: usize = 100;
/// CloudWatch Logs' quota of filters with regular expressions in a group.
pub const REGEX_FILTERS_MAX: usize = 5;
/// CloudWatch Logs' quota of dimensions of a metric filter.
pub const DIMENSIONS_MAX: usize = 3;
/// How many bytes of messages are looked at on the spot, counted once for each filter; more, and any that are compared with
/// a regular expression, can take so long that other requests would wait.
const QUICK_BYTES_MAX: usize = 512 * 1024;
/// How many groups' compiled filters are kept in memory.
const COMPILED_GROUPS_MAX: usize = 4096;
const MINUTE_MS: i64 = 60_000;

/// A metric filter. Its record's id is its group's id and its name, cut at `/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricFilter {
    /// Its name.
    pub name: String,
    /// The name of its group.
    pub group: String,
    /// Which events it takes.
    pub pattern: String,
    /// What it makes of them.
    #[serde(with = "wire::stored")]
    pub transformation: api::MetricTransformation,
    /// When it was created.
    pub created: Timestamp,
}

impl Record for MetricFilter {
    const SERVICE: &'static str = "logs";
    const KIND: &'static str = "metric-filter";
}

impl Child for MetricFilter {
    fn name(&self) -> &str {
        &self.name
    }
}

impl MetricFilter {
    /// The filter as DescribeMetricFilters answers it.
    pub(crate) fn describe(self) -> api::MetricFilter {
        api::MetricFilter {
            filter_name: Some(self.name),
            log_group_name: Some(self.group),
            filter_pattern: Some(self.pattern),
            creation_time: Some(self.created.as_millis()),
            metric_transformations: Some(vec![self.transformation]),
            ..api::MetricFilter::default()
        }
    }
}

/// A metric filter, ready.
#[derive(Debug)]
pub(crate) struct Compiled {
    pattern: Pattern,
    namespace: String,
    metric: String,
    value: MetricValue,
    default_value: Option<f64>,
    dimensions: Vec<(String, Reference)>,
    unit: &'static str,
}

impl Compiled {
    /// Reads pattern and transformation.
    ///
    /// # Errors
    /// [`Error::Pattern`], [`Error::Transformation`]
    pub(crate) fn new(pattern: &str, transformation: &api::MetricTransformation) -> Result<Self, Error> {
        let pattern = Pattern::parse(pattern)?;
        let dimensions = transformation.dimensions.iter().flatten();
        let dimensions = dimensions
            .map(|(name, value)| Ok((name.clone(), Reference::parse(value)?)))
            .collect::<Result<Vec<_>, PatternError>>()?;
        check_dimensions(&pattern, &dimensions, transformation)?;
        Ok(Self {
            value: MetricValue::parse(&transformation.metric_value).map_err(|_| Error::Transformation(METRIC_VALUE))?,
            pattern,
            namespace: transformation.metric_namespace.clone(),
            metric: transformation.metric_name.clone(),
            default_value: transformation.default_value,
            dimensions,
            unit: transformation.unit.unwrap_or(api::StandardUnit::None).as_str(),
        })
    }

    /// Whether its pattern has regular expressions.
    pub(crate) fn has_regex(&self) -> bool {
        self.pattern.regexes() > 0
    }

    /// What it finds in one message that it takes. An event that lacks the value or a dimension gives nothing.
    fn sample(&self, timestamp: Timestamp, message: &Message<'_>) -> Option<MetricSample> {
        let value = self.value.of(&self.pattern, message)?;
        let of = |(name, at): &(String, Reference)| Some((name.clone(), self.pattern.value(message, at)?));
        let dimensions = self.dimensions.iter().map(of).collect::<Option<Vec<_>>>()?;
        Some(MetricSample { name: self.metric.clone(), dimensions, timestamp, value, unit: self.unit.to_owned() })
    }

    /// The default value, for a minute in which events came and none was taken.
    fn default_sample(&self, minute: i64) -> Option<MetricSample> {
        Some(MetricSample {
            name: self.metric.clone(),
            dimensions: Vec::new(),
            timestamp: Timestamp::from_millis(minute * MINUTE_MS),
            value: self.default_value?,
            unit: self.unit.to_owned(),
        })
    }
}

const METRIC_VALUE: &str =
    "Invalid metricValue: a number, or a value of the event such as $.latency or $bytes, is expected.";

fn check_dimensions(
    pattern: &Pattern,
    dimensions: &[(String, Reference)],
    transformation: &api::MetricTransformation,
) -> Result<(), Error> {
    const AND_DEFAULT: &str =
        "Invalid metric transformation: dimensions and default value are mutually exclusive properties.";
    const OF_TERMS: &str =
        "Invalid metric transformation: dimensions can only be used with JSON or space-delimited filter patterns.";
    const UNKNOWN: &str =
        "Invalid metric transformation: the value of each dimension must be a field that the filter pattern names.";
    const TOO_MANY: &str = "Invalid metric transformation: a metric filter can have 3 dimensions at most.";
    if dimensions.is_empty() {
        return Ok(());
    }
    let problem = [
        (transformation.default_value.is_some(), AND_DEFAULT),
        (dimensions.len() > DIMENSIONS_MAX, TOO_MANY),
        (!pattern.supports_dimensions(), OF_TERMS),
        (!dimensions.iter().all(|(_, value)| pattern.names(value)), UNKNOWN),
    ];
    problem.iter().find(|(is_so, _)| *is_so).map_or(Ok(()), |(_, text)| Err(Error::Transformation(text)))
}

/// Samples by namespace.
pub(crate) type Samples = BTreeMap<String, Vec<MetricSample>>;

/// What the filters of a group find in a batch.
pub(crate) fn find(filters: &[Compiled], events: &[NewEvent]) -> Samples {
    let mut samples = Samples::new();
    let mut matched: Vec<BTreeSet<i64>> = vec![BTreeSet::new(); filters.len()];
    let minute_of = |event: &NewEvent| event.timestamp.as_millis().div_euclid(MINUTE_MS);
    for event in events {
        let message = Message::new(&event.message);
        for (filter, matched) in filters.iter().zip(&mut matched) {
            if !filter.pattern.matches_message(&message) {
                continue;
            }
            matched.insert(minute_of(event));
            if let Some(sample) = filter.sample(event.timestamp, &message) {
                samples.entry(filter.namespace.clone()).or_default().push(sample);
            }
        }
    }
    let minutes: BTreeSet<i64> = events.iter().map(minute_of).collect();
    for (filter, matched) in filters.iter().zip(&matched) {
        let defaults = minutes.difference(matched).filter_map(|minute| filter.default_sample(*minute));
        let defaults: Vec<_> = defaults.collect();
        if !defaults.is_empty() {
            samples.entry(filter.namespace.clone()).or_default().extend(defaults);
        }
    }
    samples
}

/// The compiled filters of groups that events came into.
#[derive(Debug, Default)]
pub(crate) struct Filters(Mutex<BTreeMap<String, Arc<GroupFilters>>>);

#[derive(Debug)]
struct GroupFilters {
    /// [`LogGroup::metric_filters_changed`] when they were read.
    changed: u64,
    compiled: Vec<Compiled>,
}

impl GroupFilters {
    /// Whether a batch is looked at in no time.
    fn is_quick(&self, events: &[NewEvent]) -> bool {
        let bytes: usize = events.iter().map(|event| event.message.len()).sum();
        bytes * self.compiled.len() <= QUICK_BYTES_MAX && !self.compiled.iter().any(Compiled::has_regex)
    }
}

impl Filters {
    /// What a group's filters find in a batch, and the batch.
    pub(crate) async fn samples(
        &self,
        logs: &Logs,
        name: &GroupName,
        group: &Versioned<LogGroup>,
        events: Vec<NewEvent>,
    ) -> Result<(Samples, Vec<NewEvent>), Error> {
        if group.metric_filters == 0 {
            return Ok((Samples::new(), events));
        }
        let filters = match self.known(group) {
            Some(known) => known,
            None => self.read(logs, name, group).await?,
        };
        if filters.is_quick(&events) {
            return Ok((find(&filters.compiled, &events), events));
        }
        let found = tokio::task::spawn_blocking(move || (find(&filters.compiled, &events), events)).await;
        // A panic in there has been printed; nothing else keeps the work from ending.
        found.map_err(|_| Error::Unavailable)
    }

    /// Hands samples on. That they cannot be taken keeps no event from being stored: it is told in the log.
    pub(crate) async fn send(&self, sink: &dyn MetricSink, name: &GroupName, samples: Samples) {
        for (namespace, samples) in samples {
            if let Err(error) = sink.put(name.account, &name.region, &namespace, samples).await {
                tracing::error!(group = %name.arn(), namespace, %error, "metric filters' samples are lost");
            }
        }
    }

    fn known(&self, group: &Versioned<LogGroup>) -> Option<Arc<GroupFilters>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&group.storage_id).filter(|it| it.changed == group.metric_filters_changed).cloned()
    }

    async fn read(
        &self,
        logs: &Logs,
        name: &GroupName,
        group: &Versioned<LogGroup>,
    ) -> Result<Arc<GroupFilters>, Error> {
        let window = Window { limit: FILTERS_MAX, ..Window::default() };
        let store = &logs.platform.store;
        let filters = children::list::<MetricFilter>(store, &name.scope(), &group.storage_id, window).await?.items;
        let compiled = filters.iter().filter_map(|filter| {
            let compiled = Compiled::new(&filter.pattern, &filter.transformation);
            compiled
                .inspect_err(|error| tracing::error!(filter = filter.name, %error, "a stored metric filter is void"))
                .ok()
        });
        let read = Arc::new(GroupFilters { changed: group.metric_filters_changed, compiled: compiled.collect() });
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= COMPILED_GROUPS_MAX {
            known.clear();
        }
        known.insert(group.storage_id.clone(), read.clone());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transformation(value: &str) -> api::MetricTransformation {
        api::MetricTransformation {
            metric_name: "M".to_owned(),
            metric_namespace: "N".to_owned(),
            metric_value: value.to_owned(),
            ..api::MetricTransformation::default()
        }
    }

    fn events(messages: &[(i64, &str)]) -> Vec<NewEvent> {
        let event = |(at, message): &(i64, &str)| NewEvent {
            timestamp: Timestamp::from_secs(*at),
            message: (*message).to_owned(),
        };
        messages.iter().map(event).collect()
    }

    fn values(samples: &Samples) -> Vec<(i64, f64)> {
        samples.get("N").into_iter().flatten().map(|it| (it.timestamp.as_secs(), it.value)).collect()
    }

    #[test]
    fn each_match_gives_its_value_at_its_own_time() {
        let count = Compiled::new("ERROR", &transformation("1")).unwrap();
        let found = find(&[count], &events(&[(1, "an ERROR"), (2, "fine"), (3, "ERROR again")]));
        assert_eq!(values(&found), [(1, 1.0), (3, 1.0)]);
        assert_eq!(found["N"][0].unit, "None");
    }

    #[test]
    fn a_value_and_dimensions_come_from_the_event() {
        let mut wanted = transformation("$.ms");
        wanted.unit = Some(api::StandardUnit::Milliseconds);
        wanted.dimensions = Some([("Path".to_owned(), "$.path".to_owned())].into());
        let filter = Compiled::new("{ $.ms > 0 && $.path = * }", &wanted).unwrap();
        let found = find(
            &[filter],
            &events(&[(1, r#"{"ms": 5, "path": "/a"}"#), (2, r#"{"ms": 6}"#), (3, r#"{"ms": 0, "path": "/b"}"#)]),
        );
        assert_eq!(values(&found), [(1, 5.0)]);
        let sample = &found["N"][0];
        assert_eq!((sample.unit.as_str(), &sample.dimensions[0].1), ("Milliseconds", &"/a".to_owned()));
    }

    #[test]
    fn what_can_take_long_does_not_hold_up_other_requests() {
        let filters = |patterns: &[&str]| GroupFilters {
            changed: 0,
            compiled: patterns.iter().map(|it| Compiled::new(it, &transformation("1")).unwrap()).collect(),
        };
        let long = "x".repeat(QUICK_BYTES_MAX / 2);
        assert!(filters(&["ERROR", "WARN"]).is_quick(&events(&[(1, &long)])));
        assert!(!filters(&["ERROR", "WARN", "INFO"]).is_quick(&events(&[(1, &long)])));
        assert!(!filters(&["ERROR", "%[a-z]{9}%"]).is_quick(&events(&[(1, "x")])));
    }

    #[test]
    fn a_minute_with_events_and_no_match_has_the_default_value() {
        let mut wanted = transformation("1");
        wanted.default_value = Some(0.0);
        let filter = Compiled::new("ERROR", &wanted).unwrap();
        let found = find(&[filter], &events(&[(1, "fine"), (61, "fine"), (62, "ERROR"), (121, "fine"), (122, "fine")]));
        assert_eq!(values(&found), [(62, 1.0), (0, 0.0), (120, 0.0)]);
    }

    #[test]
    fn transformations_that_make_no_sense_are_refused() {
        let mut both = transformation("1");
        both.dimensions = Some([("a".to_owned(), "$.a".to_owned())].into());
        let terms = Compiled::new("ERROR", &both).unwrap_err().to_string();
        assert!(terms.contains("JSON or space-delimited"), "{terms}");
        both.default_value = Some(0.0);
        let text = Compiled::new("{ $.a = * }", &both).unwrap_err().to_string();
        assert!(text.contains("mutually exclusive"), "{text}");
        assert!(matches!(Compiled::new("x", &transformation("one")), Err(Error::Transformation(_))));
        assert!(matches!(Compiled::new("{ $.a", &transformation("1")), Err(Error::Pattern(_))));
    }
}
