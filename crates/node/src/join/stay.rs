//! Staying: a host's lease, the connections that it is asked over, and its certificate.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use workload::NodeId;

use super::way::Sender;
use super::{JoinError, Joined, Resident, Uptime, identity};
use crate::gate::held::Held;
use crate::gate::lease::{FENCE_AFTER, RENEW_EVERY};
use crate::gate::words::{Certified, LEASE, LINK, LINK_PROTOCOL, Leased, RENEW, RenewRequest};

/// How long a renewal of the lease may take before another one is tried on a new connection.
const LEASE_PATIENCE: Duration = Duration::from_secs(2);
/// How long it may take to tell all workloads when they end. Those that were not told end earlier.
pub const FENCE_PATIENCE: Duration = Duration::from_secs(2);
/// The pause after a renewal that failed, as long as there is a lease to be saved.
const LEASE_PAUSE: Duration = Duration::from_millis(250);
/// The longest such pause when there is none any more; each is twice as long as the one before.
const LEASE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// A lease is not asked for more often than this, whatever the server says.
const LEASE_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The first pause after a connection that failed; each is twice as long as the one before.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
/// The longest such pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether the lease has run out.
const LAPSE_CHECK: Duration = Duration::from_millis(500);
/// How often it is looked whether the certificate is to be renewed by the clock here. The server says it, too.
const RENEWAL_CHECK: Duration = Duration::from_secs(600);
/// The pause after a renewal of the certificate that failed.
const RENEWAL_PAUSE: Duration = Duration::from_secs(10);

/// A connection for the lease, and how often the certificate had been renewed when it was made.
#[derive(Default)]
struct LeaseLine {
    sender: Option<Sender>,
    renewals: u64,
}

impl Joined {
    /// Stays: renews lease and certificate, and has the server's questions answered. Returns only when the server knows this
    /// host no more, or cannot be what it was. That somebody else answers in its place ends nothing.
    pub async fn stay(&self, resident: Arc<dyn Resident>) -> JoinError {
        // Until when the lease lasts.
        let (renewed, lease) = watch::channel(Duration::ZERO);
        // Which certificate the server wants to be replaced, by how many there were before.
        let (want, wanted) = watch::channel(None);
        tokio::select! {
            ended = self.keep_lease(renewed, want) => ended,
            ended = self.keep_links(&resident, lease.clone()) => ended,
            ended = self.keep_certificate(wanted) => ended,
            () = fence(&*resident, lease) => JoinError::Key,
        }
    }

    async fn keep_lease(&self, renewed: watch::Sender<Duration>, want: watch::Sender<Option<u64>>) -> JoinError {
        let mut line = LeaseLine::default();
        let name = self.identity().name;
        let mut failures: u32 = 0;
        loop {
            // What is counted from is before the request, however long it is on its way.
            let (sent, began) = ((self.0.uptime)(), Instant::now());
            let is_new = line.sender.is_none();
            match timeout(LEASE_PATIENCE, self.renew_lease(&mut line)).await {
                Ok(Ok(leased)) => {
                    if failures > 0 {
                        tracing::info!("the server is there again");
                    }
                    failures = 0;
                    renewed.send_replace(sent + Duration::from_millis(leased.fence_after_ms).min(FENCE_AFTER));
                    let wanted = leased.renew_certificate.then_some(line.renewals);
                    want.send_if_modified(|told| std::mem::replace(told, wanted) != wanted);
                    let pause = Duration::from_millis(leased.renew_every_ms).clamp(LEASE_PAUSE_MIN, RENEW_EVERY);
                    sleep_until(began + pause).await;
                    continue;
                }
                Ok(Err(error)) if error.ends_membership() && is_new => return error,
                // The connection may be older than the certificate.
                Ok(Err(error)) if error.ends_membership() => {
                    line.sender = None;
                    continue;
                }
                Ok(Err(error)) if failures == 0 => tracing::warn!(%error, "the lease cannot be renewed"),
                Err(_) if failures == 0 => tracing::warn!("the lease cannot be renewed: the server does not answer"),
                Ok(Err(_)) | Err(_) => {}
            }
            line.sender = None;
            let is_held = *renewed.borrow() > (self.0.uptime)();
            failures = if is_held { 1 } else { failures.saturating_add(1) };
            sleep(pause_after(failures, &name)).await;
        }
    }

    async fn renew_lease(&self, line: &mut LeaseLine) -> Result<Leased, JoinError> {
        let way = &self.0.way;
        let renewals = way.renewals();
        if line.renewals != renewals || line.sender.as_ref().is_none_or(Sender::is_closed) {
            *line = LeaseLine { sender: Some(way.connect().await?), renewals };
        }
        let sender = line.sender.as_mut().ok_or_else(|| way.silent())?;
        way.post(sender, LEASE, &serde_json::Map::new()).await
    }

    /// Offers the server one connection to ask over, and the next when it asks there; none while there is no lease, when nothing
    /// that it asks for may begin.
    async fn keep_links(&self, resident: &Arc<dyn Resident>, mut lease: watch::Receiver<Duration>) -> JoinError {
        loop {
            if lease.wait_for(|until| *until > (self.0.uptime)()).await.is_err() {
                return JoinError::Key;
            }
            tokio::select! {
                ended = self.offer_links(resident) => return ended,
                () = lapse(lease.clone(), &self.0.uptime) => {
                    tracing::warn!("there is no lease any more: the server is not answered");
                }
            }
        }
    }

    async fn offer_links(&self, resident: &Arc<dyn Resident>) -> JoinError {
        let mut served = JoinSet::new();
        let mut pause = PAUSE_FIRST;
        loop {
            match self.link().await {
                Ok(link) => {
                    pause = PAUSE_FIRST;
                    served.spawn(resident.serve(Box::new(link)));
                }
                Err(error) if error.ends_membership() => return error,
                Err(error) => {
                    tracing::debug!(%error, "the server cannot ask");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
            while served.try_join_next().is_some() {}
        }
    }

    /// A connection on which the server has begun to ask.
    async fn link(&self) -> Result<Held, JoinError> {
        let way = &self.0.way;
        // Nobody closes it.
        let place = Arc::clone(&self.0.links).acquire_owned().await.map_err(|_| way.silent())?;
        let stream = way.upgrade(LINK, LINK_PROTOCOL, place).await?;
        stream.once_spoken_to().await.map_err(|error| way.confused(error))
    }

    async fn keep_certificate(&self, mut wanted: watch::Receiver<Option<u64>>) -> JoinError {
        loop {
            let is_wanted = *wanted.borrow_and_update() == Some(self.0.way.renewals());
            match self.renew_certificate(is_wanted).await {
                Ok(()) => {
                    tokio::select! {
                        changed = wanted.changed() => if changed.is_err() { return JoinError::Key },
                        () = sleep(RENEWAL_CHECK) => {}
                    }
                }
                Err(error) if error.ends_membership() => return error,
                Err(error) => {
                    tracing::warn!(%error, "the certificate cannot be renewed");
                    sleep(RENEWAL_PAUSE).await;
                }
            }
        }
    }

    /// Renews the certificate, with a new key, if the server wants it or half of its life is over by the clock here.
    async fn renew_certificate(&self, is_wanted: bool) -> Result<(), JoinError> {
        let mut identity = self.identity();
        let now = self.0.clock.now();
        if !is_wanted && identity.certificate.as_ref().is_some_and(|it| it.renew_at > now) {
            return Ok(());
        }
        let way = &self.0.way;
        let (key, public_key) = identity::new_key()?;
        let certified: Certified = way.post(&mut way.connect().await?, RENEW, &RenewRequest { public_key }).await?;
        identity.key = key;
        identity.certify(certified, now);
        // Kept before it is used: with its first use the one before is good only until the next renewal.
        let (kept, directory) = (identity.clone(), self.0.directory.clone());
        let saved = tokio::task::spawn_blocking(move || kept.save(&directory)).await;
        saved.map_err(|error| way.confused(error))??;
        *self.0.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity.clone();
        way.renew(&identity)?;
        tracing::info!("the certificate was renewed");
        Ok(())
    }
}

/// How long to wait before the lease is asked for again. When the server has been away for longer than leases last, its hosts come
/// back one after the other.
fn pause_after(failures: u32, name: &NodeId) -> Duration {
    let doubled = LEASE_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LEASE_PAUSE_MAX);
    if failures <= 1 {
        return doubled;
    }
    let mut hasher = DefaultHasher::new();
    (name.as_str(), failures).hash(&mut hasher);
    // Between half of it and all of it.
    doubled / 2 + doubled.mul_f64(hasher.finish() as f64 / u64::MAX as f64 / 2.0)
}

/// Tells the resident of each renewal; of several the latest.
async fn fence(resident: &dyn Resident, mut lease: watch::Receiver<Duration>) {
    while lease.changed().await.is_ok() {
        let until = *lease.borrow_and_update();
        if timeout(FENCE_PATIENCE, resident.fence(until)).await.is_err() {
            tracing::warn!("some workloads did not hear that the lease goes on, and end before it does");
        }
    }
}

/// Waits until a lease has run out.
async fn lapse(lease: watch::Receiver<Duration>, uptime: &Uptime) {
    loop {
        let left = lease.borrow().saturating_sub(uptime());
        if left.is_zero() {
            return;
        }
        // A machine that was asleep does not tell: it is looked often.
        sleep(left.min(LAPSE_CHECK)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ask_often_while_they_have_a_lease_and_come_back_one_after_the_other() {
        let name = |number: u32| NodeId::try_from(format!("worker-{number}")).unwrap();
        assert_eq!(pause_after(1, &name(1)), LEASE_PAUSE);
        for failures in 2..100 {
            let pause = pause_after(failures, &name(1));
            assert!(pause >= LEASE_PAUSE && pause <= LEASE_PAUSE_MAX, "{failures}: {pause:?}");
        }
        let pauses: std::collections::BTreeSet<_> = (0..100).map(|number| pause_after(40, &name(number))).collect();
        assert!(pauses.len() > 90 && *pauses.first().unwrap() >= LEASE_PAUSE_MAX / 2);
    }
}
