//! `cargo xtask <command>`: everything that is done to this repository, as one program that needs nothing but cargo.
//!
//! One file a command. What the commands share: [`workspace`] (where things are), [`process`] (running programs within
//! a time limit), [`screen`] (what a person sees) and [`steps`] (a run of steps with a summary).

// A command line tool talks to its terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]
// A program has no callers outside: `pub` in its modules says what the other modules use.
#![allow(unreachable_pub)]

mod bench;
mod check;
mod clients;
mod codegen;
mod demo;
mod guest;
mod models;
mod process;
mod screen;
mod soak;
mod steps;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

/// The repository's own tasks.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything that CI proves: check, release build, real clients, every test.
    Test,
    /// The quick part: formatting, conventions, generated files, lints.
    Check,
    /// Start Pilvi and show it at work with the real AWS CLI v2.
    Demo,
    /// Prepare the real clients (AWS CLI v2, boto3, AWS SDK for JavaScript) that `test` and `demo` use.
    Clients,
    /// Measure Pilvi beside its peers; arguments go to the benchmark.
    Bench {
        /// Which benchmark, and its arguments (`--help` for the list).
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// The long jobs: a thousand crashes, many more random cases, fuzzing.
    Soak(soak::Options),
    /// Run a static program, or the smoke test of containers, as root in an emulated Debian guest with cgroup version 2 alone.
    Guest(guest::Options),
    /// Write the shapes, operation tables and operation documents from `models/`.
    Codegen {
        /// Change nothing; fail when a generated file is not what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Write `models/*.json` anew from the botocore release that the clients are pinned to.
    Models,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", screen::bad("error:"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let workspace = Workspace::locate()?;
    match command {
        Command::Test => test::run(&workspace),
        Command::Check => check::run(&workspace),
        Command::Demo => demo::run(&workspace),
        Command::Clients => clients::run(&workspace),
        Command::Bench { arguments } => bench::run(&workspace, &arguments),
        Command::Soak(options) => soak::run(&workspace, &options),
        Command::Guest(options) => guest::run(&workspace, &options),
        Command::Codegen { check } => codegen::run(&workspace.root, check),
        Command::Models => {
            let (data, version) = clients::prepare(&workspace)?.botocore()?;
            models::condense(&workspace.root, &data, &version)
        }
    }
}
