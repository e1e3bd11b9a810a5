use images::Algorithm;

use super::*;

fn digest() -> Digest {
    Digest::of(Algorithm::Sha512, b"")
}

fn blob() -> Descriptor {
    Descriptor { media_type: "m".to_owned(), digest: Digest::of(Algorithm::Sha256, b""), size: 7, platform: None }
}

#[test]
fn messages_look_as_they_are_documented() {
    let root = blob();
    let reference = Some("h.example/app:1".parse().unwrap());
    let ask = ToNode::Ask {
        id: 3,
        request: Request::Prepare(Prepare { reference, root, platform: None, urgency: Urgency::Waited }),
    };
    let text = serde_json::to_string(&ask).unwrap();
    let sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let expected = format!(
        r#"{{"ask":{{"id":3,"request":{{"prepare":{{"reference":"h.example/app:1","root":{{"mediaType":"m","digest":"{sha256}","size":7}}}}}}}}}}"#
    );
    assert_eq!(text, expected);
    let background: Prepare = serde_json::from_str(&format!(
        r#"{{"root":{{"mediaType":"m","digest":"{sha256}","size":7}},"urgency":"background"}}"#
    ))
    .unwrap();
    assert_eq!(background.urgency, Urgency::Background);
    let layer =
        Request::PrepareLayer(PrepareLayer { blob: blob(), diff_id: Digest::of(Algorithm::Sha256, b"").into() });
    let expected = format!(
        r#"{{"prepareLayer":{{"blob":{{"mediaType":"m","digest":"{sha256}","size":7}},"diffId":"{sha256}"}}}}"#
    );
    assert_eq!(serde_json::to_string(&layer).unwrap(), expected);
    assert_eq!(serde_json::to_string(&Answer::LayerPrepared).unwrap(), r#""layerPrepared""#);
    assert_eq!(serde_json::to_string(&ToNode::<Request>::Cancel { id: 3 }).unwrap(), r#"{"cancel":{"id":3}}"#);
    assert_eq!(serde_json::to_string(&Request::Images { after: None }).unwrap(), r#"{"images":{}}"#);
    assert_eq!(serde_json::to_string(&Request::Prune).unwrap(), r#""prune""#);
    let done = FromNode::Done { id: 3, answer: Answer::Forgotten(true) };
    assert_eq!(serde_json::to_string(&done).unwrap(), r#"{"done":{"id":3,"answer":{"forgotten":true}}}"#);
}

#[test]
fn what_a_newer_program_adds_is_passed_over() {
    let hello: Hello = serde_json::from_str(r#"{"versions":[1,2],"program":"9","more":{}}"#).unwrap();
    assert_eq!(hello.versions, [1, 2]);
    let failure: Failure = serde_json::from_str(r#"{"kind":"somethingNew","message":"m"}"#).unwrap();
    assert_eq!(failure.kind, FailureKind::Internal);
}

#[test]
fn the_longest_page_of_images_fits_into_a_line() {
    let reference: Reference =
        format!("{}.example/{}:{}@{}", "h".repeat(54), "r".repeat(192), "t".repeat(128), digest()).parse().unwrap();
    let long = "\u{1}".repeat(PLATFORM_LENGTH_MAX);
    let image = ImageInfo {
        reference,
        manifest: digest(),
        config: digest(),
        platform: Platform { os: long.clone(), architecture: long.clone(), variant: Some(long) },
        blob_bytes: u64::MAX,
        unpacked_bytes: u64::MAX,
        ready: false,
        recorded_at: Timestamp::MAX,
    };
    let page = ImagesPage { images: vec![image; IMAGES_PAGE_MAX], more: true };
    let done = FromNode::Done { id: u64::MAX, answer: Answer::Images(page) };
    assert!(crate::lines::line(&done).is_ok());
    let prepared = PreparedImage {
        manifest: digest(),
        config: digest(),
        layers: vec![digest().into(); images::LAYERS_MAX],
        unpacked_bytes: u64::MAX,
    };
    assert!(crate::lines::line(&FromNode::Done { id: u64::MAX, answer: Answer::Prepared(prepared) }).is_ok());
}

#[test]
fn the_message_of_a_failure_is_short_and_one_line() {
    let failure = Failure::new(FailureKind::Refused, "ä\n".repeat(10_000));
    assert!(failure.message.len() <= FAILURE_LENGTH_MAX && !failure.message.contains('\n'));
}
