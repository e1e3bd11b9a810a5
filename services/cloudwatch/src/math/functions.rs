//! The functions of metric math.

use base::Timestamp;

use super::MathError;
use super::evaluate::{Scope, Value, value};
use super::parse::Expression;
use super::series::{Fold, Series};

/// Calls a function.
pub(super) fn call(name: &str, arguments: &[Expression], scope: &Scope<'_>) -> Result<Value, MathError> {
    let values: Vec<Value> = arguments.iter().map(|it| value(it, scope)).collect::<Result<_, _>>()?;
    if let Some(fold) = Fold::named(name) {
        return match values.as_slice() {
            [Value::Series(series)] => Ok(Value::Scalar(fold.of_series(series))),
            [Value::Array(all)] => Ok(Value::Series(fold.of_array(all, &like(all, scope)))),
            _ => Err(wrong(name, &values)),
        };
    }
    match name {
        "ABS" => each(name, &values, |it| it.map(f64::abs)),
        "CEIL" => each(name, &values, |it| it.map(f64::ceil)),
        "FLOOR" => each(name, &values, |it| it.map(f64::floor)),
        "LOG" => each(name, &values, |it| it.map(f64::ln)),
        "LOG10" => each(name, &values, |it| it.map(f64::log10)),
        "DIFF" => each(name, &values, |it| it.steps(|(_, a), (_, b)| b - a)),
        "DIFF_TIME" => each(name, &values, |it| it.steps(|(a, _), (b, _)| (b - a) as f64)),
        "RATE" => each(name, &values, |it| it.steps(|(a_at, a), (b_at, b)| (b - a) / (b_at - a_at) as f64)),
        "RUNNING_SUM" => each(name, &values, running_sum),
        "MINUTE" | "HOUR" | "DAY" | "DATE" | "MONTH" | "YEAR" | "EPOCH" => {
            check_room(&values, scope)?;
            each(name, &values, |it| it.with(scope.grid(it.period_s).map(|at| (at, calendar(name, at)))))
        }
        "FILL" => fill(&values, scope),
        "FIRST" | "LAST" => first_or_last(name, &values, scope),
        "IF" => condition(&values, scope),
        "METRIC_COUNT" => match values.as_slice() {
            [Value::Array(all)] => Ok(Value::Scalar(all.len() as f64)),
            [Value::Series(_)] => Ok(Value::Scalar(1.0)),
            _ => Err(wrong(name, &values)),
        },
        "METRICS" => metrics(&values, scope),
        "PERIOD" => match values.as_slice() {
            [Value::Series(series)] if series.is_metric => Ok(Value::Scalar(series.period_s as f64)),
            _ => Err(wrong(name, &values)),
        },
        "REMOVE_EMPTY" => match values.as_slice() {
            [Value::Array(all)] => Ok(Value::Array(all.iter().filter(|it| !it.values.is_empty()).cloned().collect())),
            _ => Err(wrong(name, &values)),
        },
        "SLICE" => slice(&values),
        "SORT" => sort(&values),
        "TIME_SERIES" => match values.as_slice() {
            [Value::Scalar(number)] => {
                scope.check_room(1, scope.period_s)?;
                Ok(Value::Series(scope.blank().with(scope.grid(scope.period_s).map(|at| (at, *number)))))
            }
            _ => Err(wrong(name, &values)),
        },
        _ => Err(MathError::Syntax(format!("There is no function {name}"))),
    }
}

fn wrong(name: &str, values: &[Value]) -> MathError {
    let given: Vec<&str> = values.iter().map(Value::kind).collect();
    let given = if given.is_empty() { "nothing".to_owned() } else { given.join(", ") };
    MathError::Type(format!("The function {name} cannot be applied to {given}"))
}

/// A series that has nothing of an array but its period.
fn like(all: &[Series], scope: &Scope<'_>) -> Series {
    let period_s = all.iter().map(|it| it.period_s).max().unwrap_or(scope.period_s);
    Series { period_s, ..scope.blank() }
}

/// Looks whether there is room for values of the given series in every period.
fn check_room(values: &[Value], scope: &Scope<'_>) -> Result<(), MathError> {
    let shortest = |all: &[Series]| all.iter().map(|it| it.period_s).min().unwrap_or(scope.period_s);
    match values {
        [Value::Series(series)] => scope.check_room(1, series.period_s),
        [Value::Array(all)] => scope.check_room(all.len(), shortest(all)),
        _ => Ok(()),
    }
}

/// Changes a series, or each of an array.
fn each(name: &str, values: &[Value], change: impl Fn(&Series) -> Series) -> Result<Value, MathError> {
    match values {
        [Value::Series(series)] => Ok(Value::Series(change(series))),
        [Value::Array(all)] => Ok(Value::Array(all.iter().map(change).collect())),
        _ => Err(wrong(name, values)),
    }
}

fn running_sum(series: &Series) -> Series {
    let mut sum = 0.0;
    series.with(series.values.iter().map(|(at, value)| {
        sum += value;
        (*at, sum)
    }))
}

/// What an instant is in the calendar, in UTC. Days are numbered from Monday, 1, to Sunday, 7.
fn calendar(name: &str, at_s: i64) -> f64 {
    let at_s = Timestamp::from_secs(at_s).as_secs();
    let Ok(instant) = jiff::Timestamp::from_second(at_s) else { return f64::NAN };
    let time = instant.to_zoned(jiff::tz::TimeZone::UTC);
    match name {
        "MINUTE" => f64::from(time.minute()),
        "HOUR" => f64::from(time.hour()),
        "DAY" => f64::from(time.weekday().to_monday_one_offset()),
        "DATE" => f64::from(time.day()),
        "MONTH" => f64::from(time.month()),
        "YEAR" => f64::from(time.year()),
        _ => at_s as f64,
    }
}

fn fill(values: &[Value], scope: &Scope<'_>) -> Result<Value, MathError> {
    let [series, filler] = values else { return Err(wrong("FILL", values)) };
    let is_filler = match filler {
        Value::Scalar(_) | Value::Series(_) => true,
        Value::Word(word) => matches!(word.as_str(), "REPEAT" | "LINEAR"),
        _ => false,
    };
    if !is_filler {
        return Err(wrong("FILL", values));
    }
    check_room(std::slice::from_ref(series), scope)?;
    each("FILL", std::slice::from_ref(series), |series| {
        let missing = |at: &i64| !series.values.contains_key(at);
        let filled = scope.grid(series.period_s).filter(missing).map(|at| {
            let value = match filler {
                Value::Scalar(number) => Some(*number),
                Value::Series(other) => other.values.get(&at).copied(),
                Value::Word(word) if word == "REPEAT" => series.values.range(..at).next_back().map(|(_, it)| *it),
                _ => between(series, at),
            };
            (at, value.unwrap_or(f64::NAN))
        });
        series.with(series.values.iter().map(|(at, value)| (*at, *value)).chain(filled.collect::<Vec<_>>()))
    })
}

/// On the line between the neighbours; nothing before the first and after the last.
fn between(series: &Series, at: i64) -> Option<f64> {
    let (a_at, a) = series.values.range(..at).next_back()?;
    let (b_at, b) = series.values.range(at..).next()?;
    Some(a + (b - a) * (at - a_at) as f64 / (b_at - a_at) as f64)
}

fn first_or_last(name: &str, values: &[Value], scope: &Scope<'_>) -> Result<Value, MathError> {
    let [Value::Array(all)] = values else { return Err(wrong(name, values)) };
    let one = if name == "FIRST" { all.first() } else { all.last() };
    Ok(Value::Series(one.cloned().unwrap_or_else(|| scope.blank())))
}

fn condition(values: &[Value], scope: &Scope<'_>) -> Result<Value, MathError> {
    let (condition, then, otherwise) = match values {
        [condition, then] => (condition, then, None),
        [condition, then, otherwise] => (condition, then, Some(otherwise)),
        _ => return Err(wrong("IF", values)),
    };
    let is_value = |value: &Value| matches!(value, Value::Scalar(_) | Value::Series(_));
    if !is_value(then) || otherwise.is_some_and(|it| !is_value(it)) {
        return Err(wrong("IF", values));
    }
    match condition {
        Value::Scalar(number) if *number != 0.0 => Ok(then.clone()),
        Value::Scalar(_) => Ok(otherwise.cloned().unwrap_or_else(|| Value::Series(scope.blank()))),
        Value::Series(series) => {
            let at = |value: &Value, at: i64| match value {
                Value::Scalar(number) => Some(*number),
                Value::Series(series) => series.values.get(&at).copied(),
                _ => None,
            };
            let chosen = series.values.iter().filter_map(|(instant, truth)| {
                // What is true and missing is 0; what is false and missing is dropped.
                let value = if *truth != 0.0 {
                    Some(at(then, *instant).unwrap_or(0.0))
                } else {
                    otherwise.and_then(|it| at(it, *instant))
                };
                value.map(|value| (*instant, value))
            });
            Ok(Value::Series(series.with(chosen)))
        }
        _ => Err(wrong("IF", values)),
    }
}

fn metrics(values: &[Value], scope: &Scope<'_>) -> Result<Value, MathError> {
    let part = match values {
        [] => "",
        [Value::Text(part)] => part.as_str(),
        _ => return Err(wrong("METRICS", values)),
    };
    let ids = scope.metrics.iter().filter(|id| id.contains(part));
    Ok(Value::Array(ids.filter_map(|id| scope.results.get(id)).flatten().cloned().collect()))
}

/// A whole number that is not negative.
fn index(number: f64) -> Option<usize> {
    (number >= 0.0 && number.fract() == 0.0 && number < 1e9).then_some(number as usize)
}

fn slice(values: &[Value]) -> Result<Value, MathError> {
    let refuse = || wrong("SLICE", values);
    let (all, start, end) = match values {
        [Value::Array(all), Value::Scalar(start)] => (all, *start, all.len()),
        [Value::Array(all), Value::Scalar(start), Value::Scalar(end)] => (all, *start, index(*end).ok_or_else(refuse)?),
        _ => return Err(refuse()),
    };
    let start = index(start).ok_or_else(refuse)?;
    Ok(Value::Array(all.iter().take(end).skip(start).cloned().collect()))
}

fn sort(values: &[Value]) -> Result<Value, MathError> {
    let refuse = || wrong("SORT", values);
    let (all, function, order, limit) = match values {
        [Value::Array(all), Value::Word(function), Value::Word(order)] => (all, function, order, all.len()),
        [Value::Array(all), Value::Word(function), Value::Word(order), Value::Scalar(limit)] => {
            (all, function, order, index(*limit).ok_or_else(refuse)?)
        }
        _ => return Err(refuse()),
    };
    let fold = Fold::named(function).ok_or_else(refuse)?;
    let is_descending = match order.as_str() {
        "ASC" => false,
        "DESC" => true,
        _ => return Err(refuse()),
    };
    // A series without data comes last, whatever the order.
    let mut keyed: Vec<(f64, &Series)> = all.iter().map(|it| (fold.of_series(it), it)).collect();
    keyed.sort_by(|(a, a_series), (b, b_series)| {
        let order = if is_descending { b.total_cmp(a) } else { a.total_cmp(b) };
        a_series.values.is_empty().cmp(&b_series.values.is_empty()).then(order)
    });
    Ok(Value::Array(keyed.into_iter().take(limit).map(|(_, series)| series.clone()).collect()))
}
