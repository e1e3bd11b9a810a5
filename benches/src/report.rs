//! What a benchmark leaves: tables for a person, one JSON file for a program, and a verdict.

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use anyhow::{Context, Result};
use base::{Clock, SystemClock};
use serde::Serialize;

use crate::machine::Machine;

/// The version of the file's schema, which the README describes.
const SCHEMA: u32 = 1;

/// Whether every ratio that is promised was reached. Absolute aims depend on the machine and do not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    Broken,
}

/// Everything that one run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report<R> {
    schema: u32,
    bench: &'static str,
    /// When the report was made, in UTC.
    at: String,
    mode: &'static str,
    machine: Machine,
    /// The programs that were measured, as they name themselves.
    programs: BTreeMap<&'static str, String>,
    /// What a reader must know to judge the figures.
    method: Vec<String>,
    /// The benchmark's own figures.
    results: R,
    /// How many times better than the peer, by name: what a baseline keeps.
    ratios: BTreeMap<String, f64>,
    promises: Vec<Promise>,
}

/// What goes into every report.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) bench: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) machine: Machine,
    pub(crate) programs: BTreeMap<&'static str, String>,
    pub(crate) method: Vec<String>,
}

impl<R: Serialize> Report<R> {
    /// Puts a report together, at this instant.
    pub(crate) fn new(frame: Frame, results: R, ratios: BTreeMap<String, f64>, promises: Vec<Promise>) -> Self {
        let Frame { bench, mode, machine, programs, method } = frame;
        let at = SystemClock.now().iso8601();
        Self { schema: SCHEMA, bench, at, mode, machine, programs, method, results, ratios, promises }
    }

    /// Writes it as JSON.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// The figures that a baseline keeps.
    pub(crate) fn ratios(&self) -> &BTreeMap<String, f64> {
        &self.ratios
    }

    /// The benchmark's own figures.
    pub(crate) fn results(&self) -> &R {
        &self.results
    }

    /// What was promised, and whether it holds.
    pub(crate) fn promises(&self) -> &[Promise] {
        &self.promises
    }

    /// The machine that was measured.
    pub(crate) fn machine(&self) -> &Machine {
        &self.machine
    }

    /// [`Verdict::Broken`] when a promised ratio was not reached.
    pub(crate) fn verdict(&self) -> Verdict {
        let broken = self.promises.iter().any(|promise| promise.kind != Kind::Aim && !promise.holds);
        if broken { Verdict::Broken } else { Verdict::Holds }
    }
}

/// How much a promise weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A figure of this machine: marked when it is missed.
    Aim,
    /// A figure against the peer in the same run: must hold.
    Ratio,
    /// A figure that is the program's own on any machine, like its memory: must hold.
    Limit,
}

/// A promised figure beside the measured one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Promise {
    pub(crate) what: String,
    pub(crate) kind: Kind,
    /// With its unit and `≤` or `≥`.
    pub(crate) promised: String,
    /// With its unit.
    pub(crate) measured: String,
    pub(crate) holds: bool,
}

impl Promise {
    /// An absolute figure that is not to be exceeded.
    pub(crate) fn at_most(what: impl Into<String>, limit: f64, measured: f64, unit: &str) -> Self {
        Self::new(
            what,
            Kind::Aim,
            format!("≤ {limit} {unit}"),
            format!("{} {unit}", rounded(measured)),
            measured <= limit,
        )
    }

    /// An absolute figure that is to be reached.
    pub(crate) fn at_least(what: impl Into<String>, limit: f64, measured: f64, unit: &str) -> Self {
        Self::new(
            what,
            Kind::Aim,
            format!("≥ {limit} {unit}"),
            format!("{} {unit}", rounded(measured)),
            measured >= limit,
        )
    }

    /// A ratio that is to be reached.
    pub(crate) fn ratio(what: impl Into<String>, limit: f64, measured: f64) -> Self {
        Self::new(what, Kind::Ratio, format!("≥ {limit} ×"), format!("{} ×", rounded(measured)), measured >= limit)
    }

    /// A share of what the peer takes that is not to be exceeded.
    pub(crate) fn share(what: impl Into<String>, limit: f64, measured: f64) -> Self {
        Self::new(what, Kind::Ratio, format!("≤ {limit} ×"), format!("{} ×", rounded(measured)), measured <= limit)
    }

    /// The same figure, as a limit: one that no machine excuses.
    pub(crate) fn limit(self) -> Self {
        Self { kind: Kind::Limit, ..self }
    }

    /// The same ratio or share, as an aim: marked when it is missed.
    pub(crate) fn aimed(self) -> Self {
        Self { kind: Kind::Aim, ..self }
    }

    fn new(what: impl Into<String>, kind: Kind, promised: String, measured: String, holds: bool) -> Self {
        Self { what: what.into(), kind, promised, measured, holds }
    }
}

/// The promises as a table's rows, with its heading.
pub(crate) fn promise_rows(promises: &[Promise]) -> Vec<[String; 4]> {
    let mut rows = vec![["promise", "figure", "measured", ""].map(faint)];
    rows.extend(promises.iter().map(|promise| {
        let word = match (promise.holds, promise.kind) {
            (true, _) => good("holds"),
            (false, Kind::Ratio | Kind::Limit) => bad("BROKEN"),
            (false, Kind::Aim) => bad("missed (an aim: depends on the machine)"),
        };
        [promise.what.clone(), promise.promised.clone(), promise.measured.clone(), word]
    }));
    rows
}

/// A heading above what follows.
pub(crate) fn heading(text: &str) {
    println!("\n{}", paint("1", &format!("== {text}")));
}

/// One line of narration.
pub(crate) fn say(text: &str) {
    println!("   {text}");
}

/// Rows in columns as wide as their widest cell; all but the first `left` columns are aligned to the right.
pub(crate) fn table<const N: usize>(rows: &[[String; N]], left: usize) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(shown_width(cell));
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::from("  ");
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            let blanks = " ".repeat(width - shown_width(cell));
            let cell = if index < left { format!(" {cell}{blanks} ") } else { format!(" {blanks}{cell} ") };
            line.push_str(&cell);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A time in the unit that shows it best: `87 µs`, `1.32 ms`, `2.10 s`.
pub(crate) fn time(micros: f64) -> String {
    match micros {
        m if m < 1_000.0 => format!("{} µs", rounded(m)),
        m if m < 1_000_000.0 => format!("{} ms", rounded(m / 1e3)),
        m => format!("{} s", rounded(m / 1e6)),
    }
}

/// Three digits that count: `0.123`, `1.23`, `12.3`, `123`, `12345`.
pub(crate) fn rounded(value: f64) -> String {
    match value.abs() {
        v if v == 0.0 || v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 0.9995 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Text in the colour of what went well.
pub(crate) fn good(text: &str) -> String {
    paint("32", text)
}

/// Text in the colour of what failed.
pub(crate) fn bad(text: &str) -> String {
    paint("1;31", text)
}

/// Text that steps back behind the rest.
pub(crate) fn faint(text: &str) -> String {
    paint("2", text)
}

fn paint(code: &str, text: &str) -> String {
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if coloured { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Characters without those that only set a colour.
fn shown_width(cell: &str) -> usize {
    let mut width = 0;
    let mut in_colour = false;
    for character in cell.chars() {
        match character {
            '\x1b' => in_colour = true,
            'm' if in_colour => in_colour = false,
            _ if !in_colour => width += 1,
            _ => {}
        }
    }
    width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_figures_right_and_colours_take_no_room() {
        let rows = [["a", "1"], ["\x1b[31mlong\x1b[0m", "100"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows, 1), "   a       1\n   \x1b[31mlong\x1b[0m  100\n");
    }

    #[test]
    fn a_figure_has_three_digits_that_count() {
        for (value, text) in
            [(0.0, "0"), (0.1234, "0.123"), (0.9999, "1.00"), (1.234, "1.23"), (12.34, "12.3"), (12345.6, "12346")]
        {
            assert_eq!(rounded(value), text);
        }
        assert_eq!(
            (time(87.4), time(1320.0), time(2_100_000.0)),
            ("87.4 µs".into(), "1.32 ms".into(), "2.10 s".into())
        );
    }

    #[test]
    fn only_a_broken_ratio_decides() {
        let verdict = |promises: Vec<Promise>| {
            let machine = Machine {
                kernel: String::new(),
                architecture: String::new(),
                cpu: String::new(),
                cores: 1,
                memory_mib: 1,
                filesystem: String::new(),
                load_average: 0.0,
            };
            let frame = Frame { bench: "x", mode: "full", machine, programs: BTreeMap::new(), method: Vec::new() };
            Report::new(frame, (), BTreeMap::new(), promises).verdict()
        };
        assert_eq!(verdict(vec![Promise::at_most("start", 50.0, 51.0, "ms")]), Verdict::Holds);
        assert_eq!(verdict(vec![Promise::at_most("memory", 60.0, 61.0, "MiB").limit()]), Verdict::Broken);
        assert_eq!(verdict(vec![Promise::ratio("calls", 10.0, 10.0)]), Verdict::Holds);
        assert_eq!(verdict(vec![Promise::ratio("calls", 10.0, 9.9)]), Verdict::Broken);
    }

    #[test]
    fn a_promise_shows_its_figure_as_it_was_promised() {
        let promise = Promise::at_least("rate", 1000.0, 950.4, "/s");
        assert_eq!(
            (promise.promised.as_str(), promise.measured.as_str(), promise.holds),
            ("≥ 1000 /s", "950 /s", false)
        );
    }
}
