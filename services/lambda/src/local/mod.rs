//! The node half: what a function's runtime and extensions talk to from within their sandbox, and the channel to the server.
//!
//! - [`Environments`] knows the environments of a node: [`Environments::attach`] takes a channel to the server,
//!   [`Environments::serve`] a connection from within.
//! - [`frame`]: what is said on the channel. [`state`]: what an environment is doing, and who may ask for what.
//! - `runtime`, `extension`: the Runtime API (2018-06-01) and the Extensions API (2020-01-01), over HTTP/1.1.
//!
//! It knows no store, no account but the one that it is told, and no other environment than the one whose connection it serves.

mod answer;
mod connection;
mod extension;
pub mod frame;

mod runtime;
pub mod state;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::Rng;
use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use frame::{Frame, FrameError, FrameReader, FromEnvironment, ToEnvironment};
use state::Environment;

/// How many frames of an environment may wait for the channel to take them.
const FRAMES_WAITING_MAX: usize = 16;
/// How many bytes of frames are sent at once.
const SENT_AT_ONCE_BYTES: usize = 256 * 1024;
/// How long a connection from within waits for the server's channel, which is on its way.
const CHANNEL_PATIENCE: Duration = Duration::from_secs(10);

/// The environments of a node, by the ids of their workloads.
#[derive(Debug)]
pub struct Environments {
    rng: Arc<dyn Rng>,
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
enum Known {
    /// Its channel is on its way; who waits for it is told.
    Awaited(Arc<tokio::sync::Notify>),
    /// It is there.
    Attached(Arc<Environment>),
}

/// Takes an environment from those that are known once its channel has ended.
struct Attached<'a> {
    environments: &'a Environments,
    id: &'a str,
}

impl Environments {
    /// None yet.
    pub fn new(rng: Arc<dyn Rng>) -> Self {
        Self { rng, known: Mutex::default() }
    }

    /// Carries what the server and an environment say to each other, until the channel ends.
    ///
    /// # Errors
    /// [`FrameError`]: the channel broke off, or says what cannot be.
    pub async fn attach(&self, id: &str, channel: impl AsyncRead + AsyncWrite) -> Result<(), FrameError> {
        let (from, to) = tokio::io::split(channel);
        let (said, waiting) = mpsc::channel(FRAMES_WAITING_MAX);
        let environment = Arc::new(Environment::new(self.rng.clone(), said));
        let _attached = Attached { environments: self, id };
        if let Some(Known::Awaited(awaited)) = self.known().insert(id.to_owned(), Known::Attached(environment.clone()))
        {
            awaited.notify_waiters();
        }
        let (from, to) = (Box::pin(from), Box::pin(to));
        tokio::select! {
            heard = hear(&environment, from) => heard,
            sent = send(waiting, to) => sent,
        }
    }

    /// Serves a connection that was made from within an environment, until it ends.
    pub async fn serve(&self, id: &str, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        if let Some(environment) = self.environment(id).await {
            connection::serve(environment, stream).await;
        }
    }

    /// An environment, once its channel is there; none if that does not come.
    async fn environment(&self, id: &str) -> Option<Arc<Environment>> {
        let arrival = async {
            loop {
                let awaited = match self.known().entry(id.to_owned()).or_insert_with(|| Known::Awaited(Arc::default()))
                {
                    Known::Attached(environment) => return environment.clone(),
                    Known::Awaited(awaited) => awaited.clone().notified_owned(),
                };
                awaited.await;
            }
        };
        let found = tokio::time::timeout(CHANNEL_PATIENCE, arrival).await.ok();
        if found.is_none() {
            let mut known = self.known();
            if matches!(known.get(id), Some(Known::Awaited(_))) {
                known.remove(id);
            }
        }
        found
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        // Nothing in there is half-changed by a panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        if let Some(Known::Attached(environment)) = self.environments.known().remove(self.id) {
            environment.close();
        }
    }
}

/// Does what the server says.
async fn hear(environment: &Environment, from: impl AsyncRead + Unpin) -> Result<(), FrameError> {
    let mut frames = FrameReader::new(from);
    while let Some(frame) = frames.next::<ToEnvironment>().await? {
        environment.hear(frame).map_err(|error| FrameError::Malformed(error.to_string()))?;
    }
    Ok(())
}

/// Sends what is said, as much at once as waits.
async fn send(mut waiting: mpsc::Receiver<FromEnvironment>, mut to: impl AsyncWrite + Unpin) -> Result<(), FrameError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = waiting.recv().await {
        frame.write(&mut bytes);
        while bytes.len() < SENT_AT_ONCE_BYTES
            && let Ok(frame) = waiting.try_recv()
        {
            frame.write(&mut bytes);
        }
        to.write_all(&bytes).await?;
        bytes.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
