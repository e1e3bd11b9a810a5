//! What the machine itself allows, measured in the same run: a durable write, and a call that does nothing.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::stats::{Latency, Samples};

/// What a state engine writes at least.
const BLOCK_BYTES: usize = 4096;

/// Times of a durable write of 4 KiB (write, then fdatasync).
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sync {
    /// At the end of a file that grows.
    pub(crate) append: Latency,
    /// Over bytes that the file already has, as a write-ahead log is written the second time round.
    pub(crate) overwrite: Latency,
}

/// Measures `count` durable writes of each kind in a file in `folder`, which is removed again.
pub(crate) fn sync(folder: &Path, count: usize) -> Result<Sync> {
    let path = folder.join("sync-floor");
    let file = File::options().create(true).truncate(true).write(true).open(&path)?;
    let append = durable_writes(&file, count)?;
    let overwrite = durable_writes(&file, count)?;
    std::fs::remove_file(&path)?;
    Ok(Sync { append, overwrite })
}

fn durable_writes(file: &File, count: usize) -> Result<Latency> {
    let block = [0x5a; BLOCK_BYTES];
    let mut times = Vec::with_capacity(count);
    for index in 0..count {
        let begun = Instant::now();
        file.write_all_at(&block, u64::try_from(index * BLOCK_BYTES)?)?;
        file.sync_data()?;
        times.push(begun.elapsed());
    }
    Samples::of(times).map(|samples| samples.latency()).context("no write was measured")
}

/// A server that reads a request and answers 200, with a thread a connection: the ceiling of the client and of loopback.
#[derive(Debug)]
pub(crate) struct Echo {
    address: SocketAddr,
}

impl Echo {
    /// Listens until the process ends.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The client closes its connections when it is done.
                thread::spawn(move || serve(&stream));
            }
        });
        Ok(Self { address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A request with a body of so many bytes.
    pub(crate) fn request(body_bytes: usize) -> Vec<u8> {
        let mut request = format!("POST / HTTP/1.1\r\nhost: echo\r\ncontent-length: {body_bytes}\r\n\r\n").into_bytes();
        request.resize(request.len() + body_bytes, b'x');
        request
    }
}

fn serve(mut stream: &TcpStream) -> Option<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim_end().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).ok()?;
        stream.write_all(ANSWER).ok()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_of_a_disk_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("pilvi-floor-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let sync = sync(&folder, 3).unwrap();
        assert_eq!((sync.append.samples, sync.overwrite.samples), (3, 3));
        std::fs::remove_dir(&folder).unwrap();
    }
}
