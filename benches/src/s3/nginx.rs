//! nginx, which serves the same bytes from files: what a program that does nothing else takes to send them.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::daemon::Daemon;
use crate::oci::connection::Connection;

/// As tables show it, and the program.
pub(super) const NAME: &str = "nginx";

/// A running nginx.
#[derive(Debug)]
pub(super) struct Nginx {
    pub(super) daemon: Daemon,
    pub(super) address: SocketAddr,
    files: PathBuf,
}

/// Its version, which it tells on its standard error.
pub(super) fn version() -> Result<String> {
    let output = Command::new(NAME).arg("-v").output().with_context(|| format!("cannot start {NAME}"))?;
    Ok(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

impl Nginx {
    /// Starts it in `folder`, which must not exist.
    pub(super) fn start(folder: &Path) -> Result<Self> {
        let files = folder.join("files");
        fs::create_dir_all(&files).with_context(|| format!("making {}", files.display()))?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let config = folder.join("nginx.conf");
        fs::write(&config, configuration(folder, address)?)?;
        fs::write(files.join("hello"), "hello")?;
        let mut command = Command::new(NAME);
        command.arg("-p").arg(folder).arg("-c").arg(config).arg("-e").arg(folder.join("error.log"));
        let mut daemon = Daemon::start(NAME, command, folder)?;
        let hello = request(address, "hello");
        let answers = || Connection::open(address).ok()?.exchange(&hello, &[]).ok();
        let answer = daemon.until(answers).with_context(|| daemon.last_words())?;
        ensure!(answer.head.status == 200, "{NAME} answers HTTP {} to its first request", answer.head.status);
        Ok(Self { daemon, address, files })
    }

    /// A file that it serves from now on.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        fs::write(self.files.join(name), bytes).with_context(|| format!("writing {name} for {NAME}"))
    }

    /// GET of a file.
    pub(super) fn get(&self, name: &str) -> String {
        request(self.address, name)
    }
}

fn request(address: SocketAddr, name: &str) -> String {
    format!("GET /{name} HTTP/1.1\r\nhost: {address}\r\n\r\n")
}

/// What Debian's own configuration says, but for the place, the port, what would need other folders, and what would cost it
/// time: a log of each request, and new connections. As root its workers stay root, since the folder may be root's alone.
fn configuration(folder: &Path, address: SocketAddr) -> Result<String> {
    let folder = folder.to_str().context("a folder whose name is no text")?;
    ensure!(!folder.contains(['"', '\\', '$']), "{folder} cannot stand in a configuration of {NAME}");
    let user = if rustix::process::getuid().is_root() { "user root;\n" } else { "" };
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("  {kind}_temp_path \"{folder}/{kind}\";\n"))
        .concat();
    Ok(format!(
        "{user}daemon off;\nworker_processes auto;\npid \"{folder}/pid\";\nevents {{ worker_connections 768; }}\n\
         http {{\n  sendfile on;\n  tcp_nopush on;\n  access_log off;\n  keepalive_requests 1000000;\n{temporary}  \
         server {{ listen {address}; location / {{ root \"{folder}/files\"; }} }}\n}}\n"
    ))
}
