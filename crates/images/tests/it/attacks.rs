//! Archives that are made to do harm. Each test is one trick, named after what it was once good for.

use std::fs;
use std::os::unix::fs::MetadataExt;

use images::{DevicePolicy, Error, MemberError, Options, Owners, Policy, UnpackError, XattrNamespace};

use crate::archive::{Archive, Member, directory, file, hard_link, member, number, records, symlink};
use crate::bed::{self, Bed, gzip, zstd};
use crate::snapshot::{self, What};
use crate::unpacking::gnu_sparse_header;

fn why(error: UnpackError) -> MemberError {
    match error {
        UnpackError::Member { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_with_dots_leads_nowhere_cve_2007_4131() {
    for path in ["../../outside", "..", "a/../../../outside", "./../outside", "/../outside", "a/b/../../../../outside"]
    {
        let error = Bed::new().refuse([directory("a/b"), file(path, "overwritten")]);
        assert!(matches!(why(error), MemberError::Upwards), "{path}");
    }
    // In an extended header, in GNU's form, and in the prefix field.
    let error = Bed::new().refuse([file("harmless", "x").pax("path", "../../outside")]);
    assert!(matches!(why(error), MemberError::Upwards));
    let error = Bed::new().refuse([file("l", "../../outside\0").kind(b'L'), file("harmless", "x")]);
    assert!(matches!(why(error), MemberError::Upwards));
}

#[test]
fn an_absolute_name_lands_beneath_the_root() {
    let bed = Bed::new();
    let outside = bed.outside();
    let root = bed.unpack([file(outside.to_str().unwrap(), "beneath")]);
    assert_eq!(fs::read_to_string(root.join(outside.strip_prefix("/").unwrap())).unwrap(), "beneath");
    bed.check_untouched();
}

#[test]
fn nothing_is_written_through_a_symbolic_link_cve_2019_1002101() {
    let bed = Bed::new();
    let outside = bed.outside();
    let outside = outside.to_str().unwrap();
    let root = bed.unpack([
        symlink("link", outside),
        file("link", "in place of the link"),
        symlink("up", "../../../../../outside"),
        file("up", "in place of the link"),
    ]);
    bed.check_untouched();
    assert_eq!(snapshot::of(&root)[&b"link"[..]].what, What::File(b"in place of the link".to_vec()));
}

#[test]
fn a_linked_directory_leads_nowhere_outside_cve_2014_6407() {
    let bed = Bed::new();
    let parent = bed.directory.path().to_str().unwrap().to_owned();
    // Upwards: the layer's root is as high as it gets.
    let root = bed.unpack([
        symlink("up", "../../../../../../.."),
        file("up/outside", "beneath"),
        symlink("s", "/"),
        file("s/t", "x"),
    ]);
    assert_eq!(fs::read_to_string(root.join("outside")).unwrap(), "beneath");
    assert!(root.join("t").exists());
    bed.check_untouched();
    // To an absolute path that is there outside, and not inside.
    let error = bed.refuse([symlink("abs", &parent), file("abs/outside", "overwritten")]);
    assert!(matches!(why(error), MemberError::NotADirectory));
    // The same when the path is there inside, too.
    let root = bed.unpack([directory(&parent), symlink("abs", &parent), file("abs/outside", "beneath")]);
    assert_eq!(fs::read_to_string(root.join(&parent[1..]).join("outside")).unwrap(), "beneath");
    bed.check_untouched();
}

#[test]
fn a_directory_that_becomes_a_link_is_looked_at_again_cve_2021_32803() {
    let bed = Bed::new();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap();
    // The directory was opened a moment ago, and is another one now.
    let error = bed.refuse([directory("d"), file("d/first", "x"), symlink("d", target), file("d/second", "outside")]);
    assert!(matches!(why(error), MemberError::NotADirectory));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    // Through a directory further up, and with names that only differ in case (CVE-2021-37701).
    let root = bed.unpack([
        directory("real"),
        directory("a/b"),
        file("a/b/first", "x"),
        symlink("a", "real"),
        file("a/b/second", "y"),
        symlink("A", target),
        file("a/b/third", "z"),
    ]);
    assert_eq!(crate::bed::names(&root.join("real/b")), ["second", "third"]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn links_that_lead_to_themselves_end() {
    let error = Bed::new().refuse([symlink("a", "b"), symlink("b", "a"), file("a/x", "")]);
    assert!(matches!(why(error), MemberError::NotADirectory));
    let error = Bed::new().refuse([symlink("a", "nowhere"), file("a/x", "")]);
    assert!(matches!(why(error), MemberError::NotADirectory));
    let error = Bed::new().refuse([file("a", "a file"), file("a/x", "")]);
    assert!(matches!(why(error), MemberError::NotADirectory));
}

#[test]
fn a_hard_link_reaches_nothing_outside_cve_2018_20834() {
    let bed = Bed::new();
    let outside = bed.outside();
    let inode = fs::metadata(&outside).unwrap().ino();
    for target in ["../../../../outside", "../outside", "a/../../outside"] {
        let error = bed.refuse([directory("a"), hard_link("link", target), file("link", "overwritten")]);
        assert!(matches!(why(error), MemberError::Upwards), "{target}");
    }
    for target in [outside.to_str().unwrap(), "/etc/passwd", "missing", "", "/", "."] {
        let error = bed.refuse([hard_link("link", target)]);
        assert!(matches!(why(error), MemberError::LinkTarget), "{target}");
    }
    assert_eq!(fs::metadata(&outside).unwrap().nlink(), 1, "{inode}");
}

#[test]
fn a_hard_link_through_a_linked_directory_stays_beneath_the_root() {
    let bed = Bed::new();
    let error = bed.refuse([symlink("up", "../../../../.."), hard_link("link", "up/outside")]);
    assert!(matches!(why(error), MemberError::LinkTarget));
    let parent = bed.directory.path().to_str().unwrap().to_owned();
    let error = bed.refuse([symlink("abs", parent), hard_link("link", "abs/outside")]);
    assert!(matches!(why(error), MemberError::LinkTarget));
}

#[test]
fn a_hard_link_to_a_symbolic_link_is_that_link_and_not_where_it_leads() {
    let bed = Bed::new();
    let outside = bed.outside();
    let outside = outside.to_str().unwrap();
    let root = bed.unpack([
        symlink("soft", outside),
        hard_link("hard", "soft"),
        file("hard", "in its place").mode(0o777),
        hard_link("kept", "soft"),
    ]);
    bed.check_untouched();
    let tree = snapshot::of(&root);
    assert_eq!(tree[&b"hard"[..]].what, What::File(b"in its place".to_vec()));
    assert_eq!(tree[&b"kept"[..]].what, What::Symlink(outside.as_bytes().to_vec()));
    assert_eq!(fs::metadata(bed.outside()).unwrap().nlink(), 1);
}

#[test]
fn a_hard_link_to_a_directory_or_to_what_it_replaces_is_refused() {
    let error = Bed::new().refuse([directory("d"), hard_link("link", "d")]);
    assert!(matches!(why(error), MemberError::LinkTarget));
    let error = Bed::new().refuse([file("d/x", ""), hard_link("d", "d/x")]);
    assert!(matches!(why(error), MemberError::LinkTarget));
    let error = Bed::new().refuse([file(".wh.gone", ""), hard_link("link", "gone")]);
    assert!(matches!(why(error), MemberError::LinkTarget), "a whiteout is no file");
}

#[test]
fn special_files_are_left_out_or_refused() {
    let device = |kind, numbers| Member { device: numbers, ..member(kind, "dev/x") };
    let bed = Bed::new();
    let root = bed.unpack([device(b'4', (8, 0)), device(b'3', (1, 1)), file("dev/y", "")]);
    assert_eq!(crate::bed::names(&root.join("dev")), ["y"]);
    // What an overlay would take for a whiteout is no device that is merely left out.
    assert!(matches!(why(bed.refuse([device(b'3', (0, 0))])), MemberError::Device));
    let policy = Policy { devices: DevicePolicy::Refuse, owners: Owners::Caller, overlay: XattrNamespace::User };
    let bed = Bed::with(Options { policy: Some(policy), ..Options::default() });
    assert!(matches!(why(bed.refuse([device(b'4', (8, 0))])), MemberError::Device));
}

#[test]
fn members_of_other_kinds_are_refused() {
    for kind in [b'D', b'M', b'A', b'N', b'8', b'z', b's', 0xff] {
        let error = Bed::new().refuse([member(kind, "x")]);
        assert!(matches!(error, UnpackError::Archive(_)), "{kind}");
    }
}

#[test]
fn whiteouts_hide_nothing_that_is_no_file() {
    for path in [".wh...", "a/.wh...", ".wh..", "a/.wh.", ".wh."] {
        let error = Bed::new().refuse([directory("a"), file(path, "")]);
        assert!(matches!(why(error), MemberError::Whiteout), "{path}");
    }
    let error = Bed::new().refuse([file(".wh.a/b", "")]);
    assert!(matches!(why(error), MemberError::Whiteout));
    let error = Bed::new().refuse([file("../.wh.outside", "")]);
    assert!(matches!(why(error), MemberError::Upwards));
}

#[test]
fn a_whiteout_through_a_link_removes_nothing_outside_cve_2014_9356() {
    let bed = Bed::new();
    let parent = bed.directory.path().to_str().unwrap().to_owned();
    let error = bed.refuse([symlink("abs", &parent), file("abs/.wh.outside", "")]);
    assert!(matches!(why(error), MemberError::NotADirectory));
    let error = bed.refuse([symlink("abs", &parent), file("abs/.wh..wh..opq", "")]);
    assert!(matches!(why(error), MemberError::NotADirectory));
    let root = bed.unpack([
        symlink("up", "../../../.."),
        file("up/.wh.outside", ""),
        symlink("here", "/nothing"),
        file(".wh.here", ""),
    ]);
    bed.check_untouched();
    let tree = snapshot::of(&root);
    assert_eq!(tree[&b"outside"[..]].what, What::Whiteout, "in the layer's own root");
    assert_eq!(tree[&b"here"[..]].what, What::Symlink(b"/nothing".to_vec()));
}

#[test]
fn attributes_that_would_steer_the_overlay_are_refused_wherever_they_stand() {
    for name in [
        "trusted.overlay.opaque",
        "trusted.overlay.redirect",
        "trusted.overlay.metacopy",
        "trusted.overlay.overlay.opaque",
        "user.overlay.whiteout",
        "user.overlay.redirect",
    ] {
        for smuggler in [file("a", ""), directory("d"), symlink("l", "x"), member(b'6', "p"), directory(".")] {
            let error = Bed::new().refuse([smuggler.xattr(name, "/etc")]);
            assert!(matches!(why(error), MemberError::OverlayAttribute), "{name}");
        }
        let error = Bed::new().refuse([file("a", ""), hard_link("b", "a").xattr(name, "y")]);
        assert!(matches!(why(error), MemberError::OverlayAttribute), "{name}");
    }
}

#[test]
fn labels_of_the_machines_security_are_left_out() {
    let bed = Bed::new();
    let root = bed.unpack([file("a", "")
        .xattr("security.ima", "\x01")
        .xattr("security.evm", "\x01")
        .xattr("security.SMACK64EXEC", "_")
        .xattr("trusted.md5sum", "x")
        .xattr("system.posix_acl_access", "x")]);
    let tree = snapshot::of(&root);
    let names: Vec<&String> = tree[&b"a"[..]].xattrs.keys().filter(|name| *name != "security.selinux").collect();
    assert_eq!(names, [""; 0]);
}

#[test]
fn owners_that_mean_leave_it_as_it_is_are_refused() {
    let policy =
        Policy { owners: Owners::Archive { shift: 0 }, devices: DevicePolicy::Omit, overlay: XattrNamespace::User };
    for id in [u64::from(u32::MAX), 1 << 32, 1 << 40] {
        let bed = Bed::with(Options { policy: Some(policy), ..Options::default() });
        if !crate::bed::is_root() {
            return eprintln!("skipped: only root can give files away");
        }
        assert!(matches!(why(bed.refuse([file("a", "").mode(0o4755).owner(id, 0)])), MemberError::Owner));
        assert!(matches!(why(bed.refuse([directory("a").owner(0, id)])), MemberError::Owner));
        assert!(matches!(why(bed.refuse([symlink("a", "b").owner(id, id)])), MemberError::Owner));
        let pax = file("a", "").pax("uid", id.to_string());
        assert!(matches!(why(bed.refuse([pax])), MemberError::Owner));
    }
}

#[test]
fn names_that_are_too_long_are_refused() {
    let error = Bed::new().refuse([file([b'a'; 256], "")]);
    assert!(matches!(why(error), MemberError::Name));
    let error = Bed::new().refuse([file("a/".repeat(257), "").pax("path", "a/".repeat(257))]);
    assert!(matches!(why(error), MemberError::Name));
    for long in [file("p", "").pax("path", "a/".repeat(3000)), symlink("l", "x").pax("linkpath", "b".repeat(4096))] {
        assert!(matches!(Bed::new().refuse([long]), UnpackError::Archive(_)));
    }
    let error = Bed::new().refuse([file("l", "c".repeat(5000)).kind(b'L'), file("x", "")]);
    assert!(matches!(error, UnpackError::Archive(_)));
    let root = Bed::new();
    let deep = root.unpack([file("d/".repeat(255) + "f", "x")]);
    assert!(deep.join("d/".repeat(255)).join("f").exists());
}

#[test]
fn a_link_or_file_in_place_of_the_root_is_refused_cve_2021_29136() {
    for path in ["", ".", "/", "./"] {
        assert!(matches!(why(Bed::new().refuse([file(path, "x").pax("comment", "x")])), MemberError::Root), "{path:?}");
        assert!(matches!(why(Bed::new().refuse([symlink(path, "/etc")])), MemberError::Root), "{path:?}");
    }
}

#[test]
fn sizes_that_cannot_be_are_refused() {
    for size in [
        number::<12>(-1),
        number(i64::MIN),
        *b"-0000000001\0",
        *b"99999999999\0",
        *b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let error = Bed::new().refuse([Member { size: Some(size), ..file("a", "x") }]);
        assert!(matches!(error, UnpackError::Archive(_)), "{error:?}");
    }
    let error = Bed::new().refuse([file("a", "x").pax("size", "-5")]);
    assert!(matches!(error, UnpackError::Archive(_)));
    // As large as a number can say: longer than any file may be.
    let error = Bed::new().refuse([Member { size: Some(number(i64::MAX)), ..file("a", "x") }]);
    assert!(matches!(why(error), MemberError::TooLarge { .. }));
    let error = Bed::new().refuse([file("a", "x").pax("size", u64::MAX.to_string())]);
    assert!(matches!(why(error), MemberError::TooLarge { .. }));
}

#[test]
fn two_sizes_of_one_file_hide_no_further_member_cve_2025_62518() {
    // The header says that there is nothing; the extended header, which counts, that there is a whole archive.
    let hidden = Archive::of([file("hidden", "smuggled")]).0;
    let size = hidden.len().to_string();
    let outer = Member { size: Some(number(0)), ..file("outer", &hidden) };
    let bed = Bed::new();
    let root = bed.unpack([outer.pax("size", &size), file("after", "x")]);
    assert_eq!(crate::bed::names(&root), ["after", "outer"]);
    assert_eq!(fs::read(root.join("outer")).unwrap(), hidden);
    // With GNU's name between the two the size belongs to the file all the same.
    let extended = file("x", records(&[(b"size".to_vec(), size.into_bytes())])).kind(b'x');
    let outer = Member { size: Some(number(0)), ..file("outer", &hidden) };
    let root = bed.unpack([extended, file("n", "renamed\0").kind(b'L'), outer, file("after", "x")]);
    assert_eq!(crate::bed::names(&root), ["after", "renamed"]);
}

#[test]
fn links_and_directories_have_no_content_whatever_they_say() {
    // What a reader that believed the size would take for content is the next member.
    for kind in [b'1', b'2', b'5', b'6'] {
        let liar = Member { size: Some(number(512)), link: b"first".to_vec(), ..member(kind, "liar") };
        let bed = Bed::new();
        let root = bed.unpack([file("first", "x"), liar, file("second", "y")]);
        assert!(root.join("second").exists(), "{kind}");
    }
}

#[test]
fn archives_that_are_cut_off_are_refused() {
    let whole = Archive::of([file("a", "x".repeat(2000)), symlink("b", "c".repeat(200))]).end();
    let cut = |length: usize| {
        let bed = Bed::new();
        let error = bed.unpack_bytes(&whole[..length]);
        bed.check_untouched();
        error
    };
    for length in [1, 511, 513, 1024, 2500, 2559, 2561, 3000, 3584, 4000] {
        let error = cut(length).expect_err("it was not refused");
        let error = bed::why(error);
        assert!(matches!(error, UnpackError::Archive(_)), "{length}: {error:?}");
    }
    // Between members the archive alone does not tell: the digest does.
    let bed = Bed::new();
    let mut layer = bed.layer(&whole);
    let blob = gzip(&whole[..2560]);
    (layer.blob.size, layer.blob.digest) = (blob.len() as u64, bed.source.put(blob));
    let error = bed.prepare(vec![layer]).unwrap_err();
    let error = bed::why(error);
    assert!(matches!(error, UnpackError::DiffIdMismatch { .. }), "{error:?}");
    bed.check_untouched();
}

#[test]
fn compressed_data_that_is_cut_off_or_damaged_is_refused() {
    let archive = Archive::of([file("a", "some content".repeat(1000))]).end();
    for compressed in [gzip(&archive), zstd(&archive)] {
        for damage in 0..20 {
            let mut blob = compressed.clone();
            match damage {
                0..10 => blob.truncate(compressed.len() * (damage + 1) / 11),
                _ => {
                    let place = blob.len() * (damage - 9) / 12;
                    blob[place] ^= 0x55;
                }
            }
            let bed = Bed::new();
            let layer = bed.layer_of(&archive, blob);
            let error = bed.prepare(vec![layer]).expect_err("it was not refused");
            assert!(matches!(error, Error::Layer { .. }), "{error:?}");
            bed.check_untouched();
        }
    }
}

#[test]
fn a_blob_that_is_not_what_its_digest_says_is_refused() {
    let archive = Archive::of([file("a", "x")]).end();
    let other = gzip(&Archive::of([file("a", "y")]).end());
    let bed = Bed::new();
    let mut layer = bed.layer(&archive);
    layer.blob.size = other.len() as u64;
    bed.source.replace(layer.blob.digest, other);
    assert!(matches!(bed.prepare(vec![layer.clone()]), Err(Error::Mismatch { .. })));
    // Damage on the way is told from a layer that is bad, even if it cannot be inflated.
    let mut damaged = gzip(&archive);
    damaged[20] ^= 0xff;
    layer.blob.size = damaged.len() as u64;
    bed.source.replace(layer.blob.digest, damaged);
    assert!(matches!(bed.prepare(vec![layer.clone()]), Err(Error::Mismatch { .. })));
    // Longer and shorter than announced.
    for size in [layer.blob.size - 1, layer.blob.size + 1] {
        let mut layer = layer.clone();
        layer.blob.size = size;
        let error = bed.prepare(vec![layer]).unwrap_err();
        let error = bed::why(error);
        assert!(matches!(error, UnpackError::BlobSize { .. }), "{error:?}");
    }
    bed.check_untouched();
    assert_eq!(bed.store.usage().layers, 0);
}

#[test]
fn a_layer_that_is_not_what_the_configuration_says_is_refused() {
    let bed = Bed::new();
    let mut layer = bed.layer(&Archive::of([file("a", "x")]).end());
    layer.diff_id = bed.layer(&Archive::of([file("a", "y")]).end()).diff_id;
    let error = bed.prepare(vec![layer]).unwrap_err();
    let error = bed::why(error);
    assert!(matches!(error, UnpackError::DiffIdMismatch { .. }), "{error:?}");
    bed.check_untouched();
}

#[test]
fn what_follows_the_end_is_refused() {
    let archive = Archive::of([file("a", "x")]);
    // A second archive behind the first, which some programs read and some do not.
    let second = archive.clone().end().into_iter().chain(Archive::of([file("b", "y")]).end()).collect::<Vec<u8>>();
    assert!(matches!(Bed::new().refuse_bytes(&second), UnpackError::Archive(_)));
    let mut garbage = archive.clone().end();
    garbage.extend_from_slice(b"garbage");
    assert!(matches!(Bed::new().refuse_bytes(&garbage), UnpackError::Archive(_)));
    // One block of zeros, then another member.
    let resumed = archive.clone().block(&[0; 512]).with(file("b", "y")).end();
    assert!(matches!(Bed::new().refuse_bytes(&resumed), UnpackError::Archive(_)));
    // Behind the compressed data.
    let archive = archive.end();
    for compressed in [gzip(&archive), zstd(&archive)] {
        let bed = Bed::new();
        let layer = bed.layer_of(&archive, [&compressed[..], b"garbage that is no header"].concat());
        let error = bed.prepare(vec![layer]).unwrap_err();
        let error = bed::why(error);
        assert!(matches!(error, UnpackError::Inflate(_)), "{error:?}");
    }
}

#[test]
fn what_another_member_of_gzip_adds_is_part_of_the_layer() {
    // A reader of the first member alone would see less than the digest covers: it covers all of it, as we do.
    let (first, second) = (Archive::of([file("a", "x")]).0, Archive::of([file("b", "y")]).end());
    let archive = [first.clone(), second.clone()].concat();
    let bed = Bed::new();
    let layer = bed.layer_of(&archive, [gzip(&first), gzip(&second)].concat());
    assert_eq!(crate::bed::names(&bed.prepare(vec![layer]).unwrap().paths()[0]), ["a", "b"]);
    let mut of_the_first = bed.layer_of(&archive, [gzip(&first), gzip(&second)].concat());
    of_the_first.diff_id = bed.layer(&first).diff_id;
    assert!(Bed::new().prepare(vec![of_the_first]).is_err());
}

#[test]
fn extended_headers_that_lie_are_refused() {
    for content in [&b"999 path=x\n"[..], b"5 a=b", b"path=x\n", b"-1 a=b\n", b"11 path=a\0b\n", b"0 \n", b"\n"] {
        let error = Bed::new().refuse([file("x", content).kind(b'x'), file("y", "")]);
        assert!(matches!(error, UnpackError::Archive(_)), "{content:?}");
    }
    // Two of them, and one that nothing follows.
    let extended = || file("x", records(&[(b"path".to_vec(), b"a".to_vec())])).kind(b'x');
    assert!(matches!(Bed::new().refuse([extended(), extended(), file("y", "")]), UnpackError::Archive(_)));
    assert!(matches!(Bed::new().refuse([file("y", ""), extended()]), UnpackError::Archive(_)));
    // Global ones mean nothing to anybody who reads layers.
    let global = file("g", records(&[(b"path".to_vec(), b"../../outside".to_vec())])).kind(b'g');
    assert!(Bed::new().unpack([global, file("y", "")]).join("y").exists());
}

#[test]
fn pieces_of_sparse_files_that_overlap_or_lie_outside_are_refused() {
    let sparse =
        |map: &str, size: &str| file("s", "0123456789").pax("GNU.sparse.map", map).pax("GNU.sparse.size", size);
    for (map, size) in [
        ("0,5,4,5", "100"),
        ("0,10", "5"),
        ("0,11", "100"),
        ("0,9", "100"),
        ("18446744073709551615,10", "100"),
        ("50,5,0,5", "100"),
    ] {
        let error = Bed::new().refuse([sparse(map, size)]);
        assert!(matches!(error, UnpackError::Archive(_)), "{map}");
    }
    let error = Bed::new().refuse([sparse("0,10", &u64::MAX.to_string())]);
    assert!(matches!(why(error), MemberError::TooLarge { .. }));
    let header = gnu_sparse_header("s", 100, &[(90, 20)]);
    let error = Bed::new().refuse_bytes(&Archive::default().block(&header).content(&[1; 20]).end());
    assert!(matches!(error, UnpackError::Archive(_)));
}

#[test]
fn to_know_what_a_layer_is_called_is_not_to_have_it() {
    let bed = Bed::new();
    let secret = Archive::of([file("secret", "x")]).end();
    let theirs = bed.prepare(vec![bed.layer(&secret)]).unwrap();
    let mut ours = bed.layer(&Archive::of([file("a", "x")]).end());
    ours.diff_id = theirs.layers()[0];
    let error = bed::why(bed.prepare(vec![ours]).unwrap_err());
    assert!(matches!(error, UnpackError::DiffIdMismatch { .. }), "{error:?}");
    assert!(theirs.paths()[0].join("secret").exists());
    bed.check_untouched();
}
