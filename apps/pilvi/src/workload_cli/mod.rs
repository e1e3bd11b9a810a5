//! What the commands about containers have in common: asking the server, staying with what runs, telling a person.

mod keys;
mod raw;
mod shown;
mod signals;
mod streams;
mod talk;
pub(crate) mod words;

use std::io::{self, Write};

use anyhow::{Context, Result, bail};

pub(crate) use keys::{DETACH_KEYS, DetachKeys};
pub(crate) use raw::has_terminal;
pub(crate) use talk::{Manner, Outcome, Tie, talk, tell_reason};

use crate::control_socket::workloads::{Told, WorkloadAnswer, WorkloadRequest};
use crate::control_socket::{Answer, Conversation};
use crate::data_dir::DataDir;
use crate::locate::Running;

/// The size of the caller's terminal.
pub(crate) fn terminal_size() -> Option<[u16; 2]> {
    raw::size()
}

/// Says something to a person, beside what a program prints.
pub(crate) fn warn(text: impl AsRef<str>) {
    // There may be nobody to read it.
    let _ = writeln!(io::stderr(), "pilvi: {}", crate::terminal::printable(text.as_ref()));
}

/// Does something that waits for several things at once.
///
/// # Errors
/// As the work has it.
pub(crate) fn in_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot wait for several things at once")?.block_on(work)
}

/// Asks something that has one answer.
///
/// # Errors
/// When the server does not answer, or says that it failed.
pub(crate) fn ask(dir: &DataDir, request: WorkloadRequest) -> Result<WorkloadAnswer> {
    next(&mut Conversation::ask(dir, request)?)
}

/// Asks something that has many answers, up to the last one.
///
/// # Errors
/// As [`ask`].
pub(crate) fn ask_for_all(dir: &DataDir, request: WorkloadRequest) -> Result<Vec<WorkloadAnswer>> {
    let mut conversation = Conversation::ask(dir, request)?;
    let mut all = Vec::new();
    loop {
        match next(&mut conversation)? {
            WorkloadAnswer::Done { .. } => return Ok(all),
            answer => all.push(answer),
        }
    }
}

/// What there is.
///
/// # Errors
/// As [`ask`].
pub(crate) fn list(running: &Running, all: bool) -> Result<Vec<Told>> {
    let answers = ask_for_all(&running.dir, WorkloadRequest::List { all })?;
    answers
        .into_iter()
        .map(|answer| match answer {
            WorkloadAnswer::Told(told) => Ok(*told),
            _ => bail!(SOMETHING_ELSE),
        })
        .collect()
}

/// What is said of an answer that fits no question.
pub(crate) const SOMETHING_ELSE: &str = "the server answered something else";

fn next(conversation: &mut Conversation) -> Result<WorkloadAnswer> {
    match conversation.next()? {
        Answer::Workload(answer) => Ok(*answer),
        _ => bail!(SOMETHING_ELSE),
    }
}
