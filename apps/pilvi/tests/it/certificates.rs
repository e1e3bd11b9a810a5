//! TLS, with an own certificate and with a generated authority.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use crate::harness::{Up, as_person, stdout, text, writable};

/// One request over TLS by a client that trusts the certificates of a file.
fn get(endpoint: &str, name: &str, bundle: &Path) -> Result<String, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(bundle).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = Arc::new(client.with_root_certificates(roots).with_no_client_auth());
    let stream = TcpStream::connect(endpoint.strip_prefix("https://").unwrap())?;
    let connection = ClientConnection::new(client, ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, stream);
    write!(stream, "GET /_pilvi/ready HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn configured(temp: &Path, tls: &str) -> Up {
    let file = temp.join("pilvi.toml");
    std::fs::write(&file, format!("[tls]\n{tls}")).unwrap();
    Up::start(as_person(), &temp.join("data"), &["--config", file.to_str().unwrap()])
}

fn variables(up: &Up) -> Value {
    serde_json::from_str(&stdout(&up.ask(as_person(), &["env", "--format", "json"]))).unwrap()
}

#[test]
fn a_generated_authority_is_what_clients_need_to_trust_every_name() {
    let temp = writable();
    let up = configured(temp.path(), "generate = true\nnames = [\"pilvi.lan\"]\n");
    let variables = variables(&up);
    assert!(variables["AWS_ENDPOINT_URL"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    let bundle = Path::new(variables["AWS_CA_BUNDLE"].as_str().unwrap());
    for name in ["127.0.0.1", "localhost", "::1", "pilvi.lan"] {
        assert!(get(&up.endpoint, name, bundle).unwrap().starts_with("HTTP/1.1 200"), "{name}");
    }
    assert!(get(&up.endpoint, "pilvi.example", bundle).is_err());
    assert!(stdout(&up.ask(as_person(), &["status"])).contains("https://"));
}

#[test]
fn a_generated_certificate_survives_a_restart() {
    let temp = writable();
    let up = configured(temp.path(), "generate = true\n");
    let before = up.record("server.json")["certificateSha256"].clone();
    drop(up);
    let up = configured(temp.path(), "generate = true\n");
    assert_eq!(up.record("server.json")["certificateSha256"], before);
}

#[test]
fn an_own_certificate_is_shown_and_status_knows_it() {
    let temp = writable();
    let own = rcgen::generate_simple_self_signed(vec!["own.example".to_owned()]).unwrap();
    let (certificate, key) = (temp.path().join("own.pem"), temp.path().join("own.key"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let up = configured(temp.path(), "certificate = \"own.pem\"\nkey = \"own.key\"\n");
    assert!(get(&up.endpoint, "own.example", &certificate).unwrap().starts_with("HTTP/1.1 200"));
    assert!(variables(&up).get("AWS_CA_BUNDLE").is_none());
    stdout(&up.ask(as_person(), &["status"]));
}

#[test]
fn a_certificate_with_another_key_is_refused_before_anything_starts() {
    let temp = writable();
    let make = || rcgen::generate_simple_self_signed(vec!["own.example".to_owned()]).unwrap();
    std::fs::write(temp.path().join("own.pem"), make().cert.pem()).unwrap();
    std::fs::write(temp.path().join("own.key"), make().signing_key.serialize_pem()).unwrap();
    let file = temp.path().join("pilvi.toml");
    std::fs::write(&file, "[tls]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n").unwrap();
    let output = as_person().args(["config", "--check"]).arg(&file).output().unwrap();
    assert!(!output.status.success() && text(&output).contains("do not fit"), "{}", text(&output));
}
