//! Sums of content that is there. They are computed as those of what comes are: by threads that may work at length.

use bytes::Bytes;
use md5::{Digest, Md5};
use wire::content::ContentReader;

use super::intake::PIECE_BYTES;
use super::lane::{Lane, Placed, Shop, Work};
use super::{Content, Data, Span};
use crate::Error;
use crate::checksum::{self, Algorithm, Hasher};
use crate::etag::Md5Sum;

impl Work for Hasher {
    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.update(piece);
        Ok(())
    }
}

impl Content {
    /// A checksum of content.
    ///
    /// # Errors
    /// [`Error::Files`]; [`Error::Internal`] if the content has gone.
    pub(crate) async fn sum(&self, data: &Data, algorithm: Algorithm) -> Result<Vec<u8>, Error> {
        if let Data::Inline(bytes) = data {
            return Ok(checksum::of(algorithm, bytes));
        }
        let mut pieces = self.pieces(data).await?;
        let hasher = Lane::new(Hasher::new(algorithm), &self.shop);
        while let Some(piece) = pieces.next().await? {
            hasher.push(piece).await?;
        }
        Ok(hasher.finish().await?.finish())
    }

    /// The MD5 of content, and a checksum.
    ///
    /// # Errors
    /// Those of [`Content::sum`].
    pub(crate) async fn sums(&self, data: &Data, algorithm: Algorithm) -> Result<(Md5Sum, Vec<u8>), Error> {
        if let Data::Inline(bytes) = data {
            return Ok((checksum::md5_of(bytes), checksum::of(algorithm, bytes)));
        }
        let mut pieces = self.pieces(data).await?;
        let (md5, hasher) = (Lane::new(Md5::new(), &self.shop), Lane::new(Hasher::new(algorithm), &self.shop));
        while let Some(piece) = pieces.next().await? {
            tokio::try_join!(md5.push(piece.clone()), hasher.push(piece))?;
        }
        let (md5, hasher) = tokio::try_join!(md5.finish(), hasher.finish())?;
        Ok((md5.finalize().into(), hasher.finish()))
    }

    async fn pieces(&self, data: &Data) -> Result<Pieces, Error> {
        let whole = self.give(data, Span::all(data.size())).await?;
        let reader = whole.ok_or_else(|| Error::Internal("content has gone".to_owned()))?.into_reader();
        Ok(Pieces { shop: self.shop.clone(), reader, rest: Bytes::new() })
    }
}

/// Content, piece by piece.
struct Pieces {
    shop: Shop,
    reader: ContentReader,
    /// What has been read and not yet been handed out.
    rest: Bytes,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Placed>, Error> {
        while self.rest.is_empty() {
            match self.reader.next().await.map_err(|error| Error::Body(error.into()))? {
                Some(bytes) => self.rest = bytes,
                None => return Ok(None),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        self.shop.place(piece).await.map(Some)
    }
}
