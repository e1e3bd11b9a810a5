//! Signals to the command: those that go on to what runs, those that end the command, and those about its terminal.

use std::io;
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What somebody wants of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signalled {
    /// A signal of this number, which ends programs unless they want it otherwise.
    Number(i32),
    /// The terminal has another size.
    Resized,
    /// Stand still.
    Stopped,
}

/// SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM.
const NUMBERS: [i32; 6] = [1, 2, 3, 10, 12, 15];

/// Every signal that is looked at.
#[derive(Debug)]
pub(super) struct Signals {
    listened: Vec<(Signalled, Signal)>,
}

impl Signals {
    /// Begins to look at signals, which have none of their usual effects from here on.
    ///
    /// # Errors
    /// When that cannot be had.
    pub(super) fn listen() -> io::Result<Self> {
        let mut listened = Vec::new();
        for number in NUMBERS {
            listened.push((Signalled::Number(number), signal(SignalKind::from_raw(number))?));
        }
        listened.push((Signalled::Resized, signal(SignalKind::window_change())?));
        listened.push((Signalled::Stopped, signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?));
        Ok(Self { listened })
    }

    /// The next one. May be dropped and called again.
    pub(super) async fn next(&mut self) -> Signalled {
        std::future::poll_fn(|context| {
            for (what, signal) in &mut self.listened {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*what);
                }
            }
            Poll::Pending
        })
        .await
    }
}
