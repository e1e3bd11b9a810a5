//! Health checks.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use network::Network;
use sandbox::client::{ExecIo, Shim};
use sandbox::plan::ProcessPlan;
use sandbox::protocol::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use workload::{HealthCheck, HealthProbe, WorkloadId};

use super::process;
use super::worker::Outcome;

/// The first attempt comes after this, or after the interval if that is shorter.
const FIRST_AFTER: Duration = Duration::from_secs(1);
/// How much of an answer is read: the line with its status.
const STATUS_BYTES_MAX: usize = 12;

/// Who is looked after, and how.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) check: HealthCheck,
    pub(super) container: usize,
    pub(super) name: String,
    pub(super) restarts: u32,
    pub(super) workload: WorkloadId,
    /// Its ports are the host's.
    pub(super) is_host: bool,
    pub(super) shim: Shim,
    pub(super) process: Option<ProcessPlan>,
    pub(super) network: Network,
}

impl Probe {
    /// Looks and tells until it is aborted, or nobody listens.
    pub(super) async fn run(self, tell: mpsc::Sender<Outcome>) {
        let interval = Duration::from_secs(u64::from(self.check.interval_s.max(1)));
        let patience = Duration::from_secs(u64::from(self.check.timeout_s.max(1)));
        sleep(interval.min(FIRST_AFTER)).await;
        loop {
            let is_well = match &self.check.probe {
                HealthProbe::Command(args) => self.execute(args, patience).await,
                HealthProbe::Tcp(port) => matches!(timeout(patience, self.connect(*port)).await, Ok(Ok(_))),
                HealthProbe::Http { port, path } => {
                    matches!(timeout(patience, self.ask(*port, path)).await, Ok(Ok(200..=399)))
                }
            };
            let outcome = Outcome { container: self.container, restarts: self.restarts, is_well };
            if tell.send(outcome).await.is_err() {
                return;
            }
            sleep(interval).await;
        }
    }

    async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        if self.is_host {
            return TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await;
        }
        self.network.connect(&self.workload, port).await.map_err(|error| io::Error::other(error.to_string()))
    }

    /// The status that a request is answered with.
    async fn ask(&self, port: u16, path: &str) -> io::Result<u16> {
        let mut stream = self.connect(port).await?;
        let plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        if !plain {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut line = [0; STATUS_BYTES_MAX];
        stream.read_exact(&mut line).await?;
        let status = std::str::from_utf8(&line).ok().filter(|line| line.starts_with("HTTP/1."));
        status.and_then(|line| line[9..].parse().ok()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Whether a command in the container ends with 0 in time. Else it is killed. What is in the container may hold it up before it
    /// begins, too: by the signals that stop a process.
    async fn execute(&self, args: &[String], patience: Duration) -> bool {
        let Some(of) = &self.process else { return false };
        let process = process::exec(of, args.to_vec(), &[], None, None, false);
        let Ok(null) = nothing() else { return false };
        let began = Instant::now();
        let Ok(Ok(executing)) = timeout(patience, self.shim.exec(&self.name, process, null)).await else {
            return false;
        };
        let exec = executing.exec;
        match timeout(patience.saturating_sub(began.elapsed()), executing.ended()).await {
            Ok(ended) => ended.is_ok_and(|exit| exit.code == 0),
            Err(_) => {
                // If it has ended by now, there is nobody to kill.
                let _ = self.shim.signal(Target::Exec(exec), rustix::process::Signal::KILL.as_raw()).await;
                false
            }
        }
    }
}

/// No input, and nobody who reads the output.
fn nothing() -> io::Result<ExecIo> {
    let write = || OpenOptions::new().write(true).open("/dev/null");
    Ok(ExecIo::Given { input: File::open("/dev/null")?.into(), output: write()?.into(), errors: write()?.into() })
}
