//! From parts to an object. Pure.

use std::collections::BTreeMap;

use super::{OBJECT_BYTES_MAX, PART_BYTES_MIN, PARTS_MAX, Part};
use crate::checksum::{self, Algorithm, Checksum, Kind};
use crate::content::{Data, INLINE_BYTES_MAX, Piece};
use crate::object::PartOfObject;
use crate::{Error, etag};

/// A part as the client lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub number: i32,
    /// Its tag.
    pub etag: String,
    /// Its checksums, base64.
    pub checksums: Vec<(Algorithm, String)>,
}

/// What the parts make.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// The object's bytes.
    pub data: Data,
    /// How many.
    pub size: u64,
    /// Its tag.
    pub etag: String,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// Its parts.
    pub parts: Vec<PartOfObject>,
}

/// Makes an object of the listed ones among an upload's parts.
///
/// # Errors
/// [`Error::MalformedXml`] for no part at all, [`Error::InvalidPartOrder`], [`Error::InvalidPart`],
/// [`Error::EntityTooSmall`], [`Error::EntityTooLarge`]; [`Error::InvalidRequest`] for a checksum that the upload is to have
/// and a part has not.
pub fn assemble(
    upload: &str,
    wanted: Option<(Algorithm, Kind)>,
    listed: &[Listed],
    parts: &BTreeMap<i32, &Part>,
) -> Result<Made, Error> {
    if listed.is_empty() || listed.len() > usize::try_from(PARTS_MAX).unwrap_or(usize::MAX) {
        return Err(Error::MalformedXml);
    }
    if listed.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(Error::InvalidPartOrder(upload.to_owned()));
    }
    let chosen = listed.iter().map(|listed| chosen(upload, listed, parts)).collect::<Result<Vec<&Part>, _>>()?;
    check_sizes(listed, &chosen)?;
    let size = chosen.iter().map(|part| part.size).sum();
    if size > OBJECT_BYTES_MAX {
        return Err(Error::EntityTooLarge { size: Some(size), max: OBJECT_BYTES_MAX });
    }
    let checksum = wanted.map(|(algorithm, kind)| checksum_of(algorithm, kind, listed, &chosen)).transpose()?;
    let is_composite = wanted.is_some_and(|(_, kind)| kind == Kind::Composite);
    Ok(Made {
        data: joined(&chosen),
        size,
        etag: etag::of_parts(chosen.iter().map(|part| &part.md5)),
        checksum,
        parts: chosen
            .iter()
            .map(|part| PartOfObject {
                size: part.size,
                checksum: part.checksum.as_ref().filter(|_| is_composite).map(|(_, sum)| sum.clone()),
            })
            .collect(),
    })
}

/// The part that is meant, if it is what the client says.
fn chosen<'a>(upload: &str, listed: &Listed, parts: &BTreeMap<i32, &'a Part>) -> Result<&'a Part, Error> {
    let refused = || Error::InvalidPart { upload: upload.to_owned(), part: listed.number, etag: listed.etag.clone() };
    let part = *parts.get(&listed.number).ok_or_else(refused)?;
    if etag::md5_of(&listed.etag) != Some(part.md5) {
        return Err(refused());
    }
    for (algorithm, value) in &listed.checksums {
        let expected = algorithm.read(value)?;
        // What was computed of the part is all that a checksum can be compared with: one of another algorithm is none of it.
        let is_its = part.checksum.as_ref().is_none_or(|(computed, sum)| computed == algorithm && *sum == expected);
        if !is_its {
            return Err(refused());
        }
    }
    Ok(part)
}

fn check_sizes(listed: &[Listed], chosen: &[&Part]) -> Result<(), Error> {
    let all_but_last = chosen.len().saturating_sub(1);
    let small = chosen[..all_but_last].iter().position(|part| part.size < PART_BYTES_MIN);
    match small {
        None => Ok(()),
        Some(at) => Err(Error::EntityTooSmall {
            size: chosen[at].size,
            min: PART_BYTES_MIN,
            part: listed[at].number,
            etag: etag::of_content(&chosen[at].md5),
        }),
    }
}

fn checksum_of(algorithm: Algorithm, kind: Kind, listed: &[Listed], chosen: &[&Part]) -> Result<Checksum, Error> {
    let mut sums = Vec::with_capacity(chosen.len());
    for (listed, part) in listed.iter().zip(chosen) {
        let sum = part.checksum.as_ref().filter(|(computed, _)| *computed == algorithm);
        let missing = || {
            Error::InvalidRequest(format!(
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. \
                 It was missing for part {} in the request.",
                algorithm.as_str().to_lowercase(),
                listed.number
            ))
        };
        sums.push((sum.ok_or_else(missing)?.1.as_slice(), part.size));
    }
    let whole = checksum::of_parts(algorithm, kind, sums.into_iter());
    whole.ok_or_else(|| Error::InvalidRequest("The checksum type is not supported by the algorithm.".to_owned()))
}

/// The bytes of parts, one after the other. Few that lie in memory stay there.
fn joined(chosen: &[&Part]) -> Data {
    let mut bytes = Vec::new();
    let mut pieces: Vec<Piece> = Vec::new();
    for part in chosen {
        match &part.data {
            Data::Inline(inline) => bytes.extend_from_slice(inline),
            Data::Files(files) => pieces.extend(files),
            // Only versions have anything there.
            Data::Beside(_) | Data::Pieces(..) => {}
        }
    }
    debug_assert!(pieces.is_empty() || bytes.is_empty(), "parts are files, unless there is one alone");
    if pieces.is_empty() && bytes.len() <= INLINE_BYTES_MAX { Data::Inline(bytes.into()) } else { Data::Files(pieces) }
}

#[cfg(test)]
mod tests {
    use base::Timestamp;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn part(tag: u8, size: u64) -> Part {
        let file = format!("{tag:032x}").parse().unwrap();
        let checksum = Some((Algorithm::Crc32, checksum::of(Algorithm::Crc32, &[tag])));
        Part {
            data: Data::Files(vec![Piece { file, size }]),
            size,
            md5: [tag; 16],
            checksum,
            modified: Timestamp::default(),
        }
    }

    fn listed(number: i32, tag: u8) -> Listed {
        Listed { number, etag: etag::quoted(&hex::encode([tag; 16])), checksums: Vec::new() }
    }

    fn made(wanted: Option<(Algorithm, Kind)>, list: &[Listed]) -> Result<Made, Error> {
        let parts = [part(1, 5 * MIB), part(2, 6 * MIB), part(3, 7)];
        assemble("u", wanted, list, &parts.iter().enumerate().map(|(at, part)| (at as i32 + 1, part)).collect())
    }

    fn code(list: &[Listed]) -> &'static str {
        made(None, list).unwrap_err().kind().0
    }

    #[test]
    fn listed_parts_make_an_object_and_the_rest_does_not_count() {
        let object = made(None, &[listed(1, 1), listed(3, 3)]).unwrap();
        assert_eq!((object.size, object.parts.len()), (5 * MIB + 7, 2));
        assert!(object.etag.ends_with("-2") && object.checksum.is_none());
        assert_eq!(object.data.files().count(), 2);
    }

    #[test]
    fn what_the_client_lists_must_be_there_in_order_and_large_enough() {
        assert_eq!(code(&[]), "MalformedXML");
        assert_eq!(code(&[listed(2, 2), listed(1, 1)]), "InvalidPartOrder");
        assert_eq!(code(&[listed(1, 1), listed(1, 1)]), "InvalidPartOrder");
        assert_eq!(code(&[listed(4, 1)]), "InvalidPart");
        assert_eq!(code(&[listed(1, 2)]), "InvalidPart");
        let wrong = Listed { checksums: vec![(Algorithm::Crc32, "AAAAAA==".to_owned())], ..listed(1, 1) };
        assert_eq!(code(&[wrong]), "InvalidPart");
        let sum = |algorithm: Algorithm, of: u8| (algorithm, STANDARD.encode(checksum::of(algorithm, &[of])));
        let of_another = Listed { checksums: vec![sum(Algorithm::Crc32C, 1)], ..listed(1, 1) };
        assert_eq!(code(&[of_another]), "InvalidPart");
        let right = Listed { checksums: vec![sum(Algorithm::Crc32, 1)], ..listed(1, 1) };
        assert!(made(None, &[right]).is_ok());
        let parts = [part(1, 5 * MIB - 1), part(2, 7)];
        let parts = parts.iter().enumerate().map(|(at, part)| (at as i32 + 1, part)).collect();
        let small = assemble("u", None, &[listed(1, 1), listed(2, 2)], &parts);
        assert!(matches!(small, Err(Error::EntityTooSmall { part: 1, .. })));
    }

    #[test]
    fn the_objects_checksum_is_of_the_kind_that_the_upload_asked_for() {
        let all = [listed(1, 1), listed(2, 2), listed(3, 3)];
        let composite = made(Some((Algorithm::Crc32, Kind::Composite)), &all).unwrap();
        assert!(composite.checksum.unwrap().value.ends_with("-3"));
        assert!(composite.parts.iter().all(|part| part.checksum.is_some()));
        let whole = made(Some((Algorithm::Crc32, Kind::FullObject)), &all).unwrap();
        assert_eq!(whole.checksum.unwrap().kind, Kind::FullObject);
        assert!(whole.parts.iter().all(|part| part.checksum.is_none()));
        assert!(matches!(made(Some((Algorithm::Sha1, Kind::Composite)), &all), Err(Error::InvalidRequest(_))));
    }
}
