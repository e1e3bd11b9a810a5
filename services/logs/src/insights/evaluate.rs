//! What expressions yield for a row.
//!
//! Where a value is missing, comparisons and arithmetic have no result: such a row passes no filter that asks for the
//! value, `!=` and `not like` included. `and` and `or` decide by what they have.

use super::ast::{Arithmetic, Comparison, Expression, Extractor, Matcher};
use super::scope::Scope;
use super::value::{Number, Value};

impl Expression {
    /// The value for a row. `aggregates` are the results that [`Expression::Aggregate`] refers to.
    pub(super) fn value<'s>(&'s self, scope: &'s Scope<'_>, aggregates: &'s [Value<'static>]) -> Value<'s> {
        let value = |expression: &'s Expression| expression.value(scope, aggregates);
        match self {
            Expression::Literal(literal) => literal.borrowed(),
            Expression::Field(name) => scope.field(name),
            Expression::Aggregate(index) => aggregates.get(*index).map_or(Value::Missing, Value::borrowed),
            Expression::Not(inner) => {
                inner.truth(scope, aggregates).map_or(Value::Missing, |truth| Value::Bool(!truth))
            }
            Expression::And(_) | Expression::Or(_) => self.truth(scope, aggregates).map_or(Value::Missing, Value::Bool),
            Expression::Negate(inner) => match value(inner).number() {
                Some(Number::Whole(n)) => n.checked_neg().map_or(Value::double(-(n as f64)), Value::Whole),
                Some(Number::Double(x)) => Value::Double(-x),
                None => Value::Missing,
            },
            Expression::Compare(comparison, left, right) => {
                value(left).compare(&value(right)).map_or(Value::Missing, |order| Value::Bool(comparison.holds(order)))
            }
            Expression::Arithmetic(operator, left, right) => match (value(left).number(), value(right).number()) {
                (Some(left), Some(right)) => operator.apply(left, right),
                _ => Value::Missing,
            },
            Expression::Like(subject, matcher) => {
                value(subject).shown().map_or(Value::Missing, |text| Value::Bool(matcher.matches(&text)))
            }
            Expression::In(subject, list) => {
                let subject = value(subject);
                if subject.is_missing() {
                    return Value::Missing;
                }
                Value::Bool(list.iter().any(|item| subject.compare(&value(item)).is_some_and(|order| order.is_eq())))
            }
            Expression::InArray(subject, array) => among(&value(subject), &value(array)),
            Expression::Call(function, arguments) => {
                let arguments: Vec<Value<'s>> = arguments.iter().map(value).collect();
                let result = function.call(&arguments, scope.now);
                if scope.spend(result.own_weight()) { result } else { Value::Missing }
            }
            Expression::Round { instant, period, up } => {
                let instant = value(instant).number().and_then(super::function::whole);
                let rounded = instant.and_then(|ms| if *up { period.ceil(ms) } else { period.floor(ms) });
                rounded.map_or(Value::Missing, Value::Time)
            }
        }
    }

    /// Whether it holds for a row; nothing where that hangs on a value that is missing.
    pub(super) fn truth(&self, scope: &Scope<'_>, aggregates: &[Value<'static>]) -> Option<bool> {
        match self {
            Expression::And(parts) => decide(parts, false, scope, aggregates),
            Expression::Or(parts) => decide(parts, true, scope, aggregates),
            _ => self.value(scope, aggregates).truth(),
        }
    }
}

/// Whether an array has an element. What is no array is as an array of one.
fn among<'a>(subject: &Value<'_>, array: &Value<'_>) -> Value<'a> {
    let equal = |item: &Value<'_>| subject.compare(item).map(|order| order.is_eq());
    let found = match array {
        Value::Structure(json) if !subject.is_missing() => match json.as_array() {
            Some(items) => Some(items.iter().any(|item| equal(&Value::of_json(item)) == Some(true))),
            None => equal(array),
        },
        _ => equal(array),
    };
    found.map_or(Value::Missing, Value::Bool)
}

/// The deciding truth if a part has it; else the other one, unless a part has none.
fn decide(parts: &[Expression], deciding: bool, scope: &Scope<'_>, aggregates: &[Value<'static>]) -> Option<bool> {
    let mut result = Some(!deciding);
    for part in parts {
        match part.truth(scope, aggregates) {
            Some(truth) if truth == deciding => return Some(deciding),
            Some(_) => {}
            None => result = None,
        }
    }
    result
}

impl Comparison {
    fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Arithmetic {
    /// Whole numbers stay whole where the result is; what overflows them becomes a double; what is no number, missing.
    fn apply<'a>(self, left: Number, right: Number) -> Value<'a> {
        if let (Number::Whole(a), Number::Whole(b)) = (left, right) {
            let exact = match self {
                Arithmetic::Add => a.checked_add(b),
                Arithmetic::Subtract => a.checked_sub(b),
                Arithmetic::Multiply => a.checked_mul(b),
                Arithmetic::Divide if b != 0 && a.checked_rem(b) == Some(0) => a.checked_div(b),
                Arithmetic::Remainder => a.checked_rem(b),
                Arithmetic::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
                Arithmetic::Divide => None,
            };
            if let Some(exact) = exact {
                return Value::Whole(exact);
            }
        }
        let (a, b) = (left.double(), right.double());
        Value::double(match self {
            Arithmetic::Add => a + b,
            Arithmetic::Subtract => a - b,
            Arithmetic::Multiply => a * b,
            Arithmetic::Divide => a / b,
            Arithmetic::Remainder => a % b,
            Arithmetic::Power => a.powf(b),
        })
    }
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        match self {
            Matcher::Substring(part) => text.contains(part.as_str()),
            Matcher::Regex(regex) => regex.is_match(text),
        }
    }
}

impl Extractor {
    /// What it finds in a text for each of its names, in their order; nothing if it does not match.
    pub(super) fn extract<'t>(&self, text: &'t str) -> Option<Vec<Option<&'t str>>> {
        match self {
            Extractor::Glob(glob, _) => Some(glob.extract(text)?.into_iter().map(Some).collect()),
            Extractor::Regex(regex, groups) => {
                let captures = regex.captures(text)?;
                Some(groups.iter().map(|(index, _)| Some(captures.get(*index)?.as_str())).collect())
            }
        }
    }
}
