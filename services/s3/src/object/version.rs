//! The ids of versions, and the order of those of one key.

use std::fmt;
use std::str::FromStr;

use base::{Rng, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How many bits of an [`Order`] tell versions of one millisecond apart.
const TELLING_BITS: u32 = 16;
const ID_BYTES: usize = 24;
const ORDER_BYTES: usize = 8;
const NULL: &str = "null";

/// Where a version stands among those of its key: later ones have greater numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Order(u64);

impl Order {
    /// The order of a version that is written now, at a revision of the store, after the latest one of its key. The revision
    /// tells it from one that was there in the same millisecond and is gone.
    pub fn next(now: Timestamp, revision: u64, latest: Option<Self>) -> Self {
        let telling = revision & ((1 << TELLING_BITS) - 1);
        let by_time = u64::try_from(now.as_millis()).unwrap_or_default() << TELLING_BITS | telling;
        Self(latest.map_or(by_time, |latest| by_time.max(latest.0.saturating_add(1))))
    }

    /// How it is written in the store, where the newest comes first.
    pub(crate) fn place(self) -> String {
        format!("{:016x}", !self.0)
    }
}

impl fmt::UpperHex for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

/// The id of a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum VersionId {
    /// That of a version that was written without versioning. A key has one at most.
    Null,
    /// One that was made up: 32 characters, which tell the order and cannot be guessed.
    Id(String),
}

/// A text that is no version's id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version's id")]
pub struct InvalidVersionId(String);

impl VersionId {
    /// A new id for a version of this order.
    pub fn new(order: Order, rng: &dyn Rng) -> Self {
        let mut bytes = [0; ID_BYTES];
        rng.fill(&mut bytes[ORDER_BYTES..]);
        bytes[..ORDER_BYTES].copy_from_slice(&order.0.to_be_bytes());
        // No id begins with a hyphen, which command lines would take for an option.
        Self::Id(URL_SAFE_NO_PAD.encode(bytes).replace('-', "."))
    }

    /// Where the version stands; none for the null version, whose id does not tell.
    pub fn order(&self) -> Option<Order> {
        match self {
            Self::Null => None,
            Self::Id(text) => order_of(text),
        }
    }

    /// The id as it is answered.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Null => NULL,
            Self::Id(text) => text,
        }
    }

    /// Whether it is the null version's.
    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }
}

fn order_of(text: &str) -> Option<Order> {
    let bytes = URL_SAFE_NO_PAD.decode(text.replace('.', "-")).ok()?;
    let bytes: [u8; ID_BYTES] = bytes.try_into().ok()?;
    Some(Order(u64::from_be_bytes(std::array::from_fn(|at| bytes[at]))))
}

impl FromStr for VersionId {
    type Err = InvalidVersionId;

    fn from_str(text: &str) -> Result<Self, InvalidVersionId> {
        match text {
            NULL => Ok(Self::Null),
            text if order_of(text).is_some() => Ok(Self::Id(text.to_owned())),
            _ => Err(InvalidVersionId(text.chars().take(64).collect())),
        }
    }
}

impl TryFrom<String> for VersionId {
    type Error = InvalidVersionId;

    fn try_from(text: String) -> Result<Self, InvalidVersionId> {
        text.parse()
    }
}

impl From<VersionId> for String {
    fn from(id: VersionId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
