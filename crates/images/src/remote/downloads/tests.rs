use tempfile::TempDir;

use super::*;

const CONTENT: &[u8] = b"what a registry has";

struct Bed {
    _directory: TempDir,
    downloads: Downloads,
}

impl Bed {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open_root(&directory.path().join("blobs")).unwrap();
        let downloads = Downloads::open(&directory.path().join("downloads"), blobs).unwrap();
        Self { _directory: directory, downloads }
    }

    fn names(&self) -> Vec<String> {
        let entries = Dir::read_from(self.downloads.directory.as_ref()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
        names.filter(|name| !name.starts_with('.')).collect()
    }
}

fn blob(content: &[u8]) -> Descriptor {
    let digest = Digest::of(Algorithm::Sha256, content);
    let media_type = "application/vnd.oci.image.layer.v1.tar".to_owned();
    Descriptor { media_type, digest, size: content.len() as u64, platform: None }
}

fn read(source: &dyn BlobSource, blob: &Descriptor) -> Vec<u8> {
    let mut bytes = Vec::new();
    source.open(blob).unwrap().unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn what_was_begun_is_gone_on_with_and_becomes_a_blob_that_is_no_download_any_more() {
    let bed = Bed::new();
    let blob = blob(CONTENT);
    let mut partial = bed.downloads.begin(&blob).unwrap();
    partial.append(&CONTENT[..5]).unwrap();
    drop(partial);
    assert!(!bed.downloads.has(&blob).unwrap());
    let mut partial = bed.downloads.begin(&blob).unwrap();
    assert_eq!(partial.length(), 5);
    let mut there = Vec::new();
    partial.reread().unwrap().read_to_end(&mut there).unwrap();
    assert_eq!(there, &CONTENT[..5]);
    partial.append(&CONTENT[5..]).unwrap();
    partial.finish(&blob.digest).unwrap();
    assert!(bed.downloads.has(&blob).unwrap());
    assert_eq!(read(&bed.downloads, &blob), CONTENT);
    assert_eq!(bed.names(), Vec::<String>::new());
}

#[test]
fn what_turned_out_to_be_something_else_is_begun_anew() {
    let bed = Bed::new();
    let blob = blob(CONTENT);
    let mut partial = bed.downloads.begin(&blob).unwrap();
    partial.append(b"another thing that is longer than the blob").unwrap();
    partial.clear().unwrap();
    assert_eq!(partial.length(), 0);
    partial.append(CONTENT).unwrap();
    partial.finish(&blob.digest).unwrap();
    assert_eq!(read(&bed.downloads, &blob), CONTENT);
}

#[test]
fn a_blob_that_still_has_the_name_of_a_download_is_never_written_to() {
    let bed = Bed::new();
    let blob = blob(CONTENT);
    let mut partial = bed.downloads.begin(&blob).unwrap();
    partial.append(CONTENT).unwrap();
    // As if the process had ended between the two steps of finishing.
    let file = bed.downloads.open_file(&file_name(&blob.digest), OFlags::RDONLY).unwrap();
    bed.downloads.blobs.adopt(&file, &blob.digest.blob().unwrap()).unwrap();
    drop(partial);
    let mut partial = bed.downloads.begin(&blob).unwrap();
    assert!(partial.append(b"something else").is_err() && partial.clear().is_err());
    drop(partial);
    assert_eq!(read(&bed.downloads, &blob), CONTENT);
    assert_eq!(bed.names(), Vec::<String>::new());
}

#[test]
fn sweeping_takes_what_nobody_goes_on_with_and_nothing_else() {
    let bed = Bed::new();
    let (kept, left) = (blob(b"kept"), blob(b"left"));
    let mut held = bed.downloads.begin(&kept).unwrap();
    held.append(b"ke").unwrap();
    bed.downloads.begin(&left).unwrap().append(b"le").unwrap();
    std::fs::write(format!("/proc/self/fd/{}/other", fd(&bed.downloads)), "not ours").unwrap();
    assert_eq!(bed.downloads.sweep(Duration::from_secs(3600), u64::MAX).unwrap(), 0);
    assert_eq!(bed.downloads.sweep(Duration::ZERO, u64::MAX).unwrap(), 2);
    let mut names = bed.names();
    names.sort();
    assert_eq!(names, ["other".to_owned(), file_name(&kept.digest)]);
    held.append(b"pt").unwrap();
    held.finish(&kept.digest).unwrap();
    assert!(bed.downloads.has(&kept).unwrap());
}

#[test]
fn of_what_is_young_the_oldest_goes_when_it_is_too_much() {
    let bed = Bed::new();
    for (content, age) in [(b"dddd".as_slice(), 1), (b"ccc", 2), (b"bb", 3), (b"a", 4)] {
        let blob = blob(content);
        bed.downloads.begin(&blob).unwrap().append(content).unwrap();
        let file = bed.downloads.open_file(&file_name(&blob.digest), OFlags::RDWR).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60 * age)).unwrap();
    }
    let hour = Duration::from_secs(3600);
    assert_eq!(bed.downloads.sweep(hour, 10).unwrap(), 0);
    assert_eq!(bed.downloads.sweep(hour, 8).unwrap(), 2, "one that fits after a larger one stays");
    assert_eq!(bed.downloads.sweep(hour, 8).unwrap(), 0);
    assert_eq!(bed.downloads.sweep(hour, 0).unwrap(), 8);
    assert_eq!(bed.names(), Vec::<String>::new());
}

#[test]
fn whoever_waits_for_anothers_file_finds_the_blob_and_fetches_nothing() {
    let bed = Bed::new();
    let blob = blob(CONTENT);
    let mut first = bed.downloads.begin(&blob).unwrap();
    first.append(CONTENT).unwrap();
    let mut second = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bed.downloads.begin(&blob).unwrap());
        first.finish(&blob.digest).unwrap();
        waiting.join().unwrap()
    });
    assert_eq!(second.length(), blob.size);
    let mut there = Vec::new();
    second.reread().unwrap().read_to_end(&mut there).unwrap();
    assert_eq!(there, CONTENT);
    assert!(second.append(b"more").is_err(), "the blob is nobody's to change");
    second.finish(&blob.digest).unwrap();
    assert_eq!(bed.names(), Vec::<String>::new());
    assert_eq!(read(&bed.downloads, &blob), CONTENT);
}

fn fd(downloads: &Downloads) -> i32 {
    std::os::fd::AsRawFd::as_raw_fd(downloads.directory.as_ref())
}

#[test]
fn a_blob_that_is_known_by_its_sha512_is_found_by_it_and_stored_by_its_sha256() {
    let bed = Bed::new();
    let long = Descriptor { digest: Digest::of(Algorithm::Sha512, CONTENT), ..blob(CONTENT) };
    assert_eq!(bed.downloads.refresh(&long).unwrap(), None);
    let mut partial = bed.downloads.begin(&long).unwrap();
    partial.append(&CONTENT[..7]).unwrap();
    drop(partial);
    let mut partial = bed.downloads.begin(&long).unwrap();
    partial.append(&CONTENT[7..]).unwrap();
    partial.finish(&long.digest).unwrap();
    assert_eq!(bed.downloads.refresh(&long).unwrap(), blob(CONTENT).digest.blob());
    assert!(bed.downloads.has(&long).unwrap() && bed.downloads.has(&blob(CONTENT)).unwrap());
    assert_eq!(read(&bed.downloads, &long), CONTENT);
    assert_eq!(bed.names(), Vec::<String>::new());
    bed.downloads.blobs.collect(|_| false, Duration::ZERO).unwrap();
    assert!(!bed.downloads.has(&long).unwrap(), "with the blob its other name goes");
}

#[test]
fn a_link_among_the_downloads_is_not_followed() {
    let bed = Bed::new();
    let blob = blob(CONTENT);
    let target = tempfile::NamedTempFile::new().unwrap();
    rustix::fs::symlinkat(target.path(), bed.downloads.directory.as_ref(), file_name(&blob.digest)).unwrap();
    assert!(bed.downloads.begin(&blob).is_err());
    assert_eq!(std::fs::metadata(target.path()).unwrap().len(), 0);
}
