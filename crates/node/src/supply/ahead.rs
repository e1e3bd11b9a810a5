//! Layers that are unpacked while others of the same image are still on their way.
//!
//! It only saves time. The image is prepared as a whole in the end, and finds what is there by then: whatever goes wrong
//! here is told there, and what was collected in between is unpacked again.

use std::pin::pin;
use std::sync::Arc;

use images::{Descriptor, Layer, Platform, Reference};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::tracker::Tracker;
use super::{Means, Unpacker};
use crate::protocol::PrepareLayer;

/// Layers of one pull that the node is asked for at one time, before it is asked for the image.
const LAYERS_AT_ONCE: usize = 2;

/// What is told of a download to whoever unpacks ahead of its end.
#[derive(Debug)]
pub(super) enum Landed {
    /// Where the image begins. Told first.
    Root(Descriptor),
    /// A layer is here. Told when all the image's documents are.
    Layer(Descriptor),
}

/// The way to whoever unpacks ahead. What goes through is bounded by the number of an image's layers.
pub(super) fn channel() -> (UnboundedSender<Landed>, UnboundedReceiver<Landed>) {
    unbounded_channel()
}

/// Does something, and something else beside it for as long as that takes.
pub(super) async fn beside<T>(companion: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        biased;
        done = &mut work => return done,
        () = companion => {}
    }
    work.await
}

impl Means {
    /// Has layers unpacked as they land, until no more will or one fails. Dropping it cancels those under way.
    pub(super) async fn unpack_ahead(
        self: Arc<Self>,
        reference: &Reference,
        machine: &Platform,
        mut landed: UnboundedReceiver<Landed>,
        tracker: Arc<Tracker>,
    ) {
        let Some(node) = &self.parts.node else { return };
        let (mut root, mut layers) = (None, None::<Vec<Layer>>);
        let mut tasks = JoinSet::new();
        while let Some(next) = landed.recv().await {
            let blob = match next {
                Landed::Root(found) => {
                    (root, layers) = (Some(found), None);
                    continue;
                }
                Landed::Layer(blob) => blob,
            };
            if layers.is_none() {
                let Some(root) = &root else { return };
                layers = self.read(reference, root, machine.clone()).await.ok().map(|image| image.layers);
            }
            let named = layers.iter().flatten().find(|layer| layer.blob.digest == blob.digest);
            let Some(Layer { blob, diff_id }) = named.cloned() else { return };
            while tasks.len() >= LAYERS_AT_ONCE {
                let Some(Ok(true)) = tasks.join_next().await else { return };
            }
            tasks.spawn(unpack(Arc::clone(node), PrepareLayer { blob, diff_id }, Arc::clone(&tracker)));
        }
        while let Some(Ok(true)) = tasks.join_next().await {}
    }
}

/// Has one layer unpacked. Answers whether it was.
async fn unpack(node: Arc<dyn Unpacker>, layer: PrepareLayer, tracker: Arc<Tracker>) -> bool {
    let under_way = tracker.unpacking_ahead(&layer.blob);
    let report = |progress: &crate::protocol::Progress| under_way.advanced(progress.layer_bytes_done);
    match node.prepare_layer(&layer, Box::new(report)).await {
        Ok(()) => {
            under_way.finished();
            true
        }
        Err(error) => {
            tracing::debug!(layer = %layer.blob.digest, %error, "a layer was not unpacked ahead of its image");
            false
        }
    }
}
