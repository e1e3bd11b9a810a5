//! How finely data is kept, and for how long: AWS's retention.

/// The length of a slot. Data ages from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resolution {
    /// One second, kept for 3 hours: high-resolution metrics.
    Second,
    /// One minute, kept for 15 days.
    Minute,
    /// Five minutes, kept for 63 days.
    FiveMinutes,
    /// One hour, kept for 455 days.
    Hour,
}

impl Resolution {
    /// The finest first.
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::FiveMinutes, Self::Hour];

    /// The length of a slot in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::FiveMinutes => 300,
            Self::Hour => 3600,
        }
    }

    /// How old data may become before it is rolled up into the next resolution (or dropped), in seconds.
    pub const fn retention_s(self) -> i64 {
        match self {
            Self::Second => 3 * 3600,
            Self::Minute => 15 * 86_400,
            Self::FiveMinutes => 63 * 86_400,
            Self::Hour => 455 * 86_400,
        }
    }

    /// How many slots are kept together: few enough that adding to them is cheap, many enough that reading is.
    pub const fn slots(self) -> i64 {
        match self {
            Self::Second => 300,
            Self::Minute => 60,
            Self::FiveMinutes => 72,
            Self::Hour => 96,
        }
    }

    /// How long the slots that are kept together are, in seconds.
    pub const fn window_s(self) -> i64 {
        self.seconds() * self.slots()
    }

    /// What data of this resolution becomes; none if it is dropped.
    pub const fn coarser(self) -> Option<Self> {
        match self {
            Self::Second => Some(Self::Minute),
            Self::Minute => Some(Self::FiveMinutes),
            Self::FiveMinutes => Some(Self::Hour),
            Self::Hour => None,
        }
    }

    /// What data that is kept so is seen at when it is this old, in seconds: as if it had been rolled up on the dot. None
    /// when it is too old to be seen.
    pub fn at_age(self, age_s: i64) -> Option<Self> {
        let mut seen = self;
        while age_s > seen.retention_s() {
            seen = seen.coarser()?;
        }
        Some(seen)
    }

    /// The name of the resolution in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Second => "1s",
            Self::Minute => "1m",
            Self::FiveMinutes => "5m",
            Self::Hour => "1h",
        }
    }

    /// The resolution of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Where the window begins that has this instant, in seconds since the epoch.
    pub const fn window_of(self, at_s: i64) -> i64 {
        at_s - at_s.rem_euclid(self.window_s())
    }
}

/// Whether CloudWatch takes a period: 1, 5, 10, 20, 30 or whole minutes.
pub fn is_period(period_s: i64) -> bool {
    matches!(period_s, 1 | 5 | 10 | 20 | 30) || (period_s > 0 && period_s % 60 == 0)
}

/// To what the beginning of a query is rounded down: what the data of that age is kept in, or a short period itself.
pub fn start_granularity(period_s: i64, age_s: i64) -> i64 {
    if age_s > Resolution::FiveMinutes.retention_s() {
        Resolution::Hour.seconds()
    } else if age_s > Resolution::Minute.retention_s() {
        Resolution::FiveMinutes.seconds()
    } else {
        period_s.min(Resolution::Minute.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_seen_at_the_resolution_of_its_age() {
        let (hour, day) = (3600, 86_400);
        assert_eq!(Resolution::Second.at_age(3 * hour), Some(Resolution::Second));
        assert_eq!(Resolution::Second.at_age(3 * hour + 1), Some(Resolution::Minute));
        assert_eq!(Resolution::Second.at_age(16 * day), Some(Resolution::FiveMinutes));
        assert_eq!(Resolution::Minute.at_age(-60), Some(Resolution::Minute));
        assert_eq!(Resolution::Minute.at_age(64 * day), Some(Resolution::Hour));
        assert_eq!(Resolution::Hour.at_age(456 * day), None);
    }

    #[test]
    fn every_window_is_made_of_whole_slots_of_the_next_resolution() {
        for resolution in Resolution::ALL {
            assert_eq!(Resolution::named(resolution.name()), Some(resolution));
            if let Some(coarser) = resolution.coarser() {
                assert_eq!(resolution.window_s() % coarser.seconds(), 0, "{resolution:?}");
                assert_eq!(coarser.window_s() % resolution.window_s(), 0, "{resolution:?}");
            }
        }
    }

    #[test]
    fn periods_are_those_of_cloudwatch() {
        for period in [1, 5, 10, 20, 30, 60, 120, 86_400] {
            assert!(is_period(period), "{period}");
        }
        for period in [0, -60, 2, 15, 45, 61, 90] {
            assert!(!is_period(period), "{period}");
        }
    }
}
