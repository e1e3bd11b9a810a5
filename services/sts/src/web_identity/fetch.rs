//! Fetching a provider's documents: a small client for two kinds of GET, with bounds on all that the other side decides.
//!
//! Addresses are https. Plain http, and any address that leads to this machine or to a network that is only its own
//! (link-local, where clouds keep their instances' secrets), is for providers that say by their very name that they are
//! on this machine. Private networks are let in: one's own provider is usually there. Nothing of an answer reaches whoever
//! sent the token. Redirections are not followed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::tls;

/// The largest document.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// How long a document may take, from looking up its host's address on.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a document was not fetched. What the other side has written is quoted: it must not begin a line of the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("{url:?} is not an address that may be asked")]
    Address { url: String },
    #[error("the address of {host} cannot be looked up: {error}")]
    Lookup { host: String, error: std::io::Error },
    #[error("{host} leads to {ip}, which only providers of this machine may")]
    Inward { host: String, ip: IpAddr },
    #[error("connecting failed: {0}")]
    Connect(std::io::Error),
    #[error("the server's certificate is neither publicly trusted nor does it match a thumbprint")]
    Certificate,
    #[error("the exchange failed: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("the answer has the status {0}")]
    Status(u16),
    #[error("the answer is too large or was broken off")]
    Body,
    #[error("the answer took too long")]
    Timeout,
    #[error("the document is not what it should be")]
    Content,
    #[error("the document is of the issuer {says:?}")]
    Issuer { says: String },
    #[error("the server stops")]
    Stopped,
}

/// The client.
#[derive(Debug)]
pub(super) struct Fetch {
    public: Arc<tls::PublicAuthorities>,
}

/// An address in its parts.
struct Address {
    is_encrypted: bool,
    /// Without brackets.
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Fetch {
    pub(super) fn new() -> Self {
        Self { public: Arc::new(tls::PublicAuthorities::new()) }
    }

    /// Fetches a document of the provider at `issuer`.
    pub(super) async fn get(&self, url: &str, issuer: &str, thumbprints: &[String]) -> Result<Bytes, FetchError> {
        let wrong = |url: &str| FetchError::Address { url: url.to_owned() };
        let address = Address::parse(url).ok_or_else(|| wrong(url))?;
        let is_inward = Address::parse(issuer).ok_or_else(|| wrong(issuer))?.is_loopback();
        let may_be_plain = is_inward && address.is_loopback();
        if !address.is_encrypted && !may_be_plain {
            return Err(wrong(url));
        }
        let exchange = self.exchange(&address, is_inward, thumbprints);
        tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| FetchError::Timeout)?
    }

    async fn exchange(&self, address: &Address, is_inward: bool, thumbprints: &[String]) -> Result<Bytes, FetchError> {
        let stream = connect(address, is_inward).await?;
        if !address.is_encrypted {
            return request(stream, address).await;
        }
        let name = ServerName::try_from(address.host.clone());
        let name = name.map_err(|_| FetchError::Address { url: address.authority.clone() })?;
        let connector = TlsConnector::from(Arc::new(tls::client_config(&self.public, thumbprints)));
        let stream = connector.connect(name, stream).await.map_err(|error| {
            let is_certificate = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match is_certificate {
                Some(rustls::Error::InvalidCertificate(_)) => FetchError::Certificate,
                _ => FetchError::Connect(error),
            }
        })?;
        request(stream, address).await
    }
}

async fn connect(address: &Address, is_inward: bool) -> Result<TcpStream, FetchError> {
    let host = address.host.as_str();
    let lookup = tokio::net::lookup_host((host, address.port)).await;
    let found: Vec<SocketAddr> = lookup.map_err(|error| FetchError::Lookup { host: host.to_owned(), error })?.collect();
    // The addresses that are checked are those that are connected to: none is looked up again.
    if let Some(inward) = found.iter().find(|found| !is_inward && is_own(found.ip())) {
        return Err(FetchError::Inward { host: host.to_owned(), ip: inward.ip() });
    }
    TcpStream::connect(found.as_slice()).await.map_err(FetchError::Connect)
}

async fn request<S>(stream: S, address: &Address) -> Result<Bytes, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(&address.path)
        .header(header::HOST, &address.authority)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchError::Address { url: address.authority.clone() })?;
    let answer = async {
        let response = sender.send_request(request).await?;
        if response.status() != http::StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        Ok(body.map_err(|_| FetchError::Body)?.to_bytes())
    };
    // The connection is driven here and ends with the answer.
    tokio::pin!(answer, connection);
    tokio::select! {
        answer = &mut answer => answer,
        Err(error) = &mut connection => Err(error.into()),
    }
}

impl Address {
    fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let is_encrypted = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), |path| path.as_str().to_owned());
        Some(Self { is_encrypted, host, port, authority: authority.to_string(), path })
    }

    /// Whether it says itself that it is this machine.
    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// Whether an address is this machine's or leads no further than its own link.
fn is_own(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast()
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || is_link_local(ip),
    }
}

fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_elsewhere_leads_to_nothing_of_this_machine() {
        for own in ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "::"]
        {
            assert!(is_own(own.parse().unwrap()), "{own}");
        }
        for other in ["10.1.2.3", "192.168.1.1", "198.51.100.7", "2001:db8::1"] {
            assert!(!is_own(other.parse().unwrap()), "{other}");
        }
    }

    #[tokio::test]
    async fn what_is_not_encrypted_is_fetched_of_this_machine_alone() {
        let fetch = Fetch::new();
        let elsewhere = "https://idp.example.com";
        for (url, issuer) in [
            ("http://idp.example.com/keys", elsewhere),
            ("http://127.0.0.1:1/keys", elsewhere),
            ("http://idp.example.com/keys", "http://127.0.0.1:1"),
            ("ftp://idp.example.com/keys", elsewhere),
            ("https://user@idp.example.com/keys", elsewhere),
        ] {
            assert!(matches!(fetch.get(url, issuer, &[]).await, Err(FetchError::Address { .. })), "{url}");
        }
        let inward = fetch.get("https://127.0.0.1:1/keys", elsewhere, &[]).await;
        assert!(matches!(inward, Err(FetchError::Inward { .. })));
    }
}
