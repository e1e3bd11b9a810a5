//! What workloads reach and by what they are reached.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use workload::{NetworkMode, Observed, PortProtocol, PublishedPort, ReasonCode, Spec, WorkloadId};

use crate::child::{Living, script};
use crate::tests;

tests![
    what_is_served_near_a_workload_knows_who_asks_also_after_the_node_was_killed,
    a_published_port_leads_to_its_workload_also_after_the_node_was_killed,
    workloads_of_a_group_find_each_other,
    a_workload_is_fenced_when_its_time_is_up,
    what_is_to_stop_before_it_was_known_has_stopped,
];

fn waiting(mut spec: Spec) -> Spec {
    spec.containers[0].stop_timeout_s = Some(0);
    spec
}

/// What answers at a workload's endpoint, from within it.
async fn ask(living: &Living, id: &WorkloadId) -> String {
    living.exec(id, &["sh", "-c", "wget -q -O - $ENDPOINT/who"], b"").await.0
}

async fn what_is_served_near_a_workload_knows_who_asks_also_after_the_node_was_killed() {
    let mut living = Living::with("allow = [\"pilvi.host-network\"]").await;
    let spec = waiting(script("echo ready; sleep 600"));
    // The path that only a workload of the host's network knows stays good, too.
    let mut of_host = spec.clone();
    of_host.network.mode = NetworkMode::Host;
    let ids = [living.run(spec.clone()).await, living.run(spec).await, living.run(of_host).await];
    for id in &ids {
        living.until_printed(id, "ready").await;
        assert_eq!(ask(&living, id).await, format!("{id} Endpoint"));
    }
    living.kill();
    living.start();
    for id in &ids {
        living.running(id).await;
        assert_eq!(ask(&living, id).await, format!("{id} Endpoint"));
    }
    living.end().await;
}

async fn a_published_port_leads_to_its_workload_also_after_the_node_was_killed() {
    let mut living = Living::new().await;
    let mut spec = waiting(script("echo ready; while true; do echo hello | nc -l -p 80; done"));
    let (container_port, host_port, host_address, protocol) = (80, 0, None, PortProtocol::Tcp);
    spec.network.ports.push(PublishedPort { container_port, host_port, host_address, protocol });
    let id = living.run(spec).await;
    living.until_printed(&id, "ready").await;
    let port = |observed: &Observed| (observed.ports[0].host_address, observed.ports[0].host_port);
    let before = port(&living.running(&id).await);
    assert_eq!(answer(before).await, "hello\n");
    living.kill();
    living.start();
    let after = port(&living.running(&id).await);
    assert_eq!(after, before);
    assert_eq!(answer(after).await, "hello\n");
    living.end().await;
}

/// What is said at an address, once somebody listens there.
async fn answer(at: (std::net::Ipv4Addr, u16)) -> String {
    loop {
        let mut text = String::new();
        if let Ok(mut stream) = TcpStream::connect(at).await {
            let _ = stream.shutdown().await;
            let _ = stream.read_to_string(&mut text).await;
        }
        if !text.is_empty() {
            return text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn workloads_of_a_group_find_each_other() {
    let living = Living::new().await;
    let mut server = waiting(script("echo ready; while true; do echo hello | nc -l -p 80; done"));
    (server.network.group, server.network.aliases) = (Some("team".to_owned()), vec!["db".to_owned()]);
    let id = living.run(server).await;
    living.until_printed(&id, "ready").await;
    let mut client = script("for n in 1 2 3 4 5; do nc -w 2 db 80 < /dev/null && exit 0; sleep 0.2; done; exit 1");
    client.network.group = Some("team".to_owned());
    let id = living.run(client).await;
    let observed = living.stopped(&id).await;
    assert_eq!(living.printed(&id).await, "hello\n", "{observed:#?}");
    let mut alone = script("echo loopback only; exit 0");
    alone.network.mode = NetworkMode::None;
    let id = living.run(alone).await;
    assert!(living.stopped(&id).await.address.is_none());
    living.end().await;
}

async fn a_workload_is_fenced_when_its_time_is_up() {
    let mut living = Living::new().await;
    living.fence_in_ms(Some(1500));
    living.kill();
    living.start();
    let id = living.run(waiting(script("echo ready; sleep 600"))).await;
    let observed = living.stopped(&id).await;
    assert_eq!(observed.reason.as_ref().unwrap().code, ReasonCode::Fenced, "{observed:#?}");
    living.end().await;
}

async fn what_is_to_stop_before_it_was_known_has_stopped() {
    let living = Living::new().await;
    let mut assignment = living.assignment(script("echo never"));
    assignment.images.clear();
    assignment.desired = workload::Desired::Stopped { timeout_s: None, reason: "changed my mind".to_owned() };
    living.node.assign(&assignment).await.unwrap();
    let observed = living.stopped(&assignment.id).await;
    assert_eq!(observed.reason.unwrap().code, ReasonCode::Asked);
    assert_eq!(living.printed(&assignment.id).await, "");
    living.end().await;
}
