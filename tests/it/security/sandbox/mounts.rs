//! Attacks on where things are mounted, opened and executed while a container is made.

use std::fs;

use serde_json::json;
use tests::image::Entry;
use tests::program::{LIMIT, until};

use super::{hostile, run};
use crate::containers::Stage;

/// A setting of the kernel's that a container must never change: by it, a program is executed on the host.
const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";
const SWAP: &str = include_str!("attackers/swap.py");

#[track_caller]
fn core_pattern() -> String {
    fs::read_to_string(CORE_PATTERN).unwrap()
}

#[test]
fn cve_2021_30465_a_volume_whose_directories_become_links_meanwhile_leads_nowhere_else() {
    const ROUNDS: usize = 25;
    let Some(stage) = Stage::shared() else { return };
    let outside = tests::Folder::new();
    let target = format!("{}{}", "../".repeat(12), outside.path().display());
    let swapper = stage.start_image(
        stage.python(),
        "swapper",
        &["-v", "swapped:/volume"],
        &["python3", "-c", SWAP, "/volume", &target],
    );
    assert!(until(LIMIT, || stage.pilvi(&["logs", "swapper"]).stdout.contains("ready").then_some(())).is_some());
    let mut made = 0;
    for _ in 0..ROUNDS {
        let flags =
            ["-v", "swapped:/volume", "--tmpfs", "/volume/place/inner:size=1m", "-v", "other:/volume/place/kept"];
        let ended =
            stage.run(&flags, &["sh", "-c", "echo x > /volume/place/inner/x; echo x > /volume/place/kept/x; true"]);
        made += usize::from(ended.status.success());
        // Where the link leads there was nothing, and nothing was made.
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{ended:?}");
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&outside.path().display().to_string()), "{mounts}");
    drop(swapper);
    // It is mounted in the volume, or refused; always refused it is not.
    assert!(made > 0);
}

#[test]
fn cve_2024_21626_no_working_directory_and_no_program_is_a_descriptor_of_the_hosts() {
    let Some(stage) = Stage::shared() else { return };
    let link = Entry::link("seven", "/proc/self/fd/7");
    let image = hostile(&stage, "cve-2024-21626", &[link], &json!({ "WorkingDir": "/proc/self/fd/8" }));
    let own = run(&stage, &[], &image, &["cat", "../../../../etc/shadow"]);
    assert!(!own.status.success() && !own.stdout.contains("root:"), "{own:?}");
    let container = stage.start_image(&image, "directories", &["-w", "/"], &["sleep", "1000"]);
    let mut directories: Vec<String> = (3..16).map(|fd| format!("/proc/self/fd/{fd}")).collect();
    directories.extend((3..9).map(|fd| format!("/proc/self/fd/{fd}/../..")));
    directories.extend(["/seven", "/proc/self/cwd", "/proc/1/root", "/proc/1/cwd"].map(str::to_owned));
    for directory in &directories {
        let command = ["sh", "-c", "ls -a; cat etc/shadow ../etc/shadow"];
        let began = run(&stage, &["-w", directory], &image, &command);
        assert!(!began.status.success() && began.stdout.is_empty(), "{directory}: {began:?}");
        let entered = stage.pilvi(&[&["exec", "-w", directory, "directories"], command.as_slice()].concat());
        assert!(!entered.status.success() && entered.stdout.is_empty(), "{directory}: {entered:?}");
    }
    for fd in 3..16 {
        for program in [format!("/proc/self/fd/{fd}/bin/busybox"), format!("/proc/self/fd/{fd}/../../bin/busybox")] {
            let entered = stage.pilvi(&["exec", "directories", &program, "true"]);
            assert!(!entered.status.success(), "{program}: {entered:?}");
        }
    }
    drop(container);
}

#[test]
fn cve_2025_31133_what_covers_files_of_the_kernel_is_not_the_images_null_device() {
    let Some(stage) = Stage::shared() else { return };
    let before = core_pattern();
    let image = hostile(&stage, "cve-2025-31133", &[Entry::link("dev/null", CORE_PATTERN)], &json!({}));
    let script = "exec 2>&1; stat -c %F /dev/null; wc -c < /proc/keys; wc -c < /proc/timer_list; \
                  for f in /proc/sys/kernel/core_pattern /proc/keys /proc/timer_list /dev/null; do echo '|/evil' > $f; done; \
                  grep -c core_pattern /proc/self/mountinfo";
    let said = run(&stage, &[], &image, &["sh", "-c", script]).stdout;
    assert!(said.starts_with("character special file\n0\n0\n") && said.ends_with("0\n"), "{said}");
    assert_eq!(core_pattern(), before);
}

#[test]
fn cve_2025_52565_the_console_is_not_mounted_on_what_the_image_put_in_its_place() {
    let Some(stage) = Stage::shared() else { return };
    let before = core_pattern();
    let links = ["dev/console", "dev/ptmx", "dev/tty", "dev/pts"].map(|name| Entry::link(name, CORE_PATTERN));
    let image = hostile(&stage, "cve-2025-52565", &links, &json!({}));
    let script = "stat -c %F /dev/console; echo '|/evil' > /dev/console; echo '|/evil' > /dev/ptmx; \
                  echo '|/evil' > /proc/sys/kernel/core_pattern; grep -c core_pattern /proc/self/mountinfo";
    let said = run(&stage, &["-t"], &image, &["sh", "-c", script]).stdout;
    assert!(said.starts_with("character special file\r\n") && said.ends_with("0\r\n"), "{said:?}");
    assert_eq!(core_pattern(), before);
}

#[test]
fn cve_2025_52881_what_is_written_for_a_container_goes_to_files_of_the_kernel_alone() {
    let Some(stage) = Stage::shared() else { return };
    let before = core_pattern();
    // Settings and labels are written by whoever makes the container: where the image put something else, and where it can.
    let files = [
        Entry::directory("proc/sys/net/core"),
        Entry::link("proc/sys/net/core/somaxconn", CORE_PATTERN),
        Entry::directory("proc/self/attr"),
        Entry::link("proc/self/attr/exec", "/proc/sysrq-trigger"),
        Entry::link("proc/sys/kernel", "/tmp"),
    ];
    let image = hostile(&stage, "cve-2025-52881", &files, &json!({}));
    let flags = ["--sysctl", "net.core.somaxconn=77", "--sysctl", "kernel.shmmni=99"];
    let said =
        run(&stage, &flags, &image, &["sh", "-c", "cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni; ls /tmp"]);
    assert_eq!(said.success(), "77\n99\n");
    let shared = Entry::link("redirected", "/proc/self/attr");
    let image = hostile(&stage, "cve-2019-16884", &[shared], &json!({}));
    for target in
        ["/proc", "/proc/self/attr", "/proc/sys/kernel", "/proc/self/task/1/attr", "/redirected", "/tmp/../proc"]
    {
        for flags in [["--tmpfs".to_owned(), format!("{target}:size=1m")], ["-v".to_owned(), format!("over:{target}")]]
        {
            let flags = flags.each_ref().map(String::as_str);
            let refused = run(&stage, &flags, &image, &["true"]);
            assert!(!refused.status.success() && !refused.stderr.trim().is_empty(), "{flags:?}: {refused:?}");
        }
    }
    assert_eq!(core_pattern(), before);
}

#[test]
fn cve_2019_19921_an_image_whose_proc_sys_or_dev_is_a_link_is_refused() {
    let Some(stage) = Stage::shared() else { return };
    for name in ["proc", "sys", "dev"] {
        let image = hostile(&stage, &format!("linked-{name}"), &[Entry::link(name, "tmp")], &json!({}));
        let refused = run(&stage, &[], &image, &["echo", "RAN"]);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{name}: {refused:?}");
    }
}
