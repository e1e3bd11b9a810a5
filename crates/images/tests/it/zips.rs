//! Zip archives in a store: what becomes of them, and what is refused.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use images::{Descriptor, Error, MemberError, Prepared, UnpackError, archive_layer};

use crate::bed::{Bed, OUTSIDE, names, why};

/// A zip archive of these members: path, Unix mode, content.
fn zip(members: &[(&str, u32, &[u8])]) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (path, mode, content) in members {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        let at = u32::try_from(out.len()).unwrap();
        let [packed_size, size] = [packed.len(), content.len()].map(|length| u32::try_from(length).unwrap());
        let middle = {
            let mut middle = Vec::new();
            [20u16, 0, 8, 0x6000, 0x5a21].iter().for_each(|number| middle.extend(number.to_le_bytes()));
            [crc.sum(), packed_size, size].iter().for_each(|number| middle.extend(number.to_le_bytes()));
            middle.extend(u16::try_from(path.len()).unwrap().to_le_bytes());
            middle.extend([0; 2]);
            middle
        };
        out.extend([&0x0403_4b50u32.to_le_bytes()[..], &middle, path.as_bytes(), &packed].concat());
        directory.extend([&0x0201_4b50u32.to_le_bytes()[..], &(3u16 << 8).to_le_bytes(), &middle, &[0; 6]].concat());
        directory.extend([(mode << 16).to_le_bytes(), at.to_le_bytes()].concat());
        directory.extend(path.as_bytes());
    }
    let count = u16::try_from(members.len()).unwrap().to_le_bytes();
    let numbers = [directory.len(), out.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    out.extend(directory);
    out.extend([&0x0605_4b50u32.to_le_bytes()[..], &[0; 4], &count, &count, &numbers.concat(), &[0; 2]].concat());
    out
}

impl Bed {
    fn archive(&self, bytes: &[u8]) -> Descriptor {
        let (digest, size) = (self.source.put(bytes.to_vec()), bytes.len() as u64);
        Descriptor { media_type: "application/zip".to_owned(), digest, size, platform: None }
    }

    fn prepare_zip(&self, bytes: &[u8]) -> Result<Prepared, Error> {
        self.store.prepare_archive(&self.archive(bytes), &self.source, &())
    }

    fn unzipped(&self, members: &[(&str, u32, &[u8])]) -> PathBuf {
        self.prepare_zip(&zip(members)).unwrap_or_else(|error| panic!("{error:?}")).paths().remove(0)
    }

    fn refused_zip(&self, members: &[(&str, u32, &[u8])]) -> UnpackError {
        let error = self.prepare_zip(&zip(members)).expect_err("it was not refused");
        self.check_untouched();
        why(error)
    }
}

const FILE: u32 = 0o100_644;
const LINK: u32 = 0o120_777;

#[test]
fn an_archive_becomes_files_with_their_modes_and_the_last_of_a_name_counts() {
    let bed = Bed::new();
    let root = bed.unzipped(&[
        ("a/b/file", FILE, b"first"),
        ("bootstrap", 0o100_755, b"#!/bin/sh"),
        ("secret/", 0o40_700, b""),
        ("link", LINK, b"a/b/file"),
        ("a/b/file", 0o100_600, b"second"),
        (".wh.name", FILE, b"no whiteout"),
    ]);
    let mode = |path: &str| std::fs::symlink_metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(std::fs::read(root.join("a/b/file")).unwrap(), b"second");
    assert_eq!([mode("a/b/file"), mode("bootstrap"), mode("secret"), mode("a")], [0o600, 0o755, 0o700, 0o755]);
    assert_eq!(std::fs::read_link(root.join("link")).unwrap(), PathBuf::from("a/b/file"));
    assert_eq!(names(&root), [".wh.name", "a", "bootstrap", "link", "secret"]);
    bed.check_untouched();
}

#[test]
fn an_archive_is_unpacked_once_and_goes_when_nobody_needs_it() {
    let bed = Bed::new();
    let bytes = zip(&[("file", FILE, b"content")]);
    let prepared = bed.prepare_zip(&bytes).unwrap();
    let layer = archive_layer(&bed.archive(&bytes).digest);
    assert_eq!(prepared.layers(), [layer]);
    // Its blob is not looked at again.
    let nothing = crate::bed::Memory::default();
    bed.store.prepare_archive(&bed.archive(&bytes), &nothing, &()).unwrap();
    bed.store.lease("somebody", &prepared).unwrap();
    drop(prepared);
    assert_eq!(bed.store.collect().unwrap().layers, 0);
    bed.store.release("somebody").unwrap();
    assert_eq!(bed.store.collect().unwrap().layers, 1);
    assert!(matches!(bed.store.hold(&[layer]), Err(Error::LayerMissing { .. })));
    assert!(matches!(bed.store.prepare_archive(&bed.archive(&bytes), &nothing, &()), Err(Error::NotFound { .. })));
}

#[test]
fn the_same_bytes_as_a_layer_and_as_an_archive_are_two_things() {
    let bed = Bed::new();
    // A zip archive may begin with anything, also with an archive of another kind.
    let tar = crate::archive::Archive::of([crate::archive::file("tarred", b"tarred")]).end();
    let bytes = zip(&[("zipped", FILE, b"zipped")]);
    let both = [tar, bytes].concat();
    let zipped = bed.prepare_zip(&both).unwrap().paths().remove(0);
    assert_eq!(names(&zipped), ["zipped"]);
    // What follows the end of a layer is refused; its name is another one in any case.
    assert_ne!(archive_layer(&bed.archive(&both).digest), bed.layer(&both).diff_id);
}

#[test]
fn nothing_gets_out_of_its_root() {
    let bed = Bed::new();
    let outside = bed.outside().display().to_string();
    for path in ["../outside", "a/../../outside", "..", "a/..", "a/../b"] {
        let refused = bed.refused_zip(&[(path, FILE, b"x")]);
        assert!(matches!(refused, UnpackError::Member { source: MemberError::Upwards, .. }), "{path}: {refused:?}");
    }
    // An absolute path begins at the root.
    let root = bed.unzipped(&[(&outside, FILE, b"inside")]);
    assert_eq!(std::fs::read(root.join(outside.trim_start_matches('/'))).unwrap(), b"inside");
    // Through links: their root is the archive's.
    for target in ["/", "../../../../../../..", "/tmp", &outside, "..", "."] {
        let members = [("way", LINK, target.as_bytes()), ("way/outside", FILE, b"x")];
        match bed.prepare_zip(&zip(&members)) {
            Ok(prepared) => assert!(prepared.paths()[0].join("outside").exists(), "{target}"),
            Err(error) => drop(why(error)),
        }
        assert_eq!(std::fs::read_to_string(bed.outside()).unwrap(), OUTSIDE, "{target}");
    }
    // A link is replaced, not written through.
    let root = bed.unzipped(&[("file", LINK, outside.as_bytes()), ("file", FILE, b"own")]);
    assert!(std::fs::symlink_metadata(root.join("file")).unwrap().is_file());
    assert_eq!(std::fs::read_to_string(bed.outside()).unwrap(), OUTSIDE);
    bed.check_untouched();
}

#[test]
fn what_is_no_file_or_too_much_is_refused() {
    let bed = Bed::new();
    assert!(matches!(bed.refused_zip(&[("pipe", 0o010_644, b"")]), UnpackError::Zip(_)));
    assert!(matches!(bed.refused_zip(&[("device", 0o020_644, b"")]), UnpackError::Zip(_)));
    assert!(matches!(bed.refused_zip(&[("link", LINK, b"")]), UnpackError::Member { .. }));
    assert!(matches!(bed.refused_zip(&[("link", LINK, &[b'a'; 4096])]), UnpackError::Zip(_)));
    assert!(matches!(bed.refused_zip(&[(".", FILE, b"x")]), UnpackError::Member { source: MemberError::Root, .. }));
    // Members that say how large they are: nothing of them is written.
    let gigabytes: Vec<u8> = {
        let mut bytes = zip(&[("a", FILE, b"x"), ("b", FILE, b"x")]);
        let at = bytes.windows(4).position(|four| four == 0x0201_4b50u32.to_le_bytes()).unwrap();
        for entry in [at, at + 47] {
            bytes[entry + 24..entry + 28].copy_from_slice(&(600u32 << 20).to_le_bytes());
        }
        bytes
    };
    assert!(matches!(why(bed.prepare_zip(&gigabytes).err().unwrap()), UnpackError::TooLarge { .. }));
    bed.check_untouched();
}

#[test]
fn what_is_more_than_it_says_stops_where_it_says() {
    let bed = Bed::new();
    let zeroes = vec![0; 64 << 20];
    let mut bytes = zip(&[("zeroes", FILE, &zeroes)]);
    let at = bytes.windows(4).position(|four| four == 0x0201_4b50u32.to_le_bytes()).unwrap();
    bytes[at + 24..at + 28].copy_from_slice(&100u32.to_le_bytes());
    assert!(matches!(why(bed.prepare_zip(&bytes).err().unwrap()), UnpackError::Zip(_)));
    bed.check_untouched();
}

#[test]
fn what_has_another_digest_or_length_is_not_looked_at() {
    let bed = Bed::new();
    let archive = bed.archive(&zip(&[("file", FILE, b"content")]));
    let prepare = |archive: &Descriptor| bed.store.prepare_archive(archive, &bed.source, &()).err().unwrap();
    bed.source.replace(archive.digest, zip(&[("file", FILE, b"CONTENT")]));
    assert!(matches!(prepare(&archive), Error::Mismatch { .. }));
    for size in [archive.size - 1, archive.size + 1, 0] {
        let error = prepare(&Descriptor { size, ..archive.clone() });
        assert!(matches!(why(error), UnpackError::BlobSize { .. }));
    }
    bed.check_untouched();
}
