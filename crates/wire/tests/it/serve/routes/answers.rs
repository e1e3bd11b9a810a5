//! What clients are answered, over HTTP/1 and HTTP/2, plain and secured.

use http::Method;

use super::super::harness::{Client, Request, run};
use super::stage::{FILE_BYTES, Stage, WAYS, bytes_of};

#[test]
fn a_request_goes_to_the_routes_that_take_it_and_all_others_to_the_api() {
    run(async {
        for way in WAYS {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            let refused = sender.send(Method::PUT, "/r/none", Vec::new()).await;
            assert_eq!((refused.status, refused.text().as_str()), (403, "refused"), "{way:?}");
            assert!(refused.header("x-amzn-requestid").starts_with("request-"));
            let api = sender.send(Method::GET, "/", Vec::new()).await;
            assert_eq!(api.status, 403);
            assert!(api.text().contains("MissingAuthenticationToken"));
            assert_eq!(sender.send(Method::GET, "/health", Vec::new()).await.text(), "well\n");
            let observed = stage.running.observed.lock().unwrap().clone();
            assert_eq!(observed, [("shelf", "Refused", 403), ("", "", 403)]);
        }
    });
}

#[test]
fn every_part_of_a_file_comes_byte_for_byte() {
    run(async {
        for way in WAYS {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            let mib = 1 << 20;
            for range in [
                0..0,
                0..1,
                5..6,
                0..32 * 1024,
                1..32 * 1024 + 2,
                7..mib + 7,
                3..mib + 4,
                4096..2 * mib + 4095,
                FILE_BYTES - 1..FILE_BYTES,
                FILE_BYTES - 40_000..FILE_BYTES,
                0..FILE_BYTES,
            ] {
                let path = format!("/r/file?from={}&to={}", range.start, range.end);
                let got = sender.send(Method::GET, &path, Vec::new()).await;
                assert_eq!((got.status, got.is_whole), (200, true), "{way:?} {range:?}");
                assert_eq!(got.header("content-length"), (range.end - range.start).to_string());
                assert!(got.body == bytes_of(range.clone()), "{way:?} {range:?}");
            }
        }
    });
}

#[test]
fn bytes_in_memory_come_whole() {
    run(async {
        for way in WAYS {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            for length in [0, 1, 16 * 1024, 16 * 1024 + 1, 1_000_000] {
                let got = sender.send(Method::GET, &format!("/r/bytes?length={length}"), Vec::new()).await;
                assert_eq!(got.header("content-length"), length.to_string());
                assert!(got.is_whole && got.body == bytes_of(0..length), "{way:?} {length}");
            }
        }
    });
}

#[test]
fn an_answer_to_head_has_the_length_and_no_body() {
    run(async {
        for way in WAYS {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            for (path, length) in [
                ("/r/told".to_owned(), "12345".to_owned()),
                ("/r/file".to_owned(), FILE_BYTES.to_string()),
                ("/r/bytes?length=70000".to_owned(), "70000".to_owned()),
            ] {
                let got = sender.send(Method::HEAD, &path, Vec::new()).await;
                assert_eq!((got.status, got.header("content-length")), (200, length.as_str()), "{way:?} {path}");
                assert!(got.body.is_empty());
            }
            let after = sender.send(Method::GET, "/r/bytes?length=3", Vec::new()).await;
            assert_eq!(after.body, bytes_of(0..3), "the connection goes on");
        }
    });
}

#[test]
fn a_length_that_does_not_go_with_the_body_is_not_told() {
    run(async {
        for way in WAYS {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            let got = sender.send(Method::GET, "/r/told", Vec::new()).await;
            assert_eq!((got.status, got.body.len(), got.is_whole), (200, 0, true), "{way:?}");
            assert!(matches!(got.header("content-length"), "" | "0"));
            for (path, status) in [("/r/nothing", 204), ("/r/unchanged", 304)] {
                let got = sender.send(Method::GET, path, Vec::new()).await;
                assert_eq!((got.status, got.body.len()), (status, 0), "{way:?} {path}");
            }
            assert_eq!(sender.send(Method::GET, "/r/bytes?length=3", Vec::new()).await.body, bytes_of(0..3));
        }
    });
}

#[test]
fn a_handler_that_panics_answers_an_error_and_its_connection_goes_on() {
    run(async {
        for way in WAYS {
            let stage = Stage::new(way).await;
            let mut sender = stage.sender().await;
            let got = sender.send(Method::POST, "/r/panics", b"some bytes".to_vec()).await;
            assert_eq!((got.status, got.body.len()), (500, 0), "{way:?}");
            assert!(got.header("x-amzn-requestid").starts_with("request-"));
            assert_eq!(sender.send(Method::GET, "/r/bytes?length=3", Vec::new()).await.status, 200);
        }
    });
}

#[test]
fn requests_that_come_at_once_are_answered_in_their_order_and_to_the_byte() {
    run(async {
        let stage = Stage::new(super::stage::Way::Http1).await;
        let mut client = stage.running.connect().await;
        let api = Request::json("Echo", "{\"String\":\"between\"}").signed("things");
        let ranges: Vec<_> =
            (0..60_u64).map(|n| n * 1000..n * 1000 + [10, 40_000, 200_000, 1 << 20][n as usize % 4]).collect();
        let mut requests = Vec::new();
        for range in &ranges {
            let path = format!("/r/file?from={}&to={}", range.start, range.end);
            requests.extend_from_slice(&Request::bare("GET", &path).bytes());
            requests.extend_from_slice(&api.bytes());
        }
        client.write(&requests).await;
        for range in ranges {
            let part = client.answer().await;
            assert_eq!((part.status, part.bytes == bytes_of(range.clone())), (200, true), "{range:?}");
            assert_eq!(client.answer().await.body, "{\"String\":\"between\"}");
        }
    });
}

/// Some numbers that look like none in particular.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A request, and what its answer has to be.
fn some_request(numbers: &mut Numbers) -> (Request, u16, Vec<u8>) {
    let from = numbers.below(FILE_BYTES);
    let length = [1, 100, 33_000, 300_000, 2_000_000][numbers.below(5) as usize];
    let to = (from + 1 + numbers.below(length)).min(FILE_BYTES);
    let path = format!("/r/file?from={from}&to={to}");
    let (mut request, status, body) = match numbers.below(7) {
        0 => (Request::json("Echo", "{}").signed("things"), 200, b"{}".to_vec()),
        1 => (Request::bare("HEAD", &path), 200, Vec::new()),
        2 => (Request::bare("PUT", "/r/none"), 403, b"refused".to_vec()),
        3 => (Request::bare("PUT", "/r/read"), 201, Vec::new()),
        4 => (Request::bare("GET", &format!("/r/bytes?length={}", to - from)), 200, bytes_of(0..to - from)),
        _ => (Request::bare("GET", &path), 200, bytes_of(from..to)),
    };
    let put = numbers.below(60_000);
    match status {
        403 => request.body = bytes_of(0..put),
        201 => {
            request.body = bytes_of(0..put);
            return (request, status, put.to_string().into());
        }
        _ => {}
    }
    (request, status, body)
}

#[test]
fn whatever_clients_ask_for_and_however_they_read_every_byte_is_the_right_one() {
    run(async {
        let stage = std::sync::Arc::new(Stage::new(super::stage::Way::Http1).await);
        let clients = (0..8).map(|seed| {
            let stage = stage.clone();
            tokio::spawn(async move {
                let mut numbers = Numbers(seed);
                let socket = tokio::net::TcpSocket::new_v4().unwrap();
                socket.set_recv_buffer_size([2048, 30_000, 400_000][seed as usize % 3]).unwrap();
                let mut client = Client::of(socket.connect(stage.running.address).await.unwrap());
                for round in 0..40 {
                    let exchanges: Vec<_> = (0..1 + numbers.below(4)).map(|_| some_request(&mut numbers)).collect();
                    let requests: Vec<u8> = exchanges.iter().flat_map(|(request, ..)| request.bytes()).collect();
                    client.write(&requests).await;
                    for (request, status, body) in exchanges {
                        let answer = client.answer_to(&request.parts.method).await;
                        let asked = (&request.parts.method, &request.parts.uri);
                        assert_eq!(answer.status, status, "{seed} {round} {asked:?}");
                        assert!(answer.bytes == body, "{seed} {round} {asked:?}");
                    }
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.unwrap();
        }
    });
}

#[test]
fn many_clients_at_once_get_what_each_asked_for() {
    run(async {
        for way in WAYS {
            let stage = std::sync::Arc::new(Stage::new(way).await);
            let clients = (0..16_u64).map(|n| {
                let stage = stage.clone();
                tokio::spawn(async move {
                    let mut sender = stage.sender().await;
                    for round in 0..4 {
                        let (from, to) = (n * 12_345 + round, n * 12_345 + round + 900_000);
                        let got = sender.send(Method::GET, &format!("/r/file?from={from}&to={to}"), Vec::new()).await;
                        assert!(got.is_whole && got.body == bytes_of(from..to), "{way:?} {n} {round}");
                    }
                })
            });
            for client in clients.collect::<Vec<_>>() {
                client.await.unwrap();
            }
        }
    });
}
