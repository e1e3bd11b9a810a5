//! The lines that are logged: half of them text, half JSON, of about 150 bytes, as services behind a load balancer write
//! them.

use base::{Rng, SeededRng};

use crate::stats::figure;

/// A line of so many has [`FREQUENT`].
const FREQUENT_OF: u64 = 10;
/// A line of so many has [`RARE`].
const RARE_OF: u64 = 10_000;
/// A word that many lines have.
pub(super) const FREQUENT: &str = "ERROR";
/// A word that few lines have.
pub(super) const RARE: &str = "CircuitBreakerOpen";

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    pub(super) message: String,
    pub(super) is_json: bool,
}

/// Lines without end: the same for the same seed.
#[derive(Debug)]
pub(super) struct Lines {
    rng: SeededRng,
    number: u64,
    first_ms: i64,
    per_second: u64,
}

impl Lines {
    /// Lines from that instant on, so many for each second of theirs.
    pub(super) fn new(seed: u64, first_ms: i64, per_second: u64) -> Self {
        Self { rng: SeededRng::new(seed), number: 0, first_ms, per_second }
    }
}

impl Iterator for Lines {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let at_ms = self.first_ms + i64::try_from(self.number * 1000 / self.per_second).ok()?;
        // A stream has lines of one kind: the caller deals them out by this number's remainder.
        let is_json = self.number % 2 == 1;
        self.number += 1;
        let rng = &self.rng;
        let (one, request) = (rng.next_u64(), rng.next_u64());
        let pick = |shift: u32, of: u64| (one >> shift) % of;
        let level = match pick(0, FREQUENT_OF) {
            0 => FREQUENT,
            1 | 2 => "WARN",
            _ => "INFO",
        };
        let code = if rng.next_u64().is_multiple_of(RARE_OF) { RARE } else { "none" };
        let path = ["items", "orders", "users", "carts"][usize::try_from(pick(8, 4)).ok()?];
        let status = if level == FREQUENT {
            500 + pick(12, 5)
        } else {
            [200, 200, 201, 304][usize::try_from(pick(16, 4)).ok()?]
        };
        let (id, worker, latency) = (pick(20, 10_000), pick(36, 8), 1 + pick(40, 900) * pick(50, 900) / 900);
        let message = if is_json {
            format!(
                r#"{{"level":"{level}","worker":{worker},"method":"GET","path":"/api/v1/{path}/{id}","status":{status},"latency_ms":{latency},"code":"{code}","request":"{request:016x}"}}"#
            )
        } else {
            format!(
                "{level} [http-worker-{worker}] 10.{}.{}.{} \"GET /api/v1/{path}/{id} HTTP/1.1\" {status} {} {latency}ms code={code} request={request:016x} agent=curl/8.5.0",
                request % 4,
                request >> 8 & 0xff,
                request >> 16 & 0xff,
                request >> 24 & 0xffff,
            )
        };
        Some(Line { at_ms, message, is_json })
    }
}

/// What is searched, and what must be found in it.
#[derive(Debug)]
pub(super) struct Corpus {
    pub(super) lines: Vec<Line>,
}

impl Corpus {
    /// So many lines of the hour before.
    pub(super) fn new(count: usize, now_ms: i64) -> Self {
        const HOUR_S: u64 = 3600;
        let per_second = u64::try_from(count).unwrap_or(u64::MAX).div_ceil(HOUR_S).max(1);
        let first_ms = now_ms - 1000 * i64::try_from(HOUR_S).unwrap_or_default();
        Self { lines: Lines::new(1, first_ms, per_second).take(count).collect() }
    }

    /// How many lines there are.
    pub(super) fn count(&self) -> u64 {
        u64::try_from(self.lines.len()).unwrap_or(u64::MAX)
    }

    /// The bytes of all messages.
    pub(super) fn bytes(&self) -> u64 {
        self.lines.iter().map(|line| line.message.len() as u64).sum()
    }

    /// Bytes of a message, on average.
    pub(super) fn bytes_per_line(&self) -> f64 {
        figure(self.bytes()) / figure(self.count())
    }

    /// How many lines hold a text.
    pub(super) fn with(&self, text: &str) -> u64 {
        self.lines.iter().filter(|line| line.message.contains(text)).count() as u64
    }

    /// As a file that `grep` can read.
    pub(super) fn text(&self) -> String {
        let mut text = String::with_capacity(usize::try_from(self.bytes() + self.count()).unwrap_or_default());
        for line in &self.lines {
            text.push_str(&line.message);
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_long_as_real_ones_and_hold_their_words_as_often_as_is_said() {
        let corpus = Corpus::new(100_000, 1_767_225_600_000);
        assert!((130.0..170.0).contains(&corpus.bytes_per_line()), "{}", corpus.bytes_per_line());
        assert!((9_000..11_000).contains(&corpus.with(FREQUENT)), "{}", corpus.with(FREQUENT));
        assert!((1..40).contains(&corpus.with(RARE)), "{}", corpus.with(RARE));
        assert!(corpus.lines.is_sorted_by_key(|line| line.at_ms));
        for line in corpus.lines.iter().take(100) {
            assert_eq!(serde_json::from_str::<serde_json::Value>(&line.message).is_ok(), line.is_json, "{line:?}");
        }
    }

    #[test]
    fn a_seed_gives_the_same_lines_again() {
        let some = |seed| Lines::new(seed, 0, 10).take(20).collect::<Vec<_>>();
        assert_eq!(some(7), some(7));
        assert_ne!(some(7)[0].message, some(8)[0].message);
        assert_eq!(some(7)[19].at_ms, 1900);
    }
}
