//! Runs code that may panic or hang beside code that must go on.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::time::Duration;

/// What was to be done neither succeeded nor failed by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It panicked.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// It took longer than it may.
    #[error("it was not done within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Awaits a future that may panic. One that does is dropped, as if its process had died there.
pub(crate) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Broken> {
    let mut future = pin!(future);
    // Nothing of the future is used after a panic, so it matters not in which state that left it.
    let polled = poll_fn(move |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => std::task::Poll::Ready(Err(Broken::Panicked(message(&*panic)))),
    });
    polled.await
}

/// Awaits a future that may panic, for no longer than `limit`.
pub(crate) async fn limited<T>(limit: Duration, future: impl Future<Output = T>) -> Result<T, Broken> {
    tokio::time::timeout(limit, caught(future)).await.unwrap_or(Err(Broken::TimedOut(limit)))
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

/// The start of a text that may be long: what goes into a status or a record.
pub(crate) fn brief(text: &dyn std::fmt::Display) -> String {
    const CHARS_MAX: usize = 512;
    let text = text.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let panicking = caught(async { panic!("step {}", 7) });
        assert_eq!(panicking.await, Err::<(), _>(Broken::Panicked("step 7".to_owned())));
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_given_up() {
        let limit = Duration::from_secs(3);
        assert_eq!(limited(limit, std::future::pending::<()>()).await, Err(Broken::TimedOut(limit)));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(brief(&"é".repeat(513)), format!("{}…", "é".repeat(512)));
        assert_eq!(brief(&"é".repeat(512)), "é".repeat(512));
    }
}
