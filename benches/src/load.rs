//! `bench load`: one call at Pilvi alone, for a look with a profiler at where the time goes.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::api::calls::{self, Call};
use crate::client::{self, Load, Order};
use crate::logs;
use crate::peer::{Kind, Server};
use crate::processes;
use crate::report::{Verdict, rounded, say, time};
use crate::setting::Setting;
use crate::signed::Caller;
use crate::stats::Samples;

/// Requests that may be sent only once are made ahead: so many for each second.
const REQUESTS_PER_SECOND: u64 = 15_000;

/// The bodies of requests that may be sent only once take no more than this.
const REQUEST_BYTES_MAX: usize = 512 * 1024 * 1024;

/// A call that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Loaded {
    GetCallerIdentity,
    DescribeTaskDefinition,
    RegisterTaskDefinition,
    /// Batches of 1,000 events.
    PutLogEvents,
    /// A term that a tenth of 200,000 events have: the first page.
    FilterLogEvents,
    /// A term that hardly any of 200,000 events has: all of them are searched.
    FilterLogEventsRare,
}

/// What is sent.
struct Requests {
    requests: Vec<Vec<u8>>,
    order: Order,
}

impl Loaded {
    fn requests(self, caller: &Caller, seconds: u64) -> Result<Requests> {
        let call = match self {
            Self::GetCallerIdentity => Call::GetCallerIdentity,
            Self::DescribeTaskDefinition => Call::DescribeTaskDefinition,
            Self::RegisterTaskDefinition => Call::RegisterTaskDefinition,
            Self::PutLogEvents => {
                let requests = logs::batches(caller, REQUEST_BYTES_MAX)?;
                return Ok(Requests { requests, order: Order::Once });
            }
            Self::FilterLogEvents | Self::FilterLogEventsRare => {
                let requests = vec![logs::search(caller, self == Self::FilterLogEventsRare)?];
                return Ok(Requests { requests, order: Order::Cycle });
            }
        };
        let seeds = calls::seeds(caller)?;
        let seeding =
            Load { address: caller.address, requests: &seeds, order: Order::Once, callers: 1, time: Duration::MAX };
        let seeded = client::drive(&seeding)?;
        ensure!(seeded.refused == 0, "a task definition was refused: {}", seeded.first_refusal.unwrap_or_default());
        let count = usize::try_from(seconds * REQUESTS_PER_SECOND)?;
        Ok(Requests { requests: calls::signed(caller, call, "load", count)?, order: call.order() })
    }
}

/// Arguments of `bench load`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which call
    #[arg(value_enum)]
    call: Loaded,
    /// How many callers wait for an answer at once
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    callers: u32,
    /// How long
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Let `perf record` watch the server, and leave its data in this file
    #[arg(long, value_name = "FILE")]
    perf: Option<PathBuf>,
}

/// Starts Pilvi, sends the load, tells what came of it.
///
/// # Errors
/// When any call was refused.
pub(crate) fn run(arguments: &Arguments) -> Result<Verdict> {
    let setting = Setting::prepare(None)?;
    let (server, _) = Server::start(&setting, Kind::Pilvi, &setting.scratch.join("load"), &calls::identity())?;
    let caller = server.caller()?;
    let Requests { requests, order } = arguments.call.requests(&caller, arguments.seconds)?;
    let pids: Vec<String> = processes::tree(server.pid()).iter().map(u32::to_string).collect();
    say(&format!("{} of pilvi {}", name(arguments.call), pids.join(" ")));
    let load = Load {
        address: caller.address,
        requests: &requests,
        order,
        callers: usize::try_from(arguments.callers)?,
        time: Duration::from_secs(arguments.seconds),
    };
    let watching = arguments.perf.as_ref().map(|file| {
        let mut perf = Command::new("perf");
        perf.args(["record", "--quiet", "--freq", "499", "--call-graph", "dwarf,8192", "--output"]).arg(file);
        perf.args(["--pid", &pids.join(","), "--", "sleep", &arguments.seconds.to_string()]);
        perf.stdin(Stdio::null()).spawn().context("starting perf")
    });
    let outcome = client::drive(&load)?;
    if let Some(perf) = watching {
        perf?.wait()?;
    }
    server.stop()?;
    setting.tidy()?;
    ensure!(outcome.refused == 0, "refused: {}", outcome.first_refusal.unwrap_or_default());
    let rate = outcome.latencies_ns.len();
    let latency = Samples::new(outcome.latencies_ns).context("nothing was answered")?.latency();
    let rate = crate::stats::figure(u64::try_from(rate)?) / outcome.elapsed.as_secs_f64();
    say(&format!(
        "{}/s, p50 {}, p99 {}, max {}",
        rounded(rate),
        time(latency.p50_us),
        time(latency.p99_us),
        time(latency.max_us)
    ));
    Ok(Verdict::Holds)
}

/// As the command line has it.
fn name(call: Loaded) -> String {
    call.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
