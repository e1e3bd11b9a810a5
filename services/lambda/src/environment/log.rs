//! What Lambda says of an environment in its function's log.

use std::sync::Arc;
use std::time::Duration;

use base::Clock;

use super::answer::{Answer, Outcome};
use super::lifecycle::{Facts, InitFailed, Work};
use super::lines::{Report, Said, Status};
use super::output::Output;
use super::pool::Place;
use crate::executor::Invocation;

/// The log of one environment. Cheap to clone.
#[derive(Clone)]
pub(super) struct Log {
    facts: Arc<Facts>,
    clock: Arc<dyn Clock>,
    output: Output,
}

/// An execution that is over.
pub(super) struct Execution<'a> {
    pub(super) invocation: &'a Invocation,
    /// How it ended for its environment.
    pub(super) status: Status<'a>,
    /// How it ended for its runtime, which may say of an error.
    pub(super) of_runtime: Status<'a>,
    pub(super) took: Duration,
    /// How long the environment took to begin for it.
    pub(super) init: Option<Duration>,
    pub(super) produced_bytes: u64,
    pub(super) memory_bytes_used: u64,
}

impl Log {
    pub(super) fn new(facts: Arc<Facts>, clock: Arc<dyn Clock>, output: Output) -> Self {
        Self { facts, clock, output }
    }

    /// What the environment is of.
    pub(super) fn facts(&self) -> Arc<Facts> {
        self.facts.clone()
    }

    pub(super) async fn say(&self, said: &Said<'_>) {
        let at = self.clock.now();
        self.output.line(at, said.line(self.facts.log_format, at)).await;
    }

    /// An execution begins.
    pub(super) async fn begins(&self, request_id: &str) {
        self.output.begins().await;
        self.say(&Said::Start { request_id, version: &self.facts.version }).await;
    }

    /// Says what an execution took. Answers the end of its output, if that is wanted.
    pub(super) async fn ends(&self, execution: &Execution<'_>) -> Option<Vec<u8>> {
        let &Execution { invocation, status, of_runtime, took, init, produced_bytes, memory_bytes_used } = execution;
        let request_id = invocation.request_id.as_str();
        let mut said = vec![Said::RuntimeDone { request_id, status: of_runtime, took, produced_bytes }];
        if status == Status::Timeout {
            said.push(Said::TimedOut { request_id, timeout: self.facts.timeout });
        }
        said.push(Said::End { request_id });
        let (memory_mib, trace) = (self.facts.memory_mib, invocation.trace.as_deref());
        said.push(Said::Report(Report { request_id, status, took, init, memory_mib, memory_bytes_used, trace }));
        let at = self.clock.now();
        let lines = said.iter().filter_map(|said| said.line(self.facts.log_format, at)).collect();
        self.output.ends(at, lines, invocation.wants_log_tail).await
    }

    /// An execution ends before it has begun, since the function cannot: that is said, and its caller told.
    pub(super) async fn fails(&self, work: Work, failed: &InitFailed, took: Duration, place: &Place) {
        let Work { invocation, reply, _permit } = work;
        let took = took.min(self.facts.timeout);
        let status = failed.status();
        self.begins(&invocation.request_id).await;
        let tail = self
            .ends(&Execution {
                invocation: &invocation,
                status,
                of_runtime: status,
                took,
                init: None,
                produced_bytes: 0,
                memory_bytes_used: 0,
            })
            .await;
        let payload = failed.answered(&invocation.request_id, self.facts.timeout);
        let outcome = Outcome { payload, error: Some(failed.error_type()), produced_bytes: 0, is_answered: true };
        Answer::new(reply, &self.facts.version, place).end(&outcome, tail).await;
    }
}
