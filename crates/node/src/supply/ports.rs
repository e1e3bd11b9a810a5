//! Who the supply of images deals with, as it sees them.

use std::pin::Pin;
use std::sync::Arc;

use images::remote::{self, Fetched, Registries, RemoteError, Sink};
use images::{Descriptor, Platform, Reference};

use super::Local;
use crate::client::{Node, NodeError};
use crate::protocol::{Collected, ImageInfo, Prepare, PrepareLayer, PreparedImage, Progress};

/// What an asynchronous method of a trait returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The registry on this machine. Its blobs are here: nothing of it is ever downloaded.
pub trait LocalRegistry: Send + Sync {
    /// What a name means there.
    ///
    /// # Errors
    /// What went wrong, for whoever asked.
    fn resolve<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<Local, String>>;
}

/// The registries elsewhere.
pub trait Upstream: Send + Sync {
    /// Brings the documents and layers of an image for a machine to `sink`.
    ///
    /// # Errors
    /// [`RemoteError`]
    fn fetch<'a>(
        &'a self,
        wanted: Wanted<'a>,
        sink: Arc<dyn Sink>,
        watcher: Arc<dyn Watcher>,
    ) -> BoxFuture<'a, Result<Fetched, RemoteError>>;
}

/// Follows an image from the question what its name means.
pub trait Watcher: remote::Progress {
    /// What its name means: where its documents begin. Told before anything is fetched.
    fn resolved(&self, root: &Descriptor);
}

/// What is to be fetched.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The image.
    pub reference: &'a Reference,
    /// The machine that it is for.
    pub machine: &'a Platform,
    /// Who asks.
    pub credentials: Option<&'a remote::Credentials>,
}

/// Who makes images ready to run.
pub trait Unpacker: Send + Sync {
    /// Makes an image ready from blobs that are here.
    ///
    /// # Errors
    /// [`NodeError`]
    fn prepare<'a>(
        &'a self,
        image: &'a Prepare,
        on_progress: Box<dyn FnMut(&Progress) + Send + 'a>,
    ) -> BoxFuture<'a, Result<PreparedImage, NodeError>>;

    /// Unpacks a layer whose blob is here, ahead of its image.
    ///
    /// # Errors
    /// [`NodeError`]
    fn prepare_layer<'a>(
        &'a self,
        layer: &'a PrepareLayer,
        on_progress: Box<dyn FnMut(&Progress) + Send + 'a>,
    ) -> BoxFuture<'a, Result<(), NodeError>>;

    /// The images that it has names of.
    ///
    /// # Errors
    /// [`NodeError`]
    fn images(&self) -> BoxFuture<'_, Result<Vec<ImageInfo>, NodeError>>;

    /// Makes a reference name nothing. Answers whether it named something.
    ///
    /// # Errors
    /// [`NodeError`]
    fn forget<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<bool, NodeError>>;

    /// Removes the layers that nothing needs.
    ///
    /// # Errors
    /// [`NodeError`]
    fn prune(&self) -> BoxFuture<'_, Result<Collected, NodeError>>;
}

impl Upstream for Registries {
    fn fetch<'a>(
        &'a self,
        wanted: Wanted<'a>,
        sink: Arc<dyn Sink>,
        watcher: Arc<dyn Watcher>,
    ) -> BoxFuture<'a, Result<Fetched, RemoteError>> {
        Box::pin(async move {
            let repository = self.repository(wanted.reference, wanted.credentials.cloned())?;
            let root = repository.resolve().await?;
            watcher.resolved(&root);
            repository.fetch(&root, wanted.machine, sink, watcher).await
        })
    }
}

impl Unpacker for Node {
    fn prepare<'a>(
        &'a self,
        image: &'a Prepare,
        on_progress: Box<dyn FnMut(&Progress) + Send + 'a>,
    ) -> BoxFuture<'a, Result<PreparedImage, NodeError>> {
        Box::pin(Self::prepare(self, image, on_progress))
    }

    fn prepare_layer<'a>(
        &'a self,
        layer: &'a PrepareLayer,
        on_progress: Box<dyn FnMut(&Progress) + Send + 'a>,
    ) -> BoxFuture<'a, Result<(), NodeError>> {
        Box::pin(Self::prepare_layer(self, layer, on_progress))
    }

    fn images(&self) -> BoxFuture<'_, Result<Vec<ImageInfo>, NodeError>> {
        Box::pin(Self::images(self))
    }

    fn forget<'a>(&'a self, reference: &'a Reference) -> BoxFuture<'a, Result<bool, NodeError>> {
        Box::pin(Self::forget(self, reference))
    }

    fn prune(&self) -> BoxFuture<'_, Result<Collected, NodeError>> {
        Box::pin(Self::prune(self))
    }
}
