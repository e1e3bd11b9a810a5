//! `bench load`: one call at Pilvi alone, for a look with a profiler at where the time goes.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::api::calls::{self, Call};
use crate::client::{self, Load, Order};
use crate::logs;
use crate::oci::blob::Opaque;
use crate::oci::registry::{Check, Registry, create_repository};
use crate::peer::{Kind, Server};
use crate::processes::{self, CpuTicks};
use crate::report::{Verdict, rounded, say, time};
use crate::setting::Setting;
use crate::signed::Caller;
use crate::stats::{Samples, figure};

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
    /// Images of 5 × 50 MB, one after the other, each over three connections.
    PushLarge,
    /// The same, out.
    PullLarge,
    /// Images of 100 × 64 KiB.
    PushSmall,
    /// The same, out.
    PullSmall,
}

/// Which way images go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Push,
    Pull,
}

/// What is sent.
struct Requests {
    requests: Vec<Vec<u8>>,
    order: Order,
}

impl Loaded {
    /// The way and the layers of images; `None` of calls.
    fn images(self) -> Option<(Way, u64, usize)> {
        const LARGE: (u64, usize) = (5, 50_000_000);
        const SMALL: (u64, usize) = (100, 64 * 1024);
        let (way, (layers, bytes)) = match self {
            Self::PushLarge => (Way::Push, LARGE),
            Self::PullLarge => (Way::Pull, LARGE),
            Self::PushSmall => (Way::Push, SMALL),
            Self::PullSmall => (Way::Pull, SMALL),
            _ => return None,
        };
        Some((way, layers, bytes))
    }

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
            Self::PushLarge | Self::PullLarge | Self::PushSmall | Self::PullSmall => {
                bail!("images are no single requests")
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
    if let Some(images) = arguments.call.images() {
        move_images(arguments, &server, &caller, images)?;
        server.stop()?;
        setting.tidy()?;
        return Ok(Verdict::Holds);
    }
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
    let perf = watch(arguments, &pids)?;
    let outcome = client::drive(&load)?;
    if let Some(mut perf) = perf {
        perf.wait()?;
    }
    server.stop()?;
    setting.tidy()?;
    ensure!(outcome.refused == 0, "refused: {}", outcome.first_refusal.unwrap_or_default());
    let rate = outcome.latencies_ns.len();
    let latency = Samples::new(outcome.latencies_ns).context("nothing was answered")?.latency();
    let rate = figure(u64::try_from(rate)?) / outcome.elapsed.as_secs_f64();
    say(&format!(
        "{}/s, p50 {}, p99 {}, max {}",
        rounded(rate),
        time(latency.p50_us),
        time(latency.p99_us),
        time(latency.max_us)
    ));
    Ok(Verdict::Holds)
}

/// Lets `perf record` watch for as long as the load lasts, if it is wished.
fn watch(arguments: &Arguments, pids: &[String]) -> Result<Option<Child>> {
    let Some(file) = &arguments.perf else { return Ok(None) };
    let mut perf = Command::new("perf");
    perf.args(["record", "--quiet", "--freq", "499", "--call-graph", "dwarf,8192", "--output"]).arg(file);
    perf.args(["--pid", &pids.join(","), "--", "sleep", &arguments.seconds.to_string()]);
    Ok(Some(perf.stdin(Stdio::null()).spawn().context("starting perf")?))
}

/// Pushes images of which none is like another, or pulls one again and again.
fn move_images(arguments: &Arguments, server: &Server, caller: &Caller, images: (Way, u64, usize)) -> Result<()> {
    const REPOSITORY: &str = "bench/load";
    let (way, layers, bytes) = images;
    create_repository(caller, REPOSITORY)?;
    let registry = Registry::of_pilvi(caller)?;
    let opaque = Opaque::new(bytes);
    let pulled = opaque.image(layers, 0);
    if way == Way::Pull {
        registry.push(REPOSITORY, "pulled", &pulled)?;
    }
    let pids: Vec<String> = processes::tree(server.pid()).iter().map(u32::to_string).collect();
    say(&format!("{} of pilvi {}", name(arguments.call), pids.join(" ")));
    let perf = watch(arguments, &pids)?;
    let before = CpuTicks::now(server.pid());
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < Duration::from_secs(arguments.seconds) {
        count += 1;
        match way {
            Way::Push => registry.push(REPOSITORY, &format!("v{count}"), &opaque.image(layers, count))?,
            Way::Pull => registry.pull(REPOSITORY, "pulled", &pulled, Check::Length)?,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cpu_s = CpuTicks::now(server.pid()).since(before).server_s();
    if let Some(mut perf) = perf {
        perf.wait()?;
    }
    let (each_s, rate) = (cpu_s / figure(count), figure(count * pulled.bytes()) / 1e6 / seconds);
    say(&format!("{count} images, {} MB/s, {} of processors for each", rounded(rate), time(each_s * 1e6)));
    Ok(())
}

/// As the command line has it.
fn name(call: Loaded) -> String {
    call.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
