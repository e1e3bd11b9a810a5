//! Condition operators: `ForAnyValue:StringLikeIfExists` in its three parts.

use std::fmt;
use std::str::FromStr;

/// A condition operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operator {
    /// How a key with several values is compared; none for keys with one value.
    pub quantifier: Option<Quantifier>,
    /// The comparison.
    pub comparison: Comparison,
    /// Whether the condition holds when the request does not have the key.
    pub if_exists: bool,
}

/// How the several values of one key are compared with the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Quantifier {
    /// Every value of the request must match one of the policy's.
    ForAllValues,
    /// At least one must.
    ForAnyValue,
}

impl Quantifier {
    const ALL: [(&'static str, Self); 2] = [("ForAllValues:", Self::ForAllValues), ("ForAnyValue:", Self::ForAnyValue)];
}

/// A name that is no condition operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownOperator;

const IF_EXISTS: &str = "IfExists";

macro_rules! comparisons {
    ($($name:ident),* $(,)?) => {
        /// The comparisons that IAM has, by their own names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Comparison {
            $(#[doc = concat!("`", stringify!($name), "`")] $name,)*
        }

        impl Comparison {
            /// Every comparison.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

comparisons! {
    StringEquals, StringNotEquals, StringEqualsIgnoreCase, StringNotEqualsIgnoreCase, StringLike, StringNotLike,
    NumericEquals, NumericNotEquals, NumericLessThan, NumericLessThanEquals, NumericGreaterThan,
    NumericGreaterThanEquals,
    DateEquals, DateNotEquals, DateLessThan, DateLessThanEquals, DateGreaterThan, DateGreaterThanEquals,
    Bool, BinaryEquals, IpAddress, NotIpAddress, ArnEquals, ArnNotEquals, ArnLike, ArnNotLike, Null,
}

impl Comparison {
    /// Whether its values are instants.
    pub fn is_date(self) -> bool {
        self.as_str().starts_with("Date")
    }
}

impl FromStr for Operator {
    type Err = UnknownOperator;

    fn from_str(name: &str) -> Result<Self, UnknownOperator> {
        let quantified =
            Quantifier::ALL.iter().find_map(|(prefix, it)| name.strip_prefix(prefix).map(|rest| (Some(*it), rest)));
        let (quantifier, rest) = quantified.unwrap_or((None, name));
        let (base, if_exists) = match rest.strip_suffix(IF_EXISTS) {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let comparison = Comparison::ALL.iter().copied().find(|it| it.as_str() == base).ok_or(UnknownOperator)?;
        // `Null` asks whether the key exists, so there is no form of it that presumes so.
        if if_exists && comparison == Comparison::Null {
            return Err(UnknownOperator);
        }
        Ok(Self { quantifier, comparison, if_exists })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((prefix, _)) = Quantifier::ALL.iter().find(|(_, it)| Some(*it) == self.quantifier) {
            f.write_str(prefix)?;
        }
        f.write_str(self.comparison.as_str())?;
        if self.if_exists { f.write_str(IF_EXISTS) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_is_read_back_from_its_name() {
        for comparison in Comparison::ALL.iter().copied() {
            for quantifier in [None, Some(Quantifier::ForAllValues), Some(Quantifier::ForAnyValue)] {
                for if_exists in [false, true] {
                    let operator = Operator { quantifier, comparison, if_exists };
                    let legal = !(if_exists && comparison == Comparison::Null);
                    assert_eq!(operator.to_string().parse().ok(), legal.then_some(operator), "{operator}");
                }
            }
        }
    }

    #[test]
    fn other_names_are_no_operators() {
        for name in
            ["", "IfExists", "stringequals", "ForAnyValue::StringEquals", "ForSome:Bool", "StringEqualsifexists"]
        {
            assert!(name.parse::<Operator>().is_err(), "{name}");
        }
    }
}
