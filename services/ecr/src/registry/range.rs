//! Ranges: of a blob that is downloaded (`Range: bytes=…`, RFC 9110) and of an upload (`Content-Range: …`).

use std::ops::Range;

/// Why a range cannot be answered: it begins beyond the end, or ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsatisfiable;

/// The part of `size` bytes that a `Range` header asks for. None where it asks for the whole, in another unit, or for
/// several parts, all of which RFC 9110 lets a server answer with the whole.
pub(super) fn wanted(header: &str, size: u64) -> Result<Option<Range<u64>>, Unsatisfiable> {
    let Some(spec) = header.trim().strip_prefix("bytes=") else { return Ok(None) };
    let Some((first, last)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else { return Ok(None) };
    let (first, last) = (first.trim(), last.trim());
    if first.is_empty() {
        let Some(suffix) = number(last) else { return Ok(None) };
        let from = size.saturating_sub(suffix);
        return if from < size { Ok(Some(from..size)) } else { Err(Unsatisfiable) };
    }
    let Some(first) = number(first) else { return Ok(None) };
    let end = match last {
        "" => size,
        last => match number(last) {
            Some(last) if last < first => return Err(Unsatisfiable),
            Some(last) => last.saturating_add(1).min(size),
            None => return Ok(None),
        },
    };
    if first < end { Ok(Some(first..end)) } else { Err(Unsatisfiable) }
}

/// The bytes that a `Content-Range` header says the body to be: `0-1023` as OCI Distribution has it, or `bytes 0-1023/*`
/// as HTTP has it.
pub(super) fn sent(header: &str) -> Option<Range<u64>> {
    let spec = header.trim();
    let spec = spec.strip_prefix("bytes").map_or(spec, |rest| rest.trim_start_matches(['=', ' ']));
    let spec = spec.split_once('/').map_or(spec, |(range, _)| range);
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    (first <= last).then(|| last.checked_add(1).map(|end| first..end))?
}

/// Digits alone: no sign, no space. A number beyond all others is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_part_of_a_blob_is_from_a_byte_to_another_or_to_the_end_or_the_last_ones() {
        for (header, part) in [
            ("bytes=500-1499", 500..1500),
            ("bytes=500-", 500..2048),
            ("bytes=-500", 1548..2048),
            ("bytes=2000-5000", 2000..2048),
            ("bytes=0-0", 0..1),
            ("bytes=-5000", 0..2048),
            ("bytes=0-99999999999999999999999", 0..2048),
            ("bytes=0-18446744073709551615", 0..2048),
        ] {
            assert_eq!(wanted(header, 2048), Ok(Some(part)), "{header}");
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_answered() {
        for header in ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(wanted(header, 2048), Err(Unsatisfiable), "{header}");
        }
        assert_eq!(wanted("bytes=0-", 0), Err(Unsatisfiable));
        assert_eq!(wanted("bytes=-1", 0), Err(Unsatisfiable));
    }

    #[test]
    fn what_is_no_range_is_answered_with_the_whole() {
        for header in ["", "bytes", "bytes=", "bytes=-", "bytes=a-b", "items=0-1", "bytes=0-1,3-4", "bytes=+1-2", "0-1"]
        {
            assert_eq!(wanted(header, 2048), Ok(None), "{header}");
        }
    }

    #[test]
    fn a_piece_of_an_upload_says_its_place_in_either_form() {
        for header in ["0-1023", "bytes 0-1023/*", "bytes=0-1023", "bytes 0-1023/4096", " 0-1023 "] {
            assert_eq!(sent(header), Some(0..1024), "{header}");
        }
        for header in ["", "-", "0", "0-", "-1", "5-4", "a-b", "0-18446744073709551615", "bytes */5", "0--1"] {
            assert_eq!(sent(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_blob(header in "bytes=[0-9]{0,3}-[0-9]{0,3}", size in 0u64..500) {
            if let Ok(Some(part)) = wanted(&header, size) {
                prop_assert!(part.start < part.end && part.end <= size);
            }
        }
    }
}
