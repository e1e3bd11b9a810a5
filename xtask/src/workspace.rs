//! Where things are: the checkout, cargo's target directory, the built binary.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process;

/// Cargo and rustc answer questions about themselves at once; this is for a loaded machine.
const QUESTION_LIMIT: Duration = Duration::from_secs(60);

/// The checkout that this program belongs to.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the checkout and asks cargo for its target directory.
    pub(crate) fn locate() -> Result<Self> {
        let root = root()?;
        let mut question = cargo(&root);
        question.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
        let answer: Value = serde_json::from_str(&process::capture(&mut question, QUESTION_LIMIT)?.success()?)
            .context("reading cargo metadata")?;
        let target = answer["target_directory"].as_str().context("cargo metadata names no target directory")?;
        Ok(Self { root, target: target.into() })
    }

    /// `cargo`, to be run at the root, free of what `cargo run` left in this program's environment.
    pub(crate) fn cargo(&self) -> Command {
        cargo(&self.root)
    }

    /// The folder of release binaries: `target/<triple>/release`, since the build names its target explicitly.
    pub(crate) fn release_dir(&self) -> Result<PathBuf> {
        let answer = process::capture(Command::new("rustc").arg("-vV"), QUESTION_LIMIT)?.success()?;
        let triple =
            answer.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host triple")?;
        Ok(self.target.join(triple).join("release"))
    }

    /// The release binary. Fails when it has not been built.
    pub(crate) fn pilvi(&self) -> Result<PathBuf> {
        let binary = self.release_dir()?.join("pilvi");
        ensure!(binary.is_file(), "{} is missing: `cargo build --release` makes it", binary.display());
        Ok(binary)
    }
}

/// The workspace's root: the parent of this package, as cargo says at run time or said when it compiled this program.
pub(crate) fn root() -> Result<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).parent().context("xtask is not inside a workspace")?;
    ensure!(root.join("Cargo.toml").is_file(), "{} is not the workspace: run this by `cargo xtask`", root.display());
    Ok(root.to_path_buf())
}

/// `cargo run` sets variables for the program it starts. Handed on to another cargo, those of the package would look
/// like changed inputs to packages that read them, and make it build again.
fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(set_by_cargo_run) {
            command.env_remove(name);
        }
    }
    command
}

fn set_by_cargo_run(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"].iter().any(|prefix| name.starts_with(prefix))
        || name == "CARGO_PRIMARY_PACKAGE"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_cargo_keeps_the_settings_of_a_person_and_loses_those_of_cargo_run() {
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_BIN_NAME", "CARGO_PRIMARY_PACKAGE"] {
            assert!(set_by_cargo_run(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "RUSTFLAGS", "PATH"] {
            assert!(!set_by_cargo_run(name), "{name}");
        }
    }

    #[test]
    fn the_root_holds_this_package() {
        assert!(root().unwrap().join("xtask/Cargo.toml").is_file());
    }
}
