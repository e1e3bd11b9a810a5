//! The parts that an object was uploaded in, and the files that its bytes are in, as they lie beside the version's record: in
//! pages, since ten thousand of them are more than a record can have.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::files::FileId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use store::Record;

use crate::content::Piece;

/// How many parts or files a page has; the last one may have fewer. Those with the longest checksums, of 64 bytes, take some
/// 250 KiB.
pub(super) const PAGE: usize = 2500;

/// The parts that an object was uploaded in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Parts {
    /// It came in one piece.
    #[default]
    #[serde(skip)]
    None,
    /// These. So an object is made; its record says how many there are.
    #[serde(skip)]
    Listed(Vec<PartOfObject>),
    /// So many, which lie beside the version's record.
    #[serde(rename = "b")]
    Beside(u32),
}

/// A part of an object that was uploaded in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartOfObject {
    /// How many bytes it has.
    pub size: u64,
    /// Its checksum, where the object's is made of its parts'.
    pub checksum: Option<Vec<u8>>,
}

/// Files that the bytes of a version are in. The record's id is that of an older version of its order, and the number of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PieceList {
    /// The files, one after the other.
    #[serde(rename = "f", serialize_with = "write_packed", deserialize_with = "read_packed")]
    pub(crate) pieces: Vec<Piece>,
}

/// Parts of a version. The record's id is that of an older version of its order, and the number of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PartList {
    /// The parts, by their numbers.
    #[serde(rename = "p", serialize_with = "write_packed", deserialize_with = "read_packed")]
    pub(crate) parts: Vec<PartOfObject>,
}

impl Record for PieceList {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "pieces";
}

impl Record for PartList {
    const SERVICE: &'static str = "s3";
    const KIND: &'static str = "object-parts";
}

impl Parts {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Listed(parts) => parts.len(),
            Self::Beside(count) => usize::try_from(*count).unwrap_or(usize::MAX),
        }
    }

    /// Whether the object came in one piece.
    pub fn is_none(&self) -> bool {
        self.count() == 0
    }
}

/// A page of a list that lies beside a version.
pub(super) trait PageOf: Record {
    /// What is in it.
    type Item;
    /// A page of these.
    fn of(items: Vec<Self::Item>) -> Self;
    /// What is in it.
    fn items(self) -> Vec<Self::Item>;
}

impl PageOf for PieceList {
    type Item = Piece;

    fn of(pieces: Vec<Piece>) -> Self {
        Self { pieces }
    }

    fn items(self) -> Vec<Piece> {
        self.pieces
    }
}

impl PageOf for PartList {
    type Item = PartOfObject;

    fn of(parts: Vec<PartOfObject>) -> Self {
        Self { parts }
    }

    fn items(self) -> Vec<PartOfObject> {
        self.parts
    }
}

/// What is written one after the other, without names.
trait Packed: Sized {
    fn write(&self, to: &mut Vec<u8>);
    /// Takes one off the front; none if that is no whole one.
    fn read(from: &mut &[u8]) -> Option<Self>;
}

impl Packed for Piece {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend(<[u8; 16]>::from(self.file));
        to.extend(self.size.to_be_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (file, rest) = from.split_first_chunk::<16>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        *from = rest;
        Some(Self { file: FileId::from(*file), size: u64::from_be_bytes(*size) })
    }
}

impl Packed for PartOfObject {
    fn write(&self, to: &mut Vec<u8>) {
        let sum = self.checksum.as_deref().unwrap_or_default();
        to.extend(self.size.to_be_bytes());
        // No checksum has more than 64 bytes.
        to.push(u8::try_from(sum.len()).unwrap_or_default());
        to.extend(sum);
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        let (size, rest) = from.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (sum, rest) = rest.split_at_checked(usize::from(*length))?;
        *from = rest;
        let checksum = (!sum.is_empty()).then(|| sum.to_vec());
        Some(Self { size: u64::from_be_bytes(*size), checksum })
    }
}

fn write_packed<S: Serializer, T: Packed>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    let mut bytes = Vec::new();
    items.iter().for_each(|item| item.write(&mut bytes));
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn read_packed<'de, D: Deserializer<'de>, T: Packed>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    let bytes = STANDARD.decode(text.as_bytes()).map_err(serde::de::Error::custom)?;
    let (mut items, mut rest) = (Vec::new(), bytes.as_slice());
    while !rest.is_empty() {
        items.push(T::read(&mut rest).ok_or_else(|| serde::de::Error::custom("a list ends within an entry"))?);
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::Algorithm;
    use crate::multipart::{PART_BYTES_MAX, PARTS_MAX};

    fn part(checksum: Option<Vec<u8>>) -> PartOfObject {
        PartOfObject { size: PART_BYTES_MAX, checksum }
    }

    #[test]
    fn lists_are_written_and_read_again() {
        let parts = vec![part(None), part(Some(vec![7; 4])), PartOfObject { size: 0, checksum: Some(vec![9; 64]) }];
        let text = serde_json::to_string(&PartList::of(parts.clone())).unwrap();
        assert_eq!(serde_json::from_str::<PartList>(&text).unwrap().items(), parts);
        let file = "00112233445566778899aabbccddeeff".parse().unwrap();
        let pieces = vec![Piece { file, size: 0 }, Piece { file, size: u64::MAX }];
        let text = serde_json::to_string(&PieceList::of(pieces.clone())).unwrap();
        assert_eq!(serde_json::from_str::<PieceList>(&text).unwrap().items(), pieces);
        assert!(serde_json::from_str::<PieceList>(r#"{"f":"AAAA"}"#).is_err(), "that is no whole one");
        assert_eq!(
            serde_json::from_str::<Parts>(&serde_json::to_string(&Parts::Beside(3)).unwrap()).unwrap().count(),
            3
        );
    }

    #[test]
    fn all_parts_of_the_largest_object_with_any_checksum_fit_into_a_transaction() {
        let pages = usize::try_from(PARTS_MAX).unwrap().div_ceil(PAGE);
        for algorithm in Algorithm::ALL {
            let page = PartList::of(vec![part(Some(vec![0xff; algorithm.length()])); PAGE]);
            let bytes = serde_json::to_vec(&page).unwrap().len();
            // Keys, secondary keys and the like are a few KiB.
            assert!(bytes < store::limits::VALUE_BYTES_MAX / 2, "{algorithm:?}: {bytes}");
            assert!(pages * bytes < store::limits::TXN_BYTES_MAX / 4, "{algorithm:?}: {bytes}");
        }
        assert!(4 * pages < store::limits::TXN_OPERATIONS_MAX / 2, "written anew, and in place of another");
    }
}
