//! What a node says of itself.

use std::path::PathBuf;
use std::time::Duration;

use node::client::Node;
use node::protocol::{Status, Usage};
use serde::Serialize;

use crate::records::NodeRecord;

/// A node on this machine that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// A node, as its supervisor and it itself tell of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    directory: PathBuf,
    restarts: u64,
    /// Why it does not answer; none if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What it says; none if it does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    pid: u32,
    version: String,
    started_at: String,
    preparing: u32,
    waiting: u32,
    usage: Usage,
}

impl From<Status> for Answer {
    fn from(status: Status) -> Self {
        let Status { pid, program, started_at, preparing, waiting, usage } = status;
        Self { pid, version: program, started_at: started_at.iso8601(), preparing, waiting, usage }
    }
}

impl NodeStatus {
    /// Asks the node of a running Pilvi.
    pub(super) fn ask(record: NodeRecord) -> Self {
        let NodeRecord { pid, directory, socket, restarts } = record;
        let (answer, reason) = match pid.map(|_| answer_at(socket)) {
            Some(Ok(answer)) => (Some(answer), None),
            Some(Err(reason)) => (None, Some(reason)),
            None => (None, Some("it is not running".to_owned())),
        };
        Self { pid, directory, restarts, reason, answer }
    }

    #[cfg(test)]
    pub(super) fn silent(reason: &str) -> Self {
        Self { pid: None, directory: reason.into(), restarts: 0, reason: Some(reason.to_owned()), answer: None }
    }

    /// One line for a person.
    pub(super) fn text(&self) -> String {
        let directory = self.directory.display();
        let process = self.pid.map(|pid| format!("process {pid}, ")).unwrap_or_default();
        let restarts = match self.restarts {
            0 => String::new(),
            1 => ", restarted once".to_owned(),
            times => format!(", restarted {times} times"),
        };
        let state = match (&self.answer, &self.reason) {
            (Some(answer), _) => work(answer),
            (None, Some(reason)) => format!("does not answer: {reason}"),
            (None, None) => "does not answer".to_owned(),
        };
        format!("{process}{directory}{restarts}: {state}")
    }
}

fn answer_at(socket: PathBuf) -> Result<Answer, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    let asked = runtime.block_on(async { tokio::time::timeout(PATIENCE, Node::at(socket).status()).await });
    let answered = asked.map_err(|_| format!("no word within {} s", PATIENCE.as_secs()))?;
    answered.map(Answer::from).map_err(|error| error.to_string())
}

fn work(status: &Answer) -> String {
    let usage = &status.usage;
    let now = match (status.preparing, status.waiting) {
        (0, _) => String::new(),
        (preparing, 0) => format!(", {preparing} being prepared"),
        (preparing, waiting) => format!(", {preparing} being prepared and {waiting} waiting"),
    };
    format!("{} images, {} layers, {}{now}", usage.images, usage.layers, size(usage.bytes))
}

fn size(bytes: u64) -> String {
    if bytes >= GIB { format!("{:.1} GiB", bytes as f64 / GIB as f64) } else { format!("{} MiB", bytes.div_ceil(MIB)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_told_of_in_one_line() {
        let usage = node::protocol::Usage { images: 3, layers: 7, bytes: 3 * GIB / 2, ..Default::default() };
        let (pid, program, started_at) = (8, "0".to_owned(), base::Timestamp::default());
        let answer = Status { pid, program, started_at, preparing: 1, waiting: 2, usage };
        let mut status = NodeStatus {
            pid: Some(8),
            directory: "/var/lib/pilvi-node/x".into(),
            restarts: 1,
            reason: None,
            answer: Some(answer.into()),
        };
        let expected = "process 8, /var/lib/pilvi-node/x, restarted once: 3 images, 7 layers, 1.5 GiB, 1 being prepared \
                        and 2 waiting";
        assert_eq!(status.text(), expected);
        (status.answer, status.reason, status.pid) = (None, Some("it is not running".to_owned()), None);
        assert_eq!(status.text(), "/var/lib/pilvi-node/x, restarted once: does not answer: it is not running");
    }
}
