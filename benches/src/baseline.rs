//! The ratios of an earlier run, kept in `benches/baseline/`, and what has changed since.
//!
//! Only ratios are compared: absolute figures belong to one machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::report::{bad, rounded, say};

/// A ratio that fell by more than this share is told; the noise of a shared machine stays below.
const TOLERANCE: f64 = 0.35;

/// What a baseline file holds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// Where it was measured.
    pub(crate) machine: Machine,
    pub(crate) ratios: BTreeMap<String, f64>,
}

/// A ratio that is worse than it was.
#[derive(Debug, PartialEq)]
pub(crate) struct Fall {
    pub(crate) name: String,
    pub(crate) then: f64,
    /// `None` when it is no longer measured.
    pub(crate) now: Option<f64>,
}

impl Baseline {
    /// The file of a benchmark.
    pub(crate) fn path(bench: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline").join(bench).with_added_extension("json")
    }

    /// Reads the file, if there is one.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>> {
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        serde_json::from_str(&text).map(Some).with_context(|| format!("{} is no baseline", path.display()))
    }

    /// Writes the file; ratios keep three digits, so that a new baseline's diff shows what changed.
    pub(crate) fn save(mut self, path: &Path) -> Result<()> {
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
    pub(crate) fn falls(&self, now: &BTreeMap<String, f64>) -> Vec<Fall> {
        let fallen = |(name, &then): (&String, &f64)| {
            let now = now.get(name).copied();
            let fell = now.is_none_or(|now| now < then * (1.0 - TOLERANCE));
            fell.then(|| Fall { name: name.clone(), then, now })
        };
        self.ratios.iter().filter_map(fallen).collect()
    }
}

/// Says what is worse than the baseline.
pub(crate) fn show(falls: &[Fall]) {
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
