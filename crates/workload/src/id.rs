//! Names of workloads and nodes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::InvalidSpec;

/// The name of a workload: 32 lowercase hexadecimal digits, as ECS's tasks have. It is a file name, part of the name of a
/// cgroup, and never used again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkloadId(String);

/// The name of a node: 1 to 63 lowercase letters, digits and hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeId(String);

impl WorkloadId {
    /// How long every name is, in bytes.
    pub const LENGTH: usize = 32;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl NodeId {
    /// The longest name, in bytes.
    pub const LENGTH_MAX: usize = 63;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for WorkloadId {
    type Error = InvalidSpec;

    fn try_from(text: String) -> Result<Self, InvalidSpec> {
        let is_hex = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if text.len() == Self::LENGTH && is_hex { Ok(Self(text)) } else { Err(InvalidSpec::Id { given: text }) }
    }
}

impl TryFrom<String> for NodeId {
    type Error = InvalidSpec;

    fn try_from(text: String) -> Result<Self, InvalidSpec> {
        let is_plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-'));
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        if is_plain && fits && !text.starts_with('-') { Ok(Self(text)) } else { Err(InvalidSpec::Id { given: text }) }
    }
}

macro_rules! text {
    ($name:ident) => {
        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidSpec;

            fn from_str(text: &str) -> Result<Self, InvalidSpec> {
                Self::try_from(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(WorkloadId);
text!(NodeId);
