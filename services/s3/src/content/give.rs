//! Giving content out: ranges of bytes, from memory or from files that are opened when it is their turn.

use std::io;
use std::sync::Arc;

use blobs::files::{Files, OpenFile, Pin};
use platform::BoxFuture;
use wire::content::{FileRange, FileSequence};

use super::{Content, Data, Piece, blocking};
use crate::Error;

/// What a `Range` header asks for. (RFC 9110, section 14.1.2; S3 serves one range at a time.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// From a byte to another one, both included, or to the end.
    From(u64, Option<u64>),
    /// So many at the end.
    Last(u64),
}

/// The bytes that are given: the first one, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where they begin.
    pub start: u64,
    /// How many they are.
    pub length: u64,
}

impl ByteRange {
    /// Reads the header; none for one that S3 passes over: another unit, several ranges, nonsense.
    pub fn read(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        // A number beyond all sizes is beyond the end.
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = |text: &str| is_number(text).then(|| text.parse().unwrap_or(u64::MAX));
        let (first, last) = range.trim().split_once('-')?;
        match (first, last) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => Some(Self::From(number(first)?, None)),
            (first, last) => {
                let (first, last): (u64, u64) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The bytes that it means of so many; none if it means none of them.
    pub fn within(self, size: u64) -> Option<Span> {
        let (start, end) = match self {
            Self::From(first, last) => (first, last.map_or(size, |last| last.saturating_add(1).min(size))),
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        (start < end).then(|| Span { start, length: end - start })
    }
}

/// The bytes that a `Range` header asks for of so many; none where it is to be passed over.
///
/// # Errors
/// [`Error::InvalidRange`]
pub fn resolve_range(header: Option<&str>, size: u64) -> Result<Option<Span>, Error> {
    let Some((text, range)) = header.and_then(|text| ByteRange::read(text).map(|range| (text, range))) else {
        return Ok(None);
    };
    match range.within(size) {
        Some(span) => Ok(Some(span)),
        None => Err(Error::InvalidRange { range: text.to_owned(), size }),
    }
}

impl Span {
    /// All of so many bytes.
    pub fn all(size: u64) -> Self {
        Self { start: 0, length: size }
    }

    /// The bytes of one of several pieces, which is numbered from 0.
    pub fn of_piece(sizes: &[u64], index: usize) -> Option<Self> {
        let length = *sizes.get(index)?;
        Some(Self { start: sizes[..index].iter().sum(), length })
    }

    /// What the `Content-Range` header says of it.
    pub fn content_range(&self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, (self.start + self.length).saturating_sub(1))
    }
}

impl Content {
    /// The bytes of a span; none if their files have gone: who reads a record and finds no file reads the record again.
    ///
    /// # Errors
    /// [`Error::Files`]
    pub async fn give(&self, data: &Data, span: Span) -> Result<Option<wire::Content>, Error> {
        let pieces = match data {
            Data::Inline(bytes) => {
                let end = usize::try_from(span.start + span.length).unwrap_or(usize::MAX).min(bytes.len());
                let start = usize::try_from(span.start).unwrap_or(usize::MAX).min(end);
                return Ok(Some(wire::Content::bytes(bytes.slice(start..end))));
            }
            Data::Beside(_) | Data::Pieces(..) => return Err(super::beside()),
            Data::Files(pieces) => pieces,
        };
        let parts = parts_of(pieces, span);
        let Some(first) = pieces.first() else { return Ok(Some(wire::Content::empty())) };
        let Some((begin, rest)) = parts.split_first() else { return Ok(Some(wire::Content::empty())) };
        // The pin keeps all of them; with the first of all opened, or its absence seen, it is known to have come in time.
        let pin = self.files.pin(&first.file);
        let (files, of_pin, of_begin) = (self.files.clone(), first.file, begin.piece.file);
        let opened = blocking(move || {
            let begin = files.open(&of_begin)?;
            if of_begin != of_pin && files.open(&of_pin)?.is_none() {
                return Ok(None);
            }
            Ok(begin)
        })
        .await?;
        let Some(OpenFile { file, .. }) = opened else { return Ok(None) };
        let opened = FileRange { file: Arc::new(file), range: begin.start..begin.end };
        if rest.is_empty() {
            return Ok(Some(wire::Content::files(vec![opened])));
        }
        // Owned, since it outlives the record that was read.
        let rest: Vec<Part> = rest.to_vec();
        let sequence = Sequence { files: self.files.clone(), first: Some(opened), rest: rest.into_iter(), _pin: pin };
        Ok(Some(wire::Content::sequence(span.length, sequence)))
    }
}

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    piece: Piece,
    start: u64,
    end: u64,
}

/// The parts of files that a span is made of.
fn parts_of(pieces: &[Piece], span: Span) -> Vec<Part> {
    let (mut parts, mut at) = (Vec::new(), 0);
    let end = span.start.saturating_add(span.length);
    for piece in pieces {
        let (from, to) = (span.start.max(at), end.min(at + piece.size));
        if from < to {
            parts.push(Part { piece: *piece, start: from - at, end: to - at });
        }
        at += piece.size;
    }
    parts
}

/// Files that are opened one after the other; none of them goes while it exists.
struct Sequence {
    files: Files,
    first: Option<FileRange>,
    rest: std::vec::IntoIter<Part>,
    _pin: Pin,
}

impl FileSequence for Sequence {
    fn next(&mut self) -> BoxFuture<'_, io::Result<Option<FileRange>>> {
        Box::pin(async move {
            if let Some(first) = self.first.take() {
                return Ok(Some(first));
            }
            let Some(part) = self.rest.next() else { return Ok(None) };
            let files = self.files.clone();
            let opened = tokio::task::spawn_blocking(move || files.open(&part.piece.file));
            match opened.await.map_err(io::Error::other)?.map_err(io::Error::other)? {
                Some(open) => Ok(Some(FileRange { file: Arc::new(open.file), range: part.start..part.end })),
                None => Err(io::Error::other(format!("{} is not there", part.piece.file))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_is_read_as_http_says_and_nonsense_is_passed_over() {
        assert_eq!(ByteRange::read("bytes=0-4"), Some(ByteRange::From(0, Some(4))));
        assert_eq!(ByteRange::read("Bytes = 7-"), Some(ByteRange::From(7, None)));
        assert_eq!(ByteRange::read("bytes=-3"), Some(ByteRange::Last(3)));
        assert_eq!(ByteRange::read("bytes=8-99999999999999999999"), Some(ByteRange::From(8, Some(u64::MAX))));
        for passed_over in ["", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2"] {
            assert_eq!(ByteRange::read(passed_over), None, "{passed_over}");
            assert!(matches!(resolve_range(Some(passed_over), 10), Ok(None)));
        }
    }

    #[test]
    fn a_range_beyond_the_end_is_refused_and_one_across_it_is_cut() {
        let span = |header| resolve_range(Some(header), 10).map(Option::unwrap);
        assert_eq!(span("bytes=8-20").unwrap(), Span { start: 8, length: 2 });
        assert_eq!(span("bytes=-20").unwrap(), Span { start: 0, length: 10 });
        assert_eq!(span("bytes=8-20").unwrap().content_range(10), "bytes 8-9/10");
        for beyond in ["bytes=10-", "bytes=10-11", "bytes=-0"] {
            assert!(matches!(span(beyond), Err(Error::InvalidRange { size: 10, .. })), "{beyond}");
        }
        assert!(resolve_range(Some("bytes=0-"), 0).is_err());
        assert_eq!(Span::of_piece(&[3, 4, 5], 1), Some(Span { start: 3, length: 4 }));
        assert_eq!(Span::of_piece(&[3], 1), None);
    }

    proptest! {
        #[test]
        fn the_parts_of_a_span_are_as_long_as_it_and_follow_each_other(
            sizes in prop::collection::vec(0_u64..6, 0..6),
            start in 0_u64..40,
            length in 0_u64..40,
        ) {
            let files: Vec<u8> = sizes.iter().enumerate().flat_map(|(at, size)| vec![at as u8; *size as usize]).collect();
            let id = |at: usize| format!("{at:032x}").parse().unwrap();
            let pieces: Vec<Piece> = sizes.iter().enumerate().map(|(at, size)| Piece { file: id(at), size: *size }).collect();
            let from = (start as usize).min(files.len());
            let to = ((start + length) as usize).min(files.len());
            let taken: Vec<u8> = parts_of(&pieces, Span { start, length })
                .iter()
                .flat_map(|part| {
                    let at = pieces.iter().position(|piece| piece.file == part.piece.file).unwrap();
                    vec![at as u8; (part.end - part.start) as usize]
                })
                .collect();
            prop_assert_eq!(taken, files[from.min(to)..to].to_vec());
        }
    }
}
