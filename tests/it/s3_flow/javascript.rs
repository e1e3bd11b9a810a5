//! The AWS SDK for JavaScript: streams, its uploader, its presigner.

use tests::{Script, Server};

#[test]
fn objects_work_by_the_sdk_for_javascript() {
    let server = Server::shared();
    let account = server.account();
    Script::node("s3.cjs", &server, &account.root).argument(&account.id).run();
}
