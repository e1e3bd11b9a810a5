//! The AWS SDK for JavaScript v3: another language, another implementation of everything.

use tests::{Script, Server};

#[test]
fn sts_iam_and_ecs_work_by_the_sdk_for_javascript() {
    let server = Server::shared();
    let account = server.account();
    Script::node("sdk.cjs", &server, &account.root).argument(&account.id).run();
}

#[test]
fn cloudwatch_works_by_the_sdk_for_javascript_over_cbor_and_logs_are_streamed_to_it() {
    let server = Server::shared();
    let account = server.account();
    Script::node("cloudwatch.cjs", &server, &account.root).argument(&account.id).run();
}
