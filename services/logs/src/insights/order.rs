//! The order of `sort`, `sortsFirst` and `sortsLast`.
//!
//! Source: CloudWatch Logs User Guide, "sort": what is no number comes before all numbers; in it digits in a row are one
//! piece, of which the longer comes later and among equally long the larger; all else is in Unicode's order.

use std::cmp::Ordering;
use std::iter::Peekable;
use std::str::Chars;

use super::value::{Number, Value};

/// A value as something to sort by. What is missing comes first.
#[derive(Debug, Clone)]
pub(super) enum Sortable {
    Missing,
    Text(String),
    Number(Number),
}

impl Sortable {
    pub(super) fn of(value: &Value<'_>) -> Sortable {
        match (value.number(), value.shown()) {
            (Some(number), _) => Sortable::Number(number),
            (None, Some(text)) => Sortable::Text(text.into_owned()),
            (None, None) => Sortable::Missing,
        }
    }

    /// How much memory it holds beside itself, in bytes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Sortable::Text(text) => text.len(),
            Sortable::Missing | Sortable::Number(_) => 0,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Sortable::Missing => 0,
            Sortable::Text(_) => 1,
            Sortable::Number(_) => 2,
        }
    }
}

impl Ord for Sortable {
    fn cmp(&self, other: &Sortable) -> Ordering {
        match (self, other) {
            (Sortable::Text(a), Sortable::Text(b)) => natural(a, b),
            (Sortable::Number(a), Sortable::Number(b)) => a.compare(*b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Sortable {
    fn partial_cmp(&self, other: &Sortable) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Sortable {
    fn eq(&self, other: &Sortable) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Sortable {}

fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.chars().peekable(), b.chars().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return Ordering::Equal,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let (x, y) = (digits(&mut a), digits(&mut b));
                x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
            }
            _ => a.next().cmp(&b.next()),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn digits(chars: &mut Peekable<Chars<'_>>) -> String {
    std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect()
}
