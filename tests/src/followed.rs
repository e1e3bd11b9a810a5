//! A program whose lines are seen while it runs.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::program::{LIMIT, until, wait};

/// A program that runs and tells line by line, on its standard output and its standard error alike; killed when dropped.
#[derive(Debug)]
pub struct Followed {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Followed {
    /// Starts a program.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let lines = Arc::new(Mutex::new(Vec::new()));
        child.stdout.take().into_iter().for_each(|pipe| collect(pipe, &lines));
        child.stderr.take().into_iter().for_each(|pipe| collect(pipe, &lines));
        Self { child, lines }
    }

    /// What it has told so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub fn line_with(&self, text: &str) -> String {
        let found = until(LIMIT, || self.lines().into_iter().find(|line| line.contains(text)));
        found.unwrap_or_else(|| panic!("no line with {text:?} has come:\n{}", self.lines().join("\n")))
    }

    /// Waits until it has told so many lines.
    #[track_caller]
    pub fn at_least(&self, count: usize) {
        let told = until(LIMIT, || (self.lines().len() >= count).then_some(()));
        assert!(told.is_some(), "it told fewer than {count} lines:\n{}", self.lines().join("\n"));
    }

    /// Sends a signal and waits for its end.
    #[track_caller]
    pub fn end_by(self, signal: Signal) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), signal).expect("the child is ours");
        self.wait().0
    }

    /// Waits for its end; how it ended, and everything that it told.
    #[track_caller]
    pub fn wait(mut self) -> (ExitStatus, Vec<String>) {
        let status = wait(&mut self.child, LIMIT);
        let status = status.unwrap_or_else(|| panic!("it has not ended:\n{}", self.lines().join("\n")));
        // The readers hold the lines until both pipes have ended.
        until(LIMIT, || (Arc::strong_count(&self.lines) == 1).then_some(()));
        (status, self.lines())
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn collect(pipe: impl Read + Send + 'static, lines: &Arc<Mutex<Vec<String>>>) {
    let lines = Arc::clone(lines);
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            lines.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            line.clear();
        }
    });
}
