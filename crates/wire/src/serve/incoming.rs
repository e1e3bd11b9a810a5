//! The body of a request that streams, verified while it is read.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::body::RequestBody;
use crate::content::{ContentError, Trailers};

/// How the bytes are verified.
pub(crate) enum Verification {
    /// They are not covered by the signature.
    None,
    /// Together they have this hash.
    Sha256 {
        /// The hash that was signed.
        declared: [u8; 32],
        /// That of what has come so far.
        so_far: Sha256,
    },
}

/// A body that is on its way.
pub(crate) struct Incoming {
    body: RequestBody,
    verification: Verification,
    length: Option<u64>,
    trailers: Trailers,
}

impl Incoming {
    /// A body of which nothing has been read.
    pub(crate) fn new(body: RequestBody, verification: Verification) -> Self {
        Self { length: body.declared_length(), body, verification, trailers: Trailers::new() }
    }

    /// How many bytes it is to have.
    pub(crate) fn declared_length(&self) -> Option<u64> {
        self.length
    }

    /// The next piece; none once all of it has been verified.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ContentError> {
        let piece = self.body.next().await?;
        if let Verification::Sha256 { declared, so_far } = &mut self.verification {
            match &piece {
                Some(piece) => so_far.update(piece),
                None => {
                    let found: [u8; 32] = std::mem::take(so_far).finalize().into();
                    bool::from(found.ct_eq(declared)).then_some(()).ok_or(ContentError::Sha256)?;
                }
            }
        }
        Ok(piece)
    }

    /// What came after it.
    pub(crate) fn take_trailers(&mut self) -> Trailers {
        std::mem::take(&mut self.trailers)
    }
}
