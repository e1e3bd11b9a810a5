//! What becomes of a workload.

use workload::{
    Condition, ContainerState, Dependency, Health, HealthCheck, HealthProbe, Observed, ReasonCode, Restart,
    RestartWhen, Spec, StepName, StepOutcome,
};

use crate::child::{Living, container, script};
use crate::tests;

tests![
    a_container_runs_and_ends_with_its_code,
    what_cannot_be_executed_is_told_as_a_shell_does,
    what_is_stopped_hears_its_signal_and_is_killed_in_time,
    a_container_is_started_again_as_often_as_it_may_be,
    containers_wait_for_each_other,
    the_end_of_what_is_essential_ends_the_others,
    health_is_found_out,
    who_stops_whatever_enters_a_container_is_not_well,
    an_assignment_that_cannot_be_is_refused,
    many_run_at_once,
    what_cannot_be_written_down_is_not_executed,
    what_a_full_disk_does_not_take_down_is_not_executed,
];

fn code(observed: &Observed, index: usize) -> Option<i32> {
    match &observed.containers[index].state {
        ContainerState::Exited(exit) => exit.code,
        other => panic!("{other:?}"),
    }
}

async fn a_container_runs_and_ends_with_its_code() {
    let living = Living::new().await;
    let text = "echo out; echo err >&2; hostname; cat /etc/hostname; echo $FROM; exit 7";
    let id = living.run(script(text)).await;
    let observed = living.stopped(&id).await;
    assert_eq!(code(&observed, 0), Some(7), "{observed:#?}");
    assert_eq!(observed.reason.as_ref().unwrap().code, ReasonCode::EssentialExited);
    let done = |name| observed.steps.iter().any(|step| step.name == name && step.outcome == StepOutcome::Done);
    for name in [StepName::Network, StepName::Volumes, StepName::Sandbox, StepName::Create, StepName::Start] {
        assert!(done(name), "{name:?}: {:#?}", observed.steps);
    }
    let host = &id.as_str()[..12];
    let mut lines: Vec<String> = living.printed(&id).await.lines().map(str::to_owned).collect();
    lines.sort();
    let mut expected = ["err", "out", "image", host, host].map(str::to_owned);
    expected.sort();
    assert_eq!(lines, expected);
    assert!(living.node.retire(&id).await.unwrap());
    assert!(!living.node.retire(&id).await.unwrap());
    living.end().await;
}

async fn what_cannot_be_executed_is_told_as_a_shell_does() {
    let living = Living::new().await;
    for (program, expected) in [("/bin/nothing-there", 127), ("/etc/passwd", 126)] {
        let mut spec = script("");
        spec.containers[0].command = Some(vec![program.to_owned()]);
        let id = living.run(spec).await;
        let observed = living.stopped(&id).await;
        assert_eq!(code(&observed, 0), Some(expected), "{observed:#?}");
        assert_eq!(observed.reason.unwrap().code, ReasonCode::CannotStart);
    }
    living.end().await;
}

async fn what_is_stopped_hears_its_signal_and_is_killed_in_time() {
    let living = Living::new().await;
    let polite = script("trap 'echo heard; exit 3' TERM; echo ready; while true; do sleep 0.05; done");
    let id = living.run(polite.clone()).await;
    living.until_printed(&id, "ready").await;
    living.stop(&id, polite, Some(60)).await;
    let observed = living.stopped(&id).await;
    assert_eq!(code(&observed, 0), Some(3), "{observed:#?}");
    assert_eq!(observed.reason.unwrap().code, ReasonCode::Asked);
    assert_eq!(living.printed(&id).await, "ready\nheard\n");
    let stubborn = script("trap '' TERM; echo ready; while true; do sleep 0.05; done");
    for timeout_s in [0, 1] {
        let id = living.run(stubborn.clone()).await;
        living.until_printed(&id, "ready").await;
        living.stop(&id, stubborn.clone(), Some(timeout_s)).await;
        let observed = living.stopped(&id).await;
        assert_eq!(code(&observed, 0), Some(137), "{observed:#?}");
    }
    living.end().await;
}

async fn a_container_is_started_again_as_often_as_it_may_be() {
    let living = Living::new().await;
    let mut spec = script("echo once >> /tmp/count; wc -l < /tmp/count; exit 1");
    spec.containers[0].restart = Restart { when: RestartWhen::OnFailure, retries_max: Some(2), ..Restart::default() };
    let id = living.run(spec).await;
    let observed = living.stopped(&id).await;
    assert_eq!((observed.containers[0].restarts, code(&observed, 0)), (2, Some(1)), "{observed:#?}");
    assert_eq!(living.printed(&id).await, "1\n2\n3\n", "what it wrote stays");
    living.end().await;
}

async fn containers_wait_for_each_other() {
    let living = Living::new().await;
    let mut first = container("first", "sleep 0.2; echo done > /shared/file");
    let mut second = container("second", "cat /shared/file");
    first.essential = false;
    second.depends_on = vec![Dependency { container: "first".to_owned(), condition: Condition::Succeeded }];
    for one in [&mut first, &mut second] {
        one.mounts.push(workload::MountedVolume {
            volume: "shared".to_owned(),
            path: "/shared".to_owned(),
            sub_path: None,
            read_only: false,
            copy_image_content: false,
        });
    }
    let source = workload::VolumeSource::Scratch { bytes_max: None };
    let volumes = vec![workload::Volume { name: "shared".to_owned(), source }];
    let id = living.run(Spec { containers: vec![second, first], volumes, ..Spec::default() }).await;
    let observed = living.stopped(&id).await;
    assert_eq!((code(&observed, 0), code(&observed, 1)), (Some(0), Some(0)), "{observed:#?}");
    living.end().await;
}

async fn the_end_of_what_is_essential_ends_the_others() {
    let living = Living::new().await;
    let mut side = container("side", "while true; do sleep 1; done");
    side.essential = false;
    side.stop_timeout_s = Some(1);
    let spec = Spec { containers: vec![container("app", "exit 5"), side], ..Spec::default() };
    let id = living.run(spec).await;
    let observed = living.stopped(&id).await;
    assert_eq!(code(&observed, 0), Some(5), "{observed:#?}");
    assert!(matches!(&observed.containers[1].state, ContainerState::Exited(_)));
    living.end().await;
}

async fn health_is_found_out() {
    let living = Living::new().await;
    let mut spec = script("sleep 60");
    spec.containers[0].stop_timeout_s = Some(0);
    spec.containers[0].health = Some(HealthCheck {
        probe: HealthProbe::Command(["/bin/test", "!", "-e", "/tmp/ill"].map(str::to_owned).to_vec()),
        interval_s: 1,
        timeout_s: 5,
        retries: 1,
        start_period_s: 0,
    });
    let id = living.run(spec).await;
    living.until(&id, |observed| observed.containers[0].health == Health::Healthy).await;
    assert_eq!(living.exec(&id, &["touch", "/tmp/ill"], b"").await, (String::new(), 0));
    living.until(&id, |observed| observed.containers[0].health == Health::Unhealthy).await;
    living.end().await;
}

/// What is executed in a container can be stopped by its processes before it has begun.
async fn who_stops_whatever_enters_a_container_is_not_well() {
    let living = Living::new().await;
    let mut spec = script("until [ -e /tmp/ill ]; do sleep 0.1; done; while :; do kill -STOP -1; done");
    spec.containers[0].stop_timeout_s = Some(0);
    let probe = HealthProbe::Command(vec!["/bin/true".to_owned()]);
    spec.containers[0].health = Some(HealthCheck { probe, interval_s: 1, timeout_s: 1, retries: 1, start_period_s: 0 });
    let id = living.run(spec).await;
    living.until(&id, |observed| observed.containers[0].health == Health::Healthy).await;
    assert_eq!(living.exec(&id, &["touch", "/tmp/ill"], b"").await, (String::new(), 0));
    living.until(&id, |observed| observed.containers[0].health == Health::Unhealthy).await;
    living.end().await;
}

async fn an_assignment_that_cannot_be_is_refused() {
    let living = Living::new().await;
    let mut host = script("true");
    host.network.mode = workload::NetworkMode::Host;
    let refused = living.node.assign(&living.assignment(host)).await.unwrap_err();
    assert_eq!(refused.kind(), Some(node::protocol::FailureKind::Refused), "{refused}");
    let mut unknown = living.assignment(script("true"));
    unknown.images.clear();
    let missing = living.node.assign(&unknown).await.unwrap_err();
    assert_eq!(missing.kind(), Some(node::protocol::FailureKind::NotFound), "{missing}");
    living.end().await;
}

async fn many_run_at_once() {
    let living = Living::new().await;
    let mut ids = Vec::new();
    for number in 0..50 {
        let mut spec = script(&format!("echo {number}; exec sleep 600"));
        spec.containers[0].stop_timeout_s = Some(0);
        ids.push(living.run(spec).await);
    }
    for (number, id) in ids.iter().enumerate() {
        living.until_printed(id, &number.to_string()).await;
    }
    assert_eq!(living.node.stats(&[]).await.unwrap().len(), 50);
    living.end().await;
}

async fn what_cannot_be_written_down_is_not_executed() {
    let mut living = Living::new().await;
    let assignment = living.assignment(script("echo executed"));
    let id = &assignment.id;
    let home = living.bed.node_dir().join("workloads").join(id.as_str());
    // Once it has looked for workloads of a node before it.
    living.node.describe().await.unwrap();
    std::fs::create_dir_all(home.join("assignment.json.new")).unwrap();
    for _ in 0..2 {
        assert!(living.node.assign(&assignment).await.is_err());
    }
    let observed = living.stopped(id).await;
    assert_eq!(observed.reason.unwrap().code, ReasonCode::Internal);
    assert_eq!(living.printed(id).await, "");
    // The next process knows nothing of it, and leaves nothing.
    living.kill();
    living.start();
    assert!(!living.node.retire(id).await.unwrap());
    assert!(!home.exists());
    living.end().await;
}

async fn what_a_full_disk_does_not_take_down_is_not_executed() {
    let living = Living::new().await;
    let assignment = living.assignment(script("echo executed"));
    let id = &assignment.id;
    let home = living.bed.node_dir().join("workloads").join(id.as_str());
    // Once it has looked for workloads of a node before it.
    living.node.describe().await.unwrap();
    std::fs::create_dir_all(&home).unwrap();
    std::os::unix::fs::symlink("/dev/full", home.join("state.json")).unwrap();
    living.node.assign(&assignment).await.unwrap();
    let observed = living.stopped(id).await;
    assert_eq!(observed.reason.unwrap().code, ReasonCode::Internal);
    assert_eq!(living.printed(id).await, "");
    assert!(living.node.retire(id).await.unwrap());
    living.end().await;
}
