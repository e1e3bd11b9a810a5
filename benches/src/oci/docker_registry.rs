//! The registry that others are measured beside: Debian's `docker-registry`, with its files in a folder of ours.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::connection::Connection;
use super::registry::Registry;
use crate::daemon::Daemon;
use crate::setting::first_line;

/// As tables show it.
pub(crate) const NAME: &str = "docker-registry";

/// A running registry.
#[derive(Debug)]
pub(crate) struct DockerRegistry {
    pub(crate) daemon: Daemon,
    pub(crate) registry: Registry,
}

/// Its version, as it tells it.
pub(crate) fn version() -> Result<String> {
    first_line(NAME.as_ref(), &["--version"])
}

impl DockerRegistry {
    /// Starts it in `folder`, which must not exist.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.join("config.yml");
        fs::write(&config, configuration(folder, address)?)?;
        let mut command = Command::new(NAME);
        command.arg("serve").arg(config);
        let mut daemon = Daemon::start(NAME, command, folder)?;
        let registry = Registry::open_to_all(address);
        let hello = registry.head("GET", "/v2/", "");
        let answers = || Connection::open(address).ok()?.exchange(&hello, &[]).ok();
        let answer = daemon.until(answers).with_context(|| daemon.last_words())?;
        match answer.head.status {
            200 => Ok(Self { daemon, registry }),
            status => bail!("{NAME} answers HTTP {status} to its first request"),
        }
    }
}

/// Debian's own configuration but for the place and the port, and without what would cost it time: a log of each request,
/// and passwords.
fn configuration(folder: &Path, address: SocketAddr) -> Result<String> {
    let data = folder.join("data");
    // JSON's strings are YAML's, too.
    let data = serde_json::to_string(data.to_str().context("a folder whose name is no text")?)?;
    Ok(format!(
        "version: 0.1\n\
         log:\n  level: error\n  accesslog:\n    disabled: true\n\
         storage:\n  cache:\n    blobdescriptor: inmemory\n  filesystem:\n    rootdirectory: {data}\n  \
         delete:\n    enabled: true\n\
         http:\n  addr: \"{address}\"\n  headers:\n    X-Content-Type-Options: [nosniff]\n"
    ))
}
