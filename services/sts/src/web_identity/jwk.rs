//! A provider's public keys (RFC 7517) and the algorithms (RFC 7518) with which they verify.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;

/// Keys of one provider; further ones are passed over.
const KEYS_MAX: usize = 100;
/// What an uncompressed point of an elliptic curve begins with.
const UNCOMPRESSED_POINT: u8 = 4;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Es256,
    Es384,
}

impl Algorithm {
    /// By its name in a token's head.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "RS384" => Some(Self::Rs384),
            "RS512" => Some(Self::Rs512),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
        }
    }

    fn rsa(self) -> Option<&'static RsaParameters> {
        match self {
            Self::Rs256 => Some(&RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Some(&RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Some(&RSA_PKCS1_2048_8192_SHA512),
            Self::Es256 | Self::Es384 => None,
        }
    }
}

/// A public key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// The one algorithm that it is for, if it says one.
    algorithm: Option<String>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct JsonKey {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can verify tokens. Others, for other purposes or of other kinds, are passed over.
pub(super) fn read_set(json: &[u8]) -> Option<Vec<Key>> {
    let set: KeySet = serde_json::from_slice(json).ok()?;
    let keys = set.keys.into_iter().take(KEYS_MAX);
    Some(keys.filter_map(|key| Key::read(serde_json::from_value(key).ok()?)).collect())
}

impl Key {
    fn read(key: JsonKey) -> Option<Self> {
        if key.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let material = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => Material::Rsa { modulus: decode(key.n?)?, exponent: decode(key.e?)? },
            ("EC", Some("P-256")) => Material::P256(point(&decode(key.x?)?, &decode(key.y?)?, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(&decode(key.x?)?, &decode(key.y?)?, 48)?),
            _ => return None,
        };
        Some(Self { id: key.kid, algorithm: key.alg, material })
    }

    /// Whether it could have made a signature of this kind.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        let says = self.algorithm.as_deref().is_none_or(|named| named == algorithm.name());
        let can = match self.material {
            Material::Rsa { .. } => algorithm.rsa().is_some(),
            Material::P256(_) => algorithm == Algorithm::Es256,
            Material::P384(_) => algorithm == Algorithm::Es384,
        };
        says && can
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.is_for(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { modulus, exponent } => algorithm.rsa().is_some_and(|parameters| {
                // ring takes no zeros at the front.
                let components = RsaPublicKeyComponents { n: trimmed(modulus), e: trimmed(exponent) };
                components.verify(parameters, message, signature).is_ok()
            }),
            Material::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            Material::P384(point) => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature).is_ok()
            }
        }
    }
}

fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

fn point(x: &[u8], y: &[u8], bytes: usize) -> Option<Vec<u8>> {
    (x.len() == bytes && y.len() == bytes).then(|| [&[UNCOMPRESSED_POINT], x, y].concat())
}

fn decode(text: String) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::super::jwt::Token;
    use super::*;

    /// RFC 7515, appendix A.2.
    const RSA: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
    const RS256: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    /// RFC 7515, appendix A.3.
    const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const ES256: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn key(json: &str) -> Key {
        read_set(format!(r#"{{"keys":[{json}]}}"#).as_bytes()).unwrap().pop().unwrap()
    }

    fn verifies(key: &Key, token: &str) -> bool {
        let token = Token::parse(token).unwrap();
        key.verifies(token.algorithm(), token.signed(), token.signature())
    }

    #[test]
    fn the_standards_examples_verify_with_their_own_keys_alone() {
        let (rsa, ec) = (key(RSA), key(EC));
        assert!(verifies(&rsa, RS256) && verifies(&ec, ES256));
        assert!(!verifies(&rsa, ES256) && !verifies(&ec, RS256));
        let other = ES256.replace("eyJpc3MiOiJqb2Ui", "eyJpc3MiOiJqb2Yi");
        assert!(!verifies(&ec, &other));
    }

    #[test]
    fn a_key_for_another_purpose_or_algorithm_verifies_nothing() {
        let with = |member: &str| RSA.replacen('{', &format!("{{{member},"), 1);
        assert!(verifies(&key(&with(r#""alg":"RS256""#)), RS256));
        assert!(!verifies(&key(&with(r#""alg":"RS512""#)), RS256));
        let set = |json: String| read_set(format!(r#"{{"keys":[{json}]}}"#).as_bytes()).unwrap();
        assert!(set(with(r#""use":"enc""#)).is_empty());
        assert!(set(r#"{"kty":"oct","k":"c2VjcmV0"}"#.to_owned()).is_empty());
        assert!(set(r#"{"kty":"EC","crv":"P-256","x":"f83O","y":"x_FE"}"#.to_owned()).is_empty());
    }

    #[test]
    fn algorithms_that_prove_nothing_are_not_read() {
        for name in ["none", "None", "HS256", "HS512", "PS256", ""] {
            assert_eq!(Algorithm::named(name), None, "{name}");
        }
    }
}
