//! Whom to trust.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

use super::{Authorities, ConfigError};

/// Where distributions keep their bundle: Debian and Alpine, Fedora, SUSE, others.
const SYSTEM_BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// The largest bundle, in bytes. Debian's has a quarter of a MiB.
const BUNDLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a client agrees on. Reads files: it belongs on a blocking thread.
///
/// # Errors
/// [`ConfigError::Authorities`] and [`ConfigError::NoAuthority`] of files that were named. The machine's own bundle may be
/// missing: then Mozilla's list, which is built in, takes its place.
pub(super) fn client_config(authorities: &Authorities) -> Result<ClientConfig, ConfigError> {
    let mut roots = RootCertStore::empty();
    match &authorities.bundle {
        Some(path) => add_all(&mut roots, path)?,
        None => add_system(&mut roots, &SYSTEM_BUNDLES.map(PathBuf::from)),
    }
    authorities.extra.iter().try_for_each(|path| add_all(&mut roots, path))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring's provider has the suites of both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add_system(roots: &mut RootCertStore, bundles: &[PathBuf]) {
    for path in bundles {
        match add_all(roots, path) {
            Ok(()) => return,
            Err(ConfigError::Authorities { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the machine's certificate authorities are passed over")
            }
        }
    }
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
}

/// Adds the certificates of a file; those that cannot be used are left out, as long as one can.
fn add_all(roots: &mut RootCertStore, path: &Path) -> Result<(), ConfigError> {
    let failed = |source| ConfigError::Authorities { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(failed)?.len() > BUNDLE_BYTES_MAX {
        return Err(failed(io::ErrorKind::FileTooLarge.into()));
    }
    let found = CertificateDer::pem_file_iter(path).map_err(of_pem).map_err(failed)?;
    let found: Vec<CertificateDer<'static>> = found.collect::<Result<_, _>>().map_err(of_pem).map_err(failed)?;
    let (added, _) = roots.add_parsable_certificates(found);
    if added == 0 { Err(ConfigError::NoAuthority { path: path.to_owned() }) } else { Ok(()) }
}

fn of_pem(error: pem::Error) -> io::Error {
    match error {
        pem::Error::Io(error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

/// An error with its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> String {
        rcgen::generate_simple_self_signed(["registry.example".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn a_bundle_that_is_named_takes_the_place_of_the_machines_own() {
        let directory = tempfile::tempdir().unwrap();
        let (bundle, extra) = (directory.path().join("bundle.pem"), directory.path().join("extra.pem"));
        std::fs::write(&bundle, format!("a comment\n{}{}", authority(), authority())).unwrap();
        std::fs::write(&extra, authority()).unwrap();
        let mut roots = RootCertStore::empty();
        add_all(&mut roots, &bundle).unwrap();
        assert_eq!(roots.len(), 2);
        let authorities = Authorities { bundle: Some(bundle), extra: vec![extra] };
        assert!(client_config(&authorities).is_ok());
    }

    #[test]
    fn a_file_that_is_named_and_of_no_use_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bundle.pem");
        let named = |path: &Path| Authorities { bundle: Some(path.to_owned()), extra: Vec::new() };
        assert!(matches!(client_config(&named(&path)), Err(ConfigError::Authorities { .. })));
        std::fs::write(&path, "no certificate").unwrap();
        assert!(matches!(client_config(&named(&path)), Err(ConfigError::NoAuthority { .. })));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(client_config(&named(&path)), Err(ConfigError::NoAuthority { .. })));
        let extra = Authorities { bundle: None, extra: vec![path] };
        assert!(matches!(client_config(&extra), Err(ConfigError::NoAuthority { .. })));
    }

    #[test]
    fn a_machine_without_a_bundle_trusts_the_list_that_is_built_in() {
        let directory = tempfile::tempdir().unwrap();
        let (missing, broken) = (directory.path().join("missing"), directory.path().join("broken"));
        std::fs::write(&broken, "no certificate").unwrap();
        let mut roots = RootCertStore::empty();
        add_system(&mut roots, &[missing, broken]);
        assert_eq!(roots.len(), webpki_roots::TLS_SERVER_ROOTS.len());
    }
}
