//! Dates in conditions: seconds since the epoch, or ISO 8601 from the year alone down to fractions of a second.

use std::ops::RangeInclusive;

const YEARS: RangeInclusive<i64> = -292_275_054..=292_278_993;
const FRACTION_DIGITS_MAX: usize = 9;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// Whether a text is a date that IAM reads.
pub(super) fn is_date(text: &str) -> bool {
    instant(text).is_some()
}

/// The instant that a date names, in nanoseconds since 1970. What a date leaves out is its least: January, the first,
/// midnight; without an offset it is UTC. A day that its month does not have runs over into the next.
pub(crate) fn instant(text: &str) -> Option<i128> {
    let text = text.to_ascii_lowercase();
    if text.contains('t') || text.contains('-') { iso8601(&text) } else { epoch_seconds(&text) }
}

fn epoch_seconds(text: &str) -> Option<i128> {
    Some(i128::from(number(text, 1..=19)?) * NANOS_PER_SECOND)
}

fn iso8601(text: &str) -> Option<i128> {
    let (date, time) = text.split_once('t').map_or((text, None), |(date, time)| (date, Some(time)));
    let days = calendar_days(date)?;
    let nanos = time.map_or(Some(0), time_nanos)?;
    Some(i128::from(days) * i128::from(SECONDS_PER_DAY) * NANOS_PER_SECOND + nanos)
}

/// Days from 1970-01-01.
fn calendar_days(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut parts = digits.split('-');
    let year = parts.next().and_then(|year| number(year, 1..=9)).map(|year| if negative { -year } else { year })?;
    let month = parts.next().map_or(Some(1), |month| within(month, 1..=12))?;
    let day = parts.next().map_or(Some(1), |day| within(day, 1..=31))?;
    (YEARS.contains(&year) && parts.next().is_none()).then(|| days_before_month(year, month) + day - 1)
}

/// Days from 1970-01-01 to the first of a month of the Gregorian calendar. Years are counted from March, so that a leap
/// day is a year's last; 400 of them have 146,097 days.
fn days_before_month(year: i64, month: i64) -> i64 {
    const DAYS_BEFORE_1970: i64 = 719_468;
    let year = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - DAYS_BEFORE_1970
}

/// `[HH[:mm[:ss[.fraction]]]][Z|±HH[:mm]]`
fn time_nanos(text: &str) -> Option<i128> {
    let (clock, offset) = match text.find(['z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    Some(clock_nanos(clock)? - i128::from(offset_seconds(offset)?) * NANOS_PER_SECOND)
}

fn clock_nanos(text: &str) -> Option<i128> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let hour = if hour.is_empty() && minute.is_none() { 0 } else { within(hour, 0..=23)? };
    let minute = minute.map_or(Some(0), |minute| within(minute, 0..=59))?;
    let second = second.map_or(Some(0), second_nanos)?;
    let whole = i128::from(hour * 3600 + minute * 60) * NANOS_PER_SECOND;
    parts.next().is_none().then_some(whole + second)
}

fn second_nanos(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = i128::from(within(whole, 0..=59)?) * NANOS_PER_SECOND;
    let Some(digits) = fraction else { return Some(whole) };
    let fraction = number(digits, 1..=FRACTION_DIGITS_MAX)?;
    let scale = u32::try_from(FRACTION_DIGITS_MAX - digits.len()).ok()?;
    Some(whole + i128::from(fraction) * 10_i128.pow(scale))
}

fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, rest) = match text.as_bytes().first() {
        None => return Some(0),
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        Some(_) => return (text == "z").then_some(0),
    };
    let (hours, minutes) = rest.split_once(':').map_or((rest, None), |(hours, minutes)| (hours, Some(minutes)));
    let two_digits = |text: &str, range| (text.len() == 2).then(|| within(text, range)).flatten();
    let minutes = minutes.map_or(Some(0), |minutes| two_digits(minutes, 0..=59))?;
    Some(sign * (two_digits(hours, 0..=23)? * 3600 + minutes * 60))
}

fn within(text: &str, range: RangeInclusive<i64>) -> Option<i64> {
    number(text, 1..=2).filter(|number| range.contains(number))
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

    #[test]
    fn dates_are_the_instants_that_they_name() {
        let rows = [
            ("0", 0),
            ("1970-01-01T00:00:00Z", 0),
            ("1970", 1970),
            ("1970-02", 31 * 86_400),
            ("2000-02-29", 951_782_400),
            ("2000-03-01T00:00:00+01:00", 951_868_800 - 3600),
            ("2026-01-01T00:00:00Z", 1_767_225_600),
            ("1969-12-31T23:59:59Z", -1),
            ("2017-07-01T10:30-05:30", 1_498_924_800),
            ("1900-03-01", -2_203_891_200),
        ];
        for (text, seconds) in rows {
            assert_eq!(instant(text), Some(seconds * NANOS_PER_SECOND), "{text}");
        }
        assert_eq!(instant("1970-01-01T00:00:00.25Z"), Some(250_000_000));
        assert!(instant("-292275054") < instant("-1-01-01"));
    }
}
