//! Starting and asking a Pilvi.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

/// No step of these tests takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The user that owns the test's data: never root, which would have the program make a system user.
pub(crate) const NOBODY: u32 = 65_534;

/// Whether the tests run as root.
pub(crate) fn root() -> bool {
    geteuid().is_root()
}

/// The built binary. It may lie where only root can go (a checkout in root's home), so it is opened by the tests and
/// executed by its descriptor, which other users can do too.
static BINARY: LazyLock<File> = LazyLock::new(|| File::open(env!("CARGO_BIN_EXE_pilvi")).unwrap());

/// The program, with an environment of its own.
pub(crate) fn pilvi() -> Command {
    let mut command = at(Path::new(&format!("/proc/self/fd/{}", BINARY.as_raw_fd())));
    command.arg0("pilvi");
    command
}

/// The program at another path.
pub(crate) fn at(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// The program as called by an ordinary person: the tests' own user, or nobody when that is root.
pub(crate) fn as_person() -> Command {
    let mut command = pilvi();
    if root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Root on behalf of nobody, as sudo tells it.
pub(crate) fn sudo() -> Command {
    let mut command = pilvi();
    command.envs([("SUDO_UID", NOBODY.to_string()), ("SUDO_GID", NOBODY.to_string())]).env("SUDO_USER", "nobody");
    command
}

/// A directory that the person of [`as_person`] can write in.
pub(crate) fn writable() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    if root() {
        std::os::unix::fs::chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    dir
}

/// A `pilvi up` that answers. It is killed at the end of the test if it still runs.
pub(crate) struct Up {
    pub(crate) dir: PathBuf,
    pub(crate) endpoint: String,
    /// What it printed until it was ready.
    pub(crate) banner: String,
    child: Child,
    _stdout: BufReader<ChildStdout>,
    /// Where a node is, if root calls: nothing of a test stays on the machine.
    _node_dir: tempfile::TempDir,
}

impl Up {
    /// Starts `command up` on `dir` with a free port, and waits until it is ready.
    pub(crate) fn start(command: Command, dir: &Path, further: &[&str]) -> Self {
        Self::try_start(command, dir, further).unwrap_or_else(|output| panic!("{}", text(&output)))
    }

    /// The output of the program when it ends instead.
    pub(crate) fn try_start(mut command: Command, dir: &Path, further: &[&str]) -> Result<Self, Output> {
        let node_dir = tempfile::tempdir().unwrap();
        // The server's user passes through to the socket.
        std::fs::set_permissions(node_dir.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        command.env("PILVI_NODE_DIR", node_dir.path().join("node"));
        command.arg("up").args(["--listen", "127.0.0.1:0", "--data-dir"]).arg(dir).args(further);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (mut banner, mut endpoint) = (String::new(), None);
        while !banner.contains("Ctrl-C stops it.") {
            let mut line = String::new();
            if stdout.read_line(&mut line).unwrap() == 0 {
                return Err(child.wait_with_output().unwrap());
            }
            if let Some(at) = line.trim().strip_prefix("endpoint") {
                endpoint = Some(at.trim().to_owned());
            }
            banner.push_str(&line);
        }
        let endpoint = endpoint.expect("an endpoint is printed");
        // Nobody reads the log from here on; a full pipe must not stop the program.
        let mut log = child.stderr.take().unwrap();
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { dir: dir.to_owned(), endpoint, banner, child, _stdout: stdout, _node_dir: node_dir })
    }

    /// The supervisor's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The server's process id, as it is recorded.
    pub(crate) fn server_pid(&self) -> u32 {
        let pid = self.record("server.json")["pid"].as_u64().unwrap();
        u32::try_from(pid).unwrap()
    }

    /// One of the records in `run/`.
    pub(crate) fn record(&self, name: &str) -> Value {
        let path = self.dir.join("run").join(name);
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    /// Sends the supervisor a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for the supervisor's end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        wait_for("the supervisor's end", || self.child.try_wait().unwrap())
    }

    /// Asks for a path below `/_pilvi/`.
    pub(crate) fn get(&self, path: &str) -> Result<(u16, String), std::io::Error> {
        get(&self.endpoint, path)
    }

    /// Runs a subcommand on this data directory.
    pub(crate) fn ask(&self, command: Command, arguments: &[&str]) -> Output {
        ask(command, &self.dir, arguments)
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a subcommand on a data directory.
pub(crate) fn ask(mut command: Command, dir: &Path, arguments: &[&str]) -> Output {
    command.args(arguments).arg("--data-dir").arg(dir).output().unwrap()
}

/// Sends a signal to a process that the test has started.
pub(crate) fn send(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Whether a process exists.
pub(crate) fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// Repeats a question until it has an answer.
pub(crate) fn wait_for<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "no {what} after {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One request on a connection of its own: status and body.
pub(crate) fn get(endpoint: &str, path: &str) -> Result<(u16, String), std::io::Error> {
    let authority = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    match (status, body) {
        (Some(status), Some(body)) => Ok((status, body)),
        _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Everything that a program printed.
pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// What a program printed, which must have succeeded.
pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}
