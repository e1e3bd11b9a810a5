//! Amazon CloudWatch: metrics, what is computed of them, and alarms.
//!
//! - [`CloudWatch`] is the entry; generated code in `api` routes each operation to its file in `ops`. It is also where other
//!   services put metrics of their own ([`platform::ports::MetricSink`]).
//! - [`metric`]: data points on their way to the disk and back, rolled up as they grow old.
//! - [`math`], [`query`]: expressions over metrics, and what GetMetricData asks.
//! - [`alarm`]: rules over metrics, expressions and other alarms; INSUFFICIENT_DATA, OK, ALARM.
//! - [`reconcile`]: evaluates alarms, keeps data and history as long as CloudWatch does.
//!
//! What is not here: dashboards, anomaly detection, Metrics Insights and SEARCH, metric streams, insight rules. Nothing can
//! be notified yet: an alarm's action fails, and its history says so.

mod access;
pub mod alarm;
mod alarm_names;
pub mod api;
pub mod arrivals;
mod error;
mod facts;
pub mod math;
pub mod metric;
mod names;
mod ops;
mod page;
pub mod query;
pub mod reconcile;
mod sink;

use std::sync::Arc;

use platform::{Platform, Reconciler};

use arrivals::Arrivals;
pub use error::Error;
use metric::ingest::Ingest;
use reconcile::Schedule;
use reconcile::alarm_history::AlarmHistory;
use reconcile::alarm_index::AlarmIndex;
use reconcile::alarms::Alarms;
use reconcile::retention::Retention;

/// The service. Cheap to clone; clones write together.
#[derive(Clone, Debug)]
pub struct CloudWatch {
    /// What it is built on.
    pub platform: Platform,
    pub(crate) ingest: Arc<Ingest>,
    arrivals: Arc<Arrivals>,
}

impl CloudWatch {
    /// The service over a platform. There should be one in a process: it is what its alarms learn of data by.
    pub fn new(platform: Platform) -> Self {
        let arrivals = Arc::new(Arrivals::default());
        let ingest = Arc::new(Ingest::new(platform.store.clone(), arrivals.clone()));
        Self { platform, ingest, arrivals }
    }

    /// What goes on by itself, to be started once.
    pub fn reconcilers(&self) -> Vec<Arc<dyn Reconciler>> {
        let schedule = Arc::new(Schedule::default());
        let (platform, arrivals) = (&self.platform, &self.arrivals);
        vec![
            Arc::new(AlarmIndex::new(platform.clone(), arrivals.clone(), schedule.clone())),
            Arc::new(Alarms::new(platform.clone(), arrivals.clone(), schedule)),
            Arc::new(Retention::new(platform.clone())),
            Arc::new(AlarmHistory::new(platform.clone())),
        ]
    }
}
