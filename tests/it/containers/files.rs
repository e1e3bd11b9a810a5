//! Volumes, and what stays of a container's files.

use tests::{Options, Server};

use super::Stage;

#[test]
fn a_named_volume_outlives_containers_and_others_end_with_theirs() {
    let Some(stage) = Stage::shared() else { return };
    stage.sh(&["-v", "kept:/data"], "echo one > /data/a; mkdir -p /etc2");
    assert_eq!(stage.sh(&["-v", "kept:/data"], "cat /data/a"), "one\n");
    let refused = stage.run(&["-v", "kept:/data:ro"], &["sh", "-c", "echo two > /data/a"]);
    assert!(refused.stderr.contains("Read-only"), "{refused:?}");
    // What the image has there comes into one that is empty.
    assert!(stage.sh(&["-v", "etc:/etc"], "cat /etc/passwd").contains("root:"));
    assert_eq!(stage.sh(&["-v", "/scratch"], "echo x > /scratch/x && cat /scratch/x"), "x\n");
    assert_eq!(stage.sh(&[], "ls /data 2>/dev/null | wc -l").trim(), "0");
}

#[test]
fn containers_of_one_image_do_not_see_each_others_files() {
    let Some(stage) = Stage::shared() else { return };
    let one = stage.start("writes", &[], &["sh", "-c", "echo mine > /mine; exec sleep 1000"]);
    assert_eq!(stage.sh(&[], "ls / | grep -c mine; true").trim(), "0");
    assert_eq!(one.exec(&["cat", "/mine"]), "mine\n");
}

#[test]
fn a_directory_of_the_host_is_mounted_where_its_root_allows_it() {
    if !tests::is_root() {
        return;
    }
    let mut server = Server::start(Options::default());
    let configuration = server.node_dir().join("node.toml");
    std::fs::write(configuration, "allow = [\"pilvi.host-volumes\"]\n").unwrap();
    assert!(server.stop().success());
    server.up();
    assert!(server.has_node());
    let image = server.image("busybox");
    let shared = server.folder().file("shared");
    std::fs::create_dir(&shared).unwrap();
    let volume = format!("{}:/host", shared.display());
    let arguments = ["run", "--rm", "-v", &volume, &image, "sh", "-c", "echo from inside > /host/file"];
    server.do_pilvi(&arguments).success();
    assert_eq!(std::fs::read_to_string(shared.join("file")).unwrap(), "from inside\n");
    // A link in there leads nowhere outside.
    std::os::unix::fs::symlink("/etc/shadow", shared.join("link")).unwrap();
    let read = server.do_pilvi(&["run", "--rm", "-v", &volume, &image, "cat", "/host/link"]);
    assert!(!read.stdout.contains("root:"), "{read:?}");
}
