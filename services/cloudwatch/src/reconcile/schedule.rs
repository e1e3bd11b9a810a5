//! When which metric alarm is to be evaluated. In memory: after a start every alarm is due.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base::Timestamp;
use store::{Key, Scope, Versioned};

use crate::alarm::Alarm;
use crate::alarm::points::{Rhythm, period_of};
use crate::metric::ingest::metric_key;

/// The alarms and their turns.
#[derive(Debug, Default)]
pub(crate) struct Schedule(Mutex<BTreeMap<Key, Planned>>);

#[derive(Debug, Clone)]
struct Planned {
    scope: Scope,
    name: String,
    rhythm: Rhythm,
    /// The records of the metrics that it looks at.
    metrics: Vec<Key>,
    configured_at: Timestamp,
    /// None while nothing can change but by new data.
    due: Option<Timestamp>,
}

/// An alarm whose turn it is.
#[derive(Debug, Clone)]
pub(crate) struct Due {
    pub(crate) key: Key,
    pub(crate) scope: Scope,
    pub(crate) name: String,
    pub(crate) rhythm: Rhythm,
}

impl Schedule {
    /// Takes over which alarms there are. Answers the metrics that they look at.
    pub(crate) fn sync(&self, alarms: &[Versioned<Alarm>], now: Timestamp) -> HashSet<Key> {
        let mut planned = self.lock();
        let mut synced = BTreeMap::new();
        for alarm in alarms {
            let Some(period_s) = alarm.metric().and_then(period_of) else { continue };
            let before = planned.remove(&alarm.key);
            let is_known = before.as_ref().is_some_and(|it| it.configured_at == alarm.configured_at);
            let rhythm = Rhythm { period_s };
            let due = match before.filter(|_| is_known) {
                None => Some(now),
                // A state that was set by hand lasts until the next evaluation, so there must be one.
                Some(before) if alarm.state.is_set_by_hand => before.due.or(Some(rhythm.next(now))),
                Some(before) => before.due,
            };
            let metric = |id: &crate::metric::MetricId| metric_key(&alarm.scope, id.namespace(), &id.series());
            let it = Planned {
                scope: alarm.scope.clone(),
                name: alarm.name().to_owned(),
                rhythm,
                metrics: alarm.metrics().iter().map(metric).collect(),
                configured_at: alarm.configured_at,
                due,
            };
            synced.insert(alarm.key.clone(), it);
        }
        *planned = synced;
        planned.values().flat_map(|it| it.metrics.iter().cloned()).collect()
    }

    /// Takes note of data that came in: the earliest instant of each metric.
    pub(crate) fn data(&self, arrived: &HashMap<Key, i64>, now: Timestamp) {
        if arrived.is_empty() {
            return;
        }
        for planned in self.lock().values_mut() {
            let earliest = planned.metrics.iter().filter_map(|metric| arrived.get(metric)).min();
            if let Some(at_s) = earliest {
                let due = planned.rhythm.after_data(*at_s).max(now);
                planned.due = Some(planned.due.map_or(due, |before| before.min(due)));
            }
        }
    }

    /// Whose turn it is.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Due> {
        let planned = self.lock();
        let due = planned.iter().filter(|(_, it)| it.due.is_some_and(|due| due <= now));
        due.map(|(key, it)| Due { key: key.clone(), scope: it.scope.clone(), name: it.name.clone(), rhythm: it.rhythm })
            .collect()
    }

    /// Sets an alarm's next turn. Data that has come in meanwhile is not forgotten: it is told again by its own.
    pub(crate) fn set(&self, key: &Key, due: Option<Timestamp>) {
        if let Some(planned) = self.lock().get_mut(key) {
            planned.due = due;
        }
    }

    /// The first turn of any.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.lock().values().filter_map(|it| it.due).min()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Planned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
