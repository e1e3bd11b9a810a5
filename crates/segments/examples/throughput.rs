//! How fast events are stored and read, and how many bytes they take.
//!
//! `cargo run --release -p segments --example throughput -- [EVENTS] [DIRECTORY]`

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use base::{AccountId, Clock, Region, Rng, SeededRng, SystemClock};
use segments::{Direction, Error, GroupKey, NewEvent, Options, Query, Scan, Segments};

const EVENTS: u64 = 2_000_000;
const STREAMS: u64 = 50;
const WRITERS: u64 = 8;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let events = arguments.next().and_then(|events| events.parse().ok()).unwrap_or(EVENTS);
    let directory = arguments.next().map_or_else(|| std::env::temp_dir().join("segments-throughput"), PathBuf::from);
    match measure(&directory, events) {
        Ok(report) => {
            let shown = std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes());
            if shown.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// The line of a web server, as many as wanted.
fn line(rng: &SeededRng, number: u64) -> String {
    let (one, two) = (rng.next_u64(), rng.next_u64());
    let (second, minute) = (number / 1_000 % 60, number / 60_000 % 60);
    let address = format!("10.{}.{}.{}", one % 4, one >> 8 & 0xff, one >> 16 & 0xff);
    let path = ["/api/v1/items", "/api/v1/orders", "/login", "/static/app.js"][(one >> 24 & 3) as usize];
    format!(
        "{address} - - [23/Nov/2026:10:{minute:02}:{second:02} +0000] \"GET {path}/{} HTTP/1.1\" 200 {} {:016x}",
        two % 10_000,
        two >> 20 & 0xfff,
        two
    )
}

fn measure(directory: &Path, events: u64) -> Result<String, Error> {
    let mut report = String::new();
    let key = GroupKey::new(AccountId::DEFAULT, &Region::default(), "throughput")?;
    let store = Segments::open(directory, Options::default())?;
    for (name, batch) in [("1 event a batch", 1), ("100 events a batch", 100)] {
        let wanted = if batch == 1 { events / 20 } else { events };
        let group = GroupKey::new(AccountId::DEFAULT, &Region::default(), &format!("batches-of-{batch}"))?;
        let group = if batch == 1 { group } else { key.clone() };
        let (seconds, bytes) = append(&store, &group, wanted, batch)?;
        let rate = wanted as f64 / seconds;
        let _ = writeln!(report, "append, {name}: {rate:.0} events/s, {:.1} MB/s", bytes as f64 / seconds / 1e6);
    }
    let started = Instant::now();
    store.seal(&key)?;
    let _ = writeln!(report, "sealing the rest: {:.2} s", started.elapsed().as_secs_f64());
    let bytes = store.group_bytes(&key)?;
    let _ = writeln!(report, "stored: {:.1} bytes an event", bytes as f64 / events as f64);
    scan(&store, &key, &mut report)?;
    page(&store, &key, &mut report)?;
    store.delete_group(&key)?;
    store.delete_group(&GroupKey::new(AccountId::DEFAULT, &Region::default(), "batches-of-1")?)?;
    store.settle();
    Ok(report)
}

/// Answers the seconds and the bytes of messages.
fn append(store: &Arc<Segments>, group: &GroupKey, events: u64, batch: u64) -> Result<(f64, u64), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
    let runtime = runtime.map_err(|source| Error::Io { doing: "starting a runtime", source })?;
    // What it costs to make the lines is not measured.
    let made: Vec<Vec<Vec<NewEvent>>> = (0..WRITERS).map(|writer| batches(writer, events / WRITERS, batch)).collect();
    let bytes = made.iter().flatten().flatten().map(|event| event.message.len() as u64).sum();
    let started = Instant::now();
    runtime.block_on(async {
        let mut writers = Vec::new();
        for (writer, batches) in made.into_iter().enumerate() {
            let (store, group) = (Arc::clone(store), group.clone());
            writers.push(tokio::spawn(async move {
                for (number, events) in batches.into_iter().enumerate() {
                    let stream = format!("task/{}", (writer as u64 * 7 + number as u64) % STREAMS);
                    store.append(&group, &stream, SystemClock.now(), events).await?;
                }
                Ok::<(), Error>(())
            }));
        }
        for writer in writers {
            writer.await.map_err(|_| Error::Closed)??;
        }
        Ok::<(), Error>(())
    })?;
    Ok((started.elapsed().as_secs_f64(), bytes))
}

fn batches(writer: u64, events: u64, batch: u64) -> Vec<Vec<NewEvent>> {
    let rng = SeededRng::new(writer);
    let now = SystemClock.now().as_millis();
    let event = |number: u64| NewEvent {
        timestamp: base::Timestamp::from_millis(now + (number / 20).cast_signed()),
        message: line(&rng, number),
    };
    (0..events / batch).map(|first| (0..batch).map(|number| event(first * batch + number)).collect()).collect()
}

fn scan(store: &Segments, group: &GroupKey, report: &mut String) -> Result<(), Error> {
    let started = Instant::now();
    let mut found = 0_u64;
    let scanned = store.scan(group, &Scan::default(), &mut |event| {
        found += u64::from(event.message.contains("/login/77"));
        ControlFlow::Continue(())
    })?;
    let seconds = started.elapsed().as_secs_f64();
    let (rate, megabytes) = (scanned.events as f64 / seconds, scanned.message_bytes as f64 / seconds / 1e6);
    let _ = writeln!(
        report,
        "scan with a search: {rate:.0} events/s, {megabytes:.0} MB/s, {found} of {} found",
        scanned.events
    );
    Ok(())
}

fn page(store: &Segments, group: &GroupKey, report: &mut String) -> Result<(), Error> {
    for direction in [Direction::Backward, Direction::Forward] {
        let started = Instant::now();
        let mut query = Query { direction, limit_events: 100, ..Query::default() };
        let pages = 200;
        for _ in 0..pages {
            query.from = Some(store.read(group, "task/7", query)?.next);
        }
        let micros = started.elapsed().as_micros() / pages;
        let _ = writeln!(report, "a page of 100 events, {direction:?}: {micros} µs");
    }
    Ok(())
}
