//! Clients that do not behave: slow ones, many of them, huge heads, paths that lead elsewhere.

use std::io::{Read, Write};
use std::net::TcpStream;

use tests::raw::{Connection, Request};
use tests::{Options, REGION, Server};
use wire::model::Protocol;
use wire::sigv4::Credentials;

use super::furniture::{furnish, is_private};
use super::target::{Scene, Target, now};

/// Connections that never finish what they say.
const SLOW_CLIENTS: usize = 500;

fn whoami(host: &str, root: &Credentials) -> Request {
    let request = Request::of(host, &sts::api::MODEL, "GetCallerIdentity", Protocol::AwsQuery, "");
    request.signed(root, "sts", REGION, now())
}

#[test]
fn hundreds_of_clients_that_never_finish_do_not_keep_others_from_their_answers() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let slow: Vec<TcpStream> = (0..SLOW_CLIENTS)
        .map(|number| {
            let mut stream = scene.connection.open().unwrap();
            let beginnings = [
                "",
                "P",
                "POST / HTTP/1.1\r\n",
                "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1",
                // The one form in which a body is read before a key is named.
                "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 60000\r\n\r\nA",
            ];
            stream.write_all(beginnings[number % beginnings.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    for _ in 0..20 {
        Connection::to(scene.server.address()).send(&whoami(&scene.host, &root)).success();
        scene.connection.send(&whoami(&scene.host, &root)).success();
    }
    drop(slow);
}

#[test]
fn a_client_that_takes_too_long_is_let_go() {
    let configuration = "[limits]\nhead_timeout_ms = 200\nbody_timeout_ms = 200\n".to_owned();
    let server = Server::start(Options { configuration, ..Options::default() });
    let root = server.account().root;
    let host = server.address().to_string();
    let connection = Connection::to(server.address());
    let mut ask = Connection::to(server.address());
    let begun = whoami(&host, &root);
    let head = begun.head(&[("content-length", &begun.body.len().to_string())]);
    for beginning in [&b""[..], b"POST / HT", &head[..head.len() - 2], &[&head[..], b"Action"].concat()] {
        let mut stream = connection.open().unwrap();
        stream.write_all(beginning).unwrap();
        let mut said = Vec::new();
        // The read ends because the server closes; the stream's own limit would be an error.
        stream.read_to_end(&mut said).unwrap();
        let said = String::from_utf8_lossy(&said);
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    }
    ask.send(&whoami(&host, &root)).success();
}

#[test]
fn when_idle_clients_hold_every_place_the_next_one_is_served_once_they_are_let_go() {
    let configuration = "[limits]\nmax_connections = 8\nhead_timeout_ms = 300\n".to_owned();
    let server = Server::start(Options { configuration, ..Options::default() });
    let root = server.account().root;
    let host = server.address().to_string();
    let connection = Connection::to(server.address());
    let idle: Vec<TcpStream> = (0..64).map(|_| connection.open().unwrap()).collect();
    Connection::to(server.address()).send(&whoami(&host, &root)).success();
    drop(idle);
}

#[test]
fn heads_beyond_the_limit_are_refused_and_the_server_goes_on() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let many = |count: usize, length: usize| {
        let mut request = Request::get(&scene.host, "/");
        for number in 0..count {
            request.set(&format!("x-filler-{number}"), &"v".repeat(length));
        }
        request.head(&[])
    };
    let mut long_target = Request::get(&scene.host, "/");
    long_target.target = format!("/{}", "a".repeat(200_000));
    for head in [many(99, 10), many(5000, 1), many(3, 200_000), long_target.head(&[])] {
        // A server may also just hang up on such a client.
        if let Ok(answer) = Connection::to(scene.server.address()).try_bytes(&head, false) {
            assert!((400..500).contains(&answer.status), "{} {}", answer.status, answer.text());
        }
    }
    scene.connection.send(&whoami(&scene.host, &root)).success();
}

#[test]
fn what_is_not_http_gets_no_service() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let good = String::from_utf8(whoami(&scene.host, &root).head(&[])).unwrap();
    let with = |more: &str| good.replacen("\r\n\r\n", &format!("\r\n{more}\r\n\r\n"), 1).into_bytes();
    let requests: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET  HTTP/1.1\r\n\r\n",
        &with("content-length: 1\r\ncontent-length: 2"),
        &with("content-length: -1"),
        &with("content-length: 1\r\ntransfer-encoding: chunked"),
        &with("transfer-encoding: chunked, identity"),
        &with("bad header: x"),
    ];
    for request in requests {
        if let Ok(answer) = Connection::to(scene.server.address()).try_bytes(request, true) {
            let shown = String::from_utf8_lossy(request).into_owned();
            assert!((400..500).contains(&answer.status), "{shown}: {} {}", answer.status, answer.text());
        }
    }
    scene.connection.send(&whoami(&scene.host, &root)).success();
}

#[test]
fn a_second_request_hidden_in_the_body_of_the_first_is_not_heard() {
    let mut scene = Scene::new();
    let root = scene.account.root.clone();
    let inner = whoami(&scene.host, &root);
    let hidden = [inner.head(&[("content-length", &inner.body.len().to_string())]), inner.body].concat();
    let mut outer = Request::get(&scene.host, "/");
    outer.method = "POST".to_owned();
    let head = outer.head(&[("content-length", &hidden.len().to_string())]);
    let answer = scene.connection.send_bytes(&[head, hidden].concat());
    assert_eq!(answer.status, 403, "{}", answer.text());
    // What comes next on this connection is the answer to what is asked next, not the hidden request's.
    let next = Request::get(&scene.host, "/_pilvi/ready");
    let answer = scene.connection.send(&next);
    assert_eq!((answer.status, answer.text().as_str()), (200, "ready\n"));
}

#[test]
fn no_way_of_writing_a_path_leads_around_the_signature() {
    let mut scene = Scene::new();
    let names = scene.names();
    let target = Target::served().into_iter().find(|target| target.name == "ListClusters").unwrap();
    let paths = [
        "/",
        "//",
        "///",
        "/.",
        "/..",
        "/../..",
        "/%2e%2e/",
        "/_pilvi",
        "/_pilvi/..",
        "//_pilvi/health",
        "/_pilvi//health",
        "/_pilvi/../",
        "/_pilvi/health/../..",
        "/_pilvi/%2e%2e/",
        "/_PILVI/health",
        "/_pilvi/health%00",
        "/_pilvi/health;x",
        "/_pilvi/health/",
        "/../_pilvi/health",
        "/x/../_pilvi/metrics",
        "http://other.example/",
        "*",
    ];
    for path in paths {
        for method in ["POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
            let mut request = target.request(&scene, &names);
            request.target = path.to_owned();
            request.method = method.to_owned();
            let bytes = super::target::whole(&request);
            let mut connection = Connection::to(scene.server.address());
            let Ok(answer) = connection.try_bytes(&bytes, method == "HEAD") else { continue };
            let text = answer.text();
            assert_ne!(answer.status, 200, "{method} {path}: {text}");
            assert!(answer.status < 500, "{method} {path}: {text}");
            assert!(!text.contains("clusterArns"), "{method} {path}: {text}");
        }
    }
    scene.connection.send(&Request::get(&scene.host, "/_pilvi/health")).success();
}

#[test]
fn what_the_server_says_of_itself_holds_nothing_of_what_it_keeps() {
    let mut scene = Scene::new();
    let account = scene.account.clone();
    let names = furnish(&mut scene, &account);
    for target in Target::served() {
        scene.call(&target, &account.root, &names);
    }
    let root = scene.server.root();
    let data = scene.server.data_dir().display().to_string();
    let private = [
        account.id.as_str(),
        &account.root.access_key_id,
        account.root.secret_access_key.expose(),
        &root.access_key_id,
        root.secret_access_key.expose(),
        super::names::VICTIM,
        &data,
    ];
    for path in ["health", "ready", "metrics", "reconcilers", "", "nothing", "health?debug=1", "reconcilers?all"] {
        let answer = scene.connection.send(&Request::get(&scene.host, &format!("/_pilvi/{path}")));
        let text = format!("{:?}{}", answer.headers, answer.text());
        assert!(!is_private(&text), "/_pilvi/{path} tells what is stored: {text}");
        for secret in private {
            assert!(!text.contains(secret), "/_pilvi/{path} tells {secret}: {text}");
        }
    }
}
