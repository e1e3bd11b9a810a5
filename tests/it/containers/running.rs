//! Exit codes, arguments, environments, users: what `docker run` does, done here.

use std::process::ExitStatus;

use rustix::process::Signal;

use super::Stage;

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

#[test]
fn the_exit_code_is_the_containers_own() {
    let Some(stage) = Stage::shared() else { return };
    for expected in [0, 1, 3, 42, 255] {
        let ended = stage.run(&[], &["sh", "-c", &format!("exit {expected}")]);
        assert_eq!(code(ended.status), expected, "{ended:?}");
    }
    let killed = stage.run(&[], &["sh", "-c", "sleep 60 & kill -9 $!; wait $!"]);
    assert_eq!(code(killed.status), 137, "{killed:?}");
}

#[test]
fn what_never_ran_ends_with_125_126_or_127_and_says_why() {
    let Some(stage) = Stage::shared() else { return };
    for (flags, command, expected) in [
        (vec![], vec!["/no/such/program"], 127),
        (vec![], vec!["nosuchprogram"], 127),
        (vec![], vec!["/etc"], 126),
        (vec![], vec!["/etc/passwd"], 126),
        (vec!["--user", "nobodyhasthisname"], vec!["true"], 125),
        (vec!["--memory", "nothing"], vec!["true"], 125),
        (vec!["--no-such-flag"], vec!["true"], 125),
    ] {
        let ended = stage.run(&flags, &command);
        assert_eq!(code(ended.status), expected, "{flags:?} {command:?}: {ended:?}");
        assert!(!ended.stderr.trim().is_empty(), "{flags:?} {command:?}: no reason is given");
    }
    let missing = stage.server.do_pilvi(&["run", "--rm", "--pull", "never", "registry.invalid/nothing:1", "true"]);
    assert_eq!(code(missing.status), 125, "{missing:?}");
}

#[test]
fn output_and_errors_are_told_apart_and_arguments_arrive_as_they_were_given() {
    let Some(stage) = Stage::shared() else { return };
    let said = stage.run(&[], &["sh", "-c", "printf '%s|' \"$@\"; echo err >&2", "sh", "a b", "", "--rm", "ä\n"]);
    assert_eq!(said.stdout, "a b||--rm|ä\n|", "{said:?}");
    assert_eq!(said.stderr, "err\n", "{said:?}");
}

#[test]
fn environment_directory_user_and_host_name_are_as_wanted() {
    let Some(stage) = Stage::shared() else { return };
    let env = stage.sh(
        &["-e", "A=1", "-e", "EMPTY=", "--hostname", "box"],
        "echo \"$A,$EMPTY,$HOME,$(hostname)\"; env | grep -c ^PATH=",
    );
    assert_eq!(env, "1,,/root,box\n1\n");
    assert_eq!(stage.sh(&["-w", "/tmp"], "pwd"), "/tmp\n");
    assert_eq!(stage.sh(&["-w", "/made/for/it"], "pwd"), "/made/for/it\n");
    assert_eq!(stage.sh(&["-u", "nobody"], "id -u; id -g"), "65534\n65534\n");
    assert_eq!(stage.sh(&["-u", "1234:4321"], "id -u; id -g"), "1234\n4321\n");
    assert_eq!(stage.run(&["--entrypoint", "echo"], &["a"]).success(), "a\n");
}

#[test]
fn it_is_alone_in_its_namespaces_and_confined() {
    let Some(stage) = Stage::shared() else { return };
    assert_eq!(stage.sh(&[], "echo $$; ps | wc -l").lines().next(), Some("1"));
    let status =
        stage.sh(&[], "grep -E '^(CapEff|CapBnd|CapAmb|Seccomp|NoNewPrivs):' /proc/self/status | tr -s '\\t' ' '");
    assert!(status.contains("CapEff: 00000000a80425fb"), "{status}");
    assert!(status.contains("CapAmb: 0000000000000000") && status.contains("Seccomp: 2"), "{status}");
    assert!(stage.sh(&["--security-opt", "no-new-privileges"], "grep NoNewPrivs /proc/self/status").contains('1'));
    let dropped = stage.sh(&["--cap-drop", "ALL"], "grep CapEff /proc/self/status");
    assert!(dropped.contains("0000000000000000"), "{dropped}");
    // Writing to the kernel, and what only a host's root may do, is refused.
    for script in [
        "echo 1 > /proc/sys/kernel/panic",
        "echo b > /proc/sysrq-trigger",
        "mount -t tmpfs none /mnt 2>/dev/null",
        "mknod /tmp/disk b 8 0 && cat /tmp/disk",
        "echo 1 > /sys/kernel/mm/ksm/run",
        "hostname other",
        "dmesg -n 1",
    ] {
        let refused = stage.run(&[], &["sh", "-c", script]);
        assert!(!refused.status.success(), "{script}: {refused:?}");
    }
    for (path, content) in [("/proc/kcore", ""), ("/proc/keys", ""), ("/proc/timer_list", "")] {
        assert_eq!(stage.sh(&[], &format!("cat {path} 2>/dev/null | head -c 10; true")), content, "{path}");
    }
}

#[test]
fn what_the_host_must_allow_is_refused_and_named() {
    let Some(stage) = Stage::shared() else { return };
    for (flags, named) in [
        (vec!["--privileged"], "privileged"),
        (vec!["-v", "/etc:/host"], "host-volumes"),
        (vec!["--network", "host"], "host-network"),
        (vec!["--pid", "host"], "host-processes"),
        (vec!["--ipc", "host"], "host-ipc"),
        (vec!["--device", "/dev/null:/dev/x"], "devices"),
        (vec!["--cap-add", "SYS_ADMIN"], "capabilities"),
        (vec!["--security-opt", "seccomp=unconfined"], "unconfined"),
    ] {
        let name = format!("refused-{named}");
        let arguments = [&["run", "-d", "--name", &name], flags.as_slice(), &[&stage.image], &["true"]].concat();
        let run = stage.server.follow_pilvi(&arguments);
        let told = stage.server.until_container(&name, |_| true);
        assert!(told["node"].is_null(), "{told}");
        let why = stage.pilvi(&["why", &name]).success();
        assert!(why.contains(named), "{flags:?}: {why}");
        stage.pilvi(&["rm", "-f", &name]).success();
        assert_eq!(code(run.wait().0), 125, "{flags:?}");
    }
}

#[test]
fn input_is_piped_and_its_end_is_seen() {
    let Some(stage) = Stage::shared() else { return };
    let text = "line\n".repeat(100_000);
    let counted = stage.server.pipe_into(&stage.arguments(&["-i"], &["wc", "-c"]), &text).success();
    assert_eq!(counted.trim(), text.len().to_string());
    let echoed = stage.server.pipe_into(&stage.arguments(&["-i"], &["cat"]), &text).success();
    assert!(echoed == text, "{} bytes came back", echoed.len());
    // Without -i there is nothing to read.
    assert_eq!(stage.server.pipe_into(&stage.arguments(&[], &["cat"]), &text).success(), "");
}

#[test]
fn signals_to_the_command_reach_the_container() {
    let Some(stage) = Stage::shared() else { return };
    for (signal, name, expected) in [(Signal::TERM, "TERM", 7), (Signal::INT, "INT", 7), (Signal::USR1, "USR1", 7)] {
        let script = format!("trap 'echo got {name}; exit 7' {name}; echo ready; while :; do sleep 0.05; done");
        let run = stage.server.follow_pilvi(&stage.arguments(&[], &["sh", "-c", &script]));
        run.line_with("ready");
        let status = run.end_by(signal);
        assert_eq!(code(status), expected, "{name}");
    }
}

#[test]
fn a_program_beside_it_has_its_own_exit_code_environment_and_input() {
    let Some(stage) = Stage::shared() else { return };
    let one = stage.start("with-exec", &["-e", "A=own"], &["sleep", "1000"]);
    assert_eq!(one.exec(&["sh", "-c", "echo $A; ps | grep -c 'sleep 1000'"]).lines().next(), Some("own"));
    let ended = stage.pilvi(&[
        "exec",
        "-e",
        "A=other",
        "-w",
        "/tmp",
        "-u",
        "nobody",
        "with-exec",
        "sh",
        "-c",
        "echo $A $PWD $(id -u); exit 9",
    ]);
    assert_eq!((code(ended.status), ended.stdout.as_str()), (9, "other /tmp 65534\n"), "{ended:?}");
    let echoed = stage.server.pipe_into(&["exec", "-i", "with-exec", "cat"], "through\n").success();
    assert_eq!(echoed, "through\n");
    assert_eq!(code(stage.pilvi(&["exec", "with-exec", "nosuchprogram"]).status), 127);
    assert_eq!(code(stage.pilvi(&["exec", "with-exec", "/etc"]).status), 126);
    assert_eq!(code(stage.pilvi(&["exec", "nosuchcontainer", "true"]).status), 125);
    // What is executed beside it is as confined as it is.
    assert!(one.exec(&["grep", "-E", "CapEff|Seccomp:", "/proc/self/status"]).contains("00000000a80425fb"));
}
