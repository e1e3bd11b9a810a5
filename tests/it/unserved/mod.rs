//! What Pilvi does not serve yet: clients hear so, by name, at once, and are not made to try again.

use tests::{Aws, Script, Server};

#[test]
fn the_command_line_names_the_operation_that_is_not_served() {
    let server = Server::shared();
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let refused = aws.refused(&["ecs", "run-task", "--task-definition", "web"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("NotImplemented", "RunTask"));
    assert_eq!(refused.message, "Pilvi does not serve ecs:RunTask yet.");
    let refused = aws.refused(&["iam", "list-ssh-public-keys"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("NotImplemented", "ListSSHPublicKeys"));
    assert_eq!(refused.message, "Pilvi does not serve iam:ListSSHPublicKeys yet.");
    let refused = aws.refused(&["sqs", "list-queues"]);
    assert_eq!((refused.code.as_str(), refused.operation.as_str()), ("NotImplemented", "ListQueues"));
}

#[test]
fn boto3_raises_an_error_that_names_the_operation_and_does_not_try_again() {
    let server = Server::shared();
    let account = server.account();
    let told = Script::python("unserved.py", &server, &account.root).run();
    assert_eq!(told["attempts"], 1, "{told}");
}
