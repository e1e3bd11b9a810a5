//! What containers print and read.

use std::io::{Read, Write};
use std::os::fd::AsFd;

use sandbox::cgroup::Limits;
use sandbox::output::{Reader, Stream};
use sandbox::plan::TerminalSize;

use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(output_and_errors_are_told_apart),
    test!(a_gigabyte_of_output_stops_nobody_and_what_is_lost_is_counted_exactly),
    test!(what_is_printed_is_told_to_who_watches),
    test!(input_is_read_until_it_is_closed),
    test!(a_container_without_input_reads_its_end),
    test!(a_terminal_echoes_is_resized_and_is_read_to_its_end),
    test!(a_terminal_that_nobody_holds_for_a_while_is_still_read),
    test!(what_was_printed_last_is_there_when_the_end_is_told),
    test!(who_prints_to_the_end_of_memory_is_told_of_as_such),
];

const SIZE: TerminalSize = TerminalSize { columns: 80, rows: 25 };

async fn output_and_errors_are_told_apart() {
    let (workload, shim) = Workload::with_sandbox().await;
    let script = "echo out; echo err >&2; printf partial";
    workload.run_to_end(&shim, container_plan("app"), script).await;
    assert_eq!(workload.printed_to("app", &[Stream::Output]), "out\npartial");
    assert_eq!(workload.printed_to("app", &[Stream::Errors]), "err\n");
}

async fn a_gigabyte_of_output_stops_nobody_and_what_is_lost_is_counted_exactly() {
    const PRINTED: u64 = 1 << 30;
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.output_bytes_max = 16 << 20;
    // Nobody reads while it prints.
    let mut events = shim.events();
    workload.run(&shim, plan, &["dd", "if=/dev/zero", "bs=1M", "count=1024"]).await;
    assert_eq!(ended(&mut events, "app").await.code, 0);
    let mut reader = Reader::open(workload.open().as_fd(), "app").unwrap();
    let (mut lost, mut left, mut next) = (0, 0, 0);
    loop {
        let read = reader.read(next, 1 << 20).unwrap();
        if read.pieces.is_empty() {
            break;
        }
        let zeros = read.pieces.iter().filter(|piece| piece.stream == Stream::Output);
        left += zeros.map(|piece| piece.data.len() as u64).sum::<u64>();
        lost += read.pieces.iter().map(|piece| piece.lost).sum::<u64>();
        next = read.next;
    }
    // What dd says at its end went to the errors and is the last that there is.
    let said = workload.printed_to("app", &[Stream::Errors]).len() as u64;
    assert_eq!(lost + left, PRINTED);
    assert_eq!(next, PRINTED + said);
    // Each gap ends a segment, an eighth of the ring, before it is full.
    assert!(left > 11 << 20, "{left}");
}

async fn what_is_printed_is_told_to_who_watches() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.stdin = true;
    workload.run(&shim, plan, &["cat"]).await;
    let mut input = std::fs::File::from(shim.input("app").await.unwrap());
    let mut printed = String::new();
    for word in ["one", "two", "three"] {
        input.write_all(word.as_bytes()).unwrap();
        printed.push_str(word);
        assert_eq!(workload.wait_for(&shim, "app", word).await, printed);
    }
}

async fn input_is_read_until_it_is_closed() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    let mut plan = container_plan("app");
    plan.stdin = true;
    workload.run(&shim, plan, &["wc", "-c"]).await;
    let input = shim.input("app").await.unwrap();
    let mut other = std::fs::File::from(shim.input("app").await.unwrap());
    other.write_all(b"12345").unwrap();
    drop(input);
    shim.close_input("app").await.unwrap();
    other.write_all(b"678").unwrap();
    drop(other);
    assert_eq!(ended(&mut events, "app").await.code, 0);
    assert_eq!(workload.printed("app"), "8\n");
}

async fn a_container_without_input_reads_its_end() {
    let (workload, shim) = Workload::with_sandbox().await;
    let (exit, printed) =
        workload.run_to_end(&shim, container_plan("app"), "cat; wc -c; readlink /proc/self/fd/0").await;
    assert_eq!(exit.code, 0);
    assert_eq!(printed, "0\n/dev/null\n");
}

async fn a_terminal_echoes_is_resized_and_is_read_to_its_end() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut events = shim.events();
    let mut plan = container_plan("app");
    plan.tty = Some(SIZE);
    let script = "tty; stty size; trap 'stty size' WINCH; echo ready; \
                  while :; do read line && echo got $line; [ x$line = xend ] && exit 0; done";
    workload.run(&shim, plan, &["sh", "-c", script]).await;
    workload.wait_for(&shim, "app", "ready").await;
    shim.resize("app", TerminalSize { columns: 101, rows: 33 }).await.unwrap();
    workload.wait_for(&shim, "app", "33 101").await;
    let mut input = std::fs::File::from(shim.input("app").await.unwrap());
    input.write_all(b"hello\nend\n").unwrap();
    assert_eq!(ended(&mut events, "app").await.code, 0);
    let printed = workload.printed("app");
    assert!(printed.contains("/dev/") && printed.contains("25 80\r\nready\r\n"), "{printed}");
    assert!(printed.contains("hello\r\n"), "{printed}");
    assert!(printed.ends_with("end\r\n"), "{printed}");
    let mut rest = Vec::new();
    let _ = input.read_to_end(&mut rest);
    assert!(shim.input("app").await.is_err());
}

async fn a_terminal_that_nobody_holds_for_a_while_is_still_read() {
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.tty = Some(SIZE);
    let script = "echo before; t=$(tty); exec < /dev/null > /dev/null 2>&1; sleep 0.1; echo after > $t";
    let (exit, printed) = workload.run_to_end(&shim, plan, script).await;
    assert_eq!((exit.code, printed.as_str()), (0, "before\r\nafter\r\n"));
}

async fn what_was_printed_last_is_there_when_the_end_is_told() {
    let (workload, shim) = Workload::with_sandbox().await;
    for turn in 0..50 {
        let mut plan = container_plan(&format!("app{turn}"));
        plan.tty = (turn % 2 == 0).then_some(SIZE);
        let (_, printed) = workload.run_to_end(&shim, plan, "seq 1 2000").await;
        assert_eq!(printed.lines().count(), 2000);
    }
}

async fn who_prints_to_the_end_of_memory_is_told_of_as_such() {
    let group = Counted::new();
    let (workload, shim) = Workload::with_sandbox().await;
    let mut plan = container_plan("app");
    plan.cgroup = group.plan(&Limits { memory_bytes_max: Some(16 << 20), ..Limits::default() });
    let (exit, _) = workload.run_to_end(&shim, plan, "dd if=/dev/zero of=/dev/null bs=64M count=1").await;
    assert!(exit.out_of_memory, "{exit:?}");
    assert_ne!(exit.code, 0);
}
