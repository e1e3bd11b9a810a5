//! Identifiers in the forms that clients know from AWS.

use crate::Rng;

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// 32 hexadecimal digits: ECS's tasks and container instances.
pub fn hex32(rng: &dyn Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    hex(&bytes)
}

/// A version 4 UUID: request ids and most client tokens.
pub fn uuid(rng: &dyn Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// An IAM unique id: four letters that tell the kind (`AIDA` user, `AROA` role, `ANPA` policy, `AIPA` instance profile,
/// `AGPA` group, `AKIA` access key, `ASIA` temporary access key) and 17 base32 characters, 16 for the two kinds of key.
pub fn iam(rng: &dyn Rng, prefix: &str) -> String {
    let length = if matches!(prefix, "AKIA" | "ASIA") { 16 } else { 17 };
    let mut bytes = [0; 17];
    rng.fill(&mut bytes);
    let tail = bytes[..length].iter().map(|b| char::from(BASE32[usize::from(b & 31)]));
    prefix.chars().chain(tail).collect()
}

/// A secret access key: 40 characters of base64's alphabet, 240 random bits.
pub fn secret_access_key(rng: &dyn Rng) -> String {
    let mut bytes = [0; 40];
    rng.fill(&mut bytes);
    bytes.iter().map(|b| char::from(BASE64[usize::from(b & 63)])).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [HEX[usize::from(b >> 4)], HEX[usize::from(b & 15)]]).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededRng;

    #[test]
    fn ids_have_the_lengths_that_clients_expect() {
        let rng = SeededRng::new(1);
        assert_eq!(hex32(&rng).len(), 32);
        assert_eq!(iam(&rng, "AKIA").len(), 20);
        assert_eq!(iam(&rng, "AROA").len(), 21);
        assert_eq!(secret_access_key(&rng).len(), 40);
        let uuid = uuid(&rng);
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
    }
}
