//! Amazon CloudWatch Logs: log groups, their streams and events, and the two languages that ask for events.
//!
//! - [`pattern`]: filter patterns, which FilterLogEvents, metric filters, subscription filters and Live Tail use.

pub mod pattern;
