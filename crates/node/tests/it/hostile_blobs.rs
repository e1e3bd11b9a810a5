//! The server's user can do whatever it likes in the directory of blobs, at any time.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use images::{Algorithm, Digest};
use node::agent::Options;
use node::protocol::FailureKind;
use rustix::fs::{CWD, FileType};
use serde_json::json;

use crate::bed::{Bed, archive, gzip, is_root, names, noise, unnamed, wanted};

const SECRET: &str = "what lies outside";

#[tokio::test]
async fn blobs_of_another_user_are_read_by_root() {
    if !is_root() {
        return;
    }
    let bed = Bed::new();
    let root = bed.image(&[vec![("a", b"1".to_vec())]]);
    let given = std::process::Command::new("chown").args(["-R", "65533:65533"]).arg(bed.blobs_dir()).status().unwrap();
    assert!(given.success());
    let running = bed.start();
    let failed = running.node.prepare(&unnamed(&root), |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::NotFound), "they are not the server's user's: {failed}");
    running.stop().await;
    let running = bed.start_with(Options { owner: 65_533, ..bed.options() });
    running.node.prepare(&unnamed(&root), |_| {}).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn what_stands_in_a_blobs_place_is_never_followed_waited_for_or_believed() {
    let bed = Bed::new();
    let secret = bed.folder.path().join("secret");
    let layer = archive(&[("secret", SECRET.into())]);
    std::fs::write(&secret, gzip(&layer)).unwrap();
    // A link to what has the right content: that it is right must not help.
    let linked = bed.image_of(&[layer], &json!({}));
    let place = bed.path_of(&bed.layers_of(&linked)[0].digest);
    std::fs::remove_file(&place).unwrap();
    symlink(&secret, &place).unwrap();
    let running = bed.start();
    let failed = running.node.prepare(&wanted(&linked, "app"), |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::Internal), "{failed}");

    let replace = |what: &str| {
        let _ = std::fs::remove_file(&place);
        match what {
            "pipe" => rustix::fs::mknodat(CWD, &place, FileType::Fifo, 0o600.into(), 0).unwrap(),
            "socket" => drop(std::os::unix::net::UnixListener::bind(&place).unwrap()),
            "directory" => std::fs::create_dir(&place).unwrap(),
            "longer" => std::fs::write(&place, noise(5 << 20, 3)).unwrap(),
            "empty" => std::fs::write(&place, "").unwrap(),
            _ => {}
        }
    };
    for what in ["pipe", "socket", "longer", "empty", "nothing", "directory"] {
        replace(what);
        let failed = running.node.prepare(&wanted(&linked, "app"), |_| {}).await.unwrap_err();
        let told = failed.to_string();
        assert!(!told.contains(SECRET), "{told}");
        let kinds = [FailureKind::Internal, FailureKind::Mismatch, FailureKind::NotFound];
        assert!(failed.kind().is_some_and(|kind| kinds.contains(&kind)), "{what}: {failed:?}");
    }
    assert_eq!(running.node.usage().await.unwrap().layers, 0);
    running.stop().await;
    assert_eq!(names(&bed.node_dir().join("images/staging")), [""; 0]);
}

#[tokio::test]
async fn a_directory_of_blobs_that_is_a_link_or_missing_has_no_blobs() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("a", b"1".to_vec())]]);
    let running = bed.start();
    let (blobs, moved) = (bed.blobs_dir(), bed.folder.path().join("moved"));
    std::fs::rename(&blobs, &moved).unwrap();
    let failed = running.node.prepare(&unnamed(&root), |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::NotFound), "{failed}");
    symlink(&moved, &blobs).unwrap();
    assert!(running.node.prepare(&unnamed(&root), |_| {}).await.is_err());
    std::fs::remove_file(&blobs).unwrap();
    std::fs::rename(&moved, &blobs).unwrap();
    running.node.prepare(&unnamed(&root), |_| {}).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn a_blob_that_changes_while_it_is_read_becomes_no_layer() {
    let bed = Bed::new();
    let content = noise(2 << 20, 11);
    let root = bed.image(&[vec![("noise", content.clone())]]);
    let layer = bed.layers_of(&root)[0].clone();
    let path = bed.path_of(&layer.digest);
    let honest = std::fs::read(&path).unwrap();
    let running = bed.start();
    let done = Arc::new(AtomicBool::new(false));
    let changing = tokio::task::spawn_blocking({
        let (path, honest, done) = (path.clone(), honest.clone(), Arc::clone(&done));
        move || {
            use std::os::unix::fs::FileExt;
            let file = std::fs::File::options().write(true).open(path).unwrap();
            let (place, other) = (honest.len() - 4096, noise(4096, 5));
            while !done.load(Ordering::Relaxed) {
                file.write_all_at(&other, place as u64).unwrap();
                file.write_all_at(&honest[place..], place as u64).unwrap();
            }
        }
    });
    let mut refused = 0;
    while refused < 3 {
        match running.node.prepare(&unnamed(&root), |_| {}).await {
            Ok(prepared) => {
                let file = bed.node_dir().join("images/layers/sha256").join(prepared.layers[0].digest().hex());
                assert!(
                    std::fs::read(file.join("root/noise")).unwrap() == content,
                    "other content got the layer's name"
                );
                running.node.prune().await.unwrap();
            }
            Err(error) => {
                refused += 1;
                let kinds = [FailureKind::Mismatch, FailureKind::Refused];
                assert!(error.kind().is_some_and(|kind| kinds.contains(&kind)), "{error:?}");
            }
        }
    }
    done.store(true, Ordering::Relaxed);
    changing.await.unwrap();
    running.node.prepare(&unnamed(&root), |_| {}).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn an_image_that_names_anothers_layer_and_lacks_its_blob_gets_nothing() {
    let bed = Bed::new();
    let secret = archive(&[("secret", SECRET.into())]);
    let owned = bed.image_of(std::slice::from_ref(&secret), &json!({}));
    let running = bed.start();
    running.node.prepare(&wanted(&owned, "owned"), |_| {}).await.unwrap();
    let other = bed.layer(&gzip(&archive(&[("other", Vec::new())])));
    let thief = bed.manifest(&[other], &[Digest::of(Algorithm::Sha256, &secret)], &json!({}));
    let failed = running.node.prepare(&wanted(&thief, "thief"), |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::Refused), "{failed}");
    assert_eq!(running.node.images().await.unwrap().len(), 1);
    running.stop().await;
}

#[tokio::test]
async fn what_leads_out_of_a_layer_is_refused() {
    let bed = Bed::new();
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    header.as_gnu_mut().unwrap().name[..14].copy_from_slice(b"../../escaped\0");
    header.set_cksum();
    builder.append(&header, std::io::empty()).unwrap();
    let root = bed.image_of(&[builder.into_inner().unwrap()], &json!({}));
    let running = bed.start();
    let failed = running.node.prepare(&unnamed(&root), |_| {}).await.unwrap_err();
    assert_eq!(failed.kind(), Some(FailureKind::Refused));
    assert!(failed.is_permanent());
    running.stop().await;
    assert_eq!(names(bed.folder.path()), ["blobs", "node", "node.sock"]);
}
