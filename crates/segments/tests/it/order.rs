//! Order, pages and cursors.

use segments::{Cursor, Direction, Error, Query, Scan};

use crate::bed::{Bed, NOW, at, event, group, messages, options, read_all, scan_all};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn events_come_back_by_time_then_arrival_whatever_the_order_of_arrival() {
    let bed = Bed::new(options(2_000));
    let group = group("g");
    let mut expected = Vec::new();
    // From fourteen days ago to two hours ahead, in an order that jumps.
    for number in 0..400_i64 {
        let timestamp = NOW - 14 * DAY_MS + (number * 7_919 % 400) * (14 * DAY_MS + DAY_MS / 12) / 400;
        let stream = ["a", "b", "c"][(number % 3) as usize];
        bed.append(&group, stream, vec![event(timestamp, number.to_string())]);
        expected.push((timestamp, number, stream));
    }
    bed.store.settle();
    expected.sort();
    let all: Vec<String> = expected.iter().map(|(_, number, _)| number.to_string()).collect();
    for direction in [Direction::Forward, Direction::Backward] {
        let mut found = scan_all(&bed.store, &group, &Scan { direction, ..Scan::default() });
        if direction == Direction::Backward {
            found.reverse();
        }
        assert_eq!(messages(&found), all, "{direction:?}");
        assert!(found.is_sorted_by(|one, next| one.id < next.id));
        let of_b = expected.iter().filter(|(_, _, stream)| *stream == "b").map(|(_, number, _)| number.to_string());
        let read = read_all(&bed.store, &group, "b", direction);
        assert_eq!(messages(&read), of_b.collect::<Vec<_>>(), "{direction:?}");
    }
    assert_eq!(bed.store.corruptions(), []);
}

#[test]
fn events_of_one_time_keep_their_order() {
    let bed = Bed::new(options(300));
    let group = group("g");
    for number in 0..20 {
        bed.append(&group, "s", vec![event(NOW, format!("{number}a")), event(NOW, format!("{number}b"))]);
    }
    bed.store.settle();
    let read = read_all(&bed.store, &group, "s", Direction::Forward);
    let expected: Vec<String> = (0..20).flat_map(|number| [format!("{number}a"), format!("{number}b")]).collect();
    assert_eq!(messages(&read), expected);
}

#[test]
fn a_batch_is_ordered_by_time() {
    let bed = Bed::new(options(1 << 20));
    let group = group("g");
    bed.append(&group, "s", vec![event(NOW + 2, "c"), event(NOW, "a"), event(NOW + 2, "d"), event(NOW + 1, "b")]);
    assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["a", "b", "c", "d"]);
}

#[test]
fn a_cursor_goes_on_in_both_directions_and_stays_while_events_arrive() {
    let bed = Bed::new(options(200));
    let group = group("g");
    let append = |number: i64| bed.append(&group, "s", vec![event(NOW + number, number.to_string())]);
    (0..10).for_each(append);
    let read = |query| bed.store.read(&group, "s", query).unwrap();
    let last = read(Query { direction: Direction::Backward, limit_events: 3, ..Query::default() });
    assert_eq!(messages(&last.events), ["7", "8", "9"]);
    assert!(!last.exhausted);

    let nothing = read(Query { from: Some(last.previous), ..Query::default() });
    assert_eq!((nothing.events.len(), nothing.exhausted, nothing.next), (0, true, last.previous));
    (10..12).for_each(append);
    bed.store.seal(&group).unwrap();
    let new = read(Query { from: Some(nothing.next), ..Query::default() });
    assert_eq!(messages(&new.events), ["10", "11"]);

    let direction = Direction::Backward;
    let earlier = read(Query { from: Some(last.next), direction, limit_events: 2, ..Query::default() });
    assert_eq!(messages(&earlier.events), ["5", "6"]);
    let back = read(Query { from: Some(earlier.previous), limit_events: 1, ..Query::default() });
    assert_eq!(messages(&back.events), ["7"]);
}

#[test]
fn a_cursor_of_an_empty_stream_finds_what_comes_later() {
    let bed = Bed::new(options(1 << 20));
    let group = group("g");
    for direction in [Direction::Forward, Direction::Backward] {
        let stream = format!("{direction:?}");
        let empty = bed.store.read(&group, &stream, Query { direction, ..Query::default() }).unwrap();
        bed.append(&group, &stream, vec![event(NOW, "first")]);
        let forward = if direction == Direction::Forward { empty.next } else { empty.previous };
        let page = bed.store.read(&group, &stream, Query { from: Some(forward), ..Query::default() }).unwrap();
        assert_eq!(messages(&page.events), ["first"]);
    }
}

#[test]
fn a_cursor_survives_as_bytes_and_other_bytes_are_refused() {
    let bed = Bed::new(options(1 << 20));
    let group = group("g");
    bed.append(&group, "s", vec![event(NOW, "a"), event(NOW, "b")]);
    let first = bed.store.read(&group, "s", Query { limit_events: 1, ..Query::default() }).unwrap();
    assert_eq!(Cursor::from_bytes(&first.next.to_bytes()).unwrap(), first.next);
    for bytes in [&b""[..], &[0; 17], &[1; 16], &[1; 18]] {
        assert!(matches!(Cursor::from_bytes(bytes), Err(Error::InvalidCursor)));
    }
}

#[test]
fn times_limits_and_names_choose_what_is_passed() {
    let bed = Bed::new(options(400));
    let group = group("g");
    for number in 0..30 {
        let stream = ["web/1", "web/2", "db/1"][number as usize % 3];
        bed.append(&group, stream, vec![event(NOW + number, format!("{number:02}"))]);
    }
    let some = |scan: Scan| -> Vec<String> {
        scan_all(&bed.store, &group, &scan).into_iter().map(|event| event.message).collect()
    };
    let between = Scan { start: Some(at(NOW + 3)), end: Some(at(NOW + 6)), ..Scan::default() };
    assert_eq!(some(between.clone()), ["03", "04", "05"]);
    assert_eq!(some(Scan { stream_prefix: Some("web/".into()), ..between.clone() }), ["03", "04"]);
    let names = Some(["db/1".to_owned(), "web/2".to_owned(), "none".to_owned()].into());
    assert_eq!(some(Scan { streams: names, ..between.clone() }), ["04", "05"]);
    let one = Some(["db/1".to_owned()].into());
    assert_eq!(some(Scan { streams: one, ..between.clone() }), ["05"]);
    assert_eq!(some(Scan { direction: Direction::Backward, ..between }), ["05", "04", "03"]);

    let page = bed.store.read(&group, "db/1", Query { limit_bytes: 5, ..Query::default() }).unwrap();
    assert_eq!(messages(&page.events), ["02", "05"]);
    let page = bed.store.read(&group, "db/1", Query { limit_bytes: 1, ..Query::default() }).unwrap();
    assert_eq!(messages(&page.events), ["02"], "a page has one event at least");
    let query = Query { start: Some(at(NOW + 6)), end: Some(at(NOW + 12)), ..Query::default() };
    assert_eq!(messages(&bed.store.read(&group, "db/1", query).unwrap().events), ["08", "11"]);
    let nothing = Query { start: Some(at(NOW + 6)), end: Some(at(NOW)), ..Query::default() };
    assert!(bed.store.read(&group, "db/1", nothing).unwrap().exhausted);
}

#[test]
fn a_batch_that_cannot_be_is_refused() {
    let bed = Bed::new(options(1 << 20));
    let group = group("g");
    let append = |stream: &str, events| bed.block_on(bed.store.append(&group, stream, at(NOW), events));
    assert!(matches!(append("", vec![event(NOW, "a")]), Err(Error::InvalidStream)));
    assert!(matches!(append(&"s".repeat(2049), vec![event(NOW, "a")]), Err(Error::InvalidStream)));
    let large = "x".repeat(segments::BATCH_BYTES_MAX);
    assert!(matches!(append("s", vec![event(NOW, &large), event(NOW, "y")]), Err(Error::TooLarge)));
    assert_eq!(append("s", Vec::new()).unwrap().first, None);
    assert_eq!(append("s", vec![event(NOW, &large)]).unwrap().message_bytes, large.len() as u64);
    bed.store.seal(&group).unwrap();
    assert_eq!(read_all(&bed.store, &group, "s", Direction::Forward)[0].message, large);
    assert_eq!(bed.store.corruptions(), []);
}
