//! What the node does without being asked, and how what takes long is kept out of the way of others.

use std::sync::Arc;
use std::time::Duration;

use images::Store;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::{Agent, rights};
use crate::protocol::Urgency;

/// By how much work stands behind everything else that nobody waits for. The kernel derives the priority at the disk from it
/// (`ioprio_set(2)`: the lowest but one of the best-effort class).
const NICENESS: i32 = 10;
/// The pause after layers could not be written to the disk.
const SETTLE_PAUSE: Duration = Duration::from_secs(10);

/// Does something on a thread of its own, which has no more of root's rights than unpacking needs; none if it panics or no
/// such thread can be had. It is not waited for when
/// this is dropped: `right` is given back when it has ended, whatever it had with it included.
pub(super) async fn aside<T: Send + 'static>(
    right: impl Send + 'static,
    urgency: Urgency,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("pilvi-image".to_owned()).spawn(move || {
        if let Err(error) = rights::keep_those_for_unpacking() {
            return tracing::error!(%error, "a thread could not give up its rights");
        }
        if urgency == Urgency::Background {
            // Of this thread and those that it starts. Where it is refused the work is done all the same.
            let _ = rustix::process::setpriority_process(None, NICENESS);
        }
        let done = work();
        drop(right);
        let _ = sender.send(done);
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread could be started");
        return None;
    }
    receiver.await.ok()
}

impl Agent {
    /// Does something with the store that is nobody's image, one such thing at a time.
    pub(super) async fn chore<T: Send + 'static>(&self, work: impl FnOnce(&Store) -> T + Send + 'static) -> Option<T> {
        // Nobody closes it.
        let right = Arc::clone(&self.0.chores).acquire_owned().await.ok();
        let store = self.0.store.clone();
        aside(right, Urgency::Background, move || work(&store)).await
    }
}

/// Clears away what a crash left, and later, from time to time, the layers that nothing needs.
pub(super) async fn sweep_and_collect(agent: Agent) {
    if let Some(Err(error)) = agent.chore(Store::sweep).await {
        tracing::warn!(%error, "what a crash left of layers could not be removed");
    }
    let [first, period] = agent.0.options.collect_every;
    let mut ticks = interval_at(Instant::now() + first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match agent.chore(Store::collect).await {
            Some(Ok(collected)) if collected.layers > 0 => {
                tracing::info!(collected.layers, collected.bytes, "layers that nothing needs were removed");
            }
            Some(Ok(_)) | None => {}
            Some(Err(error)) => tracing::warn!(%error, "layers that nothing needs could not be removed"),
        }
    }
}

/// Finds the workloads that a node before this one had, before anybody asks for them.
pub(super) async fn open_workloads(agent: Agent) {
    // What is wrong is told to who asks, and logged.
    let _ = agent.workloads().await;
}

/// Has the layers that were unpacked reach the disk, so that they survive a loss of power.
pub(super) async fn settle(agent: Agent) {
    loop {
        agent.0.unsettled.notified().await;
        if let Some(Err(error)) = agent.chore(Store::settle).await {
            tracing::warn!(%error, "layers could not be written to the disk");
            agent.0.unsettled.notify_one();
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_nobody_waits_for_stands_behind_what_somebody_does() {
        let niceness = || rustix::process::getpriority_process(None).unwrap();
        let own = niceness();
        assert_eq!(aside((), Urgency::Waited, niceness).await, Some(own));
        assert!(aside((), Urgency::Background, niceness).await.unwrap() >= NICENESS);
        assert_eq!(niceness(), own);
    }
}
