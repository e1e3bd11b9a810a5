//! The conventions that a program can check. `cargo xtask check` runs them, and so does a test of this package.
//!
//! A rule is a function from the tree to findings. Each finding names the file and says what to do about it.

mod files;
mod layers;
mod lockfiles;
mod manifests;
mod services;
mod tree;

use std::path::Path;

use anyhow::{Result, bail};

pub(crate) use tree::Package;
use tree::Tree;

use crate::screen;

/// What is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Path below the root, with `:line` where there is one.
    place: String,
    problem: String,
    remedy: String,
}

impl Finding {
    fn new(place: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into(), remedy: remedy.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.problem, self.remedy)
    }
}

/// Every rule.
const RULES: [fn(&Tree) -> Vec<Finding>; 14] = [
    layers::crates_depend_downwards_only,
    lockfiles::no_banned_crate,
    lockfiles::no_registry_host,
    manifests::no_build_script,
    manifests::every_package_takes_the_workspace_lints,
    manifests::every_dependency_has_its_reason,
    services::every_served_operation_has_its_file,
    services::every_operation_file_is_served,
    services::generated_files_say_so,
    files::names_say_what_is_inside,
    files::files_are_rooms_not_halls,
    files::no_path_of_a_machine,
    files::nothing_is_left_undone,
    files::ci_runs_what_a_person_runs,
];

/// Fails when a rule finds something; prints every finding.
pub(crate) fn run(root: &Path) -> Result<()> {
    let findings = inspect(root)?;
    for finding in &findings {
        screen::say(&finding.to_string());
    }
    if !findings.is_empty() {
        bail!("{} finding(s)", findings.len());
    }
    Ok(())
}

fn inspect(root: &Path) -> Result<Vec<Finding>> {
    let tree = Tree::read(root)?;
    Ok(RULES.iter().flat_map(|rule| rule(&tree)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_keeps_its_conventions() {
        let findings = inspect(&crate::workspace::root().unwrap()).unwrap();
        let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "\n{}", list.join("\n"));
    }
}
