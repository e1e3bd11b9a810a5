//! Lists of a bucket with some thousands of objects.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Method;
use wire::sigv4::SignableBody;

use super::cell::{Cell, Run, What, Who};
use super::load;
use super::stage::{Asked, LISTED, Stage, ensure_status};
use crate::client::{self, Load, Order};

/// How many objects are in a folder.
const FOLDER: u64 = 100;
/// How many are put at once while the bucket is filled.
const FILLERS: usize = 8;
/// What an object has in it.
const BYTES: &[u8] = b"an object that is listed";

/// The bucket, filled.
pub(super) struct Lists {
    count: u64,
}

impl Lists {
    /// Fills the bucket, and looks whether the lists have what they should.
    pub(super) fn prepare(stage: &Stage, count: u64) -> Result<Self> {
        let lists = Self { count };
        for who in [Who::Pilvi, Who::Moto] {
            lists.fill(stage, who).with_context(|| stage.last_words(who))?;
        }
        Ok(lists)
    }

    /// One list over and over.
    pub(super) fn list(&self, stage: &Stage, who: Who, cell: Cell, time: Duration) -> Result<Run> {
        let requests = [stage.head(who, &Asked::plain(Method::GET, target(cell.what)))?.into_bytes()];
        let load = Load {
            address: stage.address(who)?,
            requests: &requests,
            order: Order::Cycle,
            callers: cell.callers,
            time,
        };
        load::send(&load, stage.watched(who))
    }

    fn fill(&self, stage: &Stage, who: Who) -> Result<()> {
        let request = |number: u64| -> Result<Vec<u8>> {
            let target = format!("/{LISTED}/photos/{:04}/IMG_{number:08}.jpg", number / FOLDER);
            let (body, length) = (SignableBody::Bytes(BYTES), BYTES.len() as u64);
            let head = stage.head(who, &Asked { method: Method::PUT, target: &target, headers: &[], body, length })?;
            Ok([head.as_bytes(), BYTES].concat())
        };
        let requests: Vec<Vec<u8>> = (0..self.count).map(request).collect::<Result<_>>()?;
        let address = stage.address(who)?;
        let time = Duration::from_secs(600);
        let load = Load { address, requests: &requests, order: Order::Once, callers: FILLERS, time };
        let outcome = client::drive(&load)?;
        ensure!(outcome.refused == 0 && outcome.sent == requests.len(), "the bucket could not be filled");
        for (what, element, expected) in [
            (What::List, "<Contents>", self.count.min(1_000)),
            (What::ListFolders, "<CommonPrefixes>", self.count.div_ceil(FOLDER)),
        ] {
            let head = stage.head(who, &Asked::plain(Method::GET, target(what)))?;
            let answer = stage.connect(who)?.exchange(&head, &[])?;
            ensure_status(&answer, 200)?;
            let found = String::from_utf8_lossy(&answer.body).matches(element).count() as u64;
            ensure!(found == expected, "a list with {found} {element} instead of {expected}");
        }
        Ok(())
    }
}

const fn target(what: What) -> &'static str {
    match what {
        What::ListFolders => "/bench-listed?delimiter=%2F&list-type=2&prefix=photos%2F",
        _ => "/bench-listed?list-type=2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_is_the_bucket_that_is_filled() {
        for what in [What::List, What::ListFolders] {
            assert!(target(what).starts_with(&format!("/{LISTED}?")));
        }
    }
}
