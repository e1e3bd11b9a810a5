//! Who is connected and has not shown yet who he is: bounded in number, by address, before it costs anything.
//!
//! Whoever reaches the nodes' port can connect; that must keep no host from renewing its lease. So those who are no hosts, or not
//! yet, hold none of the hosts' places, and of their own nobody holds one that another needs: where there are too many, the one
//! who has been there for longest **of the address with the most** gives way. A handshake takes two ways through the network; who
//! wants to keep a host out has to fill all places anew within that time. Whose connections come to nothing again and again is
//! turned away for a while without a word of TLS, unless hosts have been at the same address.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Connections of those who have not shown that they are hosts, at one time.
const UNKNOWN_MAX: usize = 1024;
/// The same from one address.
const UNKNOWN_OF_ONE_MAX: usize = 128;
/// Connections from one address that may come to nothing, one after the other.
const FRUITLESS_MAX: u32 = 256;
/// So long after one of them another one may.
const FRUITLESS_PAUSE: Duration = Duration::from_millis(100);
/// For how long an address counts as one where hosts are, after the last one was there.
const HOST_REMEMBERED: Duration = Duration::from_secs(3600);
/// Addresses of which something is remembered.
const ADDRESSES_MAX: usize = 4096;
/// How often it is looked at most what may be forgotten.
const SWEEP_PAUSE: Duration = Duration::from_secs(1);
/// The part of an address of version 6 that its owner cannot choose: what one line is given (RFC 6177).
const NETWORK_BITS: u32 = 64;

/// An address, as far as it is somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Origin(u128);

impl Origin {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() >> NETWORK_BITS << NETWORK_BITS),
        }
    }
}

/// All of them.
pub(super) struct Arrivals {
    uptime: Arc<dyn Fn() -> Duration + Send + Sync>,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    next: u64,
    total: usize,
    unknown: BTreeMap<Origin, VecDeque<(u64, Arc<Notify>)>>,
    remembered: HashMap<Origin, Memory>,
    swept: Duration,
}

/// What is remembered of an address.
#[derive(Debug, Default)]
struct Memory {
    /// When all that came to nothing is forgotten: each connection moves it on by [`FRUITLESS_PAUSE`].
    forgiven: Duration,
    /// Until when hosts count as being there.
    hosts_until: Duration,
}

/// One of them. What is dropped without [`Arrival::admitted`] has come to nothing.
pub(super) struct Arrival {
    arrivals: Arc<Arrivals>,
    origin: Origin,
    number: u64,
    ousted: Arc<Notify>,
    is_host: bool,
}

impl Arrivals {
    pub(super) fn new(uptime: Arc<dyn Fn() -> Duration + Send + Sync>) -> Arc<Self> {
        Arc::new(Self { uptime, book: Mutex::default() })
    }

    /// Somebody has connected; none if he is turned away.
    pub(super) fn arrive(self: &Arc<Self>, from: IpAddr) -> Option<Arrival> {
        let (origin, now) = (Origin::of(from), (self.uptime)());
        let mut book = self.book();
        if book.remembered.get(&origin).is_some_and(|memory| memory.is_tired(now)) {
            return None;
        }
        if book.unknown.get(&origin).is_some_and(|there| there.len() >= UNKNOWN_OF_ONE_MAX) {
            book.oust(origin);
        }
        if book.total >= UNKNOWN_MAX {
            let most = book.unknown.iter().max_by_key(|(_, there)| there.len()).map(|(origin, _)| *origin);
            most.into_iter().for_each(|origin| book.oust(origin));
        }
        let number = book.next;
        book.next += 1;
        book.total += 1;
        let ousted = Arc::new(Notify::new());
        book.unknown.entry(origin).or_default().push_back((number, Arc::clone(&ousted)));
        Some(Arrival { arrivals: Arc::clone(self), origin, number, ousted, is_host: false })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing in there is half-changed by a panic that could poison it.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrival {
    /// Waits until another one needs the place.
    pub(super) async fn ousted(&self) {
        self.ousted.notified().await;
    }

    /// It is a host: it is counted here no more.
    pub(super) fn admitted(mut self) {
        self.is_host = true;
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let now = (self.arrivals.uptime)();
        let mut book = self.arrivals.book();
        book.leave(self.origin, self.number);
        let memory = book.remembered.entry(self.origin).or_default();
        if self.is_host {
            memory.hosts_until = now + HOST_REMEMBERED;
        } else {
            memory.forgiven = memory.forgiven.max(now) + FRUITLESS_PAUSE;
        }
        book.sweep(self.origin, now);
    }
}

impl Book {
    /// Has the one leave who has been there for longest.
    fn oust(&mut self, origin: Origin) {
        let Some(there) = self.unknown.get_mut(&origin) else { return };
        if let Some((_, ousted)) = there.pop_front() {
            ousted.notify_one();
            self.total -= 1;
        }
        if there.is_empty() {
            self.unknown.remove(&origin);
        }
    }

    /// Somebody leaves, unless he was ousted.
    fn leave(&mut self, origin: Origin, number: u64) {
        let Some(there) = self.unknown.get_mut(&origin) else { return };
        let before = there.len();
        there.retain(|(other, _)| *other != number);
        self.total -= before - there.len();
        if there.is_empty() {
            self.unknown.remove(&origin);
        }
    }

    /// Keeps what is remembered within bounds. Of more addresses than that nothing is remembered but that hosts are there.
    fn sweep(&mut self, last: Origin, now: Duration) {
        if self.remembered.len() <= ADDRESSES_MAX {
            return;
        }
        if now >= self.swept + SWEEP_PAUSE {
            self.swept = now;
            self.remembered.retain(|_, memory| memory.forgiven > now || memory.hosts_until > now);
        }
        let is_hosts = self.remembered.get(&last).is_some_and(|memory| memory.hosts_until > now);
        if self.remembered.len() > ADDRESSES_MAX && !is_hosts {
            self.remembered.remove(&last);
        }
    }
}

impl Memory {
    /// Whether too much came to nothing where no hosts are.
    fn is_tired(&self, now: Duration) -> bool {
        self.hosts_until <= now && self.forgiven.saturating_sub(now) >= FRUITLESS_PAUSE * FRUITLESS_MAX
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct Bed {
        arrivals: Arc<Arrivals>,
        uptime_ms: Arc<AtomicU64>,
    }

    fn bed() -> Bed {
        let uptime_ms = Arc::new(AtomicU64::new(1_000_000));
        let told = Arc::clone(&uptime_ms);
        let arrivals = Arrivals::new(Arc::new(move || Duration::from_millis(told.load(Ordering::SeqCst))));
        Bed { arrivals, uptime_ms }
    }

    impl Bed {
        fn arrive(&self, from: &str) -> Option<Arrival> {
            self.arrivals.arrive(from.parse().unwrap())
        }

        fn arrives(&self, from: &str) -> Arrival {
            self.arrive(from).unwrap()
        }

        fn pass(&self, time: Duration) {
            self.uptime_ms.fetch_add(u64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
        }

        fn remembered(&self) -> usize {
            self.arrivals.book().remembered.len()
        }
    }

    fn is_ousted(arrival: &Arrival) -> bool {
        let waker = std::task::Waker::noop();
        let mut ousted = std::pin::pin!(arrival.ousted());
        ousted.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_ready()
    }

    #[test]
    fn from_one_address_the_oldest_gives_way_to_the_newest() {
        let bed = bed();
        let held: Vec<_> = (0..UNKNOWN_OF_ONE_MAX).map(|_| bed.arrives("192.0.2.1")).collect();
        assert!(!held.iter().any(is_ousted));
        let newest = bed.arrives("192.0.2.1");
        assert!(is_ousted(&held[0]) && !is_ousted(&held[1]) && !is_ousted(&newest));
        assert_eq!(bed.arrivals.book().total, UNKNOWN_OF_ONE_MAX);
        drop((held, newest));
        assert_eq!(bed.arrivals.book().total, 0);
        assert!(bed.arrivals.book().unknown.is_empty());
    }

    #[test]
    fn who_comes_from_many_addresses_takes_no_place_that_others_have() {
        let bed = bed();
        let alone = bed.arrives("198.51.100.7");
        let held: Vec<_> = (0..20)
            .flat_map(|address| (0..UNKNOWN_OF_ONE_MAX).map(move |_| format!("192.0.2.{address}")))
            .map(|from| bed.arrives(&from))
            .collect();
        assert_eq!(bed.arrivals.book().total, UNKNOWN_MAX);
        assert!(!is_ousted(&alone), "they push out each other");
        assert!(held.iter().rev().take(8).all(|last| !is_ousted(last)));
    }

    #[test]
    fn an_address_of_version_6_is_as_much_as_one_line_is_given() {
        let bed = bed();
        let held: Vec<_> =
            (0..=UNKNOWN_OF_ONE_MAX).map(|host| bed.arrives(&format!("2001:db8:0:1::{host:x}"))).collect();
        assert!(is_ousted(&held[0]));
        assert_eq!(Origin::of("::ffff:192.0.2.1".parse().unwrap()), Origin::of("192.0.2.1".parse().unwrap()));
        for other in ["2001:db8:0:2::1", "192.0.2.1", "::1"] {
            assert_ne!(Origin::of(other.parse().unwrap()), Origin::of("2001:db8:0:1::1".parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn who_comes_to_nothing_again_and_again_is_turned_away_for_a_while() {
        let bed = bed();
        for _ in 0..FRUITLESS_MAX {
            drop(bed.arrives("192.0.2.1"));
        }
        assert!(bed.arrive("192.0.2.1").is_none());
        assert!(bed.arrive("192.0.2.2").is_some());
        bed.pass(FRUITLESS_PAUSE);
        drop(bed.arrives("192.0.2.1"));
        assert!(bed.arrive("192.0.2.1").is_none());
        bed.pass(FRUITLESS_PAUSE * FRUITLESS_MAX);
        assert!(bed.arrive("192.0.2.1").is_some());
    }

    #[test]
    fn where_hosts_are_nobody_is_turned_away_for_what_others_do_there() {
        let bed = bed();
        bed.arrives("192.0.2.1").admitted();
        for _ in 0..2 * FRUITLESS_MAX {
            drop(bed.arrives("192.0.2.1"));
        }
        assert!(bed.arrive("192.0.2.1").is_some());
        bed.pass(HOST_REMEMBERED);
        for _ in 0..FRUITLESS_MAX {
            drop(bed.arrive("192.0.2.1"));
        }
        assert!(bed.arrive("192.0.2.1").is_none());
    }

    #[test]
    fn of_any_number_of_addresses_little_is_remembered_and_of_hosts_enough() {
        let bed = bed();
        bed.arrives("192.0.2.1").admitted();
        for number in 0..2 * ADDRESSES_MAX {
            drop(bed.arrives(&format!("2001:db8:{number:x}::1")));
        }
        assert!(bed.remembered() <= ADDRESSES_MAX + 1);
        for number in 0..ADDRESSES_MAX {
            bed.arrives(&format!("10.0.{}.{}", number / 256, number % 256)).admitted();
        }
        bed.pass(SWEEP_PAUSE);
        drop(bed.arrives("2001:db8::1"));
        assert_eq!(bed.remembered(), ADDRESSES_MAX + 1, "hosts' addresses alone");
        assert!(bed.arrivals.book().remembered.values().all(|memory| memory.hosts_until > Duration::ZERO));
    }
}
