//! Instants as Insights shows them, and periods to round them to.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const WEEK: i64 = 7 * DAY;
/// The first Monday: weeks begin on one.
const FIRST_MONDAY: i64 = 4 * DAY;

/// `2026-01-31 12:34:56.789`, in UTC; what no calendar reaches is shown as the number that it is.
pub(super) fn shown(ms: i64) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(instant) => instant.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => ms.to_string(),
    }
}

/// A length of time as a query writes it: `5m`, `1h`, `2 weeks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Period {
    /// Milliseconds, counted from the first instant at or before 1970 that has such a boundary.
    Fixed { length: i64, origin: i64 },
    /// Months of the calendar, counted from the year 0.
    Months(i64),
}

impl Period {
    /// A period of so many units. As CloudWatch Logs caps them, at most 1000 ms, 60 s, 60 m and 24 h count: `bin(300s)` is
    /// `bin(60s)`. Days and longer units have no cap but the calendar's.
    pub(super) fn new(count: u32, unit: &str) -> Option<Period> {
        let count = i64::from(count);
        if count == 0 {
            return None;
        }
        let fixed = |length: i64, cap: i64| Some(Period::Fixed { length: length * count.min(cap), origin: 0 });
        // Longer ones than the calendar itself would have one boundary only.
        let count = count.min(9999 * 12);
        let unit = unit.to_ascii_lowercase();
        // Units and abbreviations of several characters can be plurals.
        let singular = unit.strip_suffix('s').filter(|singular| singular.len() > 1).unwrap_or(&unit);
        match singular {
            "ms" | "msec" | "millisecond" => fixed(1, 1000),
            "s" | "sec" | "second" => fixed(SECOND, 60),
            "m" | "min" | "minute" => fixed(MINUTE, 60),
            "h" | "hr" | "hour" => fixed(HOUR, 24),
            "d" | "day" => fixed(DAY, count),
            "w" | "week" => Some(Period::Fixed { length: WEEK * count, origin: FIRST_MONDAY }),
            "mo" | "mon" | "month" => Some(Period::Months(count)),
            "q" | "qtr" | "quarter" => Some(Period::Months(3 * count)),
            "y" | "yr" | "year" => Some(Period::Months(12 * count)),
            _ => None,
        }
    }

    /// The period's last boundary at or before an instant; nothing where the calendar has no such date.
    pub(super) fn floor(self, ms: i64) -> Option<i64> {
        match self {
            Period::Fixed { length, origin } => {
                let since = ms.checked_sub(origin)?;
                since.div_euclid(length).checked_mul(length)?.checked_add(origin)
            }
            Period::Months(count) => {
                let date = Timestamp::from_millisecond(ms).ok()?.to_zoned(TimeZone::UTC).date();
                let month = i64::from(date.year()) * 12 + i64::from(date.month()) - 1;
                let floored = month.div_euclid(count) * count;
                let first = Date::new(
                    i16::try_from(floored.div_euclid(12)).ok()?,
                    i8::try_from(floored.rem_euclid(12) + 1).ok()?,
                    1,
                );
                milliseconds(first.ok()?.into())
            }
        }
    }

    /// The period's first boundary at or after an instant.
    pub(super) fn ceil(self, ms: i64) -> Option<i64> {
        let floor = self.floor(ms)?;
        if floor == ms {
            return Some(ms);
        }
        match self {
            Period::Fixed { length, .. } => floor.checked_add(length),
            Period::Months(count) => {
                let start = Timestamp::from_millisecond(floor).ok()?.to_zoned(TimeZone::UTC).datetime();
                milliseconds(start.checked_add(i32::try_from(count).ok()?.months()).ok()?)
            }
        }
    }
}

fn milliseconds(date: DateTime) -> Option<i64> {
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}
