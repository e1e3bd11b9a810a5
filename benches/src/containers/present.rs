//! What the figures say: tables, ratios by name, promises.

use std::collections::BTreeMap;

use super::engine::Who;
use super::loops::Effort;
use super::measure::{ENGINE_CALLERS, EngineRound, Measured, RUNTIME_CALLERS, Results, RuntimeRound};
use crate::report::{Promise, Report, faint, heading, promise_rows, rounded, say, table, time};
use crate::stats::Latency;

/// What Pilvi may take of runc's time, run → exit.
const RUNC_SHARE_MAX: f64 = 0.6;
/// How many times as long docker takes at least, and what is aimed at.
const DOCKER_RATIO_MIN: f64 = 10.0;
const DOCKER_RATIO_AIM: f64 = 20.0;
const START_P50_MS_MAX: f64 = 50.0;
const START_P99_MS_MAX: f64 = 250.0;
const STARTS_PER_SECOND_MIN: f64 = 50.0;
const RELEASE_MS_MAX: f64 = 1.0;
const SHIM_MIB_MAX: f64 = 1.0;
const SANDBOX_MIB_MAX: f64 = 2.0;

/// How it was measured, for whoever reads the file.
pub(super) fn method(effort: &Effort) -> Vec<String> {
    let mut method: Vec<String> = [
        "Runtimes: the same directory with busybox is the root of all, not an overlay; `echo x` is executed. Pilvi: the crate \
         `sandbox` as the node calls it, its shims forked from this program. runc and crun: commands, with an equal \
         configuration: memory, processor time and number of processes limited, namespaces of their own for everything but \
         users, an empty network, docker's default capabilities and its profile for system calls as podman's package has it.",
        "The first output is counted when it has reached who started the container: by a pipe, with Pilvi by the shim's word \
         that there is some. A run's end includes the removal of everything. Pilvi creates each container completely before \
         it starts it; runc and crun are run by `run`, and for the steps by `create`, `start` and `delete`.",
        "Release: from the start of a container that was created before. `executed` is Pilvi's answer that execve(2) has \
         succeeded; the others do not tell.",
        "Engines: `run --rm IMAGE echo x` with the default network of each (a bridge, an address, outbound NAT), the image \
         present, servers running. docker's daemon and podman are in network namespaces of their own, so that their bridges \
         and rules are gone with them; podman is told its limits of open files and processes, because its own are more than \
         a process without CAP_SYS_RESOURCE may have, uses runc, and cgroups without systemd.",
        "Memory: proportional shares (PSS) of all processes but those in the containers, which sleep; of engines what all of \
         them have more with the containers, divided by their number. What the kernel holds is not in it.",
    ]
    .map(str::to_owned)
    .into();
    method.push(format!(
        "{} rounds in which all take turns, each with {} runs of a runtime, {} of `pilvi run`, {} of the other engines; rates \
         over {} s, with {RUNTIME_CALLERS} (runtimes) and {ENGINE_CALLERS} (engines) at once, of whole runs. Figures are \
         medians over the rounds, ratios those of the rounds' own medians.",
        effort.rounds,
        effort.runtime_runs,
        effort.own_runs,
        effort.engine_runs,
        effort.rate.as_secs()
    ));
    method
}

/// Ratios by name, for the baseline: all of them are better when they are larger.
pub(super) fn ratios(results: &Results) -> BTreeMap<String, f64> {
    let runtimes = results.runtimes.iter().skip(1).map(|one| (format!("{}/run-exit", one.who), one.ratio));
    let engines = results.engines.iter().skip(1);
    let engines = engines.map(|one| (format!("{}/run-exit", one.who.replace(' ', "-")), one.ratio));
    runtimes.chain(engines).collect()
}

/// The promises that this benchmark keeps an eye on.
pub(super) fn promises(results: &Results) -> Vec<Promise> {
    let mut promises = Vec::new();
    if let Some(runc) = results.runtimes.iter().find(|one| one.who == "runc") {
        promises.push(Promise::share("run → exit beside runc, p50", RUNC_SHARE_MAX, 1.0 / runc.ratio));
    }
    if let Some(docker) = results.engines.iter().find(|one| one.who == Who::Docker.name()) {
        let what = "docker run beside pilvi run, p50";
        promises.push(Promise::ratio(what, DOCKER_RATIO_MIN, docker.ratio));
        promises.push(Promise::ratio(what, DOCKER_RATIO_AIM, docker.ratio).aimed());
    }
    if let Some(pilvi) = results.engines.first() {
        let EngineRound { printed, per_second, .. } = pilvi.figures;
        promises.push(Promise::at_most("pilvi run → first output, p50", START_P50_MS_MAX, ms(printed.p50_us), "ms"));
        promises.push(Promise::at_most("pilvi run → first output, p99", START_P99_MS_MAX, ms(printed.p99_us), "ms"));
        promises.push(Promise::at_least("pilvi run, each second", STARTS_PER_SECOND_MIN, per_second, "/s"));
    }
    if let Some(executed) = results.runtimes.first().and_then(|own| own.figures.executed) {
        promises.push(Promise::at_most("prepared, release → exec, p50", RELEASE_MS_MAX, ms(executed.p50_us), "ms"));
    }
    if let Some(idle) = results.idle_engines.first() {
        let shim = idle.shim_mib.unwrap_or(f64::NAN);
        promises.push(Promise::at_most("memory of a shim", SHIM_MIB_MAX, shim, "MiB"));
        promises.push(Promise::at_most("memory of an idle sandbox", SANDBOX_MIB_MAX, idle.each_mib, "MiB"));
    }
    promises
}

fn ms(us: f64) -> f64 {
    us / 1e3
}

/// The tables.
pub(super) fn results(report: &Report<Results>) {
    let results = report.results();
    heading("runtimes: without a network");
    print!("{}", table(&runtime_rows(&results.runtimes), 1));
    heading("engines: with a network");
    print!("{}", table(&engine_rows(&results.engines), 1));
    heading("memory of an idle sandbox");
    let idle = &results.idle;
    say(&format!(
        "the crate alone: shim {} MiB, with the sandbox's process {} MiB; prepared {} MiB",
        rounded(idle.shim_mib),
        rounded(idle.running_mib),
        rounded(idle.prepared_mib)
    ));
    for idle in &results.idle_engines {
        let shim = idle.shim_mib.map(|mib| format!(", of that a shim {} MiB", rounded(mib))).unwrap_or_default();
        let (alone, each) = (rounded(idle.alone_mib), rounded(idle.each_mib));
        say(&format!("{:<12} {alone} MiB without any, {each} MiB more for each{shim}", idle.who.name()));
    }
    for left_out in &results.left_out {
        say(&format!("{} is left out: {}", left_out.who, left_out.why));
    }
    heading("promises");
    print!("{}", table(&promise_rows(report.promises()), 4));
}

fn runtime_rows(all: &[Measured<RuntimeRound>]) -> Vec<[String; 9]> {
    let heading =
        ["p50 / p99", "create", "release", "→ exec", "run → output", "run → exit", "teardown", "/s", "× Pilvi"];
    let mut rows = vec![heading.map(faint)];
    rows.extend(all.iter().map(|one| {
        let of = &one.figures;
        let executed = of.executed.map(both).unwrap_or_default();
        let times = [of.printed, of.whole, of.torn_down].map(both);
        let [printed, whole, torn_down] = times;
        let (per_second, ratio) = (rounded(of.per_second), rounded(one.ratio));
        let (created, released) = (both(of.created), both(of.released));
        [one.who.to_owned(), created, released, executed, printed, whole, torn_down, per_second, ratio]
    }));
    rows
}

fn engine_rows(all: &[Measured<EngineRound>]) -> Vec<[String; 5]> {
    let mut rows = vec![["p50 / p99", "run → output", "run → exit", "/s", "× Pilvi"].map(faint)];
    rows.extend(all.iter().map(|one| {
        let of = &one.figures;
        [one.who.to_owned(), both(of.printed), both(of.whole), rounded(of.per_second), rounded(one.ratio)]
    }));
    rows
}

fn both(of: Latency) -> String {
    format!("{} / {}", time(of.p50_us), time(of.p99_us))
}
