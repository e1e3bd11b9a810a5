//! Attacks on the program that makes containers.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use sha2::{Digest, Sha256};
use tests::image::Entry;
use tests::program::{LIMIT, until};

use super::{hostile, run};
use crate::containers::Stage;

const OVERWRITE: &str = include_str!("attackers/overwrite.py");

/// What is executed where containers are made: the program on the disk, and what the processes that make them are executed from.
fn programs(stage: &Stage) -> Vec<(PathBuf, String)> {
    let makers = tests::containers::processes(&stage.server.node_dir()).into_iter().filter(|pid| {
        fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("pilvi-launcher"))
    });
    let node = stage.server.node_process();
    let paths = makers.chain(node).map(|pid| format!("/proc/{pid}/exe").into()).chain([tests::pilvi()]);
    paths
        .map(|path: PathBuf| {
            let content = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, hex::encode(Sha256::digest(content)))
        })
        .collect()
}

#[test]
fn cve_2019_5736_what_makes_containers_is_not_overwritten_by_what_runs_in_them() {
    let Some(stage) = Stage::shared() else { return };
    let before = programs(&stage);
    assert!(before.len() >= 3, "{before:?}");
    // The program is executed in the place of what the image names.
    let entry = Entry::program("bin/entry", "#!/proc/self/exe\n");
    let image = hostile(&stage, "cve-2019-5736", &[entry], &json!({ "Entrypoint": ["/bin/entry"] }));
    run(&stage, &[], &image, &["--help"]);
    // Whatever enters a container is held by one that waits for it, and is written to once it has ended.
    let attacker = stage.start_image(stage.python(), "overwriter", &[], &["python3", "-c", OVERWRITE]);
    let said = || stage.pilvi(&["logs", "overwriter"]).success();
    assert!(until(LIMIT, || said().contains("ready").then_some(())).is_some());
    for _ in 0..20 {
        attacker.exec(&["true"]);
        stage.pilvi(&["exec", "overwriter", "/proc/self/exe", "--version"]);
    }
    attacker.exec(&["touch", "/tmp/enough"]);
    assert!(until(LIMIT, || said().contains("tried").then_some(())).is_some(), "{}", said());
    assert!(!said().contains("WRITABLE"), "{}", said());
    drop(attacker);
    assert_eq!(programs(&stage), before);
    assert_eq!(stage.sh(&[], "echo well"), "well\n");
}
