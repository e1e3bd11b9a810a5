//! By what a provider's server is known: a public authority, or a certificate of which the provider's record has the
//! thumbprint.

use std::sync::Arc;

use ring::digest;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// The authorities that browsers trust.
#[derive(Debug)]
pub(super) struct PublicAuthorities {
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl PublicAuthorities {
    pub(super) fn new() -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        Self { provider, verifier: verifier.expect("the list of roots is not empty and no revocation list is given") }
    }
}

/// The configuration for a provider with these thumbprints, each SHA-1 in lower-case hexadecimal digits.
pub(super) fn client_config(public: &Arc<PublicAuthorities>, thumbprints: &[String]) -> ClientConfig {
    let verifier = Verifier { public: public.clone(), thumbprints: thumbprints.to_vec() };
    ClientConfig::builder_with_provider(public.provider.clone())
        .with_safe_default_protocol_versions()
        .expect("ring's provider has the suites of both versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth()
}

#[derive(Debug)]
struct Verifier {
    public: Arc<PublicAuthorities>,
    thumbprints: Vec<String>,
}

impl Verifier {
    fn is_known(&self, certificate: &CertificateDer<'_>) -> bool {
        // A thumbprint is SHA-1 at AWS. To match a given one takes a second preimage, not a collision.
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate);
        let print: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        self.thumbprints.contains(&print)
    }

    /// Whether the server's certificate is known by itself, or comes from one of the chain that is.
    fn verify_known(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(server)?;
        verify_server_name(&parsed, name)?;
        if self.is_known(server) {
            return Ok(());
        }
        let mut anchors = RootCertStore::empty();
        for known in intermediates.iter().filter(|certificate| self.is_known(certificate)) {
            anchors.add(known.clone().into_owned())?;
        }
        let algorithms = self.public.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &anchors, intermediates, now, algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        server: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let public = self.public.verifier.verify_server_cert(server, intermediates, name, ocsp_response, now);
        public.or_else(|error| match self.thumbprints.is_empty() {
            true => Err(error),
            false => self.verify_known(server, intermediates, name, now).map(|()| ServerCertVerified::assertion()),
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.public.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.public.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.public.provider.signature_verification_algorithms.supported_schemes()
    }
}
