//! TLS for the port: the operator's own certificate, or one of an authority that lives in the data directory.

mod authority;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use base::{Clock, SystemClock, Timestamp};
use node::certificates::{Fingerprint, Known, client};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, ServerConfig};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use crate::config::Secret;
use crate::data_dir::DataDir;
use crate::settings::{Settings, Tls};
use crate::stop::Stop;

use authority::Names;

/// How often the age of a generated certificate is looked at.
const RENEWAL_CHECK: Duration = Duration::from_secs(6 * 3600);

/// The protocols that the port speaks within TLS.
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The server's TLS identity. A generated certificate is renewed while it serves.
#[derive(Debug)]
pub(crate) struct ServerTls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    generated: Option<Generated>,
}

#[derive(Debug)]
struct Generated {
    dir: DataDir,
    names: Names,
}

impl ServerTls {
    /// The identity that the settings ask for; `None` for plain HTTP. A generated one is made at the first call.
    ///
    /// # Errors
    /// When certificate and key make no identity, or a generated one cannot be written.
    pub(crate) fn prepare(settings: &Settings, dir: &DataDir, now: Timestamp) -> Result<Option<Self>> {
        let (certified, generated) = match &settings.tls {
            Tls::Off => return Ok(None),
            Tls::Own { certificate, key } => (certified(certificate, key.reveal())?, None),
            Tls::Generated { names } => {
                let names = Names::of(settings, names);
                let identity = authority::identity(dir, &names, now).context("cannot make a TLS certificate")?;
                let certified = certified(&identity.certificate, identity.key.reveal())?;
                (certified, Some(Generated { dir: dir.clone(), names }))
            }
        };
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = ALPN.map(<[u8]>::to_vec).to_vec();
        Ok(Some(Self { config: Arc::new(config), current, generated }))
    }

    /// What makes TLS of a connection.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// The authority that clients must trust, when it is a generated one.
    pub(crate) fn ca_bundle(&self) -> Option<PathBuf> {
        self.generated.as_ref().map(|generated| authority::ca_bundle(&generated.dir))
    }

    /// SHA-256 of the certificate (DER) that is shown now, hexadecimal.
    pub(crate) fn certificate_sha256(&self) -> String {
        self.current.get().cert.first().map(|it| Fingerprint::of(it).to_string()).unwrap_or_default()
    }

    /// Renews a generated certificate before its end, until the server stops; `renewed` hears its fingerprint.
    pub(crate) async fn keep_fresh(self: Arc<Self>, stop: Stop, renewed: impl Fn(String) -> Result<()> + Send) {
        let Some(generated) = &self.generated else { return };
        loop {
            tokio::select! {
                () = tokio::time::sleep(RENEWAL_CHECK) => {}
                () = stop.requested() => return,
            }
            match self.renew(generated, SystemClock.now()) {
                Ok(false) => {}
                Ok(true) => match renewed(self.certificate_sha256()) {
                    Ok(()) => info!("the TLS certificate has been renewed"),
                    Err(error) => warn!("the renewed TLS certificate cannot be announced: {error:#}"),
                },
                Err(error) => warn!("the TLS certificate cannot be renewed: {error:#}"),
            }
        }
    }

    /// Whether a new certificate had to be made.
    fn renew(&self, generated: &Generated, now: Timestamp) -> Result<bool> {
        let before = self.certificate_sha256();
        let identity = authority::identity(&generated.dir, &generated.names, now)?;
        let certified = certified(&identity.certificate, identity.key.reveal())?;
        self.current.set(certified);
        Ok(self.certificate_sha256() != before)
    }
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

/// A certificate with its key, as PEM.
#[derive(Debug, Clone)]
struct Identity {
    certificate: String,
    key: Secret,
}

/// Checks that an operator's certificate chain and key are an identity.
///
/// # Errors
/// When one is unreadable or they do not belong together.
pub(crate) fn check_own(certificate: &str, key: &str) -> Result<()> {
    certified(certificate, key).map(drop)
}

fn certified(certificate: &str, key: &str) -> Result<CertifiedKey> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
    let chain = chain.context("the certificate is not PEM")?;
    anyhow::ensure!(!chain.is_empty(), "the certificate file holds no certificate");
    // The reader's own message could quote the key.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).ok().context("the key file holds no private key in PEM")?;
    CertifiedKey::from_der(chain, key, &default_provider()).context("certificate and key do not fit")
}

/// A client that knows the server by the SHA-256 (hexadecimal) of its certificate, whoever signed it: how this program's own
/// commands reach their server.
///
/// # Errors
/// When that is no SHA-256.
pub(crate) fn client_of(certificate_sha256: &str) -> Result<ClientConfig> {
    let certificate = certificate_sha256.parse().context("the server's record has no certificate")?;
    Ok(client(Known::Certificate(certificate))?.with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    fn settings(tls: &str) -> Settings {
        Settings::check(&Config::parse(Path::new("/etc/pilvi.toml"), tls).unwrap()).unwrap()
    }

    #[test]
    fn without_tls_there_is_no_identity() {
        let temp = tempfile::tempdir().unwrap();
        let none = ServerTls::prepare(&settings(""), &DataDir::at(temp.path()), SystemClock.now()).unwrap();
        assert!(none.is_none() && std::fs::read_dir(temp.path()).unwrap().count() == 0);
    }

    #[test]
    fn a_certificate_near_its_end_is_replaced_while_the_server_runs() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        let now = SystemClock.now();
        let tls = ServerTls::prepare(&settings("[tls]\ngenerate = true\n"), &dir, now).unwrap().unwrap();
        let first = tls.certificate_sha256();
        let generated = tls.generated.as_ref().unwrap();
        assert!(!tls.renew(generated, now).unwrap());
        assert!(tls.renew(generated, now.plus(Duration::from_secs(380 * 86_400))).unwrap());
        assert_ne!(tls.certificate_sha256(), first);
    }

    #[test]
    fn an_own_certificate_must_fit_its_key() {
        let one = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let (certificate, key) = (one.cert.pem(), one.signing_key.serialize_pem());
        check_own(&certificate, &key).unwrap();
        assert!(check_own(&certificate, &other.signing_key.serialize_pem()).is_err());
        assert!(check_own("nothing", &key).is_err());
        let refused = format!("{:?}", check_own(&certificate, &certificate).unwrap_err());
        assert!(refused.contains("no private key"), "{refused}");
    }
}
