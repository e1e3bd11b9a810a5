//! Somebody at a terminal, or a program at pipes, and what runs elsewhere: input, output, signals and sizes go to and fro until
//! one of them ends.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use node::protocol::Output as Printed;
use rustix::process::{Signal, getpid, kill_process};
use tokio::time::{Instant, sleep, sleep_until};
use workload::WorkloadId;

use super::keys::{DetachKeys, Keys, Typed};
use super::raw::{self, Raw};
use super::shown::Shown;
use super::signals::{Signalled, Signals};
use super::streams::{Input, Output, Piece};
use super::warn;
use crate::control_socket::workloads::{Attach, Exited, INPUT_BYTES_MAX, Say, WorkloadAnswer, WorkloadRequest};
use crate::control_socket::{Ended, Session};
use crate::data_dir::DataDir;
use crate::run::write_id;
use crate::terminal::{bytes, printable};

/// How long it is waited for a server that is being started anew; it is there again within two seconds.
const SERVER_AWAY_MAX: Duration = Duration::from_secs(30);
/// A pause before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// A reason to wait that lasts longer than this is told.
const WAIT_UNTOLD: Duration = Duration::from_secs(1);
/// So many signals that change nothing make the command end by itself, as docker has it.
const SIGNALS_IN_VAIN: u32 = 3;

/// How a command is with what runs.
#[derive(Debug)]
pub(crate) struct Manner {
    /// Its server.
    pub(crate) dir: DataDir,
    /// A terminal is its input and output.
    pub(crate) tty: bool,
    /// What is typed or piped here is its input.
    pub(crate) stdin: bool,
    /// By which keys somebody leaves it.
    pub(crate) detach_keys: DetachKeys,
    /// What signals to the command and its end mean to it.
    pub(crate) tie: Tie,
    /// Where its id is written.
    pub(crate) cidfile: Option<PathBuf>,
    /// What it prints cannot steer the terminal.
    pub(crate) is_shown: bool,
}

/// What signals to a command, and its end, mean to what runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tie {
    /// Signals reach it; a server that is started anew is found again.
    Attached,
    /// It is only waited for until it runs.
    UntilBegun,
    /// Signals are for the command.
    Loose,
}

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It ended.
    Exited(Exited),
    /// It runs, which was what was waited for.
    Begun(Option<WorkloadId>),
    /// Somebody left it by the keys.
    Left,
    /// A signal ended the command.
    Signalled(i32),
    /// Nobody reads the output any more.
    Unread,
    /// Its image is to be pulled first.
    ImageMissing,
    /// There is no such container.
    NotThere,
    /// There is nothing more.
    Done,
}

/// Stays with what runs until one of both ends.
///
/// # Errors
/// When the server or the node says that it cannot be.
pub(crate) async fn talk(manner: &Manner, request: WorkloadRequest) -> Result<Outcome> {
    let session = Session::open(&manner.dir, request)?;
    let mut talk = Talk {
        manner,
        session,
        signals: Signals::listen().context("signals cannot be listened to")?,
        keys: Keys::new(&manner.detach_keys),
        output: Output::new(),
        raw: None,
        input: None,
        input_state: InputState::NotBegun,
        under_way: 0,
        piece: None,
        waiting: None,
        id: None,
        position: 0,
        lost_bytes: 0,
        signals_in_vain: 0,
        shown: [Shown::default(), Shown::default()],
    };
    let outcome = talk.run().await;
    talk.end(outcome)
}

struct Talk<'a> {
    manner: &'a Manner,
    session: Session,
    signals: Signals,
    keys: Keys,
    output: Output,
    raw: Option<Raw>,
    input: Option<Input>,
    input_state: InputState,
    /// So much input, as base64, was said and not taken.
    under_way: usize,
    /// What was printed last and is not on its way to the terminal.
    piece: Option<Piece>,
    /// Why it does not run yet, and when that is told.
    waiting: Option<(Instant, String)>,
    id: Option<WorkloadId>,
    /// Where the output goes on.
    position: u64,
    lost_bytes: u64,
    signals_in_vain: u32,
    /// What was shown of output and of errors.
    shown: [Shown; 2],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InputState {
    NotBegun,
    Open,
    Ended,
}

impl Talk<'_> {
    async fn run(&mut self) -> Result<Outcome> {
        loop {
            let room = self.input_state == InputState::Open && self.under_way < INPUT_BYTES_MAX / 2;
            let tell_at = self.waiting.as_ref().map(|(at, _)| *at);
            let done = tokio::select! {
                biased;
                what = self.signals.next() => self.signalled(what).await?,
                taken = self.output.take(&mut self.piece), if self.piece.is_some() => (!taken).then_some(Outcome::Unread),
                answer = self.session.next(), if self.piece.is_none() => match answer {
                    Ok(answer) => self.answered(answer).await?,
                    Err(Ended::Refused(reason)) => bail!(reason),
                    Err(Ended::Broken(reason)) => self.find_again(reason).await?,
                },
                typed = next_of(&mut self.input), if room => self.typed(typed).await,
                () = at(tell_at) => {
                    if let Some((_, reason)) = self.waiting.take() {
                        warn(format!("waiting: {reason}"));
                    }
                    None
                }
            };
            if let Some(outcome) = done {
                return Ok(outcome);
            }
        }
    }

    async fn answered(&mut self, answer: WorkloadAnswer) -> Result<Option<Outcome>> {
        match answer {
            WorkloadAnswer::Created { id } => {
                if let Some(file) = &self.manner.cidfile {
                    write_id(file, &id)?;
                }
                self.id = Some(id);
            }
            WorkloadAnswer::Waiting { reason } => {
                self.waiting = Some((Instant::now() + WAIT_UNTOLD, reason.message));
            }
            WorkloadAnswer::Started if self.manner.tie == Tie::UntilBegun => {
                return Ok(Some(Outcome::Begun(self.id.clone())));
            }
            WorkloadAnswer::Started => self.begin().await?,
            WorkloadAnswer::Resumed => self.resume().await,
            WorkloadAnswer::Output(printed) => self.print(&printed)?,
            WorkloadAnswer::Taken(count) => {
                self.under_way = self.under_way.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
            }
            WorkloadAnswer::Exited(exited) => return Ok(Some(Outcome::Exited(exited))),
            WorkloadAnswer::NotThere => return Ok(Some(Outcome::NotThere)),
            WorkloadAnswer::ImageMissing => return Ok(Some(Outcome::ImageMissing)),
            WorkloadAnswer::Done { .. } => return Ok(Some(Outcome::Done)),
            _ => bail!("the server answered something else"),
        }
        Ok(None)
    }

    /// It runs: from here on the terminal is its.
    async fn begin(&mut self) -> Result<()> {
        self.waiting = None;
        if self.input_state != InputState::NotBegun {
            self.resume().await;
            return Ok(());
        }
        if self.manner.tty && self.manner.stdin {
            self.raw = Some(Raw::enter().context("the terminal cannot be handed over")?);
        }
        self.tell_size().await;
        if self.manner.stdin {
            self.input = Some(Input::read());
            self.input_state = InputState::Open;
        } else {
            self.input_state = InputState::Ended;
        }
        Ok(())
    }

    async fn resume(&mut self) {
        if self.under_way > 0 && self.raw.is_none() {
            warn("the node or the server was started anew: some of the input may have been lost");
        }
        self.under_way = 0;
        self.tell_size().await;
        if self.manner.stdin && self.input_state == InputState::Ended {
            self.say(&Say::End).await;
        }
    }

    fn print(&mut self, printed: &Printed) -> Result<()> {
        self.position = printed.next;
        self.lost_bytes += printed.lost_bytes;
        let mut data = printed.bytes().context("the node says what is no output")?;
        if self.manner.is_shown {
            data = self.shown[usize::from(printed.stream == 2)].of(&data);
        }
        if !data.is_empty() {
            self.piece = Some((printed.stream, data));
        }
        Ok(())
    }

    async fn typed(&mut self, typed: Option<Vec<u8>>) -> Option<Outcome> {
        let Some(mut typed) = typed else {
            self.input_state = InputState::Ended;
            self.input = None;
            self.say(&Say::End).await;
            return None;
        };
        let mut leaves = false;
        if self.raw.is_some() {
            let Typed { passed, leaves: left } = self.keys.take(&typed);
            (typed, leaves) = (passed, left);
        }
        if !typed.is_empty() {
            let data = BASE64.encode(&typed);
            self.under_way += data.len();
            self.say(&Say::Data(data)).await;
        }
        leaves.then_some(Outcome::Left)
    }

    async fn signalled(&mut self, what: Signalled) -> Result<Option<Outcome>> {
        match what {
            Signalled::Resized => self.tell_size().await,
            Signalled::Stopped => {
                let stop = || kill_process(getpid(), Signal::STOP);
                match &self.raw {
                    Some(raw) => raw.suspended(stop).context("the terminal is gone")??,
                    None => stop()?,
                }
                self.tell_size().await;
            }
            Signalled::Number(number) => {
                let ends = self.raw.is_some() || self.manner.tie != Tie::Attached && self.has_begun();
                if ends || self.manner.tie == Tie::Loose {
                    return Ok(Some(Outcome::Signalled(number)));
                }
                self.signals_in_vain += 1;
                if self.signals_in_vain >= SIGNALS_IN_VAIN {
                    let id = self.id.as_ref().map_or("ID", WorkloadId::as_str);
                    warn(format!("it does not end by signals and goes on; `pilvi kill {id}` ends it"));
                    return Ok(Some(Outcome::Signalled(number)));
                }
                self.say(&Say::Signal(number)).await;
            }
        }
        Ok(None)
    }

    fn has_begun(&self) -> bool {
        self.input_state != InputState::NotBegun
    }

    async fn tell_size(&mut self) {
        if let Some(size) = raw::size().filter(|_| self.manner.tty) {
            self.say(&Say::Resize(size)).await;
        }
    }

    async fn say(&mut self, say: &Say) {
        // That nobody hears it is told by what is heard.
        let _ = self.session.say(say).await;
    }

    /// The server is gone, what runs is not: stays with it as soon as there is a server again.
    async fn find_again(&mut self, reason: String) -> Result<Option<Outcome>> {
        let Some(id) = self.id.clone().filter(|_| self.manner.tie == Tie::Attached) else { bail!(reason) };
        let deadline = Instant::now() + SERVER_AWAY_MAX;
        loop {
            let attach = Attach { workload: id.to_string(), from: self.position };
            match Session::open(&self.manner.dir, WorkloadRequest::Attach(attach)) {
                Ok(session) => {
                    self.session = session;
                    return Ok(None);
                }
                Err(_) if Instant::now() < deadline => {}
                Err(error) => return Err(error.context(format!("{id} goes on without this command"))),
            }
            tokio::select! {
                what = self.signals.next() => if let Signalled::Number(number) = what {
                    return Ok(Some(Outcome::Signalled(number)));
                },
                () = sleep(ASK_AGAIN) => {}
            }
        }
    }

    /// Gives the terminal back, when everything that was printed is on it.
    fn end(self, outcome: Result<Outcome>) -> Result<Outcome> {
        let Self { output, raw, lost_bytes, .. } = self;
        if let Ok(Outcome::Signalled(_)) = outcome {
            // Whoever wants it to end does not wait for a reader that stands still.
            return outcome;
        }
        let written = output.finish();
        drop(raw);
        let outcome = outcome?;
        if lost_bytes > 0 {
            warn(format!("{} of the output were overwritten before this command read them", bytes(lost_bytes)));
        }
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Outcome::Unread),
            Err(error) if outcome != Outcome::Unread => Err(error).context("the output cannot be written"),
            _ => Ok(outcome),
        }
    }
}

async fn next_of(input: &mut Option<Input>) -> Option<Vec<u8>> {
    match input {
        Some(input) => input.next().await,
        None => None,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// What is said of something that ended, beside its exit code.
pub(crate) fn tell_reason(exited: &Exited) {
    if let Some(reason) = &exited.reason {
        warn(printable(reason));
    }
}
