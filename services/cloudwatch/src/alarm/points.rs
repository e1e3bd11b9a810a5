//! Reads the points that a metric alarm is evaluated on.

use base::{AccountId, Timestamp};
use store::{Scope, Store};

use super::evaluation::{EXTRA, Point};
use super::rule::Rule;
use crate::Error;
use crate::api::PutMetricAlarmInput;
use crate::metric::datum::unit_of;
use crate::metric::read::{self, Window};
use crate::metric::statistic::Statistic;
use crate::query;

/// How long after the end of a period an alarm is evaluated, so that data which is sent at the period's end has come in.
const SETTLE_S: i64 = 10;
/// The same for high-resolution alarms.
const SETTLE_HIGH_RESOLUTION_S: i64 = 2;
/// What of a day an alarm is evaluated on at the most, and one with a period of an hour and longer.
pub(super) const RANGE_MAX_S: i64 = 86_400;
pub(super) const LONG_RANGE_MAX_S: i64 = 7 * 86_400;

/// The rhythm of an alarm: how often it is evaluated, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    /// The length of its period in seconds.
    pub period_s: i64,
}

impl Rhythm {
    /// How far one evaluation is from the next: a minute, or a short period. Longer periods slide.
    pub fn step_s(self) -> i64 {
        self.period_s.min(60)
    }

    fn settle_s(self) -> i64 {
        if self.period_s < 60 { SETTLE_HIGH_RESOLUTION_S } else { SETTLE_S }
    }

    /// The end of the last period that can be evaluated now.
    pub fn end_s(self, now: Timestamp) -> i64 {
        let settled = now.as_secs() - self.settle_s();
        settled - settled.rem_euclid(self.step_s())
    }

    /// When the next evaluation can say something else.
    pub fn next(self, now: Timestamp) -> Timestamp {
        Timestamp::from_secs(self.end_s(now) + self.step_s() + self.settle_s())
    }

    /// When data of an instant can be evaluated.
    pub fn after_data(self, at_s: i64) -> Timestamp {
        let end_s = at_s - at_s.rem_euclid(self.step_s()) + self.step_s();
        Timestamp::from_secs(end_s + self.settle_s())
    }
}

/// The period of an admitted alarm in seconds: that of its metric, or the longest of its queries.
pub fn period_of(alarm: &PutMetricAlarmInput) -> Option<i64> {
    let queries = alarm.metrics.iter().flatten();
    let periods = queries.flat_map(|query| [query.metric_stat.as_ref().map(|stat| stat.period), query.period]);
    periods.chain([alarm.period]).flatten().map(i64::from).filter(|it| *it > 0).max()
}

/// The points of the evaluation range, the newest first.
///
/// # Errors
/// [`Error::Validation`] for an expression that cannot be computed, and the store's errors.
pub async fn read(
    store: &Store,
    scope: &Scope,
    (alarm, rule, rhythm): (&PutMetricAlarmInput, &Rule, Rhythm),
    now: Timestamp,
) -> Result<Vec<Option<Point>>, Error> {
    let range = i64::try_from(rule.evaluation_periods + EXTRA).unwrap_or(i64::MAX);
    let end_s = rhythm.end_s(now);
    let start_s = end_s.saturating_sub(range.saturating_mul(rhythm.period_s));
    let window = Window { start_s, end_s, period_s: rhythm.period_s };
    let found = match &alarm.metrics {
        Some(_) => of_queries(store, scope, alarm, window, now).await?,
        None => of_metric(store, scope, alarm, window, now).await?,
    };
    let ends = (1..=range).map(|age| end_s - age * rhythm.period_s);
    Ok(ends.map(|at_s| found.iter().find(|point| point.at_s == at_s).copied()).collect())
}

async fn of_metric(
    store: &Store,
    scope: &Scope,
    alarm: &PutMetricAlarmInput,
    window: Window,
    now: Timestamp,
) -> Result<Vec<Point>, Error> {
    let (Some(namespace), Some(name)) = (&alarm.namespace, &alarm.metric_name) else { return Ok(Vec::new()) };
    let simple = alarm.statistic.and_then(|it| Statistic::simple(it.as_str()));
    let extended = alarm.extended_statistic.as_deref().and_then(Statistic::extended);
    let Some(statistic) = simple.or(extended) else { return Ok(Vec::new()) };
    let series = super::metric_id(namespace, name, alarm.dimensions.as_deref()).series();
    let periods = read::periods(store, scope, &series, window, now).await?;
    let values = read::in_unit(periods, alarm.unit.map(unit_of));
    let point = |(at_s, all): (&i64, &crate::metric::aggregate::Aggregate)| {
        let value = statistic.of(all)?;
        Some(Point { at_s: *at_s, value, samples: Some(all.count) })
    };
    Ok(values.iter().filter_map(point).collect())
}

async fn of_queries(
    store: &Store,
    scope: &Scope,
    alarm: &PutMetricAlarmInput,
    window: Window,
    now: Timestamp,
) -> Result<Vec<Point>, Error> {
    let queries =
        query::admit(alarm.metrics.clone().unwrap_or_default(), scope.account().unwrap_or(AccountId::DEFAULT))?;
    let span = (Timestamp::from_secs(window.start_s), Timestamp::from_secs(window.end_s));
    let mut results = query::run(store, scope, &queries, span, now).await?;
    let answered = queries.iter().find(|query| query.returns_data);
    let mut series = answered.and_then(|query| results.remove(&query.id)).unwrap_or_default();
    if series.len() > 1 {
        let message = "The expression of the alarm yields more than one time series.";
        return Err(Error::Validation(message.to_owned()));
    }
    let values = series.pop().map(|series| series.values).unwrap_or_default();
    Ok(values.into_iter().map(|(at_s, value)| Point { at_s, value, samples: None }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_evaluated_a_little_after_each_minute() {
        let minute = Rhythm { period_s: 300 };
        let at = Timestamp::from_secs;
        assert_eq!(minute.end_s(at(609)), 540);
        assert_eq!(minute.end_s(at(610)), 600);
        assert_eq!(minute.next(at(609)), at(610));
        assert_eq!(minute.next(at(610)), at(670));
        assert_eq!(minute.after_data(599), at(610));
        assert_eq!(minute.after_data(600), at(670));
        let short = Rhythm { period_s: 10 };
        assert_eq!((short.end_s(at(22)), short.next(at(22))), (20, at(32)));
    }
}
