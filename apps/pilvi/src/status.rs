//! `pilvi status`: whether Pilvi runs, and whether it answers.

mod node;
mod probe;

use std::process::ExitCode;

use anyhow::Result;
use base::{Clock, SystemClock, Timestamp};
use clap::{Args, ValueEnum};
use serde::Serialize;

use node::NodeStatus;

use crate::locate::{Found, Running, locate, nothing_runs};
use crate::reconcilers::Summary;
use crate::records::ServerRecord;
use crate::settings::Place;
use crate::terminal::{printable, printable_json, say};

/// The exit code when nothing runs, as `systemctl status` has it (LSB).
const NOT_RUNNING: u8 = 3;

/// Arguments of `pilvi status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    place: Place,
    /// Text for a person, or one JSON object
    #[arg(long, value_enum, default_value_t)]
    format: StatusFormat,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum StatusFormat {
    #[default]
    Text,
    Json,
}

/// What a Pilvi does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    /// It answers requests.
    Running,
    /// The supervisor runs, the server is not there yet.
    Starting,
    /// The server is there and does not answer as it should.
    Unhealthy,
    /// Nothing runs.
    Stopped,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supervisor: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restarts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerRecord>,
    /// The node, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<NodeStatus>,
    /// What goes on by itself in a server that answers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reconcilers: Vec<Summary>,
}

/// Prints the status. The exit code is 0 when Pilvi answers, 3 when it is not running, 1 in between.
///
/// # Errors
/// When the configuration is wrong or the data directory may not be read.
pub(crate) fn run(args: &StatusArgs) -> Result<ExitCode> {
    let status = match locate(&args.place)? {
        Found::Running(running) => of_running(*running),
        Found::Nothing(places) => Status {
            state: State::Stopped,
            reason: Some(nothing_runs(&places)),
            data_dir: None,
            supervisor: None,
            restarts: None,
            server: None,
            node: None,
            reconcilers: Vec::new(),
        },
    };
    match args.format {
        StatusFormat::Json => say(printable_json(&serde_json::to_string_pretty(&status)?)),
        StatusFormat::Text => text(&status, SystemClock.now()).iter().for_each(say),
    }
    Ok(match status.state {
        State::Running => ExitCode::SUCCESS,
        State::Stopped => ExitCode::from(NOT_RUNNING),
        State::Starting | State::Unhealthy => ExitCode::FAILURE,
    })
}

fn of_running(running: Running) -> Status {
    let (state, reason, reconcilers) = match &running.server {
        None => (State::Starting, None, Vec::new()),
        Some(server) => match probe::health(server) {
            // A server that was started before this program was upgraded may tell nothing of them.
            Ok(()) => (State::Running, None, probe::reconcilers(server).unwrap_or_default()),
            Err(error) => (State::Unhealthy, Some(format!("{error:#}")), Vec::new()),
        },
    };
    Status {
        state,
        reason,
        data_dir: Some(running.dir.path().display().to_string()),
        supervisor: running.up.as_ref().map(|up| up.pid),
        restarts: running.up.as_ref().map(|up| up.restarts),
        node: running.up.and_then(|up| up.node).map(NodeStatus::ask),
        server: running.server,
        reconcilers,
    }
}

fn text(status: &Status, now: Timestamp) -> Vec<String> {
    let Some(data_dir) = &status.data_dir else { return status.reason.clone().into_iter().collect() };
    let mut lines = vec![match (status.state, &status.reason) {
        (State::Unhealthy, Some(reason)) => format!("Pilvi does not answer: {}", printable(reason)),
        (State::Starting, _) => "Pilvi is starting".to_owned(),
        _ => "Pilvi is running".to_owned(),
    }];
    let mut row = |name: &str, value: String| lines.push(format!("  {name:<10}{}", printable(&value)));
    row("data", data_dir.clone());
    if let Some(server) = &status.server {
        row("endpoint", server.endpoint.clone());
        row("region", format!("{}, account {}", server.region, server.account));
        row("version", server.version.clone());
        let since =
            Timestamp::parse_iso8601(&server.started_at).map(|at| format!("for {}", span(now.since(at).as_secs())));
        row(
            "server",
            format!("process {}, {}", server.pid, since.unwrap_or_else(|_| "since an unknown time".to_owned())),
        );
    }
    if let Some(supervisor) = status.supervisor {
        let restarts = match status.restarts.unwrap_or(0) {
            0 => String::new(),
            1 => ", has restarted the server once".to_owned(),
            times => format!(", has restarted the server {times} times"),
        };
        row("up", format!("process {supervisor}{restarts}"));
        row(
            "node",
            status.node.as_ref().map_or_else(|| "none: only root can unpack images".to_owned(), NodeStatus::text),
        );
    }
    for failing in status.reconcilers.iter().filter(|one| one.failures_in_row > 0) {
        row("failing", failure(failing, now));
    }
    lines
}

/// What is to be said of a reconciler whose last rounds failed.
fn failure(reconciler: &Summary, now: Timestamp) -> String {
    let name = &reconciler.name;
    let times = match reconciler.failures_in_row {
        1 => "its last round failed".to_owned(),
        times => format!("its last {times} rounds failed"),
    };
    let finished = reconciler.last.as_ref().and_then(|last| Timestamp::parse_iso8601(&last.finished).ok());
    let since = finished.map(|at| format!(", {} ago", span(now.since(at).as_secs()))).unwrap_or_default();
    format!("{name}: {times}{since}; the log says why")
}

/// A span of time in its two largest units.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::reconcilers::{LastRound, Outcome};

    #[test]
    fn a_record_that_a_captured_server_wrote_cannot_steer_the_terminal() {
        let hostile = "\u{1b}]0;title\u{7}\n".to_owned();
        let server = ServerRecord {
            pid: 1,
            endpoint: hostile.clone(),
            region: base::Region::default(),
            account: base::AccountId::DEFAULT,
            version: hostile.clone(),
            started_at: hostile.clone(),
            ca_bundle: None,
            certificate_sha256: None,
        };
        let status = Status {
            state: State::Unhealthy,
            reason: Some(hostile.clone()),
            data_dir: Some("/data".to_owned()),
            supervisor: None,
            restarts: None,
            server: Some(server),
            node: Some(NodeStatus::silent(&hostile)),
            reconcilers: vec![Summary { name: hostile.clone(), ..summary(1) }],
        };
        let lines = text(&status, Timestamp::default());
        assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
    }

    fn summary(failures_in_row: u32) -> Summary {
        Summary {
            name: "logs/retention".to_owned(),
            rounds: 5,
            failures: 4,
            failures_in_row,
            running_since: None,
            last: Some(LastRound {
                outcome: Outcome::Failed,
                finished: "1970-01-01T00:01:00Z".to_owned(),
                seconds: 0.5,
            }),
            next_due: None,
        }
    }

    #[test]
    fn a_line_tells_each_reconciler_that_fails_and_none_that_works() {
        let status = Status {
            state: State::Running,
            reason: None,
            data_dir: Some("/data".to_owned()),
            supervisor: None,
            restarts: None,
            server: None,
            node: None,
            reconcilers: vec![summary(0), summary(3)],
        };
        let lines = text(&status, Timestamp::from_millis(120_000));
        let failing: Vec<_> = lines.iter().filter(|line| line.contains("failing")).collect();
        assert_eq!(failing, ["  failing   logs/retention: its last 3 rounds failed, 1 min 0 s ago; the log says why"]);
    }

    #[test]
    fn spans_show_their_two_largest_units() {
        assert_eq!(span(59), "59 s");
        assert_eq!(span(61), "1 min 1 s");
        assert_eq!(span(7260), "2 h 1 min");
        assert_eq!(span(90_000), "1 d 1 h");
    }
}
