//! What a server says of itself.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::client::exchange;
use crate::own_routes::PREFIX;
use crate::reconcilers::{Listed, ROUTE, Summary};
use crate::records::ServerRecord;

/// A server on this machine that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks the server whether it is well.
///
/// # Errors
/// Says why it is not: no connection, no answer in time, or another answer than 200.
pub(super) fn health(server: &ServerRecord) -> Result<()> {
    get(server, "health").map(drop)
}

/// What goes on by itself in the server.
///
/// # Errors
/// As [`health`], and when the answer is none that this program knows.
pub(super) fn reconcilers(server: &ServerRecord) -> Result<Vec<Summary>> {
    let listed: Listed = serde_json::from_slice(&get(server, ROUTE)?).context("what it says of its reconcilers")?;
    Ok(listed.reconcilers)
}

fn get(server: &ServerRecord, route: &str) -> Result<Vec<u8>> {
    let host = server.endpoint.split_once("://").map_or("", |(_, authority)| authority);
    let request = format!("GET {PREFIX}{route} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let answer = exchange(server, request.as_bytes(), PATIENCE)?;
    match answer.status {
        200 => Ok(answer.body),
        status => bail!("{PREFIX}{route} answers {status}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// The record of a server at `endpoint`.
    fn at(endpoint: String) -> ServerRecord {
        ServerRecord {
            pid: 1,
            endpoint,
            region: base::Region::default(),
            account: base::AccountId::DEFAULT,
            version: "0".to_owned(),
            started_at: String::new(),
            ca_bundle: None,
            certificate_sha256: None,
        }
    }

    /// A server that sends `answer` to its first caller.
    fn answering(answer: &'static str) -> ServerRecord {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        at(endpoint)
    }

    #[test]
    fn only_a_200_is_healthy() {
        health(&answering("HTTP/1.1 200 OK\r\n\r\n{}")).unwrap();
        assert!(health(&answering("HTTP/1.1 503 Busy\r\n\r\n")).unwrap_err().to_string().contains("503"));
        assert!(health(&answering("SSH-2.0-OpenSSH\r\n")).unwrap_err().to_string().contains("not HTTP"));
        assert!(health(&answering("")).is_err());
    }

    #[test]
    fn a_closed_port_is_no_connection() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(health(&at(format!("http://{free}"))).unwrap_err().to_string().contains("no connection"));
    }

    #[test]
    fn reconcilers_are_read_and_what_is_none_is_refused() {
        let one = r#"{"reconcilers":[{"name":"a/b","rounds":2,"failures":1,"failuresInRow":1}]}"#;
        let answer = format!("HTTP/1.1 200 OK\r\n\r\n{one}").leak();
        assert_eq!(reconcilers(&answering(answer)).unwrap()[0].name, "a/b");
        assert!(reconcilers(&answering("HTTP/1.1 200 OK\r\n\r\n[]")).is_err());
        assert!(reconcilers(&answering("HTTP/1.1 404 Not Found\r\n\r\n")).is_err());
    }
}
