//! The connection with the node: it is made, listened to, and made again.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use tokio::time::timeout;

use super::super::{DriverError, Following, Report};
use super::Shared;
use super::state::{Follower, Link};
use crate::backoff::Backoff;
use crate::guarded::brief;
use crate::reconciler::Cause;

/// How long a node may take to say what it has and to begin to tell.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// For how long a node may be away before nothing more is placed on it: one that is started again is back sooner.
const AWAY_AFTER: Duration = Duration::from_secs(3);
/// When a node that does not answer is tried again.
const RETRY: Backoff = Backoff { first: Duration::from_millis(50), longest: Duration::from_secs(2) };

impl Shared {
    /// Connects with the node if there is no connection. Answers when to try again, if that failed.
    pub(super) async fn link(self: &Arc<Self>) -> Result<Option<Timestamp>, Cause> {
        let now = self.workloads.now();
        let wait = self.state.with_link(|link| match link {
            Link::New => Some(None),
            Link::Down { retry_at, .. } => Some(Some(*retry_at)),
            Link::Linked { .. } => None,
        });
        match wait {
            None => return Ok(None),
            Some(Some(at)) if at > now => return Ok(Some(at)),
            Some(_) => {}
        }
        match timeout(CONNECT_MAX, self.connect()).await {
            Ok(Ok(Ok(following))) => {
                self.listen(following);
                Ok(None)
            }
            Ok(Ok(Err(failure))) => self.unreachable(failure.to_string()).await.map(Some),
            Ok(Err(cause)) => Err(cause),
            Err(_) => {
                let why = format!("it has not answered for {} s", CONNECT_MAX.as_secs());
                self.unreachable(why).await.map(Some)
            }
        }
    }

    /// The inner error is the node's.
    async fn connect(&self) -> Result<Result<Box<dyn Following>, DriverError>, Cause> {
        let description = match self.driver.describe().await {
            Ok(description) => description,
            Err(failure) => return Ok(Err(failure)),
        };
        self.workloads.register(&self.node, &description).await?;
        Ok(self.driver.follow().await)
    }

    /// Hears what the node tells until the link breaks.
    fn listen(self: &Arc<Self>, mut following: Box<dyn Following>) {
        self.state.forget_all();
        let shared = Arc::clone(self);
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            // Not before the link is known to be there.
            if gone.await.is_err() {
                return;
            }
            let why = loop {
                match following.next().await {
                    Ok(Report::Observed { id, generation, observed }) => {
                        if !shared.state.hear(id, generation, observed, shared.workloads.now()) {
                            break "it tells of more workloads than a node can have".to_owned();
                        }
                    }
                    Ok(Report::Told) => {
                        tracing::debug!(node = %shared.node, "all that the node has is known");
                        shared.state.caught_up();
                    }
                    Err(failure) => break failure.to_string(),
                }
            };
            tracing::info!(node = %shared.node, why, "the link with the node broke");
            let now = shared.workloads.now();
            shared.state.disconnected(now);
        });
        self.state.with_link(|link| *link = Link::Linked { _follower: Follower(task), is_caught_up: false });
        let _ = go.send(());
    }

    /// Notes that the node does not answer. Answers when to try again.
    async fn unreachable(&self, why: String) -> Result<Timestamp, Cause> {
        let now = self.workloads.now();
        let why = brief(&why);
        let (retry_at, since) = self.state.with_link(|link| {
            let (since, failures) = match link {
                Link::Down { since, failures, .. } => (*since, failures.saturating_add(1)),
                _ => (now, 1),
            };
            let retry_at = now.plus(RETRY.delay(failures, &*self.workloads.platform.rng));
            *link = Link::Down { since, failures, retry_at };
            (retry_at, since)
        });
        if now.since(since) >= AWAY_AFTER {
            self.workloads.away(&self.node, &why).await?;
        }
        Ok(retry_at)
    }
}
