//! Taking content in: its bytes go to a file, its checksums are computed on the way, and nothing of it counts before all of it
//! is there, on disk, and is what was announced.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::files::{FileWriter, Files};
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use wire::content::{ContentReader, Trailers};

use super::lane::{Lane, Shop, Work};
use super::unrecorded::Unrecorded;
use super::{Content, Data, INLINE_BYTES_MAX, Piece, blocking};
use crate::Error;
use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::etag::Md5Sum;

/// How much is gathered before it is handed to those who write and hash.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// What a client says about content before it sends it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Announced {
    /// Its MD5, base64: `Content-MD5`.
    pub md5: Option<String>,
    /// Its checksums, as headers have them.
    pub checksums: Vec<(Algorithm, String)>,
    /// The checksum that is computed and kept though none is announced, or that comes after the content.
    pub algorithm: Option<Algorithm>,
    /// The most bytes that are taken.
    pub bytes_max: u64,
}

/// Content that has been taken in. Until a record names it, it is [discarded](Content::discard) by whoever has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Where it is.
    pub data: Data,
    /// How many bytes it has.
    pub size: u64,
    /// Its MD5.
    pub md5: Md5Sum,
    /// The checksum that was announced or asked for.
    pub checksum: Option<(Algorithm, Vec<u8>)>,
}

impl Received {
    /// Its checksum as an object keeps it.
    pub fn object_checksum(&self) -> Option<Checksum> {
        self.checksum.as_ref().map(|(algorithm, sum)| Checksum::of_content(*algorithm, sum))
    }
}

/// Takes in the content of one object or part.
#[derive(Debug)]
pub struct Intake {
    content: Content,
    announced: Announced,
    md5: Option<Md5Sum>,
    algorithm: Option<Algorithm>,
    is_always_file: bool,
}

impl Announced {
    /// The algorithm of the checksum that is to be computed.
    ///
    /// # Errors
    /// [`Error::InvalidRequest`] for two checksums, or for one that is of another algorithm than was said.
    fn only_algorithm(&self) -> Result<Option<Algorithm>, Error> {
        let [first, others @ ..] = self.checksums.as_slice() else { return Ok(self.algorithm) };
        if !others.is_empty() {
            return Err(Error::InvalidRequest(TWO_CHECKSUMS.to_owned()));
        }
        if self.algorithm.is_some_and(|said| said != first.0) {
            return Err(Error::InvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.".to_owned()));
        }
        Ok(Some(first.0))
    }
}

impl Content {
    /// Begins to take content in.
    ///
    /// # Errors
    /// What is wrong with what was announced.
    pub fn intake(&self, announced: Announced) -> Result<Intake, Error> {
        let algorithm = announced.only_algorithm()?;
        for (algorithm, value) in &announced.checksums {
            algorithm.read(value)?;
        }
        let md5 = announced.md5.as_deref().map(read_md5).transpose()?;
        Ok(Intake { content: self.clone(), announced, md5, algorithm, is_always_file: false })
    }
}

fn read_md5(text: &str) -> Result<Md5Sum, Error> {
    let md5 = STANDARD.decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    md5.ok_or_else(|| Error::InvalidMd5(text.to_owned()))
}

impl Intake {
    /// The same, but however little comes is a file: a part, of which an object has many.
    #[must_use]
    pub fn into_file(self) -> Self {
        Self { is_always_file: true, ..self }
    }

    /// Takes all that the reader has.
    ///
    /// # Errors
    /// What the reader answers, what the disk does, and what is not as it was announced. Nothing of it is left then.
    pub async fn take(self, mut reader: ContentReader) -> Result<Received, Error> {
        if let Some(length) = reader.declared_length() {
            if length > self.announced.bytes_max {
                return Err(Error::EntityTooLarge { size: Some(length), max: self.announced.bytes_max });
            }
            if !self.content.files.has_room(length) {
                return Err(Error::DiskFull);
            }
        }
        let (mut gathered, mut stream) = (BytesMut::new(), None);
        while let Some(mut bytes) = reader.next().await.map_err(|error| Error::Body(error.into()))? {
            while let Some(piece) = fill(&mut gathered, &mut bytes) {
                let stream = match &mut stream {
                    Some(stream) => stream,
                    none => none.insert(Stream::begin(&self)?),
                };
                stream.push(piece).await?;
            }
        }
        let trailers = reader.trailers().clone();
        let rest = gathered.freeze();
        let (received, unrecorded) = match stream {
            Some(mut stream) => {
                if !rest.is_empty() {
                    stream.push(rest).await?;
                }
                stream.finish().await?
            }
            None => self.take_small(rest).await?,
        };
        match self.checked(received, &trailers).await {
            Ok(received) => {
                unrecorded.release();
                Ok(received)
            }
            Err(error) => {
                unrecorded.discard().await;
                Err(error)
            }
        }
    }

    /// What was received, if it is what was announced, before it or after. A checksum that comes after it, and that nobody
    /// has said before to be computed, takes another reading; one, since there may be one.
    pub(super) async fn checked(&self, mut received: Received, trailers: &Trailers) -> Result<Received, Error> {
        let mut said: Vec<Algorithm> = trailers.keys().filter_map(|name| Algorithm::of_header(name)).collect();
        said.extend(self.announced.checksums.iter().map(|(algorithm, _)| *algorithm));
        if said.iter().any(|algorithm| *algorithm != said[0]) {
            return Err(Error::InvalidRequest(TWO_CHECKSUMS.to_owned()));
        }
        self.check_md5(&received)?;
        if let Some(algorithm) = said.first()
            && received.checksum.as_ref().is_none_or(|(computed, _)| computed != algorithm)
        {
            received.checksum = Some((*algorithm, self.content.sum(&received.data, *algorithm).await?));
        }
        self.check_sums(&received, trailers)?;
        Ok(received)
    }

    /// Takes content that is in memory. What is small enough to lie in a record is hashed on the spot.
    async fn take_small(&self, bytes: Bytes) -> Result<(Received, Unrecorded), Error> {
        let size = bytes.len() as u64;
        self.check_size(size)?;
        let algorithm = self.algorithm;
        if bytes.len() <= INLINE_BYTES_MAX && !self.is_always_file {
            let (md5, checksum) = sums_of(algorithm, &bytes);
            let received = Received { data: Data::Inline(bytes), size, md5, checksum };
            return Ok((received, Unrecorded::new(&self.content.files, Vec::new())));
        }
        let (mut writer, files) = (self.writer()?, self.content.files.clone());
        blocking(move || {
            let (md5, checksum) = sums_of(algorithm, &bytes);
            writer.append(&bytes)?;
            let (piece, unrecorded) = finished(writer, &files)?;
            Ok((Received { data: Data::Files(vec![piece]), size, md5, checksum }, unrecorded))
        })
        .await
    }

    fn writer(&self) -> Result<FileWriter, Error> {
        Ok(self.content.files.writer(self.announced.bytes_max)?)
    }

    fn check_size(&self, size: u64) -> Result<(), Error> {
        let max = self.announced.bytes_max;
        if size > max { Err(Error::EntityTooLarge { size: Some(size), max }) } else { Ok(()) }
    }

    fn check_md5(&self, received: &Received) -> Result<(), Error> {
        let Some(expected) = self.md5.filter(|expected| *expected != received.md5) else { return Ok(()) };
        Err(Error::BadMd5 { expected: STANDARD.encode(expected), found: STANDARD.encode(received.md5) })
    }

    /// Whether the checksums are those that were announced, before it or after.
    fn check_sums(&self, received: &Received, trailers: &Trailers) -> Result<(), Error> {
        let announced = self.announced.checksums.iter().map(|(algorithm, value)| (*algorithm, value.as_str()));
        let after = trailers
            .iter()
            .filter_map(|(name, value)| Algorithm::of_header(name).map(|algorithm| (algorithm, value.as_str())));
        for (algorithm, value) in announced.chain(after) {
            let expected = algorithm.read(value)?;
            match &received.checksum {
                Some((computed, sum)) if *computed == algorithm => {
                    if *sum != expected {
                        return Err(Error::BadChecksum(algorithm));
                    }
                }
                _ => return Err(Error::InvalidRequest(TWO_CHECKSUMS.to_owned())),
            }
        }
        Ok(())
    }
}

/// Gives a file its name: when this returns it has one, and whoever does not take it any more leaves none.
fn finished(writer: FileWriter, files: &Files) -> Result<(Piece, Unrecorded), Error> {
    let size = writer.size();
    let file = writer.finish()?;
    Ok((Piece { size, file }, Unrecorded::new(files, vec![file])))
}

const TWO_CHECKSUMS: &str = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";

fn sums_of(algorithm: Option<Algorithm>, bytes: &[u8]) -> (Md5Sum, Option<(Algorithm, Vec<u8>)>) {
    let checksum = algorithm.map(|algorithm| (algorithm, crate::checksum::of(algorithm, bytes)));
    (Md5::digest(bytes).into(), checksum)
}

/// Gathers what has come; a piece, once there is a whole one. Pieces are of one size, so that their memory serves again.
fn fill(gathered: &mut BytesMut, bytes: &mut Bytes) -> Option<Bytes> {
    if gathered.capacity() < PIECE_BYTES && gathered.len() + bytes.len() > INLINE_BYTES_MAX {
        gathered.reserve(PIECE_BYTES - gathered.len());
    }
    let count = bytes.len().min(PIECE_BYTES - gathered.len());
    gathered.extend_from_slice(&bytes.split_to(count));
    (gathered.len() == PIECE_BYTES).then(|| std::mem::take(gathered).freeze())
}

/// Content on its way to a file. The MD5, which takes longest, is computed beside everything else.
struct Stream {
    files: Files,
    shop: Shop,
    file: Lane<ToFile>,
    md5: Lane<Md5>,
    algorithm: Option<Algorithm>,
    size: u64,
    bytes_max: u64,
}

/// Writes, and computes the checksum.
struct ToFile {
    writer: FileWriter,
    hasher: Option<Hasher>,
}

impl Work for ToFile {
    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        Ok(self.writer.append(piece)?)
    }
}

impl Work for Md5 {
    fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.update(piece);
        Ok(())
    }
}

impl Stream {
    fn begin(intake: &Intake) -> Result<Self, Error> {
        let shop = intake.content.shop.clone();
        let to_file = ToFile { writer: intake.writer()?, hasher: intake.algorithm.map(Hasher::new) };
        let (file, md5) = (Lane::new(to_file, &shop), Lane::new(Md5::new(), &shop));
        let (files, bytes_max) = (intake.content.files.clone(), intake.announced.bytes_max);
        Ok(Self { files, shop, file, md5, algorithm: intake.algorithm, size: 0, bytes_max })
    }

    async fn push(&mut self, piece: Bytes) -> Result<(), Error> {
        self.size += piece.len() as u64;
        if self.size > self.bytes_max {
            return Err(Error::EntityTooLarge { size: Some(self.size), max: self.bytes_max });
        }
        let piece = self.shop.place(piece).await?;
        tokio::try_join!(self.md5.push(piece.clone()), self.file.push(piece)).map(drop)
    }

    async fn finish(self) -> Result<(Received, Unrecorded), Error> {
        let files = self.files;
        let file = async {
            let ToFile { writer, hasher } = self.file.finish().await?;
            let (piece, unrecorded) = blocking(move || finished(writer, &files)).await?;
            Ok::<_, Error>((piece, unrecorded, hasher.map(Hasher::finish)))
        };
        let ((piece, unrecorded, sum), md5) = match tokio::join!(file, self.md5.finish()) {
            (file, Ok(md5)) => (file?, md5),
            (_, Err(error)) => return Err(error),
        };
        let (checksum, md5) = (self.algorithm.zip(sum), md5.finalize().into());
        Ok((Received { data: Data::Files(vec![piece]), size: piece.size, md5, checksum }, unrecorded))
    }
}
