//! What PutMetricData takes: the limits and rules of CloudWatch.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Timestamp;

use super::aggregate::Aggregate;
use super::ingest::Sample;
use super::resolution::Resolution;
use super::unit::Unit;
use super::{DIMENSIONS_MAX, MetricId};
use crate::Error;
use crate::api::{Dimension, MetricDatum, StandardUnit};

/// The most data in one request.
pub const DATA_MAX: usize = 1000;
/// The most values of one datum.
pub const VALUES_MAX: usize = 150;
/// The longest namespace, name of a metric and of a dimension are the model's; characters are these.
const AWS_NAMESPACE: &str = "AWS/";
/// The longest name of a dimension (the model's limit).
const DIMENSION_NAME_BYTES_MAX: usize = 255;
/// The longest value of a dimension (the model's limit).
const DIMENSION_VALUE_BYTES_MAX: usize = 1024;
/// How far back a datum may lie.
const PAST_MAX: Duration = Duration::from_secs(14 * 86_400);
/// How far ahead a datum may lie.
const FUTURE_MAX: Duration = Duration::from_secs(2 * 3600);

/// The largest value either way: 2^360.
fn value_max() -> f64 {
    2f64.powi(360)
}

/// Checks a namespace that a client writes to.
///
/// # Errors
/// [`Error::InvalidValue`] for one that is AWS's, or cannot be one.
pub fn admit_namespace(namespace: &str) -> Result<(), Error> {
    let is_ascii = namespace.bytes().all(|it| it == b' ' || it.is_ascii_graphic());
    if !is_ascii || namespace.trim().is_empty() || namespace.starts_with(':') || namespace.starts_with(AWS_NAMESPACE) {
        return Err(Error::InvalidValue(format!("The value {namespace} for parameter Namespace is invalid.")));
    }
    Ok(())
}

/// Checks the data of a request, all or nothing.
///
/// # Errors
/// [`Error::InvalidValue`], [`Error::InvalidCombination`], [`Error::Missing`], which say where.
pub fn admit(namespace: &str, data: Vec<MetricDatum>, parameter: &str, now: Timestamp) -> Result<Vec<Sample>, Error> {
    let mut samples = Vec::with_capacity(data.len());
    for (number, datum) in data.into_iter().enumerate() {
        let place = Place { now, path: format!("{parameter}.member.{}", number + 1) };
        if let Some(sample) = place.admit(namespace, datum)? {
            samples.push(sample);
        }
    }
    Ok(samples)
}

/// The unit that a client names.
pub fn unit_of(unit: StandardUnit) -> Unit {
    Unit::named(unit.as_str()).unwrap_or(Unit::NONE)
}

/// Whether a metric can have this dimension.
pub fn is_dimension(name: &str, value: &str) -> bool {
    let is_text = |text: &str| text.is_ascii() && !text.trim().is_empty() && !text.chars().any(char::is_control);
    let fits = name.len() <= DIMENSION_NAME_BYTES_MAX && value.len() <= DIMENSION_VALUE_BYTES_MAX;
    fits && is_text(name) && is_text(value) && !name.starts_with(':')
}

/// Whether a metric can have this value.
pub fn is_value(value: f64) -> bool {
    value.is_finite() && value.abs() <= value_max()
}

/// The dimensions that a client names.
///
/// # Errors
/// [`Error::InvalidValue`] for two of one name, or too many.
pub fn admit_dimensions(dimensions: Option<Vec<Dimension>>, path: &str) -> Result<Vec<(String, String)>, Error> {
    let dimensions = dimensions.unwrap_or_default();
    if dimensions.len() > DIMENSIONS_MAX {
        let message = format!("The collection {path} must not have a size greater than {DIMENSIONS_MAX}.");
        return Err(Error::InvalidValue(message));
    }
    let mut admitted = BTreeMap::new();
    for Dimension { name, value } in dimensions {
        if !is_dimension(&name, &value) {
            return Err(Error::InvalidValue(format!("The value {name}={value} for parameter {path} is invalid.")));
        }
        if admitted.contains_key(&name) {
            return Err(Error::InvalidValue(format!("No two elements of {path} may have the name {name}.")));
        }
        admitted.insert(name, value);
    }
    Ok(admitted.into_iter().collect())
}

/// Where in a request something stands, and when it came in.
struct Place {
    now: Timestamp,
    path: String,
}

impl Place {
    fn admit(&self, namespace: &str, datum: MetricDatum) -> Result<Option<Sample>, Error> {
        if !datum.metric_name.is_ascii() || datum.metric_name.trim().is_empty() {
            return Err(self.invalid("MetricName", &datum.metric_name));
        }
        let Some(values) = self.values(&datum)? else { return Ok(None) };
        let at = self.instant(datum.timestamp)?;
        let dimensions = admit_dimensions(datum.dimensions, &format!("{}.Dimensions", self.path))?;
        Ok(Some(Sample {
            metric: MetricId::new(namespace, datum.metric_name, dimensions),
            at,
            resolution: self.resolution(datum.storage_resolution, at)?,
            unit: datum.unit.map_or(Unit::NONE, unit_of),
            values,
        }))
    }

    fn instant(&self, given: Option<Timestamp>) -> Result<Timestamp, Error> {
        let at = given.unwrap_or(self.now);
        let refuse =
            |what: &str| Error::InvalidValue(format!("The parameter {}.Timestamp must specify {what}", self.path));
        if at > self.now.plus(FUTURE_MAX) {
            return Err(refuse("a time no more than two hours in the future."));
        }
        if self.now.since(at) > PAST_MAX {
            return Err(refuse("a time within the past two weeks."));
        }
        Ok(at)
    }

    /// Seconds are kept for a few hours only: what is older than that goes to its minute at once.
    fn resolution(&self, given: Option<i32>, at: Timestamp) -> Result<Resolution, Error> {
        let wanted = match given {
            None | Some(60) => Resolution::Minute,
            Some(1) => Resolution::Second,
            Some(other) => {
                let message = format!(
                    "The value {other} for parameter {}.StorageResolution is invalid: it must be 1 or 60.",
                    self.path
                );
                return Err(Error::InvalidValue(message));
            }
        };
        Ok(wanted.at_age(self.now.as_secs() - at.as_secs()).unwrap_or(wanted))
    }

    fn values(&self, datum: &MetricDatum) -> Result<Option<Aggregate>, Error> {
        let is_given = [
            ("Value", datum.value.is_some()),
            ("StatisticValues", datum.statistic_values.is_some()),
            ("Values", datum.values.is_some()),
        ];
        let given: Vec<&str> = is_given.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [] => {
                let message = format!(
                    "At least one of the parameters {0}.Value, {0}.Values and {0}.StatisticValues must be specified.",
                    self.path
                );
                return Err(Error::Missing(message));
            }
            [_] => {}
            [a, b, ..] => {
                let message = format!(
                    "The parameters {0}.{a} and {0}.{b} are mutually exclusive and you have specified both.",
                    self.path
                );
                return Err(Error::InvalidCombination(message));
            }
        }
        if let Some(value) = datum.value {
            return Ok(Some(Aggregate::of(self.number("Value", value)?, 1.0)));
        }
        if let Some(set) = &datum.statistic_values {
            return self.set(set).map(Some);
        }
        self.list(datum.values.as_deref().unwrap_or_default(), datum.counts.as_deref())
    }

    fn set(&self, set: &crate::api::StatisticSet) -> Result<Aggregate, Error> {
        let count = self.number("StatisticValues.SampleCount", set.sample_count)?;
        let sum = self.number("StatisticValues.Sum", set.sum)?;
        let min = self.number("StatisticValues.Minimum", set.minimum)?;
        let max = self.number("StatisticValues.Maximum", set.maximum)?;
        if count <= 0.0 {
            return Err(self.invalid("StatisticValues.SampleCount", &count.to_string()));
        }
        if min > max {
            let message = format!(
                "The parameter {0}.StatisticValues.Maximum must be greater than or equal to {0}.StatisticValues.Minimum.",
                self.path
            );
            return Err(Error::InvalidCombination(message));
        }
        Ok(Aggregate::of_set(count, sum, min, max))
    }

    fn list(&self, values: &[f64], counts: Option<&[f64]>) -> Result<Option<Aggregate>, Error> {
        if values.len() > VALUES_MAX {
            let message =
                format!("The collection {}.Values must not have a size greater than {VALUES_MAX}.", self.path);
            return Err(Error::InvalidValue(message));
        }
        if counts.is_some_and(|counts| counts.len() != values.len()) {
            let message = format!("The parameters {0}.Values and {0}.Counts must be of the same size.", self.path);
            return Err(Error::InvalidValue(message));
        }
        let mut all: Option<Aggregate> = None;
        for (number, value) in values.iter().enumerate() {
            let value = self.number(&format!("Values.member.{}", number + 1), *value)?;
            let name = format!("Counts.member.{}", number + 1);
            let count = counts.map_or(Ok(1.0), |counts| self.number(&name, counts[number]))?;
            if count < 0.0 {
                return Err(self.invalid(&name, &count.to_string()));
            }
            // A histogram's empty bucket.
            if count > 0.0 {
                let one = Aggregate::of(value, count);
                match &mut all {
                    Some(all) => all.merge(&one),
                    None => all = Some(one),
                }
            }
        }
        Ok(all)
    }

    fn number(&self, name: &str, value: f64) -> Result<f64, Error> {
        if is_value(value) {
            return Ok(value);
        }
        let shown = if value.is_nan() { "NaN".to_owned() } else { value.to_string() };
        Err(self.invalid(name, &shown))
    }

    fn invalid(&self, name: &str, value: &str) -> Error {
        Error::InvalidValue(format!("The value {value} for parameter {}.{name} is invalid.", self.path))
    }
}
