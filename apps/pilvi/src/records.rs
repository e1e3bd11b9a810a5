//! What a running Pilvi writes down about itself in `run/`, for `pilvi env`, `status` and `down`, and for scripts.
//!
//! A record may outlive its process (a power loss): whoever reads one first asks the lock whether anything runs.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base::{AccountId, Region};
use rustix::fs::OFlags;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::data_dir::write_private;

/// A larger record is not ours.
const RECORD_BYTES_MAX: u64 = 64 * 1024;

/// `run/server.json`: the server that answers now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerRecord {
    /// The server process.
    pub(crate) pid: u32,
    /// Where a client on this machine reaches it: `http://127.0.0.1:4566`.
    pub(crate) endpoint: String,
    /// The region that clients are given.
    pub(crate) region: Region,
    /// The account of the root key.
    pub(crate) account: AccountId,
    /// The program's version.
    pub(crate) version: String,
    /// When it began to serve (RFC 3339).
    pub(crate) started_at: String,
    /// The generated certificate authority, for clients to trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// SHA-256 of the server's certificate (DER), hexadecimal: how `pilvi status` knows the server whoever signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate_sha256: Option<String>,
}

/// `run/up.json`: the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpRecord {
    /// The supervisor process.
    pub(crate) pid: u32,
    /// The program's version.
    pub(crate) version: String,
    /// When it was started (RFC 3339).
    pub(crate) started_at: String,
    /// The address that it holds open for the server.
    pub(crate) listen: String,
    /// How often it has had to start the server anew.
    pub(crate) restarts: u64,
    /// The node, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<NodeRecord>,
}

/// The node, as its supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeRecord {
    /// The node process; none while it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pid: Option<u32>,
    /// Its directory.
    pub(crate) directory: PathBuf,
    /// Where it answers.
    pub(crate) socket: PathBuf,
    /// How often it had to be started anew.
    pub(crate) restarts: u64,
}

/// Writes a record in place of the last.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(path: &Path, record: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(record)?;
    text.push(b'\n');
    write_private(path, &text)
}

/// Reads a record; `None` when there is none.
///
/// # Errors
/// When the file cannot be read or is no such record.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let shown = path.display();
    let text = match content(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        content => content.with_context(|| format!("cannot read {shown}"))?,
    };
    if text.len() as u64 > RECORD_BYTES_MAX {
        bail!("{shown} has more than {RECORD_BYTES_MAX} bytes and is no record of Pilvi's");
    }
    serde_json::from_slice(&text).map(Some).with_context(|| format!("{shown} is damaged"))
}

/// The content of a file, or a little more of it than a record can have. Root reads in directories whose owner may have
/// put a link, a pipe or a device where the record was.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no plain file"));
    }
    let mut content = Vec::new();
    file.take(RECORD_BYTES_MAX + 1).read_to_end(&mut content)?;
    Ok(content)
}

/// Removes a record, if it is there.
pub(crate) fn remove(path: &Path) {
    // One that stays is harmless: the lock tells that nothing runs.
    let _ = std::fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_value(path: &Path) -> Result<Option<serde_json::Value>> {
        read(path)
    }

    #[test]
    fn a_record_is_read_back_and_a_missing_one_is_none() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("record.json");
        assert_eq!(read_value(&path).unwrap(), None);
        write(&path, &serde_json::json!({ "pid": 1 })).unwrap();
        assert_eq!(read_value(&path).unwrap(), Some(serde_json::json!({ "pid": 1 })));
    }

    #[test]
    fn what_is_no_plain_file_of_a_records_size_is_refused_at_once() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("record.json");
        std::fs::write(&path, "{}").unwrap();
        let at = |name: &str| temp.path().join(name);
        std::os::unix::fs::symlink(&path, at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("device")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        std::fs::write(at("large"), " ".repeat(1_000_000)).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        for name in ["link", "device", "pipe", "large", "directory", "/dev/zero"] {
            assert!(read_value(&at(name)).is_err(), "{name}");
        }
    }
}
