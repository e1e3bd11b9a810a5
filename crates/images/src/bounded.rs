//! JSON that somebody else wrote, read within bounds: bytes, nesting, and how many members a list or map has.
//!
//! A small document can be made of millions of members, each of which costs a hundred times its bytes in memory. So lists
//! and maps stop while they are read, not after.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::DocumentError;

/// The largest document, in bytes: what registries take as a manifest (OCI distribution specification, "Pushing
/// Manifests"; the quota of Amazon ECR). Configurations are held to it, too.
pub const DOCUMENT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// The deepest nesting. Manifests need five levels, configurations six.
const DEPTH_MAX: usize = 32;
/// The most members of one list or map.
const MEMBERS_MAX: usize = 4096;

/// Reads a document.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DocumentError> {
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err(DocumentError::TooLarge { bytes_max: DOCUMENT_BYTES_MAX });
    }
    if is_deeper_than(DEPTH_MAX, bytes) {
        return Err(DocumentError::TooDeep { levels_max: DEPTH_MAX });
    }
    // The parser's own words may hold what it read, of any length.
    serde_json::from_slice(bytes)
        .map_err(|error| DocumentError::Malformed { line: error.line(), column: error.column() })
}

fn is_deeper_than(levels_max: usize, json: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for &byte in json {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > levels_max {
            return true;
        }
    }
    false
}

/// A list of a bounded number of members; `null` is an empty one, as Go writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct List<T>(pub(crate) Vec<T>);

/// The same for a map with texts as keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Map<T>(pub(crate) BTreeMap<String, T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Default for Map<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(ListVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Map<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_option(MapVisitor(PhantomData))
    }
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = List<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MEMBERS_MAX} members")
    }

    fn visit_none<E>(self) -> Result<List<T>, E> {
        Ok(List::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<List<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<List<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(member) = members.next_element()? {
            if list.len() == MEMBERS_MAX {
                return Err(A::Error::invalid_length(MEMBERS_MAX + 1, &self));
            }
            list.push(member);
        }
        Ok(List(list))
    }
}

struct MapVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for MapVisitor<T> {
    type Value = Map<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of at most {MEMBERS_MAX} members")
    }

    fn visit_none<E>(self) -> Result<Map<T>, E> {
        Ok(Map::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Map<T>, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Map<T>, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((key, value)) = members.next_entry()? {
            if map.len() == MEMBERS_MAX {
                return Err(A::Error::invalid_length(MEMBERS_MAX + 1, &self));
            }
            map.insert(key, value);
        }
        Ok(Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_maps_end_at_their_bound_and_null_is_an_empty_one() {
        let list = |members: usize| parse::<List<u8>>(format!("[{}]", vec!["1"; members].join(",")).as_bytes());
        assert_eq!(list(MEMBERS_MAX).unwrap().0.len(), MEMBERS_MAX);
        assert!(matches!(list(MEMBERS_MAX + 1), Err(DocumentError::Malformed { .. })));
        assert_eq!(parse::<List<u8>>(b"null").unwrap(), List::default());
        let map = |members: usize| {
            let members: Vec<String> = (0..members).map(|number| format!("\"{number}\":1")).collect();
            parse::<Map<u8>>(format!("{{{}}}", members.join(",")).as_bytes())
        };
        assert_eq!(map(MEMBERS_MAX).unwrap().0.len(), MEMBERS_MAX);
        assert!(map(MEMBERS_MAX + 1).is_err());
        assert_eq!(parse::<Map<u8>>(b"null").unwrap(), Map::default());
    }

    #[test]
    fn nesting_is_counted_outside_of_texts_alone() {
        let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(!is_deeper_than(DEPTH_MAX, &nested(DEPTH_MAX)));
        assert!(is_deeper_than(DEPTH_MAX, &nested(DEPTH_MAX + 1)));
        assert!(is_deeper_than(2, br#"{"\"":[{}]}"#));
        assert!(!is_deeper_than(1, br#"["[[[\"[[["]"#));
        assert!(matches!(parse::<List<u8>>(&nested(100_000)), Err(DocumentError::TooDeep { .. })));
    }

    #[test]
    fn a_document_of_too_many_bytes_is_not_looked_at() {
        let blank = vec![b' '; usize::try_from(DOCUMENT_BYTES_MAX).unwrap() + 1];
        assert!(matches!(parse::<List<u8>>(&blank), Err(DocumentError::TooLarge { .. })));
    }
}
