//! The servers under test: started on a folder of their own and a free port of loopback, called the same way.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use wire::sigv4::{Credentials, SecretAccessKey};

use crate::client;
use crate::processes;
use crate::setting::Setting;
use crate::signed::{Caller, Plain};

/// From start to the first answer. Far above what is promised: the report judges.
const START_LIMIT: Duration = Duration::from_secs(60);
/// From SIGTERM to the end.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often a server that does not listen yet is tried.
const LOOK_EVERY: Duration = Duration::from_micros(200);
/// How much of a log an error shows.
const LOG_LINES_SHOWN: usize = 20;

/// Signs the first call to a server whose own key is not known yet.
const FIXED_KEY: (&str, &str) = ("AKIABENCHMARK0000001", "a-key-that-only-a-benchmark-knows-000000");
const REGION: &str = "us-east-1";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pilvi,
    Moto,
}

impl Kind {
    /// Both, the one that promises first.
    pub(crate) const ALL: [Self; 2] = [Self::Pilvi, Self::Moto];

    /// As tables show it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pilvi => "Pilvi",
            Self::Moto => "moto",
        }
    }
}

/// A value for each server.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Both<T> {
    pub(crate) pilvi: T,
    pub(crate) moto: T,
}

impl<T> Both<T> {
    /// The value of one of them.
    pub(crate) fn of(&self, kind: Kind) -> &T {
        match kind {
            Kind::Pilvi => &self.pilvi,
            Kind::Moto => &self.moto,
        }
    }

    /// The same, to be changed.
    pub(crate) fn of_mut(&mut self, kind: Kind) -> &mut T {
        match kind {
            Kind::Pilvi => &mut self.pilvi,
            Kind::Moto => &mut self.moto,
        }
    }

    /// Makes both.
    pub(crate) fn make(mut value: impl FnMut(Kind) -> Result<T>) -> Result<Self> {
        Ok(Self { pilvi: value(Kind::Pilvi)?, moto: value(Kind::Moto)? })
    }
}

/// How long a server took from its process's start.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StartTimes {
    /// Until it said that it is ready. moto has no such page: its first answer counts.
    pub(crate) ready: Duration,
    /// Until it had answered a signed call.
    pub(crate) answered: Duration,
}

/// A running server. Dropping it kills it with everything below it.
#[derive(Debug)]
pub(crate) struct Server {
    kind: Kind,
    address: SocketAddr,
    process: Child,
    log: PathBuf,
    data: PathBuf,
    program: PathBuf,
}

impl Server {
    /// Starts a server in `folder`, which must not exist, and waits for its answer to `question`.
    pub(crate) fn start(setting: &Setting, kind: Kind, folder: &Path, question: &Plain) -> Result<(Self, StartTimes)> {
        fs::create_dir(folder).with_context(|| format!("making {}", folder.display()))?;
        // Given back at once: the address must be known for the request to be signed before the start.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let first_call = fixed_caller(address).sign(question)?;
        let (log, data) = (folder.join("log"), folder.join("data"));
        let mut command = match kind {
            Kind::Pilvi => pilvi(&setting.pilvi, folder, &data, address)?,
            Kind::Moto => moto(&setting.moto, address),
        };
        let output = File::create(&log)?;
        command.current_dir(folder).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let program = PathBuf::from(command.get_program());
        let begun = Instant::now();
        let process = command.spawn().with_context(|| format!("starting {}", program.display()))?;
        let mut server = Self { kind, address, process, log, data, program };
        let times = server.wait(begun, &first_call).with_context(|| server.last_words())?;
        Ok((server, times))
    }

    /// The process that was started; others may be below it.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Who calls it: for Pilvi as `pilvi env` prints it; moto takes any key.
    pub(crate) fn caller(&self) -> Result<Caller> {
        if self.kind == Kind::Moto {
            return Ok(fixed_caller(self.address));
        }
        let mut env = Command::new(&self.program);
        env.args(["env", "--format", "json", "--data-dir"]).arg(&self.data);
        let output = env.output().context("`pilvi env`")?;
        ensure!(output.status.success(), "`pilvi env` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        let variables: Variables = serde_json::from_slice(&output.stdout).context("what `pilvi env` prints")?;
        ensure!(
            variables.endpoint == format!("http://{}", self.address),
            "`pilvi env` names {} and not the address it listens on",
            variables.endpoint
        );
        let credentials = Credentials {
            access_key_id: variables.access_key_id,
            secret_access_key: SecretAccessKey::new(variables.secret_access_key),
            session_token: None,
        };
        Ok(Caller { address: self.address, credentials, region: variables.region })
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::TERM)?;
        let begun = Instant::now();
        while self.process.try_wait()?.is_none() {
            ensure!(begun.elapsed() < STOP_LIMIT, "{} did not end after SIGTERM", self.kind.name());
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// The end of its log, for an error's context.
    pub(crate) fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let shown = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
        format!("{}'s last words:\n{shown}\n", self.kind.name())
    }

    fn wait(&mut self, begun: Instant, first_call: &[u8]) -> Result<StartTimes> {
        let address = self.address;
        if self.kind == Kind::Pilvi {
            self.until(begun, || is_ready(address).is_ok_and(|ready| ready).then_some(()))?;
        }
        let ready = begun.elapsed();
        let (status, body) = self.until(begun, || client::ask(address, first_call).ok())?;
        let answered = begun.elapsed();
        ensure!(status == 200, "the first call was refused: HTTP {status}: {}", String::from_utf8_lossy(&body));
        let ready = if self.kind == Kind::Pilvi { ready } else { answered };
        Ok(StartTimes { ready, answered })
    }

    /// Tries until there is an answer.
    fn until<T>(&mut self, begun: Instant, mut answer: impl FnMut() -> Option<T>) -> Result<T> {
        loop {
            if let Some(answer) = answer() {
                return Ok(answer);
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended by itself with {status}", self.kind.name());
            }
            ensure!(begun.elapsed() < START_LIMIT, "no answer within {} s", START_LIMIT.as_secs());
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(Some(_))) {
            return;
        }
        for pid in processes::tree(self.process.id()) {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, Signal::KILL);
            }
        }
        let _ = self.process.wait();
    }
}

/// The variables of `pilvi env` that a caller needs.
#[derive(Deserialize)]
struct Variables {
    #[serde(rename = "AWS_ENDPOINT_URL")]
    endpoint: String,
    #[serde(rename = "AWS_ACCESS_KEY_ID")]
    access_key_id: String,
    #[serde(rename = "AWS_SECRET_ACCESS_KEY")]
    secret_access_key: String,
    #[serde(rename = "AWS_REGION")]
    region: String,
}

/// `pilvi up` on a data directory that does not exist yet. The configuration only brings the key for the first call.
fn pilvi(program: &Path, folder: &Path, data: &Path, address: SocketAddr) -> Result<Command> {
    let config = folder.join("pilvi.toml");
    let (id, secret) = FIXED_KEY;
    fs::write(&config, format!("[[access_key]]\nid = \"{id}\"\nsecret = \"{secret}\"\n"))?;
    let mut command = Command::new(program);
    command.arg("up").arg("--config").arg(config).arg("--data-dir").arg(data);
    command.args(["--listen", &address.to_string(), "--region", REGION]);
    Ok(command)
}

fn moto(program: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args(["--host", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command
}

fn fixed_caller(address: SocketAddr) -> Caller {
    let (id, secret) = FIXED_KEY;
    let credentials = Credentials {
        access_key_id: id.to_owned(),
        secret_access_key: SecretAccessKey::new(secret),
        session_token: None,
    };
    Caller { address, credentials, region: REGION.to_owned() }
}

/// Whether the ready page answers 200.
fn is_ready(address: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    write!(stream, "GET /_pilvi/ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200")
}
