//! kill -9 under load. A child of the test appends with several writers and reports what was acknowledged through a pipe;
//! it is killed at a random moment; whoever opens the store afterwards must find everything that was reported, in order,
//! and no batch by halves.
//!
//! `PILVI_CRASH_KILLS` sets the number of kills: 40 unless it says otherwise.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use base::{Rng, SystemClock, SystemRng};
use segments::{Direction, NewEvent, Options, Segments};
use tempfile::TempDir;

use crate::bed::{NOW, at, group, read_all};

const WRITERS: usize = 5;
/// The events of a batch, which must always be there together.
const BATCH: usize = 3;
const KILLS: u32 = 40;
/// A stream that is deleted now and then, by the writer of this number.
const DELETER: usize = 4;
/// Tells the child what it is: the directory of its store.
const CHILD: &str = "PILVI_SEGMENTS_CRASH_CHILD";

#[test]
fn no_kill_loses_or_halves_an_acknowledged_batch() {
    let kills = std::env::var("PILVI_CRASH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let directory = TempDir::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut lines = 0;
    for kill in 0..kills {
        let mut child = start(directory.path());
        // Between the first moments of opening and well into the load.
        std::thread::sleep(Duration::from_micros(SystemRng.next_u64() % 100_000));
        child.kill().unwrap();
        lines += read_acknowledged(&mut child, &mut acknowledged);
        child.wait().unwrap();
        check(directory.path(), &acknowledged, kill);
    }
    assert!(lines > kills as usize, "only {lines} batches were acknowledged in {kills} runs");
}

/// The child. Run by itself it does nothing.
#[test]
fn child_that_appends_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = open(Path::new(&directory));
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(Arc::clone(&store), writer))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Files are full soon, so that there is much sealing and compacting to be interrupted.
fn open(directory: &Path) -> Arc<Segments> {
    let options = Options { clock: Arc::new(SystemClock), active_bytes_max: 8_000, ..Options::default() };
    Segments::open(directory, options).unwrap()
}

/// The group of a writer: some write into the same.
fn group_of(writer: usize) -> segments::GroupKey {
    group(["one", "two"][writer % 2])
}

/// Appends numbers that count up, and reports each batch that was acknowledged.
async fn write(store: Arc<Segments>, writer: usize) {
    let (group, stream) = (group_of(writer), writer.to_string());
    let last = read_all(&store, &group, &stream, Direction::Backward);
    let mut number = last.last().map_or(0, |event| number_of(&event.message) + 1);
    if writer == DELETER {
        number = SystemRng.next_u64() % 10_000_000 * 3_000_000;
    }
    loop {
        let event = |part: u64| NewEvent {
            timestamp: at(NOW + (number + part).cast_signed()),
            message: format!("{} {}", number + part, "x".repeat((SystemRng.next_u64() % 100) as usize)),
        };
        let batch = (0..BATCH as u64).map(event).collect();
        store.append(&group, &stream, at(NOW), batch).await.unwrap();
        tell(&format!("{writer} {number}"));
        number += BATCH as u64;
        if writer == DELETER && number.is_multiple_of(30) {
            tell(&format!("{writer} deleting"));
            store.delete_stream(&group, &stream).unwrap();
            tell(&format!("{writer} deleted"));
        }
    }
}

/// One write a line, so that no kill halves one.
fn tell(line: &str) {
    std::io::stdout().lock().write_all(format!("\n@{line}\n").as_bytes()).unwrap();
}

fn number_of(message: &str) -> u64 {
    message.split(' ').next().unwrap().parse().unwrap()
}

fn start(directory: &Path) -> Child {
    let test = "crash::child_that_appends_until_it_is_killed";
    Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(CHILD, directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What is known of a writer's stream.
#[derive(Debug, Default)]
struct Acknowledged {
    /// The first numbers of the batches that must be there.
    batches: Vec<u64>,
    /// Those that must not be there.
    gone: Vec<u64>,
    /// Those of which nothing is known, as a deletion was not acknowledged.
    unsure: Vec<u64>,
}

fn read_acknowledged(child: &mut Child, acknowledged: &mut BTreeMap<usize, Acknowledged>) -> usize {
    let mut count = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        let Some((writer, what)) = line.strip_prefix('@').and_then(|line| line.split_once(' ')) else { continue };
        let known: &mut Acknowledged = acknowledged.entry(writer.parse().unwrap()).or_default();
        match what {
            "deleting" => known.unsure.append(&mut known.batches),
            "deleted" => known.gone.append(&mut known.unsure),
            number => known.batches.push(number.parse().unwrap()),
        }
        count += 1;
    }
    count
}

fn check(directory: &Path, acknowledged: &BTreeMap<usize, Acknowledged>, kill: u32) {
    let store = open(directory);
    for (writer, known) in acknowledged {
        let events = read_all(&store, &group_of(*writer), &writer.to_string(), Direction::Forward);
        let numbers: Vec<u64> = events.iter().map(|event| number_of(&event.message)).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "kill {kill}: out of order");
        for batch in numbers.chunk_by(|one, next| one / BATCH as u64 == next / BATCH as u64) {
            assert_eq!(batch.len(), BATCH, "kill {kill}: a batch is there by halves");
        }
        let is_there = |number: &u64| numbers.binary_search(number).is_ok();
        assert!(known.batches.iter().all(is_there), "kill {kill}: an acknowledged batch of {writer} is lost");
        assert!(!known.gone.iter().any(is_there), "kill {kill}: a deleted batch of {writer} is back");
    }
    let worse = |corruption: &segments::Corruption| corruption.what != segments::Damage::TornTail;
    assert!(!store.corruptions().iter().any(worse), "kill {kill}: {:?}", store.corruptions());
}
