//! Archives: whole, damaged and hostile ones.

use super::*;

use std::sync::Arc;

use base::SeededRng;
use blobs::files::{FileId, Files};
use segments::{GroupKey, NewEvent, Segments};
use store::{Record, Scope, Store, StoreOptions, Tx};

use crate::root_key::RootKey;
use crate::sealing_key;

fn temp() -> (tempfile::TempDir, DataDir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path());
    (temp, dir)
}

fn open(dir: &DataDir) -> Store {
    Store::open(&dir.state(), StoreOptions::default()).unwrap()
}

/// A record that refers to a blob.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Picture {
    content: BlobDigest,
}

impl Record for Picture {
    const SERVICE: &'static str = "test";
    const KIND: &'static str = "picture";

    fn blobs(&self) -> Vec<BlobDigest> {
        vec![self.content]
    }
}

const CONTENT: &[u8] = b"what the picture shows";
const OBJECT: &[u8] = b"what somebody put into a bucket";

fn group() -> GroupKey {
    GroupKey::new(base::AccountId::DEFAULT, &base::Region::default(), "g").unwrap()
}

/// Two events, of which one is in a sealed file and one in an active one, in a store that stays open.
async fn logged(dir: &DataDir) -> Arc<Segments> {
    let segments = Segments::open(&dir.logs(), segments::Options::default()).unwrap();
    for message in MESSAGES {
        segments.seal(&group()).unwrap();
        let event = NewEvent { timestamp: SystemClock.now(), message: message.to_owned() };
        segments.append(&group(), "s", SystemClock.now(), vec![event]).await.unwrap();
    }
    segments
}

const MESSAGES: [&str; 2] = ["sealed", "active"];

fn has_logs(dir: &DataDir) -> bool {
    let segments = Segments::open(&dir.logs(), segments::Options::default()).unwrap();
    let page = segments.read(&group(), "s", segments::Query::default()).unwrap();
    let messages: Vec<String> = page.events.into_iter().map(|event| event.message).collect();
    assert_eq!(segments.corruptions(), []);
    messages == MESSAGES
}

/// Whether the record, its blob, the object's file with both its names and the log events are there.
async fn is_whole(dir: &DataDir) -> bool {
    let store = open(dir);
    let found = store.read::<Picture>(&Scope::system(), &["a"]).await.unwrap().map(|picture| picture.content);
    found == Some(BlobDigest::of(CONTENT))
        && Blobs::open_root(&dir.blobs()).unwrap().verify(&BlobDigest::of(CONTENT)).unwrap().is_some()
        && objects(dir) == [OBJECT, OBJECT]
        && has_logs(dir)
}

/// The content of each file that an object may be in.
fn objects(dir: &DataDir) -> Vec<Vec<u8>> {
    let held = HeldFiles::at(&dir.objects()).unwrap().unwrap();
    let read = |id: FileId| {
        let mut content = Vec::new();
        held.open(&id).unwrap().unwrap().file.read_to_end(&mut content).unwrap();
        content
    };
    held.all().map(|id| read(id.unwrap())).collect()
}

/// A data directory with keys, an entry in its store and log events, and its archive, made while all of it is open.
async fn archived() -> (tempfile::TempDir, DataDir, Vec<u8>) {
    let (temp, dir) = temp();
    sealing_key::load_or_make(&dir, &SeededRng::new(1)).unwrap();
    RootKey::load_or_make(&dir, base::AccountId::DEFAULT, &SeededRng::new(2)).unwrap();
    let store = open(&dir);
    let blobs = Blobs::open_root(&dir.blobs()).unwrap();
    let picture = Picture { content: blobs.put(CONTENT).unwrap() };
    blobs.put(b"nobody refers to this").unwrap();
    let mut tx = Tx::new();
    tx.insert(&Scope::system(), &["a"], &picture);
    store.commit(tx).await.unwrap();
    let files = Files::open_root(&dir.objects(), Arc::new(SeededRng::new(3))).unwrap();
    let mut file = files.writer(u64::MAX).unwrap();
    file.append(OBJECT).unwrap();
    let object = file.finish().unwrap();
    files.duplicate(&object).unwrap().unwrap();
    let _segments = logged(&dir).await;
    let mut archive = Vec::new();
    write(&dir, &mut archive).unwrap();
    (temp, dir, archive)
}

#[tokio::test]
async fn what_was_backed_up_comes_back_and_the_revision_leaps() {
    let (_temp, original, archive) = archived().await;
    let (_other, dir) = temp();
    read(&dir, archive.as_slice()).unwrap();
    assert_eq!(RootKey::load(&dir).unwrap(), RootKey::load(&original).unwrap());
    assert!(is_whole(&dir).await);
    assert_eq!(Blobs::open_root(&dir.blobs()).unwrap().list().unwrap(), [BlobDigest::of(CONTENT)]);
    let store = open(&dir);
    assert!(store.revision().0 >= store::RESTORED_REVISION_LEAP);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(
        names.iter().all(|name| ["keys", "state", "blobs", "objects", "logs"].iter().any(|known| name == known)),
        "{names:?}"
    );
    for left in ["backup.db", "backup-logs"] {
        assert!(!original.run().join(left).exists(), "{left}");
    }
}

#[tokio::test]
async fn the_authority_that_nodes_are_known_by_comes_back_and_nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let (_temp, original, _) = archived().await;
    make_private_dir(&original.tls()).unwrap();
    std::fs::write(original.node_authority(), "its key").unwrap();
    let mut archive = Vec::new();
    write(&original, &mut archive).unwrap();
    let (_other, dir) = temp();
    read(&dir, archive.as_slice()).unwrap();
    assert_eq!(std::fs::read(dir.node_authority()).unwrap(), b"its key");
    assert_eq!(std::fs::metadata(dir.node_authority()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_directory_with_data_is_not_restored_into() {
    let (_temp, original, archive) = archived().await;
    let refused = read(&original, archive.as_slice()).unwrap_err().to_string();
    assert!(refused.contains("empty data directory"), "{refused}");
}

#[tokio::test]
async fn an_archive_that_is_cut_off_or_changed_restores_nothing() {
    let (_temp, _original, archive) = archived().await;
    let (_other, dir) = temp();
    let cut = [0, 100, 512, 1024, 4096, archive.len() / 2, archive.len() - 2048];
    for length in cut {
        assert!(read(&dir, &archive[..length]).is_err(), "cut at {length}");
    }
    for at in (0..archive.len() - 1024).step_by(997) {
        let mut changed = archive.clone();
        changed[at] ^= 1;
        // A bit of a header's padding or time changes nothing that is restored.
        if read(&dir, changed.as_slice()).is_ok() {
            assert!(is_whole(&dir).await, "changed at {at}");
            for restored in [dir.keys(), dir.state(), dir.blobs(), dir.objects(), dir.logs()] {
                std::fs::remove_dir_all(restored).unwrap();
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "changed at {at}");
    }
}

#[test]
fn an_entry_that_leads_out_of_the_directory_is_refused() {
    let (_temp, dir) = temp();
    for name in [
        "keys/../../outside",
        "/etc/outside",
        "state/state.db",
        "keys/other.json",
        "blobs/../../outside",
        "logs/../outside",
    ] {
        let mut archive = Builder::new(Vec::new());
        let manifest = br#"{"format":1,"version":"0","createdAt":"","revision":1}"#;
        append_bytes(&mut archive, MANIFEST, manifest, &mut Checksums::new()).unwrap();
        let mut header = Header::new_gnu();
        header.set_size(1);
        // The library refuses such a name: it is written past it.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, b"x".as_slice()).unwrap();
        let refused = read(&dir, archive.into_inner().unwrap().as_slice()).unwrap_err().to_string();
        assert!(refused.contains("does not belong"), "{name}: {refused}");
    }
}

#[test]
fn an_archive_of_a_later_format_names_the_version_that_wrote_it() {
    let (_temp, dir) = temp();
    let mut archive = Builder::new(Vec::new());
    let manifest = format!(r#"{{"format":{},"version":"9.9","createdAt":"","revision":1}}"#, FORMAT + 1);
    append_bytes(&mut archive, MANIFEST, manifest.as_bytes(), &mut Checksums::new()).unwrap();
    let refused = read(&dir, archive.into_inner().unwrap().as_slice()).unwrap_err().to_string();
    assert!(refused.contains("9.9"), "{refused}");
}

#[tokio::test]
async fn an_archive_of_many_small_files_can_be_read_back() {
    let (_temp, original, _) = archived().await;
    let folder = original.logs().join(group().as_str());
    for number in 0..5_000 {
        std::fs::write(folder.join(format!("none-of-the-stores-own-{number:060}.txt")), "").unwrap();
    }
    let mut archive = Vec::new();
    write(&original, &mut archive).unwrap();
    let (_other, dir) = temp();
    read(&dir, archive.as_slice()).unwrap();
    assert!(is_whole(&dir).await);
}
