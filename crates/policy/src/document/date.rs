//! Dates in conditions: seconds since the epoch, or ISO 8601 from the year alone down to fractions of a second.

use std::ops::RangeInclusive;

const YEARS: RangeInclusive<i64> = -292_275_054..=292_278_993;
const FRACTION_DIGITS_MAX: usize = 9;

/// Whether a text is a date that IAM reads.
pub(super) fn is_date(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    if text.contains('t') || text.contains('-') { is_iso8601(&text) } else { is_epoch_seconds(&text) }
}

fn is_epoch_seconds(text: &str) -> bool {
    number(text, 1..=19).is_some()
}

fn is_iso8601(text: &str) -> bool {
    let (date, time) = text.split_once('t').map_or((text, None), |(date, time)| (date, Some(time)));
    is_calendar_date(date) && time.is_none_or(is_time)
}

fn is_calendar_date(text: &str) -> bool {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut parts = digits.split('-');
    let year = parts.next().and_then(|year| number(year, 1..=9)).map(|year| if negative { -year } else { year });
    let (month, day) = (parts.next(), parts.next());
    year.is_some_and(|year| YEARS.contains(&year))
        && month.is_none_or(|month| within(month, 1..=12))
        && day.is_none_or(|day| within(day, 1..=31))
        && parts.next().is_none()
}

/// `[HH[:mm[:ss[.fraction]]]][Z|±HH[:mm]]`
fn is_time(text: &str) -> bool {
    let (clock, offset) = match text.find(['z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    is_clock(clock) && is_offset(offset)
}

fn is_clock(text: &str) -> bool {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    (hour.is_empty() && minute.is_none() || within(hour, 0..=23))
        && minute.is_none_or(|minute| within(minute, 0..=59))
        && second.is_none_or(is_second)
        && parts.next().is_none()
}

fn is_second(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    within(whole, 0..=59) && fraction.is_none_or(|digits| number(digits, 1..=FRACTION_DIGITS_MAX).is_some())
}

fn is_offset(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['+', '-']) else { return text.is_empty() || text == "z" };
    let (hours, minutes) = rest.split_once(':').map_or((rest, None), |(hours, minutes)| (hours, Some(minutes)));
    let two_digits = |text: &str, range| text.len() == 2 && within(text, range);
    two_digits(hours, 0..=23) && minutes.is_none_or(|minutes| two_digits(minutes, 0..=59))
}

fn within(text: &str, range: RangeInclusive<i64>) -> bool {
    number(text, 1..=2).is_some_and(|number| range.contains(&number))
}

fn number(text: &str, digits: RangeInclusive<usize>) -> Option<i64> {
    let plain = digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_iam_reads() {
        for text in [
            "0",
            "9223372036854775807",
            "2019-07-01T13:20:15Z",
            "2016-12-13T21:20:37.593194+00:00",
            "2016-12-13t2:00:00.593194+23",
            "-292275054",
            "01T",
            "2017-07",
            "2017-07-01",
            "2017-07-01T10",
            "2017-07-01T10:30-05:00",
        ] {
            assert!(is_date(text), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_dates() {
        for text in [
            "",
            "sdfdsf",
            "9223372036854775808",
            "234-13",
            "2016-12-13t2:00:00.593194+1",
            "-292275055",
            "--1",
            "2016-12-13t2:00:00.1999999999+10:59",
            "2017-00-01",
            "2017-01-32",
            "2017-1-1-1",
            "2017-01-01T24:00:00Z",
            "2017-01-01T10:60Z",
            "2017-01-01T10:00:00ZZ",
            "+5",
            "１",
            "2017-01-01T:30",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }
}
