//! One sandbox: started, watched, and taken down when Lambda lets go of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lambda::environment::host::{CannotStart, Ended, Printed, Sandbox, Started};
use lambda::environment::spec::CONTAINER;
use node::client::{Node, NodeError, Running};
use node::protocol::{Assignment, FailureKind};
use node::supply::chain;
use platform::BoxFuture;
use platform::workloads::{NodeDriver, OutputOf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::debug;
use workload::{ContainerState, ExitStatus, Observed, Phase, ReasonCode, WorkloadId};

use super::printed;
use super::room::Taken;
use crate::fleet::driver::Driver;

/// So many pieces of output wait for the log; more wait in the node's files.
const PRINTED_WAITING_MAX: usize = 64;
/// How long after a program has ended what it printed before is waited for, once nobody wants its sandbox any more.
const PRINTED_PATIENCE: Duration = Duration::from_secs(2);
/// The signal of the kernel's that ends what wants too much memory.
const SIGKILL: i32 = 9;
/// What the code of a program is raised by that a signal has ended.
const SIGNALLED: i32 = 128;

/// Why a sandbox was not started.
pub(super) enum NotStarted {
    /// The node has not what it is made of any more; its room is still taken.
    Unready(Taken),
    /// Something else.
    Cannot(CannotStart),
}

/// A sandbox, as Lambda holds it.
struct Held {
    node: Node,
    id: WorkloadId,
    /// What is known of its memory, in bytes; 0 is nothing. Of what has ended the node knows nothing any more.
    peak: Arc<AtomicU64>,
    /// Dropped with this, by which it is taken down.
    _alive: oneshot::Sender<()>,
}

impl Sandbox for Held {
    fn freeze(&self, frozen: bool) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.node.freeze(&self.id, frozen).await.map_err(|error| chain(&error)) })
    }

    fn memory_peak(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(async move {
            let stats = self.node.stats(std::slice::from_ref(&self.id)).await.unwrap_or_default();
            if let Some(stats) = stats.first().and_then(|stats| stats.containers.get(CONTAINER)) {
                self.peak.fetch_max(stats.memory_peak_bytes, Ordering::Relaxed);
            }
            Some(self.peak.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
        })
    }
}

/// Has a node run a sandbox. Returns when its program has begun.
pub(super) async fn start(
    node: Node,
    driver: Arc<Driver>,
    assignment: &Assignment,
    taken: Taken,
) -> Result<Started, NotStarted> {
    let id = assignment.id.clone();
    let mut running = node.run(assignment).await.map_err(|error| NotStarted::Cannot(failed(&error)))?;
    let first = match running.next().await {
        Ok(first) => first,
        Err(error) if error.kind() == Some(FailureKind::NotFound) => return Err(NotStarted::Unready(taken)),
        Err(error) => return Err(NotStarted::Cannot(failed(&error))),
    };
    let (prints, output) = mpsc::channel(PRINTED_WAITING_MAX);
    let ((begins, begun), (ends, ended)) = (oneshot::channel(), oneshot::channel());
    let (alive, gone) = oneshot::channel();
    let peak = Arc::new(AtomicU64::new(0));
    let watch = Watch {
        id: id.clone(),
        driver,
        prints: Some(prints),
        printing: None,
        begins: Some(begins),
        ends: Some(ends),
        memory_bytes_max: assignment.spec.resources.memory_bytes_max.unwrap_or_default(),
        peak: Arc::clone(&peak),
        _taken: taken,
    };
    tokio::spawn(watch.go_on(running, first, gone));
    let sandbox = Arc::new(Held { node: node.clone(), id: id.clone(), peak, _alive: alive });
    let (channel, begun) = tokio::join!(node.channel(&id), begun);
    // What keeps the program from beginning is the reason, and no channel a consequence.
    begun.unwrap_or_else(|_| Err(gone_by_itself())).map_err(NotStarted::Cannot)?;
    let channel = channel.map_err(|error| NotStarted::Cannot(failed(&error)))?;
    Ok(Started { channel: Box::new(channel), output, ended, sandbox })
}

/// What is told of a sandbox, and to whom.
struct Watch {
    id: WorkloadId,
    driver: Arc<Driver>,
    /// Where its output goes, until there is some.
    prints: Option<mpsc::Sender<Printed>>,
    printing: Option<JoinHandle<()>>,
    begins: Option<oneshot::Sender<Result<(), CannotStart>>>,
    ends: Option<oneshot::Sender<Ended>>,
    /// What it may use.
    memory_bytes_max: u64,
    /// What it has used at most, as far as it is known.
    peak: Arc<AtomicU64>,
    _taken: Taken,
}

impl Watch {
    /// Hears what comes of it, until nobody wants it any more; it is gone when this returns.
    async fn go_on(mut self, mut running: Running, first: Observed, mut gone: oneshot::Receiver<()>) {
        self.look(&first);
        let mut is_there = true;
        loop {
            tokio::select! {
                // An error is that it was dropped, which is how it is told.
                _ = &mut gone => break,
                next = running.next(), if is_there => match next {
                    Ok(observed) => self.look(&observed),
                    Err(error) => {
                        is_there = false;
                        self.ended(Ended::Lost(chain(&error)), failed(&error));
                    }
                },
            }
        }
        // With it goes what it printed.
        if self.ends.is_none()
            && let Some(printing) = self.printing.take()
            && timeout(PRINTED_PATIENCE, printing).await.is_err()
        {
            debug!(workload = %self.id, "the last output of a function is not waited for any longer");
        }
    }

    fn look(&mut self, observed: &Observed) {
        match observed.containers.first().map(|container| &container.state) {
            Some(ContainerState::Running { .. } | ContainerState::Paused { .. }) => self.began(),
            Some(ContainerState::Exited(status)) => {
                if status.started_at.is_some() {
                    self.began();
                }
                if status.out_of_memory {
                    // It had all that it may have.
                    self.peak.fetch_max(self.memory_bytes_max, Ordering::Relaxed);
                }
                let why = cannot(status);
                self.ended(ended(status), why);
            }
            _ if observed.phase == Phase::Stopped => {
                let reason = observed.reason.as_ref().map_or("it has stopped", |reason| &reason.message);
                self.ended(Ended::Lost(reason.to_owned()), CannotStart::Failed(reason.to_owned()));
            }
            _ => {}
        }
    }

    fn began(&mut self) {
        if let Some(begins) = self.begins.take() {
            let _ = begins.send(Ok(()));
        }
        if let Some(prints) = self.prints.take() {
            self.printing = Some(tokio::spawn(print(Arc::clone(&self.driver), self.id.clone(), prints)));
        }
    }

    /// It has ended; whoever waits for it to begin is told why it does not.
    fn ended(&mut self, how: Ended, why: CannotStart) {
        if let Some(begins) = self.begins.take() {
            let _ = begins.send(Err(why));
        }
        if let Some(ends) = self.ends.take() {
            let _ = ends.send(how);
        }
        self.prints = None;
    }
}

/// Hands on what a sandbox prints, until there is no more or nobody wants it.
async fn print(driver: Arc<Driver>, id: WorkloadId, prints: mpsc::Sender<Printed>) {
    let wanted = OutputOf { id: &id, container: CONTAINER, position: 0, follow: true };
    let mut output = match driver.output(wanted).await {
        Ok(output) => output,
        Err(error) => return debug!(workload = %id, %error, "the output of a function cannot be had"),
    };
    loop {
        match output.next().await {
            Ok(Some(some)) => {
                if prints.send(printed(some)).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => return debug!(workload = %id, %error, "the output of a function broke off"),
        }
    }
}

/// How a program ended.
fn ended(status: &ExitStatus) -> Ended {
    let signal = status.signal.or_else(|| status.code.filter(|_| status.out_of_memory).map(|code| code - SIGNALLED));
    match (signal, status.code) {
        (Some(signal), _) if signal > 0 => {
            Ended::Killed { signal, is_out_of_memory: status.out_of_memory && signal == SIGKILL }
        }
        (_, Some(code)) => Ended::Exited(code),
        (_, None) => {
            let reason = status.reason.as_ref().map_or("nobody knows how it ended", |reason| &reason.message);
            Ended::Lost(reason.to_owned())
        }
    }
}

/// Why a program that has ended without having begun cannot.
fn cannot(status: &ExitStatus) -> CannotStart {
    match &status.reason {
        // Of a program that is not there, or is none, there is a code, as a shell has it.
        Some(reason) if reason.code == ReasonCode::CannotStart && status.code.is_some() => {
            CannotStart::Entrypoint(reason.message.clone())
        }
        Some(reason) => CannotStart::Failed(reason.message.clone()),
        None => gone_by_itself(),
    }
}

fn gone_by_itself() -> CannotStart {
    CannotStart::Failed("its sandbox ended before its program began".to_owned())
}

fn failed(error: &NodeError) -> CannotStart {
    match error.kind() {
        Some(FailureKind::Busy) => CannotStart::NoRoom,
        _ => CannotStart::Failed(chain(error)),
    }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use workload::Reason;

    use super::*;

    fn status() -> ExitStatus {
        ExitStatus {
            code: None,
            signal: None,
            out_of_memory: false,
            reason: None,
            started_at: None,
            at: Timestamp::from_millis(1),
        }
    }

    #[test]
    fn a_programs_end_is_told_as_lambda_tells_it() {
        let exited = ExitStatus { code: Some(3), ..status() };
        assert_eq!(ended(&exited), Ended::Exited(3));
        let killed = ExitStatus { code: Some(137), signal: Some(9), ..status() };
        assert_eq!(ended(&killed), Ended::Killed { signal: 9, is_out_of_memory: false });
        let greedy = ExitStatus { out_of_memory: true, ..killed };
        assert_eq!(ended(&greedy), Ended::Killed { signal: 9, is_out_of_memory: true });
        // One of its children was killed for memory, and it went on to its end.
        let survived = ExitStatus { code: Some(1), out_of_memory: true, ..status() };
        assert_eq!(ended(&survived), Ended::Exited(1));
        assert!(matches!(ended(&status()), Ended::Lost(_)));
    }

    #[test]
    fn a_program_that_is_none_is_told_apart_from_a_machine_that_fails() {
        let with = |code| ExitStatus { reason: Some(Reason::new(code, "no")), ..status() };
        let missing = ExitStatus { code: Some(127), ..with(ReasonCode::CannotStart) };
        assert_eq!(cannot(&missing), CannotStart::Entrypoint("no".to_owned()));
        assert_eq!(cannot(&with(ReasonCode::CannotStart)), CannotStart::Failed("no".to_owned()));
        assert_eq!(cannot(&with(ReasonCode::Volume)), CannotStart::Failed("no".to_owned()));
        assert!(matches!(cannot(&status()), CannotStart::Failed(_)));
    }
}
