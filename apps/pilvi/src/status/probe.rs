//! One request to `/_pilvi/health`, on a plain or a pinned TLS connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use crate::tls::PinnedCertificate;

/// A server on this machine that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// More is no answer to the question.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks the server whether it is well.
///
/// # Errors
/// Says why it is not: no connection, no answer in time, or another answer than 200.
pub(super) fn health(endpoint: &str, certificate_sha256: Option<&str>) -> Result<()> {
    let (scheme, authority) = endpoint.split_once("://").context("the server's record has no endpoint")?;
    let address: SocketAddr = authority.parse().context("the server's record has no endpoint")?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).context("no connection")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let answer = if scheme == "https" {
        let pin = certificate_sha256.context("the server's record has no certificate")?;
        let client = Arc::new(PinnedCertificate::client(pin.to_owned())?);
        let connection = ClientConnection::new(client, ServerName::from(address.ip()))?;
        ask(StreamOwned::new(connection, stream), authority)?
    } else {
        ask(stream, authority)?
    };
    let status =
        answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).context("an answer that is not HTTP")?;
    if status != "200" {
        bail!("/_pilvi/health answers {status}");
    }
    Ok(())
}

/// The answer's beginning, as far as it is text.
fn ask(mut stream: impl Read + Write, host: &str) -> Result<String> {
    // In one piece: a server that answers the first piece of several and closes would have its answer thrown away.
    let request = format!("GET /_pilvi/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    if answer.is_empty() {
        read.context("no answer in time")?;
        bail!("the connection was closed without an answer");
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that sends `answer` to its first caller.
    fn answering(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        endpoint
    }

    #[test]
    fn only_a_200_is_healthy() {
        health(&answering("HTTP/1.1 200 OK\r\n\r\n{}"), None).unwrap();
        assert!(health(&answering("HTTP/1.1 503 Busy\r\n\r\n"), None).unwrap_err().to_string().contains("503"));
        assert!(health(&answering("SSH-2.0-OpenSSH\r\n"), None).unwrap_err().to_string().contains("not HTTP"));
        assert!(health(&answering(""), None).is_err());
    }

    #[test]
    fn a_closed_port_is_no_connection() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(health(&format!("http://{free}"), None).unwrap_err().to_string().contains("no connection"));
    }
}
