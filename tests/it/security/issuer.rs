//! An identity provider that lies when it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value as Json, json};

/// The path of a provider's description of itself.
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The longest wait for a request that has begun.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent for a path: whole HTTP answers, or nothing of the kind.
type Say = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// A server on this machine's loopback.
pub(super) struct Issuer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    /// A provider whose only key is `key`.
    pub(super) fn honest(key: &Key) -> Self {
        let set = key.set();
        Self::saying(move |issuer, path| match path {
            DISCOVERY => document(&json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") })),
            "/keys" => document(&set),
            _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
        })
    }

    /// A server that answers what `say` makes of its own address and a path.
    pub(super) fn saying(say: impl Fn(&str, &str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let asked = Arc::new(AtomicUsize::new(0));
        let issuer = format!("http://{address}");
        let say: Arc<Say> = Arc::new(move |path| say(&issuer, path));
        let counted = asked.clone();
        // Ends with the test program, as its connections do.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counted.fetch_add(1, Ordering::SeqCst);
                let say = say.clone();
                thread::spawn(move || answer(stream, &*say));
            }
        });
        Self { address, asked }
    }

    /// Its address, as its tokens name it.
    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections it was sent.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A JSON document as an answer.
pub(super) fn document(json: &Json) -> Vec<u8> {
    let body = json.to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    [head, body].concat().into_bytes()
}

/// Answers one request. A client that has gone is nobody's loss.
fn answer(mut stream: TcpStream, say: &Say) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let Ok(reading) = stream.try_clone() else { return };
    let mut lines = BufReader::new(reading).lines().map_while(Result::ok);
    let path = lines.next().and_then(|line| line.split(' ').nth(1).map(str::to_owned));
    lines.find(String::is_empty);
    let _ = stream.write_all(&say(&path.unwrap_or_default()));
}

/// A key pair of a provider.
pub(super) struct Key {
    id: String,
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Key {
    pub(super) fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("keys can be made");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random);
        Self { id: id.to_owned(), pair: pair.expect("a key that was made can be read"), random }
    }

    /// The public point: what everybody knows of the key.
    pub(super) fn point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The public key as a JSON Web Key.
    pub(super) fn public(&self) -> Json {
        let (x, y) = self.point()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "kid": self.id, "alg": "ES256", "use": "sig", "x": coded(x), "y": coded(y) })
    }

    fn set(&self) -> Json {
        json!({ "keys": [self.public()] })
    }

    /// The head of its tokens.
    pub(super) fn header(&self) -> Json {
        json!({ "typ": "JWT", "alg": "ES256", "kid": self.id })
    }

    /// A token.
    pub(super) fn token(&self, claims: &Json) -> String {
        self.sign(&self.header(), claims)
    }

    /// A token with any head.
    pub(super) fn sign(&self, header: &Json, claims: &Json) -> String {
        let signed = unsigned(header, claims);
        let signature = self.pair.sign(&self.random, signed.as_bytes()).expect("a text can be signed");
        format!("{signed}.{}", coded(signature.as_ref()))
    }
}

/// What a token's signature is over.
pub(super) fn unsigned(header: &Json, claims: &Json) -> String {
    format!("{}.{}", coded(header.to_string().as_bytes()), coded(claims.to_string().as_bytes()))
}

/// Bytes as a token writes them.
pub(super) fn coded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
