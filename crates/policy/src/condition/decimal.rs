//! Decimal numbers, compared exactly.

use std::cmp::Ordering;

/// A number as policies and requests write it: digits, perhaps a sign and a fraction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    negative: bool,
    /// Without leading zeros.
    whole: Box<str>,
    /// Without trailing zeros.
    fraction: Box<str>,
}

impl Decimal {
    /// None for what is no such number.
    pub(super) fn new(text: &str) -> Option<Self> {
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !plain(whole) || !plain(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !zero, whole: whole.into(), fraction: fraction.into() })
    }

    fn size(&self, other: &Self) -> Ordering {
        let by_length = self.whole.len().cmp(&other.whole.len());
        by_length.then_with(|| self.whole.cmp(&other.whole)).then_with(|| self.fraction.cmp(&other.fraction))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size(other),
            (true, true) => other.size(self),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value() {
        let ascending = ["-10", "-9.5", "-9.25", "-0.1", "0", "0.09", ".1", "1", "9", "10.0", "9007199254740993"];
        for (at, smaller) in ascending.iter().enumerate() {
            for larger in &ascending[at + 1..] {
                assert!(Decimal::new(smaller).unwrap() < Decimal::new(larger).unwrap(), "{smaller} {larger}");
            }
        }
        for (one, same) in [("0", "-0.0"), ("1.50", "01.5"), ("+7", "7."), ("1e3", "x")] {
            assert_eq!(Decimal::new(one), Decimal::new(same), "{one} {same}");
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in ["", ".", "-", "1e3", "0x1", " 1", "1 ", "1.2.3", "١", "NaN"] {
            assert_eq!(Decimal::new(text), None, "{text}");
        }
    }
}
