//! `pilvi logs`: what a container wrote, or the events of a log group; and with `-f` what follows.

use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use base::{Clock, SystemClock, Timestamp};
use clap::Args;
use serde_json::{Value, json};

use crate::client::{Api, JsonService};
use crate::control_socket::workloads::{WorkloadAnswer, WorkloadRequest};
use crate::locate::{Running, running};
use crate::run::of_signal;
use crate::settings::Place;
use crate::terminal::{printable, say};
use crate::workload_cli::{DetachKeys, Manner, Outcome, Tie, ask, in_runtime, talk};

const LOGS: JsonService = JsonService { name: "logs", target: "Logs_20140328" };
/// How often new events are asked for.
const PERIOD: Duration = Duration::from_secs(1);
/// Events of one stream may be written a little later than those of another: so far back is looked again, in milliseconds.
const LOOK_BACK_MS: i64 = 10_000;

/// Arguments of `pilvi logs`.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The container, by name or id; or the log group
    #[arg(value_name = "CONTAINER|GROUP")]
    group: String,
    /// Go on with the events that follow, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Of a container: only so many lines of what there is
    #[arg(short = 'n', long, value_name = "LINES", value_parser = lines_at_end)]
    tail: Option<LinesAtEnd>,
    /// Of a container: which, of several that belong together
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// Of a log group: begin so long ago: 30s, 10m, 2h, 7d
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = span)]
    since: Duration,
    /// Of a log group: only events that match this filter pattern
    #[arg(long, value_name = "PATTERN")]
    filter: Option<String>,
    /// Of a log group: only streams whose names begin so
    #[arg(long, value_name = "PREFIX")]
    stream_prefix: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// How many lines at the end; none means all.
#[derive(Debug, Clone, Copy)]
struct LinesAtEnd(Option<u64>);

fn lines_at_end(text: &str) -> Result<LinesAtEnd, String> {
    match text {
        "all" => Ok(LinesAtEnd(None)),
        text => {
            text.parse().map(|lines| LinesAtEnd(Some(lines))).map_err(|_| format!("`{text}` is no number of lines"))
        }
    }
}

/// Prints what a container wrote, or the events of a log group, oldest first.
///
/// # Errors
/// When nothing runs, or there is neither such a container nor such a group.
pub(crate) fn run(args: &LogsArgs) -> Result<ExitCode> {
    let running = running(&args.place)?;
    // Of the names of log groups few could be a container's; those of the flags that only groups have decide.
    let is_group = args.group.contains('/') || args.filter.is_some() || args.stream_prefix.is_some();
    if !is_group && let Some(code) = of_container(args, &running)? {
        return Ok(code);
    }
    of_group(args, &running)
}

/// Prints what a container wrote; nothing if there is no such container.
fn of_container(args: &LogsArgs, running: &Running) -> Result<Option<ExitCode>> {
    let output = |tail_lines, follow| WorkloadRequest::Output {
        workload: args.group.clone(),
        container: args.container.clone(),
        tail_lines,
        follow,
    };
    // Asked before signals are listened to, which cannot be undone: Ctrl-C is to end what follows a group.
    if matches!(ask(&running.dir, output(Some(0), false)), Ok(WorkloadAnswer::NotThere)) {
        return Ok(None);
    }
    let request = output(args.tail.and_then(|tail| tail.0), args.follow);
    let manner = Manner {
        dir: running.dir.clone(),
        tty: false,
        stdin: false,
        detach_keys: DetachKeys::default(),
        tie: Tie::Loose,
        cidfile: None,
        is_shown: io::stdout().is_terminal(),
    };
    Ok(match in_runtime(talk(&manner, request))? {
        Outcome::NotThere => None,
        Outcome::Signalled(number) => Some(ExitCode::from(of_signal(number))),
        _ => Some(ExitCode::SUCCESS),
    })
}

fn of_group(args: &LogsArgs, running: &Running) -> Result<ExitCode> {
    let mut tail = Tail {
        api: Api::of(running)?,
        args,
        start_ms: SystemClock.now().as_millis() - i64::try_from(args.since.as_millis()).unwrap_or(i64::MAX),
        newest_ms: 0,
        seen: HashSet::new(),
    };
    loop {
        tail.round()?;
        if !args.follow {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(PERIOD);
    }
}

/// Where in the group we are.
struct Tail<'a> {
    api: Api,
    args: &'a LogsArgs,
    start_ms: i64,
    newest_ms: i64,
    /// The ids of the events since `start_ms` that have been printed.
    seen: HashSet<(i64, String)>,
}

impl Tail<'_> {
    /// Prints what is new.
    fn round(&mut self) -> Result<()> {
        let mut next: Option<String> = None;
        loop {
            let answer = self.api.call(LOGS, "FilterLogEvents", &self.request(next.as_deref()))?;
            for event in answer["events"].as_array().into_iter().flatten() {
                self.print(event);
            }
            next = answer["nextToken"].as_str().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
        self.start_ms = self.start_ms.max(self.newest_ms - LOOK_BACK_MS);
        let start_ms = self.start_ms;
        self.seen.retain(|(at, _)| *at >= start_ms);
        Ok(())
    }

    fn request(&self, next: Option<&str>) -> Value {
        let mut request = json!({ "logGroupName": self.args.group, "startTime": self.start_ms.max(0) });
        for (name, value) in [
            ("filterPattern", self.args.filter.as_deref()),
            ("logStreamNamePrefix", self.args.stream_prefix.as_deref()),
            ("nextToken", next),
        ] {
            if let Some(value) = value {
                request[name] = value.into();
            }
        }
        request
    }

    fn print(&mut self, event: &Value) {
        let at = event["timestamp"].as_i64().unwrap_or_default();
        let id = event["eventId"].as_str().unwrap_or_default().to_owned();
        self.newest_ms = self.newest_ms.max(at);
        if self.seen.insert((at, id)) {
            say(line(at, event));
        }
    }
}

fn line(at: i64, event: &Value) -> String {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    // A container writes what it likes; the terminal is somebody else's.
    let message = text("message").trim_end_matches(['\n', '\r']);
    format!("{} {} {}", Timestamp::from_millis(at).iso8601(), printable(text("logStreamName")), printable(message))
}

fn span(text: &str) -> Result<Duration, String> {
    let invalid = || format!("`{text}` is no span of time: write 30s, 10m, 2h or 7d");
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
    let number: u64 = text[..unit_at].parse().map_err(|_| invalid())?;
    let unit = match &text[unit_at..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(invalid()),
    };
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_units() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("2h"), Ok(Duration::from_secs(7200)));
        for wrong in ["", "10", "m", "1w", "-1s", "99999999999999999999s", "18446744073709551615d"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        let event = json!({ "logStreamName": "a/b", "message": "\u{1b}]0;title\u{7}done\r\n" });
        let line = line(0, &event);
        assert_eq!(line, "1970-01-01T00:00:00Z a/b  ]0;title done");
        assert!(!line.contains(char::is_control));
    }
}
