//! Expiry and deletion.

use segments::{Direction, Error, Scan};

use crate::bed::{Bed, NOW, at, event, files_of, group, messages, noise, options, read_all, scan_all};

#[test]
fn expired_events_are_gone_for_good_and_whole_files_with_them() {
    let mut bed = Bed::new(options(300));
    let group = group("g");
    for number in 0..50 {
        bed.append(&group, "s", vec![event(NOW + number, noise(number))]);
    }
    bed.store.settle();
    let before = bed.store.group_bytes(&group).unwrap();
    bed.store.expire(&group, at(NOW + 41)).unwrap();
    let left = |bed: &Bed| read_all(&bed.store, &group, "s", Direction::Forward).len();
    assert_eq!(left(&bed), 9);
    bed.store.settle();
    bed.reopen(options(300));
    assert_eq!(left(&bed), 9, "also after a restart");
    assert!(bed.store.group_bytes(&group).unwrap() < before / 2);
    let stats = bed.store.stream_stats(&group, "s").unwrap().unwrap();
    assert_eq!((stats.first_event, stats.last_event), (at(NOW + 41), at(NOW + 49)));

    bed.store.expire(&group, at(NOW + 1_000)).unwrap();
    assert_eq!((left(&bed), bed.store.stream_stats(&group, "s").unwrap()), (0, None));
    bed.append(&group, "s", vec![event(NOW, "late"), event(NOW + 2_000, "new")]);
    assert_eq!(left(&bed), 2, "what arrives later is judged by the next expiry");
    bed.store.expire(&group, at(NOW + 1_000)).unwrap();
    assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["new"]);
}

#[test]
fn a_stream_that_is_deleted_and_made_again_has_only_the_new_events() {
    let mut bed = Bed::new(options(1 << 20));
    let group = group("g");
    for seal in [false, true] {
        bed.append(&group, "s", vec![event(NOW + 32, "old")]);
        bed.append(&group, "other", vec![event(NOW, "stays")]);
        if seal {
            bed.store.seal(&group).unwrap();
        }
        bed.store.delete_stream(&group, "s").unwrap();
        assert_eq!(bed.store.stream_stats(&group, "s").unwrap(), None);
        bed.append(&group, "s", vec![event(NOW, "new")]);
        for _ in 0..2 {
            assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["new"]);
            let stats = bed.store.stream_stats(&group, "s").unwrap().unwrap();
            assert_eq!((stats.events, stats.last_event), (1, at(NOW)));
            bed.reopen(options(1 << 20));
        }
    }
    assert_eq!(messages(&read_all(&bed.store, &group, "other", Direction::Forward)), ["stays", "stays"]);
}

#[test]
fn the_space_of_deleted_streams_is_freed() {
    let bed = Bed::new(options(100_000));
    let group = group("g");
    for number in 0..2_000 {
        bed.append(&group, ["a", "b", "a"][number as usize % 3], vec![event(NOW + number, noise(number))]);
    }
    bed.store.seal(&group).unwrap();
    let before = bed.store.group_bytes(&group).unwrap();
    bed.store.delete_stream(&group, "a").unwrap();
    bed.store.settle();
    assert!(bed.store.group_bytes(&group).unwrap() < before / 2);
    assert_eq!(read_all(&bed.store, &group, "b", Direction::Forward).len(), 667);
}

#[test]
fn many_deletions_take_little_room() {
    let mut bed = Bed::new(options(1 << 20));
    let group = group("g");
    for number in 0..300 {
        let stream = format!("stream-{number}");
        bed.append(&group, &stream, vec![event(NOW, "x")]);
        bed.store.delete_stream(&group, &stream).unwrap();
    }
    bed.store.seal(&group).unwrap();
    bed.append(&group, "s", vec![event(NOW, "y")]);
    bed.reopen(options(1 << 20));
    bed.store.seal(&group).unwrap();
    assert!(bed.store.group_bytes(&group).unwrap() < 2_000, "{}", bed.store.group_bytes(&group).unwrap());
    assert_eq!(messages(&scan_all(&bed.store, &group, &Scan::default())), ["y"]);
}

#[test]
fn a_deleted_group_is_gone_with_its_files_and_takes_nothing_more() {
    let mut bed = Bed::new(options(1 << 20));
    let (gone, stays) = (group("gone"), group("stays"));
    for group in [&gone, &stays] {
        bed.append(group, "s", vec![event(NOW, "x")]);
        bed.store.seal(group).unwrap();
        bed.append(group, "s", vec![event(NOW, "y")]);
    }
    let mut subscription = bed.store.subscribe(&gone).unwrap();
    bed.store.delete_group(&gone).unwrap();
    bed.store.delete_group(&gone).unwrap();
    bed.store.settle();
    assert_eq!(bed.block_on(subscription.recv()), None);
    assert_eq!(files_of(bed.directory.path(), &gone), [""; 0]);
    assert_eq!(bed.store.groups().unwrap(), std::slice::from_ref(&stays));
    let late = bed.block_on(bed.store.append(&gone, "s", at(NOW), vec![event(NOW, "late")]));
    assert!(matches!(late, Err(Error::Deleted(_))), "{late:?}");
    assert!(matches!(bed.store.read(&gone, "s", Default::default()), Err(Error::Deleted(_))));
    bed.reopen(options(1 << 20));
    assert_eq!(read_all(&bed.store, &gone, "s", Direction::Forward), []);
    assert_eq!(read_all(&bed.store, &stays, "s", Direction::Forward).len(), 2);
}

#[test]
fn events_can_be_deleted_under_a_reader() {
    let bed = Bed::new(options(300));
    let group = group("g");
    for number in 0..50 {
        bed.append(&group, "s", vec![event(NOW + number, "x".repeat(100))]);
    }
    bed.store.settle();
    let mut seen = 0;
    let scanned = bed.store.scan(&group, &Scan::default(), &mut |_| {
        seen += 1;
        if seen == 3 {
            bed.store.expire(&group, at(NOW + 1_000)).unwrap();
            bed.store.settle();
        }
        std::ops::ControlFlow::Continue(())
    });
    assert_eq!((scanned.unwrap().events, seen), (50, 50), "a scan sees what was there when it began");
    assert_eq!(scan_all(&bed.store, &group, &Scan::default()).len(), 0);
}
