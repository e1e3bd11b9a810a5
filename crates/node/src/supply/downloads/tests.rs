use images::Algorithm;

use super::*;

struct Bed {
    _directory: tempfile::TempDir,
    downloads: Downloads,
    path: PathBuf,
}

fn bed() -> Bed {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("downloads");
    let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
    let downloads = Downloads::open(&path, blobs).unwrap();
    Bed { _directory: directory, downloads, path }
}

fn blob(content: &[u8]) -> Descriptor {
    let digest = Digest::of(Algorithm::Sha256, content);
    Descriptor { media_type: "m".to_owned(), digest, size: content.len() as u64, platform: None }
}

fn read(mut source: Box<dyn Read + '_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).unwrap();
    bytes
}

fn files(bed: &Bed) -> usize {
    std::fs::read_dir(&bed.path).unwrap().count()
}

#[test]
fn a_blob_that_is_whole_is_one_of_the_blobs_and_leaves_no_file() {
    let bed = bed();
    let blob = blob(b"hello");
    assert!(!bed.downloads.has(&blob).unwrap());
    let mut partial = bed.downloads.begin(&blob).unwrap();
    partial.append(b"hel").unwrap();
    partial.append(b"lo").unwrap();
    partial.finish(&blob.digest).unwrap();
    assert!(bed.downloads.has(&blob).unwrap());
    assert_eq!(read(BlobSource::open(&bed.downloads, &blob).unwrap().unwrap()), b"hello");
    assert_eq!(files(&bed), 0);
}

#[test]
fn what_is_dropped_is_gone_on_with_by_the_next() {
    let bed = bed();
    let blob = blob(b"hello");
    let mut partial = bed.downloads.begin(&blob).unwrap();
    partial.append(b"hel").unwrap();
    drop(partial);
    let mut partial = bed.downloads.begin(&blob).unwrap();
    assert_eq!(partial.length(), 3);
    assert_eq!(read(partial.reread().unwrap()), b"hel");
    partial.append(b"lo").unwrap();
    assert_eq!(read(partial.reread().unwrap()), b"hello");
    partial.finish(&blob.digest).unwrap();
    assert!(bed.downloads.has(&blob).unwrap());
}

#[test]
fn what_turned_out_wrong_is_begun_anew() {
    let bed = bed();
    let blob = blob(b"hello");
    let mut partial = bed.downloads.begin(&blob).unwrap();
    partial.append(b"HELLO WORLD").unwrap();
    partial.clear().unwrap();
    assert_eq!(partial.length(), 0);
    partial.append(b"hello").unwrap();
    partial.finish(&blob.digest).unwrap();
    assert_eq!(read(BlobSource::open(&bed.downloads, &blob).unwrap().unwrap()), b"hello");
}

#[test]
fn whoever_waits_for_anothers_download_finds_the_blob() {
    let bed = bed();
    let wanted = blob(b"hello");
    let mut first = bed.downloads.begin(&wanted).unwrap();
    first.append(b"hello").unwrap();
    let second = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bed.downloads.begin(&wanted).unwrap());
        first.finish(&wanted.digest).unwrap();
        waiting.join().unwrap()
    });
    let mut second = second;
    assert_eq!(second.length(), 5);
    assert_eq!(read(second.reread().unwrap()), b"hello");
    assert!(second.append(b"more").is_err(), "the blob is nobody's to change");
    second.finish(&wanted.digest).unwrap();
    assert_eq!(
        (files(&bed), read(BlobSource::open(&bed.downloads, &wanted).unwrap().unwrap())),
        (0, b"hello".to_vec())
    );
}

#[test]
fn a_file_that_a_crash_left_beside_its_blob_is_never_written_to() {
    let bed = bed();
    let blob = blob(b"hello");
    let mut partial = bed.downloads.begin(&blob).unwrap();
    partial.append(b"hello").unwrap();
    let beside = bed.path.join("beside");
    let own = bed.downloads.path(&blob.digest);
    std::fs::hard_link(&own, &beside).unwrap();
    drop(partial);
    let mut partial = bed.downloads.begin(&blob).unwrap();
    assert_eq!(partial.length(), 0, "it is another file");
    partial.append(b"x").unwrap();
    assert_eq!(std::fs::read(&beside).unwrap(), b"hello");
}

#[test]
fn links_are_not_followed() {
    let bed = bed();
    let blob = blob(b"hello");
    let target = bed.path.join("target");
    std::fs::write(&target, "precious").unwrap();
    std::os::unix::fs::symlink(&target, bed.downloads.path(&blob.digest)).unwrap();
    assert!(bed.downloads.begin(&blob).is_err());
    assert_eq!(std::fs::read(&target).unwrap(), b"precious");
}

#[test]
fn blobs_of_another_algorithm_are_refused_by_name() {
    let bed = bed();
    let digest = Digest::of(Algorithm::Sha512, b"hello");
    let blob = Descriptor { digest, ..blob(b"hello") };
    assert_eq!(bed.downloads.begin(&blob).err().unwrap().kind(), io::ErrorKind::Unsupported);
}

#[test]
fn old_downloads_go_and_of_the_others_the_oldest_but_none_that_is_in_use() {
    let bed = bed();
    let now = SystemTime::now();
    let held: Vec<_> = [(b"a".as_slice(), 30), (b"bb", 20), (b"ccc", 10), (b"dddd", 0)]
        .into_iter()
        .map(|(content, hours)| {
            let mut partial = bed.downloads.begin(&blob(content)).unwrap();
            partial.append(content).unwrap();
            let file = File::open(bed.downloads.path(&blob(content).digest)).unwrap();
            file.set_modified(now - Duration::from_secs(hours * 3600)).unwrap();
            partial
        })
        .collect();
    let sweep = |bytes_max| bed.downloads.sweep(now, PARTIAL_AGE_MAX, bytes_max).unwrap();
    assert_eq!((sweep(0), files(&bed)), (0, 4), "all are in use");
    drop(held);
    assert_eq!((sweep(100), files(&bed)), (1, 3), "the one that is older than a day");
    assert_eq!((sweep(7), files(&bed)), (2, 2), "the oldest beyond the limit");
    assert_eq!((sweep(7), files(&bed)), (0, 2));
}
