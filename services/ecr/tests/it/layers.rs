use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;

const MIB: usize = 1024 * 1024;

impl Caller {
    async fn begin(&self) -> String {
        let answer = self.ok("InitiateLayerUpload", json!({"repositoryName": "web"})).await;
        assert_eq!(answer["partSize"], 10 * MIB);
        answer["uploadId"].as_str().unwrap().to_owned()
    }
}

fn part(upload: &str, first: usize, bytes: &[u8]) -> Value {
    json!({
        "repositoryName": "web", "uploadId": upload, "partFirstByte": first,
        "partLastByte": first + bytes.len() - 1, "layerPartBlob": BASE64.encode(bytes),
    })
}

fn complete(upload: &str, digest: &str) -> Value {
    json!({"repositoryName": "web", "uploadId": upload, "layerDigests": [digest]})
}

#[tokio::test]
async fn a_layer_is_uploaded_in_parts() {
    let caller = Caller::new();
    caller.repository("web").await;
    let bytes: Vec<u8> = (0..6 * MIB).map(|n| (n % 251) as u8).collect();
    let upload = caller.begin().await;
    let answer = caller.ok("UploadLayerPart", part(&upload, 0, &bytes[..5 * MIB])).await;
    assert_eq!(answer["lastByteReceived"], 5 * MIB - 1);
    caller.ok("UploadLayerPart", part(&upload, 5 * MIB, &bytes[5 * MIB..])).await;
    let digest = digest_of(&bytes);
    let answer = caller.ok("CompleteLayerUpload", complete(&upload, &digest)).await;
    assert_eq!(answer["layerDigest"], digest);
    let check = json!({"repositoryName": "web", "layerDigests": [digest, digest_of(b"other"), "nonsense", ""]});
    let answer = caller.ok("BatchCheckLayerAvailability", check).await;
    assert_eq!(
        answer["layers"],
        json!([
            {"layerDigest": digest, "layerAvailability": "AVAILABLE", "layerSize": 6 * MIB},
            {"layerDigest": digest_of(b"other"), "layerAvailability": "UNAVAILABLE"},
        ])
    );
    let codes: Vec<&str> =
        answer["failures"].as_array().unwrap().iter().map(|it| it["failureCode"].as_str().unwrap()).collect();
    assert_eq!(codes, ["InvalidLayerDigest", "MissingLayerDigest"]);
    assert_eq!(caller.refused("CompleteLayerUpload", complete(&upload, &digest)).await.0, "UploadNotFoundException");
}

#[tokio::test]
async fn a_part_that_does_not_follow_is_refused_with_what_was_received() {
    let caller = Caller::new();
    caller.repository("web").await;
    let upload = caller.begin().await;
    caller.ok("UploadLayerPart", part(&upload, 0, b"12345")).await;
    for wrong in [part(&upload, 0, b"12345"), part(&upload, 6, b"x"), {
        let mut short = part(&upload, 5, b"xyz");
        short["partLastByte"] = json!(9);
        short
    }] {
        let error = caller.call("UploadLayerPart", wrong).await.unwrap_err();
        assert_eq!(error.code, "InvalidLayerPartException");
        let is_gap =
            error.message.starts_with("First byte of the layer part is ") && error.message.ends_with(" instead of 5");
        assert!(is_gap || error.message.contains("not as long"), "{}", error.message);
        let members: Value = error.members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(members["lastValidByteReceived"], 4);
        assert_eq!(members["uploadId"], json!(upload));
    }
    caller.ok("UploadLayerPart", part(&upload, 5, b"67")).await;
    // The first of two parts is smaller than any but the last may be.
    let refused = caller.refused("CompleteLayerUpload", complete(&upload, &digest_of(b"1234567"))).await;
    assert_eq!(
        refused,
        refusal("LayerPartTooSmallException", "All layer parts except the last part should be at least 5MB")
    );
}

#[tokio::test]
async fn a_layer_has_to_be_what_it_was_announced_to_be() {
    let caller = Caller::new();
    caller.repository("web").await;
    let upload = caller.begin().await;
    assert_eq!(
        caller.refused("CompleteLayerUpload", complete(&upload, &digest_of(b""))).await.0,
        "EmptyUploadException"
    );
    caller.ok("UploadLayerPart", part(&upload, 0, b"evil")).await;
    for digests in [json!([]), json!([digest_of(b"evil"), digest_of(b"good")]), json!(["sha256:short"])] {
        let input = json!({"repositoryName": "web", "uploadId": upload, "layerDigests": digests});
        assert_eq!(caller.refused("CompleteLayerUpload", input).await.0, "InvalidParameterException");
    }
    let refused = caller.refused("CompleteLayerUpload", complete(&upload, &digest_of(b"good"))).await;
    assert_eq!(refused.0, "InvalidLayerException");
    let again = caller.refused("CompleteLayerUpload", complete(&upload, &digest_of(b"evil"))).await;
    assert_eq!(again.0, "UploadNotFoundException");
}

#[tokio::test]
async fn two_who_push_one_layer_both_get_it() {
    let caller = Caller::new();
    caller.repository("web").await;
    let (one, two) = (caller.begin().await, caller.begin().await);
    for upload in [&one, &two] {
        caller.ok("UploadLayerPart", part(upload, 0, b"same")).await;
    }
    let digest = digest_of(b"same");
    caller.ok("CompleteLayerUpload", complete(&one, &digest)).await;
    let message = format!(
        "Layer with digest '{digest}' already exists in the repository with name 'web' in the registry with id '{ACCOUNT}'"
    );
    let refused = caller.refused("CompleteLayerUpload", complete(&two, &digest)).await;
    assert_eq!(refused, refusal("LayerAlreadyExistsException", &message));
    let check = json!({"repositoryName": "web", "layerDigests": [digest]});
    let answer = caller.ok("BatchCheckLayerAvailability", check).await;
    assert_eq!(answer["layers"][0]["layerAvailability"], "AVAILABLE");
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let caller = Caller::new();
    caller.repository("web").await;
    caller.repository("other").await;
    let upload = caller.begin().await;
    let mut elsewhere = part(&upload, 0, b"x");
    elsewhere["repositoryName"] = json!("other");
    assert_eq!(caller.refused("UploadLayerPart", elsewhere).await.0, "UploadNotFoundException");
    let theirs = caller.other_account();
    theirs.repository("web").await;
    assert_eq!(theirs.refused("UploadLayerPart", part(&upload, 0, b"x")).await.0, "UploadNotFoundException");
    let unknown = "0123abcd-0123-4123-8123-0123456789ab";
    assert_eq!(caller.refused("UploadLayerPart", part(unknown, 0, b"x")).await.0, "UploadNotFoundException");
    let wrong = part("../../etc/passwd", 0, b"x");
    assert_eq!(caller.refused("UploadLayerPart", wrong).await.0, "InvalidParameterException");
}

#[tokio::test]
async fn a_repository_has_so_many_uploads_at_a_time() {
    let caller = Caller::new();
    caller.repository("web").await;
    for _ in 0..ecr::upload::UPLOADS_MAX {
        caller.begin().await;
    }
    let begin = json!({"repositoryName": "web"});
    assert_eq!(caller.refused("InitiateLayerUpload", begin.clone()).await.0, "LimitExceededException");
    caller.advance(ecr::upload::UPLOAD_KEPT + Duration::from_secs(1));
    caller.reconcile(ecr::reconcile::uploads::reconciler(&caller.ecr)).await;
    caller.ok("InitiateLayerUpload", begin).await;
}

#[tokio::test]
async fn a_blob_is_mounted_from_another_repository() {
    let caller = Caller::new();
    caller.repository("web").await;
    caller.repository("other").await;
    let layer = caller.layer("web", b"shared").await;
    let digest = layer.digest.parse().unwrap();
    let store = &caller.ecr.platform.store;
    let find = |name: &str| {
        let name = ecr::names::RepositoryName::of_request(&caller.ctx(), None, name);
        ecr::repository::find(store, name)
    };
    let (from, to) = (find("web").await.unwrap(), find("other").await.unwrap());
    let now = caller.ctx().now;
    assert!(ecr::layer::mount(&caller.ecr, &from, &to, &digest, now).await.unwrap());
    let unknown = digest_of(b"unknown").parse().unwrap();
    assert!(!ecr::layer::mount(&caller.ecr, &from, &to, &unknown, now).await.unwrap());
    let check = json!({"repositoryName": "other", "layerDigests": [layer.digest]});
    let answer = caller.ok("BatchCheckLayerAvailability", check).await;
    assert_eq!(answer["layers"][0]["layerSize"], 6);
}

#[tokio::test]
async fn a_blob_is_taken_from_a_repository_unless_an_image_has_it() {
    use ecr::reconcile::references::{Taken, take};
    let caller = Caller::new();
    caller.repository("web").await;
    caller.image("web", &["b", "a", "c"], "one").await;
    let lonely = caller.layer("web", b"lonely").await;
    let name = ecr::names::RepositoryName::of_request(&caller.ctx(), None, "web");
    let repository = ecr::repository::find(&caller.ecr.platform.store, name).await.unwrap();
    for (digest, expected) in
        [(&lonely.digest, Taken::Gone), (&lonely.digest, Taken::NotFound), (&digest_of(b"layer"), Taken::InUse)]
    {
        assert_eq!(take(&caller.ecr, &repository, &digest.parse().unwrap()).await.unwrap(), expected);
    }
    let store = &caller.ecr.platform.store;
    let tags = |after, limit| ecr::image::tags(store, &repository, after, limit);
    assert_eq!(tags(None, 2).await.unwrap(), (vec!["a".to_owned(), "b".to_owned()], true));
    assert_eq!(tags(Some("b"), 2).await.unwrap(), (vec!["c".to_owned()], false));
    assert_eq!(tags(Some("aa"), 1).await.unwrap(), (vec!["b".to_owned()], true));
    let kept = ecr::image::delete::tag(store, &repository, "a", true).await.unwrap();
    assert!(matches!(kept, ecr::image::delete::Deleted::Tag { .. }));
    assert_eq!(tags(None, 9).await.unwrap().0, ["b", "c"]);
}

#[tokio::test]
async fn a_full_disk_is_told_and_a_layer_that_fits_is_uploaded_all_the_same() {
    use std::process::Command;
    let caller = Caller::new();
    caller.repository("web").await;
    // A small disk for uploads alone: what they become lies on another one.
    let uploads = caller.directory.path().join("uploads");
    match Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&uploads).status() {
        Ok(status) if status.success() => {}
        other => return println!("skipped: no small file system can be mounted here: {other:?}"),
    }
    let outcome = tokio::spawn(upload_to_a_small_disk(caller.restarted())).await;
    Command::new("umount").arg("--lazy").arg(&uploads).status().unwrap();
    outcome.unwrap();
}

async fn upload_to_a_small_disk(caller: Caller) {
    let upload = caller.begin().await;
    caller.ok("UploadLayerPart", part(&upload, 0, b"begun")).await;
    let error = caller.call("UploadLayerPart", part(&upload, 5, &vec![7; 2 * MIB])).await.unwrap_err();
    assert_eq!((&*error.code, error.status), ("ServerException", 503));
    assert!(error.message.contains("is full. Nothing was lost"), "{}", error.message);
    let fitting = caller.begin().await;
    caller.ok("UploadLayerPart", part(&fitting, 0, b"begun and done")).await;
    let digest = digest_of(b"begun and done");
    caller.ok("CompleteLayerUpload", complete(&fitting, &digest)).await;
    // The one that did not fit goes on where it was.
    assert_eq!(caller.ok("UploadLayerPart", part(&upload, 5, b" again")).await["lastByteReceived"], 10);
    assert!(caller.ecr.content.blobs().verify(&digest.parse().unwrap()).unwrap().is_some());
}
