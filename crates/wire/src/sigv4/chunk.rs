//! The signatures of the chunks of a body: each covers its chunk and the signature before it, so that none can be left out,
//! doubled or put elsewhere.
//!
//! Source: S3 API Reference, "Signature calculations for the Authorization header: transferring payload in multiple chunks",
//! and "… including trailing headers".

use std::sync::Arc;

use base::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{CredentialScope, SigningKey};

const PAYLOAD: &str = "AWS4-HMAC-SHA256-PAYLOAD";
const TRAILER: &str = "AWS4-HMAC-SHA256-TRAILER";

/// A chain, as far as it has been verified.
#[derive(Debug, Clone)]
pub struct ChunkChain {
    key: Arc<SigningKey>,
    scope: String,
    at: String,
    previous: String,
}

impl ChunkChain {
    /// A chain that begins with the signature of a request's head.
    pub fn new(key: Arc<SigningKey>, scope: &CredentialScope, at: Timestamp, head: String) -> Self {
        Self { key, scope: scope.to_string(), at: at.basic(), previous: head }
    }

    /// The signature of the next chunk, whose bytes have this SHA-256. The chain goes on from there.
    pub fn chunk(&mut self, sha256: [u8; 32]) -> &str {
        let nothing = hex::encode(Sha256::digest(b""));
        let rest = format!("{nothing}\n{}", hex::encode(sha256));
        self.sign(PAYLOAD, &rest)
    }

    /// The signature of what follows the last chunk: a line `name:value` for each trailer, in the order of their names, each
    /// with a line feed.
    pub fn trailer(&mut self, lines: &str) -> &str {
        self.sign(TRAILER, &hex::encode(Sha256::digest(lines.as_bytes())))
    }

    /// Whether the next chunk is the one that `given` signs.
    pub fn admits_chunk(&mut self, sha256: [u8; 32], given: &str) -> bool {
        bool::from(self.chunk(sha256).as_bytes().ct_eq(given.as_bytes()))
    }

    /// Whether the trailer is the one that `given` signs.
    pub fn admits_trailer(&mut self, lines: &str, given: &str) -> bool {
        bool::from(self.trailer(lines).as_bytes().ct_eq(given.as_bytes()))
    }

    fn sign(&mut self, algorithm: &str, rest: &str) -> &str {
        let text = format!("{algorithm}\n{}\n{}\n{}\n{rest}", self.at, self.scope, self.previous);
        self.previous = self.key.sign(text.as_bytes());
        &self.previous
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigv4::SecretAccessKey;

    /// The chain of the API reference's examples.
    fn chain(head: &str) -> ChunkChain {
        let at = Timestamp::parse_basic("20130524T000000Z").unwrap();
        let scope = CredentialScope::new(at, "us-east-1", "s3");
        let secret = SecretAccessKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        ChunkChain::new(Arc::new(SigningKey::derive(&secret, &scope)), &scope, at, head.to_owned())
    }

    fn of(length: usize) -> [u8; 32] {
        Sha256::digest(vec![b'a'; length]).into()
    }

    #[test]
    fn the_chain_is_that_of_the_api_reference() {
        let mut chain = chain("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
        for (length, signature) in [
            (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
            (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
            (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
        ] {
            assert_eq!(chain.chunk(of(length)), signature, "{length}");
        }
    }

    #[test]
    fn the_chain_with_a_trailer_is_that_of_the_api_reference() {
        let mut chain = chain("106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
        for (length, signature) in [
            (65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
            (1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
            (0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
        ] {
            assert_eq!(chain.chunk(of(length)), signature, "{length}");
        }
        let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";
        assert!(chain.admits_trailer("x-amz-checksum-crc32c:sOO8/Q==\n", signature));
    }

    #[test]
    fn a_chunk_has_its_place() {
        let head = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let second = "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";
        assert!(!chain(head).admits_chunk(of(1024), second));
        assert!(!chain(head).admits_chunk(of(65536), ""));
    }
}
