//! A disk that is full, or broken, for a while.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use base::{Rng, SeededRng};
use segments::{Corruption, Damage, Direction, Disk, Error, Options, Scan, SystemDisk};

use crate::bed::{Bed, NOW, at, event, group, messages, options, read_all, scan_all};

const NO_SPACE: i32 = 28;
const BROKEN: i32 = 5;

/// A disk with so many bytes left. What does not fit is written as far as it does, as a real one would.
#[derive(Debug)]
struct SmallDisk {
    bytes_left: AtomicI64,
    error: i32,
    /// Truncating fails, too.
    is_stuck: bool,
    syncs_failing: AtomicU64,
    truncated: Mutex<u64>,
}

impl SmallDisk {
    fn new(error: i32, is_stuck: bool) -> Arc<Self> {
        let (bytes_left, syncs_failing) = (AtomicI64::new(i64::MAX), AtomicU64::new(0));
        Arc::new(Self { bytes_left, error, is_stuck, syncs_failing, truncated: Mutex::default() })
    }

    fn leave(&self, bytes: i64) {
        self.bytes_left.store(bytes, Ordering::SeqCst);
    }
}

impl Disk for SmallDisk {
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let left = self.bytes_left.fetch_sub(bytes.len() as i64, Ordering::SeqCst);
        if left >= bytes.len() as i64 {
            return SystemDisk.write_at(file, bytes, offset);
        }
        self.leave(0);
        SystemDisk.write_at(file, &bytes[..usize::try_from(left).unwrap_or(0)], offset)?;
        Err(io::Error::from_raw_os_error(self.error))
    }

    fn truncate(&self, file: &File, length: u64) -> io::Result<()> {
        if self.is_stuck && self.bytes_left.load(Ordering::SeqCst) < i64::MAX / 2 {
            return Err(io::Error::from_raw_os_error(self.error));
        }
        *self.truncated.lock().unwrap() += 1;
        SystemDisk.truncate(file, length)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let is_failing = |left: u64| left.checked_sub(1);
        if self.syncs_failing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_failing).is_ok() {
            return Err(io::Error::from_raw_os_error(BROKEN));
        }
        SystemDisk.sync(file)
    }
}

fn on(disk: &Arc<SmallDisk>, active_bytes_max: u64) -> Options {
    Options { disk: Arc::clone(disk) as Arc<dyn Disk>, ..options(active_bytes_max) }
}

#[test]
fn a_full_or_broken_disk_refuses_and_counts_and_goes_on_reading() {
    for (error, is_stuck) in [(NO_SPACE, false), (BROKEN, false), (NO_SPACE, true)] {
        let disk = SmallDisk::new(error, is_stuck);
        let mut bed = Bed::new(on(&disk, 1 << 20));
        let group = group("g");
        bed.append(&group, "s", vec![event(NOW, "before")]);
        disk.leave(20);
        for _ in 0..3 {
            let events = vec![event(NOW + 1, "lost"), event(NOW + 1, "lost")];
            let refused = bed.block_on(bed.store.append(&group, "s", at(NOW), events));
            assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
            assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["before"]);
        }
        assert_eq!(bed.store.dropped(&group).refused, 6);
        disk.leave(i64::MAX);
        bed.append(&group, "s", vec![event(NOW + 2, "after")]);
        assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["before", "after"]);
        bed.reopen(on(&disk, 1 << 20));
        assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["before", "after"]);
    }
}

#[test]
fn a_disk_that_runs_full_again_and_again_loses_nothing_that_was_acknowledged() {
    for seed in 0..12 {
        let rng = SeededRng::new(seed);
        let disk = SmallDisk::new(NO_SPACE, seed % 3 == 0);
        let mut bed = Bed::new(on(&disk, 2_000));
        let group = group("g");
        let (mut stored, mut refused) = (Vec::new(), 0);
        for number in 0..150_i64 {
            if number % 10 == 0 {
                disk.leave(if number % 20 == 0 { (rng.next_u64() % 1_500).cast_signed() } else { i64::MAX });
            }
            let message = format!("{number} {}", "x".repeat((rng.next_u64() % 300) as usize));
            let events = vec![event(NOW + number, &message)];
            match bed.block_on(bed.store.append(&group, "s", at(NOW), events)) {
                Ok(_) => stored.push(message),
                Err(Error::Full { .. }) => refused += 1,
                Err(error) => panic!("seed {seed}: {error:?}"),
            }
            if number % 50 == 49 {
                let before = disk.bytes_left.load(Ordering::SeqCst);
                bed.reopen(on(&disk, 2_000));
                disk.leave(before);
            }
            let found = scan_all(&bed.store, &group, &Scan::default());
            assert_eq!(messages(&found), stored, "seed {seed}, event {number}");
        }
        disk.leave(i64::MAX);
        bed.store.seal(&group).unwrap();
        assert!(refused > 10, "seed {seed}: refused {refused} times only");
        assert_eq!(messages(&scan_all(&bed.store, &group, &Scan::default())), stored, "seed {seed}");
        // What could not be cut off is found to be torn by whoever opens the file again.
        let worse = |found: &Corruption| seed % 3 > 0 || found.what != Damage::TornTail;
        assert!(!bed.store.corruptions().iter().any(worse), "seed {seed}: {:?}", bed.store.corruptions());
    }
}

#[test]
fn what_could_not_be_synced_is_written_anew() {
    let disk = SmallDisk::new(BROKEN, false);
    let bed = Bed::new(on(&disk, 1 << 20));
    let group = group("g");
    bed.append(&group, "s", vec![event(NOW, "one")]);
    disk.syncs_failing.store(1, Ordering::SeqCst);
    bed.store.sync();
    bed.store.settle();
    let files = crate::bed::files_of(bed.directory.path(), &group);
    assert!(files.len() == 1 && files[0].ends_with(".seg"), "{files:?}");
    bed.append(&group, "s", vec![event(NOW, "two")]);
    assert_eq!(messages(&read_all(&bed.store, &group, "s", Direction::Forward)), ["one", "two"]);
}

#[test]
fn expiry_frees_a_full_disk() {
    let disk = SmallDisk::new(NO_SPACE, false);
    let bed = Bed::new(on(&disk, 300));
    let group = group("g");
    for number in 0..20 {
        bed.append(&group, "s", vec![event(NOW + number, "x".repeat(100))]);
    }
    bed.store.settle();
    disk.leave(0);
    let before = bed.store.group_bytes(&group).unwrap();
    let expired = bed.store.expire(&group, at(NOW + 19));
    assert!(matches!(expired, Err(Error::Full { .. })), "{expired:?}");
    assert!(bed.store.group_bytes(&group).unwrap() < before / 2);
    assert_eq!(read_all(&bed.store, &group, "s", Direction::Forward).len(), 1);
}
