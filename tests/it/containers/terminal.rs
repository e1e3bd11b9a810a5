//! Terminals: keys, sizes, leaving, and a terminal that is afterwards what it was before.

use tests::Script;

use super::Stage;

#[test]
fn a_terminal_is_handed_over_resized_left_and_given_back() {
    let Some(stage) = Stage::shared() else { return };
    let pilvi = tests::pilvi();
    let told = Script::python("terminal.py", &stage.server, &stage.server.root())
        .argument(&pilvi)
        .argument(stage.server.data_dir())
        .argument(&stage.image)
        .run();
    assert_eq!(told["steps"].as_array().map(Vec::len), Some(6), "{told}");
}

#[test]
fn without_a_terminal_one_cannot_be_handed_over() {
    let Some(stage) = Stage::shared() else { return };
    let refused = stage.run(&["-it"], &["sh"]);
    assert_eq!(refused.status.code(), Some(125), "{refused:?}");
    assert!(refused.stderr.contains("terminal"), "{refused:?}");
    // A terminal inside alone is no matter of the caller's.
    assert_eq!(stage.run(&["-t"], &["sh", "-c", "test -t 1 && echo yes"]).success(), "yes\r\n");
}
