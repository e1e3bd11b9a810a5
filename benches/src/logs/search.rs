//! Reading: FilterLogEvents, GetLogEvents, Insights queries, and grep over the same text.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::{Value, json};

use super::Stage;
use super::calls::{self, Operation, SEARCHED, SEARCHED_STREAMS};
use super::lines::{Corpus, FREQUENT, Line, RARE};
use crate::client::{self, Load, Order};
use crate::peer::{Both, Kind};
use crate::signed::Caller;
use crate::stats::{Latency, Samples, figure, median};

/// Events of a batch when what is searched is stored.
const STORED_BATCH: usize = 1000;
/// How often the state of a query is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// No query here takes so long.
const QUERY_LIMIT: Duration = Duration::from_secs(120);
/// The length of the short pages.
const PAGE_EVENTS: u64 = 100;
/// How many short pages are read.
const PAGES: usize = 100;

/// A pattern, and what finds the same lines with grep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sought {
    pub(super) name: &'static str,
    pattern: &'static str,
    text: &'static str,
    /// moto takes every event for a match of a pattern that it does not know.
    is_known_to_moto: bool,
}

/// What is searched for.
pub(super) const SOUGHT: [Sought; 4] = [
    Sought { name: "a term, 1 of 10", pattern: FREQUENT, text: FREQUENT, is_known_to_moto: true },
    Sought { name: "a term, 1 of 10,000", pattern: RARE, text: RARE, is_known_to_moto: true },
    Sought {
        name: "JSON, 1 of 20",
        pattern: r#"{ $.level = "ERROR" }"#,
        text: r#""level":"ERROR""#,
        is_known_to_moto: false,
    },
    Sought {
        name: "JSON, 1 of 20,000",
        pattern: r#"{ $.code = "CircuitBreakerOpen" }"#,
        text: r#""code":"CircuitBreakerOpen""#,
        is_known_to_moto: false,
    },
];

/// Insights queries.
pub(super) const QUERIES: [&str; 2] =
    ["stats count(*) by bin(1m)", "filter status >= 500 | stats count(*), avg(latency_ms) by bin(1m)"];

/// A search of the whole group, all pages.
#[derive(Debug, Serialize)]
pub(super) struct Search {
    pub(super) name: &'static str,
    pub(super) pattern: &'static str,
    pub(super) matches: u64,
    pub(super) pilvi: Pass,
    pub(super) moto: Option<Pass>,
    /// grep over a file of the same lines.
    pub(super) grep: Pass,
    /// Events a second, times the peer's.
    pub(super) ratio: Option<f64>,
}

/// Passing through all events once: medians over the rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Pass {
    pub(super) seconds: f64,
    pub(super) events_per_second: f64,
    /// Of messages.
    pub(super) megabytes_per_second: f64,
}

impl Pass {
    fn over(rounds: &[f64], events: u64, bytes: u64) -> Result<Self> {
        let seconds = median(rounds).context("no round")?;
        let megabytes_per_second = figure(bytes) / 1e6 / seconds;
        Ok(Self { seconds, events_per_second: figure(events) / seconds, megabytes_per_second })
    }
}

/// Reading a stream from its head to its end.
#[derive(Debug, Serialize)]
pub(super) struct Paging {
    #[serde(flatten)]
    pub(super) of: Both<Pass>,
    pub(super) ratio: f64,
    /// Of a page of 100 events, of Pilvi.
    pub(super) short_page: Latency,
}

/// A query, from StartQuery until its results are there.
#[derive(Debug, Serialize)]
pub(super) struct Query {
    pub(super) query: &'static str,
    pub(super) pilvi: Pass,
}

/// What was measured so far.
#[derive(Debug, Default)]
pub(super) struct Seconds {
    searches: [Seen; SOUGHT.len()],
    paging: Seen,
    queries: [Vec<f64>; QUERIES.len()],
}

/// Seconds of each round.
#[derive(Debug, Default)]
struct Seen {
    pilvi: Vec<f64>,
    moto: Vec<f64>,
    grep: Vec<f64>,
}

/// Stores what is searched.
pub(super) fn store(caller: &Caller, corpus: &Corpus) -> Result<()> {
    calls::make_group(caller, SEARCHED, SEARCHED_STREAMS)?;
    let mut requests = Vec::new();
    for number in 0..SEARCHED_STREAMS {
        let of_stream: Vec<&Line> = corpus.lines.iter().skip(number).step_by(SEARCHED_STREAMS).collect();
        for batch in of_stream.chunks(STORED_BATCH) {
            requests.push(caller.sign(&calls::put(SEARCHED, &calls::stream(number), batch))?);
        }
    }
    let (address, time) = (caller.address, Duration::MAX);
    let load = Load { address, requests: &requests, order: Order::Once, callers: SEARCHED_STREAMS, time };
    let outcome = client::drive(&load)?;
    ensure!(outcome.refused == 0, "events were refused: {}", outcome.first_refusal.unwrap_or_default());
    Ok(())
}

impl Seconds {
    /// One round of everything; the peer, which is slow, takes part only in the first ones.
    pub(super) fn round(&mut self, stage: &Stage, corpus: &Corpus, text: &Path, round: usize) -> Result<()> {
        let has_peer = round < stage.plan.rounds_of_peer;
        for (sought, seen) in SOUGHT.iter().zip(&mut self.searches) {
            let expected = corpus.with(sought.text);
            seen.pilvi.push(search(stage, Kind::Pilvi, sought.pattern, expected)?);
            seen.grep.push(grep(text, sought.text, expected)?);
            if has_peer && sought.is_known_to_moto {
                seen.moto.push(search(stage, Kind::Moto, sought.pattern, expected)?);
            }
        }
        let in_stream = u64::try_from(corpus.lines.iter().step_by(SEARCHED_STREAMS).count())?;
        self.paging.pilvi.push(page_through(&stage.callers.pilvi, in_stream)?);
        if has_peer {
            self.paging.moto.push(page_through(&stage.callers.moto, in_stream)?);
        }
        for (query, seconds) in QUERIES.iter().zip(&mut self.queries) {
            seconds.push(insights(&stage.callers.pilvi, query, corpus)?);
        }
        Ok(())
    }

    pub(super) fn searches(&self, corpus: &Corpus) -> Result<Vec<Search>> {
        let pass = |rounds: &[f64]| Pass::over(rounds, corpus.count(), corpus.bytes());
        let searches = SOUGHT.iter().zip(&self.searches).map(|(sought, seen)| {
            let (pilvi, grep) = (pass(&seen.pilvi)?, pass(&seen.grep)?);
            let moto = if seen.moto.is_empty() { None } else { Some(pass(&seen.moto)?) };
            let ratio = moto.map(|moto| pilvi.events_per_second / moto.events_per_second);
            let matches = corpus.with(sought.text);
            Ok(Search { name: sought.name, pattern: sought.pattern, matches, pilvi, moto, grep, ratio })
        });
        searches.collect()
    }

    pub(super) fn paging(&self, corpus: &Corpus, short_page: Latency) -> Result<Paging> {
        let of_stream = || corpus.lines.iter().step_by(SEARCHED_STREAMS);
        let (events, bytes) = (of_stream().count() as u64, of_stream().map(|line| line.message.len() as u64).sum());
        let pass = |rounds: &[f64]| Pass::over(rounds, events, bytes);
        let of = Both { pilvi: pass(&self.paging.pilvi)?, moto: pass(&self.paging.moto)? };
        Ok(Paging { ratio: of.pilvi.events_per_second / of.moto.events_per_second, of, short_page })
    }

    pub(super) fn queries(&self, corpus: &Corpus) -> Result<Vec<Query>> {
        let query = |(query, seconds): (&&'static str, &Vec<f64>)| {
            Ok(Query { query, pilvi: Pass::over(seconds, corpus.count(), corpus.bytes())? })
        };
        QUERIES.iter().zip(&self.queries).map(query).collect()
    }
}

/// Seconds until the last page.
fn search(stage: &Stage, kind: Kind, pattern: &str, expected: u64) -> Result<f64> {
    let mut input = json!({ "logGroupName": SEARCHED, "filterPattern": pattern });
    let mut found = 0;
    let begun = Instant::now();
    loop {
        let page = calls::page(stage.callers.of(kind), Operation::FilterLogEvents, &input)?;
        found += page.events();
        match page.next_token {
            None => break,
            Some(token) => input["nextToken"] = token.into(),
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(found == expected, "{} finds {found} events with {pattern} and not {expected}", kind.name());
    Ok(seconds)
}

/// Seconds until grep has told the last line.
fn grep(file: &Path, text: &str, expected: u64) -> Result<f64> {
    let begun = Instant::now();
    let output = Command::new("grep").args(["--", text]).arg(file).output().context("starting grep")?;
    let seconds = begun.elapsed().as_secs_f64();
    let found = u64::try_from(output.stdout.split(|byte| *byte == b'\n').count().saturating_sub(1))?;
    ensure!(found == expected, "grep finds {found} lines with {text} and not {expected}");
    Ok(seconds)
}

/// Seconds from the head of the first stream to its end, in the longest pages.
fn page_through(caller: &Caller, expected: u64) -> Result<f64> {
    let mut input = first_page();
    let mut found = 0;
    let begun = Instant::now();
    loop {
        let page = calls::page(caller, Operation::GetLogEvents, &input)?;
        found += page.events();
        match page.next_forward_token {
            Some(token) if page.events() > 0 => input["nextToken"] = token.into(),
            _ => break,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    ensure!(found == expected, "a stream has {found} events and not {expected}");
    Ok(seconds)
}

fn first_page() -> Value {
    json!({ "logGroupName": SEARCHED, "logStreamName": calls::stream(0), "startFromHead": true })
}

/// The times of short pages, one after the other.
pub(super) fn short_pages(caller: &Caller) -> Result<Latency> {
    let mut input = first_page();
    input["limit"] = PAGE_EVENTS.into();
    let mut times = Vec::with_capacity(PAGES);
    for _ in 0..PAGES {
        let begun = Instant::now();
        let page = calls::page(caller, Operation::GetLogEvents, &input)?;
        times.push(begun.elapsed());
        match page.next_forward_token {
            Some(token) if page.events() == PAGE_EVENTS => input["nextToken"] = token.into(),
            _ => break,
        }
    }
    Ok(Samples::of(times).context("no page")?.latency())
}

/// Seconds from the start of a query to its results.
fn insights(caller: &Caller, query: &str, corpus: &Corpus) -> Result<f64> {
    let (first, last) = (corpus.lines.first().context("no line")?, corpus.lines.last().context("no line")?);
    let input = json!({
        "logGroupName": SEARCHED,
        "startTime": first.at_ms / 1000,
        "endTime": last.at_ms / 1000 + 1,
        "queryString": query,
        "limit": 1000,
    });
    let begun = Instant::now();
    let started = calls::call(caller, Operation::StartQuery, &input)?;
    let asked = json!({ "queryId": started["queryId"] });
    let results = loop {
        let results = calls::call(caller, Operation::GetQueryResults, &asked)?;
        match results["status"].as_str() {
            Some("Complete") => break results,
            Some("Running" | "Scheduled") => thread::sleep(LOOK_EVERY),
            _ => anyhow::bail!("{query} ended with {results}"),
        }
        ensure!(begun.elapsed() < QUERY_LIMIT, "{query} goes on for {} s", QUERY_LIMIT.as_secs());
    };
    let seconds = begun.elapsed().as_secs_f64();
    let scanned = results["statistics"]["recordsScanned"].as_f64();
    ensure!(scanned == Some(figure(corpus.count())), "{query} has looked at {scanned:?} events");
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sought_is_in_the_lines_as_often_as_its_name_says() {
        let corpus = Corpus::new(200_000, 1_767_225_600_000);
        let counts = SOUGHT.map(|sought| corpus.with(sought.text));
        assert!((19_000..21_000).contains(&counts[0]) && (9_000..11_000).contains(&counts[2]), "{counts:?}");
        assert!((5..60).contains(&counts[1]) && (1..40).contains(&counts[3]), "{counts:?}");
    }

    #[test]
    fn grep_finds_what_the_lines_hold() {
        let corpus = Corpus::new(2_000, 1_767_225_600_000);
        let path = std::env::temp_dir().join(format!("pilvi-grep-{}", std::process::id()));
        std::fs::write(&path, corpus.text()).unwrap();
        for sought in SOUGHT {
            grep(&path, sought.text, corpus.with(sought.text)).unwrap();
        }
        assert!(grep(&path, FREQUENT, 1).is_err());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_pass_is_the_median_of_its_rounds() {
        let pass = Pass::over(&[4.0, 1.0, 2.0], 1_000, 150_000_000).unwrap();
        assert!((pass.events_per_second - 500.0).abs() < 1e-9 && (pass.megabytes_per_second - 75.0).abs() < 1e-9);
        assert!(Pass::over(&[], 1, 1).is_err());
    }
}
