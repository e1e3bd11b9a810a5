//! TLS with the certificate authority that Pilvi makes: clients trust it, and only with it.

use std::io::{Read, Write};
use std::net::TcpStream;

use tests::{Aws, Options, Script, Server};

#[test]
fn clients_reach_it_over_tls_with_the_authority_that_env_names() {
    let server = Server::start(Options { configuration: "[tls]\ngenerate = true\n".to_owned(), ..Options::default() });
    let account = server.account();
    assert!(server.endpoint().starts_with("https://"), "{}", server.endpoint());
    assert!(server.command(&["env"]).success().contains("AWS_CA_BUNDLE="));
    assert_eq!(server.command(&["status", "--format", "json"]).json()["state"], "running");
    let me = Aws::new(&server, &account.root).call(&["sts", "get-caller-identity"]);
    assert_eq!(me["Account"], account.id);
    Script::python("request_ids.py", &server, &account.root).run();
    Script::node("sdk.cjs", &server, &account.root).argument(&account.id).run();
}

#[test]
fn a_client_that_does_not_know_the_authority_does_not_talk_to_it() {
    let server = Server::start(Options { configuration: "[tls]\ngenerate = true\n".to_owned(), ..Options::default() });
    let account = server.account();
    let aws = Aws::new(&server, &account.root);
    let mut stranger = aws.command(&["sts", "get-caller-identity"]);
    let said = tests::program::run(stranger.env_remove("AWS_CA_BUNDLE")).failure();
    assert!(said.to_lowercase().contains("certificate"), "{said}");
}

#[test]
fn plain_http_on_the_tls_port_gets_no_service() {
    let server = Server::start(Options { configuration: "[tls]\ngenerate = true\n".to_owned(), ..Options::default() });
    let authority = server.endpoint().trim_start_matches("https://").to_owned();
    let mut stream = TcpStream::connect(&authority).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    // In one piece: the server hangs up at the first byte that is not TLS's, and a second piece would not arrive.
    let request = format!("GET /_pilvi/health HTTP/1.1\r\nhost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(!String::from_utf8_lossy(&said).contains("HTTP/1.1 200"), "{}", String::from_utf8_lossy(&said));
}
