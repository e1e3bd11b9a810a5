//! An identity provider of this machine, and the tokens that it signs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub(crate) struct Issuer {
    pub(crate) url: String,
    /// SHA-1 of its certificate, if it has one.
    pub(crate) thumbprint: String,
    /// How many documents it has handed out.
    pub(crate) asked: Arc<AtomicUsize>,
    key: EcdsaKeyPair,
}

impl Issuer {
    pub(crate) async fn plain() -> Self {
        Self::start(None, String::new()).await
    }

    /// With a certificate that it made itself.
    pub(crate) async fn encrypted() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let der = made.cert.der().clone();
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &der);
        let thumbprint = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![der], key).unwrap();
        Self::start(Some(TlsAcceptor::from(Arc::new(config))), thumbprint).await
    }

    async fn start(tls: Option<TlsAcceptor>, thumbprint: String) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &SystemRandom::new());
        let key = key.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let point = key.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        let keys = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "use": "sig", "x": x, "y": y}]});
        let discovery = json!({"issuer": url, "jwks_uri": format!("{url}/keys")});
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                match &tls {
                    None => serve(stream, &discovery, &keys).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, &discovery, &keys).await;
                        }
                    }
                }
            }
        });
        Self { url, thumbprint, asked, key }
    }

    /// What stands before the colon in its condition keys.
    pub(crate) fn name(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// A token with these claims besides the issuer.
    pub(crate) fn token(&self, claims: Value) -> String {
        self.token_of_key("one", claims)
    }

    pub(crate) fn token_of_key(&self, kid: &str, mut claims: Value) -> String {
        if claims.get("iss").is_none() {
            claims["iss"] = self.url.clone().into();
        }
        let head = json!({"alg": "ES256", "kid": kid, "typ": "JWT"});
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&head), part(&claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, discovery: &Value, keys: &Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let body = match head.starts_with(b"GET /keys ") {
        true => keys.to_string(),
        false => discovery.to_string(),
    };
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // A client that has gone away is no matter here.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
