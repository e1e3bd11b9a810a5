//! Programs, run to their end within a time limit.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that one program may take. Far more than any needs: it ends what hangs.
pub const LIMIT: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a program answered.
#[derive(Debug)]
pub struct Answer {
    /// The program and its arguments.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Answer {
    /// The standard output of a program that succeeded.
    #[track_caller]
    pub fn success(self) -> String {
        assert!(self.status.success(), "`{}` failed ({}):\n{}{}", self.line, self.status, self.stdout, self.stderr);
        self.stdout
    }

    /// The standard error of a program that failed.
    #[track_caller]
    pub fn failure(self) -> String {
        assert!(!self.status.success(), "`{}` succeeded:\n{}{}", self.line, self.stdout, self.stderr);
        self.stderr
    }

    /// The JSON document that a program that succeeded wrote; null when it wrote nothing.
    #[track_caller]
    pub fn json(self) -> Value {
        let line = self.line.clone();
        let text = self.success();
        if text.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{line}` wrote no JSON ({error}):\n{text}"))
    }
}

/// Runs a program to its end.
#[track_caller]
pub fn run(command: &mut Command) -> Answer {
    Running::start(command).wait()
}

/// Runs two programs to their end, the first one's output being the second one's input. Both must succeed.
#[track_caller]
pub fn piped(from: &mut Command, into: &mut Command) -> Answer {
    let (first, second) = (command_line(from), command_line(into));
    let mut source = from
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{first}`: {error}"));
    let pipe = source.stdout.take().expect("the output is piped");
    let mut sink = into
        .stdin(pipe)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{second}`: {error}"));
    let stdout = sink.stdout.take().map(|pipe| thread::spawn(|| read(pipe)));
    let stderr = sink.stderr.take().map(|pipe| thread::spawn(|| read(pipe)));
    for (child, line) in [(&mut source, &first), (&mut sink, &second)] {
        if wait(child, LIMIT).is_none() {
            let _ = child.kill();
            panic!("`{line}` was not done after {LIMIT:?}");
        }
    }
    let told = source.wait().expect("the child is ours to wait for");
    assert!(told.success(), "`{first}` failed ({told})");
    let status = sink.wait().expect("the child is ours to wait for");
    let text = |reader: Option<JoinHandle<String>>| reader.and_then(|r| r.join().ok()).unwrap_or_default();
    Answer { line: second, status, stdout: text(stdout), stderr: text(stderr) }
}

/// A program that runs; killed when dropped.
#[derive(Debug)]
pub struct Running {
    line: String,
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a program whose output is kept.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let line = command_line(command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));
        let stdout = child.stdout.take().map(|pipe| thread::spawn(|| read(pipe)));
        let stderr = child.stderr.take().map(|pipe| thread::spawn(|| read(pipe)));
        Self { line, child, stdout, stderr }
    }

    /// Kills it at once and waits for its end.
    pub fn kill(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Answer {
        let status = wait(&mut self.child, LIMIT).unwrap_or_else(|| {
            let _ = self.child.kill();
            panic!("`{}` was not done after {LIMIT:?}", self.line)
        });
        let text = |reader: Option<JoinHandle<String>>| reader.and_then(|r| r.join().ok()).unwrap_or_default();
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Answer { line: self.line.clone(), status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits until a child ends; nothing when it does not within `limit`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    until(limit, || child.try_wait().expect("the child is ours to wait for"))
}

/// Asks again and again until there is an answer; nothing when there is none within `limit`.
pub fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn read(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks ends the text; the program's status tells the rest.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

fn command_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
