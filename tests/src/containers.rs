//! Containers, as `pilvi run` and its sisters have them, and what they leave on the machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::image::{Image, Layout};
use crate::program::{self, Answer, until};
use crate::server::without_settings;
use crate::{Api, Followed, Registry, Server, place};

impl Server {
    /// A command of `pilvi` about this server whose last arguments are somebody else's: what follows an image is a command.
    pub fn pilvi(&self, arguments: &[&str]) -> Command {
        let mut command = without_settings(&place::pilvi());
        command.args(arguments).env("PILVI_DATA_DIR", self.data_dir()).env("HOME", self.folder().path());
        command
    }

    /// Runs such a command to its end.
    #[track_caller]
    pub fn do_pilvi(&self, arguments: &[&str]) -> Answer {
        program::run(&mut self.pilvi(arguments))
    }

    /// Runs such a command with this as its input.
    #[track_caller]
    pub fn pipe_into(&self, arguments: &[&str], input: &str) -> Answer {
        let file = tempfile::NamedTempFile::new().expect("the temporary folder is writable");
        fs::write(file.path(), input).expect("the file is ours");
        let mut words = vec!["-c".to_owned(), r#"input="$1"; shift; exec "$@" < "$input""#.to_owned(), "sh".to_owned()];
        let command = self.pilvi(arguments);
        words.push(file.path().display().to_string());
        words.push(command.get_program().to_string_lossy().into_owned());
        words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
        let mut shell = without_settings(Path::new("/bin/sh"));
        shell.args(words).env("PILVI_DATA_DIR", self.data_dir()).env("HOME", self.folder().path());
        program::run(&mut shell)
    }

    /// Starts such a command, its lines to be seen while it runs.
    #[track_caller]
    pub fn follow_pilvi(&self, arguments: &[&str]) -> Followed {
        Followed::start(self.pilvi(arguments).stdin(Stdio::null()))
    }

    /// Pushes the image of a recipe (`busybox`, `python`) to this server; the name by which it is run.
    #[track_caller]
    pub fn image(&self, recipe: &str) -> String {
        self.push(recipe, &Layout::at(place::image(recipe)).read("latest"))
    }

    /// Pushes an image to a new repository of this server; the name by which it is run.
    #[track_caller]
    pub fn push(&self, repository: &str, image: &Image) -> String {
        Api::new(self, &self.root()).ecr("CreateRepository", &json!({ "repositoryName": repository }));
        Registry::of(self, &self.root()).push(repository, "1", image);
        format!("{}/{repository}:1", self.address())
    }

    /// Whether there is a node that runs containers; one comes by itself wherever root runs the tests.
    #[track_caller]
    pub fn has_node(&self) -> bool {
        if !crate::is_root() {
            return false;
        }
        let ready = until(program::LIMIT, || {
            let nodes = self.command(&["nodes", "--json"]).json();
            nodes["nodes"].as_array()?.iter().any(|node| node["state"] == "ready").then_some(())
        });
        assert!(ready.is_some(), "no node is ready:\n{}", self.log());
        true
    }

    /// What `pilvi ps --all` tells of a container, by its name or id.
    #[track_caller]
    pub fn container(&self, name: &str) -> Option<Value> {
        let told = self.command(&["ps", "--all", "--json"]).json();
        let is = |one: &&Value| one["name"] == name || one["id"].as_str().is_some_and(|id| id.starts_with(name));
        told["workloads"].as_array()?.iter().find(is).cloned()
    }

    /// The process 1 of a container, as this machine numbers it; none while it does not run.
    #[track_caller]
    pub fn process_of(&self, name: &str) -> Option<u32> {
        let pid = self.container(name)?.pointer("/observed/containers/0/state/running/pid")?.as_u64()?;
        u32::try_from(pid).ok()
    }

    /// The process of the node that `pilvi up` started; none while it is started anew.
    #[track_caller]
    pub fn node_process(&self) -> Option<u32> {
        let status: Value = serde_json::from_str(&self.command(&["status", "--format", "json"]).stdout).ok()?;
        u32::try_from(status.pointer("/node/pid")?.as_u64()?).ok()
    }

    /// Waits until a container is as it is wanted; what is told of it then.
    #[track_caller]
    pub fn until_container(&self, name: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let found = until(program::LIMIT, || self.container(name).filter(&is_wanted));
        found.unwrap_or_else(|| {
            let why = self.command(&["why", name]);
            panic!("{name} did not become so:\n{}{}\n{}", why.stdout, why.stderr, self.log())
        })
    }

    /// What its node has left on this machine.
    pub fn leftovers(&self) -> Leftovers {
        Leftovers::of(&self.node_dir())
    }
}

/// What a node has on a machine beside its own process and its images, by kind. What is not there is not in it.
///
/// A node keeps some links and processes ready for what comes next, and makes them anew when it is started anew: of these the
/// number counts, of all else the name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers(pub BTreeMap<&'static str, Vec<String>>);

/// What a node keeps ready some of.
const COUNTED: [&str; 2] = ["links", "processes"];

impl Leftovers {
    /// What the node of a directory has: everything of it is named by its tag.
    pub fn of(node_dir: &Path) -> Self {
        let directory = fs::canonicalize(node_dir).unwrap_or_else(|_| node_dir.to_owned());
        let tag = tag(node_dir);
        let mut found = BTreeMap::new();
        let mut note = |what: &'static str, mut names: Vec<String>| {
            names.sort();
            if !names.is_empty() {
                found.insert(what, names);
            }
        };
        note("cgroups", cgroups(&tag));
        note("processes", processes(node_dir).iter().map(u32::to_string).collect());
        note("links", links(&tag));
        note("rules", rules(&tag));
        note("mounts", mounts(&directory));
        note("workloads", entries(&directory.join("workloads")));
        // Templates of file systems are kept, as images are.
        let disks = ["devices", "images", "mounts", "trash", "trees"];
        let disk = |kind: &str| {
            entries(&directory.join("disks").join(kind)).into_iter().map(move |name| format!("{kind}/{name}")).collect()
        };
        note("disks", disks.map(|kind| -> Vec<String> { disk(kind) }).concat());
        Self(found)
    }

    /// What is here and was not there.
    #[must_use]
    pub fn beyond(&self, before: &Self) -> Self {
        let mut more = BTreeMap::new();
        for (what, names) in &self.0 {
            let known = before.0.get(what).map(Vec::as_slice).unwrap_or_default();
            if COUNTED.contains(what) && names.len() <= known.len() {
                continue;
            }
            let new: Vec<String> = names.iter().filter(|name| !known.contains(name)).cloned().collect();
            if !new.is_empty() {
                more.insert(*what, new);
            }
        }
        Self(more)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The names of a node's bridge and of its table of rules.
pub fn names(node_dir: &Path) -> (String, String) {
    let tag = tag(node_dir);
    (format!("pv-{tag}"), format!("pilvi_{tag}"))
}

/// The names of all tables of rules on this machine.
pub fn tables() -> Vec<String> {
    let told = output("nft", &["list", "tables"]);
    told.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

fn tag(node_dir: &Path) -> String {
    let directory = fs::canonicalize(node_dir).unwrap_or_else(|_| node_dir.to_owned());
    hex::encode(Sha256::digest(directory.as_os_str().as_encoded_bytes()))[..8].to_owned()
}

/// Groups of containers, in whichever hierarchy.
fn cgroups(tag: &str) -> Vec<String> {
    let mut found = Vec::new();
    let own = format!("pilvi-{tag}");
    below(Path::new("/sys/fs/cgroup"), &mut |path| {
        let is_within = path.components().any(|part| part.as_os_str() == own.as_str());
        if is_within && path.file_name().is_some_and(|name| name != own.as_str()) {
            found.push(path.display().to_string());
        }
    });
    found
}

/// The processes of a node's containers, and those that make and keep them.
pub fn processes(node_dir: &Path) -> Vec<u32> {
    let group = format!("/pilvi-{}/", tag(node_dir));
    let is_in_one =
        |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|text| text.contains(&group));
    entries(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok()).filter(is_in_one).collect()
}

/// The process that a process was made by.
pub fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// The host's ends of containers' links, but not the bridge that waits for the next one, nor what is kept in store for it.
fn links(tag: &str) -> Vec<String> {
    let told = output("ip", &["-o", "link", "show", "type", "veth"]);
    let names =
        told.lines().filter_map(|line| line.split(": ").nth(1)).map(|name| name.split('@').next().unwrap_or(name));
    names.filter(|name| name.starts_with(&format!("pv{}", &tag[..7]))).map(str::to_owned).collect()
}

/// Elements of the node's table that name a workload's address.
fn rules(tag: &str) -> Vec<String> {
    let table = output("nft", &["-j", "list", "table", "inet", &format!("pilvi_{tag}")]);
    let Ok(table) = serde_json::from_str::<Value>(&table) else { return Vec::new() };
    let mut found = Vec::new();
    for object in table["nftables"].as_array().into_iter().flatten() {
        for kind in ["set", "map"] {
            let Some(set) = object.get(kind) else { continue };
            let name = set["name"].as_str().unwrap_or_default();
            for element in set["elem"].as_array().into_iter().flatten() {
                found.push(format!("{name}: {element}"));
            }
        }
    }
    found
}

fn mounts(node_dir: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let directory = node_dir.display().to_string();
    table.lines().filter(|line| line.contains(&directory)).map(str::to_owned).collect()
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn below(directory: &Path, look: &mut dyn FnMut(PathBuf)) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(&path, look);
        }
        look(path);
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let mut command = without_settings(Path::new(program));
    command.args(arguments).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    let told = command.output().unwrap_or_else(|error| panic!("cannot start {program}: {error}"));
    String::from_utf8_lossy(&told.stdout).into_owned()
}
