//! A certificate authority for one data directory, and the server certificate that it signs.
//!
//! Certificate, key and what is needed to know their age lie in one file each, so that no crash can part them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use base::Timestamp;
use node::certificates::{Authority, Purpose, Subject};
use serde::{Deserialize, Serialize};

use super::Identity;
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
    let authority = load_or_make(&dir.tls().join("ca.json"), now)?;
    publish(&ca_bundle(dir), authority.pem())?;
    let path = dir.tls().join("server.json");
    let signed_by = authority.fingerprint()?.to_string();
    let kept = records::read::<Server>(&path)?.filter(|server| {
        server.names == *names && server.authority_sha256 == signed_by && server.not_after > now.plus(SERVER_LEFT_MIN)
    });
    let server = match kept {
        Some(server) => server,
        None => {
            let server = sign(&authority, names, now)?;
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

/// The authority that is kept, or a new one in place of one that would end before a certificate that it signs today is replaced.
fn load_or_make(path: &Path, now: Timestamp) -> Result<Authority> {
    let kept: Option<Authority> = records::read(path)?;
    if let Some(authority) = kept.filter(|authority| authority.not_after() > now.plus(SERVER_VALID)) {
        return Ok(authority);
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let authority = Authority::make(|own| format!("Pilvi CA {own} on {host}"), now, AUTHORITY_VALID)?;
    records::write(path, &authority)?;
    Ok(authority)
}

/// A new certificate.
fn sign(authority: &Authority, names: &Names, now: Timestamp) -> Result<Server> {
    let (listed, not_after): (Vec<_>, _) = (names.0.iter().cloned().collect(), now.plus(SERVER_VALID));
    let subject = Subject { common_name: "Pilvi", names: &listed, purpose: Purpose::Server, from: now, not_after };
    let issued = authority.issue(&subject)?;
    Ok(Server {
        names: names.clone(),
        not_after,
        authority_sha256: authority.fingerprint()?.to_string(),
        certificate: issued.certificate.pem,
        key: Secret::new(issued.key.to_string()),
    })
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
        use rustls::pki_types::CertificateDer;
        use rustls::pki_types::pem::PemObject;
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
