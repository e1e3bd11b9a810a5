//! What the figures say: tables, ratios by name, promises.

use std::collections::BTreeMap;

use super::cell::{Cell, Figures, LARGE, Run, What, Who};
use super::{Plan, Results};
use crate::report::{Promise, Report, faint, heading, promise_rows, rounded, say, table, time};

/// SPECIFICATION.md, "an object of 100 MiB put" and "… got".
const PUT_MIN: f64 = 0.7;
const GET_MIN: f64 = 0.8;
/// SPECIFICATION.md, "memory of the server under S3's load", in MiB.
const PEAK_MAX_MIB: f64 = 60.0;

/// How it was measured, for whoever reads the file.
pub(super) fn method(plan: Plan) -> Vec<String> {
    let mut method: Vec<String> = [
        "Bytes that cannot be compressed, under a new key each. `put` signs the body's SHA-256, as SDKs do over plain HTTP; \
         `put-unsigned` does not, as over TLS. Pilvi verifies what is signed, computes MD5 and CRC64NVME, and answers when \
         all is on disk. Small requests are made and signed before a run; those with larger bodies are signed in it.",
        "`disk` is the same bytes written to a new file and fsync, and their MD5, by as many threads as there are callers, 256 \
         KiB at a time, without a server. `nginx` serves the same bytes from files, with sendfile, verifies nothing and logs \
         nothing. moto verifies no signature, and keeps objects in memory or in files that it does not sync.",
        "The client is a program of this benchmark, the same for all, over loopback and plain HTTP: one thread for all callers \
         where objects have 1 KiB and for lists, a thread a caller otherwise. Bytes that are got are counted and dropped; \
         one object of each size is compared before the rounds. All that is got is in the kernel's cache.",
        "Lists: a page of 1,000 keys, and a page of all folders (100 objects in each) by a delimiter. `multipart`: parts of \
         8 MiB; 100 MiB by 4 callers for the parts of one upload after the other, less by 8 callers with an upload of one \
         part each: three requests.",
        "Processor time: of all processes of the server (user and system), as the kernel counts it. Peak memory: VmHWM of the \
         server's process. Dirty pages are written to the disk before each run begins.",
    ]
    .map(str::to_owned)
    .into();
    method.push(format!(
        "{} rounds of {} s for each cell and each who takes part, who take turns; a list is of {} objects. Figures are medians \
         over the rounds, ratios of the rounds' own.",
        plan.rounds,
        plan.time.as_secs_f64(),
        plan.listed
    ));
    method
}

/// Ratios by name, for the baseline: all of them are better when they are larger.
pub(super) fn ratios(results: &Results) -> BTreeMap<String, f64> {
    let each = |figures: &Figures| {
        let name = figures.cell.name();
        figures.ratios.iter().map(|(who, ratio)| (format!("{name}/{}", who.name()), *ratio)).collect::<Vec<_>>()
    };
    results.cells.iter().flat_map(each).collect()
}

/// The promises that this benchmark keeps an eye on.
pub(super) fn promises(results: &Results) -> Vec<Promise> {
    let large = results.cells.iter().filter(|figures| figures.cell.bytes == LARGE).filter_map(|figures| {
        let Cell { what, callers, .. } = figures.cell;
        let ratio = |who: Who, text: &str, least: f64| {
            let callers = if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") };
            Some(Promise::ratio(format!("{text}, {callers}"), least, *figures.ratios.get(&who)?))
        };
        match what {
            What::Put => ratio(Who::Disk, "100 MiB put and signed, beside write, fsync and MD5", PUT_MIN),
            What::PutUnsigned => ratio(Who::Disk, "100 MiB put, beside write, fsync and MD5", PUT_MIN),
            What::Get => ratio(Who::Nginx, "100 MiB got, beside nginx", GET_MIN),
            What::List | What::ListFolders | What::Upload => None,
        }
    });
    let memory = Promise::at_most("memory of the server, throughout", PEAK_MAX_MIB, results.server_peak_mib(), "MiB");
    large.chain([memory.limit()]).collect()
}

/// The line that is said when a run is over.
pub(super) fn run(cell: Cell, who: Who, run: &Run) -> String {
    let cpu = run.cpu_us.map_or(String::new(), |cpu| format!(", {} of processors each", time(cpu)));
    format!(
        "{:<24} {:<6} {:>8}/s, p50 {}, p99 {}{cpu}",
        cell.name(),
        who.name(),
        rounded(run.per_second),
        time(run.latency.p50_us),
        time(run.latency.p99_us)
    )
}

/// The tables.
pub(super) fn results(report: &Report<Results>) {
    let results = report.results();
    heading("objects in and out, lists, uploads");
    print!("{}", table(&rows(results), 2));
    heading("memory");
    for peak in &results.peaks {
        let [server, all, moto] = [peak.pilvi_server_mib, peak.pilvi_all_mib, peak.moto_mib].map(rounded);
        say(&format!(
            "most until {}: Pilvi's server {server} MiB, all of Pilvi {all} MiB, moto {moto} MiB",
            peak.until
        ));
    }
    heading("promises");
    print!("{}", table(&promise_rows(report.promises()), 4));
}

fn rows(results: &Results) -> Vec<[String; 8]> {
    let mut rows = vec![["", "", "p50", "p99", "/s", "MB/s", "CPU/byte", "Pilvi is"].map(faint)];
    for figures in &results.cells {
        let mut name = figures.cell.name();
        for who in figures.cell.peers() {
            let Some(rate) = figures.of.get(&who) else { continue };
            let shown = |value: Option<f64>| value.map(rounded).unwrap_or_default();
            let ratio = figures.ratios.get(&who).map(|ratio| format!("{} ×", rounded(*ratio))).unwrap_or_default();
            let cpu = match (rate.cpu_ns_per_byte, rate.cpu_us) {
                (Some(ns), _) => format!("{} ns", rounded(ns)),
                (None, Some(us)) => format!("{} each", time(us)),
                (None, None) => String::new(),
            };
            let [p50, p99] = [rate.latency.p50_us, rate.latency.p99_us].map(time);
            let (per_second, bytes) = (rounded(rate.per_second), shown(rate.megabytes_per_second));
            rows.push([std::mem::take(&mut name), who.name().to_owned(), p50, p99, per_second, bytes, cpu, ratio]);
        }
    }
    rows
}
