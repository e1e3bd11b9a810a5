//! A server that has no node: nothing runs here, and why is said.

use node::protocol::{Session, WorkloadStats};
use node::supply::BoxFuture;
use workload::WorkloadId;

use super::protocol::{NodeTold, Told, Why};
use super::runtime::{Broken, Creation, Runtime, Takes, Talking, Watching};

/// Nothing runs, and nothing can.
pub(crate) struct NoNode;

/// Nothing is ever taken.
struct Never;

impl Takes for Never {
    fn of<'a>(&'a mut self, _: &'a WorkloadId) -> BoxFuture<'a, ()> {
        Box::pin(std::future::pending())
    }
}

fn no<'a, T: Send + 'a>() -> BoxFuture<'a, Result<T, String>> {
    Box::pin(async { Err(super::NO_NODE.to_owned()) })
}

impl Runtime for NoNode {
    fn has_image<'a>(&'a self, _: &'a images::Reference) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeTold>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn create(&self, _: Creation) -> BoxFuture<'_, Result<WorkloadId, String>> {
        no()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Told>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn find<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Told>, String>> {
        Box::pin(async { Ok(None) })
    }

    fn watch<'a>(&'a self, _: &'a WorkloadId) -> BoxFuture<'a, Result<Box<dyn Watching>, String>> {
        no()
    }

    fn stop<'a>(&'a self, _: &'a WorkloadId, _: Option<u32>) -> BoxFuture<'a, Result<(), String>> {
        no()
    }

    fn remove<'a>(&'a self, _: &'a WorkloadId) -> BoxFuture<'a, Result<(), String>> {
        no()
    }

    fn why<'a>(&'a self, _: &'a WorkloadId) -> BoxFuture<'a, Result<Why, String>> {
        no()
    }

    fn signal<'a>(&'a self, _: &'a WorkloadId, _: i32) -> BoxFuture<'a, Result<(), String>> {
        no()
    }

    fn stats<'a>(&'a self, _: &'a [WorkloadId]) -> BoxFuture<'a, Result<Vec<WorkloadStats>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn takes(&self) -> Box<dyn Takes> {
        Box::new(Never)
    }

    fn open<'a>(&'a self, _: &'a WorkloadId, _: Session) -> BoxFuture<'a, Result<Talking, Broken>> {
        Box::pin(async { Err(Broken::Refused(super::NO_NODE.to_owned())) })
    }

    fn purge(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async { Ok(0) })
    }
}
