//! Lines from what containers print.

use base::Timestamp;

use super::super::Printed;
use crate::ports::LogEvent;

/// The longest line that is waited for; what is longer becomes several events. As much as an event of CloudWatch Logs may
/// have, less the bytes that each one costs.
const LINE_BYTES_MAX: usize = 262_144 - 26;
/// So much is read behind a line that has not ended before it is sent on as it is: else nothing could be noted as stored.
const BEHIND_MAX: u64 = 1024 * 1024;

/// Makes events of what is printed: one for each line of each of its two streams.
#[derive(Debug, Default)]
pub(super) struct Lines {
    open: [Option<Open>; 2],
    events: Vec<LogEvent>,
    bytes: usize,
    /// Everything before it is in events.
    position: u64,
    /// What was read last.
    read: u64,
    lost_bytes: u64,
}

/// A line that has not ended.
#[derive(Debug)]
struct Open {
    text: Vec<u8>,
    at: Timestamp,
}

/// Events that are to be stored, and what to note when they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) events: Vec<LogEvent>,
    /// Where to go on.
    pub(super) position: u64,
    /// How many bytes were not there any more.
    pub(super) lost_bytes: u64,
}

impl Lines {
    pub(super) fn starting_at(position: u64) -> Self {
        Self { position, read: position, ..Self::default() }
    }

    /// About how many bytes the events have that were not taken.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many events were not taken.
    pub(super) fn count(&self) -> usize {
        self.events.len()
    }

    /// Whether anything was read that is not in a batch.
    pub(super) fn has_news(&self) -> bool {
        !self.events.is_empty() || self.lost_bytes > 0
    }

    pub(super) fn push(&mut self, printed: Printed) {
        let Printed { stream, data, at, next, lost_bytes } = printed;
        if lost_bytes > 0 {
            self.end_all();
            self.lost_bytes = self.lost_bytes.saturating_add(lost_bytes);
            let message = format!("[{lost_bytes} bytes of output were overwritten before they could be sent on]");
            self.event(message.into_bytes(), at);
        }
        let which = usize::from(stream == 2);
        for piece in data.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            self.add(which, text, at);
            if ends {
                self.end(which);
            }
        }
        self.read = next;
        if self.open.iter().all(Option::is_none) {
            self.position = next;
        } else if self.read.saturating_sub(self.position) > BEHIND_MAX {
            self.end_all();
        }
    }

    /// Sends on what has not ended, too, and everything is read.
    pub(super) fn end_all(&mut self) {
        self.end(0);
        self.end(1);
        self.position = self.read;
    }

    /// What is to be stored now.
    pub(super) fn take(&mut self) -> Batch {
        self.bytes = 0;
        let (events, lost_bytes) = (std::mem::take(&mut self.events), std::mem::take(&mut self.lost_bytes));
        Batch { events, position: self.position, lost_bytes }
    }

    fn add(&mut self, which: usize, mut text: &[u8], at: Timestamp) {
        loop {
            let open = self.open[which].get_or_insert_with(|| Open { text: Vec::new(), at });
            let room = LINE_BYTES_MAX - open.text.len();
            let Some((fits, rest)) = text.split_at_checked(room).filter(|(_, rest)| !rest.is_empty()) else {
                open.text.extend_from_slice(text);
                return;
            };
            open.text.extend_from_slice(fits);
            text = rest;
            self.end(which);
        }
    }

    fn end(&mut self, which: usize) {
        if let Some(Open { text, at }) = self.open[which].take() {
            self.event(text, at);
        }
    }

    fn event(&mut self, text: Vec<u8>, at: Timestamp) {
        let message = String::from_utf8_lossy(&text).into_owned();
        self.bytes += message.len();
        self.events.push(LogEvent { timestamp: at, message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(stream: u8, text: &str, next: u64) -> Printed {
        Printed { stream, data: text.as_bytes().to_vec(), at: Timestamp::from_millis(7), next, lost_bytes: 0 }
    }

    fn texts(batch: &Batch) -> Vec<&str> {
        batch.events.iter().map(|event| event.message.as_str()).collect()
    }

    #[test]
    fn lines_are_put_together_for_each_stream() {
        let mut lines = Lines::starting_at(0);
        lines.push(printed(1, "one\ntw", 6));
        lines.push(printed(2, "error\n", 12));
        let first = lines.take();
        assert_eq!((texts(&first), first.position), (vec!["one", "error"], 0), "the open line was read before");
        lines.push(printed(1, "o\n\nthree", 20));
        lines.end_all();
        let last = lines.take();
        assert_eq!((texts(&last), last.position), (vec!["two", "", "three"], 20));
    }

    #[test]
    fn what_was_lost_is_told_in_its_place() {
        let mut lines = Lines::starting_at(0);
        lines.push(printed(1, "cut of", 6));
        lines.push(Printed { lost_bytes: 100, ..printed(1, "after\n", 112) });
        let batch = lines.take();
        let lost = "[100 bytes of output were overwritten before they could be sent on]";
        assert_eq!((texts(&batch), batch.position, batch.lost_bytes), (vec!["cut of", lost, "after"], 112, 100));
    }

    #[test]
    fn a_line_without_end_holds_nothing_up_and_takes_bounded_memory() {
        let mut lines = Lines::starting_at(0);
        let mut position = 0;
        for _ in 0..100 {
            position += 32 * 1024;
            lines.push(printed(1, &"x".repeat(32 * 1024), position));
        }
        let batch = lines.take();
        assert!(batch.events.iter().all(|event| event.message.len() <= LINE_BYTES_MAX));
        assert!(position - batch.position <= 2 * BEHIND_MAX, "{}", batch.position);
        lines.push(printed(2, &"error\n".repeat(200_000), position + 1_200_000));
        assert_eq!(lines.take().position, position + 1_200_000);
    }
}
