//! A pull as a person sees it: one line that is drawn anew, or a few lines where nobody sees it being drawn.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use node::supply::{Phase, Progress};

use crate::terminal::{bytes, printable};

/// How far back the speed is measured.
const SPEED_WINDOW: Duration = Duration::from_secs(5);
/// How often a line is written where nothing can be drawn anew, and when the first: a short pull needs none.
const LINE_EVERY: Duration = Duration::from_secs(10);
const LINE_FIRST: Duration = Duration::from_secs(1);
/// The width of a terminal that does not tell it.
const WIDTH_DEFAULT: usize = 80;
/// How wide the bar itself is.
const BAR_WIDTH: usize = 24;

/// Shows a pull on standard error.
#[derive(Debug)]
pub(super) struct Bar {
    mode: Mode,
    phase: Option<Phase>,
    speed: Speed,
    next_line: Option<Instant>,
    trouble: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One line, drawn anew.
    Drawn,
    /// Lines below each other.
    Lines,
    /// Nothing.
    Quiet,
}

impl Bar {
    pub(super) fn new(is_quiet: bool) -> Self {
        let can_draw = io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let mode = match (is_quiet, can_draw) {
            (true, _) => Mode::Quiet,
            (false, true) => Mode::Drawn,
            (false, false) => Mode::Lines,
        };
        Self { mode, phase: None, speed: Speed::default(), next_line: None, trouble: None }
    }

    /// Shows how far it is.
    pub(super) fn show(&mut self, progress: &Progress, now: Instant) {
        let is_new_phase = self.phase != Some(progress.phase);
        if is_new_phase {
            self.phase = Some(progress.phase);
            self.speed = Speed::default();
        }
        let speed = self.speed.after(now, progress.bytes_done);
        match self.mode {
            Mode::Quiet => {}
            Mode::Drawn => draw(&fitted(&line(progress, speed), width())),
            Mode::Lines => {
                let is_news = progress.trouble.is_some() && progress.trouble != self.trouble;
                if is_new_phase {
                    self.next_line = Some(now + LINE_FIRST);
                }
                if is_news || self.next_line.is_none_or(|next| now >= next) {
                    self.next_line = Some(now + LINE_EVERY);
                    write(&format!("{}\n", line(progress, speed)));
                }
            }
        }
        self.trouble.clone_from(&progress.trouble);
    }

    /// Takes away what was drawn.
    pub(super) fn end(&self) {
        if self.mode == Mode::Drawn && self.phase.is_some() {
            write("\r\x1b[K");
        }
    }
}

/// How fast bytes come, over the last seconds.
#[derive(Debug, Default)]
struct Speed(VecDeque<(Instant, u64)>);

impl Speed {
    /// The speed, in bytes a second, when so many bytes are there; nothing until it can be told.
    fn after(&mut self, now: Instant, done: u64) -> Option<u64> {
        self.0.push_back((now, done));
        while self.0.len() > 2 && self.0.front().is_some_and(|(at, _)| now.duration_since(*at) > SPEED_WINDOW) {
            self.0.pop_front();
        }
        let (since, before) = *self.0.front()?;
        let millis = u64::try_from(now.duration_since(since).as_millis()).ok().filter(|millis| *millis >= 500)?;
        Some(done.saturating_sub(before).saturating_mul(1000) / millis)
    }
}

/// What is told, in one line.
fn line(progress: &Progress, speed: Option<u64>) -> String {
    if let Some(trouble) = &progress.trouble {
        return format!("waiting      {}", printable(trouble));
    }
    let what = match progress.phase {
        Phase::Resolving => return "resolving".to_owned(),
        Phase::Downloading => "downloading",
        Phase::Unpacking => "unpacking",
    };
    let (done, total) = (progress.bytes_done.min(progress.bytes_total), progress.bytes_total);
    if total == 0 {
        return what.to_owned();
    }
    let percent = u64::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(100);
    let mut line = format!("{what:<11}  {}  {percent:>3} %  {} of {}", bar(percent), bytes(done), bytes(total));
    if let Some(speed) = speed.filter(|speed| *speed > 0 && done < total) {
        line.push_str(&format!("  {}/s  {} left", bytes(speed), span((total - done).div_ceil(speed))));
    }
    line
}

fn bar(percent: u64) -> String {
    let full = usize::try_from(percent).unwrap_or(100) * BAR_WIDTH / 100;
    let head = if full > 0 && full < BAR_WIDTH { ">" } else { "" };
    let body = "=".repeat(full - head.len());
    format!("[{body}{head}{}]", " ".repeat(BAR_WIDTH - full))
}

fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A line that does not reach the edge, where a terminal would begin another.
fn fitted(line: &str, width: usize) -> String {
    line.chars().take(width.saturating_sub(1)).collect()
}

fn width() -> usize {
    let told = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).map(|size| usize::from(size.ws_col));
    told.ok().filter(|width| *width > 0).unwrap_or(WIDTH_DEFAULT)
}

fn draw(line: &str) {
    write(&format!("\r{line}\x1b[K"));
}

fn write(text: &str) {
    // That nobody reads any more is no reason to stop working.
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(phase: Phase, bytes_done: u64, bytes_total: u64) -> Progress {
        Progress { phase, bytes_done, bytes_total, ..Progress::default() }
    }

    #[test]
    fn a_line_tells_phase_share_size_speed_and_time_left() {
        let half = progress(Phase::Downloading, 165_000_000, 330_000_000);
        assert_eq!(
            line(&half, Some(33_000_000)),
            "downloading  [===========>            ]   50 %  165 MB of 330 MB  33.0 MB/s  5 s left"
        );
        assert_eq!(line(&half, None), "downloading  [===========>            ]   50 %  165 MB of 330 MB");
        assert_eq!(
            line(&progress(Phase::Unpacking, 7, 7), Some(7)),
            "unpacking    [========================]  100 %  7 B of 7 B"
        );
        assert_eq!(line(&progress(Phase::Resolving, 0, 0), None), "resolving");
        assert_eq!(line(&progress(Phase::Unpacking, 0, 0), None), "unpacking");
    }

    #[test]
    fn trouble_takes_the_lines_place_and_cannot_steer_the_terminal() {
        let trouble = Some("far.example\u{1b}[2J took too long".to_owned());
        let told = line(&Progress { trouble, ..progress(Phase::Downloading, 1, 2) }, None);
        assert_eq!(told, "waiting      far.example [2J took too long");
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut speed = Speed::default();
        assert_eq!(speed.after(at(0), 0), None);
        assert_eq!(speed.after(start + Duration::from_millis(100), 50), None, "too soon to tell");
        assert_eq!(speed.after(at(1), 1000), Some(1000));
        for second in 2..20 {
            speed.after(at(second), 1000 + (second - 1) * 50);
        }
        assert_eq!(speed.after(at(20), 1950), Some(50), "what was fast is long ago");
        assert_eq!(speed.after(at(21), 0), Some(0), "it may fall back");
    }

    #[test]
    fn a_line_stays_within_the_terminal() {
        let long = line(&progress(Phase::Downloading, 165_000_000, 330_000_000), Some(33_000_000));
        assert_eq!(fitted(&long, 40).chars().count(), 39);
        assert_eq!(fitted(&long, 0), "");
        assert_eq!(fitted("short", 80), "short");
    }

    #[test]
    fn bars_are_of_one_width() {
        for percent in 0..=100 {
            assert_eq!(bar(percent).len(), BAR_WIDTH + 2, "{percent}");
        }
    }
}
