use std::time::Duration;

use platform::ports::LogSinkError;
use platform::workloads::{LogDestination, NewWorkload};

use super::bed::{Bed, small};

fn shipped() -> NewWorkload {
    let destination = LogDestination { group: "g".to_owned(), stream: "s".to_owned(), creates_group: true };
    NewWorkload { sinks: [("main".to_owned(), destination)].into(), ..small() }
}

/// Lets output be gathered, which takes a moment of real time.
async fn settle(bed: &mut Bed) {
    bed.settle().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    bed.settle().await;
}

fn taken(bed: &Bed) -> Vec<String> {
    bed.sink.taken.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn output_is_sent_on_once_whoever_is_killed() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    let id = bed.run(shipped()).await;
    node.print(&id, "main", 1, "one\ntwo\n");
    settle(&mut bed).await;
    assert_eq!(taken(&bed), ["g/s: one", "g/s: two"]);
    bed.restart_server();
    node.print(&id, "main", 2, "three\n");
    settle(&mut bed).await;
    node.crash();
    node.print(&id, "main", 1, "four\nlast");
    settle(&mut bed).await;
    node.start();
    node.exit(&id, 0);
    bed.pass(Duration::from_secs(10)).await;
    settle(&mut bed).await;
    assert_eq!(taken(&bed), ["g/s: one", "g/s: two", "g/s: three", "g/s: four", "g/s: last"]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_takes_nothing_holds_up_nobody_and_what_is_lost_is_told() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    *bed.sink.refuses.lock().unwrap() = Some(LogSinkError::NoSuchGroup);
    let id = bed.run(shipped()).await;
    node.print(&id, "main", 1, "lost\n");
    settle(&mut bed).await;
    node.overwrite(&id, "main");
    node.print(&id, "main", 1, "kept\n");
    *bed.sink.refuses.lock().unwrap() = None;
    bed.pass(Duration::from_secs(30)).await;
    settle(&mut bed).await;
    assert_eq!(taken(&bed), ["g/s: [5 bytes of output were overwritten before they could be sent on]", "g/s: kept"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_removed_by_itself_is_removed_when_all_its_output_has_been_sent_on() {
    let mut bed = Bed::new();
    let node = bed.nodes[&"a".parse().unwrap()].clone();
    let id = bed.run(NewWorkload { remove_when_stopped: true, ..shipped() }).await;
    *bed.sink.refuses.lock().unwrap() = Some(LogSinkError::Unavailable);
    node.print(&id, "main", 1, "the end\n");
    node.exit(&id, 0);
    bed.pass(Duration::from_secs(60)).await;
    assert!(bed.workloads.get(&bed.scope, &id).await.unwrap().is_some());
    *bed.sink.refuses.lock().unwrap() = None;
    bed.pass(Duration::from_secs(60)).await;
    settle(&mut bed).await;
    bed.pass(Duration::from_secs(5)).await;
    assert_eq!(taken(&bed), ["g/s: the end"]);
    assert!(bed.workloads.get(&bed.scope, &id).await.unwrap().is_none());
    assert_eq!((node.has(), bed.kept("shipped").await), (vec![], 0));
}
