//! Denials, with the statements that decided: what `pilvi why-denied` tells.
//!
//! They go to a file in the data directory, one JSON object a line, oldest first. Two files of a bounded size are kept.
//! Writing happens on a thread of its own and never holds up a request; what it cannot keep up with is dropped and counted
//! in the next line.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use policy::{Decided, Decision, Effect, PolicyKind, Reason, Request};
use serde::{Deserialize, Serialize};

use crate::Ctx;

/// The newest denials.
const FILE: &str = "denied.jsonl";
/// Those before.
const OLDER_FILE: &str = "denied.1.jsonl";
/// When a file is put aside, in bytes.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// What is kept of the name of a resource, in bytes. Some requests may name it in megabytes, which would crowd out all other
/// denials.
const RESOURCE_BYTES_MAX: usize = 4096;
/// How many lines may wait to be written.
const WAITING_MAX: usize = 1024;
/// The longest line that is read back, in bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// One denial as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// The request's id, which the client was given.
    pub request_id: String,
    /// When it came in, RFC 3339.
    pub time: String,
    /// The ARN of whoever asked.
    pub principal: String,
    /// What was asked: `ecs:RunTask`.
    pub action: String,
    /// Of what.
    pub resource: String,
    /// Why it was denied, in one sentence.
    pub reason: String,
    /// The statements that applied.
    pub statements: Vec<DenialStatement>,
    /// How many denials before this one were not written down.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

/// One statement that applied to a denied request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DenialStatement {
    /// `identity-based policy`, `permissions boundary` and so on.
    pub kind: String,
    /// The policy's ARN or name.
    pub policy: String,
    /// The statement's place in it, from 1.
    pub statement: usize,
    /// Its `Sid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// `Allow` or `Deny`.
    pub effect: String,
}

/// Where denials go. The default forgets them.
#[derive(Debug, Default)]
pub struct Denials {
    lines: Option<SyncSender<Denial>>,
    /// Not written down since the last one that was.
    dropped: AtomicU64,
    dropped_in_all: AtomicU64,
}

impl Denials {
    /// Keeps denials in `folder`, which exists and is its owner's alone.
    ///
    /// # Errors
    /// When the file cannot be opened or the thread not be started.
    pub fn in_folder(folder: &Path) -> std::io::Result<Self> {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let mut log = Log::open(folder)?;
        std::thread::Builder::new().name("denials".to_owned()).spawn(move || log.run(&waiting))?;
        Ok(Self { lines: Some(lines), ..Self::default() })
    }

    /// Writes a denial down, soon.
    pub(crate) fn note(&self, ctx: &Ctx, request: &Request<'_>, decision: &Decision) {
        let Some(lines) = &self.lines else { return };
        let denial = Denial {
            request_id: ctx.request_id.clone(),
            time: ctx.now.iso8601(),
            principal: request.principal.arn.to_string(),
            action: request.action.to_owned(),
            resource: cut(request.resource),
            reason: reason(decision),
            statements: decision.statements.iter().map(statement).collect(),
            dropped: self.dropped.swap(0, Ordering::Relaxed),
        };
        let dropped = denial.dropped;
        if lines.try_send(denial).is_err() {
            self.dropped.fetch_add(dropped + 1, Ordering::Relaxed);
            self.dropped_in_all.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many denials were not written down since the process started.
    pub fn dropped_in_all(&self) -> u64 {
        self.dropped_in_all.load(Ordering::Relaxed)
    }
}

/// Every denial of a request that is still kept: one request can meet several.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn find(folder: &Path, request_id: &str) -> std::io::Result<Vec<Denial>> {
    let mut found = Vec::new();
    each(folder, |denial| {
        if denial.request_id == request_id {
            found.push(denial);
        }
    })?;
    Ok(found)
}

/// The newest denial that is kept.
///
/// # Errors
/// When a file is there and cannot be read.
pub fn newest(folder: &Path) -> std::io::Result<Option<Denial>> {
    let mut newest = None;
    each(folder, |denial| newest = Some(denial))?;
    Ok(newest)
}

/// Reads every denial that is kept, oldest first.
fn each(folder: &Path, mut take: impl FnMut(Denial)) -> std::io::Result<()> {
    for name in [OLDER_FILE, FILE] {
        let file = match File::open(folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in BufReader::new(file).split(b'\n') {
            let line = line?;
            // A line that broke off when the process died is passed over.
            let denial = (line.len() <= LINE_BYTES_MAX).then(|| serde_json::from_slice::<Denial>(&line));
            denial.and_then(Result::ok).into_iter().for_each(&mut take);
        }
    }
    Ok(())
}

/// The file that is written.
struct Log {
    folder: PathBuf,
    file: File,
    size: u64,
}

impl Log {
    fn open(folder: &Path) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(folder.join(FILE))?;
        let size = file.metadata()?.len();
        let mut log = Self { folder: folder.to_owned(), file, size };
        if size > 0 {
            // The last line may have broken off.
            log.append(b"\n")?;
        }
        Ok(log)
    }

    fn run(&mut self, waiting: &Receiver<Denial>) {
        while let Ok(denial) = waiting.recv() {
            let mut line = serde_json::to_vec(&denial)
                .expect("a denial has only texts and numbers, so serde_json cannot refuse it");
            line.push(b'\n');
            if let Err(error) = self.append(&line) {
                tracing::warn!(%error, "a denial could not be written down");
            }
        }
    }

    fn append(&mut self, line: &[u8]) -> std::io::Result<()> {
        if self.size + line.len() as u64 > FILE_BYTES_MAX {
            std::fs::rename(self.folder.join(FILE), self.folder.join(OLDER_FILE))?;
            self.file = OpenOptions::new().create(true).append(true).mode(0o600).open(self.folder.join(FILE))?;
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }
}

fn cut(resource: &str) -> String {
    let end = resource.floor_char_boundary(RESOURCE_BYTES_MAX);
    let more = if end < resource.len() { "…" } else { "" };
    format!("{}{more}", &resource[..end])
}

fn reason(decision: &Decision) -> String {
    match decision.denied {
        Some(Reason::Explicit(kind)) => format!("a statement of {} denies it", with_article(kind)),
        Some(Reason::Implicit(kind)) => format!("no {} allows it", name(kind)),
        None => "it is allowed".to_owned(),
    }
}

fn statement(decided: &Decided) -> DenialStatement {
    DenialStatement {
        kind: name(decided.kind).to_owned(),
        policy: decided.policy.clone(),
        statement: decided.statement + 1,
        sid: decided.sid.clone(),
        effect: if decided.effect == Effect::Allow { "Allow" } else { "Deny" }.to_owned(),
    }
}

fn name(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::Identity => "identity-based policy",
        PolicyKind::Resource => "resource-based policy",
        PolicyKind::Boundary => "permissions boundary",
        PolicyKind::Session => "session policy",
    }
}

fn with_article(kind: PolicyKind) -> String {
    format!("{} {}", if kind == PolicyKind::Identity { "an" } else { "a" }, name(kind))
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(id: usize) -> Denial {
        Denial {
            request_id: format!("request-{id}"),
            time: "2026-01-01T00:00:00Z".to_owned(),
            principal: "arn:aws:iam::111111111111:user/a".to_owned(),
            action: "ecs:CreateCluster".to_owned(),
            resource: "x".repeat(1000),
            reason: "no identity-based policy allows it".to_owned(),
            statements: Vec::new(),
            dropped: 0,
        }
    }

    /// Writes denials as the thread does.
    fn write(folder: &Path, denials: impl Iterator<Item = Denial>) {
        let (lines, waiting) = sync_channel(WAITING_MAX);
        let mut log = Log::open(folder).unwrap();
        let writer = std::thread::spawn(move || log.run(&waiting));
        denials.for_each(|denial| lines.send(denial).unwrap());
        drop(lines);
        writer.join().unwrap();
    }

    #[test]
    fn a_denial_is_found_by_its_request_and_the_newest_without() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(folder.path()).unwrap(), None);
        write(folder.path(), (0..3).map(denial));
        assert_eq!(find(folder.path(), "request-1").unwrap(), [denial(1)]);
        assert_eq!(find(folder.path(), "request-9").unwrap(), []);
        assert_eq!(newest(folder.path()).unwrap(), Some(denial(2)));
    }

    #[test]
    fn of_a_resource_with_an_endless_name_the_beginning_is_kept() {
        assert_eq!(cut("arn:aws:ecs"), "arn:aws:ecs");
        let cut = cut(&"é".repeat(RESOURCE_BYTES_MAX));
        assert!(cut.ends_with("é…") && cut.len() <= RESOURCE_BYTES_MAX + "…".len());
    }

    #[test]
    fn a_line_that_broke_off_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), (0..2).map(denial));
        let path = folder.path().join(FILE);
        let text = std::fs::read(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 40]).unwrap();
        write(folder.path(), (2..3).map(denial));
        assert_eq!(find(folder.path(), "request-0").unwrap().len(), 1);
        assert_eq!(find(folder.path(), "request-1").unwrap(), []);
        assert_eq!(newest(folder.path()).unwrap(), Some(denial(2)));
    }

    #[test]
    fn two_files_of_a_bounded_size_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), (0..20_000).map(denial));
        for name in [FILE, OLDER_FILE] {
            assert!(folder.path().join(name).metadata().unwrap().len() <= FILE_BYTES_MAX, "{name}");
        }
        assert_eq!(find(folder.path(), "request-0").unwrap(), []);
        assert_eq!(find(folder.path(), "request-19999").unwrap(), [denial(19_999)]);
    }
}
