//! Places in the subnet: a workload's address, and the name of its link.

use std::collections::{BTreeSet, VecDeque};
use std::net::Ipv4Addr;

use crate::Subnet;

/// The gateway's place.
const GATEWAY: u32 = 1;

/// What the names of a node's links begin with. A place of at most five digits follows, which makes 15 bytes, what a name may have.
pub(crate) fn link_prefix(tag: &str) -> String {
    format!("pv{tag}")
}

/// The host's end of the link to a place.
pub(crate) fn link_name(tag: &str, place: u32) -> String {
    format!("{}{place}", link_prefix(tag))
}

/// The place that a link leads to, if the link is of that node.
pub(crate) fn place_of(tag: &str, link: &str) -> Option<u32> {
    link.strip_prefix(&link_prefix(tag)).and_then(|place| place.parse().ok())
}

/// The device that holds the gateway's address.
pub(crate) fn gateway_name(tag: &str) -> String {
    format!("pv-{tag}")
}

/// The gateway's address.
pub(crate) fn gateway_of(subnet: Subnet) -> Ipv4Addr {
    subnet.at(GATEWAY).expect("a subnet has at least 16 addresses")
}

/// Which places are free. The one that was free for longest is taken first, so that what is still on its way to a workload that ended
/// finds nobody.
#[derive(Debug)]
pub(crate) struct Places {
    subnet: Subnet,
    /// The first that was never taken.
    next: u32,
    free: VecDeque<u32>,
    taken: BTreeSet<u32>,
}

impl Places {
    /// All free.
    pub(crate) fn new(subnet: Subnet) -> Self {
        Self { subnet, next: GATEWAY + 1, free: VecDeque::new(), taken: BTreeSet::new() }
    }

    /// Takes a certain one; whether it was free.
    pub(crate) fn take_this(&mut self, place: u32) -> bool {
        place > GATEWAY && place < self.end() && self.taken.insert(place)
    }

    /// Takes the one that was free for longest.
    pub(crate) fn take(&mut self) -> Option<u32> {
        while self.next < self.end() {
            let place = self.next;
            self.next += 1;
            if self.taken.insert(place) {
                return Some(place);
            }
        }
        while let Some(place) = self.free.pop_front() {
            if self.taken.insert(place) {
                return Some(place);
            }
        }
        None
    }

    /// Gives one back.
    pub(crate) fn give_back(&mut self, place: u32) {
        if self.taken.remove(&place) && place < self.next {
            self.free.push_back(place);
        }
    }

    /// The addresses that somebody has.
    pub(crate) fn addresses(&self) -> BTreeSet<Ipv4Addr> {
        self.taken.iter().map(|place| self.address(*place)).collect()
    }

    /// Whether somebody has it.
    pub(crate) fn is_taken(&self, place: u32) -> bool {
        self.taken.contains(&place)
    }

    /// The address of a place.
    pub(crate) fn address(&self, place: u32) -> Ipv4Addr {
        self.subnet.at(place).expect("places are below the subnet's end")
    }

    /// The last address is the subnet's broadcast address for whoever thinks that it has one.
    fn end(&self) -> u32 {
        u32::try_from(self.subnet.size() - 1).expect("subnets have at most 65,536 addresses")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        Places::new("10.88.0.0/28".parse().unwrap())
    }

    #[test]
    fn every_address_but_the_networks_the_gateways_and_the_last_is_given_once() {
        let mut places = places();
        let given: Vec<u32> = std::iter::from_fn(|| places.take()).collect();
        assert_eq!(given, (2..15).collect::<Vec<u32>>());
    }

    #[test]
    fn a_place_that_was_given_back_is_taken_last() {
        let mut places = places();
        let first = places.take().unwrap();
        places.give_back(first);
        let later: Vec<u32> = std::iter::from_fn(|| places.take()).collect();
        assert_eq!((later.len(), later.last()), (13, Some(&first)));
    }

    #[test]
    fn a_certain_place_is_taken_once() {
        let mut places = places();
        assert!(places.take_this(5) && !places.take_this(5) && !places.take_this(1) && !places.take_this(15));
        assert!(!std::iter::from_fn(|| places.take()).any(|place| place == 5));
        places.give_back(5);
        assert_eq!(places.take(), Some(5));
    }

    #[test]
    fn a_links_name_fits_the_kernel_and_tells_its_place() {
        let name = link_name("0123abcd", 65_534);
        assert_eq!((name.len(), place_of("0123abcd", &name)), (15, Some(65_534)));
        assert_eq!(place_of("0123abce", &name), None);
        assert_eq!(place_of("0123abcd", &gateway_name("0123abcd")), None);
    }
}
