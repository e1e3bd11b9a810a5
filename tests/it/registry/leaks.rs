//! What is broken off leaves nothing behind, and what is deleted is gone from the disk.

use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;
use tests::image::{Image, digest};
use tests::{Options, Server, program};

use super::Shop;

/// The files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The blobs that are stored.
pub(crate) fn blobs(server: &Server) -> Vec<PathBuf> {
    files(&server.data_dir().join("blobs/sha256"))
}

/// Makes every blob look as if it had been written a day ago, so that collection spares only what is needed.
pub(crate) fn age(server: &Server) {
    let yesterday = SystemTime::now() - Duration::from_secs(24 * 3600);
    for path in blobs(server) {
        // One that is removed meanwhile needs no age.
        if let Ok(file) = File::options().append(true).open(path) {
            file.set_times(FileTimes::new().set_modified(yesterday)).unwrap();
        }
    }
}

/// Has collection look at blobs that are old until it has done its work. It looks when the server starts; records of what
/// was deleted go before, in the background.
#[track_caller]
pub(crate) fn collect_until(server: &mut Server, is_done: impl Fn(&Server) -> bool) {
    let done = program::until(program::LIMIT, || {
        server.kill_server_after(age);
        program::until(Duration::from_secs(1), || is_done(server).then_some(()))
    });
    assert!(done.is_some(), "what nobody needs stays: {:?}", blobs(server));
}

#[test]
fn uploads_that_are_cut_cancelled_or_wrong_leave_nothing_on_the_disk() {
    let server = Server::start(Options::default());
    let mut shop = Shop::open(&server, &["broken"]);
    let uploads = server.data_dir().join("uploads");
    let nothing_is_left = |what: &str| {
        let gone = program::until(program::LIMIT, || files(&uploads).is_empty().then_some(()));
        assert!(gone.is_some(), "{what}: {:?}", files(&uploads));
    };
    let content = vec![7; 3 << 20];
    let target = "/v2/broken/blobs/uploads/";

    let location = shop.registry.begin("broken");
    shop.registry.piece(&location, 0, &content).with_status(202);
    assert_eq!(files(&uploads).len(), 1, "an upload is a file");
    shop.registry.delete(&location).with_status(204);
    nothing_is_left("cancelled");

    let location = shop.registry.begin("broken");
    shop.registry.end(&location, &digest(b"something else"), &content).with_status(400);
    nothing_is_left("another digest");

    // Everything at once, by a client that goes away in the middle.
    let mut request = shop.registry.request("POST", &format!("{target}?digest={}", digest(&content)));
    request.set("content-type", "application/octet-stream");
    let mut stream = shop.registry.connection().open().unwrap();
    stream.write_all(&request.head(&[("content-length", &content.len().to_string())])).unwrap();
    stream.write_all(&content[..content.len() / 2]).unwrap();
    let begun = program::until(program::LIMIT, || (!files(&uploads).is_empty()).then_some(()));
    assert!(begun.is_some(), "what is received is on the disk, not in memory");
    drop(stream);
    nothing_is_left("cut off");
    assert!(blobs(&server).is_empty(), "{:?}", blobs(&server));

    // A finished one is a blob, and no longer an upload.
    shop.registry.upload("broken", &content);
    nothing_is_left("finished");
    assert_eq!(blobs(&server).len(), 1);
}

#[test]
fn what_was_deleted_is_collected_and_nothing_else() {
    let mut server = Server::start(Options::default());
    let mut shop = Shop::open(&server, &["kept", "dropped"]);
    let (shared, dropped) = (Image::small("in both"), Image::small("in one"));
    shop.registry.push("kept", "1", &shared);
    shop.registry.push("dropped", "1", &shared);
    shop.registry.push("dropped", "2", &dropped);
    shop.api.ecr("DeleteRepository", &json!({ "repositoryName": "dropped", "force": true }));
    let kept: Vec<String> = shared.blobs().chain([&shared.manifest]).map(tests::image::Blob::digest).collect();
    let is_kept = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        kept.contains(&format!("sha256:{name}"))
    };
    assert!(!blobs(&server).iter().all(is_kept), "there is something to collect");
    collect_until(&mut server, |server| blobs(server).iter().all(is_kept));
    assert_eq!(blobs(&server).len(), kept.len(), "what another repository needs stays");
    assert!(shop.registry.pull("kept", "1") == shared);
}
