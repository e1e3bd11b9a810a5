//! What content is named by.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

/// The hash of some content and how it was made, written `sha256:` or `sha512:` and lower-case hexadecimal digits, as the
/// OCI image specification does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(Hash);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Hash {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

/// How a digest is made: the algorithms that the specification registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which nearly everything uses.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A text that is not a digest, or one of an algorithm that is not registered. What it was is not repeated: it may be
/// anything that somebody sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a digest is `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits")]
pub struct InvalidDigest;

/// The digest of a layer's uncompressed archive: what a layer is, however it was compressed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(Digest);

/// Makes a digest of content that comes in pieces.
#[derive(Debug, Clone)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Digest {
    /// The digest of some bytes.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// How it was made.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Hash::Sha256(_) => Algorithm::Sha256,
            Hash::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The digits, without the algorithm.
    pub fn hex(&self) -> String {
        match &self.0 {
            Hash::Sha256(bytes) => hex::encode(bytes),
            Hash::Sha512(bytes) => hex::encode(bytes),
        }
    }

    /// The name of the blob, if blobs of this algorithm are stored.
    pub fn blob(&self) -> Option<blobs::Digest> {
        match self.0 {
            Hash::Sha256(bytes) => Some(blobs::Digest::from_bytes(bytes)),
            Hash::Sha512(_) => None,
        }
    }

    /// The other name that a blob of this SHA-512 may have; none for a SHA-256.
    pub fn long_blob(&self) -> Option<blobs::LongDigest> {
        match self.0 {
            Hash::Sha256(_) => None,
            Hash::Sha512(bytes) => Some(blobs::LongDigest::from_bytes(bytes)),
        }
    }

    /// The digest of these digits.
    pub(crate) fn from_hex(algorithm: Algorithm, digits: &str) -> Result<Self, InvalidDigest> {
        if !digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(InvalidDigest);
        }
        let (mut short, mut long) = ([0; 32], [0; 64]);
        match algorithm {
            Algorithm::Sha256 => hex::decode_to_slice(digits, &mut short).map(|()| Self(Hash::Sha256(short))),
            Algorithm::Sha512 => hex::decode_to_slice(digits, &mut long).map(|()| Self(Hash::Sha512(long))),
        }
        .map_err(|_| InvalidDigest)
    }
}

impl Algorithm {
    /// All that are known.
    pub(crate) const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// As it is written in a digest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl DiffId {
    /// The digest of the uncompressed archive.
    pub fn digest(&self) -> Digest {
        self.0
    }
}

impl From<Digest> for DiffId {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest(Hash::Sha256(hasher.finalize().into())),
            Self::Sha512(hasher) => Digest(Hash::Sha512(hasher.finalize().into())),
        }
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (name, digits) = text.split_once(':').ok_or(InvalidDigest)?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        Self::from_hex(algorithm.ok_or(InvalidDigest)?, digits)
    }
}

impl FromStr for DiffId {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl From<blobs::Digest> for Digest {
    fn from(digest: blobs::Digest) -> Self {
        Self(Hash::Sha256(*digest.as_bytes()))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm().name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EMPTY_256: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const EMPTY_512: &str = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2\
                             877eec2f63b931bd47417a81a538327af927da3e";

    #[test]
    fn both_algorithms_are_written_as_oci_writes_them() {
        for (algorithm, text) in [(Algorithm::Sha256, EMPTY_256), (Algorithm::Sha512, EMPTY_512)] {
            let digest = Digest::of(algorithm, b"");
            assert_eq!(digest.to_string(), text);
            assert_eq!(text.parse(), Ok(digest));
            assert_eq!(serde_json::from_str::<DiffId>(&format!("\"{text}\"")).unwrap().digest(), digest);
        }
    }

    #[test]
    fn a_sha256_is_a_blobs_name_and_a_sha512_is_not() {
        let short = Digest::of(Algorithm::Sha256, b"x");
        assert_eq!(short.blob().map(Digest::from), Some(short));
        assert_eq!(Digest::of(Algorithm::Sha512, b"x").blob(), None);
    }

    #[test]
    fn what_is_not_exactly_a_digest_is_refused() {
        let digits = &EMPTY_256[7..];
        for text in [
            String::new(),
            digits.to_owned(),
            EMPTY_256.to_uppercase(),
            format!("sha256:{}", digits.to_uppercase()),
            format!("sha512:{digits}"),
            format!("sha256:{}", &EMPTY_512[7..]),
            format!("sha384:{digits}"),
            format!("sha256:{digits}0"),
            format!("sha256:{digits}\n"),
            format!("sha256:{}\0", &digits[1..]),
            format!("sha256:{}", "../".repeat(22)),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(InvalidDigest), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_but_a_digests_own_is_read_as_one(text in "(sha256:|sha512:)?[0-9a-f]{0,130}") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
