//! `pilvi up` as a child process.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde_json::Value;
use wire::sigv4::{Credentials, SecretAccessKey};

use crate::program::{self, Answer};
use crate::{Account, Folder, place};

/// From start to ready, on a machine that is busy with everything else.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// From SIGTERM to the end; the promise is five seconds.
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// How much of the log a failed test shows.
const LOG_LINES_SHOWN: usize = 40;

/// How a server is started.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// More of the configuration file: keys of the top level first, then tables.
    pub configuration: String,
    /// More arguments for `pilvi up`.
    pub arguments: Vec<String>,
    /// Whether it listens where it did before when it is started again.
    pub keeps_address: bool,
    /// A program and its first arguments, which executes `pilvi up` in its own place.
    pub wrapped_in: Vec<String>,
}

/// What `pilvi env` prints.
#[derive(Debug, Clone, Deserialize)]
struct Environment {
    #[serde(rename = "AWS_ENDPOINT_URL")]
    endpoint: String,
    #[serde(rename = "AWS_ACCESS_KEY_ID")]
    access_key_id: String,
    #[serde(rename = "AWS_SECRET_ACCESS_KEY")]
    secret_access_key: String,
    #[serde(rename = "AWS_CA_BUNDLE")]
    ca_bundle: Option<PathBuf>,
}

/// A running Pilvi with its data. Dropping it ends the one and removes the other.
#[derive(Debug)]
pub struct Server {
    up: Option<Child>,
    environment: Environment,
    options: Options,
    accounts_given: AtomicUsize,
    log_shown: AtomicBool,
    data: PathBuf,
    folder: Folder,
}

/// A server that tests which run at the same time have together.
#[derive(Debug)]
pub struct Shared(Arc<Server>);

impl Server {
    /// Starts a server on an empty data directory and waits until it answers.
    #[track_caller]
    pub fn start(options: Options) -> Self {
        let folder = Folder::new();
        let data = folder.data_dir("data");
        Self::start_in(folder, data, options)
    }

    /// Starts a server on a data directory that is there.
    #[track_caller]
    pub fn start_in(folder: Folder, data: PathBuf, options: Options) -> Self {
        let environment = Environment {
            endpoint: String::new(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            ca_bundle: None,
        };
        let (accounts_given, log_shown) = (AtomicUsize::new(0), AtomicBool::new(false));
        let mut server = Self { up: None, environment, options, accounts_given, log_shown, data, folder };
        server.up();
        server
    }

    /// The server for every test that is content with an account of its own. It has small limits on requests, so that
    /// what is beyond them is quickly sent; it ends when nobody uses it.
    #[track_caller]
    pub fn shared() -> Shared {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Shared(server);
        }
        let configuration = "[limits]\nmax_body_bytes = 131072\n".to_owned();
        let server = Arc::new(Self::start(Options { configuration, ..Options::default() }));
        *shared = Arc::downgrade(&server);
        Shared(server)
    }

    /// Starts `pilvi up`, which must not run, and waits until it answers.
    #[track_caller]
    pub fn up(&mut self) {
        assert!(self.up.is_none(), "it runs already");
        let configuration = format!("{}{}", self.options.configuration, Account::configuration());
        let configuration = self.folder.write("pilvi.toml", &configuration);
        let log = File::options().create(true).append(true).open(self.log_path()).expect("the folder is writable");
        let program = place::pilvi();
        let mut up = match &self.options.wrapped_in[..] {
            [] => without_settings(&program),
            [wrapper, arguments @ ..] => {
                let mut up = without_settings(Path::new(wrapper));
                up.args(arguments).arg(&program);
                up
            }
        };
        up.arg("up").arg("--data-dir").arg(&self.data).arg("--config").arg(configuration);
        up.args(["--listen", &self.to_listen_on()]).args(&self.options.arguments);
        // Nothing of a test stays on the machine: what the node unpacks goes with the folder.
        up.env("PILVI_NODE_DIR", self.node_dir());
        up.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be had twice")).stderr(log);
        self.up = Some(up.spawn().expect("the program can be started"));
        self.wait_until_ready(None);
        let environment = self.command(&["env", "--format", "json"]).json();
        self.environment = serde_json::from_value(environment).expect("`pilvi env` prints the variables");
    }

    fn to_listen_on(&self) -> String {
        if !self.options.keeps_address {
            return "127.0.0.1:0".to_owned();
        }
        match self.endpoint().split_once("://") {
            Some((_, authority)) => authority.to_owned(),
            None => format!("127.0.0.1:{}", port_of_its_own()),
        }
    }

    /// Waits until a server answers, one whose process is not `but`.
    #[track_caller]
    fn wait_until_ready(&mut self, but: Option<Pid>) {
        let ready = program::until(READY_LIMIT, || {
            let ended = self.up.as_mut().and_then(|up| up.try_wait().ok().flatten());
            if let Some(status) = ended {
                self.up = None;
                return Some(Err(format!("`pilvi up` ended with {status}")));
            }
            let status = self.command(&["status", "--format", "json"]);
            let is_other = |answer: &Answer| {
                let answer = serde_json::from_str(&answer.stdout).ok();
                answer.and_then(|status| server_pid(&status)).is_some_and(|pid| Some(pid) != but)
            };
            (status.status.success() && is_other(&status)).then_some(Ok(()))
        });
        match ready {
            Some(Ok(())) => {}
            Some(Err(end)) => panic!("{end}:\n{}", self.log()),
            None => panic!("not ready after {READY_LIMIT:?}:\n{}", self.log()),
        }
    }

    /// A command of `pilvi` about this server's data directory.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> Answer {
        program::run(without_settings(&place::pilvi()).args(arguments).arg("--data-dir").arg(&self.data))
    }

    /// Ends it by SIGTERM; its exit status.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        let mut up = self.up.take().expect("it runs");
        kill_process(Pid::from_child(&up), Signal::TERM).expect("the child is ours");
        program::wait(&mut up, STOP_LIMIT).unwrap_or_else(|| {
            kill(&mut up);
            panic!("still running {STOP_LIMIT:?} after SIGTERM:\n{}", self.log())
        })
    }

    /// Ends it by `pilvi down`.
    #[track_caller]
    pub fn down(&mut self) {
        self.down_with(&[]);
    }

    /// Ends it by `pilvi down` with these arguments.
    #[track_caller]
    pub fn down_with(&mut self, arguments: &[&str]) {
        self.command(&[&["down"], arguments].concat()).success();
        let mut up = self.up.take().expect("it runs");
        let ended = program::wait(&mut up, STOP_LIMIT).expect("`pilvi down` waits for the end");
        assert!(ended.success(), "{ended}:\n{}", self.log());
    }

    /// A command of `pilvi` about this server's data directory, to be started by the caller.
    pub fn command_to_follow(&self, arguments: &[&str]) -> Command {
        let mut command = without_settings(&place::pilvi());
        command.args(arguments).arg("--data-dir").arg(&self.data);
        command
    }

    /// Kills `pilvi up` at once; the server dies with it.
    #[track_caller]
    pub fn kill(&mut self) {
        let server = self.server_pid();
        kill(&mut self.up.take().expect("it runs"));
        wait_for_the_end_of(server);
    }

    /// Kills the process that answers requests and waits until `pilvi up` has made another.
    #[track_caller]
    pub fn kill_server(&mut self) {
        let server = self.server_pid();
        kill_process(server, Signal::KILL).expect("the server is a child's child");
        self.wait_until_ready(Some(server));
    }

    /// Stops the process that answers requests, does something while it stands still, kills it, and waits until
    /// `pilvi up` has made another.
    #[track_caller]
    pub fn kill_server_after(&mut self, meanwhile: impl FnOnce(&Self)) {
        let server = self.stop_server();
        meanwhile(self);
        kill_process(server, Signal::KILL).expect("the server is a child's child");
        self.wait_until_ready(Some(server));
    }

    /// Stops the process that answers requests, does something while it stands still, kills everything and starts it anew.
    #[track_caller]
    pub fn kill_after(&mut self, meanwhile: impl FnOnce(&Self)) {
        let server = self.stop_server();
        meanwhile(self);
        kill(&mut self.up.take().expect("it runs"));
        wait_for_the_end_of(server);
        self.up();
    }

    /// The server, as it stands still.
    #[track_caller]
    fn stop_server(&self) -> Pid {
        let server = self.server_pid();
        kill_process(server, Signal::STOP).expect("the server is a child's child");
        server
    }

    #[track_caller]
    fn server_pid(&self) -> Pid {
        let status = self.command(&["status", "--format", "json"]).json();
        server_pid(&status).expect("a running server has a process")
    }

    /// An account that no other test on this server was given.
    pub fn account(&self) -> Account {
        Account::numbered(self.accounts_given.fetch_add(1, Ordering::Relaxed))
    }

    /// The root key that the first start has made.
    pub fn root(&self) -> Credentials {
        Credentials {
            access_key_id: self.environment.access_key_id.clone(),
            secret_access_key: SecretAccessKey::new(self.environment.secret_access_key.as_str()),
            session_token: None,
        }
    }

    /// The base URL of requests.
    pub fn endpoint(&self) -> &str {
        &self.environment.endpoint
    }

    /// The certificate authority that clients are to trust.
    pub fn ca_bundle(&self) -> Option<&Path> {
        self.environment.ca_bundle.as_deref()
    }

    /// The address of a server without TLS.
    pub fn address(&self) -> SocketAddr {
        let authority = self.endpoint().strip_prefix("http://").expect("this server speaks plain HTTP");
        authority.parse().expect("the endpoint is an address and a port")
    }

    /// Its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// The directory of its node.
    pub fn node_dir(&self) -> PathBuf {
        self.folder.file("node")
    }

    /// The most memory that the process that answers requests has had, in bytes.
    #[track_caller]
    pub fn memory_peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server_pid())).expect("the process runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kib.expect("Linux tells it in kB") * 1024
    }

    /// How many files below a folder of its data directory the process that answers requests has open.
    #[track_caller]
    pub fn open_files(&self, below: &str) -> usize {
        let folder = fs::canonicalize(self.data.join(below)).expect("the folder is there");
        let open = fs::read_dir(format!("/proc/{}/fd", self.server_pid())).expect("the process runs");
        let is_below = |path: &PathBuf| path.starts_with(&folder) && *path != folder;
        open.flatten().filter_map(|entry| fs::read_link(entry.path()).ok()).filter(is_below).count()
    }

    /// The folder that holds its data directory, its configuration and its log.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// What it has written so far: what it tells a person, and its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.file("up.log")
    }
}

impl std::ops::Deref for Shared {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.show_log_of_a_failure();
    }
}

impl Server {
    #[expect(clippy::print_stderr, reason = "the test harness shows it beside the failure")]
    fn show_log_of_a_failure(&self) {
        if std::thread::panicking() && !self.log_shown.swap(true, Ordering::Relaxed) {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..];
            eprintln!("the server's last lines:\n{}", last.join("\n"));
        }
    }
}

impl Server {
    /// Removes what its node has beside its folder, which outlives the processes: a bridge, a table of rules, containers. One
    /// whose `pilvi up` was killed and not started again leaves it.
    fn purge(&mut self) {
        let Some(up) = self.up.as_mut().filter(|_| crate::is_root()) else { return };
        if !matches!(up.try_wait(), Ok(None)) {
            return;
        }
        let mut down = without_settings(&place::pilvi());
        down.args(["down", "--purge", "--data-dir"]).arg(&self.data).stdout(Stdio::null()).stderr(Stdio::null());
        if let Ok(mut down) = down.spawn()
            && program::wait(&mut down, STOP_LIMIT).is_none()
        {
            kill(&mut down);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.purge();
        self.show_log_of_a_failure();
        let Some(mut up) = self.up.take() else { return };
        let ended = kill_process(Pid::from_child(&up), Signal::TERM).is_ok();
        if !ended || program::wait(&mut up, STOP_LIMIT).is_none() {
            kill(&mut up);
        }
    }
}

/// A program that sees none of the caller's own settings of Pilvi or of AWS.
pub(crate) fn without_settings(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let is_setting = |name: &str| {
            ["AWS_", "PILVI_", "BOTO_", "SUDO_"].iter().any(|prefix| name.starts_with(prefix))
                || name.to_ascii_lowercase().ends_with("_proxy")
        };
        if name.to_str().is_some_and(is_setting) {
            command.env_remove(name);
        }
    }
    command
}

/// A port that nobody uses and that no connection is given as its own end: a client that asks again and again while the
/// server is down would else be connected to itself at last, and keep the port.
fn port_of_its_own() -> u16 {
    const PORTS: std::ops::Range<u16> = 20_000..32_000;
    // Two tests of one program must not find the same one free before either listens there.
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let room = usize::from(PORTS.end - PORTS.start);
    let first = usize::try_from(std::process::id()).unwrap_or_default();
    let free = std::iter::repeat_with(|| first + GIVEN.fetch_add(1, Ordering::Relaxed))
        .take(room)
        .map(|number| PORTS.start + u16::try_from(number % room).expect("there are fewer ports"))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    free.expect("a port is free")
}

fn server_pid(status: &Value) -> Option<Pid> {
    Pid::from_raw(i32::try_from(status.pointer("/server/pid")?.as_i64()?).ok()?)
}

fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

#[track_caller]
fn wait_for_the_end_of(pid: Pid) {
    let ended = program::until(STOP_LIMIT, || (!has_running_thread(pid)).then_some(()));
    assert!(ended.is_some(), "process {pid} has outlived `pilvi up`");
}

/// Whether any of its threads runs: the first may be gone while others still close its files.
fn has_running_thread(pid: Pid) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.into_iter().any(|thread| {
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        // A zombie only waits to be reaped.
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
    })
}
