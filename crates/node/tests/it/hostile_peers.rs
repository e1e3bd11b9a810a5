//! Whoever connects may be anybody, or a server that was captured.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use node::protocol::{FailureKind, LINE_BYTES_MAX};
use rustix::fs::Uid;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bed::{Bed, STRANGER, is_root, noise, wanted};

const HELLO: &str = "{\"versions\":[1],\"program\":\"0\"}\n";

/// What comes until the other side hangs up.
async fn all(stream: &mut tokio::net::UnixStream) -> Vec<Value> {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

async fn talk(socket: &Path, said: impl AsRef<[u8]>) -> Vec<Value> {
    let mut stream = tokio::net::UnixStream::connect(socket).await.unwrap();
    // It may hang up before it has heard all.
    let _ = stream.write_all(said.as_ref()).await;
    let _ = stream.shutdown().await;
    all(&mut stream).await
}

#[tokio::test]
async fn another_user_is_turned_away() {
    if !is_root() {
        return;
    }
    let bed = Bed::new();
    let running = bed.start();
    // Whoever may reach the socket.
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(bed.folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    std::fs::set_permissions(&running.socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    let socket = running.socket.clone();
    let heard = tokio::task::spawn_blocking(move || {
        // Of this thread alone.
        std::thread::spawn(move || {
            rustix::thread::set_thread_res_uid(None, Uid::from_raw(STRANGER), None).unwrap();
            let mut stream = UnixStream::connect(socket).unwrap();
            let _ = stream.write_all(HELLO.as_bytes());
            let mut heard = Vec::new();
            let _ = stream.read_to_end(&mut heard);
            heard
        })
        .join()
        .unwrap()
    });
    assert_eq!(heard.await.unwrap(), b"");
    assert_eq!(running.node.usage().await.unwrap().images, 0);
    running.stop().await;
}

#[tokio::test]
async fn another_version_is_refused_in_words() {
    let bed = Bed::new();
    let running = bed.start();
    let heard = talk(&running.socket, "{\"versions\":[7,8],\"program\":\"9.0\"}\n").await;
    assert!(heard[0]["refused"]["reason"].as_str().unwrap().contains("protocol 1"), "{heard:?}");
    let heard = talk(&running.socket, "{\"versions\":[7,1],\"program\":\"9.0\"}\n").await;
    assert_eq!(heard[0]["accepted"]["version"], 1);
    running.stop().await;
}

#[tokio::test]
async fn what_is_no_message_ends_its_connection_and_no_other() {
    let bed = Bed::new();
    let running = bed.start();
    let beyond = "x".repeat(LINE_BYTES_MAX + 1);
    let deep = "[".repeat(100_000);
    let twice = "{\"ask\":{\"id\":1,\"request\":{\"images\":{}}}}\n".repeat(2);
    for said in
        ["\n", "{}\n", "GET / HTTP/1.1\r\n\r\n", "null\n", "\u{0}\u{0}\n", &beyond, &deep, "{\"versions\":\"1\"}\n"]
    {
        assert_eq!(talk(&running.socket, said).await, [] as [Value; 0], "before the hello: {:.20}", said);
        let heard = talk(&running.socket, format!("{HELLO}{said}\n{twice}")).await;
        assert_eq!(heard.len(), 1, "after the hello: {said:.20}: {heard:?}");
    }
    let half = "{\"ask\":{\"id\":1,\"requ";
    assert_eq!(talk(&running.socket, format!("{HELLO}{half}")).await.len(), 1);
    assert_eq!(running.node.usage().await.unwrap().images, 0);
    running.stop().await;
}

#[tokio::test]
async fn a_request_that_is_not_known_fails_alone() {
    let bed = Bed::new();
    let running = bed.start();
    let digest = format!("sha256:{}", "0".repeat(64));
    for request in [
        json!({ "mount": { "path": "/etc" } }),
        json!("shutdown"),
        json!({ "forget": { "reference": "../../etc/passwd" } }),
        json!({ "prepare": { "root": { "mediaType": "m", "digest": "sha256:../../etc/shadow", "size": 1 } } }),
        json!({ "prepare": { "root": { "mediaType": "m", "digest": digest, "size": -1 } } }),
        json!({ "prepare": { "reference": "A B", "root": { "mediaType": "m", "digest": digest, "size": 1 } } }),
    ] {
        let ask = json!({ "ask": { "id": 7, "request": request } });
        let heard = talk_until_answered(&running.socket, &ask).await;
        assert_eq!(heard["failed"]["id"], 7, "{request}: {heard}");
        assert_eq!(heard["failed"]["failure"]["kind"], "unknown", "{request}");
    }
    running.stop().await;
}

/// The answer to one request.
async fn talk_until_answered(socket: &Path, ask: &Value) -> Value {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let mut stream = BufReader::new(tokio::net::UnixStream::connect(socket).await.unwrap());
    stream.get_mut().write_all(format!("{HELLO}{ask}\n").as_bytes()).await.unwrap();
    let mut lines = stream.lines();
    lines.next_line().await.unwrap().unwrap();
    serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn whoever_asks_for_absurd_things_gets_a_short_answer() {
    let bed = Bed::new();
    let running = bed.start();
    let digest = format!("sha256:{}", "0".repeat(64));
    let long = "x".repeat(900_000);
    let manifest = "application/vnd.oci.image.manifest.v1+json";
    for (media_type, size, os) in
        [(manifest, u64::MAX, "linux"), (&*long, 5, "linux"), (manifest, 5, &long), ("", 0, "")]
    {
        let root = json!({ "mediaType": media_type, "digest": digest, "size": size });
        let platform = json!({ "os": os, "architecture": "amd64" });
        let ask = json!({ "ask": { "id": 1, "request": { "prepare": { "root": root, "platform": platform } } } });
        let heard = talk_until_answered(&running.socket, &ask).await;
        let kind = heard["failed"]["failure"]["kind"].as_str().unwrap();
        assert!(["refused", "notFound"].contains(&kind) && heard.to_string().len() < 5000, "{heard:.300}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_flood_is_held_back_and_others_are_answered() {
    let bed = Bed::new();
    let running = bed.start();
    let mut floods = Vec::new();
    // None of them reads what it is answered.
    for _ in 0..2 {
        let mut stream = tokio::net::UnixStream::connect(&running.socket).await.unwrap();
        floods.push(tokio::spawn(async move {
            stream.write_all(HELLO.as_bytes()).await?;
            for id in 0..u64::MAX {
                let ask = json!({ "ask": { "id": id, "request": "status" } });
                stream.write_all(format!("{ask}\n").as_bytes()).await?;
            }
            Ok::<_, std::io::Error>(())
        }));
    }
    for _ in 0..100 {
        assert_eq!(running.node.usage().await.unwrap().images, 0);
    }
    assert!(floods.iter().all(|flood| !flood.is_finished()), "they wait for room");
    floods.iter().for_each(tokio::task::JoinHandle::abort);
    running.stop().await;
}

#[tokio::test]
async fn so_many_connections_are_taken_and_each_that_ends_leaves_its_place() {
    let bed = Bed::new();
    let running = bed.start();
    let mut open = Vec::new();
    for _ in 0..40 {
        let mut stream = tokio::net::UnixStream::connect(&running.socket).await.unwrap();
        let _ = stream.write_all(HELLO.as_bytes()).await;
        let mut first = [0; 1];
        if matches!(stream.read(&mut first).await, Ok(1)) {
            open.push(stream);
        }
    }
    assert!(open.len() == 4 || open.len() == 16, "{} are open", open.len());
    drop(open);
    assert_eq!(running.node.usage().await.unwrap().images, 0);
    running.stop().await;
}

#[tokio::test]
async fn whoever_vanishes_takes_what_was_asked_for_along() {
    let bed = Bed::new();
    let layers: Vec<_> = (0..6).map(|n| vec![("noise", noise(4 << 20, n + 1))]).collect();
    let root = bed.image(&layers);
    let running = bed.start();
    let mut stream = tokio::net::UnixStream::connect(&running.socket).await.unwrap();
    let asks: String = (0..50)
        .map(|id| format!("{}\n", json!({ "ask": { "id": id, "request": { "prepare": wanted(&root, "app") } } })))
        .collect();
    stream.write_all(format!("{HELLO}{asks}").as_bytes()).await.unwrap();
    while running.node.status().await.unwrap().preparing == 0 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    loop {
        let status = running.node.status().await.unwrap();
        if status.preparing + status.waiting == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(running.node.images().await.unwrap().len(), 0);
    let error = running.node.prepare(&wanted(&root, "app"), |_| {}).await;
    assert!(error.is_ok(), "{error:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_node_that_lies_or_babbles_is_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let welcome = r#"{"accepted":{"version":1,"program":"0","pid":1}}"#;
    let unasked = r#"{"done":{"id":1,"answer":{"forgotten":true}}}"#;
    for (number, said) in ["HTTP/1.1 400\r\n", &format!("{welcome}\n{unasked}\n"), &format!("{welcome}\nnonsense\n")]
        .into_iter()
        .enumerate()
    {
        let socket = folder.path().join(number.to_string());
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let said = said.to_owned();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut heard = [0; 4096];
                // The hello, then the request.
                let _ = stream.read(&mut heard).await;
                let first = said.split_inclusive('\n').next().unwrap();
                let _ = stream.write_all(first.as_bytes()).await;
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(&said.as_bytes()[first.len()..]).await;
            }
        });
        let error = node::client::Node::at(&socket).usage().await.unwrap_err();
        assert!(!matches!(error.kind(), Some(FailureKind::Busy)), "{error}");
        serving.abort();
    }
}

#[tokio::test]
async fn whatever_is_said_the_node_goes_on() {
    let bed = Bed::new();
    let root = bed.image(&[vec![("a", b"1".to_vec())]]);
    let running = bed.start();
    let prepare = json!({ "ask": { "id": 1, "request": { "prepare": wanted(&root, "app") } } });
    let said = format!("{HELLO}{prepare}\n{}\n", json!({ "ask": { "id": 2, "request": { "images": {} } } }));
    let mut random = (0..).map(|seed| noise(8, seed + 1)).map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
    let mut next = |below: usize| (random.next().unwrap() >> 11) as usize % below;
    for round in 0..300 {
        let mut bytes = said.clone().into_bytes();
        for _ in 0..=round % 4 {
            let place = next(bytes.len());
            match next(4) {
                0 => bytes[place] = next(256) as u8,
                1 => drop(bytes.remove(place)),
                2 => bytes.insert(place, b"{}[]\",:\n"[next(8)]),
                _ => bytes.truncate(place + 1),
            }
        }
        talk(&running.socket, bytes).await;
    }
    assert!(running.node.prepare(&wanted(&root, "app"), |_| {}).await.is_ok());
    running.stop().await;
}
