//! Places between events, as clients carry them from one request to the next.

use segments::{Cursor, EventId};

use crate::Error;

/// How many digits a place has.
const DIGITS: usize = 56;

/// A place as a decimal number.
pub(crate) fn number(cursor: Cursor) -> String {
    let bytes = cursor.to_bytes();
    let number = bytes.iter().skip(1).fold(0u128, |number, byte| number << 8 | u128::from(*byte));
    format!("{number:0DIGITS$}")
}

/// The place that a number is.
///
/// # Errors
/// [`Error::NextToken`]
pub(crate) fn cursor(text: &str) -> Result<Cursor, Error> {
    let is_number = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| text.parse().ok()).flatten().ok_or(Error::NextToken)?;
    Ok(Cursor::before(EventId::from_u128(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_comes_back_as_it_was_given() {
        for id in [0, 1, u128::from(u64::MAX) + 7, u128::MAX] {
            let place = Cursor::before(EventId::from_u128(id));
            assert_eq!((cursor(&number(place)).unwrap(), number(place).len()), (place, 56));
        }
        for wrong in ["", "1", &"9".repeat(56), &"-".repeat(56)] {
            assert!(cursor(wrong).is_err(), "{wrong}");
        }
    }
}
