//! What lives as long as its session, and the way to what is served near it.

use std::path::Path;
use std::time::Duration;

use images::Descriptor;
use node::client::{Dial, Dialling, Node, NodeError, Running, is_made};
use node::protocol::{Event, FailureKind, PrepareArchive, Urgency};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use workload::{
    ContainerState, EnvVar, MountedVolume, Observed, Phase, ReasonCode, Spec, Volume, VolumeSource, WorkloadId,
};

use crate::bed::zip;
use crate::child::{Living, script};
use crate::tests;

tests![
    a_workload_that_is_run_ends_with_its_session_and_nothing_of_it_is_left,
    who_follows_hears_nothing_of_what_somebody_runs,
    what_has_ended_by_itself_can_be_read_until_its_session_ends,
    what_is_run_can_be_told_to_stop,
    what_cannot_be_run_is_told,
    a_node_that_is_killed_takes_what_it_runs_with_it,
    a_node_that_ends_leaves_nothing_of_what_it_ran,
    what_archives_hold_is_seen_one_over_the_other_and_cannot_be_written_to,
    what_is_held_executes_nothing_before_it_is_released_and_then_what_it_is_told,
    what_is_held_becomes_no_other_workload,
    a_channel_carries_bytes_both_ways_and_is_the_only_one,
    a_channel_leads_to_nobody_elses_workload,
    a_channel_goes_over_the_only_connection_where_there_is_one,
    what_is_run_is_frozen_counted_and_killed_for_its_memory,
];

/// Runs something, and answers its name, too.
async fn run(living: &Living, spec: Spec) -> (WorkloadId, Running) {
    let assignment = living.assignment(spec);
    (assignment.id.clone(), living.node.run(&assignment).await.unwrap())
}

async fn until(running: &mut Running, is: impl Fn(&Observed) -> bool) -> Observed {
    loop {
        let observed = running.next().await.unwrap();
        if is(&observed) {
            return observed;
        }
        assert!(observed.phase < Phase::Stopped, "it has stopped before that: {observed:#?}");
    }
}

async fn runs(running: &mut Running) -> Observed {
    until(running, |observed| observed.phase == Phase::Running).await
}

fn pid(observed: &Observed) -> u32 {
    match observed.containers[0].state {
        ContainerState::Running { pid, .. } => pid,
        ref other => panic!("{other:?}"),
    }
}

/// Waits until a process is not there any more.
async fn gone(pid: u32) {
    while Path::new(&format!("/proc/{pid}")).exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the node knows no such workload.
async fn forgotten(living: &Living, id: &WorkloadId) {
    loop {
        match living.node.signal(id, None, 0).await {
            Err(error) if error.to_string().contains("there is no workload") => return,
            _ => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}

fn waiting() -> Spec {
    let mut spec = script("echo ready; sleep 600");
    spec.local_service = Some("echo".to_owned());
    spec
}

async fn a_workload_that_is_run_ends_with_its_session_and_nothing_of_it_is_left() {
    let living = Living::new().await;
    let home = |id: &WorkloadId| living.bed.node_dir().join("workloads").join(id.as_str());
    let (id, mut running) = run(&living, waiting()).await;
    let observed = runs(&mut running).await;
    living.until_printed(&id, "ready").await;
    assert!(
        !home(&id).join("assignment.json").exists() && !home(&id).join("state.json").exists(),
        "it is written down"
    );
    drop(running);
    gone(pid(&observed)).await;
    forgotten(&living, &id).await;
    assert!(!home(&id).exists());
    // Also one that had not come far.
    for _ in 0..10 {
        let (id, mut running) = run(&living, waiting()).await;
        running.next().await.unwrap();
        drop(running);
        forgotten(&living, &id).await;
    }
    // Also one whose server is gone.
    let assignment = living.assignment(waiting());
    let mut stream = UnixStream::connect(living.bed.folder.path().join("node.sock")).await.unwrap();
    let asked = serde_json::json!({ "ask": { "id": 1, "request": { "open": { "run": assignment } } } });
    stream.write_all(format!("{}\n{asked}\n", r#"{"versions":[1],"program":"test"}"#).as_bytes()).await.unwrap();
    let mut said = String::new();
    while !said.contains(r#""running":{"since"#) {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        said.push_str(std::str::from_utf8(&piece[..count]).unwrap());
    }
    drop(stream);
    forgotten(&living, &assignment.id).await;
    living.end().await;
}

async fn who_follows_hears_nothing_of_what_somebody_runs() {
    let living = Living::new().await;
    let (id, mut running) = run(&living, waiting()).await;
    runs(&mut running).await;
    let assigned = living.run(waiting()).await;
    let mut following = living.node.follow().await.unwrap();
    loop {
        match following.next().await.unwrap() {
            Event::Observed { id: other, observed, .. } => {
                assert_ne!(other, id);
                if other == assigned && observed.phase == Phase::Running {
                    break;
                }
            }
            other => assert_eq!(other, Event::Told),
        }
    }
    let all = living.node.stats(&[]).await.unwrap();
    assert_eq!(all.iter().map(|one| &one.id).collect::<Vec<_>>(), [&assigned]);
    assert_eq!(living.node.stats(std::slice::from_ref(&id)).await.unwrap().len(), 1, "but who knows its name");
    assert!(!living.node.retire(&id).await.unwrap());
    let change = living.assignment(waiting());
    let change = node::protocol::Assignment { id, generation: 9, ..change };
    assert_eq!(living.node.assign(&change).await.unwrap_err().kind(), Some(FailureKind::Refused));
    runs_still(&living, &change.id).await;
    living.end().await;
}

async fn runs_still(living: &Living, id: &WorkloadId) {
    assert_eq!(living.exec(id, &["echo", "here"], b"").await.0, "here\n");
}

async fn what_has_ended_by_itself_can_be_read_until_its_session_ends() {
    let living = Living::new().await;
    let (id, mut running) = run(&living, script("seq 1 2000; exit 3")).await;
    let observed = until(&mut running, |observed| observed.phase == Phase::Stopped).await;
    let ContainerState::Exited(exit) = &observed.containers[0].state else { panic!("{observed:#?}") };
    assert_eq!(exit.code, Some(3));
    assert_eq!(observed.reason.unwrap().code, ReasonCode::EssentialExited);
    assert_eq!(living.printed(&id).await.lines().count(), 2000);
    drop(running);
    forgotten(&living, &id).await;
    living.end().await;
}

async fn what_is_run_can_be_told_to_stop() {
    let living = Living::new().await;
    let polite = script("trap 'echo heard; exit 3' TERM; echo ready; while true; do sleep 0.05; done");
    let (id, mut running) = run(&living, polite).await;
    living_until_printed(&living, &mut running, &id).await;
    running.stop().await.unwrap();
    let observed = until(&mut running, |observed| observed.phase == Phase::Stopped).await;
    assert_eq!(observed.reason.unwrap().code, ReasonCode::Asked);
    assert_eq!(living.printed(&id).await, "ready\nheard\n");
    drop(running);
    living.end().await;
}

async fn living_until_printed(living: &Living, running: &mut Running, id: &WorkloadId) {
    runs(running).await;
    living.until_printed(id, "ready").await;
}

async fn what_cannot_be_run_is_told() {
    let living = Living::new().await;
    let refused = async |assignment: &node::protocol::Assignment| {
        let mut running = living.node.run(assignment).await.unwrap();
        loop {
            if let Err(error) = running.next().await {
                return error.kind().unwrap();
            }
        }
    };
    let mut unknown = living.assignment(waiting());
    unknown.images.clear();
    assert_eq!(refused(&unknown).await, FailureKind::NotFound);
    let mut invalid = living.assignment(waiting());
    invalid.spec.containers[0].essential = false;
    assert_eq!(refused(&invalid).await, FailureKind::Refused);
    let mut host = living.assignment(waiting());
    host.spec.isolation.host_processes = true;
    assert_eq!(refused(&host).await, FailureKind::Refused);
    let there = living.assignment(waiting());
    let mut running = living.node.run(&there).await.unwrap();
    runs(&mut running).await;
    assert_eq!(refused(&there).await, FailureKind::Refused, "the name is taken");
    runs_still(&living, &there.id).await;
    let assigned = living.assignment(waiting());
    living.node.assign(&assigned).await.unwrap();
    assert_eq!(refused(&assigned).await, FailureKind::Refused, "so is that of one that is assigned");
    living.running(&assigned.id).await;
    living.end().await;
}

async fn a_node_that_is_killed_takes_what_it_runs_with_it() {
    let mut living = Living::new().await;
    let (id, mut running) = run(&living, waiting()).await;
    let observed = runs(&mut running).await;
    let (_early, mut being_made) = run(&living, waiting()).await;
    being_made.next().await.unwrap();
    let assigned = living.run(waiting()).await;
    living.running(&assigned).await;
    living.kill();
    // With no node there.
    gone(pid(&observed)).await;
    assert!(matches!(running.next().await, Err(NodeError::Lost)));
    living.start();
    living.running(&assigned).await;
    forgotten(&living, &id).await;
    assert!(!living.bed.node_dir().join("workloads").join(id.as_str()).exists());
    drop((running, being_made));
    living.end().await;
}

async fn a_node_that_ends_leaves_nothing_of_what_it_ran() {
    let mut living = Living::new().await;
    let (_, mut running) = run(&living, waiting()).await;
    let observed = runs(&mut running).await;
    living.end_politely();
    gone(pid(&observed)).await;
    drop(running);
    let mut left = crate::child::leftovers(&living.bed.node_dir()).await;
    // What is in the trash is in nobody's way.
    left.retain(|path| !path.contains("/trash/"));
    assert_eq!(left, [""; 0]);
}

/// A specification of a container that prints, with a volume made of archives.
fn of_archives(text: &str, archives: &[&Descriptor]) -> Spec {
    let mut spec = script(text);
    let archives = archives.iter().map(|blob| blob.digest.to_string()).collect();
    spec.volumes.push(Volume { name: "code".to_owned(), source: VolumeSource::Archive { archives } });
    let (volume, path) = ("code".to_owned(), "/var/task".to_owned());
    let mounted = MountedVolume { volume, path, sub_path: None, read_only: true, copy_image_content: false };
    spec.containers[0].mounts.push(mounted);
    spec
}

async fn what_archives_hold_is_seen_one_over_the_other_and_cannot_be_written_to() {
    let mut living = Living::new().await;
    let below = living.bed.put("application/zip", &zip(&[("run", b"#!/bin/sh\necho below\n"), ("lib/a", b"a\n")]));
    let above = living.bed.put("application/zip", &zip(&[("run", b"#!/bin/sh\necho above\n"), ("lib/b", b"b\n")]));
    let text = "cd /var/task; ./run; cat lib/*; echo x > run || echo read-only; touch lib/c || echo too";
    let expected = [
        (vec![&below], "below\na\n"),
        (vec![&below, &above], "above\na\nb\n"),
        (vec![&above, &below], "below\na\nb\n"),
    ];
    // Nobody has prepared them.
    let assignment = living.assignment(of_archives(text, &[&below]));
    let mut running = living.node.run(&assignment).await.unwrap();
    assert_eq!(running.next().await.unwrap_err().kind(), Some(FailureKind::NotFound));
    for blob in [&below, &above, &below] {
        let wanted = PrepareArchive { blob: blob.clone(), urgency: Urgency::Waited };
        living.node.prepare_archive(&wanted, |_| {}).await.unwrap();
    }
    for user_namespace in [false, true] {
        for (archives, printed) in &expected {
            let mut spec = of_archives(text, archives);
            spec.isolation.user_namespace = user_namespace;
            let (id, mut running) = run(&living, spec).await;
            let observed = until(&mut running, |observed| observed.phase == Phase::Stopped).await;
            let all = living.printed(&id).await;
            let lines: Vec<&str> = all.lines().filter(|line| !line.contains("Read-only")).collect();
            assert_eq!(format!("{}\n", lines.join("\n")), format!("{printed}read-only\ntoo\n"), "{observed:#?}");
        }
    }
    // What somebody has stays, also what is assigned and outlives the node.
    let keeps = "cat /var/task/lib/a; while ! test -e /tmp/go; do sleep 0.05; done; cat /var/task/run";
    let id = living.run(of_archives(keeps, &[&below])).await;
    living.until_printed(&id, "a").await;
    living.kill();
    living.start();
    living.running(&id).await;
    assert_eq!(living.node.prune().await.unwrap().layers, 1, "the other");
    living.exec(&id, &["touch", "/tmp/go"], b"").await;
    living.stopped(&id).await;
    assert!(living.printed(&id).await.ends_with("echo below\n"));
    living.node.retire(&id).await.unwrap();
    assert_eq!(living.node.prune().await.unwrap().layers, 1, "nobody has it any more");
    living.end().await;
}

async fn what_is_held_executes_nothing_before_it_is_released_and_then_what_it_is_told() {
    const MIB: u64 = 1 << 20;
    let living = Living::new().await;
    let code = living.bed.put("application/zip", &zip(&[("run", b"#!/bin/sh\necho $NAME\n")]));
    let wanted = PrepareArchive { blob: code.clone(), urgency: Urgency::Waited };
    living.node.prepare_archive(&wanted, |_| {}).await.unwrap();
    let mut held = script("echo too early");
    held.resources.memory_bytes_max = Some(512 * MIB);
    let mut assignment = living.assignment(held);
    let mut running = living.node.hold(&assignment).await.unwrap();
    while !is_made(&running.next().await.unwrap(), "app") {}
    let mut released = of_archives("cd /var/task && ./run; cat /config/name; exec sleep 600", &[&code]);
    released.containers[0].env = vec![EnvVar { name: "NAME".to_owned(), value: "told late".to_owned() }];
    released.resources.memory_bytes_max = Some(64 * MIB);
    released.containers[0].memory.bytes_max = Some(48 * MIB);
    released.containers[0].pids_max = Some(9);
    let files = [("name".to_owned(), "ZmlsZQo=".to_owned())].into();
    released.volumes.push(Volume { name: "config".to_owned(), source: VolumeSource::Files { files } });
    let (volume, path) = ("config".to_owned(), "/config".to_owned());
    let mounted = MountedVolume { volume, path, sub_path: None, read_only: true, copy_image_content: false };
    released.containers[0].mounts.push(mounted);
    running.release(&released).await.unwrap();
    runs(&mut running).await;
    let printed = living.printed_until(&assignment.id, None, "file").await;
    assert_eq!(printed, "told late\nfile\n");
    let stats = living.node.stats(std::slice::from_ref(&assignment.id)).await.unwrap().remove(0);
    assert_eq!(stats.containers["app"].memory_bytes_max, 48 * MIB);
    assert_eq!(living.exec(&assignment.id, &["sh", "-c", "echo $NAME"], b"").await.0, "told late\n");
    drop(running);
    // Told before it is made; onto a root that cannot be written to, at directories that the image has.
    assignment.id = crate::child::new_id();
    assignment.spec.containers[0].read_only_root = true;
    let container = &mut released.containers[0];
    container.read_only_root = true;
    container.command = Some(["/bin/sh", "-c", "cd /data && ./run; exec sleep 600"].map(str::to_owned).to_vec());
    (container.mounts[0].path, container.mounts[1].path) = ("/data".to_owned(), "/tmp".to_owned());
    let mut running = living.node.hold(&assignment).await.unwrap();
    running.release(&released).await.unwrap();
    runs(&mut running).await;
    living.until_printed(&assignment.id, "told late").await;
    living.end().await;
}

async fn what_is_held_becomes_no_other_workload() {
    let living = Living::new().await;
    let missing = Descriptor { digest: living.image, ..living.bed.put("application/zip", b"") };
    let mut other = script("echo never");
    other.network.group = Some("others".to_owned());
    let mut privileged = script("echo never");
    privileged.containers[0].privileged = true;
    let refused = [
        (other, FailureKind::Refused),
        (privileged, FailureKind::Refused),
        (of_archives("echo never", &[&missing]), FailureKind::NotFound),
    ];
    for (released, kind) in refused {
        let assignment = living.assignment(script("echo too early"));
        let mut running = living.node.hold(&assignment).await.unwrap();
        running.release(&released).await.unwrap();
        let error = loop {
            match running.next().await {
                Ok(observed) => assert!(observed.phase < Phase::Running),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), Some(kind), "{error}");
        forgotten(&living, &assignment.id).await;
    }
    // Whoever says it twice is not heard any more, and what he had is gone.
    let assignment = living.assignment(script("exec sleep 600"));
    let mut stream = UnixStream::connect(living.bed.folder.path().join("node.sock")).await.unwrap();
    let asked = serde_json::json!({ "ask": { "id": 1, "request": { "open": { "hold": assignment } } } });
    let release = serde_json::json!({ "input": { "id": 1, "input": { "release": assignment.spec } } });
    let hello = r#"{"versions":[1],"program":"test"}"#;
    stream.write_all(format!("{hello}\n{asked}\n{release}\n{release}\n").as_bytes()).await.unwrap();
    let _ = stream.read_to_end(&mut Vec::new()).await;
    forgotten(&living, &assignment.id).await;
    living.end().await;
}

async fn a_channel_carries_bytes_both_ways_and_is_the_only_one() {
    let living = Living::new().await;
    let (id, mut running) = run(&living, waiting()).await;
    running.next().await.unwrap();
    let mut channel = living.node.channel(&id).await.unwrap();
    assert_eq!(line(&mut channel).await, format!("{id} Some(\"echo\")"));
    let second = living.node.channel(&id).await.err().unwrap();
    assert_eq!(second.kind(), Some(FailureKind::Busy));
    // More than anybody keeps on the way.
    let much: Vec<u8> = (0..3_000_000u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[2]).collect();
    let (mut from, mut to) = tokio::io::split(channel);
    let sent = much.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to
    });
    let mut came = vec![0; much.len()];
    from.read_exact(&mut came).await.unwrap();
    assert!(came == much);
    drop((from, sending.await.unwrap()));
    // The next one is let in once the other is gone.
    let mut channel = loop {
        match living.node.channel(&id).await {
            Ok(channel) => break channel,
            Err(error) => assert_eq!(error.kind(), Some(FailureKind::Busy)),
        }
    };
    line(&mut channel).await;
    runs(&mut running).await;
    drop(running);
    assert_eq!(channel.read(&mut [0; 1]).await.unwrap(), 0, "it ends with the workload");
    living.end().await;
}

async fn a_channel_leads_to_nobody_elses_workload() {
    let living = Living::new().await;
    let unknown = living.node.channel(&"f".repeat(32).parse().unwrap()).await.err().unwrap();
    assert_eq!(unknown.kind(), Some(FailureKind::NotFound));
    let (id, _running) = {
        let (id, mut running) = run(&living, script("sleep 600")).await;
        running.next().await.unwrap();
        (id, running)
    };
    assert_eq!(
        living.node.channel(&id).await.err().unwrap().kind(),
        Some(FailureKind::Refused),
        "nothing is served there"
    );
    // Once a connection is one for requests it does not become a channel.
    let mut stream = UnixStream::connect(living.bed.folder.path().join("node.sock")).await.unwrap();
    let hello = r#"{"versions":[1],"program":"test"}"#;
    let ask = r#"{"ask":{"id":1,"request":"status"}}"#;
    let channel = format!(r#"{{"channel":{{"id":"{id}"}}}}"#);
    stream.write_all(format!("{hello}\n{ask}\n{channel}\n").as_bytes()).await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert!(!said.contains("opened"), "{said}");
    // Many that are open keep nobody from asking.
    let mut all = Vec::new();
    for _ in 0..20 {
        let (id, mut running) = run(&living, waiting()).await;
        running.next().await.unwrap();
        all.push((living.node.channel(&id).await.unwrap(), running));
    }
    living.node.status().await.unwrap();
    Node::at(living.bed.folder.path().join("node.sock")).status().await.unwrap();
    living.end().await;
}

/// A way to the node that allows one connection.
#[derive(Debug)]
struct OneConnection(std::path::PathBuf);

impl Dial for OneConnection {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async { Ok(Box::new(UnixStream::connect(&self.0).await?) as Box<dyn node::client::Stream>) })
    }

    fn is_dialled_at_will(&self) -> bool {
        false
    }

    fn name(&self) -> String {
        "far".to_owned()
    }
}

async fn a_channel_goes_over_the_only_connection_where_there_is_one() {
    let living = Living::new().await;
    let far = Node::over(OneConnection(living.bed.folder.path().join("node.sock")));
    let assignment = living.assignment(waiting());
    let mut running = far.run(&assignment).await.unwrap();
    running.next().await.unwrap();
    let mut channel = far.channel(&assignment.id).await.unwrap();
    assert_eq!(line(&mut channel).await, format!("{} Some(\"echo\")", assignment.id));
    let much: Vec<u8> = (0..1_000_000u32).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[2]).collect();
    let (mut from, mut to) = tokio::io::split(channel);
    let sent = much.clone();
    let sending = tokio::spawn(async move {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
        to
    });
    let mut came = Vec::new();
    from.read_to_end(&mut came).await.unwrap();
    assert!(came == much);
    drop((sending.await.unwrap(), from, running));
    let mut nowhere = far.channel(&"f".repeat(32).parse().unwrap()).await.unwrap();
    assert_eq!(nowhere.read(&mut [0; 1]).await.unwrap(), 0);
    living.end().await;
}

async fn what_is_run_is_frozen_counted_and_killed_for_its_memory() {
    const MIB: u64 = 1024 * 1024;
    let living = Living::new().await;
    let mut spec = script(
        "dd if=/dev/zero of=/dev/null bs=24M count=1 2>/dev/null; echo ready; cat > /dev/null; \
                           exec dd if=/dev/zero of=/dev/null bs=256M count=1",
    );
    spec.containers[0].stdin = true;
    spec.resources.memory_bytes_max = Some(64 * MIB);
    let (id, mut running) = run(&living, spec).await;
    living_until_printed(&living, &mut running, &id).await;
    let stats = living.node.stats(std::slice::from_ref(&id)).await.unwrap().remove(0).containers["app"];
    assert!(stats.memory_peak_bytes >= 24 * MIB && stats.memory_bytes < 16 * MIB, "{stats:?}");
    living.node.freeze(&id, true).await.unwrap();
    until(&mut running, |observed| matches!(observed.containers[0].state, ContainerState::Paused { .. })).await;
    living.node.freeze(&id, false).await.unwrap();
    let of = node::protocol::OutputOf { id: id.clone(), container: None, from: 0, tail_lines: None, follow: true };
    let talk = living.node.open(node::protocol::Session::Attach(of)).await.unwrap();
    talk.send(node::protocol::Input::End).await.unwrap();
    let observed = until(&mut running, |observed| observed.phase == Phase::Stopped).await;
    let ContainerState::Exited(exit) = &observed.containers[0].state else { panic!("{observed:#?}") };
    assert!(exit.out_of_memory && exit.code == Some(137), "{observed:#?}");
    assert_eq!(observed.reason.unwrap().code, ReasonCode::OutOfMemory);
    drop((talk, running));
    living.end().await;
}

async fn line(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut line = Vec::new();
    loop {
        match from.read_u8().await.unwrap() {
            b'\n' => return String::from_utf8(line).unwrap(),
            byte => line.push(byte),
        }
    }
}
