//! The leases of joined hosts, as a state machine that reads no clock.
//!
//! A host renews every [`RENEW_EVERY`]. It has its workloads killed [`FENCE_AFTER`] it **sent** the last renewal that was
//! answered; the server takes it for lost [`LOST_AFTER`] it **received** the last one. What is sent comes before what is
//! received, so by the time a host is lost its workloads have been dead for at least two seconds, whatever happened to the
//! way between. Both sides count by clocks that go on while a machine sleeps (`CLOCK_BOOTTIME`), each by its own: only
//! durations are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use workload::NodeId;

/// How often a host renews its lease.
pub const RENEW_EVERY: Duration = Duration::from_secs(2);
/// How long after it sent its last renewal a host's workloads live on.
pub const FENCE_AFTER: Duration = Duration::from_secs(6);
/// How long after its last renewal was received a host is lost.
pub const LOST_AFTER: Duration = Duration::from_secs(8);

/// Whether a host is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    /// It has a lease, or the server has not been there for long enough to know better.
    Held,
    /// Its lease has run out: nothing runs there any more.
    Lost,
}

/// What a renewal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The lease goes on.
    Renewed,
    /// It had run out, and begins anew.
    Regained,
}

/// The leases of all hosts. Instants are durations since the machine was started.
#[derive(Debug, Default)]
pub struct Leases {
    held: BTreeMap<NodeId, Duration>,
    lost: BTreeSet<NodeId>,
}

impl Leases {
    /// All leases are renewed when a server starts: nobody is taken for dead because the server was away.
    pub fn started(hosts: impl IntoIterator<Item = NodeId>, now: Duration) -> Self {
        let held = hosts.into_iter().map(|host| (host, now + LOST_AFTER)).collect();
        Self { held, lost: BTreeSet::new() }
    }

    /// A host that has joined.
    pub fn admit(&mut self, host: NodeId, now: Duration) {
        self.lost.remove(&host);
        self.held.insert(host, now + LOST_AFTER);
    }

    /// A host is to be known no more. Answers whether it was.
    pub fn forget(&mut self, host: &NodeId) -> bool {
        let was_lost = self.lost.remove(host);
        self.held.remove(host).is_some() || was_lost
    }

    /// A host says that it is there; none if it is not known.
    pub fn renew(&mut self, host: &NodeId, now: Duration) -> Option<Renewal> {
        let was_lost = self.lost.remove(host);
        let until = self.held.get(host).copied();
        if until.is_none() && !was_lost {
            return None;
        }
        self.held.insert(host.clone(), now + LOST_AFTER);
        // One whose time had passed was lost, though nobody had looked.
        let has_run_out = was_lost || until.is_some_and(|until| until <= now);
        Some(if has_run_out { Renewal::Regained } else { Renewal::Renewed })
    }

    /// Takes for lost whose time has passed. Answers those.
    pub fn expire(&mut self, now: Duration) -> Vec<NodeId> {
        let expired: Vec<_> =
            self.held.iter().filter(|(_, until)| **until <= now).map(|(host, _)| host.clone()).collect();
        for host in &expired {
            self.held.remove(host);
            self.lost.insert(host.clone());
        }
        expired
    }

    /// When the next lease runs out, unless it is renewed.
    pub fn next_end(&self) -> Option<Duration> {
        self.held.values().min().copied()
    }

    /// How all hosts are.
    pub fn states(&self) -> BTreeMap<NodeId, HostState> {
        let held = self.held.keys().map(|host| (host.clone(), HostState::Held));
        held.chain(self.lost.iter().map(|host| (host.clone(), HostState::Lost))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);

    fn host(name: &str) -> NodeId {
        NodeId::try_from(name.to_owned()).unwrap()
    }

    fn after(seconds: u64) -> Duration {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn a_host_that_renews_is_never_lost() {
        let mut leases = Leases::started([host("a")], START);
        for seconds in (2..200).step_by(2) {
            assert_eq!(leases.renew(&host("a"), after(seconds)), Some(Renewal::Renewed));
            assert!(leases.expire(after(seconds + 1)).is_empty());
        }
    }

    #[test]
    fn a_host_is_lost_once_eight_seconds_after_its_last_renewal() {
        let mut leases = Leases::started([host("a"), host("b")], START);
        leases.renew(&host("a"), after(4));
        assert_eq!(leases.next_end(), Some(after(8)));
        assert!(leases.expire(after(8) - Duration::from_millis(1)).is_empty());
        assert_eq!(leases.expire(after(8)), [host("b")]);
        assert_eq!(leases.expire(after(11)), []);
        assert_eq!(leases.expire(after(12)), [host("a")]);
        assert_eq!(leases.states(), [(host("a"), HostState::Lost), (host("b"), HostState::Lost)].into());
        assert_eq!(leases.next_end(), None);
    }

    #[test]
    fn a_server_that_starts_gives_every_host_its_full_time_again() {
        let mut leases = Leases::started([host("a")], after(3600));
        assert!(leases.expire(after(3607)).is_empty());
        assert_eq!(leases.expire(after(3608)), [host("a")]);
    }

    #[test]
    fn a_lost_host_that_comes_back_begins_anew() {
        let mut leases = Leases::started([host("a")], START);
        leases.expire(after(9));
        assert_eq!(leases.renew(&host("a"), after(20)), Some(Renewal::Regained));
        assert_eq!(leases.states(), [(host("a"), HostState::Held)].into());
        assert!(leases.expire(after(27)).is_empty());
        // Nobody had looked in time.
        assert_eq!(leases.renew(&host("a"), after(28)), Some(Renewal::Regained));
    }

    #[test]
    fn who_is_not_known_has_no_lease() {
        let mut leases = Leases::started([], START);
        assert_eq!(leases.renew(&host("a"), START), None);
        leases.admit(host("a"), START);
        assert!(leases.forget(&host("a")) && !leases.forget(&host("a")));
        assert_eq!(leases.renew(&host("a"), START), None);
        leases.admit(host("a"), START);
        leases.expire(after(9));
        assert!(leases.forget(&host("a")));
        assert!(leases.states().is_empty());
    }

    #[test]
    fn workloads_are_dead_before_their_host_is_lost() {
        assert!(RENEW_EVERY * 2 < FENCE_AFTER && FENCE_AFTER + RENEW_EVERY <= LOST_AFTER);
    }
}
