//! Attacks by an image's users and groups, which are read by whoever makes containers.

use serde_json::json;
use tests::image::Entry;

use super::{hostile, run};
use crate::containers::Stage;

/// What the C library loads when it is asked for a user, were it asked: a shared library of the image's own.
fn libraries() -> Vec<Entry> {
    let mut files =
        vec![Entry::file("etc/nsswitch.conf", "passwd: evil\ngroup: evil\ninitgroups: evil\nhosts: evil\n")];
    for folder in ["lib", "lib64", "usr/lib", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"] {
        files.push(Entry::program(&format!("{folder}/libnss_evil.so.2"), "\x7fELF: whoever loads this fails"));
    }
    files
}

#[test]
fn a_hostile_nsswitch_conf_has_nothing_loaded_by_whoever_makes_containers() {
    let Some(stage) = Stage::shared() else { return };
    let mut files = libraries();
    files.push(Entry::file("etc/passwd", "root:x:0:0::/root:/bin/sh\nuser:x:1234:1235::/tmp:/bin/sh\n"));
    files.push(Entry::file("etc/group", "root:x:0:\nuser:x:1235:\nmore:x:1236:user\n"));
    let image = hostile(&stage, "hostile-nsswitch", &files, &json!({ "User": "user" }));
    let said = run(&stage, &[], &image, &["sh", "-c", "id -u; id -g; id -G; echo $HOME"]).success();
    assert_eq!(said, "1234\n1235\n1235 1236\n/tmp\n");
    let container = stage.start_image(&image, "by-its-files", &["-u", "0"], &["sleep", "1000"]);
    assert_eq!(stage.pilvi(&["exec", "-u", "user:more", "by-its-files", "id", "-g"]).success(), "1236\n");
    drop(container);
}

#[test]
fn a_hostile_passwd_is_neither_waited_for_nor_followed_out_nor_believed() {
    let Some(stage) = Stage::shared() else { return };
    let odd: [(&str, Entry); 6] = [
        ("pipe", Entry::pipe("etc/passwd")),
        ("environ", Entry::link("etc/passwd", "/proc/self/environ")),
        ("descriptor", Entry::link("etc/passwd", "/proc/self/fd/5")),
        ("itself", Entry::link("etc/passwd", "passwd")),
        ("out", Entry::link("etc/passwd", "../../../../../../../../etc/passwd")),
        ("endless", Entry::file("etc/passwd", vec![b'x'; 4 << 20])),
    ];
    for (name, file) in odd {
        let image = hostile(&stage, &format!("passwd-{name}"), &[file], &json!({}));
        // `daemon` is a user of every host's.
        for user in ["nobody", "daemon"] {
            let refused = run(&stage, &["-u", user], &image, &["id"]);
            assert_eq!(refused.status.code(), Some(125), "{name}, {user}: {refused:?}");
            assert!(refused.stderr.contains(user), "{name}: {refused:?}");
        }
        // Nothing in the container may look there itself.
        let said = run(&stage, &["-u", "12:13"], &image, &["stat", "-c", "%u %g", "/proc/self/"]);
        assert_eq!(
            said.success(),
            "12 13
",
            "{name}"
        );
    }
}

#[test]
fn numbers_of_users_that_mean_another_when_they_are_cut_are_no_numbers() {
    let Some(stage) = Stage::shared() else { return };
    let lines = "minus:x:-1:0::/:/bin/sh\nmost:x:4294967295:0::/:/bin/sh\nzero:x:4294967296:0::/:/bin/sh\n\
                 hex:x:0x0:0::/:/bin/sh\nblank:x: 0:0::/:/bin/sh\nempty:x:::/:/bin/sh\nlong:x:18446744073709551616:0::/:\n\
                 :x:0:0::/:/bin/sh\nshort\n\0\0\0:x:0:0::/:/bin/sh\n";
    let image = hostile(&stage, "passwd-numbers", &[Entry::file("etc/passwd", lines)], &json!({}));
    for user in ["minus", "most", "zero", "hex", "blank", "empty", "long", "short", "-1", "4294967295", "4294967296"] {
        let refused = run(&stage, &["--user", user], &image, &["id", "-u"]);
        assert_eq!(refused.status.code(), Some(125), "{user}: {refused:?}");
        assert_eq!(refused.stdout, "", "{user}");
    }
}
