//! The authority that joined hosts and the gate know each other by. It is the nodes' own: it signs for nothing else.

use std::time::Duration;

use base::Timestamp;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use workload::NodeId;

use super::words::GATE_NAME;
use crate::certificates::{self, AuthorityError, Fingerprint, Purpose, Subject};

const DAY: Duration = Duration::from_secs(86_400);
/// For how long an authority signs.
const AUTHORITY_VALID: Duration = DAY.saturating_mul(3650);
/// An authority with less left is to be replaced; every host has to join again then.
const AUTHORITY_LEFT_MIN: Duration = DAY.saturating_mul(90);
/// For how long a host's certificate is good. It is renewed at half of it.
pub(super) const HOST_VALID: Duration = DAY.saturating_mul(30);

/// The authority. Written down it holds its key in the clear.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Authority(certificates::Authority);

/// A certificate for a host.
#[derive(Debug, Clone)]
pub(super) struct HostCertificate {
    /// PEM.
    pub(super) certificate: String,
    /// By what the host is known when it connects.
    pub(super) fingerprint: Fingerprint,
    /// Its end.
    pub(super) not_after: Timestamp,
}

impl Authority {
    /// A new authority.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`]
    pub fn make(now: Timestamp) -> Result<Self, AuthorityError> {
        certificates::Authority::make(|own| format!("Pilvi nodes {own}"), now, AUTHORITY_VALID).map(Self)
    }

    /// Whether it can still sign for a good while.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.0.not_after() > now.plus(AUTHORITY_LEFT_MIN)
    }

    /// By what hosts know it.
    ///
    /// # Errors
    /// [`AuthorityError::Damaged`]
    pub fn fingerprint(&self) -> Result<Fingerprint, AuthorityError> {
        self.0.fingerprint()
    }

    /// Its certificate.
    pub(super) fn der(&self) -> Result<CertificateDer<'static>, AuthorityError> {
        self.0.der()
    }

    /// The gate's own identity, made anew at each start and kept in memory alone. It is good for as long as the authority is,
    /// whose key lies beside it: a shorter life would protect nobody.
    pub(super) fn gate_identity(&self, now: Timestamp) -> Result<CertifiedKey, AuthorityError> {
        let (names, not_after) = ([GATE_NAME.to_owned()], self.0.not_after());
        let subject =
            Subject { common_name: "Pilvi gate", names: &names, purpose: Purpose::Server, from: now, not_after };
        let issued = self.0.issue(&subject)?;
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).map_err(|_| AuthorityError::Damaged)?;
        let chain = vec![issued.certificate.der, self.der()?];
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|_| AuthorityError::Damaged)
    }

    /// Signs for a host that holds the key of `public_key`.
    pub(super) fn certify(
        &self,
        host: &NodeId,
        public_key: &[u8],
        now: Timestamp,
    ) -> Result<HostCertificate, AuthorityError> {
        let not_after = now.plus(HOST_VALID);
        let subject =
            Subject { common_name: host.as_str(), names: &[], purpose: Purpose::Client, from: now, not_after };
        let certificate = self.0.certify(&subject, public_key)?;
        let fingerprint = Fingerprint::of(&certificate.der);
        Ok(HostCertificate { certificate: certificate.pem, fingerprint, not_after })
    }
}

#[cfg(test)]
mod tests {
    use base::{Clock, SystemClock};
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};

    use super::*;

    #[test]
    fn an_authority_is_replaced_before_its_end() {
        let now = SystemClock.now();
        let authority = Authority::make(now).unwrap();
        assert!(authority.gate_identity(now).is_ok());
        assert!(authority.is_fresh(now.plus(DAY * 3500)));
        assert!(!authority.is_fresh(now.plus(DAY * 3600)));
    }

    #[test]
    fn a_hosts_certificate_is_good_for_a_month() {
        let now = SystemClock.now();
        let host = NodeId::try_from("worker-1".to_owned()).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certified = Authority::make(now).unwrap().certify(&host, key.public_key_raw(), now).unwrap();
        assert_eq!(certified.not_after, now.plus(HOST_VALID));
    }
}
