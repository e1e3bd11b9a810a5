//! Tests with real processes, as root; skipped aloud without. The binary has its own `main`, because shims are forked from it,
//! too: it is executed again as their launcher, before there is any thread.
//!
//! A file of tests has a `pub(crate) const TESTS` of what `test!` makes of asynchronous functions, and its line in [`all`].
//! `cargo test -p sandbox --test it -- PART_OF_A_NAME` runs some; `--list` names them.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod setup_confinement;
mod setup_escape;
mod setup_mounts;
mod shim_figures;
mod shim_life;
mod shim_output;
mod shim_protocol;
mod shim_survival;
mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use support::Test;

/// Whoever waits longer for anything waits for ever.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);
/// On a machine that is so many times slower, an emulated one, so many times that long.
const PATIENCE: &str = "PILVI_TEST_PATIENCE";

fn all() -> Vec<Test> {
    [
        setup_confinement::TESTS,
        setup_escape::TESTS,
        setup_mounts::TESTS,
        shim_life::TESTS,
        shim_output::TESTS,
        shim_protocol::TESTS,
        shim_survival::TESTS,
        shim_figures::TESTS,
    ]
    .concat()
}

fn main() -> ExitCode {
    if sandbox::launcher::is_requested() {
        sandbox::launcher::main()
    }
    if let Some(directory) = shim_survival::is_client() {
        return shim_survival::client(&directory);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |test: &Test| wanted.is_empty() || wanted.iter().any(|part| test.name.contains(part.as_str()));
    let tests: Vec<Test> = all().into_iter().filter(is_wanted).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        tests.iter().for_each(|test| println!("{}: test", test.name));
        return ExitCode::SUCCESS;
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: {} tests need root", tests.len());
        return ExitCode::SUCCESS;
    }
    let failed: Vec<&str> = tests.iter().filter(|test| !passes(test)).map(|test| test.name).collect();
    println!("\ntest result: {} passed; {} failed {}\n", tests.len() - failed.len(), failed.len(), failed.join(", "));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn passes(test: &Test) -> bool {
    let began = Instant::now();
    let limit = TEST_TIMEOUT * std::env::var(PATIENCE).map_or(1, |times| times.parse().unwrap());
    let run = test.run;
    let result = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async { tokio::time::timeout(limit, run()).await.expect("it ends in time") });
    })
    .join();
    let word = if result.is_ok() { "ok" } else { "FAILED" };
    println!("test {} ... {word} ({} ms)", test.name, began.elapsed().as_millis());
    result.is_ok()
}
