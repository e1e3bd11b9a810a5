//! Bodies that clients compress: PutMetricData's, from 10 KiB on.

use std::io::{Read as _, Take};

use bytes::Bytes;
use flate2::bufread::GzDecoder;

use super::body::too_large;
use super::room::{Place, Room};
use crate::error::Error;

/// How much is inflated before it is looked whether there is room for more.
const STEP_BYTES: usize = 64 * 1024;

/// The one encoding that clients use.
pub(super) const GZIP: &str = "gzip";

/// Inflates a body to at most `bytes_max`. Beside it the compressed body takes its place until this returns.
pub(super) fn inflate(body: &Bytes, bytes_max: usize, room: &Room) -> Result<(Bytes, Place), Error> {
    let mut pieces: Take<_> = GzDecoder::new(body.as_ref()).take(0);
    let (mut whole, mut place) = (Vec::new(), Place::default());
    loop {
        room.grow(&mut place, whole.len() + STEP_BYTES)?;
        pieces.set_limit(STEP_BYTES as u64);
        match pieces.read_to_end(&mut whole) {
            Ok(0) => return Ok((whole.into(), place)),
            Ok(_) if whole.len() > bytes_max => return Err(too_large(bytes_max)),
            Ok(_) => {}
            Err(_) => return Err(Error::serialization("The body is not what its Content-Encoding says.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn deflated(plain: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    fn inflated(body: &Bytes, bytes_max: usize) -> Result<Bytes, Error> {
        inflate(body, bytes_max, &Room::new(1 << 20)).map(|(plain, _)| plain)
    }

    #[test]
    fn what_was_compressed_comes_back() {
        for length in [0, 1, STEP_BYTES, 3 * STEP_BYTES + 5] {
            let plain: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(inflated(&deflated(&plain), length).unwrap(), plain);
        }
    }

    #[test]
    fn a_small_body_that_would_become_a_large_one_is_refused() {
        let bomb = deflated(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20_000, "{}", bomb.len());
        assert_eq!(inflated(&bomb, 200_000).unwrap_err().status, 413);
        assert_eq!(inflated(&bomb, 10 << 20).unwrap_err().status, 503, "the room is smaller");
    }

    #[test]
    fn what_is_not_compressed_or_cut_short_is_refused() {
        let whole = deflated(b"plain text, long enough to be cut");
        for body in [Bytes::new(), Bytes::from_static(b"{}"), whole.slice(..whole.len() - 9)] {
            assert_eq!(inflated(&body, 1000).unwrap_err().code, "SerializationException");
        }
    }
}
