//! Whole objects, put and got.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base::{Rng, SeededRng};
use http::Method;
use sha2::{Digest, Sha256};
use wire::sigv4::SignableBody;

use super::cell::{Cell, KIB, LARGE, Run, SIZES, What, Who};
use super::load::{self, Pace};
use super::stage::{Asked, BUCKET, Stage, ensure_status};
use crate::client::{Load, Order};

/// Objects up to this size are sent by one thread for all callers, from requests that were made ahead.
const AHEAD_BYTES_MAX: u64 = KIB;
/// Requests that are made ahead for one run, which ends with them; for moto, which answers a tenth of it.
const REQUESTS_AHEAD: u64 = 16_000;
const REQUESTS_AHEAD_OF_MOTO: u64 = 3_000;

/// Bytes of one size, and how many objects of them are there to be got.
struct Sized {
    bytes: Arc<[u8]>,
    sha256: [u8; 32],
    stored: u64,
}

/// The bytes of the objects.
pub(super) struct Objects {
    sizes: Vec<Sized>,
}

impl Objects {
    /// Puts what is to be got, and gets it once to compare it.
    pub(super) fn prepare(stage: &Stage) -> Result<Self> {
        let sized = |size: u64| -> Result<Sized> {
            let mut bytes = vec![0; usize::try_from(size)?];
            SeededRng::new(size).fill(&mut bytes);
            let stored = if size == LARGE { 2 } else { 64 };
            Ok(Sized { sha256: Sha256::digest(&bytes).into(), bytes: bytes.into(), stored })
        };
        let objects = Self { sizes: SIZES.into_iter().map(sized).collect::<Result<_>>()? };
        for who in [Who::Pilvi, Who::Moto, Who::Nginx] {
            objects
                .sizes
                .iter()
                .try_for_each(|sized| sized.store(stage, who))
                .with_context(|| stage.last_words(who))?;
        }
        Ok(objects)
    }

    /// Puts objects under new names; large ones are deleted when the time has been taken.
    pub(super) fn put(&self, stage: &Stage, who: Who, cell: Cell, time: Duration, round: u64) -> Result<Run> {
        let sized = self.of(cell)?;
        let pace = Pace { callers: cell.callers, time, count_max: u64::MAX };
        if who == Who::Disk {
            return stage.disk.put(&sized.bytes, pace);
        }
        let target = |number: u64| format!("/{BUCKET}/{}/{round}/{number:06}", cell.name());
        let is_signed = cell.what == What::Put;
        if cell.bytes <= AHEAD_BYTES_MAX {
            let count = if who == Who::Moto { REQUESTS_AHEAD_OF_MOTO } else { REQUESTS_AHEAD };
            let request = |number| -> Result<Vec<u8>> {
                let head = sized.put_head(stage, who, &target(number), is_signed)?;
                Ok([head.as_bytes(), &sized.bytes].concat())
            };
            let requests: Vec<Vec<u8>> = (0..count).map(request).collect::<Result<_>>()?;
            return send(stage, who, cell, &requests, Order::Once, time);
        }
        let body = [sized.bytes.clone()];
        let worker = || {
            let mut connection = stage.connect(who)?;
            let (body, target) = (&body, &target);
            Ok(move |number| {
                let head = sized.put_head(stage, who, &target(number), is_signed)?;
                ensure_status(&connection.exchange(&head, body)?, 200)
            })
        };
        let (run, count) = load::work(pace, stage.watched(who), worker)?;
        let mut connection = stage.connect(who)?;
        for number in 0..count {
            let head = stage.head(who, &Asked::plain(Method::DELETE, &target(number)))?;
            ensure_status(&connection.exchange(&head, &[])?, 204)?;
        }
        Ok(run)
    }

    /// Gets the stored objects in turn.
    pub(super) fn get(&self, stage: &Stage, who: Who, cell: Cell, time: Duration) -> Result<Run> {
        let sized = self.of(cell)?;
        let heads: Vec<String> =
            (0..sized.stored).map(|number| sized.get_head(stage, who, number)).collect::<Result<_>>()?;
        if cell.bytes <= AHEAD_BYTES_MAX {
            let requests: Vec<Vec<u8>> = heads.into_iter().map(String::into_bytes).collect();
            return send(stage, who, cell, &requests, Order::Cycle, time);
        }
        let worker = || {
            let mut connection = stage.connect(who)?;
            let heads = &heads;
            Ok(move |number: u64| {
                let mut length = 0;
                let head = &heads[usize::try_from(number % sized.stored)?];
                let answer = connection.download(head, &mut |piece| {
                    length += piece.len() as u64;
                    Ok(())
                })?;
                ensure!(answer.status == 200 && length == cell.bytes, "HTTP {}, {length} bytes", answer.status);
                Ok(())
            })
        };
        let pace = Pace { callers: cell.callers, time, count_max: u64::MAX };
        Ok(load::work(pace, stage.watched(who), worker)?.0)
    }

    fn of(&self, cell: Cell) -> Result<&Sized> {
        self.sizes.iter().find(|sized| sized.bytes.len() as u64 == cell.bytes).context("a size without bytes")
    }
}

fn send(stage: &Stage, who: Who, cell: Cell, requests: &[Vec<u8>], order: Order, time: Duration) -> Result<Run> {
    let load = Load { address: stage.address(who)?, requests, order, callers: cell.callers, time };
    load::send(&load, stage.watched(who))
}

impl Sized {
    fn store(&self, stage: &Stage, who: Who) -> Result<()> {
        if who == Who::Nginx {
            (0..self.stored).try_for_each(|number| stage.nginx.put(&self.name(number), &self.bytes))?;
        } else {
            let mut connection = stage.connect(who)?;
            for number in 0..self.stored {
                let target = format!("/{BUCKET}/{}", self.name(number));
                let head = self.put_head(stage, who, &target, true)?;
                ensure_status(&connection.exchange(&head, std::slice::from_ref(&self.bytes))?, 200)?;
            }
        }
        let mut sha256 = Sha256::new();
        let head = self.get_head(stage, who, 0)?;
        let answer = stage.connect(who)?.download(&head, &mut |piece| {
            sha256.update(piece);
            Ok(())
        })?;
        let is_same = answer.status == 200 && <[u8; 32]>::from(sha256.finalize()) == self.sha256;
        ensure!(is_same, "{} answers HTTP {} and other bytes than were put", who.name(), answer.status);
        Ok(())
    }

    fn name(&self, number: u64) -> String {
        format!("stored-{}-{number}", self.bytes.len())
    }

    fn put_head(&self, stage: &Stage, who: Who, target: &str, is_signed: bool) -> Result<String> {
        let body = if is_signed { SignableBody::Sha256(self.sha256) } else { SignableBody::Unsigned };
        stage.head(who, &Asked { method: Method::PUT, target, headers: &[], body, length: self.bytes.len() as u64 })
    }

    fn get_head(&self, stage: &Stage, who: Who, number: u64) -> Result<String> {
        match who {
            Who::Nginx => Ok(stage.nginx.get(&self.name(number))),
            _ => stage.head(who, &Asked::plain(Method::GET, &format!("/{BUCKET}/{}", self.name(number)))),
        }
    }
}
