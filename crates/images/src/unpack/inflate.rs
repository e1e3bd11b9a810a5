//! The first half: from the blob to the archive's bytes.

use std::io::{self, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};

use flate2::bufread::MultiGzDecoder;

use super::{PIECE_BYTES, Reading, UnpackError};
use crate::Digest;
use crate::digest::Hasher;

const BLOB_BUFFER_BYTES: usize = 128 * 1024;
/// The largest window of zstd, as a power of two: 128 MiB, the most that its own programs take unless told otherwise.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// A blob while it is read: hashed, counted, and cut off when it is longer than announced.
struct Blob<'a> {
    input: Box<dyn Read + Send>,
    /// The first bytes, which were looked at and are to be read yet.
    peeked: Vec<u8>,
    hasher: Hasher,
    read: u64,
    announced: u64,
    progress: &'a (dyn Fn(u64) -> bool + Sync),
    /// What ended it, apart from its end: kept here, because decoders put errors into words of their own.
    failure: Option<UnpackError>,
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.failure.is_some() {
            return Err(io::ErrorKind::Other.into());
        }
        if !self.peeked.is_empty() {
            let length = self.peeked.len().min(buffer.len());
            buffer[..length].copy_from_slice(&self.peeked[..length]);
            self.peeked.drain(..length);
            return Ok(length);
        }
        let length = match self.input.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => return self.fail(UnpackError::Read(error)),
            Ok(length) => length,
        };
        self.hasher.update(&buffer[..length]);
        self.read += length as u64;
        if self.read > self.announced {
            return self.fail(UnpackError::BlobSize { announced: self.announced });
        }
        if !(self.progress)(self.read) {
            return self.fail(UnpackError::Stopped);
        }
        Ok(length)
    }
}

impl Blob<'_> {
    /// How it is compressed.
    fn form(&mut self) -> io::Result<Form> {
        let mut first = [0; FORM_BYTES];
        let length = fill(self, &mut first)?;
        self.peeked = first[..length].to_vec();
        Ok(Form::of(&self.peeked))
    }

    fn fail(&mut self, failure: UnpackError) -> io::Result<usize> {
        self.failure = Some(failure);
        Err(io::ErrorKind::Other.into())
    }

    /// Reads what is left and says whether the whole was what was announced.
    fn verify(&mut self, digest: &Digest) -> Result<(), UnpackError> {
        let mut rest = vec![0; BLOB_BUFFER_BYTES];
        loop {
            match self.read(&mut rest) {
                Ok(0) => break,
                Err(error) if error.kind() != io::ErrorKind::Interrupted => break,
                Ok(_) | Err(_) => {}
            }
        }
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.read != self.announced {
            return Err(UnpackError::BlobSize { announced: self.announced });
        }
        let hasher = std::mem::replace(&mut self.hasher, Hasher::new(digest.algorithm()));
        let found = hasher.finish();
        if found == *digest { Ok(()) } else { Err(UnpackError::BlobMismatch { found }) }
    }
}

/// Reads the blob to its end even if it cannot be inflated, or the archive in it not be read: whether it was damaged on its
/// way is worth knowing, because then another try may succeed. Nothing is read on where that would change nothing.
pub(super) fn inflate(
    reading: &Reading<'_>,
    input: Box<dyn Read + Send>,
    pieces: &SyncSender<Vec<u8>>,
    returned: &Receiver<Vec<u8>>,
    hopeless: &AtomicBool,
) -> Result<(), UnpackError> {
    let announced = &reading.layer.blob;
    let mut blob = Blob {
        input,
        peeked: Vec::new(),
        hasher: Hasher::new(announced.digest.algorithm()),
        read: 0,
        announced: announced.size,
        progress: reading.progress,
        failure: None,
    };
    let form = blob.form();
    let mut buffered = BufReader::with_capacity(BLOB_BUFFER_BYTES, blob);
    let sent = match form {
        Ok(form) => send_all(reading, form, &mut buffered, pieces, returned),
        Err(error) => Err(UnpackError::Inflate(error)),
    };
    if matches!(sent, Err(UnpackError::TooLarge { .. })) || hopeless.load(Ordering::Relaxed) {
        return sent;
    }
    buffered.get_mut().verify(&announced.digest)?;
    sent
}

/// How a blob is compressed. Its media type may say otherwise: like containerd and Docker we believe the first bytes, and
/// then the two digests.
#[derive(Clone, Copy)]
enum Form {
    Plain,
    Gzip,
    Zstd,
}

/// How many bytes tell one form from another.
const FORM_BYTES: usize = 4;

impl Form {
    fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

fn send_all(
    reading: &Reading<'_>,
    form: Form,
    blob: &mut BufReader<Blob<'_>>,
    pieces: &SyncSender<Vec<u8>>,
    returned: &Receiver<Vec<u8>>,
) -> Result<(), UnpackError> {
    match form {
        Form::Plain => send(reading, blob, |it| it.get_ref().read, pieces, returned),
        // Several members in a row are one file (RFC 1952, section 2.2); pigz and eStargz write such.
        Form::Gzip => send(reading, &mut MultiGzDecoder::new(blob), |it| it.get_ref().get_ref().read, pieces, returned),
        Form::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(blob).map_err(UnpackError::Inflate)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(UnpackError::Inflate)?;
            send(reading, &mut decoder, |it| it.get_ref().get_ref().read, pieces, returned)
        }
    }
}

/// Sends what comes out in pieces, as long as somebody takes them.
fn send<D: Read>(
    reading: &Reading<'_>,
    decoder: &mut D,
    read: impl Fn(&D) -> u64,
    pieces: &SyncSender<Vec<u8>>,
    returned: &Receiver<Vec<u8>>,
) -> Result<(), UnpackError> {
    let mut sent = 0_u64;
    loop {
        let mut piece = returned.try_recv().unwrap_or_default();
        piece.resize(PIECE_BYTES, 0);
        let length = fill(decoder, &mut piece).map_err(UnpackError::Inflate)?;
        if length == 0 {
            return Ok(());
        }
        piece.truncate(length);
        sent += length as u64;
        let by_ratio = read(decoder).saturating_mul(reading.limits.ratio_max).max(reading.limits.ratio_free_bytes);
        if sent > by_ratio.min(reading.limits.archive_bytes_max) {
            return Err(UnpackError::TooLarge { bytes: sent });
        }
        // Little of a blob can become much on the disk: nobody waits for the next of its bytes to be asked.
        if !(reading.progress)(read(decoder)) {
            return Err(UnpackError::Stopped);
        }
        if pieces.send(piece).is_err() {
            // The second half has failed, and says so.
            return Ok(());
        }
    }
}

fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}
