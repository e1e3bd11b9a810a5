//! JSON Web Tokens in their compact form (RFC 7519, RFC 7515): read, not yet believed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::jwk::Algorithm;

/// The largest instant that is taken for one, in seconds: beyond it a number is none that a clock shows.
const INSTANT_MAX_S: f64 = 253_402_300_799.0;

/// A token of which nothing has been verified.
#[derive(Debug)]
pub(super) struct Token {
    key_id: Option<String>,
    algorithm: Algorithm,
    claims: Map<String, Value>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl Token {
    /// Reads `header.payload.signature`. None if it is no such token, or one whose algorithm is not served; `none` and
    /// those that share a secret are not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header: Map<String, Value> = serde_json::from_slice(&decode(header)?).ok()?;
        // A header that must be understood and is not makes the token invalid (RFC 7515, 4.1.11).
        if header.contains_key("crit") {
            return None;
        }
        Some(Self {
            key_id: header.get("kid").and_then(Value::as_str).map(str::to_owned),
            algorithm: Algorithm::named(header.get("alg")?.as_str()?)?,
            claims: serde_json::from_slice(&decode(payload)?).ok()?,
            signed: signed.as_bytes().to_vec(),
            signature: decode(signature)?,
        })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// What the signature is over.
    pub(super) fn signed(&self) -> &[u8] {
        &self.signed
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    pub(super) fn claims(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.claims.iter()
    }

    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// A claim that is a text, and not an empty one.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The texts of a claim that is one or several.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        self.claim(name).map(texts).unwrap_or_default()
    }

    /// A claim that is an instant, in seconds; fractions are cut off.
    pub(super) fn instant(&self, name: &str) -> Option<i64> {
        let seconds = self.claim(name)?.as_f64()?;
        // In this range the conversion loses nothing but the fraction.
        (0.0..=INSTANT_MAX_S).contains(&seconds).then_some(seconds as i64)
    }
}

/// A value as condition keys have it: a text, a number or a boolean, or a list of them.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(value) => vec![value.to_string()],
        Value::Array(values) => values.iter().filter(|value| !value.is_array()).flat_map(texts).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
