//! The authority that joined hosts and the gate know each other by. It is the nodes' own: it signs for nothing else.

use std::fmt;
use std::time::Duration;

use base::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use workload::NodeId;
use zeroize::Zeroizing;

use super::fingerprint::Fingerprint;
use super::words::GATE_NAME;

const DAY: Duration = Duration::from_secs(86_400);
/// For how long an authority signs.
const AUTHORITY_VALID: Duration = DAY.saturating_mul(3650);
/// An authority with less left is to be replaced; every host has to join again then.
const AUTHORITY_LEFT_MIN: Duration = DAY.saturating_mul(90);
/// For how long a host's certificate is good. It is renewed at half of it.
pub(super) const HOST_VALID: Duration = DAY.saturating_mul(30);
/// How far a host's clock may be behind.
const CLOCK_TOLERANCE: Duration = DAY;
/// How long a public key is: a point of P-256, uncompressed (SEC 1, section 2.3.3).
const POINT_BYTES: usize = 65;
/// How such a point begins.
const UNCOMPRESSED: u8 = 4;

/// What is wrong with an authority or a key that it is to sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// What was kept is no authority.
    #[error("the nodes' authority is damaged")]
    Damaged,
    /// Not a point of P-256.
    #[error("that is no public key")]
    Key,
    /// It cannot sign.
    #[error("a certificate cannot be made")]
    Sign(#[from] rcgen::Error),
}

/// The authority: a certificate and its key. Written down it holds the key in the clear.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authority {
    common_name: String,
    not_after: Timestamp,
    /// PEM.
    certificate: String,
    /// PEM.
    key: Zeroizing<String>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("common_name", &self.common_name).finish_non_exhaustive()
    }
}

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
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // A replaced authority must not be taken for its predecessor: the key's fingerprint makes the name its own.
        let short: String = Fingerprint::of(key.public_key_raw()).to_string().chars().take(8).collect();
        let common_name = format!("Pilvi nodes {short}");
        let not_after = now.plus(AUTHORITY_VALID);
        let certificate = params(&common_name, now, not_after).self_signed(&key)?.pem();
        Ok(Self { common_name, not_after, certificate, key: Zeroizing::new(key.serialize_pem()) })
    }

    /// Whether it can still sign for a good while.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.not_after > now.plus(AUTHORITY_LEFT_MIN)
    }

    /// By what hosts know it.
    ///
    /// # Errors
    /// [`AuthorityError::Damaged`]
    pub fn fingerprint(&self) -> Result<Fingerprint, AuthorityError> {
        Ok(Fingerprint::of(&self.der()?))
    }

    /// Its certificate.
    pub(super) fn der(&self) -> Result<CertificateDer<'static>, AuthorityError> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).map_err(|_| AuthorityError::Damaged)
    }

    /// The gate's own identity, made anew at each start and kept in memory alone. It is good for as long as the authority is,
    /// whose key lies beside it: a shorter life would protect nobody.
    pub(super) fn gate_identity(&self, now: Timestamp) -> Result<CertifiedKey, AuthorityError> {
        let mut params = CertificateParams::new(vec![GATE_NAME.to_owned()])?;
        params.distinguished_name = named("Pilvi gate");
        set_validity(&mut params, now, self.not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = self.sign(&params, &key)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| AuthorityError::Damaged)?;
        let chain = vec![certificate.der().clone(), self.der()?];
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|_| AuthorityError::Damaged)
    }

    /// Signs for a host that holds the key of `public_key`. Whoever names another's key has a certificate that is of no use.
    pub(super) fn certify(
        &self,
        host: &NodeId,
        public_key: &[u8],
        now: Timestamp,
    ) -> Result<HostCertificate, AuthorityError> {
        let key = Point(public_key.try_into().map_err(|_| AuthorityError::Key)?);
        if key.0[0] != UNCOMPRESSED {
            return Err(AuthorityError::Key);
        }
        let not_after = now.plus(HOST_VALID);
        let mut params = CertificateParams::default();
        params.distinguished_name = named(host.as_str());
        set_validity(&mut params, now, not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = self.sign(&params, &key)?;
        let fingerprint = Fingerprint::of(certificate.der());
        Ok(HostCertificate { certificate: certificate.pem(), fingerprint, not_after })
    }

    fn sign(
        &self,
        subject: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<rcgen::Certificate, AuthorityError> {
        let own_key = KeyPair::from_pem(&self.key).map_err(|_| AuthorityError::Damaged)?;
        let own = params(&self.common_name, self.not_after, self.not_after);
        Ok(subject.signed_by(key, &Issuer::from_params(&own, own_key))?)
    }
}

/// A public key of P-256.
struct Point([u8; POINT_BYTES]);

impl PublicKeyData for Point {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

fn params(name: &str, not_before: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    set_validity(&mut params, not_before, not_after);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From a little before `from`, for hosts whose clock is behind. An instant before 1970 becomes 1970.
fn set_validity(params: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let since_epoch = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_secs()).unwrap_or(0));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(from).saturating_sub(CLOCK_TOLERANCE);
    params.not_after = epoch + since_epoch(to);
}

#[cfg(test)]
mod tests {
    use base::{Clock, SystemClock};

    use super::*;

    #[test]
    fn an_authority_is_read_back_as_it_was_and_prints_no_key() {
        let authority = Authority::make(SystemClock.now()).unwrap();
        let written = serde_json::to_string(&authority).unwrap();
        let read: Authority = serde_json::from_str(&written).unwrap();
        assert_eq!(read.fingerprint().unwrap(), authority.fingerprint().unwrap());
        assert!(!format!("{read:?}").contains("PRIVATE"));
        assert!(read.gate_identity(SystemClock.now()).is_ok());
    }

    #[test]
    fn two_authorities_have_nothing_in_common() {
        let now = SystemClock.now();
        let (one, other) = (Authority::make(now).unwrap(), Authority::make(now).unwrap());
        assert_ne!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
        assert_ne!(one.common_name, other.common_name);
    }

    #[test]
    fn an_authority_is_replaced_before_its_end() {
        let now = SystemClock.now();
        let authority = Authority::make(now).unwrap();
        assert!(authority.is_fresh(now.plus(DAY * 3500)));
        assert!(!authority.is_fresh(now.plus(DAY * 3600)));
    }

    #[test]
    fn only_points_are_certified() {
        let now = SystemClock.now();
        let authority = Authority::make(now).unwrap();
        let host = NodeId::try_from("worker-1".to_owned()).unwrap();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certified = authority.certify(&host, key.public_key_raw(), now).unwrap();
        assert_eq!(certified.not_after, now.plus(HOST_VALID));
        for wrong in [&key.public_key_raw()[1..], &[2; POINT_BYTES], &[]] {
            assert!(matches!(authority.certify(&host, wrong, now), Err(AuthorityError::Key)));
        }
    }
}
