//! What Lambda itself writes into a function's log: when an environment begins, and when an execution begins, ends, and what it
//! took. As text, or as the records that the Telemetry API calls `platform.…`.
//!
//! Source: developer guide, "Working with Lambda function logs", "Lambda Telemetry API Event schema reference" and "System log
//! level event mapping".

use std::time::Duration;

use base::Timestamp;
use serde_json::{Map, Value, json};

use crate::api::SystemLogLevel;
use crate::configuration::LogFormat;

/// What kind of environments these are: made because somebody called.
const ON_DEMAND: &str = "on-demand";

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status<'a> {
    /// Well.
    Success,
    /// Not at all.
    Timeout,
    /// With an error of this type.
    Error(&'a str),
}

/// What Lambda has to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Said<'a> {
    /// An environment begins.
    InitStart {
        /// Its runtime, or `image`.
        runtime: &'a str,
    },
    /// An environment has begun, or has not. Text tells of failures alone: of success the first execution's report does.
    InitReport {
        /// How it ended.
        status: Status<'a>,
        /// How long it took.
        took: Duration,
        /// `init`, or `invoke` where it was tried again during an execution.
        phase: &'a str,
    },
    /// An execution begins.
    Start {
        /// The request.
        request_id: &'a str,
        /// The version that runs.
        version: &'a str,
    },
    /// The function is done, well or not; records alone tell of it.
    RuntimeDone {
        /// The request.
        request_id: &'a str,
        /// How it ended.
        status: Status<'a>,
        /// How long it took.
        took: Duration,
        /// How many bytes it answered.
        produced_bytes: u64,
    },
    /// Time is over.
    TimedOut {
        /// The request.
        request_id: &'a str,
        /// What it had.
        timeout: Duration,
    },
    /// An execution ends; text alone tells of it.
    End {
        /// The request.
        request_id: &'a str,
    },
    /// What an execution took.
    Report(Report<'a>),
}

/// What an execution took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report<'a> {
    /// The request.
    pub request_id: &'a str,
    /// How it ended.
    pub status: Status<'a>,
    /// How long it took, without what it took to begin.
    pub took: Duration,
    /// How long the environment took to begin, if it began for this request.
    pub init: Option<Duration>,
    /// What the function may use, in MiB.
    pub memory_mib: u32,
    /// What its environment has used at most, in bytes.
    pub memory_bytes_used: u64,
    /// The trace that it belongs to.
    pub trace: Option<&'a str>,
}

impl Report<'_> {
    /// What is to be paid, in milliseconds: all time that was begun, that for beginning included. (Since August 2025 AWS bills that
    /// for every kind of function.)
    pub fn billed_ms(&self) -> u64 {
        let whole = self.took + self.init.unwrap_or_default();
        u64::try_from(whole.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    fn used_mib(&self) -> u64 {
        self.memory_bytes_used.div_ceil(1024 * 1024).min(u64::from(self.memory_mib))
    }
}

impl<'a> Status<'a> {
    fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error(_) => "error",
        }
    }

    fn error_type(self) -> Option<&'a str> {
        match self {
            Self::Error(error_type) => Some(error_type),
            _ => None,
        }
    }

    fn of_failure(self) -> String {
        match self {
            Self::Success => String::new(),
            Self::Timeout => "\tStatus: timeout".to_owned(),
            Self::Error(error_type) => format!("\tStatus: error\tError Type: {error_type}"),
        }
    }
}

impl Said<'_> {
    /// How it stands in the log; none if it does not.
    pub fn line(&self, format: LogFormat, at: Timestamp) -> Option<String> {
        match format {
            LogFormat::Text => self.text(at),
            LogFormat::Json { system, .. } => self.record(at, system),
        }
    }

    fn text(&self, at: Timestamp) -> Option<String> {
        Some(match self {
            Self::InitStart { runtime } => format!("INIT_START Runtime Version: {runtime}"),
            Self::InitReport { status: Status::Success, .. } | Self::RuntimeDone { .. } => return None,
            Self::InitReport { status, took, phase } => {
                format!("INIT_REPORT Init Duration: {} ms\tPhase: {phase}{}", ms(*took), status.of_failure())
            }
            Self::Start { request_id, version } => format!("START RequestId: {request_id} Version: {version}"),
            Self::TimedOut { request_id, timeout } => {
                format!("{} {}", at.iso8601(), timed_out(request_id, *timeout))
            }
            Self::End { request_id } => format!("END RequestId: {request_id}"),
            Self::Report(report) => report.text(),
        })
    }

    fn record(&self, at: Timestamp, from: SystemLogLevel) -> Option<String> {
        let (name, level, record) = match self {
            Self::InitStart { runtime } => {
                let record = json!({ "initializationType": ON_DEMAND, "phase": "init", "runtimeVersion": runtime });
                ("initStart", SystemLogLevel::Info, record)
            }
            Self::InitReport { status, took, phase } => {
                let mut record = json!({ "initializationType": ON_DEMAND, "phase": phase, "status": status.word() });
                record["metrics"] = json!({ "durationMs": number(*took) });
                add_error(&mut record, *status);
                ("initReport", level_of(*status, SystemLogLevel::Info), record)
            }
            Self::Start { request_id, version } => {
                ("start", SystemLogLevel::Info, json!({ "requestId": request_id, "version": version }))
            }
            Self::RuntimeDone { request_id, status, took, produced_bytes } => {
                let mut record = json!({ "requestId": request_id, "status": status.word() });
                record["metrics"] = json!({ "durationMs": number(*took), "producedBytes": produced_bytes });
                add_error(&mut record, *status);
                ("runtimeDone", level_of(*status, SystemLogLevel::Debug), record)
            }
            Self::TimedOut { .. } | Self::End { .. } => return None,
            Self::Report(report) => ("report", level_of(report.status, SystemLogLevel::Info), report.record()),
        };
        let said = json!({ "time": at.iso8601(), "type": format!("platform.{name}"), "record": record });
        (rank(level) >= rank(from)).then(|| said.to_string())
    }
}

impl Report<'_> {
    fn text(&self) -> String {
        let mut text = format!(
            "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.request_id,
            ms(self.took),
            self.billed_ms(),
            self.memory_mib,
            self.used_mib(),
        );
        if let Some(init) = self.init {
            text += &format!("Init Duration: {} ms\t", ms(init));
        }
        text += self.status.of_failure().trim_start();
        if let Some((trace, segment)) = self.trace.and_then(traced) {
            text += &format!("\nXRAY TraceId: {trace}\tSegmentId: {segment}\tSampled: true\t");
        }
        text
    }

    fn record(&self) -> Value {
        let mut metrics = Map::new();
        metrics.insert("durationMs".to_owned(), number(self.took));
        metrics.insert("billedDurationMs".to_owned(), self.billed_ms().into());
        metrics.insert("memorySizeMB".to_owned(), self.memory_mib.into());
        metrics.insert("maxMemoryUsedMB".to_owned(), self.used_mib().into());
        if let Some(init) = self.init {
            metrics.insert("initDurationMs".to_owned(), number(init));
        }
        let mut record = json!({ "requestId": self.request_id, "status": self.status.word(), "metrics": metrics });
        add_error(&mut record, self.status);
        record
    }
}

/// What the caller is told of an execution that was not over in time.
pub fn timed_out(request_id: &str, timeout: Duration) -> String {
    format!("{request_id} Task timed out after {:.2} seconds", timeout.as_secs_f64())
}

/// The trace's and the segment's ids of a sampled trace's header.
fn traced(header: &str) -> Option<(&str, &str)> {
    let value = |name: &str| header.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
    let root = value("Root")?;
    (value("Sampled") == Some("1")).then(|| (root, value("Parent").unwrap_or_default()))
}

fn add_error(record: &mut Value, status: Status<'_>) {
    if let Some(error_type) = status.error_type() {
        record["errorType"] = error_type.into();
    }
}

/// Failures are warnings.
fn level_of(status: Status<'_>, of_success: SystemLogLevel) -> SystemLogLevel {
    if status == Status::Success { of_success } else { SystemLogLevel::Warn }
}

fn rank(level: SystemLogLevel) -> u8 {
    match level {
        SystemLogLevel::Debug => 0,
        SystemLogLevel::Info => 1,
        SystemLogLevel::Warn => 2,
    }
}

fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

/// The same as a number: microseconds count.
fn number(duration: Duration) -> Value {
    let micros = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    (f64::from(micros) / 1000.0).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ApplicationLogLevel;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_123);

    fn report() -> Report<'static> {
        Report {
            request_id: "r",
            status: Status::Success,
            took: Duration::from_micros(3_010),
            init: None,
            memory_mib: 128,
            memory_bytes_used: 36 * 1024 * 1024 - 5,
            trace: None,
        }
    }

    fn text(said: Said<'_>) -> String {
        said.line(LogFormat::Text, AT).unwrap()
    }

    fn record(said: Said<'_>, system: SystemLogLevel) -> Option<Value> {
        let line = said.line(LogFormat::Json { application: ApplicationLogLevel::Info, system }, AT)?;
        Some(serde_json::from_str(&line).unwrap())
    }

    #[test]
    fn text_is_as_people_know_it() {
        assert_eq!(text(Said::Start { request_id: "r", version: "$LATEST" }), "START RequestId: r Version: $LATEST");
        assert_eq!(text(Said::End { request_id: "r" }), "END RequestId: r");
        assert_eq!(
            text(Said::Report(report())),
            "REPORT RequestId: r\tDuration: 3.01 ms\tBilled Duration: 4 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t"
        );
        let timeout = Duration::from_secs(3);
        let line = text(Said::TimedOut { request_id: "r", timeout });
        assert_eq!(line, "2023-11-14T22:13:20.123Z r Task timed out after 3.00 seconds");
        let failed = Said::InitReport { status: Status::Timeout, took: Duration::from_millis(10_000), phase: "init" };
        assert_eq!(text(failed), "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout");
        let fine = Said::InitReport { status: Status::Success, took: Duration::ZERO, phase: "init" };
        assert_eq!(fine.line(LogFormat::Text, AT), None);
    }

    #[test]
    fn beginning_is_billed_and_told_with_the_first_execution() {
        let first = Report { init: Some(Duration::from_micros(110_100)), ..report() };
        assert_eq!(first.billed_ms(), 114);
        assert!(text(Said::Report(first)).ends_with("\tInit Duration: 110.10 ms\t"));
        let exact = Report { took: Duration::from_millis(3), ..report() };
        assert_eq!(exact.billed_ms(), 3);
    }

    #[test]
    fn failures_are_told_by_their_types() {
        let failed = Report { status: Status::Error("Runtime.ExitError"), ..report() };
        assert!(text(Said::Report(failed)).ends_with("36 MB\tStatus: error\tError Type: Runtime.ExitError"));
        let told = record(Said::Report(failed), SystemLogLevel::Warn).unwrap();
        assert_eq!(
            (&told["record"]["errorType"], &told["record"]["status"]),
            (&json!("Runtime.ExitError"), &json!("error"))
        );
    }

    #[test]
    fn records_have_levels_and_what_is_below_is_left_out() {
        let start = Said::Start { request_id: "r", version: "7" };
        let told = record(start, SystemLogLevel::Info).unwrap();
        let expected = json!({
            "time": "2023-11-14T22:13:20.123Z",
            "type": "platform.start",
            "record": { "requestId": "r", "version": "7" },
        });
        assert_eq!(told, expected);
        assert_eq!(record(start, SystemLogLevel::Warn), None);
        let done =
            Said::RuntimeDone { request_id: "r", status: Status::Success, took: Duration::ZERO, produced_bytes: 2 };
        assert_eq!(record(done, SystemLogLevel::Info), None);
        assert_eq!(record(done, SystemLogLevel::Debug).unwrap()["record"]["metrics"]["producedBytes"], 2);
        let metrics = &record(Said::Report(report()), SystemLogLevel::Info).unwrap()["record"]["metrics"];
        assert_eq!((&metrics["durationMs"], &metrics["billedDurationMs"]), (&json!(3.01), &json!(4)));
    }

    #[test]
    fn a_sampled_trace_is_told() {
        let traced = Report { trace: Some("Root=1-5;Parent=ab;Sampled=1"), ..report() };
        assert!(text(Said::Report(traced)).ends_with("\t\nXRAY TraceId: 1-5\tSegmentId: ab\tSampled: true\t"));
        let unsampled = Report { trace: Some("Root=1-5;Sampled=0"), ..report() };
        assert!(!text(Said::Report(unsampled)).contains("XRAY"));
    }
}
