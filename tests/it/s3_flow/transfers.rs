//! boto3's transfer manager: parts, several at a time, both ways; presigned addresses; forms; hosts that name buckets.

use tests::{Options, Script, Server};

#[test]
fn whatever_the_transfer_manager_of_boto3_sends_comes_back() {
    let server = Server::shared();
    let account = server.account();
    Script::python("s3_transfer.py", &server, &account.root).argument(&account.id).run();
}

#[test]
fn whatever_it_sends_over_tls_in_chunks_with_trailers_comes_back() {
    let server = Server::start(Options { configuration: "[tls]\ngenerate = true\n".to_owned(), ..Options::default() });
    let account = server.account();
    Script::python("s3_transfer.py", &server, &account.root).argument(&account.id).run();
}
