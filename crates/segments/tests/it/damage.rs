//! Damaged files: reported, and nothing lost but what was hit.

use std::fs;
use std::path::PathBuf;

use segments::{Damage, Direction, GroupKey, Scan};

use crate::bed::{Bed, NOW, event, files_of, group, messages, options, read_all, scan_all};

const EVENTS: i64 = 3_000;

/// A group with a sealed file of several blocks, and its path.
fn sealed() -> (Bed, GroupKey, PathBuf) {
    let bed = Bed::new(options(64 << 20));
    let group = group("g");
    for number in 0..EVENTS / 10 {
        let line = |line: i64| {
            let noise: String =
                (0..100).map(|at| format!("{:x}", (number * 31 + line * 17 + at).pow(3) % 65_521)).collect();
            event(NOW + number * 10 + line, format!("{:04} {noise}", number * 10 + line))
        };
        bed.append(&group, ["a", "b", "c"][number as usize % 3], (0..10).map(line).collect());
    }
    bed.store.seal(&group).unwrap();
    let files = files_of(bed.directory.path(), &group);
    assert_eq!(files.len(), 1, "{files:?}");
    let path = bed.directory.path().join(group.as_str()).join(&files[0]);
    (bed, group, path)
}

#[test]
fn a_flipped_byte_anywhere_in_a_sealed_file_is_reported_and_costs_one_block_at_most() {
    let (mut bed, group, path) = sealed();
    let whole = scan_all(&bed.store, &group, &Scan::default());
    assert_eq!(whole.len(), EVENTS as usize);
    let bytes = fs::read(&path).unwrap();
    let footer = bytes.len() - 96;
    let places = (0..30).map(|number| number * bytes.len() / 30).chain([0, 5, footer + 3, footer + 90, footer - 2]);
    for place in places {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x40;
        fs::write(&path, &damaged).unwrap();
        bed.reopen(options(64 << 20));
        let left = scan_all(&bed.store, &group, &Scan::default());
        let corruptions = bed.store.corruptions();
        assert!(!corruptions.is_empty(), "byte {place} of {} is not noticed", bytes.len());
        assert!(corruptions.iter().all(|corruption| corruption.group == group));
        let lost = whole.len() - left.len();
        match corruptions[0].what {
            Damage::Block => {
                let range = corruptions[0].offset..corruptions[0].offset + corruptions[0].length;
                assert!(range.contains(&(place as u64)), "byte {place} is not in {range:?}");
                assert!(lost > 0 && lost < whole.len() / 2, "byte {place}: {lost} events are lost");
            }
            Damage::Index => assert_eq!(lost, 0, "byte {place}"),
            other => panic!("byte {place}: {other:?}"),
        }
        let rest: Vec<_> = whole.iter().filter(|event| left.contains(event)).cloned().collect();
        assert_eq!(left, rest);
        // Reading streams notices no more, and does no harm.
        let read: usize =
            ["a", "b", "c"].map(|s| read_all(&bed.store, &group, s, Direction::Backward).len()).iter().sum();
        assert_eq!(read, left.len());
    }
}

#[test]
fn a_damaged_file_does_not_hurt_the_others_and_is_not_compacted_away() {
    let (mut bed, group, path) = sealed();
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    bed.reopen(options(100));
    let left = scan_all(&bed.store, &group, &Scan::default()).len();
    for number in 0..40 {
        bed.append(&group, "later", vec![event(NOW, format!("{number} {}", "x".repeat(100)))]);
    }
    bed.store.settle();
    assert_eq!(read_all(&bed.store, &group, "later", Direction::Forward).len(), 40);
    assert_eq!(scan_all(&bed.store, &group, &Scan::default()).len(), left + 40);
    assert!(path.exists(), "the damaged file is there to be looked at");
    assert!(files_of(bed.directory.path(), &group).len() < 20, "the others are compacted");
}

#[test]
fn a_torn_end_of_an_active_file_is_cut_off_and_reported() {
    let mut bed = Bed::new(options(64 << 20));
    let group = group("g");
    bed.append(&group, "s", vec![event(NOW, "one")]);
    bed.append(&group, "s", vec![event(NOW, "two")]);
    let path = bed.directory.path().join(group.as_str()).join(&files_of(bed.directory.path(), &group)[0]);
    bed.store.close();
    let bytes = fs::read(&path).unwrap();
    for length in bytes.len() / 2 + 1..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        bed.reopen(options(64 << 20));
        assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["one"]);
        let corruptions = bed.store.corruptions();
        assert_eq!((corruptions.len(), corruptions[0].what), (1, Damage::TornTail));
        bed.append(&group, "s", vec![event(NOW, "three")]);
        assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["one", "three"]);
        bed.reopen(options(64 << 20));
        assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["one", "three"]);
        assert_eq!(bed.store.corruptions(), []);
        bed.store.close();
    }
}

#[test]
fn a_flipped_byte_in_an_active_file_costs_its_own_batch_only() {
    let mut bed = Bed::new(options(64 << 20));
    let group = group("g");
    for number in 0..5 {
        bed.append(&group, "s", vec![event(NOW + number, number.to_string())]);
    }
    let path = bed.directory.path().join(group.as_str()).join(&files_of(bed.directory.path(), &group)[0]);
    bed.store.close();
    let bytes = fs::read(&path).unwrap();
    let length = bytes.len() / 5;
    // Not in the last one's header: without what follows, that is a torn end.
    for place in 0..bytes.len() - length {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x08;
        fs::write(&path, &damaged).unwrap();
        bed.reopen(options(64 << 20));
        let mut expected = vec!["0", "1", "2", "3", "4"];
        expected.remove(place / length);
        assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), expected, "byte {place}");
        assert_eq!(bed.store.corruptions().len(), 1, "byte {place}");
        assert_eq!(bed.store.corruptions()[0].what, Damage::Batch);
        bed.append(&group, "s", vec![event(NOW + 9, "new")]);
        expected.push("new");
        bed.store.seal(&group).unwrap();
        assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), expected, "byte {place}");
        bed.store.close();
        for file in files_of(bed.directory.path(), &group) {
            fs::remove_file(bed.directory.path().join(group.as_str()).join(file)).unwrap();
        }
    }
}
