//! A run of named steps: a heading and the seconds of each, and a table of them all at the end.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::screen;

/// The steps that were taken.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    taken: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    time: Duration,
    passed: bool,
}

impl Steps {
    /// Takes one step. Its error names the step; the caller ends the run with it, or goes on.
    pub(crate) fn take<T>(&mut self, name: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        screen::heading(name);
        let begun = Instant::now();
        let result = step();
        let time = begun.elapsed();
        let passed = result.is_ok();
        let word = if passed { screen::good("ok") } else { screen::bad("FAILED") };
        println!("   {word} {}", screen::faint(&format!("({})", screen::seconds(time))));
        self.taken.push(Step { name, time, passed });
        result.with_context(|| name.to_owned())
    }

    /// Prints the table of the steps that were taken.
    pub(crate) fn summarise(&self) {
        screen::heading("summary");
        print!("{}", self.summary());
    }

    fn summary(&self) -> String {
        let whole = self.taken.iter().map(|step| step.time).sum();
        let mut rows: Vec<[String; 3]> = self
            .taken
            .iter()
            .map(|step| {
                let word = if step.passed { "ok" } else { "FAILED" };
                [step.name.to_owned(), word.to_owned(), screen::seconds(step.time)]
            })
            .collect();
        let word = if self.taken.iter().all(|step| step.passed) { "ok" } else { "FAILED" };
        rows.push(["all of it".to_owned(), word.to_owned(), screen::seconds(whole)]);
        screen::table(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_which_step_failed_and_so_does_the_error() {
        let mut steps = Steps::default();
        steps.take("first", || Ok(())).unwrap();
        let error = steps.take("second", || -> Result<()> { anyhow::bail!("broken") }).unwrap_err();
        assert_eq!(format!("{error:#}"), "second: broken");
        let summary = steps.summary();
        let words: Vec<Vec<&str>> = summary.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0][..2], ["first", "ok"]);
        assert_eq!(words[1][..2], ["second", "FAILED"]);
        assert_eq!(words[2][..4], ["all", "of", "it", "FAILED"]);
    }
}
