//! What is printed in an environment, and what Lambda says of it, on its way into the function's log.
//!
//! One task for each environment brings both into order: what was printed before an execution's end stands before its `END`.
//! Events are written some milliseconds after they were printed, many at once; whoever wants the end of an execution's output
//! need not wait for that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Region, Timestamp};
use bytes::BytesMut;
use platform::ports::{LogEvent, LogSink, LogSinkError, LogTarget};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use super::host::Printed;

/// How long it is quiet before what was printed is taken for all of it.
const QUIET: Duration = Duration::from_millis(2);
/// How long an execution's end waits for that at most.
const QUIET_MAX: Duration = Duration::from_millis(100);
/// How long an event waits for others at most.
const FLUSH_AFTER: Duration = Duration::from_millis(25);
/// How many events are written at once.
const EVENTS_AT_ONCE: usize = 500;
/// How many bytes of events are written at once.
const BYTES_AT_ONCE: usize = 512 * 1024;
/// The longest line; what is longer becomes several events. (CloudWatch Logs: "Each log event can be no larger than 1 MB".)
const LINE_BYTES_MAX: usize = 256 * 1024;
/// How much of an execution's output its caller can have, in bytes. (API reference, Invoke: "the last 4 KB".)
const TAIL_BYTES: usize = 4096;
/// How long events that the log does not take are kept.
const RETRY_FOR: Duration = Duration::from_secs(30);
/// How long after a failure it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// What Lambda says may wait for so many lines.
const SAID_WAITING_MAX: usize = 64;

/// Where an environment's output goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Whose log it is.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// The log group.
    pub group: String,
    /// The log stream: the environment's own.
    pub stream: String,
}

/// The task's mailbox.
#[derive(Debug, Clone)]
pub struct Output(mpsc::Sender<Message>);

#[derive(Debug)]
enum Message {
    /// A line of Lambda's own.
    Line { at: Timestamp, line: String },
    /// An execution begins: what follows is its tail.
    Begins,
    /// An execution ends, with these lines; whoever wants it gets the tail.
    Ends { at: Timestamp, lines: Vec<String>, tail: Option<oneshot::Sender<Vec<u8>>> },
}

impl Output {
    /// Starts a task that takes what is printed, until that ends and nobody has anything to say any more.
    pub fn start(logs: Arc<dyn LogSink>, destination: Destination, printed: mpsc::Receiver<Printed>) -> Self {
        let (said, messages) = mpsc::channel(SAID_WAITING_MAX);
        tokio::spawn(Writer::new(logs, destination).run(printed, messages));
        Self(said)
    }

    /// Adds a line of Lambda's own.
    pub async fn line(&self, at: Timestamp, line: Option<String>) {
        if let Some(line) = line {
            self.send(Message::Line { at, line }).await;
        }
    }

    /// An execution begins.
    pub async fn begins(&self) {
        self.send(Message::Begins).await;
    }

    /// An execution ends: these lines stand after all that was printed before. Answers the end of its output, if that is
    /// wanted.
    pub async fn ends(&self, at: Timestamp, lines: Vec<String>, wants_tail: bool) -> Option<Vec<u8>> {
        let (tail, told) = oneshot::channel();
        self.send(Message::Ends { at, lines, tail: wants_tail.then_some(tail) }).await;
        if wants_tail { told.await.ok() } else { None }
    }

    async fn send(&self, message: Message) {
        // The task ends after everybody else.
        let _ = self.0.send(message).await;
    }
}

struct Writer {
    logs: Arc<dyn LogSink>,
    destination: Destination,
    lines: Lines,
    waiting: Vec<LogEvent>,
    waiting_bytes: usize,
    flush_at: Option<Instant>,
    tail: VecDeque<u8>,
}

impl Writer {
    fn new(logs: Arc<dyn LogSink>, destination: Destination) -> Self {
        let (waiting, tail) = (Vec::new(), VecDeque::new());
        Self { logs, destination, lines: Lines::default(), waiting, waiting_bytes: 0, flush_at: None, tail }
    }

    async fn run(mut self, mut printed: mpsc::Receiver<Printed>, mut messages: mpsc::Receiver<Message>) {
        let (mut prints, mut says) = (true, true);
        while prints || says {
            let due = self.flush_at;
            tokio::select! {
                // An execution's beginning is said before the function has it, and its end waits for what was printed.
                biased;
                message = messages.recv(), if says => match message {
                    Some(message) => self.hear(message, &mut printed).await,
                    None => says = false,
                },
                some = printed.recv(), if prints => match some {
                    Some(some) => self.print(&some),
                    None => prints = false,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.flush().await,
            }
            if self.waiting.len() >= EVENTS_AT_ONCE || self.waiting_bytes >= BYTES_AT_ONCE {
                self.flush().await;
            }
        }
        if let Some((at, line)) = self.lines.rest() {
            self.add(at, line);
        }
        self.flush().await;
    }

    fn print(&mut self, printed: &Printed) {
        self.lines.take(printed);
        while let Some((at, line)) = self.lines.next() {
            self.add(at, line);
        }
    }

    async fn hear(&mut self, message: Message, printed: &mut mpsc::Receiver<Printed>) {
        match message {
            Message::Line { at, line } => self.add(at, line),
            Message::Begins => self.tail.clear(),
            Message::Ends { at, lines, tail } => {
                let later = self.drain(printed, at).await;
                for line in lines {
                    self.add(at, line);
                }
                if let Some(tail) = tail {
                    // Who does not wait for it any more does without.
                    let _ = tail.send(self.tail.iter().copied().collect());
                }
                // It is the next execution's, which has begun already.
                later.iter().for_each(|printed| self.print(printed));
            }
        }
    }

    /// Takes what is printed until it is quiet, or until that was printed after `end`, which is answered.
    async fn drain(&mut self, printed: &mut mpsc::Receiver<Printed>, end: Timestamp) -> Option<Printed> {
        let latest = Instant::now() + QUIET_MAX;
        let mut later = None;
        while Instant::now() < latest
            && let Ok(Some(some)) = timeout(QUIET, printed.recv()).await
        {
            if some.at > end {
                later = Some(some);
                break;
            }
            self.print(&some);
        }
        if let Some((at, line)) = self.lines.rest() {
            self.add(at, line);
        }
        later
    }

    fn add(&mut self, timestamp: Timestamp, message: String) {
        self.tail.extend(message.as_bytes());
        self.tail.push_back(b'\n');
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        if message.is_empty() {
            return;
        }
        self.flush_at.get_or_insert_with(|| Instant::now() + FLUSH_AFTER);
        self.waiting_bytes += message.len();
        self.waiting.push(LogEvent { timestamp, message });
    }

    /// Writes what waits. What cannot be written for long is lost, and that is told.
    async fn flush(&mut self) {
        self.flush_at = None;
        self.waiting_bytes = 0;
        let mut events = std::mem::take(&mut self.waiting);
        if events.is_empty() {
            return;
        }
        let latest = Instant::now() + RETRY_FOR;
        loop {
            match self.put(&events).await {
                Ok(()) => {
                    // Its room is of use again.
                    events.clear();
                    self.waiting = events;
                    return;
                }
                Err(error) if Instant::now() < latest && !matches!(error, LogSinkError::Name) => {
                    tokio::time::sleep(RETRY_AFTER).await;
                }
                Err(error) => {
                    let (group, count) = (&self.destination.group, events.len());
                    warn!(group, count, %error, "output of a function is lost");
                    return;
                }
            }
        }
    }

    async fn put(&self, events: &[LogEvent]) -> Result<(), LogSinkError> {
        let Destination { account, region, group, stream } = &self.destination;
        let target = LogTarget { account: *account, region, group, stream, creates_group: true };
        self.logs.put_events(target, events.to_vec()).await
    }
}

/// Lines of what comes in pieces.
#[derive(Debug, Default)]
struct Lines {
    bytes: BytesMut,
    at: Option<Timestamp>,
    /// Up to where there is no end of a line.
    looked: usize,
}

impl Lines {
    fn take(&mut self, printed: &Printed) {
        self.at = Some(self.at.filter(|_| !self.bytes.is_empty()).unwrap_or(printed.at));
        self.bytes.extend_from_slice(&printed.bytes);
    }

    /// The next whole line, or as much of one as an event takes.
    fn next(&mut self) -> Option<(Timestamp, String)> {
        let at = self.at?;
        let end = self.bytes[self.looked..].iter().position(|byte| *byte == b'\n').map(|end| end + self.looked);
        let (length, ending) = match end {
            Some(end) if end <= LINE_BYTES_MAX => (end, 1),
            _ if self.bytes.len() > LINE_BYTES_MAX => (whole_letters(&self.bytes[..LINE_BYTES_MAX]), 0),
            _ => {
                self.looked = self.bytes.len();
                return None;
            }
        };
        let line = self.bytes.split_to(length + ending);
        self.looked = 0;
        Some((at, text(&line[..length])))
    }

    /// What has no end yet.
    fn rest(&mut self) -> Option<(Timestamp, String)> {
        self.looked = 0;
        let rest = self.bytes.split();
        let at = self.at.filter(|_| !rest.is_empty())?;
        Some((at, text(&rest)))
    }
}

/// How many bytes end with a whole letter.
fn whole_letters(bytes: &[u8]) -> usize {
    let end = bytes.len();
    let begins = |at: usize| bytes[at] & 0xc0 != 0x80;
    (end.saturating_sub(4)..end).rev().find(|at| begins(*at) && *at > 0).unwrap_or(end)
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::Bytes;
    use platform::BoxFuture;

    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl LogSink for Kept {
        fn put_events<'a>(
            &'a self,
            target: LogTarget<'a>,
            events: Vec<LogEvent>,
        ) -> BoxFuture<'a, Result<(), LogSinkError>> {
            assert_eq!((target.group, target.creates_group), ("/aws/lambda/a", true));
            self.0.lock().unwrap().extend(events.into_iter().map(|event| event.message));
            Box::pin(std::future::ready(Ok(())))
        }
    }

    fn destination() -> Destination {
        let (group, stream) = ("/aws/lambda/a".to_owned(), "s".to_owned());
        Destination { account: AccountId::DEFAULT, region: Region::default(), group, stream }
    }

    fn printed(text: &str) -> Printed {
        Printed { at: Timestamp::from_millis(1), bytes: Bytes::copy_from_slice(text.as_bytes()) }
    }

    fn lines(pieces: &[&str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for piece in pieces {
            lines.take(&printed(piece));
            found.extend(std::iter::from_fn(|| lines.next().map(|(_, line)| line)));
        }
        found.extend(lines.rest().map(|(_, line)| line));
        found
    }

    #[test]
    fn lines_are_put_together_of_pieces() {
        assert_eq!(lines(&["a\nb", "c\r\n", "\n", "d"]), ["a", "bc", "", "d"]);
        let long = "é".repeat(LINE_BYTES_MAX);
        let found = lines(&[&long]);
        assert!(found.len() == 3 && found.iter().all(|line| !line.contains('\u{fffd}')), "{}", found.len());
        assert_eq!(found.concat(), long);
    }

    #[tokio::test]
    async fn what_was_printed_before_the_end_stands_before_it_and_the_tail_has_it() {
        let logs = Arc::new(Kept::default());
        let (prints, pieces) = mpsc::channel(8);
        let output = Output::start(logs.clone(), destination(), pieces);
        output.line(Timestamp::from_millis(1), Some("INIT_START".to_owned())).await;
        output.begins().await;
        output.line(Timestamp::from_millis(1), Some("START".to_owned())).await;
        prints.send(printed("hello\nhalf")).await.unwrap();
        let tail = output.ends(Timestamp::from_millis(2), vec!["END".to_owned()], true).await.unwrap();
        assert_eq!(String::from_utf8(tail).unwrap(), "START\nhello\nhalf\nEND\n");
        prints.send(Printed { at: Timestamp::from_millis(4), ..printed("later\n") }).await.unwrap();
        let tail = output.ends(Timestamp::from_millis(3), vec!["END".to_owned()], true).await.unwrap();
        assert!(tail.ends_with(b"half\nEND\nEND\n"), "what is printed later is not its own");
        drop(prints);
        let sender = output.0.clone();
        drop(output);
        drop(sender);
        let all = ["INIT_START", "START", "hello", "half", "END", "END", "later"];
        while logs.0.lock().unwrap().len() < all.len() {
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*logs.0.lock().unwrap(), all);
    }

    #[tokio::test]
    async fn a_tail_is_no_longer_than_it_may_be() {
        let (prints, pieces) = mpsc::channel(8);
        let output = Output::start(Arc::new(Kept::default()), destination(), pieces);
        prints.send(printed(&"x".repeat(10_000))).await.unwrap();
        let tail = output.ends(Timestamp::from_millis(2), vec!["END".to_owned()], true).await.unwrap();
        assert_eq!(tail.len(), TAIL_BYTES);
        assert!(tail.ends_with(b"xx\nEND\n"));
    }
}
