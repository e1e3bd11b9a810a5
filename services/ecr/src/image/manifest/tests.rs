use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn digest(text: &str) -> ContentDigest {
    ContentDigest::of(Algorithm::Sha256, text.as_bytes())
}

fn descriptor(media_type: &str, of: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest(of).as_str(), "size": of.len()})
}

fn image(media_type: &str) -> Value {
    let config = descriptor("application/vnd.oci.image.config.v1+json", "{}");
    let layers = json!([descriptor("application/vnd.oci.image.layer.v1.tar+gzip", "layer")]);
    json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers})
}

fn index(media_type: &str) -> Value {
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [descriptor(OCI_MANIFEST, "child")]})
}

fn read(document: &Value) -> Result<Parsed, InvalidManifest> {
    parse(document.to_string().as_bytes(), None)
}

#[test]
fn images_and_indexes_of_docker_and_oci_are_read() {
    for media_type in [DOCKER_MANIFEST, OCI_MANIFEST] {
        let parsed = read(&image(media_type)).unwrap();
        let blobs: Vec<&str> = parsed.kind.blobs().iter().map(|blob| blob.digest.as_str()).collect();
        assert_eq!(blobs, [digest("{}").as_str(), digest("layer").as_str()]);
        assert_eq!(parsed.artifact_type.as_deref(), Some("application/vnd.oci.image.config.v1+json"));
    }
    for media_type in [DOCKER_LIST, OCI_INDEX] {
        let parsed = read(&index(media_type)).unwrap();
        assert_eq!(parsed.kind.children(), [digest("child")]);
        assert_eq!(parsed.artifact_type, None);
    }
}

#[test]
fn an_artifact_has_its_type_and_its_subject() {
    let mut artifact = image(OCI_MANIFEST);
    artifact["artifactType"] = json!("application/spdx+json");
    artifact["subject"] = descriptor(OCI_MANIFEST, "subject");
    let parsed = read(&artifact).unwrap();
    assert_eq!(parsed.artifact_type.as_deref(), Some("application/spdx+json"));
    assert_eq!(parsed.subject, Some(digest("subject")));
}

#[test]
fn what_the_client_says_of_the_type_has_to_agree() {
    let mut silent = image(OCI_MANIFEST);
    silent.as_object_mut().unwrap().remove("mediaType");
    assert_eq!(read(&silent), Err(InvalidManifest::MediaTypeMissing));
    let bytes = silent.to_string();
    assert_eq!(parse(bytes.as_bytes(), Some(OCI_MANIFEST)).unwrap().media_type, OCI_MANIFEST);
    let differs = parse(image(OCI_MANIFEST).to_string().as_bytes(), Some(DOCKER_MANIFEST));
    assert!(matches!(differs, Err(InvalidManifest::MediaTypeDiffers { .. })));
    let unknown = parse(bytes.as_bytes(), Some("text/plain"));
    assert_eq!(unknown, Err(InvalidManifest::MediaTypeUnknown("text/plain".to_owned())));
}

#[test]
fn a_document_that_is_two_things_at_once_is_neither() {
    let mut both = image(OCI_MANIFEST);
    both["manifests"] = json!([descriptor(OCI_MANIFEST, "child")]);
    assert!(matches!(read(&both), Err(InvalidManifest::Form { .. })));
    both["mediaType"] = json!(OCI_INDEX);
    assert!(matches!(read(&both), Err(InvalidManifest::Form { .. })));
    let twice = r#"{"schemaVersion": 2, "mediaType": "a", "mediaType": "b"}"#;
    assert!(matches!(parse(twice.as_bytes(), None), Err(InvalidManifest::Syntax(_))));
}

#[test]
fn what_is_missing_or_wrong_is_told() {
    let mut cases = Vec::new();
    for member in ["config", "layers"] {
        let mut without = image(OCI_MANIFEST);
        without.as_object_mut().unwrap().remove(member);
        cases.push(without);
    }
    for (pointer, value) in [
        ("/schemaVersion", json!(1)),
        ("/config/digest", json!("sha256:short")),
        ("/config/size", json!(-1)),
        ("/config/mediaType", json!("")),
        ("/layers/0/digest", json!("../../etc/passwd")),
    ] {
        let mut wrong = image(OCI_MANIFEST);
        *wrong.pointer_mut(pointer).unwrap() = value;
        cases.push(wrong);
    }
    let mut old = image(OCI_MANIFEST);
    old["fsLayers"] = json!([]);
    cases.extend([old, json!([]), json!({}), json!("x")]);
    for case in cases {
        assert!(read(&case).is_err(), "{case}");
    }
}

#[test]
fn embedded_content_has_to_be_what_its_digest_says() {
    let mut manifest = image(OCI_MANIFEST);
    manifest["config"]["data"] = json!("e30=");
    assert!(read(&manifest).is_ok());
    for wrong in ["e31=", "e30", "!"] {
        manifest["config"]["data"] = json!(wrong);
        assert!(matches!(read(&manifest), Err(InvalidManifest::Descriptor(_))), "{wrong}");
    }
}

#[test]
fn layers_from_elsewhere_and_repeated_ones_are_not_asked_for() {
    let mut manifest = image(OCI_MANIFEST);
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    manifest["layers"] = json!([
        descriptor(layer, "a"),
        descriptor(layer, "a"),
        descriptor("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "b"),
        descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "c"),
    ]);
    assert_eq!(read(&manifest).unwrap().kind.blobs().len(), 2);
}

#[test]
fn a_manifest_has_its_bounds() {
    let mut many = image(OCI_MANIFEST);
    many["layers"] = (0..=LAYERS_MAX).map(|n| descriptor("application/x", &n.to_string())).collect();
    assert_eq!(read(&many), Err(InvalidManifest::TooMany));
    let mut wide = index(OCI_INDEX);
    wide["manifests"] = (0..=CHILDREN_MAX).map(|n| descriptor(OCI_MANIFEST, &n.to_string())).collect();
    assert_eq!(read(&wide), Err(InvalidManifest::TooMany));
    assert_eq!(parse(&vec![b' '; MANIFEST_BYTES_MAX + 1], None), Err(InvalidManifest::TooLarge));
    let deep = format!("{{\"schemaVersion\":2,\"x\":{}", "[".repeat(100_000));
    assert!(matches!(parse(deep.as_bytes(), None), Err(InvalidManifest::Syntax(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, Some(OCI_MANIFEST));
    }
}
