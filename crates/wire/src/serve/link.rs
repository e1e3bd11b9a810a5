//! What the requests of a connection and their answers share with the connection.

use std::sync::Arc;

use super::activity::Activity;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Whether anything happens on it.
    pub(super) activity: Arc<Activity>,
}
