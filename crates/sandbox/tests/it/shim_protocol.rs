//! What a shim does with nodes of other versions, broken ones, and ones that do not listen.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use sandbox::client::{ExecIo, connect};
use sandbox::protocol::FRAME_BYTES_MAX;

use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(a_request_of_a_later_version_is_refused_and_the_next_is_answered),
    test!(members_of_a_later_version_are_passed_over),
    test!(what_is_no_request_ends_the_connection_alone),
    test!(a_node_that_reads_nothing_is_no_burden_and_can_be_replaced),
    test!(a_request_that_is_too_long_is_not_sent),
    test!(execs_and_containers_are_made_at_the_same_time),
];

fn dial(workload: &Workload) -> UnixStream {
    UnixStream::connect(workload.path().join("shim.sock")).unwrap()
}

fn send(socket: &mut UnixStream, body: &str) {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    socket.write_all(&[&length[..], body.as_bytes()].concat()).unwrap();
}

fn receive(socket: &mut UnixStream) -> String {
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut body = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

async fn a_request_of_a_later_version_is_refused_and_the_next_is_answered() {
    let (workload, _shim) = Workload::with_sandbox().await;
    let mut socket = dial(&workload);
    send(&mut socket, r#"{"id":1,"request":{"Dance":{"tempo":120}}}"#);
    let answer = receive(&mut socket);
    assert!(answer.starts_with(r#"{"Answer":{"id":1,"answer":{"Err":{"kind":"Refused""#), "{answer}");
    send(&mut socket, r#"{"id":2,"request":"State"}"#);
    assert!(receive(&mut socket).starts_with(r#"{"Answer":{"id":2,"answer":{"Ok":{"State":"#));
}

async fn members_of_a_later_version_are_passed_over() {
    let (workload, _shim) = Workload::with_sandbox().await;
    let mut socket = dial(&workload);
    send(&mut socket, r#"{"id":1,"request":{"Fence":{"at_ns":null,"why":"later"}},"trace":"x"}"#);
    assert_eq!(receive(&mut socket), r#"{"Answer":{"id":1,"answer":{"Ok":"Done"}}}"#);
}

async fn what_is_no_request_ends_the_connection_alone() {
    let (workload, _shim) = Workload::with_sandbox().await;
    let too_long = u32::try_from(FRAME_BYTES_MAX + 1).unwrap().to_be_bytes();
    let garbage: [&[u8]; 4] = [b"\0\0\0\x02{}", b"\0\0\0\x01x", b"\0\0\0\0", &too_long];
    for bytes in garbage {
        let mut socket = dial(&workload);
        socket.write_all(bytes).unwrap();
        assert_eq!(socket.read(&mut [0; 16]).unwrap(), 0, "{bytes:?}");
    }
    // One that breaks off in the middle of a frame.
    dial(&workload).write_all(b"\0\0\0\x10{").unwrap();
    let shim = connect(workload.open().as_fd()).await.unwrap();
    shim.state().await.unwrap();
}

async fn a_node_that_reads_nothing_is_no_burden_and_can_be_replaced() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    workload.run(&shim, container_plan("app"), &["sh", "-c", "while :; do echo line; sleep 0.01; done"]).await;
    let mut deaf = dial(&workload);
    deaf.set_write_timeout(Some(std::time::Duration::from_millis(300))).unwrap();
    // What the shim has to say waits, and when that is much, it asks for no more: then nothing fits any more here.
    let requests = b"\0\0\0\x1a{\"id\":2,\"request\":\"State\"}".repeat(1000);
    let flood = move || (0..1000).all(|_| deaf.write_all(&requests).is_ok()).then_some(()).ok_or(deaf);
    let _deaf = tokio::task::spawn_blocking(flood).await.unwrap().expect_err("it cannot go on for ever");
    assert_eq!(events.next().await, None);
    let shim = connect(workload.open().as_fd()).await.unwrap();
    shim.state().await.unwrap();
    let resident = std::fs::read_to_string(format!("/proc/{}/statm", shim.pid())).unwrap();
    let pages: u64 = resident.split(' ').nth(1).unwrap().parse().unwrap();
    assert!(pages * 4 < 32 << 10, "{pages} pages");
}

async fn a_request_that_is_too_long_is_not_sent() {
    let (workload, shim) = Workload::with_sandbox().await;
    shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
    let long = "x".repeat(FRAME_BYTES_MAX);
    assert!(shim.start("app", process(&["echo", &long]), None, vec![]).await.is_err());
    let nulls = (0..300).map(|_| std::fs::File::open("/dev/null").unwrap().into()).collect();
    assert!(shim.keep(nulls).await.is_err());
    let nulls = (0..200).map(|_| std::fs::File::open("/dev/null").unwrap().into()).collect();
    shim.keep(nulls).await.unwrap();
    assert_eq!(shim.kept().await.unwrap().len(), 200);
    shim.start("app", process(&["true"]), None, vec![]).await.unwrap();
}

async fn execs_and_containers_are_made_at_the_same_time() {
    const COUNT: i32 = 24;
    let (workload, shim) = Workload::with_sandbox().await;
    workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
    let null = || std::fs::OpenOptions::new().read(true).write(true).open("/dev/null").unwrap().into();
    let mut going = tokio::task::JoinSet::new();
    for number in 0..COUNT {
        let (one, other) = (shim.clone(), shim.clone());
        let io = ExecIo::Given { input: null(), output: null(), errors: null() };
        going.spawn(async move {
            let script = format!("exit {number}");
            let executing = one.exec("app", process(&["sh", "-c", &script]), io).await.unwrap();
            assert_eq!(executing.ended().await.unwrap().code, number);
        });
        let (name, root) = (format!("app{number}"), workload.root());
        going.spawn(async move {
            let mut events = other.events();
            other.create(container_plan(&name), root, vec![]).await.unwrap();
            other.start(&name, process(&["sh", "-c", &format!("exit {number}")]), None, vec![]).await.unwrap();
            assert_eq!(ended(&mut events, &name).await.code, number);
        });
    }
    while let Some(done) = going.join_next().await {
        done.unwrap();
    }
}
