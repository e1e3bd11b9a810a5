//! A certificate authority for one data directory, and the server certificate that it signs.
//!
//! Certificate, key and what is needed to know their age lie in one file each, so that no crash can part them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use base::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};

use super::{Identity, fingerprint};
use crate::config::{DnsName, Secret};
use crate::data_dir::{DataDir, make_private_dir, write_private};
use crate::records;
use crate::settings::Settings;

const DAY: Duration = Duration::from_secs(86_400);

/// An authority signs for ten years.
const AUTHORITY_VALID: Duration = DAY.saturating_mul(3650);

/// The longest life of a server certificate that browsers accept (CA/Browser Forum, since 2020).
const SERVER_VALID: Duration = DAY.saturating_mul(397);

/// A server certificate with less left is renewed.
const SERVER_LEFT_MIN: Duration = DAY.saturating_mul(30);

/// How far a client's clock may be behind.
const CLOCK_TOLERANCE: Duration = DAY;

/// What a server certificate is valid for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// The local names, the machine's, those of the addresses that clients are told, and the configured ones.
    pub(super) fn of(settings: &Settings, configured: &[DnsName]) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let public = settings.public_url.as_ref().and_then(|url| url.authority().parse::<http::uri::Authority>().ok());
        let public = public.map(|authority| authority.host().trim_matches(['[', ']']).to_owned());
        let listen = Some(settings.listen.ip()).filter(|ip| !ip.is_unspecified()).map(|ip| ip.to_string());
        let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let names = local.into_iter().chain([host]).chain(public).chain(listen);
        let valid = names.filter_map(|name| name.parse::<DnsName>().ok());
        Self(valid.chain(configured.iter().cloned()).map(String::from).collect())
    }
}

/// `tls/ca.json`
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Authority {
    common_name: String,
    not_after: Timestamp,
    certificate: String,
    key: Secret,
}

/// `tls/server.json`
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    names: Names,
    not_after: Timestamp,
    authority_sha256: String,
    certificate: String,
    key: Secret,
}

/// The authority's certificate, for clients.
pub(super) fn ca_bundle(dir: &DataDir) -> PathBuf {
    dir.tls().join("ca.pem")
}

/// The server's certificate and key: those of the last call, or new ones where there are
/// none, the names have changed or the end is near.
pub(super) fn identity(dir: &DataDir, names: &Names, now: Timestamp) -> Result<Identity> {
    make_private_dir(&dir.tls())?;
    let authority = Authority::load_or_make(&dir.tls().join("ca.json"), now)?;
    publish(&ca_bundle(dir), &authority.certificate)?;
    let path = dir.tls().join("server.json");
    let signed_by = authority.sha256()?;
    let kept = records::read::<Server>(&path)?.filter(|server| {
        server.names == *names && server.authority_sha256 == signed_by && server.not_after > now.plus(SERVER_LEFT_MIN)
    });
    let server = match kept {
        Some(server) => server,
        None => {
            let server = authority.sign(names, signed_by, now)?;
            records::write(&path, &server)?;
            server
        }
    };
    Ok(Identity { certificate: server.certificate, key: server.key })
}

/// Puts the authority's certificate where clients look for it, unless it is there.
fn publish(path: &Path, certificate: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == certificate) {
        return Ok(());
    }
    write_private(path, certificate.as_bytes())
}

impl Authority {
    /// An authority that would end before a certificate that it signs today is replaced.
    fn load_or_make(path: &Path, now: Timestamp) -> Result<Self> {
        let kept: Option<Self> = records::read(path)?;
        if let Some(authority) = kept.filter(|authority| authority.not_after > now.plus(SERVER_VALID)) {
            return Ok(authority);
        }
        let authority = Self::make(now)?;
        records::write(path, &authority)?;
        Ok(authority)
    }

    fn make(now: Timestamp) -> Result<Self> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let key = KeyPair::generate()?;
        // A replaced authority must not be taken for its predecessor: the key's fingerprint makes the name its own.
        let short = hex::encode(&<sha2::Sha256 as sha2::Digest>::digest(key.public_key_raw())[..4]);
        let common_name = format!("Pilvi CA {short} on {host}");
        let not_after = now.plus(AUTHORITY_VALID);
        let certificate = authority_params(&common_name, now, not_after).self_signed(&key)?.pem();
        Ok(Self { common_name, not_after, certificate, key: Secret::new(key.serialize_pem()) })
    }

    fn sha256(&self) -> Result<String> {
        let der = CertificateDer::from_pem_slice(self.certificate.as_bytes()).context("the authority is damaged")?;
        Ok(fingerprint(&der))
    }

    fn sign(&self, names: &Names, authority_sha256: String, now: Timestamp) -> Result<Server> {
        let authority_key = KeyPair::from_pem(self.key.reveal()).ok().context("the authority's key is damaged")?;
        let authority = authority_params(&self.common_name, now, self.not_after);
        let not_after = now.plus(SERVER_VALID);
        let mut params = CertificateParams::new(names.0.iter().cloned().collect::<Vec<_>>())?;
        params.distinguished_name = common_name("Pilvi");
        set_validity(&mut params, now, not_after);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &Issuer::from_params(&authority, authority_key))?.pem();
        let key = Secret::new(key.serialize_pem());
        Ok(Server { names: names.clone(), not_after, authority_sha256, certificate, key })
    }
}

fn authority_params(name: &str, not_before: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    set_validity(&mut params, not_before, not_after);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// From a little before `from`, for clients whose clock is behind. An instant before 1970 becomes 1970.
fn set_validity(params: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let since_epoch = |at: Timestamp| Duration::from_secs(u64::try_from(at.as_secs()).unwrap_or(0));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(from).saturating_sub(CLOCK_TOLERANCE);
    params.not_after = epoch + since_epoch(to);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use base::{Clock, SystemClock};

    use super::*;

    fn names(list: &[&str]) -> Names {
        Names(list.iter().map(|name| (*name).to_owned()).collect())
    }

    fn at() -> (tempfile::TempDir, DataDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        (temp, dir)
    }

    #[test]
    fn an_identity_is_kept_until_its_names_change_or_its_end_is_near() {
        let (_temp, dir) = at();
        let now = SystemClock.now();
        let first = identity(&dir, &names(&["localhost"]), now).unwrap();
        let again = identity(&dir, &names(&["localhost"]), now.plus(DAY * 300)).unwrap();
        assert_eq!(first.certificate, again.certificate);
        let renewed = identity(&dir, &names(&["localhost"]), now.plus(DAY * 370)).unwrap();
        assert_ne!(first.certificate, renewed.certificate);
        let renamed = identity(&dir, &names(&["localhost", "::1"]), now.plus(DAY * 370)).unwrap();
        assert_ne!(renewed.certificate, renamed.certificate);
    }

    #[test]
    fn the_authority_outlives_its_certificates_and_is_replaced_in_time() {
        let (_temp, dir) = at();
        let now = SystemClock.now();
        let bundle = || std::fs::read_to_string(ca_bundle(&dir)).unwrap();
        identity(&dir, &names(&["localhost"]), now).unwrap();
        let first = bundle();
        identity(&dir, &names(&["localhost"]), now.plus(DAY * 3200)).unwrap();
        assert_eq!(first, bundle());
        identity(&dir, &names(&["localhost"]), now.plus(DAY * 3400)).unwrap();
        assert_ne!(first, bundle());
    }

    #[test]
    fn keys_are_readable_by_their_owner_alone() {
        let (_temp, dir) = at();
        identity(&dir, &names(&["localhost"]), SystemClock.now()).unwrap();
        for file in ["ca.json", "server.json"] {
            let mode = std::fs::metadata(dir.tls().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_client_that_trusts_the_authority_trusts_the_server_by_each_of_its_names() {
        use rustls::client::WebPkiServerVerifier;
        use rustls::client::danger::ServerCertVerifier;
        use rustls::pki_types::{ServerName, UnixTime};

        let (_temp, dir) = at();
        let now = SystemClock.now();
        let identity = identity(&dir, &names(&["localhost", "127.0.0.1", "::1", "*.pilvi.lan"]), now).unwrap();
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(identity.certificate.as_bytes()).collect();
        let chain = chain.unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca_bundle(&dir)).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
        let check = |name: &str| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], UnixTime::now())
        };
        for name in ["localhost", "127.0.0.1", "::1", "a.pilvi.lan"] {
            check(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert!(check("pilvi.example").is_err());
    }
}
