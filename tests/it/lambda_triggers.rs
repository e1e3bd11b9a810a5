//! What calls functions beside their owner: buckets, log groups, and clients of HTTP at the functions' own addresses.

use tests::{Script, Server};

#[test]
fn buckets_log_groups_and_addresses_call_functions() {
    let server = Server::shared();
    if !tests::is_root() {
        return assert!(!server.has_node());
    }
    let account = server.account();
    Script::python("lambda_triggers.py", &server, &account.root).argument(&account.id).run();
}
