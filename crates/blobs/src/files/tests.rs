use std::io::Read;

use base::SeededRng;
use tempfile::TempDir;

use super::write::Step;
use super::*;

pub(super) fn files() -> (TempDir, Files) {
    let directory = TempDir::new().unwrap();
    let files = opened(&directory, 1);
    (directory, files)
}

fn opened(directory: &TempDir, seed: u64) -> Files {
    Files::open_root(directory.path(), Arc::new(SeededRng::new(seed))).unwrap()
}

fn written(files: &Files, bytes: &[u8]) -> FileId {
    let mut writer = files.writer(u64::MAX).unwrap();
    writer.append(bytes).unwrap();
    writer.finish().unwrap()
}

fn read(files: &Files, id: &FileId) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    files.open(id).unwrap()?.file.read_to_end(&mut bytes).unwrap();
    Some(bytes)
}

fn all(files: &Files) -> Vec<FileId> {
    (0..=255).flat_map(|directory| files.settled(directory, Duration::ZERO).unwrap()).collect()
}

#[test]
fn what_was_finished_is_found_under_its_name_and_the_rest_leaves_nothing() {
    let (directory, files) = files();
    for has_nameless in [true, false] {
        files.0.has_nameless.store(has_nameless, Ordering::Relaxed);
        let id = written(&files, b"photo");
        assert_eq!(read(&files, &id).unwrap(), b"photo");
        assert_eq!(id.to_string().parse::<FileId>(), Ok(id));
        let mut dropped = files.writer(3).unwrap();
        dropped.append(b"ab").unwrap();
        assert!(matches!(dropped.append(b"cd"), Err(BlobError::TooLarge { max: 3 })));
    }
    assert_eq!(all(&files).len(), 2);
    assert_eq!(std::fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn a_process_that_dies_on_the_way_leaves_a_whole_file_without_an_owner_or_none() {
    for has_nameless in [true, false] {
        for step in [None, Some(Step::Synced), Some(Step::Named), Some(Step::Settled)] {
            let directory = TempDir::new().unwrap();
            let files = opened(&directory, 2);
            files.0.has_nameless.store(has_nameless, Ordering::Relaxed);
            let mut writer = files.writer(u64::MAX).unwrap();
            writer.append(b"whole").unwrap();
            if let Some(step) = step {
                writer.advance(step).unwrap();
            }
            // Nothing is tidied up by a process that is killed.
            let (file, copy) = (writer.temporary.take(), files.clone());
            drop((writer, file));
            drop((files, copy));
            let files = opened(&directory, 3);
            let left = all(&files);
            assert_eq!(left.len(), usize::from(step >= Some(Step::Named)), "{step:?}");
            assert!(left.iter().all(|id| read(&files, id).unwrap() == b"whole"));
            assert_eq!(std::fs::read_dir(directory.path().join("tmp")).unwrap().count(), 0);
        }
    }
}

#[test]
fn a_second_name_outlives_the_first() {
    let (_directory, files) = files();
    let first = written(&files, b"shared");
    let second = files.duplicate(&first).unwrap().unwrap();
    assert_ne!(first, second);
    assert_eq!(files.remove(&[first]).unwrap(), Removal::Done);
    assert_eq!((read(&files, &first), read(&files, &second).unwrap()), (None, b"shared".to_vec()));
    assert_eq!(files.duplicate(&first).unwrap(), None);
    assert_eq!(files.remove(&[first, second]).unwrap(), Removal::Done);
    assert!(all(&files).is_empty());
}

#[test]
fn many_files_get_second_names_together_or_none_does() {
    let (_directory, files) = files();
    let ids: Vec<FileId> = (0..600).map(|_| written(&files, b"shared")).collect();
    let copies = files.duplicate_all(&ids).unwrap().unwrap();
    assert_eq!((copies.len(), all(&files).len()), (600, 1200));
    assert_eq!(files.remove(&ids).unwrap(), Removal::Done);
    assert!(copies.iter().all(|id| read(&files, id).unwrap() == b"shared"));
    let missing = [copies[0], copies[1], ids[0], copies[2]];
    assert_eq!((files.duplicate_all(&missing).unwrap(), all(&files).len()), (None, 600));
    assert_eq!(files.duplicate_all(&[]).unwrap(), Some(Vec::new()));
}

#[test]
fn whoever_has_pinned_the_first_of_several_keeps_all() {
    let (_directory, files) = files();
    let ids = [written(&files, b"1"), written(&files, b"2")];
    let pins = [files.pin(&ids[0]), files.pin(&ids[0])];
    assert_eq!(files.remove(&ids).unwrap(), Removal::Pinned);
    let [one, other] = pins;
    drop(one);
    assert_eq!(files.remove(&ids).unwrap(), Removal::Pinned);
    assert_eq!(all(&files).len(), 2);
    drop(other);
    assert_eq!(files.remove(&ids).unwrap(), Removal::Done);
    assert!(all(&files).is_empty() && files.pins().is_empty());
}

#[test]
fn of_several_groups_those_go_that_nobody_has_pinned() {
    let (directory, files) = files();
    let groups = [b"1", b"2", b"3"].map(|content| [written(&files, content), written(&files, content)]);
    let pin = files.pin(&groups[1][0]);
    let held = HeldFiles::at(directory.path()).unwrap();
    assert_eq!(files.remove_each(&groups).unwrap(), None);
    assert_eq!(all(&files).len(), 6);
    drop(held);
    let removed = files.remove_each(&groups).unwrap().unwrap();
    assert_eq!(removed, [Removal::Done, Removal::Pinned, Removal::Done]);
    assert_eq!(all(&files).len(), 2);
    drop(pin);
    assert_eq!(files.remove_each(&groups).unwrap().unwrap(), [Removal::Done; 3]);
    assert!(all(&files).is_empty());
}

#[test]
fn whoever_holds_the_files_need_not_wait_until_nobody_ever_removes_one() {
    let (directory, files) = files();
    let path = directory.path().to_owned();
    let holder = std::thread::spawn(move || HeldFiles::at(&path).unwrap().unwrap());
    // Each removal begins before the one before it has ended.
    let mut removing = files.removing().unwrap();
    let mut rounds = 0;
    while removing.is_some() {
        let next = files.removing().unwrap();
        removing = next;
        rounds += 1;
        assert!(rounds < 1_000_000, "nobody can hold them");
        std::thread::yield_now();
    }
    let held = holder.join().unwrap();
    assert!(files.removing().unwrap().is_none());
    drop(held);
    assert!(files.removing().unwrap().is_some());
}

#[test]
fn a_sweep_is_shown_what_is_old_enough() {
    let (directory, files) = files();
    let id = written(&files, b"old");
    std::fs::write(directory.path().join(&id.to_string()[..2]).join("x"), "no file of ours").unwrap();
    assert_eq!(files.settled(id.directory(), Duration::ZERO).unwrap(), [id]);
    assert!(files.settled(id.directory(), Duration::from_secs(3600)).unwrap().is_empty());
    assert!(files.settled(id.directory().wrapping_add(1), Duration::ZERO).unwrap().is_empty());
}

#[test]
fn only_32_digits_are_a_name() {
    let right = "00112233445566778899aabbccddeeff";
    assert_eq!(right.parse::<FileId>().unwrap().path(), "00/112233445566778899aabbccddeeff");
    for wrong in
        ["", "..", "00112233445566778899aabbccddeef", "00112233445566778899AABBCCDDEEFF", "../../../../etc/passwd"]
    {
        assert!(wrong.parse::<FileId>().is_err(), "{wrong}");
    }
}

#[test]
fn some_room_is_left() {
    let (_directory, files) = files();
    assert!(files.has_room(1) && !files.has_room(u64::MAX));
}

#[test]
fn what_is_held_is_not_removed_and_new_files_come_nevertheless() {
    let (directory, files) = files();
    let before = written(&files, b"before");
    let held = HeldFiles::at(directory.path()).unwrap().unwrap();
    assert_eq!(files.remove(&[before]).unwrap(), Removal::Pinned);
    let after = written(&files, b"after");
    let mut found: Vec<FileId> = held.all().collect::<Result<_, _>>().unwrap();
    found.sort_unstable();
    let mut expected = vec![before, after];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(held.open(&before).unwrap().unwrap().size, 6);
    drop(held);
    assert_eq!(files.remove(&[before]).unwrap(), Removal::Done);
    assert_eq!(read(&files, &before), None);
    assert!(HeldFiles::at(&directory.path().join("elsewhere")).unwrap().is_none());
}

#[test]
fn what_was_there_before_the_opening_is_settled_at_once_and_what_came_since_is_not() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let (directory, files) = files();
    let before = written(&files, b"before");
    let settled = |files: &Files| -> Vec<FileId> {
        (0..=255).flat_map(|directory| files.settled(directory, DAY).unwrap()).collect()
    };
    assert!(settled(&files).is_empty());
    drop(files);
    // Within one tick of the file system's clock it is not known which came first.
    let files = std::iter::from_fn(|| Some(opened(&directory, 2))).find(|files| !settled(files).is_empty()).unwrap();
    let since = written(&files, b"since");
    assert_eq!(settled(&files), [before]);
    let copy = files.duplicate(&before).unwrap().unwrap();
    assert!(settled(&files).is_empty(), "bytes that have just got a name are in use");
    assert_eq!([since, copy].map(|id| read(&files, &id).is_some()), [true, true]);
}
