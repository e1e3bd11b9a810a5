//! Computes expressions.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::MathError;
use super::functions;
use super::parse::{Expression, Operator};
use super::series::{Series, operate};

/// What an expression is computed in.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    /// The id of the query that the expression is of.
    pub id: &'a str,
    /// What other queries have come to: more than one series for an expression that yields an array.
    pub results: &'a BTreeMap<String, Vec<Series>>,
    /// The ids of the metrics of the request, in its order, for METRICS().
    pub metrics: &'a [String],
    /// The first period's beginning, in seconds since the epoch.
    pub start_s: i64,
    /// The end, which is not within.
    pub end_s: i64,
    /// The length of a period, where no metric tells another.
    pub period_s: i64,
    /// How many data points may still be computed, results in between included.
    pub budget: Cell<usize>,
}

impl Scope<'_> {
    /// The beginnings of the periods of a length.
    pub(super) fn grid(&self, period_s: i64) -> impl Iterator<Item = i64> + use<> {
        let step = usize::try_from(period_s.max(1)).unwrap_or(1);
        (self.start_s..self.end_s).step_by(step)
    }

    /// Takes what a value has from the budget.
    fn charge(&self, value: &Value) -> Result<(), MathError> {
        let points = match value {
            Value::Series(series) => series.weight(),
            Value::Array(all) => all.iter().map(Series::weight).sum(),
            Value::Scalar(_) | Value::Text(_) | Value::Word(_) => 0,
        };
        let left = self.budget.get().checked_sub(points).ok_or(MathError::TooLarge)?;
        self.budget.set(left);
        Ok(())
    }

    /// Looks whether so many series with a value in every period could be taken from the budget, before they are made.
    pub(super) fn check_room(&self, series: usize, period_s: i64) -> Result<(), MathError> {
        let periods = (self.end_s - self.start_s).max(0) / period_s.max(1);
        let points = usize::try_from(periods).unwrap_or(usize::MAX).saturating_mul(series);
        if points > self.budget.get() { Err(MathError::TooLarge) } else { Ok(()) }
    }

    /// An empty series of the expression's own.
    pub(super) fn blank(&self) -> Series {
        Series {
            id: self.id.to_owned(),
            label: self.id.to_owned(),
            period_s: self.period_s,
            is_metric: false,
            values: BTreeMap::new(),
        }
    }
}

/// What a part of an expression comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Scalar(f64),
    Series(Series),
    Array(Vec<Series>),
    Text(String),
    Word(String),
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(_) => "a scalar",
            Self::Series(_) => "a time series",
            Self::Array(_) => "an array of time series",
            Self::Text(_) => "a string",
            Self::Word(_) => "a keyword",
        }
    }
}

/// Computes an expression: one series, or those of an array.
///
/// # Errors
/// [`MathError::Unknown`] and [`MathError::Type`].
pub fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Result<Vec<Series>, MathError> {
    match value(expression, scope)? {
        Value::Series(series) => Ok(vec![series]),
        Value::Array(all) => Ok(all),
        other => Err(MathError::Type(format!(
            "The final result of a math expression must be a single time series or an array of time series, not {}",
            other.kind()
        ))),
    }
}

pub(super) fn value(expression: &Expression, scope: &Scope<'_>) -> Result<Value, MathError> {
    let value = computed(expression, scope)?;
    scope.charge(&value)?;
    Ok(value)
}

fn computed(expression: &Expression, scope: &Scope<'_>) -> Result<Value, MathError> {
    match expression {
        Expression::Number(number) => Ok(Value::Scalar(*number)),
        Expression::Text(text) => Ok(Value::Text(text.clone())),
        Expression::Word(word) => Ok(Value::Word(word.clone())),
        Expression::Id(id) => {
            let found = scope.results.get(id).ok_or_else(|| MathError::Unknown(id.clone()))?;
            Ok(if let [one] = found.as_slice() { Value::Series(one.clone()) } else { Value::Array(found.clone()) })
        }
        Expression::Array(items) => array(items, scope),
        Expression::Negative(inner) => negative(value(inner, scope)?),
        Expression::Binary(..) => row(expression, scope),
        Expression::Call(function, arguments) => functions::call(function, arguments, scope),
    }
}

/// A row of operators, which is as deep on its left as it is long: too deep for the stack.
fn row(mut left: &Expression, scope: &Scope<'_>) -> Result<Value, MathError> {
    let mut rest = Vec::new();
    while let Expression::Binary(operator, a, b) = left {
        rest.push((*operator, b));
        left = a;
    }
    let mut sum = value(left, scope)?;
    while let Some((operator, right)) = rest.pop() {
        sum = binary(operator, sum, value(right, scope)?)?;
        // The whole row is the caller's to charge.
        if !rest.is_empty() {
            scope.charge(&sum)?;
        }
    }
    Ok(sum)
}

fn array(items: &[Expression], scope: &Scope<'_>) -> Result<Value, MathError> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        match value(item, scope)? {
            Value::Series(series) => all.push(series),
            Value::Array(inner) => all.extend(inner),
            other => return Err(MathError::Type(format!("An array has time series in it, not {}", other.kind()))),
        }
    }
    Ok(Value::Array(all))
}

fn negative(value: Value) -> Result<Value, MathError> {
    let minus = |series: &Series| series.map(|it| -it);
    match value {
        Value::Scalar(number) => Ok(Value::Scalar(-number)),
        Value::Series(series) => Ok(Value::Series(minus(&series))),
        Value::Array(all) => Ok(Value::Array(all.iter().map(minus).collect())),
        other => Err(MathError::Type(format!("There is no negative of {}", other.kind()))),
    }
}

fn binary(operator: Operator, a: Value, b: Value) -> Result<Value, MathError> {
    let right = |series: &Series, number: f64| series.map(|it| operate(operator, it, number));
    let left = |number: f64, series: &Series| series.map(|it| operate(operator, number, it));
    Ok(match (a, b) {
        (Value::Scalar(a), Value::Scalar(b)) => Value::Scalar(operate(operator, a, b)),
        (Value::Series(a), Value::Scalar(b)) => Value::Series(right(&a, b)),
        (Value::Scalar(a), Value::Series(b)) => Value::Series(left(a, &b)),
        (Value::Series(a), Value::Series(b)) => Value::Series(a.zip(&b, operator)),
        (Value::Array(a), Value::Scalar(b)) => Value::Array(a.iter().map(|it| right(it, b)).collect()),
        (Value::Scalar(a), Value::Array(b)) => Value::Array(b.iter().map(|it| left(a, it)).collect()),
        (Value::Array(a), Value::Series(b)) => Value::Array(a.iter().map(|it| it.zip(&b, operator)).collect()),
        (Value::Series(a), Value::Array(b)) => {
            let zipped = |it: &Series| Series { label: it.label.clone(), id: it.id.clone(), ..a.zip(it, operator) };
            Value::Array(b.iter().map(zipped).collect())
        }
        (a, b) => {
            let message = format!("An operator cannot be applied to {} and {}", a.kind(), b.kind());
            return Err(MathError::Type(message));
        }
    })
}
