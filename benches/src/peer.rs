//! The servers under test: started on a folder of their own and a free port of loopback, called the same way.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wire::sigv4::{Credentials, SecretAccessKey};

use crate::client;
use crate::daemon::{Daemon, START_LIMIT};
use crate::setting::Setting;
use crate::signed::{Caller, Plain};

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
    daemon: Daemon,
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
        let data = folder.join("data");
        let command = match kind {
            Kind::Pilvi => pilvi(&setting.pilvi, folder, &data, address)?,
            Kind::Moto => moto(&setting.moto()?, address),
        };
        let program = PathBuf::from(command.get_program());
        let daemon = Daemon::start(kind.name(), command, folder)?;
        let mut server = Self { kind, address, daemon, data, program };
        let times = server.wait(&first_call).with_context(|| server.last_words())?;
        Ok((server, times))
    }

    /// The process that was started; others may be below it.
    pub(crate) fn pid(&self) -> u32 {
        self.daemon.pid()
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
        let mut env = self.command("env");
        env.args(["--format", "json"]);
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

    /// A command of Pilvi's that works on this server.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(name).arg("--data-dir").arg(&self.data);
        command
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(self) -> Result<()> {
        self.daemon.stop()
    }

    /// The end of its log, for an error's context.
    pub(crate) fn last_words(&self) -> String {
        self.daemon.last_words()
    }

    fn wait(&mut self, first_call: &[u8]) -> Result<StartTimes> {
        let address = self.address;
        if self.kind == Kind::Pilvi {
            self.daemon.until(|| is_ready(address).is_ok_and(|ready| ready).then_some(()))?;
        }
        let ready = self.daemon.age();
        let (status, body) = self.daemon.until(|| client::ask(address, first_call).ok())?;
        let answered = self.daemon.age();
        ensure!(status == 200, "the first call was refused: HTTP {status}: {}", String::from_utf8_lossy(&body));
        let ready = if self.kind == Kind::Pilvi { ready } else { answered };
        Ok(StartTimes { ready, answered })
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
    // Where its node keeps images, if it runs as root.
    command.env("PILVI_NODE_DIR", folder.join("node"));
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
