//! Taking content in: its bytes go to a file, its checksums are computed on the way, and nothing of it counts before all of it
//! is there, on disk, and is what was announced.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blobs::files::FileWriter;
use bytes::{Bytes, BytesMut};
use md5::{Digest, Md5};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use wire::content::{ContentReader, Trailers};

use super::{Content, Data, INLINE_BYTES_MAX, Piece, Span, blocking};
use crate::Error;
use crate::checksum::{Algorithm, Checksum, Hasher};
use crate::etag::Md5Sum;

/// How much is gathered before it is handed to the threads that write and hash.
const PIECE_BYTES: usize = 256 * 1024;
/// How many pieces wait for each of these threads; with those at work this bounds an upload's memory.
const PIECES_WAITING: usize = 2;

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

impl Content {
    /// A checksum of content that is there.
    pub(crate) async fn sum(&self, data: &Data, algorithm: Algorithm) -> Result<Vec<u8>, Error> {
        let mut hasher = Hasher::new(algorithm);
        let whole = self.give(data, Span::all(data.size())).await?;
        let mut reader = whole.ok_or_else(|| Error::Internal("content has gone".to_owned()))?.into_reader();
        while let Some(piece) = reader.next().await.map_err(|error| Error::Body(error.into()))? {
            hasher.update(&piece);
        }
        Ok(hasher.finish())
    }
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
        let mut gathered = BytesMut::new();
        let mut stream: Option<Stream> = None;
        while let Some(bytes) = reader.next().await.map_err(|error| Error::Body(error.into()))? {
            gathered.extend_from_slice(&bytes);
            if gathered.len() >= PIECE_BYTES {
                let piece = gathered.split().freeze();
                match &mut stream {
                    Some(stream) => stream.push(piece).await?,
                    None => stream = Some(Stream::begin(&self, piece).await?),
                }
            }
        }
        let trailers = reader.trailers().clone();
        let rest = gathered.freeze();
        let received = match stream {
            Some(mut stream) => {
                if !rest.is_empty() {
                    stream.push(rest).await?;
                }
                stream.finish().await?
            }
            None => self.take_small(rest).await?,
        };
        let data = received.data.clone();
        let checked = self.checked(received, &trailers).await;
        if checked.is_err() {
            self.content.discard(&data).await;
        }
        checked
    }

    /// What was received, if it is what was announced, before it or after. A checksum that comes after it, and that nobody
    /// has said before to be computed, takes another reading.
    async fn checked(&self, mut received: Received, trailers: &Trailers) -> Result<Received, Error> {
        for algorithm in trailers.keys().filter_map(|name| Algorithm::of_header(name)) {
            if received.checksum.as_ref().is_none_or(|(computed, _)| *computed != algorithm) {
                received.checksum = Some((algorithm, self.content.sum(&received.data, algorithm).await?));
            }
        }
        self.check(&received, trailers)?;
        Ok(received)
    }

    /// Takes content that is in memory. What is small enough to lie in a record is hashed on the spot.
    async fn take_small(&self, bytes: Bytes) -> Result<Received, Error> {
        let size = bytes.len() as u64;
        self.check_size(size)?;
        let algorithm = self.algorithm;
        if bytes.len() <= INLINE_BYTES_MAX && !self.is_always_file {
            let (md5, checksum) = sums_of(algorithm, &bytes);
            return Ok(Received { data: Data::Inline(bytes), size, md5, checksum });
        }
        let mut writer = self.writer()?;
        blocking(move || {
            let (md5, checksum) = sums_of(algorithm, &bytes);
            writer.append(&bytes)?;
            let data = Data::Files(vec![Piece { size, file: writer.finish()? }]);
            Ok(Received { data, size, md5, checksum })
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

    /// Whether it is what was announced, before it or after.
    fn check(&self, received: &Received, trailers: &Trailers) -> Result<(), Error> {
        if let Some(expected) = self.md5.filter(|expected| *expected != received.md5) {
            let (expected, found) = (STANDARD.encode(expected), STANDARD.encode(received.md5));
            return Err(Error::BadMd5 { expected, found });
        }
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

const TWO_CHECKSUMS: &str = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";

fn sums_of(algorithm: Option<Algorithm>, bytes: &[u8]) -> (Md5Sum, Option<(Algorithm, Vec<u8>)>) {
    let checksum = algorithm.map(|algorithm| (algorithm, crate::checksum::of(algorithm, bytes)));
    (Md5::digest(bytes).into(), checksum)
}

/// A file and its checksum, if one is computed.
type Written = (Piece, Option<Vec<u8>>);

/// Content on its way to a file: one thread writes and computes the checksum, another one the MD5, which takes longest.
struct Stream {
    to_file: mpsc::Sender<Bytes>,
    to_md5: mpsc::Sender<Bytes>,
    file: JoinHandle<Result<Written, Error>>,
    md5: JoinHandle<Md5Sum>,
    algorithm: Option<Algorithm>,
    size: u64,
    bytes_max: u64,
}

impl Stream {
    async fn begin(intake: &Intake, first: Bytes) -> Result<Self, Error> {
        let mut writer = intake.writer()?;
        let (to_file, mut file_pieces) = mpsc::channel::<Bytes>(PIECES_WAITING);
        let (to_md5, mut md5_pieces) = mpsc::channel::<Bytes>(PIECES_WAITING);
        let algorithm = intake.algorithm;
        let file = tokio::task::spawn_blocking(move || {
            let mut hasher = algorithm.map(Hasher::new);
            let mut is_whole = false;
            while let Some(piece) = file_pieces.blocking_recv() {
                is_whole = piece.is_empty();
                writer.append(&piece)?;
                if let Some(hasher) = &mut hasher {
                    hasher.update(&piece);
                }
            }
            if !is_whole {
                // Whoever sent has gone.
                return Err(Error::IncompleteBody);
            }
            let size = writer.size();
            Ok((Piece { size, file: writer.finish()? }, hasher.map(Hasher::finish)))
        });
        let md5 = tokio::task::spawn_blocking(move || {
            let mut md5 = Md5::new();
            while let Some(piece) = md5_pieces.blocking_recv() {
                md5.update(&piece);
            }
            md5.finalize().into()
        });
        let mut stream = Self { to_file, to_md5, file, md5, algorithm, size: 0, bytes_max: intake.announced.bytes_max };
        stream.push(first).await?;
        Ok(stream)
    }

    async fn push(&mut self, piece: Bytes) -> Result<(), Error> {
        self.size += piece.len() as u64;
        if self.size > self.bytes_max {
            return Err(Error::EntityTooLarge { size: Some(self.size), max: self.bytes_max });
        }
        // A thread that has ended has a reason, which finish tells.
        let _ = tokio::join!(self.to_md5.send(piece.clone()), self.to_file.send(piece));
        if self.file.is_finished() {
            return Err((&mut self.file).await.map_err(broken_off)?.err().unwrap_or(Error::IncompleteBody));
        }
        Ok(())
    }

    async fn finish(self) -> Result<Received, Error> {
        // An empty piece says that it was all.
        let _ = self.to_file.send(Bytes::new()).await;
        drop((self.to_file, self.to_md5));
        let (piece, sum) = self.file.await.map_err(broken_off)??;
        let md5 = self.md5.await.map_err(broken_off)?;
        let checksum = self.algorithm.zip(sum);
        Ok(Received { data: Data::Files(vec![piece]), size: piece.size, md5, checksum })
    }
}

fn broken_off(error: tokio::task::JoinError) -> Error {
    Error::Internal(format!("taking content in broke off: {error}"))
}
