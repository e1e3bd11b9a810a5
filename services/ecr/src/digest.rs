//! What content is named by: OCI digests, SHA-256 or SHA-512.
//!
//! Files are kept by their SHA-256 ([`blobs::Digest`]); a repository refers to them by the digest that the client chose. If
//! that is a SHA-512 the file gets it as another name, by which whoever unpacks images finds it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// A digest as the OCI image specification writes it: `sha256:` and 64, or `sha512:` and 128 lower-case hexadecimal
/// digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentDigest(String);

/// The algorithms whose digests are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A text that is not a digest. What it was is not repeated: it may be anything a client sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64, or `sha512:` and 128 lower-case hexadecimal digits")]
pub struct InvalidDigest;

impl ContentDigest {
    /// The digest of some bytes.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::from_sha256(&Sha256::digest(bytes).into()),
            Algorithm::Sha512 => Self::from_sha512(&Sha512::digest(bytes).into()),
        }
    }

    /// The digest that has these bytes.
    pub fn from_sha256(bytes: &[u8; 32]) -> Self {
        Self(format!("sha256:{}", hex::encode(bytes)))
    }

    /// The digest that has these bytes.
    pub fn from_sha512(bytes: &[u8; 64]) -> Self {
        Self(format!("sha512:{}", hex::encode(bytes)))
    }

    /// What it was made with.
    pub fn algorithm(&self) -> Algorithm {
        if self.0.starts_with("sha512:") { Algorithm::Sha512 } else { Algorithm::Sha256 }
    }

    /// The other name that a file of this SHA-512 gets; none for a SHA-256.
    pub fn long(&self) -> Option<blobs::LongDigest> {
        let mut bytes = [0; 64];
        hex::decode_to_slice(self.0.strip_prefix("sha512:")?, &mut bytes).ok()?;
        Some(blobs::LongDigest::from_bytes(bytes))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContentDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (digits, length) = match text.split_once(':') {
            Some(("sha256", digits)) => (digits, 64),
            Some(("sha512", digits)) => (digits, 128),
            _ => return Err(InvalidDigest),
        };
        let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == length && digits.bytes().all(is_lower_hex) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidDigest)
        }
    }
}

impl TryFrom<String> for ContentDigest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<ContentDigest> for String {
    fn from(digest: ContentDigest) -> Self {
        digest.0
    }
}

impl From<blobs::Digest> for ContentDigest {
    fn from(digest: blobs::Digest) -> Self {
        Self::from_sha256(digest.as_bytes())
    }
}

impl fmt::Display for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_of_both_algorithms_are_read_and_written() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = ContentDigest::of(algorithm, b"x");
            assert_eq!((digest.to_string().parse(), digest.algorithm()), (Ok(digest.clone()), algorithm));
        }
        assert_eq!(
            ContentDigest::of(Algorithm::Sha256, b""),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse().unwrap()
        );
    }

    #[test]
    fn what_is_not_exactly_a_digest_is_refused() {
        let digits = "a".repeat(64);
        for text in [
            String::new(),
            digits.clone(),
            format!("sha256:{}", digits.to_uppercase()),
            format!("sha512:{digits}"),
            format!("md5:{digits}"),
            format!("sha256:{digits}0"),
            format!("sha256:{}", "../".repeat(32)),
            format!("sha256:{}/", &digits[1..]),
        ] {
            assert_eq!(text.parse::<ContentDigest>(), Err(InvalidDigest), "{text:?}");
        }
    }
}
