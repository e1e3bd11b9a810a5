//! `cargo xtask bench [name]`: performance promises, each measured beside a peer in the same run.
//!
//! One module a benchmark ([`api`], [`iam`], [`logs`], [`registry`], [`s3`], [`pull`], [`containers`]); a further one is a module, a
//! line in [`Bench`] and a section of the README. What they share: [`peer`] and [`daemon`] (the servers under test), [`signed`] and [`client`]
//! (requests made ahead, and the load), [`oci`] (images, and registries), [`floor`] (what the machine itself allows),
//! [`processes`] and [`machine`] (what the kernel tells), [`stats`], [`report`] and [`baseline`].

// A command line tool talks to its terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod api;
mod baseline;
mod client;
mod containers;
mod daemon;
mod floor;
mod iam;
mod load;
mod logs;
mod machine;
mod oci;
mod peer;
mod processes;
mod pull;
mod registry;
mod report;
mod s3;
mod setting;
mod signed;
mod stats;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use report::Verdict;

/// Performance promises, each measured beside a peer in the same run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Start, idle memory, and calls of STS and ECS, beside moto's server.
    Api(setting::Wishes),
    /// What permissions cost a request.
    Iam(iam::Arguments),
    /// Log events in and out, beside moto's server and grep.
    Logs(setting::Wishes),
    /// Images into the registry and out of it, beside Debian's docker-registry.
    Registry(setting::Wishes),
    /// Objects in and out, lists and multipart uploads, beside moto's server, nginx and the disk.
    S3(setting::Wishes),
    /// From a reference to a root file system, beside containerd, podman, and skopeo with umoci.
    Pull(pull::Arguments),
    /// Containers: the runtime beside runc and crun, `pilvi run` beside docker's and podman's.
    Containers(setting::Wishes),
    /// One call at Pilvi alone, to look with a profiler at where the time goes.
    Load(load::Arguments),
}

fn main() -> ExitCode {
    // Shims are forked from this program, too, when it measures them: it does nothing else then.
    if sandbox::launcher::is_requested() {
        sandbox::launcher::main();
    }
    match run(&Arguments::parse().bench) {
        Ok(Verdict::Holds) => ExitCode::SUCCESS,
        Ok(Verdict::Broken) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(bench: &Bench) -> Result<Verdict> {
    match bench {
        Bench::Api(arguments) => api::run(arguments),
        Bench::Iam(arguments) => iam::run(arguments),
        Bench::Logs(arguments) => logs::run(arguments),
        Bench::Registry(arguments) => registry::run(arguments),
        Bench::S3(arguments) => s3::run(arguments),
        Bench::Pull(arguments) => pull::run(arguments),
        Bench::Containers(arguments) => containers::run(arguments),
        Bench::Load(arguments) => load::run(arguments),
    }
}
