//! Attacks on the registry over HTTP.

use std::io::{BufRead as _, BufReader, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;
use tests::image::{Blob, Image, MANIFEST, digest};
use tests::registry::{password, token};
use tests::{Registry, Server};

use super::Shop;

const BYTES: &str = "application/octet-stream";

/// A request to each endpoint about what is there.
fn requests(image: &Image) -> Vec<(&'static str, String)> {
    let (manifest, blob) = (image.digest(), image.layers[0].digest());
    vec![
        ("GET", "/v2/".to_owned()),
        ("GET", "/v2/secret/tags/list".to_owned()),
        ("GET", "/v2/secret/manifests/1".to_owned()),
        ("HEAD", format!("/v2/secret/manifests/{manifest}")),
        ("GET", format!("/v2/secret/blobs/{blob}")),
        ("HEAD", format!("/v2/secret/blobs/{blob}")),
        ("GET", format!("/v2/secret/referrers/{manifest}")),
        ("POST", "/v2/secret/blobs/uploads/".to_owned()),
        ("POST", format!("/v2/secret/blobs/uploads/?mount={blob}&from=secret")),
        ("PUT", "/v2/secret/manifests/2".to_owned()),
        ("DELETE", "/v2/secret/manifests/1".to_owned()),
        ("DELETE", format!("/v2/secret/blobs/{blob}")),
    ]
}

#[test]
fn nobody_is_served_without_a_token_that_was_given_out_here() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["secret"]);
    let image = Image::small("secret");
    shop.registry.push("secret", "1", &image);
    let good = token(&server, &shop.account.root);
    let secret = password(&good);
    let flipped: String =
        secret.char_indices().map(|(at, c)| if at == secret.len() / 2 && c != 'A' { 'A' } else { c }).collect();
    let basic = |name: &str, password: &str| format!("Basic {}", BASE64.encode(format!("{name}:{password}")));
    let root = &shop.account.root;
    let credentials = [
        None,
        Some(basic("AWS", "")),
        Some(basic("AWS", &flipped)),
        Some(basic("AWS", &secret[..secret.len() - 4])),
        Some(basic("root", &secret)),
        Some(basic(&root.access_key_id, root.secret_access_key.expose())),
        Some("Basic".to_owned()),
        Some("Basic !!!".to_owned()),
        Some("Bearer e30.e30.e30".to_owned()),
        Some(format!("Bearer {}", "A".repeat(30_000))),
        Some(format!("Negotiate {good}")),
    ];
    for credential in credentials {
        let mut stranger = Registry::anonymous(&server).authorized(credential.as_deref());
        for (method, target) in requests(&image) {
            let answer = stranger.send(&stranger.request(method, &target));
            let shown: String = credential.as_deref().unwrap_or("nothing").chars().take(40).collect();
            assert_eq!(answer.status, 401, "{method} {target} with {shown}: {}", answer.text());
            let challenge = answer.header("www-authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Basic realm=\"http://"), "{challenge}");
            assert!(challenge.contains("service=\"ecr.amazonaws.com\""), "{challenge}");
            assert!(!answer.text().contains(&secret), "a token is not told");
        }
    }
    let mut bearer = Registry::anonymous(&server).authorized(Some(&format!("Bearer {good}")));
    bearer.get("/v2/secret/tags/list").with_status(200);
    assert!(shop.registry.pull("secret", "1") == image, "nothing was changed");
    assert_eq!(shop.tags("secret"), ["1"]);
}

#[test]
fn another_account_reads_and_changes_nothing_by_any_request() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["secret"]);
    let image = Image::small("of one account");
    shop.registry.push("secret", "1", &image);
    let upload = shop.registry.begin("secret");
    shop.registry.piece(&upload, 0, b"half of it").with_status(202);
    let mut thief = Shop::open(&server, &["secret"]);
    // By the name of the victim's registry.
    let mut at_victims = Registry::of(&server, &thief.account.root).of_account(&shop.account.id);
    for (method, target) in requests(&image).into_iter().skip(1) {
        let answer = at_victims.send(&at_victims.request(method, &target));
        assert_eq!(answer.status, 403, "{method} {target}: {}", answer.text());
    }
    // By names that lead to the victim's from one's own registry, if anything does.
    for target in
        [format!("/v2/secret/blobs/{}", image.layers[0].digest()), format!("/v2/secret/manifests/{}", image.digest())]
    {
        thief.registry.get(&target).with_status(404);
    }
    thief.registry.get(&upload).with_status(404);
    thief.registry.piece(&upload, 10, b"and the rest").with_status(404);
    thief.registry.delete(&upload).with_status(404);
    let refusal = thief.registry.put_manifest("secret", "1", &image.manifest).refusal();
    assert_eq!(refusal.code, "MANIFEST_BLOB_UNKNOWN", "another's layers are in no image of one's own: {refusal:?}");
    // Nor is what they have told by what a push of the same content does.
    let there = thief.registry.head(&format!("/v2/secret/blobs/{}", image.layers[0].digest()));
    assert_eq!(there.status, 404);
    assert_eq!(shop.registry.get(&upload).with_status(204).header("range"), Some("0-9"));
    assert!(shop.registry.pull("secret", "1") == image);
}

#[test]
fn no_path_leads_out_of_a_repository() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["inside"]);
    let upload = shop.registry.begin("inside");
    let id = upload.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let up = "..%2f..%2f..%2f..%2fetc%2fpasswd";
    for target in [
        "/v2/../keys/root.json".to_owned(),
        format!("/v2/{up}"),
        "/v2/inside/../../keys/root.json".to_owned(),
        format!("/v2/inside/manifests/{up}"),
        "/v2/inside/manifests/../../../state".to_owned(),
        format!("/v2/inside/blobs/{up}"),
        format!("/v2/inside/blobs/sha256:{up}"),
        "/v2/inside/blobs/sha256:../../../../keys/root.json".to_owned(),
        format!("/v2/inside/blobs/sha256:{}", "G".repeat(64)),
        format!("/v2/inside/blobs/sha256:{}", "A".repeat(64)),
        format!("/v2/inside/blobs/md5:{}", "a".repeat(32)),
        format!("/v2/inside/blobs/uploads/{up}"),
        "/v2/inside/blobs/uploads/../../../../keys/root.json".to_owned(),
        format!("/v2/inside/blobs/uploads/{id}%00"),
        format!("/v2/inside/blobs/uploads/{}", id.to_uppercase()),
        format!("/v2/inside/blobs/uploads/{}", "a".repeat(4000)),
        format!("/v2/{}/tags/list", "a/".repeat(2000)),
        "/v2/INSIDE/tags/list".to_owned(),
        "/v2/inside%2ftags%2flist".to_owned(),
        "/v2//inside/tags/list".to_owned(),
        "/v2/inside//tags/list".to_owned(),
        "/v2/inside/referrers/sha256:..".to_owned(),
        "/v2/inside/tags/list?n=-1".to_owned(),
        "/v2/_catalog".to_owned(),
        "/v2/inside".to_owned(),
        "/v2/inside/unknown/thing".to_owned(),
    ] {
        for method in ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let answer = shop.registry.send(&shop.registry.request(method, &target));
            let told = format!("{method} {target}: {} {}", answer.status, answer.text());
            assert!((400..500).contains(&answer.status), "{told}");
            assert!(!answer.text().contains("root:"), "{told}");
        }
    }
    shop.registry.get(&upload).with_status(204);
}

#[test]
fn manifests_that_lie_or_are_too_much_are_refused() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["honest"]);
    let image = Image::small("honest");
    shop.registry.push("honest", "1", &image);
    let (config, layer) = (image.config.descriptor(), image.layers[0].descriptor());
    let with = |field: &str, value: serde_json::Value| {
        let mut document = image.manifest.document();
        document[field] = value;
        Blob::json(MANIFEST, &document)
    };
    let mut wrong_digest = layer.clone();
    wrong_digest["digest"] = "sha256:../../etc/passwd".into();
    let mut negative = config.clone();
    negative["size"] = (-1).into();
    let deep = format!("{}{}{}", r#"{"schemaVersion":2,"annotations":"#, "[".repeat(100_000), "]".repeat(100_000));
    for (what, manifest) in [
        ("no JSON", Blob::new(MANIFEST, "no JSON")),
        ("nothing", Blob::new(MANIFEST, "")),
        ("a list", Blob::new(MANIFEST, "[]")),
        ("no text", Blob::new(MANIFEST, vec![0xFF, 0xFE, 0x00])),
        ("another version", with("schemaVersion", 1.into())),
        ("another type", with("mediaType", "application/vnd.example".into())),
        ("a digest that is none", with("layers", json!([wrong_digest]))),
        ("a negative size", with("config", negative)),
        ("layers that are none", with("layers", "many".into())),
        ("deep nesting", Blob::new(MANIFEST, deep)),
        ("too many layers", with("layers", vec![layer; 40_000].into())),
        ("more than four MiB", with("annotations", json!({ "a": "x".repeat(4 << 20) }))),
    ] {
        let answer = shop.registry.put_manifest("honest", "2", &manifest);
        assert!([400, 404, 413].contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    }
    // Under another's digest.
    let refusal = shop.registry.put_manifest("honest", &digest(b"another"), &image.manifest).refusal();
    assert_eq!((refusal.status, refusal.code.as_str()), (400, "DIGEST_INVALID"), "{refusal:?}");
    for tag in ["-first", ".first", "a%2fb", "a%20b", &"a".repeat(129), "sha256:short"] {
        let answer = shop.registry.put_manifest("honest", tag, &image.manifest);
        assert!([400, 404].contains(&answer.status), "{tag}: {} {}", answer.status, answer.text());
    }
    assert_eq!(shop.tags("honest"), ["1"]);
}

#[test]
fn ranges_that_lie_change_nothing() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["pieces"]);
    let location = shop.registry.begin("pieces");
    shop.registry.piece(&location, 0, b"0123456789").with_status(202);
    for range in [
        "0-9",
        "9-18",
        "11-20",
        "10-9",
        "10-",
        "-5",
        "10-18446744073709551615",
        "18446744073709551615-18446744073709551616",
        "10-29",
        "bytes 10-19/20",
        "abc",
        "10-19,30-39",
        "+10-19",
        " ",
    ] {
        let mut request = shop.registry.request("PATCH", &location);
        request.set("content-type", BYTES);
        request.set("content-range", range);
        request.body = vec![1; 10];
        let answer = shop.registry.send(&request);
        // A range with a unit is what HTTP itself writes, and says the same.
        if answer.status == 202 {
            assert!(range.starts_with("bytes"), "{range}");
            return;
        }
        assert!([400, 416].contains(&answer.status), "{range}: {} {}", answer.status, answer.text());
        assert_eq!(shop.registry.get(&location).with_status(204).header("range"), Some("0-9"), "{range}");
    }
    shop.registry.end(&location, &digest(b"0123456789"), b"").with_status(201);
}

#[test]
fn who_is_refused_is_told_before_anything_is_sent() {
    let server = Server::shared();
    let shop = Shop::open(&server, &["patient"]);
    let mut stranger = Registry::anonymous(&server);
    let mut request = stranger.request("POST", &format!("/v2/patient/blobs/uploads/?digest={}", digest(b"")));
    request.set("expect", "100-continue");
    request.set("content-type", BYTES);
    let head = request.head(&[("content-length", "1073741824")]);
    let mut stream = stranger.connection().open().unwrap();
    stream.write_all(&head).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 401"), "{line}");
    // One that sends on all the same hears it too, rather than that the connection is gone.
    request.remove("expect");
    let content = tests::registry::Long::new(16);
    let answer = stranger.send_long("POST", &request.target, &content);
    if let Ok(answer) = answer {
        answer.with_status(401);
    }
    drop(shop);
}

#[test]
fn a_length_and_an_encoding_together_are_no_request() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["smuggled"]);
    let location = shop.registry.begin("smuggled");
    let mut request = shop.registry.request("PATCH", &location);
    request.set("content-type", BYTES);
    let more = [("content-length", "4"), ("transfer-encoding", "chunked")];
    let mut bytes = request.head(&more);
    bytes.extend_from_slice(b"0\r\n\r\nDELETE /v2/smuggled/manifests/1 HTTP/1.1\r\n\r\n");
    let answer = shop.registry.connection().try_bytes(&bytes, true);
    if let Ok(answer) = answer {
        assert!(answer.status >= 400 || answer.header("range").is_none_or(|range| range == "0-0"), "{answer:?}");
    }
    shop.registry.get(&location).with_status(204);
}

#[test]
fn two_who_push_the_same_content_at_once_both_succeed() {
    let server = Server::shared();
    let mut shop = Shop::open(&server, &["first", "second"]);
    let content = vec![42_u8; 4 << 20];
    let name = digest(&content);
    std::thread::scope(|scope| {
        for repository in ["first", "second", "first", "second"] {
            let (server, content, root) = (&server, &content, &shop.account.root);
            scope.spawn(move || Registry::of(server, root).upload(repository, content));
        }
    });
    for repository in ["first", "second"] {
        assert!(shop.registry.blob(repository, &name) == content);
    }
}
