//! `cargo xtask check`: what can be told without running the product. The quickest answers come first.

use std::time::Duration;

use anyhow::Result;

use crate::steps::Steps;
use crate::workspace::Workspace;
use crate::{codegen, process, tidy};

/// The lints compile every dependency when nothing is built yet.
const CARGO_LIMIT: Duration = Duration::from_secs(1200);

/// Runs the checks and ends with their summary.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    let result = take(workspace, &mut steps);
    steps.summarise();
    result
}

/// The checks as steps of a longer run.
pub(crate) fn take(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    steps.take("formatting", || process::run(workspace.cargo().args(["fmt", "--all", "--check"]), CARGO_LIMIT))?;
    steps.take("conventions", || tidy::run(&workspace.root))?;
    steps.take("generated files are as models/ says", || codegen::run(&workspace.root, true))?;
    steps.take("lints", || {
        let mut clippy = workspace.cargo();
        clippy.args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]);
        process::run(&mut clippy, CARGO_LIMIT)
    })
}
