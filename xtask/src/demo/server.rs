//! `pilvi up` as a child process: started, watched, killed, stopped.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::process;

/// From start, or from a kill, to ready. Far above the promise: the demo shows the time, the tests judge it.
const READY_LIMIT: Duration = Duration::from_secs(20);
/// From SIGTERM to the end.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// One look at the ready address.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// `pilvi up` on a free port. Dropping it kills it with everything below it.
#[derive(Debug)]
pub(super) struct Server {
    pilvi: PathBuf,
    data: PathBuf,
    node: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    up: Option<Child>,
}

impl Server {
    /// Picks the port; nothing runs yet.
    pub(super) fn new(pilvi: &Path, folder: &Path) -> Result<Self> {
        // Given back at once: the server is restarted on the same port, so it cannot choose for itself.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let (data, node, log) = (folder.join("data"), folder.join("node"), folder.join("up.log"));
        Ok(Self { pilvi: pilvi.to_owned(), data, node, log, address, up: None })
    }

    /// The address that clients of the registry give, as they write it.
    pub(super) fn host(&self) -> String {
        self.address.to_string()
    }

    pub(super) fn data_dir(&self) -> String {
        self.data.display().to_string()
    }

    /// What follows `pilvi` on its command line.
    pub(super) fn arguments(&self) -> Vec<String> {
        let node = self.node.display().to_string();
        let arguments = ["up", "--data-dir", &self.data_dir(), "--node-dir", &node, "--listen", &self.host()];
        arguments.map(str::to_owned).to_vec()
    }

    /// Starts it; the time until it was ready.
    pub(super) fn start(&mut self) -> Result<Duration> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut up = bound_to_this_process(&self.pilvi);
        up.args(self.arguments()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let begun = Instant::now();
        self.up = Some(up.spawn().with_context(|| format!("starting {}", self.pilvi.display()))?);
        self.wait_until_ready(begun)
    }

    /// The process id of `pilvi up`.
    pub(super) fn pid(&self) -> Result<u32> {
        self.up.as_ref().map(Child::id).context("the server was not started")
    }

    /// The process that holds the listening socket: a child of `pilvi up`, or `pilvi up` itself.
    pub(super) fn answering_process(&self) -> Result<u32> {
        let up = self.pid()?;
        let table = fs::read_to_string("/proc/net/tcp").context("reading the listening sockets")?;
        let inode = listening_inode(&table, self.address.port()).context("nobody listens on the server's port")?;
        let socket = PathBuf::from(format!("socket:[{inode}]"));
        // A supervisor that hands its socket down holds it too, so its children are asked first.
        let mut candidates = process::descendants(up);
        candidates.reverse();
        candidates.push(up);
        candidates
            .into_iter()
            .find(|pid| holds(*pid, &socket))
            .context("none of the server's processes holds its listening socket")
    }

    /// Kills `pid` at once. The time until requests were answered again, and whether `pilvi up` saw to it by itself;
    /// otherwise it is started anew.
    pub(super) fn kill(&mut self, pid: u32) -> Result<(Duration, bool)> {
        let is_up = self.pid()? == pid;
        let begun = Instant::now();
        process::signal(pid, "KILL")?;
        while process::is_alive(pid) {
            ensure!(begun.elapsed() < STOP_LIMIT, "process {pid} survived SIGKILL");
            thread::sleep(LOOK_EVERY);
        }
        if is_up {
            if let Some(mut up) = self.up.take() {
                up.wait()?;
            }
            return Ok((self.start()?, false));
        }
        Ok((self.wait_until_ready(begun)?, true))
    }

    /// SIGTERM; the time until everything had ended. Fails when it takes too long, leaves something running, or does
    /// not end well.
    pub(super) fn stop(&mut self) -> Result<Duration> {
        let below = process::descendants(self.pid()?);
        let begun = Instant::now();
        process::signal(self.pid()?, "TERM")?;
        let mut up = self.up.take().context("the server was not started")?;
        let status = process::wait(&mut up, STOP_LIMIT).context("`pilvi up` after SIGTERM")?;
        let time = begun.elapsed();
        ensure!(status.success(), "`pilvi up` ended with {status}");
        if let Some(pid) = below.into_iter().find(|pid| process::is_alive(*pid)) {
            process::signal(pid, "KILL")?;
            bail!("`pilvi up` ended and left process {pid} behind");
        }
        Ok(time)
    }

    /// What it wrote so far.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn wait_until_ready(&mut self, begun: Instant) -> Result<Duration> {
        while !is_ready(self.address) {
            if let Some(status) = self.up.as_mut().and_then(|up| up.try_wait().transpose()).transpose()? {
                bail!("`pilvi up` ended by itself with {status}");
            }
            ensure!(begun.elapsed() < READY_LIMIT, "the server was not ready after {} s", READY_LIMIT.as_secs());
            thread::sleep(LOOK_EVERY);
        }
        Ok(begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(up) = &mut self.up {
            process::kill_tree(up);
        }
    }
}

/// A program that gets SIGTERM when this process ends, however it ends. `setpriv` arranges that and becomes the program;
/// it is part of every Debian. Where it is missing, a demo that is killed leaves its server behind.
fn bound_to_this_process(program: &Path) -> Command {
    const SETPRIV: &str = "/usr/bin/setpriv";
    if !Path::new(SETPRIV).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV);
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

/// Whether the ready address answers 200.
fn is_ready(address: SocketAddr) -> bool {
    let look = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, LOOK_LIMIT)?;
        stream.set_read_timeout(Some(LOOK_LIMIT))?;
        stream.set_write_timeout(Some(LOOK_LIMIT))?;
        write!(stream, "GET /_pilvi/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(&status == b"HTTP/1.1 200")
    };
    look().unwrap_or(false)
}

fn holds(pid: u32, socket: &Path) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|target| target == socket))
}

/// The inode of the socket that listens on a port, from `/proc/net/tcp` (proc_pid_net(5)): the local address is the
/// second column with the port in hexadecimal, `0A` in the fourth is LISTEN, the inode is the tenth.
fn listening_inode(table: &str, port: u16) -> Option<u64> {
    let ending = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let listens = columns.get(1)?.ends_with(&ending) && *columns.get(3)? == "0A";
        listens.then(|| columns.get(9)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_listening_socket_is_told_from_a_connection_on_the_same_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:11D6 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 77 1 0 20 4 30 10 -1\n\
             1: 0100007F:11D6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 42 1 0 100 0 0 10 0\n";
        assert_eq!(listening_inode(table, 4566), Some(42));
        assert_eq!(listening_inode(table, 4567), None);
    }

    #[test]
    fn this_process_holds_the_socket_on_which_it_listens() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let inode = listening_inode(&table, listener.local_addr().unwrap().port()).unwrap();
        assert!(holds(std::process::id(), Path::new(&format!("socket:[{inode}]"))));
        assert!(!is_ready("127.0.0.1:1".parse().unwrap()));
    }
}
