//! Uploads in parts.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::{Rng, SeededRng};
use http::Method;
use sha2::{Digest, Sha256};
use wire::sigv4::SignableBody;

use super::cell::{Cell, LARGE, MIB, Run, Who};
use super::load::{self, Pace};
use super::stage::{Asked, BUCKET, Stage, Watched, ensure_status};
use crate::oci::connection::Connection;

/// As the AWS CLI and boto3 cut files.
const PART_BYTES: u64 = 8 * MIB;

/// The bytes of a part.
struct Part {
    bytes: Arc<[u8]>,
    sha256: [u8; 32],
}

/// What is uploaded.
pub(super) struct Uploads {
    /// Uploads of a large object in one round.
    large: u64,
    /// Of the longest part: the others are its beginning.
    bytes: Vec<u8>,
}

impl Uploads {
    pub(super) fn new(large: u64) -> Self {
        let mut bytes = vec![0; 8 << 20];
        SeededRng::new(PART_BYTES).fill(&mut bytes);
        Self { large, bytes }
    }

    /// Small uploads have one part, and each caller makes one after the other; of a large one the callers send the parts.
    pub(super) fn upload(&self, stage: &Stage, who: Who, cell: Cell, time: Duration, round: u64) -> Result<Run> {
        let parts = self.parts(cell.bytes)?;
        let target = |number: u64| format!("/{BUCKET}/{}/{round}/{number:06}", cell.name());
        let is_large = cell.bytes == LARGE;
        let worker = || {
            let mut connection = stage.connect(who)?;
            let (parts, target) = (&parts, &target);
            Ok(move |number| {
                let senders = if is_large { cell.callers } else { 1 };
                one(stage, who, &mut connection, &target(number), parts, senders)
            })
        };
        let pace = match is_large {
            true => Pace { callers: 1, time: Duration::MAX, count_max: self.large },
            false => Pace { callers: cell.callers, time, count_max: u64::MAX },
        };
        let (run, count) = load::work(pace, stage.watched(who), worker)?;
        let mut connection = stage.connect(who)?;
        for number in 0..count {
            let head = stage.head(who, &Asked::plain(Method::DELETE, &target(number)))?;
            ensure_status(&connection.exchange(&head, &[])?, 204)?;
        }
        Ok(run)
    }

    fn parts(&self, size: u64) -> Result<Vec<Part>> {
        let (mut parts, mut left) = (Vec::new(), size);
        while left > 0 {
            let length = left.min(PART_BYTES);
            let bytes = &self.bytes[..usize::try_from(length)?];
            parts.push(Part { bytes: bytes.into(), sha256: Sha256::digest(bytes).into() });
            left -= length;
        }
        Ok(parts)
    }
}

/// An upload from its beginning to its end.
fn one(stage: &Stage, who: Who, own: &mut Connection, target: &str, parts: &[Part], senders: usize) -> Result<()> {
    let begin = stage.head(who, &Asked::plain(Method::POST, &format!("{target}?uploads=")))?;
    let begun = own.exchange(&begin, &[])?;
    ensure_status(&begun, 200)?;
    let text = String::from_utf8_lossy(&begun.body);
    let id = text.split_once("<UploadId>").and_then(|(_, rest)| rest.split_once("</UploadId>"));
    let (id, _) = id.context("an upload without an id")?;
    let send = |connection: &mut Connection, number: usize| -> Result<String> {
        let part = &parts[number];
        // In the order in which they are signed.
        let target = format!("{target}?partNumber={}&uploadId={id}", number + 1);
        let (body, length) = (SignableBody::Sha256(part.sha256), part.bytes.len() as u64);
        let head = stage.head(who, &Asked { method: Method::PUT, target: &target, headers: &[], body, length })?;
        let answer = connection.exchange(&head, std::slice::from_ref(&part.bytes))?;
        ensure_status(&answer, 200)?;
        answer.head.header("etag").map(str::to_owned).context("a part without an entity tag")
    };
    let tags: Vec<String> = if senders == 1 {
        (0..parts.len()).map(|number| send(own, number)).collect::<Result<_>>()?
    } else {
        at_once(stage, who, parts.len(), senders, &send)?
    };
    let listed: String = (1..)
        .zip(&tags)
        .map(|(number, tag)| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"))
        .collect();
    let document = format!(
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{listed}</CompleteMultipartUpload>"
    );
    let target = format!("{target}?uploadId={id}");
    let (body, length) = (SignableBody::Bytes(document.as_bytes()), document.len() as u64);
    let end = stage.head(who, &Asked { method: Method::POST, target: &target, headers: &[], body, length })?;
    let answer = own.exchange(&end, &[document.as_bytes().into()])?;
    ensure_status(&answer, 200)?;
    // What fails after its head was sent says so in its body.
    let text = String::from_utf8_lossy(&answer.body);
    anyhow::ensure!(text.contains("<CompleteMultipartUploadResult"), "the upload did not come to its end: {text}");
    Ok(())
}

/// Sends the parts over several connections; their entity tags, in the parts' order.
fn at_once<S>(stage: &Stage, who: Who, count: usize, senders: usize, send: &S) -> Result<Vec<String>>
where
    S: Fn(&mut Connection, usize) -> Result<String> + Sync,
{
    let tags = std::sync::Mutex::new(vec![String::new(); count]);
    let pace = Pace { callers: senders.min(count), time: Duration::MAX, count_max: count as u64 };
    let worker = || {
        let mut connection = stage.connect(who)?;
        let tags = &tags;
        Ok(move |number: u64| {
            let number = usize::try_from(number)?;
            let tag = send(&mut connection, number)?;
            tags.lock().map_err(|_| anyhow::anyhow!("a sender panicked"))?[number] = tag;
            Ok(())
        })
    };
    load::work(pace, Watched::nobody(), worker)?;
    tags.into_inner().map_err(|_| anyhow::anyhow!("a sender panicked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_object_are_as_long_as_it() {
        let uploads = Uploads::new(1);
        for size in super::super::cell::SIZES {
            let parts = uploads.parts(size).unwrap();
            assert_eq!(parts.iter().map(|part| part.bytes.len() as u64).sum::<u64>(), size);
            assert!(parts.iter().rev().skip(1).all(|part| part.bytes.len() as u64 == PART_BYTES));
        }
    }
}
