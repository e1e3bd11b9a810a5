//! Attacks on other workloads: their processes, their memory, their names and addresses, and what they are known by.

use tests::program::{LIMIT, until};

use super::python;
use crate::containers::{Stage, Started};

const STRANGERS: &str = include_str!("attackers/strangers.py");
const VICTIM: &str = include_str!("attackers/victim.py");
const LISTEN: &str = include_str!("attackers/listen.py");
const FORGE: &str = include_str!("attackers/forge.py");
const FETCH: &str = include_str!("attackers/fetch.py");
const ASK: &str = include_str!("attackers/ask.py");

#[track_caller]
fn until_it_says(stage: &Stage, name: &str, text: &str) -> String {
    let said = || stage.pilvi(&["logs", name]).stdout;
    assert!(until(LIMIT, || said().contains(text).then_some(())).is_some(), "{name}: {}", said());
    said()
}

#[track_caller]
fn address(stage: &Stage, name: &str) -> String {
    let told = stage.server.until_container(name, |told| !told["observed"]["address"].is_null());
    told["observed"]["address"].as_str().unwrap().to_owned()
}

#[track_caller]
fn start<'a>(stage: &'a Stage, name: &'a str, flags: &[&str], program: &str) -> Started<'a> {
    stage.start_image(stage.python(), name, flags, &["python3", "-c", program])
}

#[test]
fn ptrace_memory_and_signals_do_not_cross_workloads() {
    let Some(stage) = Stage::shared() else { return };
    let victim = start(&stage, "victim", &["-e", "SECRET=of-the-victims", "--network", "strangers"], VICTIM);
    until_it_says(&stage, "victim", "ready");
    // In the same network, so that it is not for want of one; and as the same user.
    for flags in [["--network", "strangers"], ["--cap-add", "SYS_PTRACE"]] {
        let allowed = flags[0] == "--network" || stage.pilvi(&["nodes"]).stdout.contains("SYS_PTRACE");
        if allowed {
            assert_eq!(python(&stage, &flags, STRANGERS, &[]), "looked\n");
        }
    }
    assert_eq!(victim.exec(&["cat", "/dev/shm/secret"]), "of-the-victims\n", "it was there to be found");
}

#[test]
fn nobody_speaks_in_the_name_of_another_workload_or_of_a_link_local_service() {
    let Some(stage) = Stage::shared() else { return };
    let listener = start(&stage, "listener", &["--network", "forged"], LISTEN);
    let friend = start(&stage, "friend", &["--network", "forged"], LISTEN);
    let (to, of_a_friend) = (address(&stage, "listener"), address(&stage, "friend"));
    until_it_says(&stage, "listener", "ready");
    let froms =
        [of_a_friend.as_str(), "169.254.170.2", "169.254.169.253", "169.254.169.254", "127.0.0.1", "10.99.98.97", &to];
    let own = python(&stage, &["--network", "forged"], FORGE, &[&[to.as_str()], froms.as_slice()].concat());
    let own = own.trim();
    let heard = until_it_says(&stage, "listener", "over");
    let froms: Vec<&str> = heard.lines().filter(|line| *line != "ready").collect();
    assert!(!froms.is_empty() && froms.iter().all(|line| line.starts_with(own)), "it is {own}: {heard}");
    drop((listener, friend));
}

#[test]
fn what_is_served_near_a_workload_gives_nobody_anothers_credentials() {
    let Some(stage) = Stage::shared() else { return };
    let victim = start(&stage, "served", &["--network", "asked"], VICTIM);
    let victims = address(&stage, "served");
    let said = python(&stage, &["--network", "asked"], ASK, &[&victims]);
    // The API is there and takes nobody's word: no signature, no name.
    assert!(said.contains("api 403"), "{said}");
    for word in ["AccessKeyId", "SecretAccessKey", " 200"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
    drop(victim);
}

#[test]
fn anothers_network_is_no_way_in() {
    let Some(stage) = Stage::shared() else { return };
    let served = stage.start("inner", &["--network", "walled", "-p", "80"], &["httpd", "-f", "-p", "80", "-h", "/etc"]);
    let inner = address(&stage, "inner");
    let told = stage.server.until_container("inner", |told| !told["observed"]["ports"][0].is_null());
    let port = told["observed"]["ports"][0]["hostPort"].as_u64().unwrap();
    let gateway = stage.sh(&[], "ip route | grep ^default | cut -d' ' -f3").trim().to_owned();
    let inside = python(&stage, &["--network", "walled"], FETCH, &[&format!("{inner}:80")]);
    assert!(inside.contains("root:"), "it answers those of its network: {inside}");
    // Routes and addresses of one's own making change nothing: a container may not make them.
    let script = format!(
        "exec 2>&1; ip addr add {inner}/32 dev eth0 && echo CHANGED; ip route add {inner} dev eth0 && echo CHANGED; \
         ip link set eth0 down && echo CHANGED; ip link set eth0 address 02:00:00:00:00:01 && echo CHANGED; \
         ip neigh add {inner} lladdr ff:ff:ff:ff:ff:ff dev eth0 && echo CHANGED"
    );
    let places =
        [format!("{inner}:80"), format!("{gateway}:{port}"), format!("127.0.0.1:{port}"), format!("{gateway}:80")];
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    for flags in [vec![], vec!["--network", "elsewhere"]] {
        let said = stage.run(&flags, &["sh", "-c", &script]).stdout;
        assert!(!said.contains("CHANGED"), "{flags:?}: {said}");
        let said = python(&stage, &flags, FETCH, &places);
        assert!(!said.contains("root"), "{flags:?}: {said}");
    }
    drop(served);
}
