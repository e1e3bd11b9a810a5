//! The functions of expressions: their names, how many arguments they take, and what they yield.

use std::borrow::Cow;
use std::net::IpAddr;

use serde_json::Value as Json;

use super::subnet::{self, Subnet};
use super::value::{Number, Value};

/// How long a text a function may make, in bytes: `replace` and `concat` can make a long one of short ones. What would be
/// longer is missing.
pub(super) const TEXT_BYTES_MAX: usize = 1 << 20;
/// How long a text `jsonParse` takes, in bytes: a document takes many times the memory of its text.
const DOCUMENT_BYTES_MAX: usize = 256 << 10;

macro_rules! functions {
    ($($variant:ident, $name:literal, $least:literal ..= $most:expr;)*) => {
        /// A function, but those that take a period.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        impl Function {
            /// The function of this name; case does not matter.
            pub(super) fn named(name: &str) -> Option<Function> {
                $(if name.eq_ignore_ascii_case($name) { return Some(Function::$variant); })*
                None
            }

            /// How few and how many arguments it takes.
            pub(super) fn arity(self) -> (usize, usize) {
                match self { $(Function::$variant => ($least, $most),)* }
            }
        }
    };
}

/// How many arguments a function of any number takes at most.
const ARGUMENTS_MAX: usize = 100;

functions! {
    Abs, "abs", 1..=1;
    Ceil, "ceil", 1..=1;
    Floor, "floor", 1..=1;
    Greatest, "greatest", 1..=ARGUMENTS_MAX;
    Least, "least", 1..=ARGUMENTS_MAX;
    Log, "log", 1..=1;
    Sqrt, "sqrt", 1..=1;
    FromMillis, "fromMillis", 1..=1;
    ToMillis, "toMillis", 1..=1;
    Now, "now", 0..=0;
    IsPresent, "ispresent", 1..=1;
    Coalesce, "coalesce", 1..=ARGUMENTS_MAX;
    JsonParse, "jsonParse", 1..=1;
    JsonStringify, "jsonStringify", 1..=1;
    IsValidIp, "isValidIp", 1..=1;
    IsValidIpv4, "isValidIpv4", 1..=1;
    IsValidIpv6, "isValidIpv6", 1..=1;
    IsIpInSubnet, "isIpInSubnet", 2..=2;
    IsIpv4InSubnet, "isIpv4InSubnet", 2..=2;
    IsIpv6InSubnet, "isIpv6InSubnet", 2..=2;
    IsEmpty, "isempty", 1..=1;
    IsBlank, "isblank", 1..=1;
    Concat, "concat", 1..=ARGUMENTS_MAX;
    LTrim, "ltrim", 1..=2;
    RTrim, "rtrim", 1..=2;
    Trim, "trim", 1..=2;
    StrLen, "strlen", 1..=1;
    ToUpper, "toupper", 1..=1;
    ToLower, "tolower", 1..=1;
    Substr, "substr", 2..=3;
    Replace, "replace", 3..=3;
    StrContains, "strcontains", 2..=2;
}

impl Function {
    /// What it yields. A missing argument yields a missing value, but where a function is about just that.
    /// `now` is when the query was started, in milliseconds.
    pub(super) fn call<'a>(self, arguments: &[Value<'a>], now: i64) -> Value<'a> {
        self.try_call(arguments, now).unwrap_or(Value::Missing)
    }

    fn try_call<'a>(self, arguments: &[Value<'a>], now: i64) -> Option<Value<'a>> {
        let number = |i: usize| arguments.get(i).and_then(Value::number);
        let text = |i: usize| arguments.get(i).and_then(Value::shown);
        Some(match self {
            Function::Abs => match number(0)? {
                Number::Whole(n) => n.checked_abs().map_or(Value::double((n as f64).abs()), Value::Whole),
                Number::Double(x) => Value::Double(x.abs()),
            },
            Function::Ceil => rounded(number(0)?, f64::ceil),
            Function::Floor => rounded(number(0)?, f64::floor),
            Function::Greatest => arguments.iter().filter_map(Value::number).max_by(|a, b| a.compare(*b))?.into(),
            Function::Least => arguments.iter().filter_map(Value::number).min_by(|a, b| a.compare(*b))?.into(),
            Function::Log => Value::double(number(0)?.double().ln()),
            Function::Sqrt => Value::double(number(0)?.double().sqrt()),
            Function::FromMillis => Value::Time(whole(number(0)?)?),
            Function::ToMillis => Value::Whole(whole(number(0)?)?),
            Function::Now => Value::Whole(now.div_euclid(1000)),
            Function::IsPresent => Value::Bool(!arguments.first()?.is_missing()),
            Function::Coalesce => arguments.iter().find(|value| !value.is_missing())?.clone(),
            Function::JsonParse => match arguments.first()? {
                Value::Structure(json) => Value::Structure(json.clone()),
                value => Value::from_json(document(&value.shown()?)?),
            },
            Function::JsonStringify => match arguments.first()? {
                Value::Text(text) => Value::text(serde_json::to_string(text).ok()?),
                value => Value::text(value.shown()?.into_owned()),
            },
            Function::IsValidIp => Value::Bool(text(0)?.parse::<IpAddr>().is_ok()),
            Function::IsValidIpv4 => Value::Bool(subnet::is_v4(&text(0)?)),
            Function::IsValidIpv6 => Value::Bool(subnet::is_v6(&text(0)?)),
            Function::IsIpInSubnet => Value::Bool(in_subnet(&text(0)?, &text(1)?, |_| true)),
            Function::IsIpv4InSubnet => Value::Bool(in_subnet(&text(0)?, &text(1)?, Subnet::is_v4)),
            Function::IsIpv6InSubnet => Value::Bool(in_subnet(&text(0)?, &text(1)?, |subnet| !subnet.is_v4())),
            Function::IsEmpty => Value::Bool(text(0).is_none_or(|text| text.is_empty())),
            Function::IsBlank => Value::Bool(text(0).is_none_or(|text| text.trim().is_empty())),
            Function::Concat => concatenated(arguments)?,
            Function::LTrim => trimmed(&text(0)?, text(1), true, false),
            Function::RTrim => trimmed(&text(0)?, text(1), false, true),
            Function::Trim => trimmed(&text(0)?, text(1), true, true),
            Function::StrLen => Value::Whole(i64::try_from(text(0)?.chars().count()).ok()?),
            Function::ToUpper => Value::text(text(0)?.to_uppercase()),
            Function::ToLower => Value::text(text(0)?.to_lowercase()),
            Function::Substr => {
                let length = if arguments.len() > 2 { index(number(2)?)? } else { usize::MAX };
                Value::text(text(0)?.chars().skip(index(number(1)?)?).take(length).collect::<String>())
            }
            Function::Replace => replaced(&text(0)?, &text(1)?, &text(2)?),
            Function::StrContains => Value::Whole(i64::from(text(0)?.contains(text(1)?.as_ref()))),
        })
    }
}

fn rounded<'a>(number: Number, round: fn(f64) -> f64) -> Value<'a> {
    match number {
        Number::Whole(n) => Value::Whole(n),
        Number::Double(x) => Value::double(round(x)),
    }
}

/// The whole number that a number is, without its fraction, if there is one.
pub(super) fn whole(number: Number) -> Option<i64> {
    match number {
        Number::Whole(n) => Some(n),
        // Below 2^63 in size the cast is exact.
        Number::Double(x) => (x.abs() < 9.2e18).then_some(x as i64),
    }
}

/// A position or length; what is below 0 counts as 0.
fn index(number: Number) -> Option<usize> {
    usize::try_from(whole(number)?.max(0)).ok()
}

fn in_subnet(address: &str, subnet: &str, version: fn(Subnet) -> bool) -> bool {
    match (address.parse(), Subnet::parse(subnet)) {
        (Ok(address), Some(subnet)) => version(subnet) && subnet.has(address),
        _ => false,
    }
}

fn bounded<'a>(text: String) -> Value<'a> {
    if text.len() <= TEXT_BYTES_MAX { Value::text(text) } else { Value::Missing }
}

fn concatenated<'a>(arguments: &[Value<'a>]) -> Option<Value<'a>> {
    let mut text = String::new();
    for part in arguments.iter().filter_map(Value::shown) {
        if text.len() + part.len() > TEXT_BYTES_MAX {
            return None;
        }
        text.push_str(&part);
    }
    Some(Value::text(text))
}

fn document(text: &str) -> Option<Json> {
    if text.len() <= DOCUMENT_BYTES_MAX { serde_json::from_str(text).ok() } else { None }
}

/// Without white space, or without the given characters, at one end or both.
fn trimmed<'a>(text: &str, characters: Option<Cow<'_, str>>, left: bool, right: bool) -> Value<'a> {
    let trims = |c: char| characters.as_ref().map_or(c.is_whitespace(), |characters| characters.contains(c));
    let mut text = text;
    if left {
        text = text.trim_start_matches(trims);
    }
    if right {
        text = text.trim_end_matches(trims);
    }
    Value::text(text.to_owned())
}

fn replaced<'a>(text: &str, old: &str, new: &str) -> Value<'a> {
    if old.is_empty() {
        return Value::text(text.to_owned());
    }
    let times = text.matches(old).count();
    if text.len().saturating_add(times.saturating_mul(new.len())) > TEXT_BYTES_MAX + times * old.len() {
        return Value::Missing;
    }
    bounded(text.replace(old, new))
}
