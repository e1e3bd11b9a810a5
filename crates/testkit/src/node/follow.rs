//! Hearing what the node tells.

use platform::BoxFuture;
use platform::workloads::{DriverError, Following, Report};
use tokio::sync::mpsc::UnboundedReceiver;

/// Somebody who follows the node.
pub(super) struct Follower(pub(super) UnboundedReceiver<Report>);

impl Following for Follower {
    fn next(&mut self) -> BoxFuture<'_, Result<Report, DriverError>> {
        let broken = || DriverError::Unavailable("the link broke".to_owned());
        Box::pin(async move { self.0.recv().await.ok_or_else(broken) })
    }
}
