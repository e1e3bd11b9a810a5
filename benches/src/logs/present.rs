//! What the figures say: tables, ratios by name, promises.

use std::collections::BTreeMap;

use super::ingest::Ingest;
use super::search::Pass;
use super::{Plan, Results};
use crate::peer::Kind;
use crate::report::{Promise, Report, faint, heading, promise_rows, rounded, say, table, time};

/// SPECIFICATION.md, "log events beside moto's server": batches in, and searches. Hashing, reading as JSON and transport
/// both servers pay for alike.
const RATIO_MIN: f64 = 5.0;
/// Requests with fewer events are mostly a request: `bench api` judges those.
const BATCH_MIN: usize = 100;

/// How it was measured, for whoever reads the file.
pub(super) fn method(plan: Plan) -> Vec<String> {
    let mut method: Vec<String> = [
        "Lines of about 150 bytes, half of them text, half JSON, none like another. Requests are signed before each run, \
         not in it; each run has a group of its own, which is deleted afterwards.",
        "One client thread with one connection a writer, on loopback; writers send to streams in turn, each its next \
         request when it has its answer. moto closes a connection after each answer, and connecting anew is part of the \
         time.",
        "moto verifies no signature and keeps events in a list. Pilvi verifies each signature, answers when the events are \
         written (not synced), and seals and compresses files meanwhile, which is part of its processor time.",
        "Searches read the whole group, page after page, over a connection for each page, and must find as many events as \
         the lines hold; grep is started anew for each pass over a file in the page cache, and its output is read. moto \
         knows no JSON patterns.",
        "Bytes on disk: of the searched group's files, all sealed, after the server has stopped.",
    ]
    .map(str::to_owned)
    .into();
    method.push(format!(
        "{} rounds of {} s for each kind of request; {} events are searched in as many rounds, by moto in the first {}. \
         Figures are medians over the rounds.",
        plan.rounds,
        plan.time.as_secs_f64(),
        plan.searched,
        plan.rounds_of_peer
    ));
    method
}

/// Ratios by name, for the baseline.
pub(super) fn ratios(results: &Results) -> BTreeMap<String, f64> {
    let mut ratios = BTreeMap::from([
        ("GetLogEvents/events_per_second".to_owned(), results.get_log_events.ratio),
        ("disk/message_over_stored".to_owned(), results.disk.message_bytes / results.disk.stored_bytes),
    ]);
    for Ingest { batch, writers, ratio, .. } in &results.ingest {
        ratios.insert(format!("PutLogEvents/{batch}/{writers}/events_per_second"), *ratio);
    }
    for search in &results.searches {
        let name = |of: &str| format!("FilterLogEvents/{}/{of}", search.name);
        ratios.extend(search.ratio.map(|ratio| (name("events_per_second"), ratio)));
        ratios.insert(name("beside_grep"), search.grep.seconds / search.pilvi.seconds);
    }
    ratios
}

/// The promises that this benchmark keeps an eye on.
pub(super) fn promises(results: &Results) -> Vec<Promise> {
    let batches = results.ingest.iter().filter(|ingest| ingest.batch >= BATCH_MIN).map(|ingest| {
        let what = format!("PutLogEvents, {} events, {}, events/s beside moto", ingest.batch, writers(ingest.writers));
        Promise::ratio(what, RATIO_MIN, ingest.ratio)
    });
    let searches = results.searches.iter().filter_map(|search| {
        let what = format!("FilterLogEvents, {}, events/s beside moto", search.name);
        Some(Promise::ratio(what, RATIO_MIN, search.ratio?))
    });
    batches.chain(searches).collect()
}

/// The tables.
pub(super) fn results(report: &Report<Results>) {
    let results = report.results();
    heading("PutLogEvents");
    print!("{}", table(&ingest_rows(results), 3));
    say(&format!("a file takes {} events/s in batches of 100, unsynced", count(results.floor_events_per_second)));
    heading("FilterLogEvents, the whole group");
    print!("{}", table(&search_rows(results), 2));
    heading("GetLogEvents and Insights");
    print!("{}", table(&reading_rows(results), 2));
    heading("disk and memory");
    let (disk, memory) = (&results.disk, &results.memory);
    let (stored, message) = (rounded(disk.stored_bytes), rounded(disk.message_bytes));
    say(&format!("{stored} bytes on disk for an event of {message}"));
    let [pilvi, moto] = [memory.pilvi.rss_mib, memory.moto.rss_mib].map(rounded);
    say(&format!("RSS after all of it: Pilvi {pilvi} MiB, moto {moto} MiB"));
    heading("promises");
    print!("{}", table(&promise_rows(report.promises()), 4));
}

fn ingest_rows(results: &Results) -> Vec<[String; 8]> {
    let mut rows = vec![["events", "writers", "", "p50", "p99", "events/s", "CPU/event", "ratio"].map(faint)];
    for ingest in &results.ingest {
        let mut head = [ingest.batch.to_string(), ingest.writers.to_string()];
        for kind in Kind::ALL {
            let figures = ingest.of.of(kind);
            let [events, writers] = std::mem::take(&mut head);
            let latency = figures.latency;
            let ratio = if kind == Kind::Pilvi { times(ingest.ratio) } else { String::new() };
            let rate = count(figures.events_per_second);
            let (p50, p99, cpu) = (time(latency.p50_us), time(latency.p99_us), time(figures.cpu_us));
            rows.push([events, writers, kind.name().to_owned(), p50, p99, rate, cpu, ratio]);
        }
    }
    rows
}

fn search_rows(results: &Results) -> Vec<[String; 6]> {
    let mut rows = vec![["", "", "time", "events/s", "MB/s", "ratio"].map(faint)];
    for search in &results.searches {
        let mut name = search.name.to_owned();
        let beside_grep = format!("{} of grep's time", times(search.pilvi.seconds / search.grep.seconds));
        let passes = [
            (Kind::Pilvi.name(), Some(&search.pilvi), beside_grep),
            (Kind::Moto.name(), search.moto.as_ref(), search.ratio.map(times).unwrap_or_default()),
            ("grep", Some(&search.grep), String::new()),
        ];
        for (who, pass, ratio) in passes {
            let Some(pass) = pass else { continue };
            let [time, rate, megabytes] = pass_cells(pass);
            rows.push([std::mem::take(&mut name), who.to_owned(), time, rate, megabytes, ratio]);
        }
    }
    rows
}

fn reading_rows(results: &Results) -> Vec<[String; 6]> {
    let mut rows = vec![["", "", "time", "events/s", "MB/s", "ratio"].map(faint)];
    let paging = &results.get_log_events;
    for kind in Kind::ALL {
        let [time, rate, megabytes] = pass_cells(paging.of.of(kind));
        let (name, ratio) = match kind {
            Kind::Pilvi => ("GetLogEvents, a whole stream".to_owned(), times(paging.ratio)),
            Kind::Moto => (String::new(), String::new()),
        };
        rows.push([name, kind.name().to_owned(), time, rate, megabytes, ratio]);
    }
    let page = "GetLogEvents, a page of 100, p50".to_owned();
    let (p50, none) = (time(paging.short_page.p50_us), String::new);
    rows.push([page, Kind::Pilvi.name().to_owned(), p50, none(), none(), none()]);
    for query in &results.insights {
        let [time, rate, megabytes] = pass_cells(&query.pilvi);
        rows.push([query.query.to_owned(), Kind::Pilvi.name().to_owned(), time, rate, megabytes, String::new()]);
    }
    rows
}

fn pass_cells(pass: &Pass) -> [String; 3] {
    [time(pass.seconds * 1e6), count(pass.events_per_second), rounded(pass.megabytes_per_second)]
}

fn writers(count: usize) -> String {
    if count == 1 { "1 writer".to_owned() } else { format!("{count} writers") }
}

fn times(ratio: f64) -> String {
    format!("{} ×", rounded(ratio))
}

/// A large number that can be read at a glance.
fn count(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{} M", rounded(v / 1e6)),
        v if v >= 1e4 => format!("{:.0} k", v / 1e3),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_short() {
        for (value, text) in [(950.4, "950"), (12_345.0, "12 k"), (2_500_000.0, "2.50 M")] {
            assert_eq!(count(value), text);
        }
    }
}
