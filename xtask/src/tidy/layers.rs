//! Who may depend on whom: ARCHITECTURE.md's layers.

use std::collections::BTreeMap;

use super::{Finding, Package, Tree};

/// The crates under `crates/`, from the ground up. A crate depends on those in lower rows only.
const ROWS: [&[(&str, Side)]; 4] = [
    &[("base", Side::Both)],
    &[("workload", Side::Both), ("blobs", Side::Both), ("policy", Side::Control), ("segments", Side::Control)],
    &[
        ("wire", Side::Control),
        ("store", Side::Both),
        ("scheduler", Side::Control),
        ("images", Side::Node),
        ("network", Side::Node),
        ("sandbox", Side::Node),
    ],
    &[("platform", Side::Control), ("node", Side::Node)],
];

/// The two halves of the house, which meet in the workload type only: the node knows no word of AWS or Kubernetes, and
/// nothing that answers requests starts a container by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Control,
    Node,
    Both,
}

impl Side {
    fn meets(self, other: Self) -> bool {
        self == other || other == Self::Both
    }
}

/// Where a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Crate {
        row: usize,
        side: Side,
    },
    Service,
    App,
    /// Fakes and oracles for tests.
    Testkit,
    /// End-to-end tests, benchmarks, fuzz targets, this program: used by nobody.
    Tool,
}

/// Every crate depends on lower layers only, services never on each other, and nothing but tests on the testkit.
pub(crate) fn crates_depend_downwards_only(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut places = BTreeMap::new();
    for package in &tree.packages {
        match place(package) {
            Some(place) => drop(places.insert(package.name.as_str(), place)),
            None => findings.push(Finding::new(
                package.manifest_path(),
                format!("`{}` stands in no layer", package.name),
                "give it a row in xtask/src/tidy/layers.rs, or a folder that has one",
            )),
        }
    }
    for package in &tree.packages {
        let Some(&from) = places.get(package.name.as_str()) else { continue };
        let built_in =
            package.dependencies.iter().filter_map(|name| Some((name, reason(from, *places.get(name.as_str())?)?)));
        let tested = package.dev_dependencies.iter().filter_map(|name| {
            let to = *places.get(name.as_str())?;
            (from == Place::Service && to == Place::Service && *name != package.name).then_some((name, SERVICES))
        });
        findings.extend(built_in.chain(tested).map(|(name, (problem, remedy))| {
            Finding::new(package.manifest_path(), format!("`{}` depends on `{name}`, {problem}", package.name), remedy)
        }));
    }
    findings
}

type Reason = (&'static str, &'static str);

const SERVICES: Reason = (
    "but services never import each other",
    "let them meet through records in the store, events, or a port that the binary wires",
);

/// Why `from` may not be built on `to`; `None` when it may.
fn reason(from: Place, to: Place) -> Option<Reason> {
    use Place::{App, Crate, Service, Testkit, Tool};
    const UPWARDS: Reason = ("which is not below it", "turn the dependency round, or move what is shared further down");
    match (from, to) {
        (_, Tool) => Some(("which is a tool and not a library", "move what is shared into a crate")),
        (Tool | Testkit, App) | (App, App) => Some(("which is a program", "move what is shared into a crate")),
        (Tool, _) => None,
        (_, Testkit) => Some(("which is for tests", "move it to [dev-dependencies]")),
        (Testkit, Service) => Some(("but the testkit is for every service", "test the service in its own crate")),
        (Service, Service) => Some(SERVICES),
        (Crate { .. }, Service) | (Crate { .. } | Service, App) => Some(UPWARDS),
        (Crate { row: from, .. }, Crate { row: to, .. }) if to >= from => Some(UPWARDS),
        (Crate { side: from, .. }, Crate { side: to, .. }) => sides(from, to),
        (Service, Crate { side, .. }) => sides(Side::Control, side),
        (App | Testkit, Service | Crate { .. }) => None,
    }
}

fn sides(from: Side, to: Side) -> Option<Reason> {
    const SIDES: Reason =
        ("which is of the other side of the house", "let the control plane and the node meet in `workload` only");
    (!from.meets(to)).then_some(SIDES)
}

fn place(package: &Package) -> Option<Place> {
    let Some((folder, name)) = package.dir.split_once('/') else {
        return ["xtask", "tests", "benches", "fuzz"].contains(&package.dir.as_str()).then_some(Place::Tool);
    };
    match folder {
        "crates" if name == "testkit" => Some(Place::Testkit),
        "crates" => ROWS.iter().enumerate().find_map(|(row, crates)| {
            let (_, side) = crates.iter().find(|(known, _)| *known == name)?;
            Some(Place::Crate { row, side: *side })
        }),
        "services" => Some(Place::Service),
        "apps" => Some(Place::App),
        "tests" | "samples" => Some(Place::Tool),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(packages: &[(&str, &[&str], &[&str])]) -> Vec<String> {
        let packages = packages.iter().map(|(dir, dependencies, dev)| Package {
            name: dir.rsplit('/').next().unwrap().to_owned(),
            dir: (*dir).to_owned(),
            dependencies: dependencies.iter().map(|&name| name.to_owned()).collect(),
            dev_dependencies: dev.iter().map(|&name| name.to_owned()).collect(),
            ..Package::default()
        });
        let tree = Tree { packages: packages.collect(), ..Tree::default() };
        crates_depend_downwards_only(&tree).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_house_as_drawn_has_no_finding() {
        let house: &[(&str, &[&str], &[&str])] = &[
            ("crates/base", &["serde"], &["testkit"]),
            ("crates/blobs", &["base"], &[]),
            ("crates/workload", &["base"], &[]),
            ("crates/wire", &["base"], &[]),
            ("crates/store", &["base", "blobs"], &["testkit"]),
            ("crates/platform", &["base", "store", "wire"], &[]),
            ("crates/sandbox", &["workload"], &[]),
            ("crates/node", &["sandbox", "workload", "store"], &[]),
            ("crates/testkit", &["base", "store", "node"], &[]),
            ("services/ecs", &["platform", "store", "wire", "workload"], &["testkit"]),
            ("services/iam", &["platform"], &[]),
            ("apps/pilvi", &["ecs", "iam", "node", "platform"], &[]),
            ("tests", &["testkit", "store"], &[]),
            ("xtask", &["wire"], &[]),
        ];
        assert_eq!(findings(house), [""; 0]);
    }

    #[test]
    fn a_crate_does_not_depend_on_its_own_row_or_on_one_above() {
        let found = findings(&[
            ("crates/wire", &["store", "platform"], &[]),
            ("crates/store", &[], &[]),
            ("crates/platform", &["ecs"], &[]),
            ("services/ecs", &[], &[]),
        ]);
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(found[0].starts_with("crates/wire/Cargo.toml: `wire` depends on `store`, which is not below it"));
    }

    #[test]
    fn services_do_not_depend_on_each_other_even_in_tests() {
        let services: &[(&str, &[&str], &[&str])] = &[("services/ecs", &["iam"], &[]), ("services/iam", &[], &["ecs"])];
        assert!(findings(services).iter().all(|found| found.contains("never import each other")));
        assert_eq!(findings(services).len(), 2);
    }

    #[test]
    fn the_node_and_the_control_plane_meet_in_the_workload_only() {
        let found = findings(&[
            ("crates/node", &["wire"], &[]),
            ("crates/platform", &["sandbox"], &[]),
            ("services/ecs", &["node"], &[]),
            ("crates/wire", &[], &[]),
            ("crates/sandbox", &[], &[]),
        ]);
        assert_eq!(found.iter().filter(|found| found.contains("other side")).count(), 3, "{found:#?}");
    }

    #[test]
    fn the_testkit_and_tools_are_not_built_into_the_product() {
        let found = findings(&[
            ("crates/store", &["testkit", "benches"], &[]),
            ("crates/testkit", &[], &[]),
            ("benches", &["pilvi"], &[]),
            ("apps/pilvi", &[], &[]),
        ]);
        assert_eq!(found.len(), 3, "{found:#?}");
    }

    #[test]
    fn a_new_crate_needs_a_layer() {
        assert!(findings(&[("crates/mystery", &[], &[])])[0].contains("no layer"));
    }
}
