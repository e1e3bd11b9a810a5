//! Images from the command line. Mostly nobody is root here, so nothing is unpacked: what the node does is tried elsewhere.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Up, as_person, ask, root, stdout, sudo, text, wait_for, writable};
use crate::registry::{LOGIN, Registry};

struct Bed {
    temp: tempfile::TempDir,
    up: Up,
    registry: Registry,
}

fn bed() -> Bed {
    let temp = writable();
    let up = Up::start(as_person(), &temp.path().join("data"), &[]);
    Bed { temp, up, registry: Registry::start() }
}

impl Bed {
    fn image(&self) -> String {
        format!("{}/app:v1", self.registry.address)
    }

    /// The program as called by somebody who has logged in at the registry.
    fn logged_in(&self) -> Command {
        let config = json!({ "auths": { self.registry.address.as_str(): { "auth": LOGIN } } });
        std::fs::write(self.temp.path().join("config.json"), config.to_string()).unwrap();
        let mut command = as_person();
        command.env("DOCKER_CONFIG", self.temp.path());
        command
    }

    fn images(&self) -> Vec<Value> {
        let object: Value = serde_json::from_str(&stdout(&self.up.ask(as_person(), &["images", "--json"]))).unwrap();
        object["images"].as_array().unwrap().clone()
    }
}

#[test]
fn an_image_is_pulled_with_what_docker_login_stored_listed_and_removed() {
    let bed = bed();
    let pulled = stdout(&bed.up.ask(bed.logged_in(), &["pull", &bed.image()]));
    assert!(pulled.starts_with(&format!("{}\n  digest  {}\n", bed.image(), bed.registry.manifest)), "{pulled}");
    assert!(pulled.contains("302 kB downloaded; not unpacked"), "{pulled}");
    let images = bed.images();
    assert_eq!((images.len(), &images[0]["manifest"]), (1, &json!(bed.registry.manifest)));
    assert!(images[0]["unpackedBytes"].is_null() && images[0]["since"].is_string(), "{images:?}");
    let table = stdout(&bed.up.ask(as_person(), &["images"]));
    assert!(table.contains(&bed.image()) && table.contains("without root"), "{table}");

    let again = stdout(&bed.up.ask(bed.logged_in(), &["pull", &bed.image()]));
    assert!(again.contains("nothing new to download"), "{again}");
    assert_eq!(bed.registry.asked().len(), 1, "the layer came once");
    let quiet = stdout(&bed.up.ask(bed.logged_in(), &["pull", "--quiet", &bed.image()]));
    assert_eq!(quiet, format!("{}\n", bed.image()));

    assert_eq!(stdout(&bed.up.ask(as_person(), &["image", "rm", &bed.image()])), format!("{}\n", bed.image()));
    assert!(bed.images().is_empty());
    let missing = bed.up.ask(as_person(), &["image", "rm", &bed.image()]);
    assert!(!missing.status.success() && text(&missing).contains("there is no image"), "{}", text(&missing));
    let pruned = stdout(&bed.up.ask(as_person(), &["image", "prune"]));
    assert!(pruned.starts_with("removed 0 images") && pruned.contains("go by themselves"), "{pruned}");
}

#[test]
fn a_registry_that_wants_a_password_gets_it_from_standard_input() {
    let bed = bed();
    let refused = bed.up.ask(as_person(), &["pull", &bed.image()]);
    assert!(!refused.status.success() && text(&refused).contains(&bed.registry.address), "{}", text(&refused));
    let password = bed.temp.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    let mut command = as_person();
    command.stdin(File::open(password).unwrap());
    let pulled = bed.up.ask(command, &["pull", &bed.image(), "--username", "AWS", "--password-stdin"]);
    assert!(stdout(&pulled).contains(&bed.registry.manifest));
}

#[test]
fn a_pull_that_is_interrupted_ends_and_the_next_goes_on_where_it_was() {
    let bed = bed();
    bed.registry.stall_at(Some(100_000));
    let mut command = bed.logged_in();
    command.args(["pull", &bed.image(), "--data-dir"]).arg(&bed.up.dir);
    let mut pull = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let downloads = bed.up.dir.join("downloads");
    wait_for("part of the layer", || (bytes_in(&downloads) == 100_000).then_some(()));
    pull.kill().unwrap();
    pull.wait().unwrap();
    wait_for("an end of the download", || (bed.registry.hung_up() == 1).then_some(()));
    assert_eq!(bytes_in(&downloads), 100_000);
    assert!(bed.images().is_empty());

    bed.registry.stall_at(None);
    let pulled = stdout(&bed.up.ask(bed.logged_in(), &["pull", &bed.image()]));
    assert!(pulled.contains("downloaded"), "{pulled}");
    assert_eq!(bed.registry.asked().last().unwrap().as_deref(), Some("bytes=100000-"));
    assert_eq!((bytes_in(&downloads), bed.images().len()), (0, 1));
    assert!(bed.registry.layer_bytes > 300_000);
}

#[test]
fn what_was_pulled_before_there_was_a_node_is_unpacked_as_soon_as_there_is() {
    if !root() {
        return;
    }
    let mut bed = bed();
    stdout(&bed.up.ask(bed.logged_in(), &["pull", &bed.image()]));
    assert!(bed.images()[0]["unpackedBytes"].is_null());
    bed.up.signal(Signal::TERM);
    let dir = bed.up.dir.clone();
    assert!(bed.up.wait().success());
    bed.up = Up::start(sudo(), &dir, &[]);
    let unpacked = wait_for("unpacked image", || bed.images()[0]["unpackedBytes"].as_u64());
    assert_eq!(unpacked, 300_000);
    // Another node knows nothing of it.
    bed.up.signal(Signal::TERM);
    assert!(bed.up.wait().success());
    bed.up = Up::start(sudo(), &dir, &[]);
    wait_for("unpacked image", || bed.images()[0]["unpackedBytes"].as_u64());
    assert_eq!(bed.registry.asked().len(), 1, "the layer came once");
}

#[test]
fn names_of_the_own_registry_are_asked_of_no_other() {
    let bed = bed();
    let own = bed.up.endpoint.strip_prefix("http://").unwrap();
    for name in [format!("{own}/app"), "000000000000.dkr.ecr.us-east-1.amazonaws.com/app".to_owned()] {
        let missing = bed.up.ask(as_person(), &["pull", &name]);
        let told = text(&missing);
        assert!(!missing.status.success() && told.contains("the registry on this machine has no image"), "{told}");
    }
}

#[test]
fn what_names_no_image_and_what_does_not_run_are_told() {
    let temp = writable();
    for arguments in [&["images"][..], &["pull", "busybox"], &["image", "prune"], &["image", "rm", "busybox"]] {
        let output = ask(as_person(), &temp.path().join("data"), arguments);
        assert!(!output.status.success() && text(&output).contains("`pilvi up`"), "{}", text(&output));
    }
    let wrong = ask(as_person(), temp.path(), &["pull", "not an image"]);
    assert!(!wrong.status.success() && text(&wrong).contains("names no image"), "{}", text(&wrong));
}

fn bytes_in(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len())).sum()
}
