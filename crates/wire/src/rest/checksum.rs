//! Checksums of documents: what a client says of a body that is read whole is looked at before the body means anything.
//! (Bodies that stream are handed to operations with what is said of them, and verified there.)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use crate::content::Trailers;
use crate::error::Error;

const PREFIX: &str = "x-amz-checksum-";

/// Checks a body against every checksum in its head and behind it, but for those headers that say something of what the
/// operation is about (`is_own`): completing an upload they are of the object, not of the document that lists its parts.
///
/// # Errors
/// `InvalidDigest` or `InvalidRequest` for what is no checksum, `BadDigest` for what is another body's.
pub(crate) fn verify(
    headers: &HeaderMap,
    trailers: &Trailers,
    body: &[u8],
    is_own: impl Fn(&str) -> bool,
) -> Result<(), Error> {
    if let Some(declared) = super::bind::joined(headers, "content-md5") {
        let declared = BASE64.decode(declared.trim()).ok().filter(|sum| sum.len() == 16);
        let declared =
            declared.ok_or_else(|| Error::new("InvalidDigest", 400, "The Content-MD5 you specified was invalid."))?;
        if declared[..] != Md5::digest(body)[..] {
            return Err(bad("Content-MD5", "we received"));
        }
    }
    let of_body = headers.keys().map(http::HeaderName::as_str).filter(|name| !is_own(name));
    let names = of_body.filter_map(|name| name.strip_prefix(PREFIX));
    for name in names {
        if let Some(declared) = super::bind::joined(headers, &format!("{PREFIX}{name}")) {
            verify_one(name, &declared, body)?;
        }
    }
    for (name, declared) in trailers {
        if let Some(name) = name.strip_prefix(PREFIX) {
            verify_one(name, declared, body)?;
        }
    }
    Ok(())
}

fn verify_one(name: &str, declared: &str, body: &[u8]) -> Result<(), Error> {
    let Some(computed) = compute(name, body) else { return Ok(()) };
    let declared = BASE64.decode(declared.trim()).ok().filter(|sum| sum.len() == computed.len());
    match declared {
        None => Err(Error::new("InvalidRequest", 400, format!("Value for {PREFIX}{name} header is invalid."))),
        Some(declared) if declared == computed => Ok(()),
        Some(_) => Err(bad(&name.to_ascii_uppercase(), "the calculated checksum")),
    }
}

/// None for a header of this family that holds no checksum of an algorithm that is known (`x-amz-checksum-mode`).
fn compute(name: &str, body: &[u8]) -> Option<Vec<u8>> {
    // The algorithms answer in 64 bits, of which those of 32 fill the lower half.
    let crc = |algorithm| crc_fast::checksum(algorithm, body).to_be_bytes();
    Some(match name {
        "crc32" => crc(CrcAlgorithm::Crc32IsoHdlc)[4..].to_vec(),
        "crc32c" => crc(CrcAlgorithm::Crc32Iscsi)[4..].to_vec(),
        "crc64nvme" => crc(CrcAlgorithm::Crc64Nvme).to_vec(),
        "sha1" => Sha1::digest(body).to_vec(),
        "sha256" => Sha256::digest(body).to_vec(),
        "sha512" => Sha512::digest(body).to_vec(),
        "md5" => Md5::digest(body).to_vec(),
        _ => return None,
    })
}

fn bad(what: &str, found: &str) -> Error {
    Error::new("BadDigest", 400, format!("The {what} you specified did not match {found}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &'static str, value: &str) -> Result<(), Error> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let in_head = verify(&headers, &Trailers::new(), b"123456789", |_| false);
        if name != "content-md5" {
            let trailers = Trailers::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(verify(&HeaderMap::new(), &trailers, b"123456789", |_| false), in_head, "{name}");
        }
        in_head
    }

    #[test]
    fn what_is_said_of_an_object_is_not_said_of_the_document_about_it() {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-checksum-crc32", "AAAAAA==".parse().unwrap());
        let verified = |own: bool| verify(&headers, &Trailers::new(), b"123456789", |_| own);
        assert!(verified(true).is_ok() && verified(false).is_err());
    }

    #[test]
    fn every_algorithm_knows_its_check_value() {
        // The check values of the catalogue of CRC algorithms, and the digests of FIPS 180 and RFC 1321's functions.
        for (name, hexadecimal) in [
            ("x-amz-checksum-crc32", "cbf43926"),
            ("x-amz-checksum-crc32c", "e3069283"),
            ("x-amz-checksum-crc64nvme", "ae8b14860a799888"),
            ("x-amz-checksum-sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            ("x-amz-checksum-md5", "25f9e794323b453885f5181f1b624d0b"),
            ("content-md5", "25f9e794323b453885f5181f1b624d0b"),
            ("x-amz-checksum-sha256", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let right = hex::decode(hexadecimal).unwrap();
            assert_eq!(said(name, &BASE64.encode(&right)), Ok(()), "{name}");
            let wrong: Vec<u8> = right.iter().map(|byte| !byte).collect();
            assert_eq!(said(name, &BASE64.encode(wrong)).unwrap_err().code, "BadDigest", "{name}");
        }
    }

    #[test]
    fn what_is_no_checksum_is_refused_and_what_is_none_of_ours_passed_over() {
        assert_eq!(said("content-md5", "x").unwrap_err().code, "InvalidDigest");
        assert_eq!(said("x-amz-checksum-crc32", "AAAAAAA=").unwrap_err().code, "InvalidRequest");
        assert_eq!(said("x-amz-checksum-mode", "ENABLED"), Ok(()));
    }
}
