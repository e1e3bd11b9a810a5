//! Content that is too long for memory: made while it is sent, hashed while it is read.

use std::io::{self, BufReader, Read, Write};

use sha2::{Digest, Sha256};

use super::Registry;
use crate::raw::{Answer, read_head};

/// The least that is made at a time.
const BLOCK: usize = 1 << 20;

/// Content of a certain length, the same each time: blocks that begin with their number and are otherwise noise.
#[derive(Debug, Clone)]
pub struct Long {
    head: Vec<u8>,
    blocks: u64,
    tail: usize,
    noise: Vec<u8>,
}

/// What was received.
#[derive(Debug)]
pub struct Received {
    /// The answer's head.
    pub head: Answer,
    /// How many bytes the body had.
    pub bytes: u64,
    /// Its name.
    pub digest: String,
}

impl Long {
    /// This many blocks of 1 MiB.
    pub fn new(blocks: u64) -> Self {
        // A generator of Marsaglia's; what matters is that it cannot be compressed.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        };
        let noise = (0..BLOCK / 8).flat_map(|_| next()).collect();
        Self { head: Vec::new(), blocks, tail: 0, noise }
    }

    /// The same as an archive of one file.
    #[must_use]
    pub fn archived(mut self, name: &str) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).expect("the name is short");
        header.set_mode(0o644);
        header.set_size(self.blocks * BLOCK as u64);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.head = header.as_bytes().to_vec();
        self.tail = 1024;
        self
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.head.len() as u64 + self.blocks * BLOCK as u64 + self.tail as u64
    }

    /// Its name.
    pub fn digest(&self) -> String {
        let mut hasher = Sha256::new();
        self.each(|bytes| {
            hasher.update(bytes);
            Ok(())
        })
        .expect("hashing does not fail");
        format!("sha256:{}", hex::encode(hasher.finalize()))
    }

    fn each(&self, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        take(&self.head)?;
        let mut block = self.noise.clone();
        for number in 0..self.blocks {
            block[..8].copy_from_slice(&number.to_le_bytes());
            take(&block)?;
        }
        take(&vec![0; self.tail])
    }
}

impl Registry {
    /// Sends long content as the body of a request, and reads the answer.
    ///
    /// # Errors
    /// When the server closes the connection without a whole answer.
    pub fn send_long(&mut self, method: &str, target: &str, content: &Long) -> io::Result<Answer> {
        let mut request = self.request(method, target);
        request.set("content-type", "application/octet-stream");
        let mut stream = self.connection.open()?;
        stream.write_all(&request.head(&[("content-length", &content.size().to_string())]))?;
        content.each(|bytes| stream.write_all(bytes))?;
        let mut stream = BufReader::new(stream);
        let mut answer = read_head(&mut stream)?;
        answer.body.resize(answer.length()?.unwrap_or(0), 0);
        stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }

    /// Asks by GET and reads the body piece by piece; goes where the answer leads, once.
    ///
    /// # Errors
    /// When the server closes the connection before the body's end.
    pub fn receive_long(&mut self, target: &str) -> io::Result<Received> {
        let received = self.receive(target)?;
        if received.head.status == 307 {
            return self.receive(&received.head.location());
        }
        Ok(received)
    }

    fn receive(&mut self, target: &str) -> io::Result<Received> {
        let request = self.request("GET", target);
        let mut stream = self.connection.open()?;
        stream.write_all(&request.head(&[("content-length", "0")]))?;
        let mut stream = BufReader::with_capacity(BLOCK, stream);
        let head = read_head(&mut stream)?;
        let length = head.length()?.unwrap_or(0) as u64;
        let (mut hasher, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; BLOCK]);
        while bytes < length {
            let wanted = usize::try_from((length - bytes).min(BLOCK as u64)).unwrap_or(BLOCK);
            let count = stream.read(&mut piece[..wanted])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            hasher.update(&piece[..count]);
            bytes += count as u64;
        }
        Ok(Received { head, bytes, digest: format!("sha256:{}", hex::encode(hasher.finalize())) })
    }
}
