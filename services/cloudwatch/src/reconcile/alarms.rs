//! Evaluates metric alarms: a little after the end of each period, and when data has come in for a period that has ended.
//! An alarm without any data rests until there is some.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use platform::{BoxFuture, Cause, Platform, Reconciler, Round, Wake};
use store::{Scope, StoreError, Tx, Versioned};

use super::Schedule;
use super::schedule::Due;
use crate::Error;
use crate::alarm::evaluation::{Decision, Point, decide};
use crate::alarm::points::{self, Rhythm};
use crate::alarm::reason::{self, Subject};
use crate::alarm::rule::Rule;
use crate::alarm::transition::{Target, transition};
use crate::alarm::{Alarm, find};
use crate::api::{PutMetricAlarmInput, StateValue};
use crate::arrivals::Arrivals;
use crate::metric::read::{self, Window};

/// How often an evaluation begins anew because the alarm was changed meanwhile.
const ATTEMPTS_MAX: u32 = 8;
/// How far ahead data can lie.
const AHEAD_S: i64 = 2 * 3600;
/// When an alarm is evaluated again that others kept changing.
const PAUSE: Duration = Duration::from_secs(1);

/// Evaluates alarms.
#[derive(Debug)]
pub struct Alarms {
    platform: Platform,
    arrivals: Arc<Arrivals>,
    schedule: Arc<Schedule>,
}

impl Alarms {
    pub(crate) fn new(platform: Platform, arrivals: Arc<Arrivals>, schedule: Arc<Schedule>) -> Self {
        Self { platform, arrivals, schedule }
    }

    async fn pass(&self) -> Result<Round, Error> {
        let now = self.platform.clock.now();
        self.schedule.data(&self.arrivals.take(), now);
        let mut changed = Vec::new();
        for due in self.schedule.due(now) {
            let outcome = self.evaluate(&due, now).await?;
            self.schedule.set(&due.key, outcome.next);
            changed.extend(outcome.changed);
        }
        let count = u64::try_from(changed.len()).unwrap_or(u64::MAX);
        Ok(Round::did(count, changed.join("; ")).due(self.schedule.next()))
    }

    async fn evaluate(&self, due: &Due, now: Timestamp) -> Result<Outcome, Error> {
        for _ in 0..ATTEMPTS_MAX {
            match self.attempt(due, now).await {
                Err(Error::Store(error)) if error.is_conflict() => {}
                outcome => return outcome,
            }
        }
        Ok(Outcome { next: Some(now.plus(PAUSE)), changed: None })
    }

    async fn attempt(&self, due: &Due, now: Timestamp) -> Result<Outcome, Error> {
        let store = &self.platform.store;
        let found = find(store, &due.scope, &due.name).await?;
        let Some(alarm) = found.filter(|it| it.metric().is_some()) else { return Ok(Outcome::RESTS) };
        let Some((input, rule)) = alarm.metric().and_then(|it| Some((it, Rule::of(it)?))) else {
            tracing::error!(alarm = %due.key, "an alarm cannot be evaluated: its rule is not complete");
            return Ok(Outcome::RESTS);
        };
        let (target, has_data) = match points::read(store, &due.scope, (input, &rule, due.rhythm), now).await {
            Ok(points) => (target(input, &rule, &points, due.rhythm, now), points.iter().any(Option::is_some)),
            // One metric's damaged data must not stop the other alarms.
            Err(Error::Store(error @ StoreError::Record { .. })) => {
                tracing::error!(alarm = %due.key, %error, "an alarm cannot be evaluated");
                (Some(cannot("the data of its metric is damaged")), true)
            }
            Err(Error::Store(error)) => return Err(error.into()),
            Err(problem) => (Some(cannot(problem)), true),
        };
        let changed = self.settle(&alarm, &due.scope, target, now).await?;
        let rests = !has_data && !self.has_data_ahead(&alarm, &due.scope, due.rhythm, now).await?;
        Ok(Outcome { next: (!rests).then(|| due.rhythm.next(now)), changed })
    }

    /// Brings the alarm into its state. What it is in already is written again only if a person had set it.
    async fn settle(
        &self,
        alarm: &Versioned<Alarm>,
        scope: &Scope,
        target: Option<Target>,
        now: Timestamp,
    ) -> Result<Option<String>, Error> {
        let old = &alarm.state;
        let Some(target) = target.filter(|it| it.value != old.value || old.is_set_by_hand) else { return Ok(None) };
        let told = format!("{} is {}", alarm.name(), target.value.as_str());
        let mut tx = Tx::new();
        transition(&mut tx, scope, alarm, target, (now, &*self.platform.rng));
        self.platform.store.commit(tx).await?;
        Ok(Some(told))
    }

    /// Whether there is data whose time has still to come: it was told of when it came in, but not to this process if that
    /// has been started since.
    async fn has_data_ahead(
        &self,
        alarm: &Alarm,
        scope: &Scope,
        rhythm: Rhythm,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let window = Window { start_s: rhythm.end_s(now), end_s: now.as_secs() + AHEAD_S, period_s: rhythm.period_s };
        for metric in alarm.metrics() {
            if !read::periods(&self.platform.store, scope, &metric.series(), window, now).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What an evaluation came to.
struct Outcome {
    /// When the next one is due.
    next: Option<Timestamp>,
    /// What has changed, for a person.
    changed: Option<String>,
}

impl Outcome {
    const RESTS: Self = Self { next: None, changed: None };
}

fn target(
    input: &PutMetricAlarmInput,
    rule: &Rule,
    points: &[Option<Point>],
    rhythm: Rhythm,
    now: Timestamp,
) -> Option<Target> {
    let decision = decide(points, rule);
    let Decision::State { state, .. } = decision else { return None };
    let statistic = input.statistic.map(|it| it.as_str()).or(input.extended_statistic.as_deref());
    let unit = input.unit.map(|it| it.as_str());
    let subject = Subject { queried_at: now, statistic, unit, period_s: rhythm.period_s };
    Some(Target {
        value: state,
        reason: reason::text(&decision, rule).unwrap_or_default(),
        reason_data: reason::data(&decision, rule, &subject),
        is_set_by_hand: false,
    })
}

/// The state of an alarm whose expression cannot be computed on its data.
fn cannot(problem: impl std::fmt::Display) -> Target {
    Target {
        value: StateValue::InsufficientData,
        reason: format!("Unable to evaluate the alarm: {problem}").chars().take(1023).collect(),
        reason_data: None,
        is_set_by_hand: false,
    }
}

impl Reconciler for Alarms {
    fn name(&self) -> &str {
        "cloudwatch/alarms"
    }

    fn wakes(&self) -> Vec<Wake> {
        vec![Wake::Signal(self.arrivals.signal())]
    }

    fn round(&self) -> BoxFuture<'_, Result<Round, Cause>> {
        Box::pin(async { self.pass().await.map_err(Cause::from) })
    }
}
