use workload::Phase;

use platform::workloads::{Filter, Stop};

use super::bed::{Bed, small};

#[tokio::test]
async fn a_thousand_workloads_run_and_stop_and_what_was_set_aside_adds_up() {
    let mut bed = Bed::without_nodes();
    for name in ["a", "b", "c"] {
        bed.join(name, 40, 400 * 64);
    }
    let mut ids = Vec::new();
    for _ in 0..1000 {
        ids.push(bed.create(small()).await);
    }
    bed.settle().await;
    let listed = bed.workloads.list(&bed.scope, &Filter::default()).await.unwrap().workloads;
    assert_eq!(listed.len(), 1000);
    assert!(listed.iter().all(|one| one.phase() == Phase::Running));
    let nodes = bed.workloads.nodes().await.unwrap();
    let placed: Vec<u32> = nodes.iter().map(|node| node.reserved.workloads).collect();
    assert_eq!(placed.iter().sum::<u32>(), 1000);
    assert!(nodes.iter().all(|node| node.reserved.cpu_millis <= 40_000), "no node has more than fits");

    for id in &ids {
        bed.workloads.stop(&bed.scope, id, &Stop { timeout_s: None, reason: "enough".to_owned() }).await.unwrap();
    }
    bed.settle().await;
    let left = bed.workloads.list(&bed.scope, &Filter::default()).await.unwrap().workloads;
    assert_eq!(left.len(), 0);
    for node in bed.workloads.nodes().await.unwrap() {
        assert_eq!(node.reserved, scheduler::Reserved::default());
    }
    assert!(bed.nodes.values().all(|node| node.running().is_empty()));
}
