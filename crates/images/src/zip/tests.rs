use std::io::Write;

use proptest::prelude::*;

use super::*;

impl ReadAt for Vec<u8> {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let at = usize::try_from(offset).map_err(|_| end())?;
        let from = self.get(at..).and_then(|rest| rest.get(..buffer.len())).ok_or_else(end)?;
        buffer.copy_from_slice(from);
        Ok(())
    }
}

/// An archive of one member whose numbers can be changed: `made_by`, `attributes`, `method`.
struct One<'a> {
    name: &'a [u8],
    made_by: u16,
    attributes: u32,
    content: &'a [u8],
    is_deflated: bool,
    is_large: bool,
    before: &'a [u8],
    comment: &'a [u8],
}

impl Default for One<'_> {
    fn default() -> Self {
        let (made_by, attributes) = (UNIX_MADE, 0o100_755 << 16);
        Self {
            name: b"bootstrap",
            made_by,
            attributes,
            content: b"#!/bin/sh\n",
            is_deflated: true,
            is_large: false,
            before: b"",
            comment: b"",
        }
    }
}

const UNIX_MADE: u16 = 3 << 8 | 30;

impl One<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut crc = flate2::Crc::new();
        crc.update(self.content);
        let packed = match self.is_deflated {
            true => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(self.content).unwrap();
                encoder.finish().unwrap()
            }
            false => self.content.to_vec(),
        };
        let method = if self.is_deflated { 8u16 } else { 0 };
        let [packed_size, size] = [packed.len(), self.content.len()].map(|length| u32::try_from(length).unwrap());
        let name_bytes = u16::try_from(self.name.len()).unwrap();
        let mut out = self.before.to_vec();
        out.extend(HEADER.to_le_bytes());
        for number in [20, 0, method, 0x6000, 0x5a21] {
            out.extend(number.to_le_bytes());
        }
        for number in [crc.sum(), packed_size, size] {
            out.extend(number.to_le_bytes());
        }
        out.extend([name_bytes.to_le_bytes(), 0u16.to_le_bytes()].concat());
        out.extend(self.name);
        out.extend(packed);
        let directory = out.len();
        let mut further = Vec::new();
        if self.is_large {
            further.extend([1u16.to_le_bytes(), 24u16.to_le_bytes()].concat());
            for number in [u64::from(size), u64::from(packed_size), 0] {
                further.extend(number.to_le_bytes());
            }
        }
        let or_large = |number: u32| if self.is_large { u32::MAX } else { number };
        out.extend(0x0201_4b50u32.to_le_bytes());
        for number in [self.made_by, 20, 0, method, 0x6000, 0x5a21] {
            out.extend(number.to_le_bytes());
        }
        for number in [crc.sum(), or_large(packed_size), or_large(size)] {
            out.extend(number.to_le_bytes());
        }
        for number in [name_bytes, u16::try_from(further.len()).unwrap(), 0, 0, 0] {
            out.extend(number.to_le_bytes());
        }
        out.extend([self.attributes.to_le_bytes(), or_large(0).to_le_bytes()].concat());
        out.extend([self.name, &further].concat());
        let (bytes, at) = ((out.len() - directory) as u64, (directory - self.before.len()) as u64);
        if self.is_large {
            let end = out.len() as u64;
            out.extend(0x0606_4b50u32.to_le_bytes());
            out.extend(44u64.to_le_bytes());
            out.extend([45u16.to_le_bytes(); 2].concat());
            out.extend([0u32.to_le_bytes(); 2].concat());
            for number in [1, 1, bytes, at] {
                out.extend(number.to_le_bytes());
            }
            out.extend(0x0706_4b50u32.to_le_bytes());
            out.extend(0u32.to_le_bytes());
            out.extend(end.to_le_bytes());
            out.extend(1u32.to_le_bytes());
        }
        out.extend(0x0605_4b50u32.to_le_bytes());
        let count = if self.is_large { u16::MAX } else { 1 };
        for number in [0, 0, count, count] {
            out.extend(number.to_le_bytes());
        }
        let numbers = [u32::try_from(bytes).unwrap(), u32::try_from(at).unwrap()];
        numbers.iter().for_each(|number| out.extend(or_large(*number).to_le_bytes()));
        out.extend(u16::try_from(self.comment.len()).unwrap().to_le_bytes());
        out.extend(self.comment);
        out
    }
}

const HEADER: u32 = 0x0403_4b50;

/// What comes out of an archive, or why nothing does.
fn all(archive: &Vec<u8>) -> Result<Vec<(Member, Vec<u8>)>, ZipError> {
    let (members, end) = members(archive, archive.len() as u64, 1000)?;
    let mut found = Vec::new();
    for member in members {
        let (mut bytes, mut piece) = (Vec::new(), [0; 7]);
        let mut content = Content::open(archive, &member, end)?;
        loop {
            match content.read(&mut piece)? {
                0 => break,
                count => bytes.extend(&piece[..count]),
            }
        }
        found.push((member, bytes));
    }
    Ok(found)
}

fn only(one: &One<'_>) -> (Member, Vec<u8>) {
    all(&one.bytes()).unwrap().remove(0)
}

#[test]
fn a_member_is_read_however_it_is_packed() {
    for is_deflated in [true, false] {
        for is_large in [true, false] {
            for (before, comment) in [(&b""[..], &b""[..]), (b"#!/usr/bin/env python3\n", b"PK\x05\x06 is no end")] {
                let one = One { is_deflated, is_large, before, comment, ..One::default() };
                let (member, content) = only(&one);
                assert_eq!((member.path.as_slice(), content.as_slice()), (one.name, one.content));
                assert_eq!((member.kind, member.mode), (Kind::File, 0o755));
                // 1 January 2025, 12:00.
                assert_eq!(member.mtime, 1_735_732_800);
            }
        }
    }
}

#[test]
fn who_made_an_archive_decides_what_its_attributes_mean() {
    let with = |name: &'static [u8], made_by: u16, attributes: u32| {
        let (member, _) = only(&One { name, made_by: made_by << 8, attributes, ..One::default() });
        (String::from_utf8(member.path).unwrap(), member.kind, member.mode)
    };
    assert_eq!(with(b"a", 3, 0o104_755 << 16), ("a".to_owned(), Kind::File, 0o755), "no set-id bits");
    assert_eq!(with(b"a", 3, 0o600 << 16).2, 0o600, "as Python's zipfile has it");
    assert_eq!(with(b"a", 3, 0).2, 0, "and when it is not told a mode");
    assert_eq!(with(b"a/", 3, 0o40_750 << 16).1, Kind::Directory);
    assert_eq!(with(b"a", 19, 0o120_777 << 16).1, Kind::Symlink);
    assert_eq!(with(b"a", 0, 0x20), ("a".to_owned(), Kind::File, 0o644));
    assert_eq!(with(b"a\\b", 0, 0x20).0, "a/b");
    assert_eq!(with(b"a\\b", 3, 0o100_644 << 16).0, "a\\b");
    assert_eq!(with(b"a\\b\\", 0, 0x10), ("a/b/".to_owned(), Kind::Directory, 0o755));
    for kind in [0o010_000u32, 0o020_000, 0o060_000, 0o140_000] {
        let one = One { attributes: (kind | 0o644) << 16, ..One::default() };
        assert!(matches!(all(&one.bytes()), Err(ZipError::Kind)));
    }
}

#[test]
fn what_can_be_read_as_two_things_is_refused() {
    let one = One::default().bytes();
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = one.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        all(&bytes).unwrap_err()
    };
    let directory = one.len() - 22 - 46 - 9;
    assert!(matches!(changed(30, b"Bootstrap"), ZipError::Damaged("a member has two names")));
    assert!(matches!(changed(8, &[0, 0]), ZipError::Damaged(_)), "two methods");
    assert!(matches!(changed(directory + 8, &[1, 0]), ZipError::Encrypted));
    assert!(matches!(changed(directory + 10, &[12, 0]), ZipError::Method(12)));
    assert!(matches!(changed(directory + 16, &[0; 4]), ZipError::Checksum));
    assert!(matches!(changed(directory + 24, &[9, 0, 0, 0]), ZipError::Damaged("a member is longer than it says")));
    assert!(matches!(changed(directory + 24, &[11, 0, 0, 0]), ZipError::Damaged("a member is shorter than it says")));
    assert!(matches!(changed(directory + 20, &[0xff, 0, 0, 0]), ZipError::Damaged(_)), "it reaches beyond");
    assert!(matches!(changed(one.len() - 18, &[1, 0]), ZipError::SeveralParts));
    assert!(matches!(changed(one.len() - 14, &[0xff; 4]), ZipError::DirectoryTooLong | ZipError::Damaged(_)));
    assert!(matches!(all(&b"#!/bin/sh\n".to_vec()), Err(ZipError::NotAZip)));
    assert!(matches!(all(&[one.clone(), vec![0]].concat()), Err(ZipError::NotAZip)), "something follows");
    assert!(matches!(all(&Vec::new()), Err(ZipError::NotAZip)));
}

proptest! {
    #[test]
    fn whatever_is_changed_it_is_read_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        is_large in any::<bool>(),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = One { is_large, ..One::default() }.bytes();
        for (at, to) in changes {
            let at = at.index(bytes.len());
            bytes[at] = to;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(found) = all(&bytes) {
            prop_assert!(found.len() <= 1);
        }
    }
}
