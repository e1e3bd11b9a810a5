//! Workloads on a real node: a child of the test, which is killed and started again. The binary has its own `main`, because the
//! node's shims are forked from it, too: it is executed again as their launcher, before there is any thread. It takes root, and is
//! skipped aloud without.
//!
//! `cargo test -p node --test workloads -- PART_OF_A_NAME` runs some; `--list` names them; `--speed=COUNT` prints how long the steps of
//! so many starts take.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../it/bed.rs"]
#[allow(dead_code, reason = "images are made as in the other tests")]
mod bed;
mod child;
mod connected;
mod ephemeral;
mod life;
mod limits;
mod speed;
mod streams;
mod survival;

use std::pin::Pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Whoever waits longer for anything waits for ever.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);
/// How many times as long everything may take on a machine that is slow: one that is emulated.
const PATIENCE: &str = "PILVI_TEST_PATIENCE";
/// Whether tests that take half a minute by themselves are run, too. They are if they are named.
const LONG: &str = "PILVI_TEST_LONG";

/// A test.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

/// The tests of a file, from its asynchronous functions.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { crate::tests!(TESTS: $($name),*); };
    ($list:ident: $($name:ident),* $(,)?) => {
        pub(crate) const $list: &[crate::Test] =
            &[$(crate::Test { name: concat!(module_path!(), "::", stringify!($name)), run: || Box::pin($name()) }),*];
    };
}
pub(crate) use tests;

fn main() -> ExitCode {
    if sandbox::launcher::is_requested() {
        sandbox::launcher::main()
    }
    if let Some(folder) = child::is_requested() {
        return child::main(&folder);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |test: &&Test| wanted.is_empty() || wanted.iter().any(|part| test.name.contains(part.as_str()));
    let mut all =
        [life::TESTS, limits::TESTS, streams::TESTS, connected::TESTS, ephemeral::TESTS, survival::TESTS].concat();
    if !wanted.is_empty() || std::env::var_os(LONG).is_some() {
        all.extend(survival::LONG_TESTS);
    }
    let tests: Vec<&Test> = all.iter().filter(is_wanted).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        tests.iter().for_each(|test| println!("{}: test", test.name));
        return ExitCode::SUCCESS;
    }
    if !bed::is_root() || child::busybox().is_none() {
        println!("skipped: {} tests need root and a static busybox", tests.len());
        return ExitCode::SUCCESS;
    }
    if let Some(count) = arguments.iter().find_map(|argument| argument.strip_prefix("--speed=")) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(speed::print(count.parse().unwrap()));
        return ExitCode::SUCCESS;
    }
    let failed: Vec<&str> = tests.iter().filter(|test| !passes(test)).map(|test| test.name).collect();
    println!("\ntest result: {} passed; {} failed {}\n", tests.len() - failed.len(), failed.len(), failed.join(", "));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long a test may take here.
fn timeout() -> Duration {
    TEST_TIMEOUT * std::env::var(PATIENCE).map_or(1, |times| times.parse().unwrap())
}

fn passes(test: &Test) -> bool {
    let began = Instant::now();
    let run = test.run;
    let result = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(timeout(), run()).await.expect("it ends in time") });
    })
    .join();
    let word = if result.is_ok() { "ok" } else { "FAILED" };
    println!("test {} ... {word} ({} ms)", test.name, began.elapsed().as_millis());
    result.is_ok()
}
