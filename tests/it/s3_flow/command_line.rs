//! The AWS CLI: files that go in and come back, and the words with which it speaks of them.

mod api;
mod names;
mod transfers;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tests::program::{self, Answer};
use tests::{Account, Aws, Folder, Options, Server};

use super::by_hand::content;

const MIB: usize = 1 << 20;

/// A bucket, and files beside it.
struct Shop {
    account: Account,
    aws: Aws,
    bucket: String,
    folder: Folder,
}

impl Shop {
    /// A bucket of an account that nobody else uses.
    #[track_caller]
    fn open(server: &Server) -> Self {
        let account = server.account();
        let aws = Aws::new(server, &account.root);
        let bucket = format!("shop-{}", account.id);
        aws.run(&["s3", "mb", &format!("s3://{bucket}")]).success();
        Self { account, aws, bucket, folder: Folder::new() }
    }

    /// `s3://<bucket>/<key>`.
    fn uri(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// `aws s3 …`, its lines.
    #[track_caller]
    fn s3(&self, arguments: &[&str]) -> Vec<String> {
        lines(program::run(&mut self.command(arguments)))
    }

    /// The command `aws s3 …`, which tells nothing of its progress.
    fn command(&self, arguments: &[&str]) -> Command {
        let quiet = if ["cp", "mv", "sync"].contains(&arguments[0]) { &["--no-progress"][..] } else { &[] };
        let mut command = self.aws.command(&[&["s3"], arguments, quiet].concat());
        // Lists name keys that no other encoding has letters for.
        command.env("LC_ALL", "C.UTF-8");
        command
    }

    /// Writes a file below the folder.
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.file(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The path of something below the folder, as an argument.
    fn path(&self, name: &str) -> String {
        self.folder.file(name).to_str().unwrap().to_owned()
    }
}

/// What a successful program wrote, line by line, in the order of letters: what runs at the same time ends in any.
#[track_caller]
fn lines(answer: Answer) -> Vec<String> {
    let mut lines: Vec<String> = answer.success().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Every file below a folder, with its digest, by its path from there.
fn tree(folder: impl AsRef<Path>) -> BTreeMap<OsString, String> {
    let folder = folder.as_ref();
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let digest = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
            found.insert(path.strip_prefix(folder).unwrap().as_os_str().to_owned(), digest);
        }
    }
    found
}

#[test]
fn files_of_every_size_go_in_and_come_back_whole() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    // Around where content gets a file of its own, where clients begin to send parts, and where parts end.
    let sizes = [0, 1, 8191, 8192, 8193, 65_536, 5 * MIB, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB + 1];
    for (number, size) in sizes.into_iter().enumerate() {
        shop.write(&format!("there/{size}"), &content(number as u64, size));
    }
    let uploaded = shop.s3(&["cp", "--recursive", &shop.path("there"), &shop.uri("")]);
    assert_eq!(uploaded.len(), sizes.len(), "{uploaded:?}");
    let listed = shop.s3(&["ls", "--recursive", "--summarize", &shop.uri("")]);
    let total = format!("   Total Size: {}", sizes.iter().sum::<usize>());
    assert!(listed.contains(&total), "{listed:?}");
    shop.s3(&["cp", "--recursive", &shop.uri(""), &shop.path("back")]);
    assert_eq!(tree(shop.folder.file("back")), tree(shop.folder.file("there")));
}

#[test]
fn a_file_of_two_gibibytes_takes_no_more_memory_than_a_small_one() {
    /// What more connections at once, and more parts, may take, in bytes.
    const MEMORY_MORE: u64 = 24 << 20;
    const PART: u64 = 8 << 20;
    let server = Server::start(Options::default());
    let shop = Shop::open(&server);
    let there_and_back = |size: u64| {
        // Mostly holes; a mark in each part tells one from another.
        let there = fs::File::create(shop.folder.file("there")).unwrap();
        there.set_len(size).unwrap();
        for number in 0..size / PART {
            there.write_all_at(&number.to_be_bytes(), number * PART + number).unwrap();
        }
        shop.s3(&["cp", &shop.path("there"), &shop.uri("large")]);
        // Compared as it comes: the disk holds it once.
        let mut back = shop.command(&["cp", &shop.uri("large"), "-"]);
        program::piped(&mut back, Command::new("cmp").arg("-").arg(shop.path("there"))).success();
        server.memory_peak()
    };
    let (small, large) = (there_and_back(128 << 20), there_and_back(2 << 30));
    assert!(large <= small + MEMORY_MORE, "of memory {small} bytes for little, and {large} for much");
}

#[test]
fn what_is_synchronised_is_what_is_there_and_nothing_else() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    for name in ["a.txt", "b.log", "deep/c.txt", "deep/d.log", "deep/er/e.txt"] {
        shop.write(&format!("there/{name}"), name.as_bytes());
    }
    let (there, back) = (shop.path("there"), shop.path("back"));
    let up = shop.s3(&["sync", &there, &shop.uri("site"), "--exclude", "*.log", "--include", "deep/*.log"]);
    assert_eq!(up.len(), 4, "{up:?}");
    assert_eq!(shop.s3(&["sync", &there, &shop.uri("site"), "--exclude", "b.log"]), [""; 0], "nothing has changed");
    shop.s3(&["sync", &shop.uri("site"), &back]);
    assert_eq!(tree(&back).len(), 4);
    assert_eq!(shop.s3(&["sync", &shop.uri("site"), &back]), [""; 0], "nothing has changed");

    shop.write("there/a.txt", b"longer than it was");
    fs::remove_file(shop.folder.file("there/deep/c.txt")).unwrap();
    let up = shop.s3(&["sync", "--delete", &there, &shop.uri("site")]);
    let expected = ["delete", "upload", "upload"];
    assert_eq!(up.iter().filter_map(|line| line.split(':').next()).collect::<Vec<_>>(), expected, "{up:?}");
    assert!(up[0].ends_with("/site/deep/c.txt"), "{up:?}");
    shop.write("back/only/here", b"");
    let down = shop.s3(&["sync", "--delete", &shop.uri("site"), &back]);
    assert_eq!(down.len(), 4, "{down:?}");
    assert_eq!(tree(&back), tree(&there));

    // From bucket to bucket nothing passes by here.
    let copied = shop.s3(&["sync", &shop.uri("site"), &shop.uri("mirror"), "--exclude", "deep/*"]);
    assert_eq!(copied.len(), 2, "{copied:?}");
    assert!(copied.iter().all(|line| line.starts_with("copy: ")), "{copied:?}");
}

#[test]
fn objects_are_moved_listed_shared_and_removed_as_files_are() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    let file = shop.write("photo.jpg", &content(1, 10_000));
    let kind = ["--content-type", "image/jpeg", "--metadata", "by=hand", "--storage-class", "STANDARD_IA"];
    shop.s3(&[&["cp", file.to_str().unwrap(), &shop.uri("a/photo.jpg")], &kind[..]].concat());
    let told = shop.aws.call(&["s3api", "head-object", "--bucket", &shop.bucket, "--key", "a/photo.jpg"]);
    assert_eq!((&told["ContentType"], &told["Metadata"]["by"]), (&"image/jpeg".into(), &"hand".into()));
    assert_eq!((&told["StorageClass"], &told["ContentLength"]), (&"STANDARD_IA".into(), &10_000.into()));

    // What is moved takes with it what is said of it.
    shop.s3(&["mv", &shop.uri("a/photo.jpg"), &shop.uri("b/photo.jpg")]);
    let told = shop.aws.call(&["s3api", "head-object", "--bucket", &shop.bucket, "--key", "b/photo.jpg"]);
    assert_eq!(told["ContentType"], "image/jpeg");
    shop.s3(&["mv", file.to_str().unwrap(), &shop.uri("c.jpg")]);
    assert!(!file.exists());
    let listed = shop.s3(&["ls", &shop.uri("")]);
    assert!(listed[0].trim() == "PRE b/" && listed[1].ends_with(" 10000 c.jpg"), "{listed:?}");
    assert!(program::run(&mut shop.command(&["ls", &shop.uri("a/")])).failure().is_empty(), "there is nothing");

    let url = shop.s3(&["presign", "--expires-in", "60", &shop.uri("b/photo.jpg")]);
    let into = shop.path("fetched");
    program::run(Command::new("curl").args(["--fail", "--silent", "--show-error", "--output", &into, &url[0]]))
        .success();
    assert!(fs::read(&into).unwrap() == content(1, 10_000));

    assert_eq!(shop.s3(&["ls"]).len(), 1);
    let refused = program::run(&mut shop.command(&["rb", &shop.uri("")])).failure();
    assert!(refused.contains("BucketNotEmpty"), "{refused}");
    let removed = shop.s3(&["rm", "--recursive", &shop.uri("b/")]);
    assert_eq!(removed, [format!("delete: {}", shop.uri("b/photo.jpg"))]);
    let removed = shop.s3(&["rb", "--force", &shop.uri("")]);
    assert_eq!(removed.last(), Some(&format!("remove_bucket: {}", shop.bucket)), "{removed:?}");
    let refused = program::run(&mut shop.command(&["ls", &shop.uri("")])).failure();
    assert!(refused.contains("(NoSuchBucket)"), "{refused}");
}

#[test]
fn nobody_else_reaches_a_bucket_by_its_name() {
    let server = Server::shared();
    let shop = Shop::open(&server);
    shop.s3(&["cp", &shop.write("f", b"mine").display().to_string(), &shop.uri("f")]);
    let stranger = Aws::new(&server, &server.account().root);
    for arguments in [["ls", &shop.uri("")].as_slice(), &["cp", &shop.uri("f"), "-"], &["rm", &shop.uri("f")]] {
        let said = stranger.run(&[&["s3"], arguments].concat()).failure();
        assert!(said.contains("AccessDenied") || said.contains("(403)"), "{arguments:?}: {said}");
    }
    let taken = stranger.run(&["s3", "mb", &shop.uri("")]).failure();
    assert!(taken.contains("(BucketAlreadyExists)"), "{taken}");
    let idle = Aws::new(&server, &shop.account.user).run(&["s3", "ls", &shop.uri("")]).failure();
    assert!(idle.contains("(AccessDenied)"), "{idle}");
}
