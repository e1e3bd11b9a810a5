//! The caller's terminal, handed over to a program elsewhere: every key reaches that program. However the command ends, the
//! terminal is what it was before.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// What the terminal was, while it is another.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// A terminal that passes every key on. It is as it was before as soon as this is dropped, and when the program panics.
#[derive(Debug)]
pub(super) struct Raw(());

impl Raw {
    /// Has the terminal at standard input pass every key on.
    ///
    /// # Errors
    /// When it is no terminal, or of another session.
    pub(super) fn enter() -> io::Result<Self> {
        restore_in_a_panic();
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let raw = raw_of(&before);
        *before_now() = Some(before);
        let entered = Self(());
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        Ok(entered)
    }

    /// Does something with the terminal as it was before: standing still until somebody has it go on.
    pub(super) fn suspended<T>(&self, act: impl FnOnce() -> T) -> io::Result<T> {
        let before = before_now().clone();
        let Some(before) = before else { return Ok(act()) };
        let stdin = io::stdin();
        tcsetattr(&stdin, OptionalActions::Now, &before)?;
        let done = act();
        tcsetattr(&stdin, OptionalActions::Now, &raw_of(&before))?;
        Ok(done)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// The columns and rows of the caller's terminal; none if there is none.
pub(super) fn size() -> Option<[u16; 2]> {
    let of = |fd: BorrowedFd<'_>| tcgetwinsize(fd).ok().map(|size| [size.ws_col, size.ws_row]);
    of(io::stdout().as_fd()).or_else(|| of(io::stdin().as_fd())).filter(|size| size.iter().all(|side| *side > 0))
}

/// Whether keys come from a terminal.
pub(crate) fn has_terminal() -> bool {
    io::stdin().is_terminal()
}

fn raw_of(before: &Termios) -> Termios {
    let mut raw = before.clone();
    raw.make_raw();
    raw
}

fn restore() {
    if let Some(before) = before_now().take() {
        // Nothing can be done about a terminal that is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }
}

/// What a panic says is to be read on a terminal that breaks lines again.
fn restore_in_a_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            restore();
            usual(info);
        }));
    });
}

fn before_now() -> MutexGuard<'static, Option<Termios>> {
    // What is in there is whole, whoever panicked.
    BEFORE.lock().unwrap_or_else(PoisonError::into_inner)
}
