//! One file an operation, and generated files that say so.

use std::collections::BTreeSet;

use super::{Finding, Tree};
use crate::codegen;

/// `services/<name>/src/ops/<operation>.rs` exists for everything that `models/operations.toml` serves.
pub(crate) fn every_served_operation_has_its_file(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (service, operations) in &tree.served {
        let written: BTreeSet<String> = operation_files(tree, service).map(|(_, stem)| flat(stem)).collect();
        for operation in operations.iter().filter(|operation| !written.contains(&flat(operation))) {
            findings.push(Finding::new(
                format!("services/{service}/src/ops"),
                format!("no file for {operation}, which models/operations.toml serves"),
                "write the operation in a file of its name, in snake case",
            ));
        }
    }
    findings
}

/// Every file in `ops` is an operation that is served; what operations share stands beside `ops`.
pub(crate) fn every_operation_file_is_served(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (service, operations) in &tree.served {
        let served: BTreeSet<String> = operations.iter().map(|operation| flat(operation)).collect();
        for (path, _) in operation_files(tree, service).filter(|(_, stem)| !served.contains(&flat(stem))) {
            findings.push(Finding::new(
                path,
                "is not an operation that is served",
                format!("name it under [{service}] in models/operations.toml, or move it beside `ops`"),
            ));
        }
    }
    findings
}

/// The files that codegen writes carry its marker in their first lines.
pub(crate) fn generated_files_say_so(tree: &Tree) -> Vec<Finding> {
    tree.texts()
        .filter(|(path, _)| service_written_by_codegen(path).is_some_and(|name| tree.served.contains_key(name)))
        .filter(|(_, text)| !is_generated(text))
        .map(|(path, _)| Finding::new(path, "does not say that it is generated", "write it by `cargo xtask codegen`"))
        .collect()
}

/// Whether a text carries the marker of generated files near its top.
pub(crate) fn is_generated(text: &str) -> bool {
    text.lines().take(5).any(|line| line.contains(codegen::MARKER))
}

/// The service whose file this is, if codegen writes a file of this path.
fn service_written_by_codegen(path: &str) -> Option<&str> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["services", name, "src", "api.rs"] | ["services", name, "src", "ops", "mod.rs"] => Some(name),
        ["docs", "services", file] => file.strip_suffix(".md"),
        _ => None,
    }
}

/// Path and stem of each file in a service's `ops`, but for the generated list of them.
fn operation_files<'a>(tree: &'a Tree, service: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let folder = format!("services/{service}/src/ops/");
    tree.files.keys().filter_map(move |path| {
        let stem = path.strip_prefix(&folder)?.strip_suffix(".rs")?;
        (stem != "mod" && !stem.contains('/')).then_some((path.as_str(), stem))
    })
}

/// `CreateCluster` and `create_cluster` are the same word, however abbreviations are cut.
fn flat(name: &str) -> String {
    name.replace('_', "").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(operations: &[&str], files: &[(&str, &str)]) -> Tree {
        Tree {
            served: [("ecs".to_owned(), operations.iter().map(|&name| name.to_owned()).collect())].into(),
            files: files.iter().map(|(path, text)| ((*path).to_owned(), Some((*text).to_owned()))).collect(),
            ..Tree::default()
        }
    }

    #[test]
    fn a_served_operation_without_a_file_and_a_file_without_an_operation_are_found() {
        let files = [("services/ecs/src/ops/mod.rs", ""), ("services/ecs/src/ops/list_clusters.rs", "")];
        let tree = tree(&["ListClusters", "CreateCluster"], &files);
        assert!(every_served_operation_has_its_file(&tree)[0].to_string().contains("no file for CreateCluster"));
        assert!(every_operation_file_is_served(&tree).is_empty());

        let tree = self::tree(&[], &files);
        assert_eq!(every_operation_file_is_served(&tree)[0].place, "services/ecs/src/ops/list_clusters.rs");
    }

    #[test]
    fn a_generated_file_without_the_marker_is_found() {
        let marked = format!("//! {}\n", codegen::MARKER);
        let files = [
            ("services/ecs/src/api.rs", marked.as_str()),
            ("services/ecs/src/ops/mod.rs", "//! By hand.\n"),
            ("services/ecs/src/cluster.rs", ""),
        ];
        let found = generated_files_say_so(&tree(&[], &files));
        assert_eq!(found.iter().map(|finding| finding.place.as_str()).collect::<Vec<_>>(), [files[1].0]);
    }
}
