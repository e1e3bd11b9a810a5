//! What `stats` keeps of the rows it has seen.

use super::ast::Aggregate;
use super::order::Sortable;
use super::scope::Scope;
use super::sketch::{Distinct, Percentiles};
use super::value::{Number, Value};

/// The state of one aggregate of one group.
#[derive(Debug)]
pub(super) enum Accumulator {
    Count(i64),
    Distinct(Distinct),
    Sum(Sum),
    Avg(Sum, i64),
    /// The least or greatest so far, by value.
    Extreme(Option<Value<'static>>),
    Percentiles(Percentiles),
    /// Welford's algorithm: the count, the mean, the sum of squared differences from it.
    Deviation(f64, f64, f64),
    /// The first or last so far, by what `earliest`, `sortsFirst` and the like go by.
    Chosen(Option<(Sortable, Value<'static>)>),
}

/// A sum that is exact while all of it is whole.
#[derive(Debug, Default)]
pub(super) struct Sum {
    whole: i128,
    double: f64,
    any_double: bool,
}

impl Sum {
    fn add(&mut self, number: Number) {
        match number {
            // 2^64 values of 2^63 fit.
            Number::Whole(n) => self.whole += i128::from(n),
            Number::Double(x) => {
                self.double += x;
                self.any_double = true;
            }
        }
    }

    fn double(&self) -> f64 {
        self.whole as f64 + self.double
    }

    fn value(&self) -> Value<'static> {
        match i64::try_from(self.whole) {
            Ok(whole) if !self.any_double => Value::Whole(whole),
            _ => Value::double(self.double()),
        }
    }
}

impl Accumulator {
    pub(super) fn new(aggregate: &Aggregate) -> Accumulator {
        match aggregate {
            Aggregate::Count(_) => Accumulator::Count(0),
            Aggregate::CountDistinct(_) => Accumulator::Distinct(Distinct::default()),
            Aggregate::Sum(_) => Accumulator::Sum(Sum::default()),
            Aggregate::Avg(_) => Accumulator::Avg(Sum::default(), 0),
            Aggregate::Min(_) | Aggregate::Max(_) => Accumulator::Extreme(None),
            Aggregate::Percentile(..) => Accumulator::Percentiles(Percentiles::default()),
            Aggregate::StdDev(_) => Accumulator::Deviation(0.0, 0.0, 0.0),
            Aggregate::Earliest(_) | Aggregate::Latest(_) | Aggregate::SortsFirst(_) | Aggregate::SortsLast(_) => {
                Accumulator::Chosen(None)
            }
        }
    }

    /// Takes a row, and tells how many bytes of memory that took. What has no value there leaves no trace.
    pub(super) fn add(&mut self, aggregate: &Aggregate, scope: &Scope<'_>) -> usize {
        let Some(expression) = aggregate.of() else {
            if let Accumulator::Count(count) = self {
                *count += 1;
            }
            return 0;
        };
        let value = expression.value(scope, &[]);
        if value.is_missing() {
            return 0;
        }
        match self {
            Accumulator::Count(count) => *count += 1,
            Accumulator::Distinct(distinct) => return value.shown().map_or(0, |text| distinct.add(&text)),
            Accumulator::Extreme(extreme) => return extremed(extreme, value, matches!(aggregate, Aggregate::Max(_))),
            Accumulator::Chosen(chosen) => return choose(chosen, aggregate, value, scope),
            Accumulator::Sum(_) | Accumulator::Avg(..) | Accumulator::Percentiles(_) | Accumulator::Deviation(..) => {
                return value.number().map_or(0, |number| self.add_number(number));
            }
        }
        0
    }

    fn add_number(&mut self, number: Number) -> usize {
        match self {
            Accumulator::Sum(sum) => sum.add(number),
            Accumulator::Avg(sum, count) => {
                sum.add(number);
                *count += 1;
            }
            Accumulator::Percentiles(percentiles) => return percentiles.add(number.double()),
            Accumulator::Deviation(count, mean, squares) => {
                let x = number.double();
                *count += 1.0;
                let off = x - *mean;
                *mean += off / *count;
                *squares += off * (x - *mean);
            }
            _ => {}
        }
        0
    }

    /// The result.
    pub(super) fn finish(&mut self, aggregate: &Aggregate) -> Value<'static> {
        match self {
            Accumulator::Count(count) => Value::Whole(*count),
            Accumulator::Distinct(distinct) => Value::Whole(distinct.count()),
            Accumulator::Sum(sum) => sum.value(),
            Accumulator::Avg(sum, count) => Value::double(sum.double() / *count as f64),
            Accumulator::Extreme(extreme) => extreme.take().unwrap_or(Value::Missing),
            Accumulator::Percentiles(percentiles) => match aggregate {
                Aggregate::Percentile(_, percent) => percentiles.at(*percent).map_or(Value::Missing, Value::double),
                _ => Value::Missing,
            },
            // Of the values themselves, not an estimate from a sample of more.
            Accumulator::Deviation(count, _, squares) => Value::double((*squares / *count).sqrt()),
            Accumulator::Chosen(chosen) => chosen.take().map_or(Value::Missing, |(_, value)| value),
        }
    }
}

impl Aggregate {
    /// What it is applied to; nothing for `count(*)`.
    pub(super) fn of(&self) -> Option<&super::ast::Expression> {
        match self {
            Aggregate::Count(of) => of.as_ref(),
            Aggregate::CountDistinct(of)
            | Aggregate::Sum(of)
            | Aggregate::Avg(of)
            | Aggregate::Min(of)
            | Aggregate::Max(of)
            | Aggregate::Percentile(of, _)
            | Aggregate::StdDev(of)
            | Aggregate::Earliest(of)
            | Aggregate::Latest(of)
            | Aggregate::SortsFirst(of)
            | Aggregate::SortsLast(of) => Some(of),
        }
    }
}

fn extremed(extreme: &mut Option<Value<'static>>, value: Value<'_>, greatest: bool) -> usize {
    let replaces = match extreme {
        None => true,
        Some(old) => value.compare(old).is_some_and(|order| if greatest { order.is_gt() } else { order.is_lt() }),
    };
    if !replaces {
        return 0;
    }
    // An instant becomes the number that it is; fromMillis makes an instant of it again.
    let value = match value {
        Value::Time(ms) => Value::Whole(ms),
        other => other.into_owned(),
    };
    let weight = value.weight();
    let before = extreme.replace(value).map_or(0, |old| old.weight());
    weight.saturating_sub(before)
}

fn choose(
    chosen: &mut Option<(Sortable, Value<'static>)>,
    aggregate: &Aggregate,
    value: Value<'_>,
    scope: &Scope<'_>,
) -> usize {
    let by = match aggregate {
        Aggregate::Earliest(_) | Aggregate::Latest(_) => Sortable::of(&scope.field("@timestamp")),
        _ => Sortable::of(&value),
    };
    let later = matches!(aggregate, Aggregate::Latest(_) | Aggregate::SortsLast(_));
    // Of two events of one instant, the one that arrived last is the latest.
    let replaces = chosen.as_ref().is_none_or(|(old, _)| if later { by >= *old } else { by < *old });
    if !replaces {
        return 0;
    }
    let weight = |by: &Sortable, value: &Value<'_>| by.weight() + value.weight();
    let (new, value) = (weight(&by, &value), value.into_owned());
    let before = chosen.replace((by, value)).map_or(0, |(by, value)| weight(&by, &value));
    new.saturating_sub(before)
}
