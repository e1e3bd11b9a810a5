//! Measures the store on the disk of a directory: `cargo run --release -p store --example commits -- DIR`.
//!
//! Prints how long opening takes, how many durable commits a second one writer and many achieve and how long each waits,
//! and how fast a key is read. A commit writes one record of about 500 bytes with one secondary key.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base::{AccountId, Region};
use serde::{Deserialize, Serialize};
use store::{Record, Scope, SecondaryKey, Store, StoreError, StoreOptions, Tx};

const RUN: Duration = Duration::from_secs(5);

#[derive(Serialize, Deserialize)]
struct Task {
    cluster: String,
    text: String,
}

impl Record for Task {
    const SERVICE: &'static str = "ecs";
    const KIND: &'static str = "task";

    fn secondary_keys(&self) -> Vec<SecondaryKey> {
        vec![SecondaryKey::new("cluster", &self.cluster)]
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = directory.join(format!("commits-{}", std::process::id()));
    let begun = Instant::now();
    let store = Store::open(&directory, StoreOptions::default())?;
    println!("made in {:.1} ms", milliseconds(begun.elapsed()));
    for writers in [1, 8, 32, 128] {
        measure(&store, writers).await?;
    }
    measure_reads(&store).await?;
    store.close().await?;
    let begun = Instant::now();
    Store::open(&directory, StoreOptions::default())?.close().await?;
    println!("opened again in {:.1} ms", milliseconds(begun.elapsed()));
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

async fn measure(store: &Store, writers: usize) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let tasks = (0..writers).map(|writer| tokio::spawn(write(store.clone(), writers, writer, begun)));
    let mut waits = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        waits.extend(task.await??);
    }
    let rate = waits.len() as f64 / begun.elapsed().as_secs_f64();
    waits.sort();
    let percentile = |percent: usize| milliseconds(waits[waits.len() * percent / 100]);
    println!("{writers:>4} writers: {rate:>7.0} commits/s, p50 {:.2} ms, p99 {:.2} ms", percentile(50), percentile(99));
    Ok(())
}

async fn write(store: Store, run: usize, writer: usize, begun: Instant) -> Result<Vec<Duration>, StoreError> {
    let scope = Scope::new(AccountId::DEFAULT, Region::default());
    let mut waits = Vec::new();
    while begun.elapsed() < RUN {
        let id = format!("{run}-{writer}-{}", waits.len());
        let task = Task { cluster: "default".to_owned(), text: "x".repeat(450) };
        let mut tx = Tx::new();
        tx.insert(&scope, &[&id], &task);
        let asked = Instant::now();
        store.commit(tx).await?;
        waits.push(asked.elapsed());
    }
    Ok(waits)
}

async fn measure_reads(store: &Store) -> Result<(), StoreError> {
    const READS: u32 = 20_000;
    let scope = Scope::new(AccountId::DEFAULT, Region::default());
    let begun = Instant::now();
    for n in 0..READS {
        store.read::<Task>(&scope, &[&format!("1-0-{}", n % 500)]).await?;
    }
    println!("one reader: {:.0} reads/s", f64::from(READS) / begun.elapsed().as_secs_f64());
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
