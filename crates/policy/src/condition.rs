//! Conditions made ready: one key of the request compared with the values of a policy.

mod decimal;
mod network;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::arn_pattern::{ArnParts, ArnPattern};
use crate::document::date::instant;
use crate::pattern::{Pattern, Reading, TEXT_BYTES_MAX};
use crate::{Comparison, Condition, Context, Effect, Quantifier};
use decimal::Decimal;
use network::Network;

/// A condition made ready.
#[derive(Debug, Clone)]
pub(crate) struct Test {
    /// The key's name as written.
    name: Box<str>,
    lower_case: Box<str>,
    quantifier: Option<Quantifier>,
    effect: Effect,
    if_exists: bool,
    /// Whether the comparison is the denial of [`Expected`].
    negated: bool,
    expected: Expected,
}

/// What a value must be like: like one of these. A value of a policy that cannot be read is like nothing.
#[derive(Debug, Clone)]
enum Expected {
    Text(Box<[Pattern]>),
    TextIgnoringCase(Box<[Pattern]>),
    Arn(Box<[ArnLike]>),
    Number(Order, Box<[Decimal]>),
    Date(Order, Box<[i128]>),
    Bool(Box<[bool]>),
    Binary(Box<[Vec<u8>]>),
    Network(Box<[Network]>),
    /// `Null`: whether the key is absent.
    Absence(Box<[bool]>),
}

/// Which order of a request's value and a policy's is asked for.
#[derive(Debug, Clone, Copy)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn is(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

#[derive(Debug, Clone)]
enum ArnLike {
    Parts(Box<ArnPattern>),
    /// A variable that has a whole ARN as its value.
    Variable(Pattern),
}

impl Test {
    /// Variables have a meaning only in the newer version of the language, and there in texts and ARNs.
    pub(crate) fn new(condition: &Condition, variables: bool, effect: Effect) -> Self {
        let (expected, negated) = expected(condition.operator.comparison, &condition.values, variables);
        Self {
            name: condition.key.as_str().into(),
            lower_case: condition.key.to_ascii_lowercase().into(),
            quantifier: condition.operator.quantifier,
            effect,
            if_exists: condition.operator.if_exists,
            negated,
            expected,
        }
    }

    /// Whether it holds for a request.
    pub(crate) fn holds(&self, context: &Context) -> bool {
        let values = context.get(&self.lower_case);
        if let Expected::Absence(expected) = &self.expected {
            return expected.contains(&values.is_none());
        }
        let Some(values) = values else { return self.holds_without_the_key() };
        let passes = |value: &String| self.expected.is_like(value, context) != self.negated;
        match self.quantifier_of_several() {
            Quantifier::ForAllValues => values.iter().all(passes),
            Quantifier::ForAnyValue => values.iter().any(passes),
        }
    }

    /// A key that has several values asks for a quantifier. Where a policy gives none, an allowance needs all of them to
    /// pass and a denial any.
    fn quantifier_of_several(&self) -> Quantifier {
        self.quantifier.unwrap_or(match self.effect {
            Effect::Allow => Quantifier::ForAllValues,
            Effect::Deny => Quantifier::ForAnyValue,
        })
    }

    fn holds_without_the_key(&self) -> bool {
        self.if_exists
            || match self.quantifier {
                Some(Quantifier::ForAllValues) => true,
                Some(Quantifier::ForAnyValue) => false,
                None => self.negated,
            }
    }

    /// Adds its key and those of its variables.
    pub(crate) fn add_keys(&self, keys: &mut BTreeMap<Box<str>, Box<str>>) {
        keys.entry(self.lower_case.clone()).or_insert_with(|| self.name.clone());
        match &self.expected {
            Expected::Text(patterns) | Expected::TextIgnoringCase(patterns) => {
                patterns.iter().for_each(|pattern| pattern.add_keys(keys));
            }
            Expected::Arn(patterns) => patterns.iter().for_each(|pattern| match pattern {
                ArnLike::Parts(pattern) => pattern.add_keys(keys),
                ArnLike::Variable(pattern) => pattern.add_keys(keys),
            }),
            _ => {}
        }
    }
}

/// What values must be like, and whether the comparison is its denial.
fn expected(comparison: Comparison, values: &[String], variables: bool) -> (Expected, bool) {
    use Comparison as C;
    let exact = |text: &String| Pattern::new(text, Reading { wildcards: false, variables });
    let like = |text: &String| Pattern::new(text, Reading { wildcards: true, variables });
    let number = |order| Expected::Number(order, values.iter().filter_map(|text| Decimal::new(text)).collect());
    let date = |order| Expected::Date(order, values.iter().filter_map(|text| instant(text)).collect());
    let arn = || Expected::Arn(values.iter().filter_map(|text| ArnLike::new(text, variables)).collect());
    let network = || Expected::Network(values.iter().filter_map(|text| Network::new(text)).collect());
    let bools = || values.iter().filter_map(|text| boolean(text)).collect();
    let binary = |text: &String| STANDARD.decode(text).ok();
    match comparison {
        C::StringEquals => (Expected::Text(values.iter().map(exact).collect()), false),
        C::StringNotEquals => (Expected::Text(values.iter().map(exact).collect()), true),
        C::StringEqualsIgnoreCase => (Expected::TextIgnoringCase(values.iter().map(exact).collect()), false),
        C::StringNotEqualsIgnoreCase => (Expected::TextIgnoringCase(values.iter().map(exact).collect()), true),
        C::StringLike => (Expected::Text(values.iter().map(like).collect()), false),
        C::StringNotLike => (Expected::Text(values.iter().map(like).collect()), true),
        C::NumericEquals => (number(Order::Equal), false),
        C::NumericNotEquals => (number(Order::Equal), true),
        C::NumericLessThan => (number(Order::Less), false),
        C::NumericLessThanEquals => (number(Order::LessOrEqual), false),
        C::NumericGreaterThan => (number(Order::Greater), false),
        C::NumericGreaterThanEquals => (number(Order::GreaterOrEqual), false),
        C::DateEquals => (date(Order::Equal), false),
        C::DateNotEquals => (date(Order::Equal), true),
        C::DateLessThan => (date(Order::Less), false),
        C::DateLessThanEquals => (date(Order::LessOrEqual), false),
        C::DateGreaterThan => (date(Order::Greater), false),
        C::DateGreaterThanEquals => (date(Order::GreaterOrEqual), false),
        C::Bool => (Expected::Bool(bools()), false),
        C::BinaryEquals => (Expected::Binary(values.iter().filter_map(binary).collect()), false),
        C::IpAddress => (network(), false),
        C::NotIpAddress => (network(), true),
        C::ArnEquals | C::ArnLike => (arn(), false),
        C::ArnNotEquals | C::ArnNotLike => (arn(), true),
        C::Null => (Expected::Absence(bools()), false),
    }
}

impl Expected {
    /// Whether a value of a request is like one of the policy's.
    fn is_like(&self, value: &str, context: &Context) -> bool {
        match self {
            Self::Text(patterns) => patterns.iter().any(|pattern| pattern.matches(value, context)),
            _ if value.len() > TEXT_BYTES_MAX => false,
            Self::TextIgnoringCase(patterns) => {
                let value = value.to_lowercase();
                patterns.iter().filter_map(|it| it.text(context)).any(|text| text.to_lowercase() == value)
            }
            Self::Arn(patterns) => ArnParts::new(value).is_some_and(|arn| {
                patterns.iter().any(|pattern| match pattern {
                    ArnLike::Parts(pattern) => pattern.matches(&arn, context),
                    ArnLike::Variable(variable) => variable.matches(value, context),
                })
            }),
            Self::Number(order, numbers) => {
                Decimal::new(value).is_some_and(|value| numbers.iter().any(|number| order.is(value.cmp(number))))
            }
            Self::Date(order, dates) => {
                instant(value).is_some_and(|value| dates.iter().any(|date| order.is(value.cmp(date))))
            }
            Self::Bool(expected) => boolean(value).is_some_and(|value| expected.contains(&value)),
            Self::Binary(expected) => STANDARD.decode(value).is_ok_and(|value| expected.contains(&value)),
            Self::Network(networks) => value
                .parse::<IpAddr>()
                .is_ok_and(|address| networks.iter().any(|network| network.contains(address.to_canonical()))),
            // Answered before a value is looked at.
            Self::Absence(_) => false,
        }
    }
}

impl ArnLike {
    /// None for what can be no ARN's pattern.
    fn new(text: &str, variables: bool) -> Option<Self> {
        let variable = Pattern::new(text, Reading { wildcards: true, variables });
        if variable.is_variable() {
            return Some(Self::Variable(variable));
        }
        ArnPattern::of_condition(text, variables).map(|pattern| Self::Parts(Box::new(pattern)))
    }
}

fn boolean(text: &str) -> Option<bool> {
    [true, false].into_iter().find(|value| text.eq_ignore_ascii_case(if *value { "true" } else { "false" }))
}

#[cfg(test)]
mod tests;
