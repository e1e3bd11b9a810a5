//! Figures, printed: what an idle shim costs, and how long things take. Nothing is asserted about time.

use std::time::Instant;

use crate::support::*;

pub(crate) const TESTS: &[Test] = &[
    test!(an_idle_shim_costs_less_than_a_mebibyte),
    test!(figures_of_making_and_starting),
    test!(figures_of_a_flood_of_output),
];

/// The proportional share of memory of a process, in KiB.
fn pss_kib(pid: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn an_idle_shim_costs_less_than_a_mebibyte() {
    let workloads: Vec<Workload> = (0..8).map(|_| Workload::new()).collect();
    let mut shims = Vec::new();
    for workload in &workloads {
        let shim = workload.shim().await;
        shim.sandbox(sandbox_plan(), None).await.unwrap();
        workload.run(&shim, container_plan("app"), &["sleep", "1000"]).await;
        shims.push(shim);
    }
    for shim in &shims {
        let state = shim.state().await.unwrap();
        let (shim, sandbox) = (pss_kib(shim.pid()), pss_kib(state.sandbox.unwrap()));
        println!("PSS of one of {} shims: {shim} KiB, of its sandbox's process: {sandbox} KiB", shims.len());
        assert!(shim + sandbox < 1024);
    }
    // What it needed for a while it gives back.
    let (workload, shim) = (&workloads[0], &shims[0]);
    let long = format!("LONG={}", "x".repeat(100_000));
    for turn in 0..5 {
        let mut events = shim.events();
        let mut process = process(&["sh", "-c", "yes | head -c 10000000"]);
        process.env.extend(std::iter::repeat_n(long.clone(), 8));
        let name = format!("busy{turn}");
        shim.create(container_plan(&name), workload.root(), vec![]).await.unwrap();
        shim.start(&name, process, None, vec![]).await.unwrap();
        ended(&mut events, &name).await;
    }
    let busy = pss_kib(shim.pid());
    println!("PSS of a shim that was busy: {busy} KiB");
    assert!(busy < 1024);
}

async fn figures_of_making_and_starting() {
    const TURNS: usize = 100;
    let (mut sandboxes, mut created, mut started, mut ran) = (vec![], vec![], vec![], vec![]);
    for _ in 0..TURNS {
        let workload = Workload::new();
        let began = Instant::now();
        let shim = workload.shim().await;
        shim.sandbox(sandbox_plan(), None).await.unwrap();
        sandboxes.push(began.elapsed());
        let mut events = shim.events();
        let began = Instant::now();
        shim.create(container_plan("app"), workload.root(), vec![]).await.unwrap();
        created.push(began.elapsed());
        let start = Instant::now();
        shim.start("app", process(&["true"]), None, vec![]).await.unwrap();
        started.push(start.elapsed());
        ended(&mut events, "app").await;
        ran.push(began.elapsed());
        shim.destroy().await.unwrap();
    }
    for (what, mut times) in
        [("shim and sandbox", sandboxes), ("create", created), ("start → exec", started), ("create → exit", ran)]
    {
        times.sort_unstable();
        println!("{what}: p50 {:?}, p99 {:?}", times[TURNS / 2], times[TURNS * 99 / 100]);
    }
}

/// Processor time of a process so far, in hundredths of a second (`USER_HZ`).
fn processor_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name, which may have anything in it: the 12th and 13th are user and system time.
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

async fn figures_of_a_flood_of_output() {
    let (workload, shim) = Workload::with_sandbox().await;
    for (what, script) in [
        ("512 MiB in large writes", "dd if=/dev/zero bs=64k count=8192"),
        ("32 MiB of short lines", "yes | head -c 33554432"),
    ] {
        let before = processor_time(shim.pid());
        let began = Instant::now();
        let mut plan = container_plan("app");
        plan.output_bytes_max = 16 << 20;
        let (exit, _) = workload.run_to_end(&shim, plan, script).await;
        assert_eq!(exit.code, 0);
        let (took, used) = (began.elapsed(), processor_time(shim.pid()) - before);
        println!("{what}: {took:?}, of the shim's processor time {} ms", used * 10);
    }
}
