//! Instants, to the millisecond, and the three texts in which AWS's protocols write them.

use std::fmt;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A text or number that is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a timestamp")]
pub struct TimestampError(String);

/// Milliseconds since 1970-01-01T00:00:00Z, within the years 1 to 9999 but for the last day.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "i64", into = "i64")]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000);
    /// 9999-12-30T22:00:00Z, the last instant whose date has four-digit years in every time zone.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// The instant `millis` after the epoch, clamped to the years that can be written.
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// The instant `seconds` after the epoch, clamped.
    pub const fn from_secs(seconds: i64) -> Self {
        Self::from_millis(seconds.saturating_mul(1000))
    }

    /// The instant that a protocol's number means: seconds since the epoch, with a fraction.
    pub fn from_epoch_seconds(seconds: f64) -> Result<Self, TimestampError> {
        let millis = (seconds * 1000.0).round();
        if millis >= Self::MIN.0 as f64 && millis <= Self::MAX.0 as f64 {
            Ok(Self(millis as i64))
        } else {
            Err(TimestampError(seconds.to_string()))
        }
    }

    /// RFC 3339 with any offset, fraction optional; what `iso8601` members carry.
    pub fn parse_iso8601(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self::from_millis(t.as_millisecond()))
            .map_err(|_| TimestampError(text.chars().take(64).collect()))
    }

    /// `Tue, 29 Apr 2014 18:30:38 GMT`; what `rfc822` members and HTTP headers carry.
    pub fn parse_http_date(text: &str) -> Result<Self, TimestampError> {
        jiff::fmt::rfc2822::parse(text)
            .map(|t| Self::from_millis(t.timestamp().as_millisecond()))
            .map_err(|_| TimestampError(text.chars().take(64).collect()))
    }

    /// `20150830T123600Z`; what `x-amz-date` carries.
    pub fn parse_basic(text: &str) -> Result<Self, TimestampError> {
        let error = || TimestampError(text.chars().take(64).collect());
        if text.len() != 16 || !text.is_ascii() {
            return Err(error());
        }
        let (date, time) = (&text[..8], &text[8..]);
        if !date.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let (Some(time), true) = (time.strip_prefix('T'), text.ends_with('Z')) else { return Err(error()) };
        let extended =
            format!("{}-{}-{}T{}:{}:{}Z", &date[..4], &date[4..6], &date[6..], &time[..2], &time[2..4], &time[4..6]);
        Self::parse_iso8601(&extended).map_err(|_| error())
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The later instant `by` away.
    pub fn plus(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `2014-04-29T18:30:38Z`, with `.123` when there is a fraction.
    pub fn iso8601(self) -> String {
        let time = self.civil();
        if self.0.rem_euclid(1000) == 0 {
            time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
        } else {
            time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
        }
    }

    /// `Tue, 29 Apr 2014 18:30:38 GMT`.
    pub fn http_date(self) -> String {
        self.civil().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// `20140429T183038Z`.
    pub fn basic(self) -> String {
        self.civil().strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn civil(self) -> jiff::Zoned {
        jiff::Timestamp::from_millisecond(self.0)
            .expect("the constructors clamp to years that the calendar has")
            .to_zoned(TimeZone::UTC)
    }
}

impl From<i64> for Timestamp {
    fn from(millis: i64) -> Self {
        Self::from_millis(millis)
    }
}

impl From<Timestamp> for i64 {
    fn from(instant: Timestamp) -> Self {
        instant.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_has_the_same_meaning_in_every_format() {
        let t = Timestamp::from_secs(1_398_796_238);
        assert_eq!(t.iso8601(), "2014-04-29T18:30:38Z");
        assert_eq!(t.http_date(), "Tue, 29 Apr 2014 18:30:38 GMT");
        assert_eq!(t.basic(), "20140429T183038Z");
        assert_eq!(Timestamp::parse_iso8601("2014-04-29T20:30:38+02:00"), Ok(t));
        assert_eq!(Timestamp::parse_http_date("Tue, 29 Apr 2014 18:30:38 GMT"), Ok(t));
        assert_eq!(Timestamp::parse_basic("20140429T183038Z"), Ok(t));
        assert_eq!(Timestamp::from_epoch_seconds(1_398_796_238.0), Ok(t));
    }

    #[test]
    fn a_fraction_survives() {
        let t = Timestamp::from_epoch_seconds(1_398_796_238.123).unwrap();
        assert_eq!(t.iso8601(), "2014-04-29T18:30:38.123Z");
        assert_eq!(Timestamp::parse_iso8601(&t.iso8601()), Ok(t));
    }

    #[test]
    fn the_first_and_the_last_instant_can_be_written() {
        for t in [Timestamp::MIN, Timestamp::MAX, Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX)] {
            assert_eq!(Timestamp::parse_iso8601(&t.iso8601()), Ok(t));
            assert!(!t.http_date().is_empty() && !t.basic().is_empty());
        }
        let stored: Timestamp = serde_json::from_str("9223372036854775807").unwrap();
        assert_eq!(stored, Timestamp::MAX);
    }

    #[test]
    fn nonsense_is_refused_without_panic() {
        for text in ["", "now", "2014-13-01T00:00:00Z", "20140429T183038", "2014042éT183038Z", "99999999T999999Z"] {
            assert!(Timestamp::parse_iso8601(text).is_err(), "{text}");
            assert!(Timestamp::parse_basic(text).is_err(), "{text}");
            assert!(Timestamp::parse_http_date(text).is_err(), "{text}");
        }
        for number in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
            assert!(Timestamp::from_epoch_seconds(number).is_err(), "{number}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_instant_can_be_written_and_read_back(millis in Timestamp::MIN.0..=Timestamp::MAX.0) {
            let t = Timestamp::from_millis(millis);
            proptest::prop_assert_eq!(Timestamp::parse_iso8601(&t.iso8601()), Ok(t));
            proptest::prop_assert_eq!(Timestamp::parse_http_date(&t.http_date()).map(Timestamp::as_secs), Ok(t.as_secs()));
        }
    }
}
