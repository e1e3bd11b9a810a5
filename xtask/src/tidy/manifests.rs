//! What the manifests must say.

use super::{Finding, Tree};

/// No package of ours runs code at build time: generated code is committed.
pub(crate) fn no_build_script(tree: &Tree) -> Vec<Finding> {
    const REMEDY: &str = "generate the code by `cargo xtask codegen` and commit it";
    let mut findings = Vec::new();
    for package in &tree.packages {
        let script = format!("{}/build.rs", package.dir);
        if tree.files.contains_key(script.trim_start_matches('/')) {
            findings.push(Finding::new(script, "is a build script", REMEDY));
        }
        if package.manifest.get("package").and_then(|table| table.get("build")).is_some() {
            findings.push(Finding::new(package.manifest_path(), "names a build script", REMEDY));
        }
    }
    findings
}

/// Every member of the workspace takes its lints, among them the ban of unsafe code.
pub(crate) fn every_package_takes_the_workspace_lints(tree: &Tree) -> Vec<Finding> {
    tree.packages
        .iter()
        .filter(|package| !package.manifest.contains_key("workspace"))
        .filter(|package| package.manifest.get("lints").is_none())
        .map(|package| {
            Finding::new(
                package.manifest_path(),
                "does not say which lints hold",
                "add `[lints]` with `workspace = true`, or say there why this package differs",
            )
        })
        .collect()
}

/// Each dependency in the workspace's manifest, or the unbroken group that it stands in, follows a comment that says
/// what it is for. The workspace's own crates need none.
pub(crate) fn every_dependency_has_its_reason(tree: &Tree) -> Vec<Finding> {
    let text = tree.text("Cargo.toml").unwrap_or_default();
    unexplained(text)
        .into_iter()
        .map(|(line, name)| {
            Finding::new(
                format!("Cargo.toml:{line}"),
                format!("the dependency `{name}` has no reason"),
                "say in a comment above it what it is for",
            )
        })
        .collect()
}

/// Line number and name of each dependency without a comment.
fn unexplained(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let (mut inside, mut explained) = (false, false);
    for (index, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[workspace.dependencies]";
            explained = false;
        } else if line.is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if let (true, Some((name, value))) = (inside, line.split_once('=')) {
            let ours = value.contains("path =");
            if !ours && !explained && !value.contains('#') {
                found.push((index + 1, name.trim().to_owned()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Package;

    #[test]
    fn a_dependency_needs_a_reason_above_it_or_above_its_group() {
        let manifest = "[workspace.dependencies]\nours = { path = \"crates/ours\" }\n\n# A runtime.\ntokio = \"1\"\n\
                        hyper = \"1\"\n\nbare = \"1\"\nbeside = \"1\" # why\n[profile.dev]\ndebug = 1\n";
        assert_eq!(unexplained(manifest), [(8, "bare".to_owned())]);
    }

    fn tree(manifest: &str, files: &[&str]) -> Tree {
        Tree {
            packages: vec![Package::parse("crates/a/Cargo.toml", manifest).unwrap().unwrap()],
            files: files.iter().map(|path| ((*path).to_owned(), Some(String::new()))).collect(),
            ..Tree::default()
        }
    }

    #[test]
    fn a_build_script_is_found_by_its_file_and_by_its_key() {
        assert_eq!(no_build_script(&tree("[package]\nname = \"a\"\n", &["crates/a/build.rs"])).len(), 1);
        assert_eq!(no_build_script(&tree("[package]\nname = \"a\"\nbuild = \"make.rs\"\n", &[])).len(), 1);
        assert!(no_build_script(&tree("[package]\nname = \"a\"\n", &["crates/a/src/build.rs"])).is_empty());
    }

    #[test]
    fn a_package_without_lints_is_found() {
        assert_eq!(every_package_takes_the_workspace_lints(&tree("[package]\nname = \"a\"\n", &[])).len(), 1);
        let with = tree("[package]\nname = \"a\"\n[lints]\nworkspace = true\n", &[]);
        assert!(every_package_takes_the_workspace_lints(&with).is_empty());
    }
}
