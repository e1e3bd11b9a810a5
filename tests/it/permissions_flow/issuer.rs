//! An identity provider with a certificate of its own making, on this machine.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::security::now;

/// The longest wait for a request that has begun.
const PATIENCE: Duration = Duration::from_secs(10);
/// The name of its only key.
const KEY_ID: &str = "one";

/// A provider that lives as long as the test program.
pub(crate) struct Issuer {
    /// Its address, as its tokens name it.
    pub(crate) url: String,
    /// The digest of its certificate, as IAM wants it.
    pub(crate) thumbprint: String,
    pair: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) fn start() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let thumbprint = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, made.cert.der()));
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID, "x": x, "y": y });
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let (config, documents) = (Arc::new(config), Arc::new((discovery, json!({ "keys": [key] }))));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, documents) = (Arc::clone(&config), Arc::clone(&documents));
                thread::spawn(move || answer(stream, config, &documents));
            }
        });
        Self { url, thumbprint, pair }
    }

    /// What its condition keys begin with, and its ARN ends with.
    pub(crate) fn name(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// A token for a subject, which lasts ten minutes.
    pub(crate) fn token(&self, audience: &str, subject: &str) -> String {
        let issued = now().as_secs() - 5;
        let claims = json!({ "iss": self.url, "aud": audience, "sub": subject, "iat": issued, "exp": issued + 600 });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({ "typ": "JWT", "alg": "ES256", "kid": KEY_ID })), part(&claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// A trust policy for its tokens of this audience and subject.
    pub(crate) fn trust(&self, account: &str, audience: &str, subject: &str) -> String {
        let name = self.name();
        let statement = json!({
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": { "Federated": format!("arn:aws:iam::{account}:oidc-provider/{name}") },
            "Condition": { "StringEquals": { format!("{name}:aud"): audience, format!("{name}:sub"): subject } },
        });
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }
}

/// Answers one request. A client that has gone is nobody's loss.
fn answer(stream: TcpStream, config: Arc<ServerConfig>, (discovery, keys): &(Value, Value)) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut head = (&mut stream).lines().map_while(Result::ok);
    let first = head.next().unwrap_or_default();
    head.find(String::is_empty);
    let body = if first.starts_with("GET /keys ") { keys } else { discovery }.to_string();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let tls = stream.get_mut();
    let _ = tls.write_all(answer.as_bytes());
    tls.conn.send_close_notify();
    let _ = tls.flush();
}
