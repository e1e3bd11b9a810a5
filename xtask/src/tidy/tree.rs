//! What the rules look at: the files that git knows, the packages, the served operations.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use toml::{Table, Value};

use crate::{models, process};

/// git lists a few thousand files at once; this is for a loaded machine.
const GIT_LIMIT: Duration = Duration::from_secs(60);

/// The repository as the rules see it.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Files by their path below the root, sorted; `None` is content that is not text.
    pub(crate) files: BTreeMap<String, Option<String>>,
    pub(crate) packages: Vec<Package>,
    /// Service → the operations that it serves.
    pub(crate) served: BTreeMap<String, Vec<String>>,
}

impl Tree {
    /// Reads every file that is tracked or could be: what git ignores is no part of it.
    pub(crate) fn read(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for path in listed(root)? {
            if let Ok(bytes) = std::fs::read(root.join(&path)) {
                files.insert(path, String::from_utf8(bytes).ok());
            }
        }
        let packages = Package::of_files(&files)?;
        let served = models::served(root)?.into_iter().map(|(name, service)| (name, service.operations)).collect();
        Ok(Self { files, packages, served })
    }

    /// The text files, by path.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| Some((path.as_str(), text.as_deref()?)))
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_deref()
    }
}

fn listed(root: &Path) -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let answer = process::capture(&mut git, GIT_LIMIT)?.success().context("listing the repository's files")?;
    Ok(answer.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}

/// A package's manifest.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder below the root; empty for the root itself.
    pub(crate) dir: String,
    /// Names of the packages that are built into it, for any target.
    pub(crate) dependencies: Vec<String>,
    /// Names of the packages that only its tests use.
    pub(crate) dev_dependencies: Vec<String>,
    pub(crate) manifest: Table,
}

impl Package {
    /// Every package of the repository.
    pub(crate) fn read_all(root: &Path) -> Result<Vec<Self>> {
        let mut files = BTreeMap::new();
        for path in listed(root)?.into_iter().filter(|path| is_manifest(path)) {
            if let Ok(text) = std::fs::read_to_string(root.join(&path)) {
                files.insert(path, Some(text));
            }
        }
        Self::of_files(&files)
    }

    fn of_files(files: &BTreeMap<String, Option<String>>) -> Result<Vec<Self>> {
        let manifests = files.iter().filter(|(path, _)| is_manifest(path));
        let mut packages = Vec::new();
        for (path, text) in manifests {
            packages.extend(Self::parse(path, text.as_deref().unwrap_or_default())?);
        }
        Ok(packages)
    }

    /// A manifest without `[package]` is the workspace's, and no package.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Option<Self>> {
        let manifest: Table = toml::from_str(text).with_context(|| format!("reading {path}"))?;
        let Some(name) = manifest.get("package").and_then(|package| package.get("name")?.as_str()) else {
            return Ok(None);
        };
        Ok(Some(Self {
            name: name.to_owned(),
            dir: path.trim_end_matches("Cargo.toml").trim_end_matches('/').to_owned(),
            dependencies: dependencies(&manifest, &["dependencies", "build-dependencies"]),
            dev_dependencies: dependencies(&manifest, &["dev-dependencies"]),
            manifest,
        }))
    }

    /// The path of its manifest.
    pub(crate) fn manifest_path(&self) -> String {
        if self.dir.is_empty() { "Cargo.toml".to_owned() } else { format!("{}/Cargo.toml", self.dir) }
    }
}

fn is_manifest(path: &str) -> bool {
    path == "Cargo.toml" || path.ends_with("/Cargo.toml")
}

/// The packages that a manifest's tables name, those for some targets only included.
fn dependencies(manifest: &Table, kinds: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables =
        std::iter::once(manifest).chain(targets.into_iter().flat_map(Table::values).filter_map(Value::as_table));
    let mut names: Vec<String> = tables
        .flat_map(|table| kinds.iter().filter_map(|kind| table.get(*kind)?.as_table()))
        .flatten()
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_yields_the_packages_behind_renames_and_targets() {
        let package = Package::parse(
            "crates/a/Cargo.toml",
            "[package]\nname = \"a\"\n[dependencies]\nx = { package = \"y\", version = \"1\" }\nz.workspace = true\n\
             [target.'cfg(unix)'.dependencies]\nu = \"1\"\n[dev-dependencies]\nt = \"1\"\n",
        )
        .unwrap()
        .unwrap();
        assert_eq!(package.dir, "crates/a");
        assert_eq!(package.manifest_path(), "crates/a/Cargo.toml");
        assert_eq!(package.dependencies, ["u", "y", "z"]);
        assert_eq!(package.dev_dependencies, ["t"]);
    }

    #[test]
    fn the_manifest_of_the_workspace_is_no_package() {
        assert!(Package::parse("Cargo.toml", "[workspace]\nmembers = []\n").unwrap().is_none());
    }
}
