//! The names of files.

use std::fmt;
use std::str::FromStr;

use base::Rng;
use serde::{Deserialize, Serialize};

/// A file's name: 128 random bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FileId([u8; 16]);

/// A text that is no name of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not 32 lower-case hexadecimal digits")]
pub struct InvalidFileId(String);

impl FileId {
    /// A new one.
    pub(super) fn random(rng: &dyn Rng) -> Self {
        let mut bytes = [0; 16];
        rng.fill(&mut bytes);
        Self(bytes)
    }

    /// The first half: enough to tell a file from millions of others.
    pub fn short(&self) -> u64 {
        u64::from_be_bytes(std::array::from_fn(|at| self.0[at]))
    }

    /// Which of the 256 directories it is in.
    pub fn directory(&self) -> u8 {
        self.0[0]
    }

    /// Where it is beneath the root.
    pub fn path(&self) -> String {
        let digits = hex::encode(self.0);
        format!("{}/{}", &digits[..2], &digits[2..])
    }

    /// The file of this name in a directory.
    pub(super) fn of_name(directory: u8, name: &str) -> Option<Self> {
        format!("{}{name}", directory_name(directory)).parse().ok()
    }
}

/// The name of one of the 256 directories.
pub(super) fn directory_name(directory: u8) -> String {
    format!("{directory:02x}")
}

impl FromStr for FileId {
    type Err = InvalidFileId;

    fn from_str(text: &str) -> Result<Self, InvalidFileId> {
        let mut bytes = [0; 16];
        let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) if is_lower => Ok(Self(bytes)),
            _ => Err(InvalidFileId(text.chars().take(64).collect())),
        }
    }
}

impl TryFrom<String> for FileId {
    type Error = InvalidFileId;

    fn try_from(text: String) -> Result<Self, InvalidFileId> {
        text.parse()
    }
}

impl From<FileId> for String {
    fn from(id: FileId) -> Self {
        hex::encode(id.0)
    }
}

impl From<[u8; 16]> for FileId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl From<FileId> for [u8; 16] {
    fn from(id: FileId) -> Self {
        id.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
