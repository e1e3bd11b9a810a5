//! What honest archives become.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use images::{DevicePolicy, Options, Owners, Policy, XattrNamespace};

use crate::archive::{Archive, Member, directory, file, hard_link, member, number, sealed, symlink};
use crate::bed::{Bed, gzip, is_root, zstd};
use crate::snapshot::{self, What};

#[test]
fn files_directories_links_and_pipes_are_what_the_archive_says() {
    let bed = Bed::new();
    let root = bed.unpack([
        directory("./").mode(0o711),
        directory("bin").mode(0o755),
        file("bin/su", "program").mode(0o4755),
        file("tmp/note", "x").mode(0o600),
        directory("tmp").mode(0o1777),
        directory("srv").mode(0o2775),
        symlink("sbin", "bin"),
        symlink("up", "../../../etc/passwd"),
        hard_link("bin/sudo", "bin/su"),
        member(b'6', "run/pipe").mode(0o620),
        file("empty", ""),
    ]);
    let tree = snapshot::of(&root);
    let mode = |path: &str| tree[path.as_bytes()].mode;
    assert_eq!(mode(""), 0o711);
    assert_eq!((mode("bin/su"), mode("tmp"), mode("srv"), mode("tmp/note")), (0o4755, 0o1777, 0o2775, 0o600));
    assert_eq!(mode("run"), 0o755, "a directory that is only implied");
    assert_eq!(tree[&b"bin/su"[..]].what, What::File(b"program".to_vec()));
    assert_eq!(tree[&b"bin/sudo"[..]].same_as.as_deref(), Some(&b"bin/su"[..]));
    assert_eq!(tree[&b"sbin"[..]].what, What::Symlink(b"bin".to_vec()));
    assert_eq!(tree[&b"up"[..]].what, What::Symlink(b"../../../etc/passwd".to_vec()), "links say what they said");
    assert_eq!((&tree[&b"run/pipe"[..]].what, mode("run/pipe")), (&What::Fifo, 0o620));
    for path in ["", "bin", "bin/su", "tmp", "sbin", "run/pipe", "empty"] {
        assert_eq!(tree[path.as_bytes()].mtime, 1_700_000_000, "{path}");
    }
}

#[test]
fn owners_are_numbers_and_can_be_shifted() {
    if !is_root() {
        return eprintln!("skipped: only root can give files away");
    }
    let owned =
        || [file("a", "").owner(1000, 50), directory("d").owner(0, 0), symlink("l", "a").owner(7, 4_294_967_000)];
    let tree = snapshot::of(&Bed::new().unpack(owned()));
    assert_eq!(tree[&b"a"[..]].owner, (1000, 50));
    assert_eq!(tree[&b"l"[..]].owner, (7, 4_294_967_000));
    let policy = Policy {
        owners: Owners::Archive { shift: 200 },
        devices: DevicePolicy::Omit,
        overlay: XattrNamespace::Trusted,
    };
    let bed = Bed::with(Options { policy: Some(policy), ..Options::default() });
    let tree = snapshot::of(&bed.unpack(owned().into_iter().chain([file("implied/x", "")])));
    assert_eq!(tree[&b"a"[..]].owner, (1200, 250));
    assert_eq!(tree[&b""[..]].owner, (200, 200));
    assert_eq!(tree[&b"implied"[..]].owner, (200, 200));
    assert_eq!(tree[&b"l"[..]].owner, (207, 4_294_967_200));
}

#[test]
fn names_are_bytes() {
    let bed = Bed::new();
    let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
    let root = bed.unpack([
        file("A", "upper"),
        file("a", "lower"),
        file(composed, "one"),
        file(decomposed, "two"),
        file(b"\xff\xfe", "no text"),
        file("new\nline", "x"),
        file("back\\slash", "x"),
        file(" ", "x"),
        file("a:b,c", "x"),
        symlink("points", b"\xff\n"),
    ]);
    assert_eq!(fs::read(root.join("A")).unwrap(), b"upper");
    assert_eq!(fs::read(root.join("a")).unwrap(), b"lower");
    assert_eq!(fs::read(root.join(composed)).unwrap(), b"one");
    assert_eq!(fs::read(root.join(decomposed)).unwrap(), b"two");
    let tree = snapshot::of(&root);
    assert_eq!(tree[&b"\xff\xfe"[..]].what, What::File(b"no text".to_vec()));
    assert_eq!(tree[&b"points"[..]].what, What::Symlink(b"\xff\n".to_vec()));
    assert_eq!(tree.len(), 11);
}

#[test]
fn long_names_are_read_in_every_form() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(255));
    let target = "t/".repeat(400);
    let gnu = |kind: u8, text: &str| file("././@LongLink", [text.as_bytes(), b"\0"].concat()).kind(kind);
    let bed = Bed::new();
    let root = bed.unpack([
        file(&long, "pax"),
        symlink("pax-link", &target),
        gnu(b'L', &format!("{long}-gnu").replace(&"f".repeat(255), &"g".repeat(251))),
        file("cut", "gnu"),
        gnu(b'K', &target),
        symlink("gnu-link", "cut"),
    ]);
    assert_eq!(fs::read(root.join(&long)).unwrap(), b"pax");
    assert_eq!(fs::read(root.join("d".repeat(200)).join(format!("{}-gnu", "g".repeat(251)))).unwrap(), b"gnu");
    for link in ["pax-link", "gnu-link"] {
        assert_eq!(fs::read_link(root.join(link)).unwrap().to_str().unwrap(), target);
    }
}

#[test]
fn absolute_names_lie_beneath_the_root() {
    let bed = Bed::new();
    let root = bed.unpack([directory("/"), file("/app/run", "x"), hard_link("/app/again", "/app/run")]);
    assert_eq!(fs::read(root.join("app/again")).unwrap(), b"x");
}

#[test]
fn files_behind_a_link_of_the_layer_go_where_the_link_leads() {
    let bed = Bed::new();
    let root = bed.unpack([
        directory("usr/lib"),
        symlink("lib", "usr/lib"),
        file("lib/one", "1"),
        symlink("abs", "/usr/lib"),
        file("abs/two", "2"),
        directory("usr/deep/er"),
        symlink("usr/deep/er/up", "../../../usr/lib"),
        file("usr/deep/er/up/three", "3"),
    ]);
    for (name, content) in [("one", "1"), ("two", "2"), ("three", "3")] {
        assert_eq!(fs::read_to_string(root.join("usr/lib").join(name)).unwrap(), content);
    }
    assert_eq!(fs::read_link(root.join("lib")).unwrap().to_str(), Some("usr/lib"));
}

#[test]
fn a_later_member_of_the_same_path_counts() {
    let bed = Bed::new();
    let root = bed.unpack([
        file("a", "first, and longer"),
        file("a", "second").mode(0o600),
        directory("b"),
        file("b/inner", "x"),
        file("b", "now a file"),
        symlink("c", "a"),
        file("c", "not through the link"),
        file("d", "x"),
        directory("d"),
        file("d/inner", "y"),
        directory("e").mode(0o700),
        file("e/kept", "z"),
        directory("e").mode(0o750),
        hard_link("f", "a"),
        hard_link("f", "a"),
        hard_link("a", "a"),
    ]);
    let tree = snapshot::of(&root);
    assert_eq!(tree[&b"a"[..]].what, What::File(b"second".to_vec()));
    assert_eq!(tree[&b"b"[..]].what, What::File(b"now a file".to_vec()));
    assert_eq!(tree[&b"c"[..]].what, What::File(b"not through the link".to_vec()));
    assert_eq!(tree[&b"d"[..]].what, What::Directory { opaque: true }, "what was below it was gone for a moment");
    assert_eq!((tree[&b"e"[..]].mode, tree.contains_key(&b"e/kept"[..])), (0o750, true));
    assert_eq!(tree[&b"f"[..]].same_as.as_deref(), Some(&b"a"[..]));
}

#[test]
fn whiteouts_become_what_an_overlay_understands() {
    let bed = Bed::new();
    let root = bed.unpack([
        directory("etc"),
        file("etc/.wh.gone", ""),
        directory("var/cache"),
        file("var/cache/new", "x"),
        file("var/cache/.wh..wh..opq", ""),
        file(".wh..wh.plnk", ""),
        file(".wh..wh.orph/x", ""),
        file(".wh.implied", ""),
        file("implied/x", "y"),
        file(".wh.again", ""),
        file("again", "a file after all"),
        file("stays", "x"),
        file(".wh.stays", ""),
        directory("emptied"),
        file("emptied/own", "x"),
        file(".wh.emptied", ""),
    ]);
    let tree = snapshot::of(&root);
    assert_eq!(tree[&b"etc/gone"[..]].what, What::Whiteout);
    assert_eq!(tree[&b"var/cache"[..]].what, What::Directory { opaque: true });
    assert_eq!(tree[&b"etc"[..]].what, What::Directory { opaque: false });
    assert_eq!(tree[&b"implied"[..]].what, What::Directory { opaque: true });
    assert_eq!(tree[&b"again"[..]].what, What::File(b"a file after all".to_vec()));
    assert_eq!(tree[&b"stays"[..]].what, What::File(b"x".to_vec()), "a whiteout means the layers below");
    assert_eq!(tree[&b"emptied"[..]].what, What::Directory { opaque: true });
    assert!(tree.contains_key(&b"emptied/own"[..]));
    assert!(tree.keys().all(|path| !path.windows(4).any(|it| it == b".wh.")), "{:?}", tree.keys());
}

#[test]
fn attributes_of_users_and_capabilities_are_kept_and_those_of_the_machine_left_out() {
    let mut capability = [0; 20];
    capability[3] = 2;
    capability[5] = 0x20;
    let bed = Bed::new();
    let layer = bed.layer(
        &Archive::of([
            file("a", "x")
                .xattr("user.note", b"\0bytes\n")
                .xattr("user.empty", b"")
                .xattr("security.selinux", "system_u:object_r:bin_t:s0")
                .xattr("security.capability", capability),
            file("read-only", "x").mode(0o400).xattr("user.note", "1"),
            directory("d").mode(0o500).xattr("user.dir", "1"),
            symlink("l", "a").xattr("user.note", "links have none"),
        ])
        .end(),
    );
    let prepared = bed.prepare(vec![layer]).unwrap();
    let tree = snapshot::of(&prepared.paths()[0]);
    let xattrs = &tree[&b"a"[..]].xattrs;
    assert_eq!(xattrs["user.note"], b"\0bytes\n");
    assert_eq!(xattrs["user.empty"], b"");
    assert!(xattrs.get("security.selinux").is_none_or(|label| label != b"system_u:object_r:bin_t:s0"));
    assert_eq!(tree[&b"d"[..]].xattrs["user.dir"], b"1");
    assert_eq!(tree[&b"read-only"[..]].xattrs["user.note"], b"1");
    if is_root() {
        assert_eq!(xattrs["security.capability"], capability);
    } else {
        eprintln!("skipped: only root can give capabilities");
    }
}

#[test]
fn device_files_are_left_out() {
    let bed = Bed::new();
    let device = |kind, path: &str, device| Member { device, ..member(kind, path) };
    let root = bed.unpack([device(b'3', "dev/null", (1, 3)), device(b'4', "dev/sda", (8, 0)), file("dev/x", "")]);
    assert_eq!(crate::bed::names(&root.join("dev")), ["x"]);
}

#[test]
fn sparse_files_are_read_in_all_four_forms() {
    let (size, offset) = (3_000_000_u64, 2_000_000_u64);
    let content = || [&[b'a'; 512][..], &[b'b'; 100]].concat();
    let pax = |member: Member, version: (&str, &str)| {
        member.pax("GNU.sparse.major", version.0).pax("GNU.sparse.minor", version.1)
    };
    let map = format!("2\n0\n512\n{offset}\n100\n");
    let mut mapped = map.into_bytes();
    mapped.resize(512, b'0');
    mapped.extend_from_slice(&content());
    let bed = Bed::new();
    let archive = Archive::of([
        file("v00", content())
            .pax("GNU.sparse.size", size.to_string())
            .pax("GNU.sparse.numblocks", "2")
            .pax("GNU.sparse.offset", "0")
            .pax("GNU.sparse.numbytes", "512")
            .pax("GNU.sparse.offset", offset.to_string())
            .pax("GNU.sparse.numbytes", "100"),
        file("GNUSparseFile.1/v01", content())
            .pax("GNU.sparse.name", "v01")
            .pax("GNU.sparse.size", size.to_string())
            .pax("GNU.sparse.map", format!("0,512,{offset},100")),
        pax(file("GNUSparseFile.1/v10", mapped), ("1", "0"))
            .pax("GNU.sparse.name", "v10")
            .pax("GNU.sparse.realsize", size.to_string()),
    ])
    .block(&gnu_sparse_header("gnu", size, &[(0, 512), (offset, 100)]))
    .content(&content())
    .with(file("after", "x"));
    let root = bed.unpack_bytes(&archive.end()).unwrap();
    for name in ["v00", "v01", "v10", "gnu"] {
        let bytes = fs::read(root.join(name)).unwrap();
        assert_eq!(bytes.len() as u64, size, "{name}");
        let place = usize::try_from(offset).unwrap();
        assert!(bytes[..512].iter().all(|&b| b == b'a'), "{name}");
        assert!(bytes[512..place].iter().all(|&b| b == 0), "{name}");
        assert!(bytes[place..place + 100].iter().all(|&b| b == b'b'), "{name}");
        assert!(bytes[place + 100..].iter().all(|&b| b == 0), "{name}");
        assert!(fs::metadata(root.join(name)).unwrap().blocks() < 200, "{name} has no holes");
    }
    assert!(root.join("after").exists());
}

pub(crate) fn gnu_sparse_header(path: &str, size: u64, pieces: &[(u64, u64)]) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |place: usize, bytes: &[u8]| header[place..place + bytes.len()].copy_from_slice(bytes);
    put(0, path.as_bytes());
    put(100, b"0000644\0");
    put(124, &number::<12>(pieces.iter().map(|(_, length)| *length).sum::<u64>().cast_signed()));
    put(136, &number::<12>(1_700_000_000));
    put(156, b"S");
    put(257, b"ustar  \0");
    for (place, (offset, length)) in pieces.iter().enumerate() {
        put(386 + place * 24, &number::<12>(offset.cast_signed()));
        put(398 + place * 24, &number::<12>(length.cast_signed()));
    }
    put(483, &number::<12>(size.cast_signed()));
    sealed(header)
}

#[test]
fn however_it_is_compressed_a_layer_is_the_same_and_unpacked_once() {
    let archive = Archive::of([file("a", "x".repeat(100_000)), directory("d")]).end();
    let several = |part: fn(&[u8]) -> Vec<u8>| archive.chunks(10_000).flat_map(part).collect::<Vec<u8>>();
    let skipped = &b"\x50\x2a\x4d\x18\x04\0\0\0skip"[..];
    let skippable = [skipped, &zstd(&archive), skipped].concat();
    for blob in [archive.clone(), gzip(&archive), zstd(&archive), several(gzip), several(zstd), skippable] {
        let bed = Bed::new();
        let layer = bed.layer_of(&archive, blob);
        let prepared = bed.prepare(vec![layer]).unwrap();
        assert_eq!(fs::read(prepared.paths()[0].join("a")).unwrap().len(), 100_000);
        let again = bed.prepare(vec![bed.layer(&archive)]).unwrap();
        assert_eq!(again.paths(), prepared.paths());
        assert_eq!(bed.store.usage().layers, 1);
    }
}

#[test]
fn archives_that_end_as_some_programs_end_them_are_read() {
    let archive = Archive::of([file("a", "x")]);
    let mut record = archive.clone().end();
    record.resize(10_240, 0);
    for bytes in [archive.0.clone(), archive.clone().block(&[0; 512]).0, record] {
        let bed = Bed::new();
        assert!(bed.unpack_bytes(&bytes).unwrap().join("a").exists());
    }
    assert!(Bed::new().unpack_bytes(&[]).is_ok(), "an empty blob is an empty archive");
    assert!(Bed::new().unpack_bytes(&[0; 1024]).is_ok());
}

/// GNU tar is the oracle where it is there: it writes what it finds, we unpack it, and both trees are the same.
#[test]
fn what_gnu_tar_writes_is_what_we_unpack() {
    let original = tempfile::tempdir().unwrap();
    let make = |path: &str, content: &str| {
        let path = original.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    make("etc/passwd", "root:x:0:0");
    make(&format!("deep/{}/{}", "n".repeat(120), "m".repeat(200)), "long");
    fs::hard_link(original.path().join("etc/passwd"), original.path().join("etc/passwd-")).unwrap();
    std::os::unix::fs::symlink("../etc/passwd", original.path().join("deep/link")).unwrap();
    let sparse = fs::File::create(original.path().join("sparse")).unwrap();
    sparse.set_len(5_000_000).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", 4_000_000).unwrap();
    for arguments in [
        &["--format=gnu"][..],
        &["--format=pax"],
        &["--format=gnu", "-S"],
        &["--format=pax", "-S"],
        &["--format=posix", "-S", "--sparse-version=0.1"],
    ] {
        let mut tar = Command::new("tar");
        tar.args(arguments).arg("-C").arg(original.path()).args(["-cf", "-", "."]).stderr(Stdio::null());
        let Ok(output) = tar.output() else { return eprintln!("skipped: there is no tar here") };
        let bed = Bed::new();
        let root = bed.unpack_bytes(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error:?}"));
        assert_eq!(snapshot::of(&root), snapshot::of(original.path()), "{arguments:?}");
    }
}

#[test]
fn the_tar_crate_and_we_agree_on_what_it_writes() {
    let mut builder = tar::Builder::new(Vec::new());
    let long = format!("{}/{}", "x".repeat(150), "y".repeat(150));
    for path in ["plain", long.as_str()] {
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        header.set_mode(0o640);
        header.set_mtime(5);
        builder.append_data(&mut header, path, &b"data"[..]).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "link", &long).unwrap();
    let bed = Bed::new();
    let root = bed.unpack_bytes(&builder.into_inner().unwrap()).unwrap();
    assert_eq!(fs::read(root.join("plain")).unwrap(), b"data");
    assert_eq!(fs::read(root.join("link")).unwrap(), b"data");
}

/// A large file goes through many pieces of every size.
#[test]
fn large_files_are_whole() {
    let content: Vec<u8> = (0..3_000_001_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let mut blob = Vec::new();
    blob.write_all(&Archive::of([file("before", "x"), file("large", &content), file("after", "y")]).end()).unwrap();
    let bed = Bed::new();
    let root = bed.unpack_bytes(&blob).unwrap();
    assert!(fs::read(root.join("large")).unwrap() == content);
    assert_eq!(fs::read(root.join("after")).unwrap(), b"y");
}
