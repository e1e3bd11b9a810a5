//! A container's output, from a position on.

use std::io;
use std::os::fd::AsFd;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use sandbox::client::{Event, Events, Shim};
use sandbox::output::{Piece, Reader};

use super::Shared;
use super::sessions::Target;
use crate::agent::session::{Gone, Telling};
use crate::protocol::{DATA_BYTES_MAX, Failure, FailureKind, Output, OutputOf};

/// Why telling ended before the output did.
pub(super) enum Ended {
    Gone,
    Failed(Failure),
}

impl From<Gone> for Ended {
    fn from(Gone: Gone) -> Self {
        Self::Gone
    }
}

/// Tells what a container printed, and what it prints if that is wanted, until there is no more.
pub(super) async fn tell(shared: &Shared, target: &Target, wanted: &OutputOf, telling: &Telling) -> Result<(), Ended> {
    let home = shared.homes.of(&target.id);
    let opened = home.shim().and_then(|directory| Reader::open(directory.as_fd(), &target.container));
    let mut reader = opened.map_err(|error| failed(&error))?;
    let mut next = wanted.from;
    if let Some(lines) = wanted.tail_lines {
        let tail;
        (reader, tail) = aside(reader, move |reader| reader.tail_lines(lines)).await?;
        next = next.max(tail);
    }
    let mut changes = shared.board.changes_of(&target.id);
    let mut watch = Watch::default();
    loop {
        // Before it is read: what is printed before the end is read after it.
        changes.mark_unchanged();
        let is_over = target.is_over(shared) || !wanted.follow;
        let read;
        (reader, read) = aside(reader, move |reader| reader.read(next, DATA_BYTES_MAX)).await?;
        let is_at_end = read.pieces.is_empty();
        next = read.next;
        for piece in read.pieces {
            let (positions, lost) = ([piece.position, piece.next()], piece.lost);
            telling.print(output(piece)).await?;
            target.handle.live.losses.got(&target.container, positions, lost);
        }
        if !is_at_end {
            continue;
        }
        if is_over {
            return Ok(());
        }
        if watch.begin(target, next).await {
            // Something may have been printed before it was watched.
            continue;
        }
        tokio::select! {
            () = watch.wait(&target.container) => {}
            changed = changes.changed() => if changed.is_err() && !target.is_over(shared) { return Err(Ended::Gone) },
        }
    }
}

/// Hears from the shim that there is more.
#[derive(Default)]
struct Watch {
    shim: Option<(Shim, Events)>,
    /// The position beyond which more is told of.
    after: Option<u64>,
}

impl Watch {
    /// Has it told what is printed after a position. Answers whether it was not before.
    async fn begin(&mut self, target: &Target, after: u64) -> bool {
        let current = target.live().shim;
        let is_same = match (&self.shim, &current) {
            (Some((before, _)), Some(now)) => before.pid() == now.pid(),
            _ => false,
        };
        if !is_same {
            self.shim = current.map(|shim| {
                let events = shim.events();
                (shim, events)
            });
            self.after = None;
        }
        let Some((shim, _)) = &self.shim else { return false };
        if self.after == Some(after) {
            return false;
        }
        if shim.watch_output(&target.container, after).await.is_err() {
            // It has ended or not made the container yet: a change of the workload's is waited for.
            return false;
        }
        self.after = Some(after);
        true
    }

    async fn wait(&mut self, container: &str) {
        let Some((_, events)) = &mut self.shim else { return std::future::pending().await };
        loop {
            match events.next().await {
                Some(Event::Output { container: whose }) if whose == container => break,
                Some(Event::Missed) => break,
                Some(_) => {}
                None => {
                    self.shim = None;
                    self.after = None;
                    return std::future::pending().await;
                }
            }
        }
        self.after = None;
    }
}

fn output(piece: Piece) -> Output {
    Output {
        stream: piece.stream.number(),
        at_ms: piece.at_ns / 1_000_000,
        next: piece.next(),
        partial: piece.is_partial(),
        lost_bytes: piece.lost,
        data: BASE64.encode(&piece.data),
    }
}

/// Reads where nobody else waits for it.
async fn aside<T: Send + 'static>(
    mut reader: Reader,
    read: impl FnOnce(&mut Reader) -> io::Result<T> + Send + 'static,
) -> Result<(Reader, T), Ended> {
    let done = tokio::task::spawn_blocking(move || {
        let read = read(&mut reader);
        (reader, read)
    });
    let (reader, read) = done.await.map_err(|_| failed(&"reading broke off"))?;
    Ok((reader, read.map_err(|error| failed(&error))?))
}

fn failed(error: &dyn std::fmt::Display) -> Ended {
    Ended::Failed(Failure::new(FailureKind::Internal, format!("the output cannot be read: {error}")))
}
