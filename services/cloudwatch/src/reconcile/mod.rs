//! What goes on by itself.
//!
//! - [`alarm_index`]: knows which alarms there are, and evaluates those over other alarms.
//! - [`alarms`]: evaluates metric alarms when their time has come or data has.
//! - [`retention`]: rolls metric data up and drops it.
//! - [`alarm_history`]: drops history.

pub mod alarm_history;
pub mod alarm_index;
pub mod alarms;
pub mod retention;
mod schedule;

pub(crate) use schedule::Schedule;
