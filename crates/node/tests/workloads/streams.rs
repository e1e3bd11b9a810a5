//! What goes into containers and comes out of them.

use node::protocol::{Answer, Event, Exec, FailureKind, Input, OutputOf, Session};
use workload::{Container, Spec, WorkloadId};

use crate::child::{Living, container, script, text};
use crate::tests;

tests![
    a_program_is_executed_with_its_input_and_output,
    a_terminal_has_its_size_and_says_what_is_typed,
    output_is_read_from_where_it_is_wanted,
    whoever_attaches_hears_and_is_heard,
    more_output_than_is_taken_waits_and_is_not_lost,
    output_that_nobody_got_is_told,
    why_a_program_cannot_be_executed_is_told,
];

fn output_of(id: &WorkloadId, from: u64, tail_lines: Option<u64>) -> Session {
    Session::Output(OutputOf { id: id.clone(), container: None, from, tail_lines, follow: true })
}

fn sleeping() -> Spec {
    let mut spec = script("echo ready; sleep 600");
    spec.containers[0].stop_timeout_s = Some(0);
    spec
}

async fn a_program_is_executed_with_its_input_and_output() {
    let living = Living::new().await;
    let id = living.run(sleeping()).await;
    living.until_printed(&id, "ready").await;
    assert_eq!(living.exec(&id, &["cat"], b"input\n").await, ("input\n".to_owned(), 0));
    assert_eq!(living.exec(&id, &["sh", "-c", "echo a; echo b >&2; exit 9"], b"").await.1, 9);
    assert_eq!(living.exec(&id, &["nothing-there"], b"").await.1, 127);
    let long = vec![b'x'; 3_000_000];
    assert_eq!(living.exec(&id, &["wc", "-c"], &long).await, ("3000000\n".to_owned(), 0));
    let (printed, code) = living.exec(&id, &["head", "-c", "3000000", "/dev/zero"], b"").await;
    assert_eq!((printed.len(), code), (3_000_000, 0));
    // What it leaves running holds the pipes; it has ended all the same.
    assert_eq!(living.exec(&id, &["sh", "-c", "sleep 600 & echo left"], b"").await, ("left\n".to_owned(), 0));
    living.end().await;
}

async fn a_terminal_has_its_size_and_says_what_is_typed() {
    let living = Living::new().await;
    let id = living.run(sleeping()).await;
    living.until_printed(&id, "ready").await;
    let args = ["sh", "-c", "stty size; read line; stty size; echo got $line; exit 4"].map(str::to_owned).to_vec();
    let exec = Exec {
        id: id.clone(),
        container: None,
        args,
        env: Vec::new(),
        working_dir: None,
        user: None,
        tty: Some([100, 30]),
        stdin: true,
    };
    let mut talk = living.node.open(Session::Exec(exec)).await.unwrap();
    let mut printed = String::new();
    while let Some(event) = talk.next().await {
        if let Event::Output(output) = event.unwrap() {
            printed.push_str(&String::from_utf8_lossy(&output.bytes().unwrap()));
            if printed.ends_with("30 100\r\n") {
                talk.send(Input::Resize([90, 20])).await.unwrap();
                talk.send(Input::data(b"word\n")).await.unwrap();
            }
        }
    }
    assert_eq!(talk.answer(), Some(&Answer::Exited { code: 4, reason: None }));
    assert!(printed.contains("20 90\r\n") && printed.contains("got word\r\n"), "{printed:?}");
    living.end().await;
}

async fn output_is_read_from_where_it_is_wanted() {
    let living = Living::new().await;
    let id = living.run(script("seq 1 100")).await;
    living.stopped(&id).await;
    let all = living.printed(&id).await;
    assert_eq!(all.lines().count(), 100);
    let tail = text(living.node.open(output_of(&id, 0, Some(2))).await.unwrap()).await;
    assert_eq!(tail, "99\n100\n");
    let rest = text(living.node.open(output_of(&id, all.len() as u64 - 4, None)).await.unwrap()).await;
    assert_eq!(rest, "100\n");
    let missing = living.node.open(output_of(&"0".repeat(32).parse().unwrap(), 0, None)).await.unwrap().next().await;
    assert_eq!(missing.unwrap().unwrap_err().kind(), Some(FailureKind::NotFound));
    living.end().await;
}

async fn whoever_attaches_hears_and_is_heard() {
    let living = Living::new().await;
    let app = Container { stdin: true, ..container("app", "read line; echo got $line; cat") };
    let id = living.run(Spec { containers: vec![app], ..Spec::default() }).await;
    let of = OutputOf { id: id.clone(), container: None, from: 0, tail_lines: None, follow: true };
    let talk = living.node.open(Session::Attach(of)).await.unwrap();
    let sender = talk.sender();
    sender.data(b"one\ntwo\n").await.unwrap();
    sender.send(Input::End).await.unwrap();
    assert_eq!(text(talk).await, "got one\ntwo\n");
    living.stopped(&id).await;
    living.end().await;
}

async fn more_output_than_is_taken_waits_and_is_not_lost() {
    let living = Living::new().await;
    let id = living.run(script("head -c 8000000 /dev/zero; echo end")).await;
    let mut talk = living.node.open(output_of(&id, 0, None)).await.unwrap();
    // Nobody takes anything while it is printed.
    living.stopped(&id).await;
    let (mut bytes, mut lost) = (0, 0);
    while let Some(event) = talk.next().await {
        if let Event::Output(output) = event.unwrap() {
            bytes += output.bytes().unwrap().len();
            lost += output.lost_bytes;
        }
    }
    assert_eq!((bytes, lost), (8_000_004, 0));
    living.end().await;
}

async fn output_that_nobody_got_is_told() {
    let living = Living::new().await;
    let mut spec = script("head -c 4000000 /dev/zero");
    spec.containers[0].output.bytes_max = 64 * 1024;
    let id = living.run(spec).await;
    living.stopped(&id).await;
    let mut talk = living.node.open(output_of(&id, 0, None)).await.unwrap();
    let (mut bytes, mut lost) = (0, 0);
    while let Some(event) = talk.next().await {
        if let Event::Output(output) = event.unwrap() {
            bytes += output.bytes().unwrap().len() as u64;
            lost += output.lost_bytes;
        }
    }
    assert!(lost > 3_000_000 && bytes + lost == 4_000_000, "{bytes} {lost}");
    while living.stopped(&id).await.containers[0].output_bytes_lost != lost {
        tokio::task::yield_now().await;
    }
    living.end().await;
}

async fn why_a_program_cannot_be_executed_is_told() {
    let living = Living::new().await;
    let id = living.run(sleeping()).await;
    living.until_printed(&id, "ready").await;
    for (program, expected) in [("nothing-there", 127), ("/etc/passwd", 126)] {
        let exec = Exec {
            id: id.clone(),
            container: None,
            args: vec![program.to_owned()],
            env: Vec::new(),
            working_dir: None,
            user: None,
            tty: None,
            stdin: false,
        };
        let mut talk = living.node.open(Session::Exec(exec)).await.unwrap();
        while talk.next().await.is_some() {}
        let Some(Answer::Exited { code, reason: Some(reason) }) = talk.answer() else { panic!("{:?}", talk.answer()) };
        assert!(*code == expected && reason.contains(program), "{code} {reason}");
    }
    living.end().await;
}
