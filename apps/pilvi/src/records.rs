//! What a running Pilvi writes down about itself in `run/`, for `pilvi env`, `status` and `down`, and for scripts.
//!
//! A record may outlive its process (a power loss): whoever reads one first asks the lock whether anything runs.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base::{AccountId, Region};
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
    let size = match std::fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    };
    if size > RECORD_BYTES_MAX {
        bail!("{shown} has {size} bytes and is no record of Pilvi's");
    }
    let text = std::fs::read(path).with_context(|| format!("cannot read {shown}"))?;
    serde_json::from_slice(&text).map(Some).with_context(|| format!("{shown} is damaged"))
}

/// Removes a record, if it is there.
pub(crate) fn remove(path: &Path) {
    // One that stays is harmless: the lock tells that nothing runs.
    let _ = std::fs::remove_file(path);
}
