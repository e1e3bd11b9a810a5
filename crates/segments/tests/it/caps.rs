//! Byte caps.

use base::Region;
use segments::{Direction, GroupKey, Options, Scan};

use crate::bed::{Bed, NOW, event, group, noise, options, read_all, scan_all};

#[test]
fn beyond_its_cap_a_group_loses_its_oldest_events_and_counts_them() {
    let cap = 100_000;
    let bed = Bed::new(Options { group_bytes_max: cap, ..options(10_000) });
    let group = group("g");
    for number in 0..2_000 {
        bed.append(&group, "s", vec![event(NOW + number, noise(number))]);
    }
    bed.store.settle();
    assert!(bed.store.group_bytes(&group).unwrap() <= cap);
    let left = read_all(&bed.store, &group, "s", Direction::Forward);
    let dropped = bed.store.dropped(&group);
    assert_eq!((left.len() as u64 + dropped.capped, dropped.refused), (2_000, 0));
    assert!(left.len() > 200, "only {} are left", left.len());
    let newest: Vec<i64> = (NOW + 2_000 - left.len() as i64..NOW + 2_000).collect();
    assert_eq!(left.iter().map(|event| event.timestamp.as_millis()).collect::<Vec<_>>(), newest);
}

#[test]
fn beyond_the_cap_of_all_the_biggest_group_loses_events() {
    let cap = 100_000;
    let mut bed = Bed::new(Options { total_bytes_max: cap, ..options(10_000) });
    let (small, big) = (group("small"), group("big"));
    for number in 0..50 {
        bed.append(&small, "s", vec![event(NOW + number, noise(number))]);
    }
    // Also what is not open counts.
    bed.reopen(Options { total_bytes_max: cap, ..options(10_000) });
    bed.store.settle();
    for number in 0..1_000 {
        bed.append(&big, "s", vec![event(NOW + number, noise(number))]);
    }
    bed.store.settle();
    let bytes = |group| bed.store.group_bytes(group).unwrap();
    assert!(bytes(&small) + bytes(&big) <= cap);
    assert_eq!(scan_all(&bed.store, &small, &Scan::default()).len(), 50);
    assert_eq!(bed.store.dropped(&small).capped, 0);
    assert!(bed.store.dropped(&big).capped > 0);
}

#[test]
fn an_account_with_many_small_groups_loses_its_own_events() {
    let cap = 200_000;
    let bed = Bed::new(Options { total_bytes_max: cap, ..options(10_000) });
    let of = |account: &str, id: &str| GroupKey::new(account.parse().unwrap(), &Region::default(), id).unwrap();
    let victim = of("111111111111", "one-big");
    for number in 0..500 {
        bed.append(&victim, "s", vec![event(NOW + number, noise(number))]);
    }
    let bytes = bed.store.group_bytes(&victim).unwrap();
    for group in 0..40 {
        let small = of("222222222222", &format!("small-{group}"));
        for number in 0..100 {
            bed.append(&small, "s", vec![event(NOW + number, noise(number))]);
        }
        bed.store.settle();
        assert!(bed.store.group_bytes(&small).unwrap() < bytes);
    }
    assert_eq!(bed.store.dropped(&victim).capped, 0);
    assert!(bed.store.dropped_in_all().capped > 0);
}
