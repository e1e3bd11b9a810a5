//! Files with several names, and links that nobody of ours wrote.

use super::*;

use std::collections::BTreeSet;
use std::sync::Arc;

use base::SeededRng;
use blobs::files::Files;
use tar::Archive;

const BYTES: usize = 1 << 20;
const COPIES: usize = 20;

/// An archive of a file with many names and of one with a single one, and the entries' checksums.
fn archived() -> (Vec<u8>, Checksums) {
    let original = tempfile::tempdir().unwrap();
    let files = Files::open_root(original.path(), Arc::new(SeededRng::new(3))).unwrap();
    let put = |content: &[u8]| {
        let mut file = files.writer(u64::MAX).unwrap();
        file.append(content).unwrap();
        file.finish().unwrap()
    };
    put(b"another");
    let first = put(&[7; BYTES]);
    for _ in 0..COPIES {
        files.duplicate(&first).unwrap().unwrap();
    }
    let held = HeldFiles::at(original.path()).unwrap().unwrap();
    let (mut archive, mut checksums) = (Builder::new(Vec::new()), Checksums::new());
    append_all(&mut archive, &held, &mut checksums).unwrap();
    (archive.into_inner().unwrap(), checksums)
}

fn restore(staged: &mut Staged, archive: &[u8]) -> Result<Checksums> {
    let mut found = Checksums::new();
    for entry in Archive::new(archive).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let checksum = match entry.header().entry_type() {
            EntryType::Link => staged.link(&name, &entry, &found)?,
            _ => staged.file(&name, &mut entry)?,
        };
        found.insert(name, checksum);
    }
    Ok(found)
}

/// How many files there are below the directory, and how many of them with content of their own.
fn count(root: &Path) -> (usize, usize) {
    let held = HeldFiles::at(root).unwrap().unwrap();
    let opened: Vec<_> = held.all().map(|id| held.open(&id.unwrap()).unwrap().unwrap()).collect();
    for file in opened.iter().filter(|file| file.size != 7) {
        let mut content = Vec::new();
        (&file.file).read_to_end(&mut content).unwrap();
        assert!(content == [7; BYTES]);
    }
    let own: BTreeSet<_> = opened.iter().map(|file| number(&file.file.metadata().unwrap())).collect();
    (opened.len(), own.len())
}

#[test]
fn a_file_with_many_names_is_archived_once_and_has_them_all_again_when_it_is_restored() {
    let (archive, checksums) = archived();
    assert!(archive.len() < 2 * BYTES, "{}", archive.len());
    let restored = tempfile::tempdir().unwrap();
    let found = restore(&mut Staged::below(restored.path().to_owned()), &archive).unwrap();
    assert_eq!(found, checksums);
    assert_eq!(count(restored.path()), (COPIES + 2, 2));
}

#[test]
fn where_a_file_can_have_few_names_it_is_copied_and_the_copy_takes_further_ones() {
    fn up_to_eight(from: &Path, to: &Path) -> io::Result<()> {
        match std::fs::metadata(from)?.nlink() {
            8.. => Err(io::ErrorKind::TooManyLinks.into()),
            _ => std::fs::hard_link(from, to),
        }
    }
    let (archive, checksums) = archived();
    let restored = tempfile::tempdir().unwrap();
    let mut staged = Staged { link: up_to_eight, ..Staged::below(restored.path().to_owned()) };
    assert_eq!(restore(&mut staged, &archive).unwrap(), checksums);
    assert_eq!(count(restored.path()), (COPIES + 2, 1 + (COPIES + 1).div_ceil(8)));
}

#[test]
fn a_link_leads_to_an_object_that_came_before_it_or_the_archive_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("secret");
    std::fs::write(&secret, "secret").unwrap();
    let known = format!("{OBJECTS}{}", "1".repeat(32));
    let unknown = format!("{OBJECTS}{}", "2".repeat(32));
    let name = format!("{OBJECTS}{}", "3".repeat(32));
    let targets = [
        unknown.as_str(),
        name.as_str(),
        "",
        "keys/root.json",
        "objects/../keys/root.json",
        "../secret",
        secret.to_str().unwrap(),
    ];
    for to in targets.iter().chain([&known.as_str()]) {
        let mut archive = Builder::new(Vec::new());
        append(&mut archive, &known, b"x".as_slice(), 1, &mut Checksums::new()).unwrap();
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Link);
        header.set_size(0);
        header.set_path(&name).unwrap();
        // The library refuses some: they are written past it.
        header.as_gnu_mut().unwrap().linkname[..to.len()].copy_from_slice(to.as_bytes());
        header.set_cksum();
        archive.append(&header, io::empty()).unwrap();
        let restored = tempfile::tempdir().unwrap();
        let mut staged = Staged::below(restored.path().join("objects"));
        let outcome = restore(&mut staged, &archive.into_inner().unwrap());
        assert_eq!(outcome.is_ok(), **to == known, "{to}: {outcome:?}");
        assert_eq!(restored.path().join("objects/33").exists(), **to == known, "{to}");
    }
}
