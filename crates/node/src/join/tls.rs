//! TLS to the gate: it is known by its authority's fingerprint, whatever address it is reached at.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::{Identity, JoinError};
use crate::gate::Fingerprint;
use crate::gate::words::GATE_NAME;

/// The name that the gate's certificate is checked against.
pub(super) fn gate_name() -> ServerName<'static> {
    ServerName::try_from(GATE_NAME).expect("it is a DNS name")
}

/// What connections to the gate are made with: the host's certificate, once it has one.
pub(super) fn client(identity: &Identity) -> Result<ClientConfig, JoinError> {
    let provider = Arc::new(default_provider());
    let verifier = Arc::new(OneAuthority { sha256: identity.authority, provider: Arc::clone(&provider) });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| JoinError::Key)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(certificate) = &identity.certificate else { return Ok(builder.with_no_client_auth()) };
    let certificate = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).map_err(|_| JoinError::Key)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).map_err(|_| JoinError::Key)?;
    builder.with_client_auth_cert(vec![certificate], key).map_err(|_| JoinError::Key)
}

/// Accepts certificates of the one authority that has this fingerprint. The gate shows the authority's certificate beside its
/// own.
#[derive(Debug)]
struct OneAuthority {
    sha256: Fingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for OneAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let stranger = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.iter().find(|it| Fingerprint::of(it) == self.sha256).ok_or_else(stranger)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|_| stranger())?;
        verifier.verify_server_cert(end_entity, &[], server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
