//! Many groups, many writers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use base::{AccountId, Region};
use segments::{Direction, Error, GroupKey, NewEvent, Options, Segments};

use crate::bed::{Bed, NOW, at, event, files_of, group, messages, options, read_all};

#[test]
fn an_id_that_could_leave_the_directory_is_refused() {
    for id in ["", ".", "..", "a/b", "a b", "ä", "\0", &"x".repeat(129)] {
        let key = GroupKey::new(AccountId::DEFAULT, &Region::default(), id);
        assert!(matches!(key, Err(Error::InvalidGroup(_))), "{id}");
    }
}

#[test]
fn a_directory_is_open_once_and_its_files_are_its_owners() {
    let bed = Bed::new(options(1 << 20));
    let group = group("g");
    assert!(matches!(Segments::open(bed.directory.path(), options(1)), Err(Error::Locked(_))));
    bed.append(&group, "s", vec![event(NOW, "x")]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = bed.directory.path().join(group.as_str());
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(&files_of(bed.directory.path(), &group)[0])), 0o600);
}

#[test]
fn a_link_in_the_place_of_a_group_is_not_followed() {
    let bed = Bed::new(options(1 << 20));
    let elsewhere = tempfile::TempDir::new().unwrap();
    let region = bed.directory.path().join("000000000000/us-east-1");
    std::fs::create_dir_all(&region).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), region.join("g")).unwrap();
    let appended = bed.block_on(bed.store.append(&group("g"), "s", at(NOW), vec![event(NOW, "x")]));
    assert!(appended.is_err());
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_thousand_groups_keep_few_files_open() {
    let mut bed = Bed::new(options(1 << 20));
    let groups: Vec<GroupKey> = (0..1_000).map(|number| group(&format!("g-{number}"))).collect();
    for round in 0..2 {
        for group in &groups {
            bed.append(group, "s", vec![event(NOW + round, round.to_string())]);
        }
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
    assert!(open < 600, "{open} files are open");
    bed.reopen(options(1 << 20));
    for group in &groups {
        assert_eq!(messages(&read_all(&bed.store, group, "s", Direction::Forward)), ["0", "1"]);
    }
    assert_eq!(bed.store.groups().unwrap().len(), 1_000);
}

#[test]
fn many_writers_at_once_lose_nothing_and_mix_nothing() {
    let directory = tempfile::TempDir::new().unwrap();
    let store = Segments::open(directory.path(), options(20_000)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let writers: Vec<_> = (0..16)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    for number in 0..200 {
                        let message = format!("{writer} {number}");
                        let events = vec![NewEvent { timestamp: at(NOW + number), message }];
                        store
                            .append(&group(&format!("g{}", writer % 3)), &writer.to_string(), at(NOW), events)
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
    for writer in 0..16 {
        let read = read_all(&store, &group(&format!("g{}", writer % 3)), &writer.to_string(), Direction::Forward);
        let expected: Vec<String> = (0..200).map(|number| format!("{writer} {number}")).collect();
        assert_eq!(messages(&read), expected);
    }
}

#[test]
fn what_takes_memory_is_sealed_or_closed_and_still_read() {
    let bed = Bed::new(options(1 << 30));
    let groups: Vec<GroupKey> = (0..6).map(|number| group(&format!("g-{number}"))).collect();
    // Each stream is known by name: together far more than groups may take.
    for group in &groups {
        for batch in 0..30_i64 {
            let appends = (0..1_000).map(|stream| {
                let name = format!("{batch}-{stream}-{}", "n".repeat(200));
                let store = &bed.store;
                async move { store.append(group, &name, at(NOW), vec![event(NOW + batch, "x")]).await.unwrap() }
            });
            bed.block_on(async {
                for append in appends {
                    append.await;
                }
            });
        }
    }
    bed.store.settle();
    let sealed =
        groups.iter().flat_map(|group| files_of(bed.directory.path(), group)).filter(|name| name.ends_with(".seg"));
    assert!(sealed.count() > 0, "nothing has been sealed");
    for group in &groups {
        let name = format!("29-999-{}", "n".repeat(200));
        assert_eq!(read_all(&bed.store, group, &name, Direction::Backward).len(), 1);
    }
}

#[test]
fn after_closing_nothing_is_taken() {
    let bed = Bed::new(Options::default());
    bed.append(&group("g"), "s", vec![event(NOW, "x")]);
    bed.store.close();
    let appended = bed.block_on(bed.store.append(&group("g"), "s", at(NOW), vec![event(NOW, "y")]));
    assert!(matches!(appended, Err(Error::Closed)));
}
