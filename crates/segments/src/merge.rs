//! Merging: the events of many files in the order of their ids, without holding them all.
//!
//! Everything that has events waits in a heap at the first id that it may have, in the query's direction. What comes to
//! the top is looked into: a sealed file becomes its blocks, a block is read and becomes its events. So a block is read
//! when its time has come, and no sooner. Where more blocks overlap than may be held, those that are needed last are let
//! go and read again.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::block::{Block, Entry};
use crate::event::EventId;
use crate::files::StoredFile;
use crate::group::View;
use crate::log::Chunk;
use crate::marks::Hidden;
use crate::segment::Segment;
use crate::segment::index::BlockMeta;
use crate::select::Selection;
use crate::shared::Shared;
use crate::{Direction, EventRef, GroupKey};

/// Events of a view in order.
pub(crate) struct Merge<'a> {
    shared: &'a Shared,
    group: &'a GroupKey,
    selection: &'a Selection<'a>,
    hidden: Arc<Hidden>,
    heap: BinaryHeap<Reverse<Waiting>>,
    /// The memory of the blocks in the heap.
    bytes: usize,
}

/// Something with events, none of which comes before `id` in the query's direction.
struct Waiting {
    id: OrderedId,
    what: What,
}

enum What {
    Segment(Arc<Segment>),
    Block(Source),
    /// Boxed: a heap moves what waits in it again and again.
    Events(Box<Events>),
}

/// Where a block is read from.
#[derive(Clone)]
enum Source {
    Sealed(Arc<Segment>, BlockMeta),
    Active(Arc<StoredFile>, Arc<Chunk>),
}

/// A block that is being passed.
struct Events {
    source: Source,
    /// None if it has been let go.
    block: Option<Arc<Block>>,
    /// From which number on the events of each of its streams are wanted.
    boundaries: Vec<Option<u64>>,
    /// The entry that is next.
    at: usize,
}

/// An id that is smaller the sooner the query comes to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct OrderedId(u128);

impl OrderedId {
    fn of(id: EventId, direction: Direction) -> Self {
        match direction {
            Direction::Forward => Self(id.as_u128()),
            Direction::Backward => Self(!id.as_u128()),
        }
    }
}

impl<'a> Merge<'a> {
    pub(crate) fn new(shared: &'a Shared, group: &'a GroupKey, selection: &'a Selection<'a>, view: View) -> Self {
        let hidden = view.hidden;
        let mut merge = Self { shared, group, selection, hidden, heap: BinaryHeap::new(), bytes: 0 };
        for segment in view.segments {
            let bounds = (segment.totals.first_timestamp, segment.totals.last_timestamp);
            merge.wait(bounds, What::Segment(segment));
        }
        for (file, chunk) in view.chunks {
            let bounds = (chunk.first_timestamp, chunk.last_timestamp);
            merge.wait(bounds, What::Block(Source::Active(file, chunk)));
        }
        merge
    }

    /// Lets something wait for the time of its events.
    fn wait(&mut self, (first, last): (i64, i64), what: What) {
        let direction = self.selection.direction;
        let id = match direction {
            Direction::Forward => EventId::new(first, 0),
            Direction::Backward => EventId::new(last, u64::MAX),
        };
        self.heap.push(Reverse(Waiting { id: OrderedId::of(id, direction), what }));
    }

    /// Passes the events to `visit` until it breaks; answers whether it has.
    pub(crate) fn run(mut self, visit: &mut dyn FnMut(EventRef<'_>) -> ControlFlow<()>) -> io::Result<bool> {
        while let Some(Reverse(next)) = self.heap.pop() {
            match next.what {
                What::Segment(segment) => self.open_segment(&segment)?,
                What::Block(source) => self.open_block(source)?,
                What::Events(events) => {
                    if self.pass(events, visit)?.is_break() {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    fn open_segment(&mut self, segment: &Arc<Segment>) -> io::Result<()> {
        let index = segment.index(&self.shared.caches, &self.shared.reports, self.group)?;
        let selection = self.selection;
        let (first, last) = (selection.first_timestamp(), selection.last_timestamp());
        for number in index.blocks_of(selection.only(), &|name| selection.has_stream(name)) {
            let meta = index.blocks[number as usize];
            if meta.first_timestamp <= last && meta.last_timestamp >= first {
                let bounds = (meta.first_timestamp, meta.last_timestamp);
                self.wait(bounds, What::Block(Source::Sealed(Arc::clone(segment), meta)));
            }
        }
        Ok(())
    }

    fn open_block(&mut self, source: Source) -> io::Result<()> {
        let Some(block) = self.read(&source)? else { return Ok(()) };
        let boundary = |name: &Arc<str>| self.selection.has_stream(name).then(|| self.hidden.boundary(name));
        let boundaries = block.streams().iter().map(boundary).collect();
        let at = match self.selection.direction {
            Direction::Forward => block.entries().partition_point(|entry| entry.id() < self.selection.ids.start),
            Direction::Backward => {
                let end = block.entries().partition_point(|entry| entry.id() < self.selection.ids.end);
                // Before the first there is none: the number wraps and names no entry.
                end.wrapping_sub(1)
            }
        };
        self.push(Box::new(Events { source, block: Some(block), boundaries, at }));
        self.let_go();
        Ok(())
    }

    /// Lets events wait for the time of the next of them; if there is none they are gone.
    fn push(&mut self, mut events: Box<Events>) {
        let Some(block) = &events.block else { return };
        if let Some((at, id)) = self.next_wanted(block, &events.boundaries, events.at) {
            events.at = at;
            self.bytes += block.memory_bytes();
            let id = OrderedId::of(id, self.selection.direction);
            self.heap.push(Reverse(Waiting { id, what: What::Events(events) }));
        }
    }

    /// The next entry that is wanted, from one on.
    fn next_wanted(&self, block: &Block, boundaries: &[Option<u64>], mut at: usize) -> Option<(usize, EventId)> {
        loop {
            let entry = block.entries().get(at)?;
            let id = entry.id();
            if !self.selection.ids.contains(&id) {
                return None;
            }
            if self.is_wanted(entry, boundaries) {
                return Some((at, id));
            }
            at = self.step(at);
        }
    }

    fn is_wanted(&self, entry: &Entry, boundaries: &[Option<u64>]) -> bool {
        let is_there = boundaries[entry.stream as usize].is_some_and(|boundary| entry.sequence >= boundary);
        is_there && !self.hidden.is_expired(entry.timestamp, entry.sequence)
    }

    fn step(&self, at: usize) -> usize {
        match self.selection.direction {
            Direction::Forward => at + 1,
            Direction::Backward => at.wrapping_sub(1),
        }
    }

    /// Passes events of a block as long as no other has the next.
    fn pass(
        &mut self,
        mut events: Box<Events>,
        visit: &mut dyn FnMut(EventRef<'_>) -> ControlFlow<()>,
    ) -> io::Result<ControlFlow<()>> {
        let block = match events.block.take() {
            Some(block) => {
                self.bytes -= block.memory_bytes();
                block
            }
            None => match self.read(&events.source)? {
                Some(block) => block,
                // It has been damaged since.
                None => return Ok(ControlFlow::Continue(())),
            },
        };
        let other = self.heap.peek().map(|Reverse(waiting)| waiting.id);
        while let Some((at, id)) = self.next_wanted(&block, &events.boundaries, events.at) {
            if other.is_some_and(|other| other < OrderedId::of(id, self.selection.direction)) {
                break;
            }
            if visit(block.event(&block.entries()[at])).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            events.at = self.step(at);
        }
        events.block = Some(block);
        self.push(events);
        self.let_go();
        Ok(ControlFlow::Continue(()))
    }

    /// Reads a block, or finds it among what was read lately. None if it is damaged.
    fn read(&self, source: &Source) -> io::Result<Option<Arc<Block>>> {
        let name = match source {
            Source::Sealed(segment, meta) => (segment.file.id(), meta.offset, meta.length),
            Source::Active(file, chunk) => (file.id(), chunk.offset, chunk.length),
        };
        if let Some(block) = self.shared.caches.block(&name) {
            return Ok(Some(block));
        }
        let reports = &self.shared.reports;
        let block = match source {
            Source::Sealed(segment, meta) => segment.block(meta, reports, self.group)?.map(Block::sorted),
            Source::Active(file, chunk) => Some(chunk.read(file, reports, self.group)?),
        };
        let block = block.map(Arc::new);
        block.iter().for_each(|block| self.shared.caches.keep_block(name, block));
        Ok(block)
    }

    /// Where too much memory is taken, lets go of the blocks that are needed last.
    fn let_go(&mut self) {
        let bytes_max = self.shared.query_bytes_max;
        if self.bytes <= bytes_max {
            return;
        }
        let mut waiting = std::mem::take(&mut self.heap).into_vec();
        waiting.sort_unstable_by_key(|Reverse(waiting)| Reverse(waiting.id));
        for Reverse(waiting) in &mut waiting {
            if self.bytes <= bytes_max / 2 {
                break;
            }
            if let What::Events(events) = &mut waiting.what {
                self.bytes -= events.block.take().map_or(0, |block| block.memory_bytes());
            }
        }
        self.heap = BinaryHeap::from(waiting);
    }
}

impl Waiting {
    /// Of two at one id, what must be looked into comes before what has events.
    fn rank(&self) -> u8 {
        match self.what {
            What::Segment(_) | What::Block(_) => 0,
            What::Events(_) => 1,
        }
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.id, self.rank()).cmp(&(other.id, other.rank()))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}
