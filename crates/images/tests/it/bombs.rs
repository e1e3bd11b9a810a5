//! Archives that are made to cost more than they look like.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use images::{Limits, Progress, UnpackError};

use crate::archive::{Archive, Member, directory, file, member, number, records, symlink};
use crate::bed::{Bed, image, zstd};

#[test]
fn a_bomb_is_told_by_its_ratio() {
    let limits = Limits { ratio_max: 50, ratio_free_bytes: 1 << 20, ..Limits::default() };
    let zeros = Archive::of([file("zeros", vec![0; 20 << 20])]).end();
    assert!(matches!(Bed::limited(limits).refuse_bytes(&zeros), UnpackError::TooLarge { .. }));
    let bed = Bed::limited(limits);
    let layer = bed.layer_of(&zeros, zstd(&zeros));
    assert!(bed.prepare(vec![layer]).is_err());
    bed.check_untouched();
    // What is within the free bytes, or does not shrink, is none.
    let few = Archive::of([file("zeros", vec![0; 1 << 19])]).end();
    assert!(Bed::limited(limits).unpack_bytes(&few).is_ok());
    let noise: Vec<u8> = (0..1_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    assert!(Bed::limited(limits).unpack_bytes(&Archive::of([file("noise", noise)]).end()).is_ok());
}

#[test]
fn a_bomb_is_told_by_its_bytes() {
    let limits = Limits { archive_bytes_max: 100_000, ..Limits::default() };
    let archive = Archive::of([file("a", vec![1; 200_000])]).end();
    assert!(matches!(Bed::limited(limits).refuse_bytes(&archive), UnpackError::TooLarge { .. }));
    // Also when all of it follows the end, or is an extended header that says nothing.
    let mut padded = Archive::of([file("a", "x")]).end();
    padded.resize(200_000, 0);
    assert!(matches!(Bed::limited(limits).refuse_bytes(&padded), UnpackError::TooLarge { .. }));
    let global = file("g", records(&[(b"comment".to_vec(), vec![b'x'; 150_000])])).kind(b'g');
    assert!(matches!(Bed::limited(limits).refuse([global]), UnpackError::TooLarge { .. }));
}

/// Wants a layer until so often was asked.
struct Patience(AtomicUsize);

impl Progress for Patience {
    fn stopped(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
    }
}

#[test]
fn whether_a_layer_is_wanted_is_asked_while_few_bytes_become_many() {
    let bed = Bed::new();
    let zeros = Archive::of([file("zeros", vec![0; 32 << 20])]).end();
    let blob = zstd(&zeros);
    assert!(blob.len() < 64 << 10, "it is read at once");
    let layer = bed.layer_of(&zeros, blob);
    let stopped = bed.store.prepare(&image(vec![layer]), &bed.source, &Patience(AtomicUsize::new(50)));
    assert!(matches!(stopped, Err(images::Error::Stopped)), "{stopped:?}");
    bed.check_untouched();
}

#[test]
fn a_bomb_is_told_by_its_files() {
    let limits = Limits { entries_max: 50, ..Limits::default() };
    let files = (0..51).map(|n| file(format!("f{n}"), ""));
    assert!(matches!(Bed::limited(limits).refuse(files), UnpackError::TooManyEntries { max: 50 }));
    // The same file again and again, and directories that nobody described, count as well.
    let again = (0..51).map(|_| directory("d"));
    assert!(matches!(Bed::limited(limits).refuse(again), UnpackError::TooManyEntries { .. }));
    let deep = [file("d/".repeat(60) + "f", "")];
    assert!(matches!(Bed::limited(limits).refuse(deep), UnpackError::TooManyEntries { .. }));
    let whiteouts = (0..51).map(|n| file(format!(".wh.{n}"), ""));
    assert!(matches!(Bed::limited(limits).refuse(whiteouts), UnpackError::TooManyEntries { .. }));
    assert!(Bed::limited(limits).unpack((0..50).map(|n| file(format!("f{n}"), ""))).is_dir());
}

#[test]
fn extended_headers_are_bounded_before_they_are_read_cve_2022_2879() {
    let large = |kind| Member { size: Some(number((1 << 20) + 1)), ..member(kind, "x") };
    for kind in [b'x', b'g', b'L', b'K'] {
        assert!(matches!(Bed::new().refuse([large(kind)]), UnpackError::Archive(_)));
        let endless = Member { size: Some(number(i64::MAX)), ..member(kind, "x") };
        assert!(matches!(Bed::new().refuse([endless]), UnpackError::Archive(_)));
    }
}

#[test]
fn pieces_of_sparse_files_are_bounded_before_they_are_read_cve_2025_58183() {
    let map = |count: &str| {
        let mut map = format!("{count}\n").into_bytes();
        map.resize(512, b'0');
        file("s", map).pax("GNU.sparse.major", "1").pax("GNU.sparse.minor", "0").pax("GNU.sparse.realsize", "10")
    };
    for count in ["65537", "18446744073709551615", "99999999999999999999999"] {
        assert!(matches!(Bed::new().refuse([map(count)]), UnpackError::Archive(_)), "{count}");
    }
    // A map that goes on for ever without a line's end.
    let endless = vec![b'1'; 4096];
    let endless = file("s", endless).pax("GNU.sparse.major", "1").pax("GNU.sparse.realsize", "10");
    assert!(matches!(Bed::new().refuse([endless]), UnpackError::Archive(_)));
}

#[test]
fn a_sparse_file_of_any_length_takes_no_room() {
    let limits = Limits { file_bytes_max: 1 << 30, ..Limits::default() };
    let sparse = |size: u64| file("s", "x").pax("GNU.sparse.map", "0,1").pax("GNU.sparse.size", size.to_string());
    assert!(matches!(Bed::limited(limits).refuse([sparse((1 << 30) + 1)]), UnpackError::Member { .. }));
    let bed = Bed::limited(limits);
    bed.unpack([sparse(1 << 30)]);
    assert_eq!(bed.store.usage().bytes, 1);
}

#[test]
fn a_gzip_header_without_an_end_is_refused() {
    let mut blob = vec![0x1f, 0x8b, 8, 0x08, 0, 0, 0, 0, 0, 255];
    blob.write_all(&vec![b'n'; 1_000_000]).unwrap();
    let bed = Bed::new();
    let layer = bed.layer_of(b"", blob);
    assert!(bed.prepare(vec![layer]).is_err());
    bed.check_untouched();
}

#[test]
fn a_tree_that_is_deeper_than_any_path_is_unpacked_and_removed() {
    // Each link leads to the end of the chain before it, so that names stay short and the tree grows all the same.
    let chain = "d/".repeat(200);
    let mut members = vec![directory(&chain), symlink("l0", &chain)];
    for link in 0..20 {
        members.push(directory(format!("l{link}/{chain}")));
        members.push(symlink(format!("l{}", link + 1), format!("l{link}/{chain}")));
    }
    // Twenty links in a row are as many as the kernel follows at once; the last ones are resolved through all of them.
    let bed = Bed::new();
    bed.unpack(members.clone());
    assert!(bed.store.usage().entries > 4000);
    bed.store.collect().unwrap();
    bed.check_untouched();
    members.push(file("d", "in its place"));
    bed.unpack(members);
    bed.store.collect().unwrap();
    bed.check_untouched();
}
