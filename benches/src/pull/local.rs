//! Pilvi alone: its node's layers as a root, and pulls of what was pushed to its own registry.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use images::XattrNamespace;
use images::overlay::Lower;
use serde::Serialize;
use serde_json::Value;

use super::command;
use super::session::{Session, Who, count};
use crate::oci::registry::{Registry, create_repository};
use crate::oci::tree::{Content, Form, Tree, Which};
use crate::peer::Server;
use crate::setting::Setting;
use crate::stats::{Latency, Samples, median};

const REPOSITORY: &str = "bench/app";
/// How often a prepared image is pulled, in each round.
const PULLS: usize = 10;
/// How often a root is mounted, in each round.
const MOUNTS: usize = 50;
/// From the last byte of a push until the node has unpacked it.
const PREPARED_LIMIT: Duration = Duration::from_secs(120);
/// Between two looks whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// From Pilvi's own registry: medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Local {
    /// The push.
    pub(super) push_s: f64,
    /// From its end until the node's list has the image, ready.
    pub(super) prepared_s: f64,
    /// `pilvi pull` of the image that is ready.
    pub(super) prepared_pull: Latency,
    /// An image with one new layer: from the push's beginning to the end of a pull.
    pub(super) second_s: f64,
    /// An overlay of the six layers.
    pub(super) mount: Latency,
}

/// One round.
struct Round {
    push_s: f64,
    prepared_s: f64,
    second_s: f64,
    pulls: Vec<Duration>,
    mounts: Vec<Duration>,
}

/// Pushes, waits, pulls: each round in a server of its own.
pub(super) fn measure(setting: &Setting, tree: &Tree, rounds: usize) -> Result<Local> {
    let rounds: Vec<Round> = (0..rounds).map(|_| round(setting, tree)).collect::<Result<_>>()?;
    let middle = |of: fn(&Round) -> f64| median(&rounds.iter().map(of).collect::<Vec<_>>()).context("no round");
    let latency = |of: fn(&Round) -> &Vec<Duration>| -> Result<Latency> {
        let all = rounds.iter().flat_map(|round| of(round).iter().copied());
        Ok(Samples::of(all).context("nothing was measured")?.latency())
    };
    Ok(Local {
        push_s: middle(|round| round.push_s)?,
        prepared_s: middle(|round| round.prepared_s)?,
        second_s: middle(|round| round.second_s)?,
        prepared_pull: latency(|round| &round.pulls)?,
        mount: latency(|round| &round.mounts)?,
    })
}

fn round(setting: &Setting, tree: &Tree) -> Result<Round> {
    let (first, second) = (tree.image(Which::First, Form::Gzip)?, tree.image(Which::Second, Form::Gzip)?);
    let mut session = Session::begin(setting, Who::Pilvi)?;
    let server = session.server().context("a session of Pilvi has a server")?;
    let caller = server.caller()?;
    create_repository(&caller, REPOSITORY)?;
    let registry = Registry::of_pilvi(&caller)?;
    let host = format!("{}.dkr.ecr.{}.amazonaws.com", base::AccountId::DEFAULT, caller.region);
    let reference = |tag: &str| format!("{host}/{REPOSITORY}:{tag}");
    rustix::fs::sync();
    let begun = Instant::now();
    registry.push(REPOSITORY, "first", &first)?;
    let push_s = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    wait_until_prepared(server, &reference("first")).with_context(|| server.last_words())?;
    let prepared_s = begun.elapsed().as_secs_f64();
    let mut pulls = Vec::new();
    for _ in 0..PULLS {
        pulls.push(Duration::from_secs_f64(session.pull(&reference("first"))?.seconds));
    }
    let begun = Instant::now();
    registry.push(REPOSITORY, "second", &second)?;
    session.pull(&reference("second"))?;
    let second_s = begun.elapsed().as_secs_f64();
    let node = node(session.folder());
    let diff_ids = tree.diff_ids(Which::First);
    let mut mounts = Vec::new();
    for _ in 0..MOUNTS {
        let begun = Instant::now();
        let root = root(&node, &diff_ids)?;
        mounts.push(begun.elapsed());
        drop(root);
    }
    session.end()?;
    Ok(Round { push_s, prepared_s, second_s, pulls, mounts })
}

/// What a root of these layers holds.
pub(super) fn content(folder: &Path, diff_ids: &[String]) -> Result<Content> {
    let root = root(&node(folder), diff_ids)?;
    count(format!("/proc/self/fd/{}/", root.as_raw_fd()).as_ref())
}

/// An overlay of a node's layers, as the node itself mounts them, attached nowhere.
fn root(node: &Path, diff_ids: &[String]) -> Result<OwnedFd> {
    let open = |path: &Path| -> Result<OwnedFd> {
        Ok(File::open(path).with_context(|| format!("opening {}", path.display()))?.into())
    };
    let layer = |diff_id: &String| open(&node.join("layers").join(diff_id.replace(':', "/")).join("root"));
    let layers = diff_ids.iter().rev().map(layer).collect::<Result<_>>()?;
    let empty = [open(&node.join("empty"))?, open(&node.join("empty-too"))?];
    Ok(Lower { layers, empty, namespace: XattrNamespace::Trusted }.mount(None)?)
}

/// The node's image store in a session's folder.
fn node(folder: &Path) -> std::path::PathBuf {
    folder.join("node").join("images")
}

fn wait_until_prepared(server: &Server, reference: &str) -> Result<()> {
    let begun = Instant::now();
    loop {
        let mut images: Command = server.command("images");
        images.arg("--json");
        let list: Value = serde_json::from_str(&command::printed(images)?).context("what `pilvi images` prints")?;
        if list.to_string().contains(reference) {
            return Ok(());
        }
        let waited = begun.elapsed();
        ensure!(waited < PREPARED_LIMIT, "{reference} is not prepared after {} s: {list}", waited.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
}
