//! What `pilvi up` tells: lines on standard output for a person, log records for a program.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use tracing::{info, warn};

use crate::config::LogFormat;
use crate::data_dir::DataDir;
use crate::owner::Owner;
use crate::settings::Settings;
use crate::terminal::{Shell, say};

/// Tells what happens.
#[derive(Debug)]
pub(super) struct Announcer {
    format: LogFormat,
    place: String,
    line_to_paste: String,
}

impl Announcer {
    /// `named`: whether the data directory is another than the default, so that `pilvi env` must be told of it.
    pub(super) fn new(settings: &Settings, dir: &DataDir, named: bool) -> Self {
        let shell = Shell::of_caller();
        let data_dir =
            if named { format!(" --data-dir {}", shell.quote(&dir.path().to_string_lossy())) } else { String::new() };
        Self {
            format: settings.log.format,
            place: format!("region {}, account {}", settings.region, settings.account),
            line_to_paste: shell.source(&format!("pilvi env{data_dir}")),
        }
    }

    pub(super) fn data_dir(&self, dir: &DataDir, owner: &Owner, made: bool) {
        let (path, version) = (dir.path().display(), env!("CARGO_PKG_VERSION"));
        match self.format {
            LogFormat::Json => info!(version, data_dir = %path, owner = owner.name, made, "starting"),
            LogFormat::Text => {
                let new = if made { ", new" } else { "" };
                say(format!("Pilvi {version}"));
                say(format!("  data      {path} ({}'s{new})", owner.name));
            }
        }
    }

    /// `node`: where the node keeps what it unpacks, if there is one.
    pub(super) fn ready(&self, endpoint: &str, pid: u32, took: Duration, restarts: u64, node: Option<&Path>) {
        let took_ms = took.as_secs_f64() * 1e3;
        if self.format == LogFormat::Json || restarts > 0 {
            let node = node.map(|directory| directory.display().to_string());
            info!(endpoint, pid, took_ms, restarts, node, "the server is ready");
            return;
        }
        say(format!("  server    process {pid}, ready after {took_ms:.0} ms"));
        match node {
            Some(directory) => say(format!("  node      unpacks images in {}", directory.display())),
            None => say("  node      none: only root can unpack images (sudo pilvi up)"),
        }
        say(format!("  endpoint  {endpoint}"));
        say(format!("            {}", self.place));
        say(format!("\nUse it from another terminal:\n\n  {}\n\nCtrl-C stops it.", self.line_to_paste));
    }

    pub(super) fn still_starting(&self, since: Duration) {
        info!("the server is still starting, after {} s", since.as_secs());
    }

    /// `what` is it that ended: "server" or "node".
    pub(super) fn restarting(&self, what: &str, end: &dyn Display, pause: Duration) {
        warn!("the {what} {end}; starting it again in {} ms", pause.as_millis());
    }

    pub(super) fn node_ready(&self, pid: u32, took: Duration, restarts: u64) {
        let took_ms = took.as_secs_f64() * 1e3;
        if self.format == LogFormat::Json || restarts > 0 {
            info!(pid, took_ms, restarts, "the node is ready");
        }
    }

    pub(super) fn stopping(&self, signal: &str) {
        match self.format {
            LogFormat::Json => info!(signal, "stopping"),
            LogFormat::Text => say(format!("\n{signal}: finishing the requests under way")),
        }
    }

    pub(super) fn stopped(&self, drained: bool) {
        if !drained {
            warn!("the server did not end in time and was killed; nothing acknowledged is lost");
        }
        match self.format {
            LogFormat::Json => info!("stopped"),
            LogFormat::Text => say("stopped"),
        }
    }
}
