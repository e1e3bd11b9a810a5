//! What the figures say: tables, ratios by name, promises.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::calls::Call;
use super::measure::{CALLERS, CallFigures, Plan, Results};
use crate::machine::Machine;
use crate::peer::Kind;
use crate::report::{Promise, Report, bad, faint, heading, promise_rows, rounded, say, table, time};

/// SPECIFICATION.md, "server answers after start".
const READY_MS_MAX: f64 = 50.0;
/// The same row: supervisor and server together.
const IDLE_MIB_MAX: f64 = 40.0;
/// SPECIFICATION.md, "mutating API call, durable", one caller.
const DURABLE_P50_MS_MAX: f64 = 2.0;
const DURABLE_P99_MS_MAX: f64 = 25.0;
/// The same row, 32 callers.
const DURABLE_PER_SECOND_MIN: f64 = 1_000.0;
/// Requests a second, against a server that keeps everything in memory.
const RATIO_MIN: f64 = 10.0;
/// When others take more of the processors than this, a reader is told.
const OTHERS_CPU_MAX: f64 = 0.10;

/// Where this is.
pub(super) fn machine(machine: &Machine) {
    heading("machine");
    let Machine { kernel, cpu, cores, memory_mib, filesystem, load_average, .. } = machine;
    say(&format!("{cores} × {cpu}, {memory_mib} MiB, Linux {kernel}, {filesystem}, load average {load_average}"));
}

/// How it was measured, for whoever reads the file.
pub(super) fn method(plan: &Plan, results: &Results) -> Vec<String> {
    let mut method: Vec<String> = [
        "Requests are signed before each run, not in it; those of one run have the same time, as signatures count whole \
         seconds. Registrations are each of another family; the others are sent in turn.",
        "One client thread with one connection a caller, on loopback; each caller sends its next request when it has its \
         answer. A connection is kept as long as the server keeps it: moto's closes after each answer, and connecting \
         anew is part of the time.",
        "Both servers run throughout and take turns; figures are medians over the rounds, the maximum is over all.",
        "Both servers' output goes to files. moto runs as its command starts it, with threads; it verifies no signature \
         and writes nothing to disk. Pilvi verifies each signature and answers a registration when it is on disk.",
        "Starts: from the process's start to the ready page, and to the answer of a signed GetCallerIdentity. One start \
         of each server before the others is not counted.",
    ]
    .map(str::to_owned)
    .into();
    method.push(format!(
        "{} rounds of {} s for each call, number of callers and server.",
        plan.rounds,
        plan.time.as_secs_f64()
    ));
    if let Some(share) = busy_others(results) {
        method.push(format!("Other programs took {:.0} % of the processors in the worst run.", share * 100.0));
    }
    method
}

/// The tables.
pub(super) fn results(report: &Report<Results>) {
    let results = report.results();
    heading("floor: what this machine allows");
    print!("{}", table(&floor_rows(results), 1));
    heading("start and memory");
    print!("{}", table(&start_rows(results), 1));
    heading("calls");
    print!("{}", table(&call_rows(results), 3));
    heading("promises");
    print!("{}", table(&promise_rows(report.promises()), 4));
    if let Some(share) = busy_others(results) {
        let percent = share * 100.0;
        say(&bad(&format!("other programs took up to {percent:.0} % of the processors: this machine can do better")));
    }
}

/// Ratios by name, for the baseline.
pub(super) fn ratios(results: &Results) -> BTreeMap<String, f64> {
    let (pilvi, moto) = (results.start.pilvi, results.start.moto);
    let memory = |kind| results.memory.of(kind).idle.rss_mib;
    let mut ratios = BTreeMap::from([
        ("start/answered/p50".to_owned(), moto.answered.p50_us / pilvi.answered.p50_us),
        ("memory/idle/rss".to_owned(), memory(Kind::Moto) / memory(Kind::Pilvi)),
    ]);
    for CallFigures { operation, callers, ratio, .. } in &results.calls {
        let name = |figure: &str| format!("{}/{callers}/{figure}", operation.name());
        ratios.insert(name("per_second"), ratio.per_second);
        ratios.insert(name("p50"), ratio.p50);
    }
    ratios
}

/// The promises that this benchmark keeps an eye on.
pub(super) fn promises(results: &Results) -> Result<Vec<Promise>> {
    let ms = |micros: f64| micros / 1e3;
    let [one, many] = CALLERS;
    let durable = |callers| {
        let cell =
            |figures: &&CallFigures| figures.operation == Call::RegisterTaskDefinition && figures.callers == callers;
        results.calls.iter().find(cell).map(|figures| &figures.of.pilvi).context("registrations were not measured")
    };
    let latency = durable(one)?.latency;
    let mut promises = vec![
        Promise::at_most("ready after start, p50", READY_MS_MAX, ms(results.start.pilvi.ready.p50_us), "ms"),
        Promise::at_most(
            "idle memory, supervisor and server (RSS)",
            IDLE_MIB_MAX,
            results.memory.pilvi.idle.rss_mib,
            "MiB",
        ),
        Promise::at_most("durable call, 1 caller, p50", DURABLE_P50_MS_MAX, ms(latency.p50_us), "ms"),
        Promise::at_most("durable call, 1 caller, p99", DURABLE_P99_MS_MAX, ms(latency.p99_us), "ms"),
        Promise::at_least(
            format!("durable calls, {many} callers"),
            DURABLE_PER_SECOND_MIN,
            durable(many)?.per_second,
            "/s",
        ),
    ];
    promises.extend(results.calls.iter().map(|figures| {
        let what = format!("{}, {}, requests/s beside moto", figures.operation.name(), callers(figures.callers));
        if (figures.operation, figures.callers) == (Call::RegisterTaskDefinition, one) {
            // One caller alone waits for the disk at each call, and moto has no disk to wait for: an aim that depends on
            // the machine, like the others.
            return Promise::at_least(what, RATIO_MIN, figures.ratio.per_second, "×");
        }
        Promise::ratio(what, RATIO_MIN, figures.ratio.per_second)
    }));
    Ok(promises)
}

fn floor_rows(results: &Results) -> Vec<[String; 5]> {
    let mut rows = vec![["", "p50", "p99", "max", "requests/s"].map(faint)];
    let sync = &results.floor.durable_write;
    for (name, latency) in
        [("4 KiB + fdatasync, appended", sync.append), ("4 KiB + fdatasync, overwritten", sync.overwrite)]
    {
        rows.push([name.to_owned(), time(latency.p50_us), time(latency.p99_us), time(latency.max_us), String::new()]);
    }
    for echo in &results.floor.loopback {
        let name = format!("a call that does nothing, {}", callers(echo.callers));
        let latency = echo.latency;
        let rate = format!("{:.0}", echo.per_second);
        rows.push([name, time(latency.p50_us), time(latency.p99_us), time(latency.max_us), rate]);
    }
    rows
}

fn start_rows(results: &Results) -> Vec<[String; 4]> {
    let mut rows = vec![["", Kind::Pilvi.name(), Kind::Moto.name(), "ratio"].map(faint)];
    let mut row = |name: &str, show: fn(f64) -> String, pilvi: f64, moto: f64| {
        rows.push([name.to_owned(), show(pilvi), show(moto), format!("{} ×", rounded(moto / pilvi))]);
    };
    let (pilvi, moto) = (results.start.pilvi, results.start.moto);
    row("ready, p50", time, pilvi.ready.p50_us, moto.ready.p50_us);
    row("ready, max", time, pilvi.ready.max_us, moto.ready.max_us);
    row("first signed answer, p50", time, pilvi.answered.p50_us, moto.answered.p50_us);
    row("first signed answer, max", time, pilvi.answered.max_us, moto.answered.max_us);
    let (pilvi, moto) = (results.memory.pilvi, results.memory.moto);
    row("idle RSS, all processes", mebibytes, pilvi.idle.rss_mib, moto.idle.rss_mib);
    if let (Some(pilvi), Some(moto)) = (pilvi.idle.pss_mib, moto.idle.pss_mib) {
        row("idle PSS, all processes", mebibytes, pilvi, moto);
    }
    row("RSS after the load", mebibytes, pilvi.after_load.rss_mib, moto.after_load.rss_mib);
    rows
}

fn callers(count: usize) -> String {
    if count == 1 { "1 caller".to_owned() } else { format!("{count} callers") }
}

fn mebibytes(mebibytes: f64) -> String {
    format!("{mebibytes:.1} MiB")
}

fn call_rows(results: &Results) -> Vec<[String; 8]> {
    let mut rows =
        vec![["operation", "callers", "", "p50", "p99", "max", "requests/s", "server CPU/request"].map(faint)];
    for figures in &results.calls {
        let mut head = [figures.operation.name().to_owned(), figures.callers.to_string()];
        for kind in Kind::ALL {
            let of = figures.of.of(kind);
            let [operation, callers] = std::mem::take(&mut head);
            let latency = of.latency;
            let (p50, p99, max) = (time(latency.p50_us), time(latency.p99_us), time(latency.max_us));
            let (rate, cpu) = (format!("{:.0}", of.per_second), time(of.cpu_us));
            rows.push([operation, callers, kind.name().to_owned(), p50, p99, max, rate, cpu]);
        }
        let ratio = |value: f64| format!("{} ×", rounded(value));
        let (p50, p99, rate) = (ratio(figures.ratio.p50), ratio(figures.ratio.p99), ratio(figures.ratio.per_second));
        rows.push(["".into(), "".into(), "ratio".into(), p50, p99, "".into(), rate, "".into()]);
    }
    rows
}

/// The largest share that other programs took in a run, if it is worth a word.
fn busy_others(results: &Results) -> Option<f64> {
    let runs = results.calls.iter().flat_map(|figures| figures.of.pilvi.rounds.iter().chain(&figures.of.moto.rounds));
    let worst = runs.map(|run| run.others_cpu).fold(0.0, f64::max);
    (worst > OTHERS_CPU_MAX).then_some(worst)
}
