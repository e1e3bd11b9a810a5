//! Programs that are executed in containers, and what goes into containers themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sandbox::client::{self, ExecIo, Executing, Shim, ShimError};
use sandbox::plan::TerminalSize;
use sandbox::protocol::ShimFailureKind;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use workload::limits::PROCESS_BYTES_MAX;

use super::printed::{self, Ended};
use super::sessions::Target;
use super::streams::Stream;
use super::{Shared, now_ms, process};
use crate::agent::session::{Gone, Hearing, Telling};
use crate::protocol::{Answer, DATA_BYTES_MAX, Event, Exec, Failure, FailureKind, Input, Output, OutputOf};

/// The programs of a shell say these.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// The streams of a program.
struct Streams {
    input: Option<Stream>,
    /// Output, and errors unless it is a terminal.
    outputs: Vec<Stream>,
    is_terminal: bool,
}

/// Executes a program. None if whoever asked is gone.
pub(super) async fn exec(
    shared: &Arc<Shared>,
    wanted: Exec,
    telling: &Telling,
    hearing: Hearing,
) -> Option<Result<Answer, Failure>> {
    shared.hasten();
    let begun = match begin(shared, wanted).await {
        Ok(begun) => begun,
        Err(Refusal::Exit(code, reason)) => return Some(Ok(Answer::Exited { code, reason: Some(reason) })),
        Err(Refusal::Failed(failure)) => return Some(Err(failure)),
    };
    let (executing, Streams { input, outputs, is_terminal }) = begun;
    telling.tell(Event::Started).await.ok()?;
    let (over, is_over) = watch::channel(false);
    let position = AtomicU64::new(0);
    let printing = async {
        let mut all = Vec::new();
        for (number, stream) in (1..).zip(&outputs) {
            all.push(print(stream, number, &position, is_over.clone(), telling));
        }
        match <[_; 2]>::try_from(all) {
            Ok([output, errors]) => tokio::try_join!(output, errors).map(drop),
            Err(mut one) => match one.pop() {
                Some(output) => output.await,
                None => Ok(()),
            },
        }
    };
    let ending = async {
        let exit = executing.ended().await;
        over.send_replace(true);
        exit
    };
    let feeding = feed(hearing, input, outputs.first().filter(|_| is_terminal), telling);
    let (exit, printed) = tokio::select! {
        done = async { tokio::join!(ending, printing) } => done,
        Gone = feeding => return None,
    };
    printed.ok()?;
    Some(match exit {
        Ok(exit) => Ok(Answer::Exited { code: exit.code, reason: None }),
        Err(error) => Err(Failure::new(FailureKind::Internal, format!("the container is gone: {error}"))),
    })
}

enum Refusal {
    /// It counts as a program that ended so, for this reason.
    Exit(i32, String),
    Failed(Failure),
}

async fn begin(shared: &Shared, wanted: Exec) -> Result<(Executing, Streams), Refusal> {
    let failed = |kind, message: String| Refusal::Failed(Failure::new(kind, message));
    let target = Target::find(shared, &wanted.id, wanted.container.as_deref()).map_err(Refusal::Failed)?;
    let shim = target.shim(shared).map_err(Refusal::Failed)?;
    let bytes: usize = wanted.args.iter().map(String::len).sum();
    if wanted.args.is_empty() || bytes > PROCESS_BYTES_MAX {
        return Err(failed(
            FailureKind::Refused,
            "an exec has a program, and arguments that are not too long".to_owned(),
        ));
    }
    let of = target.live().processes.remove(&target.container);
    let of = of.ok_or_else(|| failed(FailureKind::NotFound, "the container does not run".to_owned()))?;
    let Exec { args, env, working_dir, user, tty, stdin, .. } = wanted;
    let plan = process::exec(&of, args, &env, working_dir, user, tty.is_some());
    let no_streams = |error: std::io::Error| failed(FailureKind::Internal, format!("no pipes: {error}"));
    let executed = match tty {
        Some([columns, rows]) => {
            let io = ExecIo::Terminal(TerminalSize { columns, rows });
            shim.exec(&target.container, plan, io).await.map(|executing| (executing, None))
        }
        None => {
            let (io, streams) = pipes(stdin).map_err(no_streams)?;
            shim.exec(&target.container, plan, io).await.map(|executing| (executing, Some(streams)))
        }
    };
    let (mut executing, streams) = executed.map_err(|error| refusal(&error))?;
    let streams = match (streams, executing.terminal.take()) {
        (Some(streams), _) => streams,
        (None, Some(terminal)) => {
            let other = terminal.try_clone().map_err(no_streams)?;
            let output = Stream::new(terminal, Interest::READABLE).map_err(no_streams)?;
            let input = Stream::new(other, Interest::WRITABLE).map_err(no_streams)?;
            Streams { input: Some(input), outputs: vec![output], is_terminal: true }
        }
        (None, None) => return Err(failed(FailureKind::Internal, "there is no terminal".to_owned())),
    };
    Ok((executing, streams))
}

fn refusal(error: &ShimError) -> Refusal {
    match error.kind() {
        Some(ShimFailureKind::ProgramNotFound) => Refusal::Exit(NOT_FOUND, error.to_string()),
        Some(ShimFailureKind::ProgramNotExecutable) => Refusal::Exit(NOT_EXECUTABLE, error.to_string()),
        Some(ShimFailureKind::NotThere) => Refusal::Failed(Failure::new(FailureKind::NotFound, error.to_string())),
        Some(ShimFailureKind::NoSuchUser | ShimFailureKind::Refused) => {
            Refusal::Failed(Failure::new(FailureKind::Refused, error.to_string()))
        }
        _ => Refusal::Failed(Failure::new(FailureKind::Internal, error.to_string())),
    }
}

fn pipes(stdin: bool) -> std::io::Result<(ExecIo, Streams)> {
    let (sender, receiver) = pipe::pipe()?;
    let feed = if stdin { Some(Stream::new(sender.into_blocking_fd()?, Interest::WRITABLE)?) } else { None };
    let input = receiver.into_blocking_fd()?;
    let mut outputs = Vec::new();
    let mut out = || -> std::io::Result<_> {
        let (sender, receiver) = pipe::pipe()?;
        outputs.push(Stream::new(receiver.into_blocking_fd()?, Interest::READABLE)?);
        sender.into_blocking_fd()
    };
    let (output, errors) = (out()?, out()?);
    Ok((ExecIo::Given { input, output, errors }, Streams { input: feed, outputs, is_terminal: false }))
}

/// Tells what comes out, until its end; or until the program has ended, and nothing more is there: what it left running may
/// hold the pipe for ever.
async fn print(
    stream: &Stream,
    number: u8,
    position: &AtomicU64,
    mut is_over: watch::Receiver<bool>,
    telling: &Telling,
) -> Result<(), Gone> {
    let mut buffer = vec![0; DATA_BYTES_MAX];
    loop {
        let has_ended = *is_over.borrow_and_update();
        let read = match has_ended {
            true => stream.read_now(&mut buffer).unwrap_or(Ok(0)),
            false => tokio::select! {
                read = stream.read(&mut buffer) => read,
                Ok(()) = is_over.changed() => continue,
            },
        };
        let length = match read {
            Ok(0) | Err(_) => return Ok(()),
            Ok(length) => length,
        };
        let bytes = &buffer[..length];
        let next = position.fetch_add(length as u64, Ordering::Relaxed) + length as u64;
        let partial = bytes.last() != Some(&b'\n');
        let data = BASE64.encode(bytes);
        telling.print(Output { stream: number, data, at_ms: now_ms(), next, partial, lost_bytes: 0 }).await?;
    }
}

/// Hands in what whoever asks says, for as long as that is wanted.
async fn feed(mut hearing: Hearing, mut input: Option<Stream>, terminal: Option<&Stream>, telling: &Telling) -> Gone {
    loop {
        match hearing.next().await {
            Some(Input::Data(data)) => {
                // What the program does not take any more is taken for it.
                let is_taken = match (&input, BASE64.decode(&data)) {
                    (Some(stream), Ok(bytes)) => stream.write_all(&bytes).await.is_ok(),
                    _ => false,
                };
                if !is_taken {
                    input = None;
                }
                if telling.taken(&data).await.is_err() {
                    return Gone;
                }
            }
            Some(Input::End) => input = None,
            Some(Input::Resize([columns, rows])) => {
                if let Some(terminal) = terminal {
                    // The program has ended, at worst.
                    let _ =
                        client::resize(std::os::fd::AsFd::as_fd(terminal.descriptor()), TerminalSize { columns, rows });
                }
            }
            Some(Input::Taken(_) | Input::Release(_)) => {}
            None => return std::future::pending().await,
        }
    }
}

/// A container's own input and output. None if whoever asked is gone.
pub(super) async fn attach(
    shared: &Shared,
    wanted: OutputOf,
    telling: &Telling,
    hearing: Hearing,
) -> Option<Result<Answer, Failure>> {
    let target = match Target::find(shared, &wanted.id, wanted.container.as_deref()) {
        Ok(target) => target,
        Err(failure) => return Some(Err(failure)),
    };
    let feeding = feed_container(shared, &target, hearing, telling);
    let printing = printed::tell(shared, &target, &wanted, telling);
    tokio::select! {
        printed = printing => told(printed),
        Gone = feeding => None,
    }
}

/// A container's output. None if whoever asked is gone.
pub(super) async fn output(shared: &Shared, wanted: OutputOf, telling: &Telling) -> Option<Result<Answer, Failure>> {
    match Target::find(shared, &wanted.id, wanted.container.as_deref()) {
        Ok(target) => told(printed::tell(shared, &target, &wanted, telling).await),
        Err(failure) => Some(Err(failure)),
    }
}

fn told(printed: Result<(), Ended>) -> Option<Result<Answer, Failure>> {
    match printed {
        Ok(()) => Some(Ok(Answer::OutputEnded)),
        Err(Ended::Failed(failure)) => Some(Err(failure)),
        Err(Ended::Gone) => None,
    }
}

async fn feed_container(shared: &Shared, target: &Target, mut hearing: Hearing, telling: &Telling) -> Gone {
    let mut input: Option<Stream> = None;
    loop {
        match hearing.next().await {
            Some(Input::Data(data)) => {
                if input.is_none() {
                    input = open_input(shared, target).await;
                }
                if let (Some(stream), Ok(bytes)) = (&input, BASE64.decode(&data))
                    && stream.write_all(&bytes).await.is_err()
                {
                    input = None;
                }
                if telling.taken(&data).await.is_err() {
                    return Gone;
                }
            }
            Some(Input::End) => {
                input = None;
                if let Some(shim) = running(shared, target).await {
                    // It has none, or has ended.
                    let _ = shim.close_input(&target.container).await;
                }
            }
            Some(Input::Resize([columns, rows])) => {
                if let Some(shim) = running(shared, target).await {
                    // It has no terminal, or has ended.
                    let _ = shim.resize(&target.container, TerminalSize { columns, rows }).await;
                }
            }
            Some(Input::Taken(_) | Input::Release(_)) => {}
            None => return std::future::pending().await,
        }
    }
}

async fn open_input(shared: &Shared, target: &Target) -> Option<Stream> {
    let shim = running(shared, target).await?;
    let input = shim.input(&target.container).await.ok()?;
    Stream::new(input, Interest::WRITABLE).ok()
}

/// The shim of a container that runs, once it does. None if it never will.
async fn running(shared: &Shared, target: &Target) -> Option<Shim> {
    let mut changes = shared.board.changes_of(&target.id);
    loop {
        changes.mark_unchanged();
        match target.running(shared) {
            Ok(shim) => return Some(shim),
            Err(_) if target.is_over(shared) => return None,
            Err(_) => changes.changed().await.ok()?,
        }
    }
}
