//! An authority: a certificate that signs others, and its key.

use std::fmt;
use std::time::Duration;

use base::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::fingerprint::Fingerprint;

/// How far the clock of who looks at a certificate may be behind.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(86_400);
/// How much of its key's fingerprint is in an authority's name, in hexadecimal digits.
const NAME_DIGITS: usize = 8;
/// How long a public key is: a point of P-256, uncompressed (SEC 1, section 2.3.3).
const POINT_BYTES: usize = 65;
/// How such a point begins.
const UNCOMPRESSED: u8 = 4;

/// What is wrong with an authority or a key that it is to sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// What was kept is no authority.
    #[error("the authority is damaged")]
    Damaged,
    /// Not a point of P-256.
    #[error("that is no public key")]
    Key,
    /// It cannot sign.
    #[error("a certificate cannot be made")]
    Sign(#[from] rcgen::Error),
}

/// An authority. Written down it holds the key in the clear.
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

/// What a certificate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be a server.
    Server,
    /// To be somebody who connects to one.
    Client,
}

/// Whom a certificate is for.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// For people.
    pub common_name: &'a str,
    /// Names and addresses that it is reached at.
    pub names: &'a [String],
    /// What it may be.
    pub purpose: Purpose,
    /// When it is signed. It is good from a day before, for clocks that are behind.
    pub from: Timestamp,
    /// Its end.
    pub not_after: Timestamp,
}

/// A certificate that was signed.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// As text.
    pub pem: String,
    /// As bytes.
    pub der: CertificateDer<'static>,
}

/// A certificate, and the key that was made for it.
#[derive(Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// PEM.
    pub key: Zeroizing<String>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("common_name", &self.common_name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Authority {
    /// A new authority, whose name is made of a text that no other authority has: one that is replaced must not be taken for
    /// its predecessor.
    ///
    /// # Errors
    /// [`AuthorityError::Sign`]
    pub fn make(name: impl FnOnce(&str) -> String, now: Timestamp, valid: Duration) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let own: String = Fingerprint::of(key.public_key_raw()).to_string().chars().take(NAME_DIGITS).collect();
        let common_name = name(&own);
        let not_after = now.plus(valid);
        let certificate = of_an_authority(&common_name, now, not_after).self_signed(&key)?.pem();
        Ok(Self { common_name, not_after, certificate, key: Zeroizing::new(key.serialize_pem()) })
    }

    /// When it ends.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Its certificate, as text.
    pub fn pem(&self) -> &str {
        &self.certificate
    }

    /// Its certificate.
    ///
    /// # Errors
    /// [`AuthorityError::Damaged`]
    pub fn der(&self) -> Result<CertificateDer<'static>, AuthorityError> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).map_err(|_| AuthorityError::Damaged)
    }

    /// By what it is known.
    ///
    /// # Errors
    /// [`AuthorityError::Damaged`]
    pub fn fingerprint(&self) -> Result<Fingerprint, AuthorityError> {
        Ok(Fingerprint::of(&self.der()?))
    }

    /// A certificate with a key of its own.
    ///
    /// # Errors
    /// [`AuthorityError::Damaged`]; [`AuthorityError::Sign`] if one of the names is none.
    pub fn issue(&self, subject: &Subject<'_>) -> Result<Issued, AuthorityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Issued { certificate: self.sign(subject, &key)?, key: Zeroizing::new(key.serialize_pem()) })
    }

    /// A certificate for who holds the key of this public one: a point of P-256, uncompressed. Whoever names another's has one
    /// that is of no use to him.
    ///
    /// # Errors
    /// [`AuthorityError`]
    pub fn certify(&self, subject: &Subject<'_>, public_key: &[u8]) -> Result<Certificate, AuthorityError> {
        let key = Point(public_key.try_into().map_err(|_| AuthorityError::Key)?);
        if key.0[0] != UNCOMPRESSED {
            return Err(AuthorityError::Key);
        }
        self.sign(subject, &key)
    }

    fn sign(&self, subject: &Subject<'_>, key: &impl PublicKeyData) -> Result<Certificate, AuthorityError> {
        let own_key = KeyPair::from_pem(&self.key).map_err(|_| AuthorityError::Damaged)?;
        // Of a signer its name alone goes into what it signs.
        let own = of_an_authority(&self.common_name, self.not_after, self.not_after);
        let mut params = CertificateParams::new(subject.names)?;
        params.distinguished_name = named(subject.common_name);
        set_validity(&mut params, subject.from, subject.not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match subject.purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        let signed = params.signed_by(key, &Issuer::from_params(&own, own_key))?;
        Ok(Certificate { pem: signed.pem(), der: signed.der().clone() })
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

fn of_an_authority(name: &str, not_before: Timestamp, not_after: Timestamp) -> CertificateParams {
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

/// From a little before `from`. An instant before 1970 becomes 1970.
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

    const YEAR: Duration = Duration::from_secs(365 * 86_400);

    fn authority() -> Authority {
        Authority::make(|own| format!("Test {own}"), SystemClock.now(), YEAR).unwrap()
    }

    fn subject<'a>(names: &'a [String]) -> Subject<'a> {
        let from = SystemClock.now();
        Subject { common_name: "somebody", names, purpose: Purpose::Server, from, not_after: from.plus(YEAR) }
    }

    #[test]
    fn an_authority_is_read_back_as_it_was_and_prints_no_key() {
        let authority = authority();
        let written = serde_json::to_string(&authority).unwrap();
        let read: Authority = serde_json::from_str(&written).unwrap();
        assert_eq!(read.fingerprint().unwrap(), authority.fingerprint().unwrap());
        assert!(!format!("{read:?}").contains("PRIVATE"));
        let issued = read.issue(&subject(&["localhost".to_owned()])).unwrap();
        assert!(!format!("{issued:?}").contains("PRIVATE"));
    }

    #[test]
    fn two_authorities_have_nothing_in_common() {
        let (one, other) = (authority(), authority());
        assert_ne!(one.fingerprint().unwrap(), other.fingerprint().unwrap());
        assert_ne!(one.common_name, other.common_name);
    }

    #[test]
    fn only_points_are_certified() {
        let authority = authority();
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        assert!(authority.certify(&subject(&[]), key.public_key_raw()).is_ok());
        for wrong in [&key.public_key_raw()[1..], &[2; POINT_BYTES], &[]] {
            assert!(matches!(authority.certify(&subject(&[]), wrong), Err(AuthorityError::Key)));
        }
    }
}
