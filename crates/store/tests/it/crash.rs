//! kill -9 under load. A child of the test writes with several writers and reports what was acknowledged through a pipe;
//! it is killed at a random moment; whoever opens the store afterwards must find everything that was reported.
//!
//! `PILVI_CRASH_KILLS` sets the number of kills: 50 unless it says otherwise.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base::{Rng, SystemRng};
use store::{Entry, HistoryPolicy, Key, Op, Range, Store, StoreOptions, Txn};
use tempfile::TempDir;

use crate::bed::key;

const WRITERS: usize = 6;
/// Each transaction writes this many keys of its writer, which must always agree.
const KEYS_TOGETHER: usize = 4;
const KILLS: u32 = 50;

/// Tells the child what it is: the directory of its store.
const CHILD: &str = "PILVI_CRASH_CHILD";

#[test]
fn no_kill_loses_or_halves_an_acknowledged_transaction() {
    let kills = std::env::var("PILVI_CRASH_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let directory = TempDir::new().unwrap();
    let mut acknowledged = BTreeMap::new();
    let mut revision = 0;
    let mut lines = 0;
    for kill in 0..kills {
        let mut child = start(directory.path());
        // Between the first moments of opening and well into the load.
        std::thread::sleep(Duration::from_micros(SystemRng.next_u64() % 120_000));
        child.kill().unwrap();
        lines += read_acknowledged(&mut child, &mut acknowledged);
        child.wait().unwrap();
        revision = check(directory.path(), &acknowledged, revision, kill);
    }
    assert!(lines > kills as usize, "only {lines} transactions were acknowledged in {kills} runs");
}

#[test]
fn a_store_that_was_killed_while_it_was_made_can_be_opened() {
    for kill in 0..20 {
        let outer = TempDir::new().unwrap();
        let directory = outer.path().join("store");
        let mut child = start(&directory);
        std::thread::sleep(Duration::from_micros(SystemRng.next_u64() % 15_000));
        child.kill().unwrap();
        let mut acknowledged = BTreeMap::new();
        read_acknowledged(&mut child, &mut acknowledged);
        child.wait().unwrap();
        check(&directory, &acknowledged, 0, kill);
    }
}

/// The child. Run by itself it does nothing.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let short = HistoryPolicy { keep: Duration::from_millis(10), events_max: 100 };
        let options = StoreOptions { history: vec![(Key::root(), short)], ..StoreOptions::default() };
        let store = Store::open(Path::new(&directory), options).unwrap();
        let writers: Vec<_> = (0..WRITERS).map(|writer| tokio::spawn(write(store.clone(), writer))).collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Counts up in all of the writer's keys, deletes and leases among them, and reports each number that was acknowledged.
async fn write(store: Store, writer: usize) {
    let last = store.get(&key_of(writer, 0)).await.unwrap();
    let mut number = last.map_or(0, |entry| number_in(&entry)) + 1;
    loop {
        let value = format!("{number}:{}", "x".repeat((number % 7000) as usize));
        let put = |n| Op::Put { key: key_of(writer, n), value: value.clone().into_bytes(), lease: None };
        let mut then: Vec<Op> = (0..KEYS_TOGETHER).map(put).collect();
        then.push(Op::Enqueue {
            queue: "numbers".to_owned(),
            id: writer.to_string(),
            body: number.to_string().into_bytes(),
            visible_at: base::Timestamp::MIN,
        });
        // A key that comes and goes leaves deletions to compact.
        let passing = key(&format!("passing/{writer}"));
        then.push(match number % 2 {
            0 => Op::Delete { key: passing },
            _ => Op::Put { key: passing, value: Vec::new(), lease: None },
        });
        let outcome = store.txn(Txn { then, ..Txn::default() }).await.unwrap();
        let line = format!("\n{writer} {number} {};", outcome.revision);
        // One write of a short line to a pipe is atomic.
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        std::io::stdout().lock().flush().unwrap();
        if number % 50 == 0 {
            store.maintain().await.unwrap();
        }
        number += 1;
    }
}

fn start(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child_that_writes_until_it_is_killed", "--nocapture", "--test-threads=1"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads the child's report up to where it was cut off: the last number of each writer and the revision that it had.
fn read_acknowledged(child: &mut Child, acknowledged: &mut BTreeMap<usize, (u64, u64)>) -> usize {
    let mut report = String::new();
    child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    let mut lines = 0;
    for line in BufReader::new(report.as_bytes()).lines().map(Result::unwrap) {
        let Some(line) = line.strip_suffix(';') else { continue };
        let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().unwrap()).collect();
        acknowledged.insert(numbers[0] as usize, (numbers[1], numbers[2]));
        lines += 1;
    }
    lines
}

/// Opens the store after a kill and compares it with the report. Answers its revision.
fn check(directory: &Path, acknowledged: &BTreeMap<usize, (u64, u64)>, before: u64, kill: u32) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(directory, StoreOptions::default()).unwrap();
        let revision = store.revision().0;
        assert!(revision >= before, "kill {kill}: the revision went back from {before} to {revision}");
        for writer in 0..WRITERS {
            let (least, at) = acknowledged.get(&writer).copied().unwrap_or((0, 0));
            assert!(revision >= at, "kill {kill}: revision {at} was acknowledged and the store is at {revision}");
            let entries = store.range(Range::prefix(&key(&format!("writers/{writer}")))).await.unwrap().entries;
            let numbers: Vec<u64> = entries.iter().map(number_in).collect();
            let number = numbers.first().copied().unwrap_or(0);
            assert!(number >= least, "kill {kill}: writer {writer} was told of {least}, and {number} is stored");
            let together = numbers.len() == KEYS_TOGETHER && numbers.iter().all(|it| *it == number);
            assert!(together || numbers.is_empty(), "kill {kill}: half a transaction of writer {writer}: {numbers:?}");
            let passing = store.get(&key(&format!("passing/{writer}"))).await.unwrap();
            assert_eq!(passing.is_some(), number % 2 == 1, "kill {kill}: half a transaction of writer {writer}");
        }
        check_queue(&store, kill).await;
        store.close().await.unwrap();
        revision
    })
}

async fn check_queue(store: &Store, kill: u32) {
    let messages = store.receive("numbers", WRITERS, Duration::ZERO).await.unwrap();
    for message in messages {
        let body = String::from_utf8(message.body).unwrap();
        let writer: usize = message.id.parse().unwrap();
        let stored = number_in(&store.get(&key_of(writer, 0)).await.unwrap().unwrap());
        assert_eq!(body, stored.to_string(), "kill {kill}: the queue and the keys of writer {writer} disagree");
    }
}

fn key_of(writer: usize, n: usize) -> Key {
    key(&format!("writers/{writer}/{n}"))
}

fn number_in(entry: &Entry) -> u64 {
    let text = std::str::from_utf8(&entry.value).unwrap();
    text.split(':').next().unwrap().parse().unwrap()
}
