//! Checksums of content: of which kinds, computed while it streams, and those of an object from those of its parts.
//!
//! Source: user guide, "Checking object integrity in Amazon S3", and its table of the types that a multipart upload's
//! checksum can have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, checksum_combine};
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::Error;
use crate::etag::Md5Sum;

/// What computes a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// CRC-32 of ISO 3309.
    #[serde(rename = "CRC32")]
    Crc32,
    /// CRC-32 of Castagnoli.
    #[serde(rename = "CRC32C")]
    Crc32C,
    /// CRC-64 of the NVM Express specification.
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    /// SHA-1.
    #[serde(rename = "SHA1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "SHA256")]
    Sha256,
    /// SHA-512.
    #[serde(rename = "SHA512")]
    Sha512,
    /// MD5.
    #[serde(rename = "MD5")]
    Md5,
}

/// What the checksum of an object that was uploaded in parts is a checksum of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Of its parts' checksums.
    #[serde(rename = "COMPOSITE")]
    Composite,
    /// Of all its bytes.
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
}

/// A checksum as it is kept and answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// What computed it.
    #[serde(rename = "a")]
    pub algorithm: Algorithm,
    /// Base64; of a composite one followed by `-` and the number of parts.
    #[serde(rename = "v")]
    pub value: String,
    /// Of what.
    #[serde(rename = "k")]
    pub kind: Kind,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Crc32, Self::Crc32C, Self::Crc64Nvme, Self::Sha1, Self::Sha256, Self::Sha512, Self::Md5];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32C => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
        }
    }

    /// The header that carries one.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32C => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::Md5 => "x-amz-checksum-md5",
        }
    }

    /// The algorithm of this name, in any case.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose checksums this header carries.
    pub fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.header().eq_ignore_ascii_case(name))
    }

    /// How many bytes its checksums have.
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32C => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
            Self::Md5 => 16,
        }
    }

    /// The kind that an upload in parts gets if it does not say.
    pub fn default_kind(self) -> Kind {
        if self == Self::Crc64Nvme { Kind::FullObject } else { Kind::Composite }
    }

    /// Whether an upload in parts can have a checksum of this kind.
    pub fn allows(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Crc64Nvme, Kind::Composite)
            | (Self::Sha1 | Self::Sha256 | Self::Sha512 | Self::Md5, Kind::FullObject) => false,
            (_, Kind::Composite | Kind::FullObject) => true,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32C => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 | Self::Sha512 | Self::Md5 => None,
        }
    }

    /// Reads a checksum as a header or document has it.
    ///
    /// # Errors
    /// [`Error::InvalidChecksum`] for what is no base64 of so many bytes.
    pub fn read(self, value: &str) -> Result<Vec<u8>, Error> {
        let bytes = STANDARD.decode(value.trim()).ok().filter(|bytes| bytes.len() == self.length());
        bytes.ok_or(Error::InvalidChecksum(self))
    }
}

impl Kind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Composite => "COMPOSITE",
            Self::FullObject => "FULL_OBJECT",
        }
    }
}

impl Checksum {
    /// The checksum of content that came in one piece.
    pub fn of_content(algorithm: Algorithm, sum: &[u8]) -> Self {
        Self { algorithm, value: STANDARD.encode(sum), kind: Kind::FullObject }
    }
}

/// A checksum that is being computed.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(Box<crc_fast::Digest>),
    Sha1(Sha1),
    Sha256(Box<Sha256>),
    Sha512(Box<Sha512>),
    Md5(Md5),
}

impl Hasher {
    /// Nothing has been added.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match (algorithm.crc(), algorithm) {
            (Some(crc), _) => State::Crc(Box::new(crc_fast::Digest::new(crc))),
            (None, Algorithm::Sha1) => State::Sha1(Sha1::new()),
            (None, Algorithm::Sha512) => State::Sha512(Box::default()),
            (None, Algorithm::Md5) => State::Md5(Md5::new()),
            (None, _) => State::Sha256(Box::default()),
        };
        Self { algorithm, state }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(crc) => crc.update(bytes),
            State::Sha1(sha) => Digest::update(sha, bytes),
            State::Sha256(sha) => Digest::update(&mut **sha, bytes),
            State::Sha512(sha) => Digest::update(&mut **sha, bytes),
            State::Md5(md5) => Digest::update(md5, bytes),
        }
    }

    /// The checksum of what was added, the most significant byte first.
    pub fn finish(self) -> Vec<u8> {
        match self.state {
            State::Crc(crc) => bytes_of(crc.finalize(), self.algorithm),
            State::Sha1(sha) => sha.finalize().to_vec(),
            State::Sha256(sha) => sha.finalize().to_vec(),
            State::Sha512(sha) => sha.finalize().to_vec(),
            State::Md5(md5) => md5.finalize().to_vec(),
        }
    }
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hasher").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The checksum of bytes.
pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// The MD5 of bytes.
pub fn md5_of(bytes: &[u8]) -> Md5Sum {
    Md5::digest(bytes).into()
}

/// The checksum of an object whose parts have these checksums and sizes in bytes. `None` for a kind that the algorithm
/// does not allow, or a checksum of another length than the algorithm's.
pub fn of_parts<'a>(
    algorithm: Algorithm,
    kind: Kind,
    parts: impl Iterator<Item = (&'a [u8], u64)>,
) -> Option<Checksum> {
    if !algorithm.allows(kind) {
        return None;
    }
    let value = match (kind, algorithm.crc()) {
        (Kind::FullObject, Some(crc)) => STANDARD.encode(combined(algorithm, crc, parts)?),
        _ => {
            let (mut all, mut count) = (Hasher::new(algorithm), 0);
            for (sum, _) in parts {
                if sum.len() != algorithm.length() {
                    return None;
                }
                all.update(sum);
                count += 1;
            }
            format!("{}-{count}", STANDARD.encode(all.finish()))
        }
    };
    Some(Checksum { algorithm, value, kind })
}

fn combined<'a>(
    algorithm: Algorithm,
    crc: CrcAlgorithm,
    parts: impl Iterator<Item = (&'a [u8], u64)>,
) -> Option<Vec<u8>> {
    let mut whole: Option<u64> = None;
    for (sum, size) in parts {
        if sum.len() != algorithm.length() {
            return None;
        }
        let sum = sum.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        whole = Some(match whole {
            Some(before) => checksum_combine(crc, before, sum, size),
            None => sum,
        });
    }
    whole.map(|sum| bytes_of(sum, algorithm))
}

fn bytes_of(sum: u64, algorithm: Algorithm) -> Vec<u8> {
    sum.to_be_bytes()[8 - algorithm.length()..].to_vec()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The check values of the catalogue of CRCs, and those of the SHAs' standards.
    #[test]
    fn the_algorithms_are_those_of_the_standards() {
        let of_digits = |algorithm| hex::encode(of(algorithm, b"123456789"));
        assert_eq!(of_digits(Algorithm::Crc32), "cbf43926");
        assert_eq!(of_digits(Algorithm::Crc32C), "e3069283");
        assert_eq!(of_digits(Algorithm::Crc64Nvme), "ae8b14860a799888");
        assert_eq!(hex::encode(of(Algorithm::Sha1, b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(hex::encode(of(Algorithm::Sha256, b"abc")).starts_with("ba7816bf8f01cfea"));
        assert_eq!(hex::encode(md5_of(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
    }

    #[test]
    fn names_and_headers_are_found_in_any_case() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::of_name(&algorithm.as_str().to_lowercase()), Some(algorithm));
            assert_eq!(Algorithm::of_header(&algorithm.header().to_uppercase()), Some(algorithm));
            assert_eq!(of(algorithm, b"").len(), algorithm.length());
            assert!(algorithm.allows(algorithm.default_kind()));
        }
        assert_eq!(Algorithm::of_name("XXHASH64"), None);
    }

    #[test]
    fn a_checksum_of_another_length_is_none() {
        assert!(Algorithm::Crc32.read("AAAAAA==").is_ok());
        for wrong in ["", "AAAA", "AAAAAAAAAAA=", "!"] {
            assert!(Algorithm::Crc32.read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_composite_checksum_is_one_of_checksums() {
        let parts = [of(Algorithm::Sha256, b"a"), of(Algorithm::Sha256, b"b")];
        let sums = parts.iter().map(|sum| (sum.as_slice(), 1));
        let expected = STANDARD.encode(of(Algorithm::Sha256, &parts.concat()));
        let composite = of_parts(Algorithm::Sha256, Kind::Composite, sums.clone()).unwrap();
        assert_eq!(composite.value, format!("{expected}-2"));
        assert_eq!(of_parts(Algorithm::Sha256, Kind::FullObject, sums.clone()), None);
        assert_eq!(of_parts(Algorithm::Crc32, Kind::Composite, sums), None);
    }

    proptest! {
        #[test]
        fn the_checksum_of_the_whole_comes_from_those_of_its_parts(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
        ) {
            for algorithm in [Algorithm::Crc32, Algorithm::Crc32C, Algorithm::Crc64Nvme] {
                let sums: Vec<_> = parts.iter().map(|part| (of(algorithm, part), part.len() as u64)).collect();
                let sums = sums.iter().map(|(sum, size)| (sum.as_slice(), *size));
                let whole = Checksum::of_content(algorithm, &of(algorithm, &parts.concat()));
                prop_assert_eq!(of_parts(algorithm, Kind::FullObject, sums), Some(whole));
            }
        }
    }
}
