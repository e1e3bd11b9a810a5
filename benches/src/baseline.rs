//! The ratios of an earlier run, kept in `benches/baseline/`, and what has changed since.
//!
//! Only ratios are compared: absolute figures belong to one machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::report::{Report, Verdict, bad, heading, rounded, say};
use crate::setting::Setting;

/// A ratio that fell by more than this share is told; the noise of a shared machine stays below.
const TOLERANCE: f64 = 0.35;

/// What a baseline file holds.
#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    /// Where it was measured.
    machine: Machine,
    ratios: BTreeMap<String, f64>,
}

/// A ratio that is worse than it was.
#[derive(Debug, PartialEq)]
struct Fall {
    name: String,
    then: f64,
    /// `None` when it is no longer measured.
    now: Option<f64>,
}

impl Baseline {
    /// The file of a benchmark.
    fn path(bench: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline").join(bench).with_added_extension("json")
    }

    /// Reads the file, if there is one.
    fn load(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).map(Some).with_context(|| format!("{} is no baseline", path.display()))
    }

    /// Writes the file; ratios keep three digits, so that a new baseline's diff shows what changed.
    fn save(mut self, path: &Path) -> Result<()> {
        for ratio in self.ratios.values_mut() {
            *ratio = rounded(*ratio).parse()?;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let text = serde_json::to_string_pretty(&self)? + "\n";
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// The ratios that fell by more than the tolerance.
    fn falls(&self, now: &BTreeMap<String, f64>) -> Vec<Fall> {
        let fallen = |(name, &then): (&String, &f64)| {
            let now = now.get(name).copied();
            let fell = now.is_none_or(|now| now < then * (1.0 - TOLERANCE));
            fell.then(|| Fall { name: name.clone(), then, now })
        };
        self.ratios.iter().filter_map(fallen).collect()
    }
}

/// The end of a benchmark: its report is kept and compared with the baseline, or becomes it.
///
/// # Errors
/// When a file cannot be written, or the baseline's cannot be read.
pub(crate) fn conclude<R: Serialize>(
    bench: &str,
    report: &Report<R>,
    setting: &Setting,
    save: bool,
) -> Result<Verdict> {
    let path = setting.reports.join(bench).with_added_extension("json");
    report.save(&path)?;
    let machine = report.machine();
    if machine.is_busy() {
        let load = rounded(machine.load_average);
        say(&bad(&format!("others were busy here before (load average {load}): run it on a quiet machine to judge")));
    }
    heading("kept");
    say(&format!("every figure: {}", path.display()));
    let path = Baseline::path(bench);
    if save {
        let baseline = Baseline { machine: report.machine().clone(), ratios: report.ratios().clone() };
        baseline.save(&path)?;
        say(&format!("baseline: {}", path.display()));
    } else if let Some(baseline) = Baseline::load(&path).context("comparing with the baseline")? {
        show(&baseline.falls(report.ratios()));
    }
    Ok(report.verdict())
}

/// Says what is worse than the baseline.
fn show(falls: &[Fall]) {
    if falls.is_empty() {
        say("no ratio is worse than the baseline's, within the tolerance");
    }
    for Fall { name, then, now } in falls {
        let now = now.map_or_else(|| "not measured".to_owned(), |now| format!("{} ×", rounded(now)));
        say(&bad(&format!("{name}: {now}, and {} × in the baseline", rounded(*then))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratios(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
        pairs.iter().map(|(name, ratio)| ((*name).to_owned(), *ratio)).collect()
    }

    #[test]
    fn a_ratio_that_fell_or_vanished_is_told_and_one_that_rose_is_not() {
        let machine = Machine {
            kernel: "6.1".into(),
            architecture: "x86_64".into(),
            cpu: "a".into(),
            cores: 2,
            memory_mib: 1,
            filesystem: "ext4".into(),
            load_average: 0.0,
        };
        let baseline = Baseline { machine, ratios: ratios(&[("a", 10.0), ("b", 10.0), ("c", 10.0), ("d", 10.0)]) };
        let falls = baseline.falls(&ratios(&[("a", 6.0), ("b", 7.0), ("c", 99.0), ("new", 1.0)]));
        let fall = |name: &str, now| Fall { name: name.to_owned(), then: 10.0, now };
        assert_eq!(falls, [fall("a", Some(6.0)), fall("d", None)]);
    }
}
