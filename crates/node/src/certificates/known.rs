//! Knowing a server by what was said about it before, not by who else vouches for it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::ring::default_provider;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::fingerprint::Fingerprint;

/// By what a server is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// By the certificate that it shows, whatever stands in it.
    Certificate(Fingerprint),
    /// By the authority that signed it, which it shows beside its own, and by its name. **The clock here decides nothing**: what
    /// is pinned does not become another's by growing old, and machines whose clock is wrong are to be reachable.
    Authority(Fingerprint),
}

/// The beginning of a client that trusts one server and no other, over TLS 1.3 alone: at both ends is this program.
///
/// # Errors
/// When the TLS provider does not speak it.
pub fn client(known: Known) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let provider = Arc::new(default_provider());
    let verifier = Arc::new(Verifier { known, provider: Arc::clone(&provider) });
    Ok(ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

#[derive(Debug)]
struct Verifier {
    known: Known,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    fn by_authority(
        &self,
        authority: Fingerprint,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let stranger = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let authority = intermediates.iter().find(|it| Fingerprint::of(it) == authority).ok_or_else(stranger)?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|_| stranger())?;
        let verify = |at| verifier.verify_server_cert(end_entity, &[], name, &[], at);
        match verify(now) {
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. })) => {
                verify(not_before)
            }
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => verify(not_after),
            verified => verified,
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.known {
            Known::Certificate(known) if Fingerprint::of(end_entity) == known => Ok(ServerCertVerified::assertion()),
            Known::Certificate(_) => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
            Known::Authority(authority) => self.by_authority(authority, end_entity, intermediates, server_name, now),
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base::{Clock, SystemClock};

    use super::*;
    use crate::certificates::{Authority, Purpose, Subject};

    const DAY: Duration = Duration::from_secs(86_400);

    struct Bed {
        authority: Authority,
        shown: CertificateDer<'static>,
    }

    fn bed(purpose: Purpose) -> Bed {
        let now = SystemClock.now();
        let authority = Authority::make(|own| format!("Test {own}"), now, DAY * 100).unwrap();
        let names = ["gate.example".to_owned()];
        let subject = Subject { common_name: "gate", names: &names, purpose, from: now, not_after: now.plus(DAY * 50) };
        let shown = authority.issue(&subject).unwrap().certificate.der;
        Bed { authority, shown }
    }

    impl Bed {
        fn verify(&self, known: Known, name: &str, days_from_now: i64) -> Result<ServerCertVerified, Error> {
            let verifier = Verifier { known, provider: Arc::new(default_provider()) };
            let seconds = SystemClock.now().as_secs() + days_from_now * 86_400;
            let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds.max(0).unsigned_abs()));
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(&self.shown, &[self.authority.der().unwrap()], &name, &[], now)
        }

        fn authority(&self) -> Known {
            Known::Authority(self.authority.fingerprint().unwrap())
        }
    }

    #[test]
    fn a_server_is_known_by_its_authority_and_its_name_and_not_by_the_clock() {
        let bed = bed(Purpose::Server);
        for days in [0, -30_000, -10, 49, 60, 20_000] {
            bed.verify(bed.authority(), "gate.example", days).unwrap_or_else(|error| panic!("{days}: {error}"));
            assert!(bed.verify(bed.authority(), "other.example", days).is_err(), "{days}");
        }
    }

    #[test]
    fn what_another_authority_signed_and_what_is_no_server_is_not_known() {
        let (bed_1, bed_2) = (bed(Purpose::Server), bed(Purpose::Server));
        let crossed = Bed { authority: bed_1.authority.clone(), shown: bed_2.shown.clone() };
        for days in [0, -30_000, 20_000] {
            assert!(bed_1.verify(bed_2.authority(), "gate.example", days).is_err(), "{days}");
            assert!(crossed.verify(crossed.authority(), "gate.example", days).is_err(), "{days}");
            let host = bed(Purpose::Client);
            assert!(host.verify(host.authority(), "gate.example", days).is_err(), "{days}");
        }
    }

    #[test]
    fn a_certificate_that_is_known_itself_is_taken_and_no_other() {
        let (bed_1, bed_2) = (bed(Purpose::Server), bed(Purpose::Server));
        let known = Known::Certificate(Fingerprint::of(&bed_1.shown));
        assert!(bed_1.verify(known, "any.example", 9000).is_ok());
        assert!(bed_2.verify(known, "gate.example", 0).is_err());
    }
}
