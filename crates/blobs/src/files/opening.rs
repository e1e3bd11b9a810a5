//! When a directory was opened, by the clock that the file system stamps files with.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::collect::age;
use crate::root::open_beneath;

/// By how much the clock may differ from the time that has passed before it counts as set.
const DRIFT_MAX: Duration = Duration::from_secs(60);
/// The file whose making tells the file system's time.
const MARK: &str = "opened";

/// The moment of an opening.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// As files are stamped.
    stamp: Duration,
    /// As the clock said, which can be set.
    clock: Duration,
    /// As time passes, whatever the clock says.
    passed: Duration,
}

impl Opening {
    /// This moment, found out in a directory that is used for nothing else yet.
    pub(super) fn now(directory: BorrowedFd<'_>) -> Result<Self, Errno> {
        let file = open_beneath(directory, MARK, OFlags::RDWR | OFlags::CREATE, Mode::RUSR | Mode::WUSR)?;
        let stat = rustix::fs::fstat(&file);
        rustix::fs::unlinkat(directory, MARK, AtFlags::empty())?;
        let stat = stat?;
        Ok(Self { stamp: duration(stat.st_ctime, stat.st_ctime_nsec), clock: clock(), passed: passed() })
    }

    /// The opening, unless the clock was set since.
    pub(super) fn if_clock_holds(&self) -> Option<Self> {
        self.holds_at(clock(), passed()).then_some(*self)
    }

    fn holds_at(&self, clock: Duration, passed: Duration) -> bool {
        let expected = self.clock + passed.saturating_sub(self.passed);
        expected.abs_diff(clock) <= DRIFT_MAX
    }

    /// Whether what was stamped so was there before the opening, or is older than `grace`.
    pub(super) fn is_settled(
        &self,
        seconds: impl TryInto<u64> + Copy,
        nanoseconds: impl TryInto<u32> + Copy,
        grace: Duration,
    ) -> bool {
        // Of two files that are made in one tick of that clock nobody knows which came first.
        duration(seconds, nanoseconds) < self.stamp || age(seconds, nanoseconds) >= grace
    }
}

fn duration(seconds: impl TryInto<u64>, nanoseconds: impl TryInto<u32>) -> Duration {
    Duration::new(seconds.try_into().unwrap_or_default(), nanoseconds.try_into().unwrap_or_default())
}

fn clock() -> Duration {
    of(clock_gettime(ClockId::Realtime))
}

fn passed() -> Duration {
    of(clock_gettime(ClockId::Boottime))
}

fn of(time: Timespec) -> Duration {
    duration(time.tv_sec, time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn what_was_there_before_is_settled_at_once_and_what_came_since_after_its_grace() {
        let now = clock();
        let opening = Opening { stamp: now - 100 * SECOND, clock: now, passed: passed() };
        let is_settled = |stamp: Duration| opening.is_settled(stamp.as_secs(), stamp.subsec_nanos(), DAY);
        assert!(is_settled(now - 101 * SECOND));
        assert!(!is_settled(now - 100 * SECOND) && !is_settled(now));
        let long_ago = Opening { stamp: now - 3 * DAY, ..opening };
        let stamp = now - 2 * DAY;
        assert!(long_ago.is_settled(stamp.as_secs(), stamp.subsec_nanos(), DAY));
    }

    #[test]
    fn a_clock_that_was_set_is_noticed_either_way() {
        let opening = Opening { stamp: DAY, clock: DAY, passed: 50 * SECOND };
        let later = 3600 * SECOND;
        assert!(opening.holds_at(DAY + later + SECOND, 50 * SECOND + later));
        assert!(!opening.holds_at(DAY + later + DAY, 50 * SECOND + later));
        assert!(!opening.holds_at(SECOND, 50 * SECOND + later));
    }
}
