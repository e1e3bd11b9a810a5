//! Requests to the gate.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RANGE, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Address, Identity, JoinError};
use crate::certificates::{Known, client};
use crate::gate::held::Held;
use crate::gate::keep_alive;
use crate::gate::words::{BODY_BYTES_MAX, GATE_NAME, HEAD_BYTES_MAX, Refusal, RefusalKind};

/// How long connecting may take, the handshake included.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long the server may take to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(20);
/// How much is read at once, in bytes.
const READ_BYTES_MAX: usize = 256 * 1024;

/// An HTTP connection to the gate.
pub(super) type Sender = SendRequest<Full<Bytes>>;

/// The way to the gate.
#[derive(Debug)]
pub(super) struct Way {
    server: Address,
    tls: RwLock<Arc<ClientConfig>>,
    /// How often what connections are made with was replaced.
    renewals: AtomicU64,
}

impl Way {
    pub(super) fn new(identity: &Identity) -> Result<Self, JoinError> {
        let tls = RwLock::new(Arc::new(tls(identity)?));
        Ok(Self { server: identity.server.clone(), tls, renewals: AtomicU64::new(0) })
    }

    /// From here on connections are made with what the identity has now.
    pub(super) fn renew(&self, identity: &Identity) -> Result<(), JoinError> {
        let config = Arc::new(tls(identity)?);
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = config;
        self.renewals.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// How often that was done. A connection that was made before it changed shows a certificate that was replaced.
    pub(super) fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::SeqCst)
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Sender, JoinError> {
        let connecting = async {
            let unreachable = |source| JoinError::Unreachable { server: self.server(), source };
            let stream = TcpStream::connect((self.server.host.as_str(), self.server.port)).await;
            let stream = stream.map_err(unreachable)?;
            keep_alive(&stream).map_err(unreachable)?;
            let config = Arc::clone(&self.tls.read().unwrap_or_else(PoisonError::into_inner));
            let connected = TlsConnector::from(config).connect(gate_name(), stream).await;
            let stream = connected.map_err(|error| self.handshake_failed(error))?;
            let mut builder = http1::Builder::new();
            builder.max_buf_size(READ_BYTES_MAX).max_header_size(HEAD_BYTES_MAX);
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| self.confused(error))
        };
        let (sender, connection) = timeout(CONNECT_PATIENCE, connecting).await.map_err(|_| self.silent())??;
        tokio::spawn(async move {
            // What is wrong with it is told to whoever asks over it.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }

    /// Asks, and reads what is answered.
    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        sender: &mut Sender,
        path: &'static str,
        body: &impl Serialize,
    ) -> Result<T, JoinError> {
        let body = serde_json::to_vec(body).map_err(|error| self.confused(error))?;
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/json");
        let request = request.body(Full::from(body)).map_err(|error| self.confused(error))?;
        let answer = self.send(sender, request).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.refusal(answer).await);
        }
        let bytes = self.read(answer).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.confused(error))
    }

    /// Asks for a part of a file.
    pub(super) async fn get(&self, path: &str, from: u64) -> Result<Option<Response<Incoming>>, JoinError> {
        let mut sender = self.connect().await?;
        let mut request = self.request(Method::GET, path);
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let request = request.body(Full::default()).map_err(|error| self.confused(error))?;
        let answer = self.send(&mut sender, request).await?;
        let expected = if from > 0 { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        match answer.status() {
            status if status == expected => Ok(Some(answer)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(answer).await),
        }
    }

    /// Makes something else of a new connection, which takes a place.
    pub(super) async fn upgrade(
        &self,
        path: &'static str,
        protocol: &'static str,
        place: OwnedSemaphorePermit,
    ) -> Result<Held, JoinError> {
        let mut sender = self.connect().await?;
        let request = self
            .request(Method::GET, path)
            .header(CONNECTION, HeaderValue::from_static("upgrade"))
            .header(UPGRADE, HeaderValue::from_static(protocol));
        let request = request.body(Full::default()).map_err(|error| self.confused(error))?;
        let answer = self.send(&mut sender, request).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refusal(answer).await);
        }
        let upgraded = hyper::upgrade::on(answer).await.map_err(|error| self.confused(error))?;
        Ok(Held::new(TokioIo::new(upgraded), Arc::new(place)))
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header(HOST, HeaderValue::from_static(GATE_NAME))
    }

    async fn send(&self, sender: &mut Sender, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, JoinError> {
        let sending = async {
            sender.ready().await?;
            sender.send_request(request).await
        };
        let answer = timeout(ANSWER_PATIENCE, sending).await.map_err(|_| self.silent())?;
        answer.map_err(|error| match tls_error(&error) {
            // With TLS 1.3 a certificate is refused after the client's side of the handshake is done.
            Some(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)) => {
                JoinError::Expired { message: "by the server's clock this node's certificate has run out".to_owned() }
            }
            Some(rustls::Error::AlertReceived(alert)) if is_about_certificates(*alert) => {
                JoinError::Refused { message: format!("it does not take this node's certificate ({alert:?})") }
            }
            _ => self.confused(error),
        })
    }

    async fn read(&self, answer: Response<Incoming>) -> Result<Bytes, JoinError> {
        let body = timeout(ANSWER_PATIENCE, Limited::new(answer.into_body(), BODY_BYTES_MAX).collect()).await;
        Ok(body.map_err(|_| self.silent())?.map_err(|error| self.confused(error))?.to_bytes())
    }

    async fn refusal(&self, answer: Response<Incoming>) -> JoinError {
        let status = answer.status();
        let body = match self.read(answer).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let kind = if status.is_server_error() { RefusalKind::Busy } else { RefusalKind::Wrong };
        let unread = Refusal { kind, message: format!("status {}", status.as_u16()) };
        JoinError::refused(serde_json::from_slice(&body).unwrap_or(unread))
    }

    fn handshake_failed(&self, error: io::Error) -> JoinError {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::AlertReceived(_)) => self.confused(error),
            Some(_) => JoinError::Impostor { server: self.server() },
            None => JoinError::Unreachable { server: self.server(), source: error },
        }
    }

    pub(super) fn silent(&self) -> JoinError {
        JoinError::Silent { server: self.server() }
    }

    pub(super) fn confused(&self, reason: impl ToString) -> JoinError {
        JoinError::Confused { server: self.server(), reason: reason.to_string() }
    }

    fn server(&self) -> String {
        self.server.to_string()
    }
}

/// The name that the gate's certificate is checked against.
fn gate_name() -> ServerName<'static> {
    ServerName::try_from(GATE_NAME).expect("it is a DNS name")
}

/// What connections to the gate are made with: the host's certificate, once it has one.
fn tls(identity: &Identity) -> Result<ClientConfig, JoinError> {
    let builder = client(Known::Authority(identity.authority)).map_err(|_| JoinError::Key)?;
    let Some(certificate) = &identity.certificate else { return Ok(builder.with_no_client_auth()) };
    let certificate = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).map_err(|_| JoinError::Key)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|_| JoinError::Key)?;
    builder.with_client_auth_cert(vec![certificate], key).map_err(|_| JoinError::Key)
}

/// Whether an alert says that a certificate is not taken (RFC 8446, section 6.2).
fn is_about_certificates(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    )
}

/// What TLS says is wrong, if it is TLS that says so.
fn tls_error(error: &hyper::Error) -> Option<&rustls::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref::<io::Error>().and_then(|io| io.get_ref()?.downcast_ref()) {
            return Some(found);
        }
        source = error.source();
    }
    None
}
