use std::io::{Cursor, Write as _};

use flate2::Compression;
use flate2::write::DeflateEncoder;
use proptest::prelude::*;

use super::*;

/// What is to be in an archive, and what is to be said of it.
#[derive(Debug, Clone)]
pub(crate) struct File {
    name: String,
    content: Vec<u8>,
    mode: u32,
    method: u16,
    flags: u16,
    /// What the directory says of its size and checksum, where that is not the truth.
    claimed_size: Option<u32>,
    claimed_crc: Option<u32>,
    is_long: bool,
}

pub(crate) fn file(name: &str, content: &[u8]) -> File {
    File {
        name: name.to_owned(),
        content: content.to_vec(),
        mode: 0o100_644,
        method: 8,
        flags: 0,
        claimed_size: None,
        claimed_crc: None,
        is_long: false,
    }
}

/// Writes an archive.
pub(crate) fn archive(files: &[File]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let offset = u32::try_from(out.len()).unwrap();
        let packed = match file.method {
            8 => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                encoder.write_all(&file.content).unwrap();
                encoder.finish().unwrap()
            }
            _ => file.content.clone(),
        };
        let mut crc = Crc::new();
        crc.update(&file.content);
        let crc = file.claimed_crc.unwrap_or(crc.sum());
        let size = file.claimed_size.unwrap_or(u32::try_from(file.content.len()).unwrap());
        let name_length = u16::try_from(file.name.len()).unwrap();
        out.extend(FILE.to_le_bytes());
        out.extend([20, 0]);
        out.extend(file.flags.to_le_bytes());
        out.extend(file.method.to_le_bytes());
        out.extend([0; 4]);
        out.extend(crc.to_le_bytes());
        out.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(name_length.to_le_bytes());
        out.extend([0; 2]);
        out.extend(file.name.as_bytes());
        out.extend(&packed);
        directory.extend(ENTRY.to_le_bytes());
        directory.extend([20, 3, 20, 0]);
        directory.extend(file.flags.to_le_bytes());
        directory.extend(file.method.to_le_bytes());
        directory.extend([0; 4]);
        directory.extend(crc.to_le_bytes());
        directory.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        directory.extend(if file.is_long { u32::MAX } else { size }.to_le_bytes());
        directory.extend(name_length.to_le_bytes());
        directory.extend(if file.is_long { 12_u16 } else { 0 }.to_le_bytes());
        directory.extend([0; 6]);
        directory.extend((file.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(file.name.as_bytes());
        if file.is_long {
            directory.extend([1, 0, 8, 0]);
            directory.extend(u64::from(size).to_le_bytes());
        }
    }
    let offset = u32::try_from(out.len()).unwrap();
    let count = u16::try_from(files.len()).unwrap();
    out.extend(&directory);
    out.extend(END.to_le_bytes());
    out.extend([0; 4]);
    out.extend(count.to_le_bytes());
    out.extend(count.to_le_bytes());
    out.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    out.extend(offset.to_le_bytes());
    out.extend([0; 2]);
    out
}

fn looked_through(bytes: &[u8]) -> Result<Contents, ZipProblem> {
    verify(&mut Cursor::new(bytes), bytes.len() as u64)
}

#[test]
fn what_an_archive_holds_is_counted() {
    let stored = File { method: 0, ..file("lib/data.bin", &[7; 1000]) };
    let link = File { mode: 0o120_777, ..file("bin/run", b"../lib/data.bin") };
    let long = File { is_long: true, ..file("long", b"12345") };
    let bytes = archive(&[file("index.py", b"def handler(e, c): pass"), stored, link, long, file("bin/", b"")]);
    assert_eq!(looked_through(&bytes).unwrap(), Contents { files: 5, bytes: 23 + 1000 + 15 + 5 });
    assert_eq!(looked_through(&archive(&[])).unwrap().files, 0);
}

#[test]
fn an_archive_that_lies_or_leads_out_is_refused() {
    let refused = |file: File| looked_through(&archive(&[file])).unwrap_err();
    for name in ["../x", "a/../../x", "/etc/passwd", "a\\b", "a\0b", ""] {
        assert!(matches!(refused(file(name, b"x")), ZipProblem::Outside(_)), "{name}");
    }
    assert!(matches!(refused(File { claimed_size: Some(1), ..file("a", b"xyz") }), ZipProblem::Damaged(_)));
    assert!(matches!(refused(File { claimed_size: Some(9), ..file("a", b"xyz") }), ZipProblem::Damaged(_)));
    assert!(matches!(refused(File { claimed_crc: Some(1), ..file("a", b"xyz") }), ZipProblem::Damaged(_)));
    assert!(matches!(refused(File { flags: 1, ..file("a", b"xyz") }), ZipProblem::Method(_)));
    assert!(matches!(refused(File { method: 12, ..file("a", b"xyz") }), ZipProblem::Method(_)));
    assert!(matches!(refused(File { mode: 0o060_600, ..file("a", b"") }), ZipProblem::Kind(_)));
    let large = u32::try_from(UNZIPPED_BYTES_MAX).unwrap();
    assert!(matches!(refused(File { claimed_size: Some(large), ..file("a", b"x") }), ZipProblem::TooLarge));
}

#[test]
fn a_bomb_of_many_files_is_refused_before_anything_is_inflated() {
    let files: Vec<File> =
        (0..5).map(|n| File { claimed_size: Some(60_000_000), ..file(&n.to_string(), b"x") }).collect();
    assert!(matches!(looked_through(&archive(&files)).unwrap_err(), ZipProblem::TooLarge));
}

#[test]
fn a_comment_behind_the_end_is_passed_over_and_what_is_no_archive_is_none() {
    let mut bytes = archive(&[file("a", b"x")]);
    let length = bytes.len();
    bytes[length - 2] = 3;
    bytes.extend(b"PK!");
    assert_eq!(looked_through(&bytes).unwrap().files, 1);
    assert!(matches!(looked_through(b""), Err(ZipProblem::Empty)));
    assert!(matches!(looked_through(b"no archive at all, and longer than an end"), Err(ZipProblem::Malformed(_))));
    assert!(matches!(looked_through(&bytes[..40]), Err(ZipProblem::Malformed(_))));
}

proptest! {
    #[test]
    fn no_bytes_bring_it_down(
        content in prop::collection::vec(any::<u8>(), 0..200),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
    ) {
        let mut bytes = archive(&[file("a", &content), File { method: 0, ..file("b/c", &content) }]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = looked_through(&bytes);
        let _ = looked_through(&content);
    }
}
