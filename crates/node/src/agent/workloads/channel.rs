//! The way between what is served near a workload and the server's half of it. The node carries bytes and knows no word of them.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::OwnedSemaphorePermit;
use workload::WorkloadId;

use super::local::LocalChannel;
use super::{Handle, Shared, no_such};
use crate::agent::Agent;
use crate::agent::session::{Hearing, Telling};
use crate::client::Stream;
use crate::protocol::{Answer, DATA_BYTES_MAX, Failure, FailureKind, Input, Output};

/// What is on its way within this process, in each direction, in bytes.
const UNDER_WAY_BYTES_MAX: usize = 2 * DATA_BYTES_MAX;

/// The right to be a workload's channel.
pub(in crate::agent) struct Channel {
    shared: Arc<Shared>,
    handle: Arc<Handle>,
    id: WorkloadId,
    _only: OwnedSemaphorePermit,
}

impl Agent {
    /// Finds what a channel leads to.
    pub(in crate::agent) async fn channel(&self, id: &WorkloadId) -> Result<Channel, Failure> {
        Channel::find(&self.workloads().await?, id)
    }
}

impl Channel {
    fn find(shared: &Arc<Shared>, id: &WorkloadId) -> Result<Self, Failure> {
        let handle = shared.handle(id).ok_or_else(|| no_such(id))?;
        if handle.assigned.assignment.spec.local_service.is_none() {
            let message = format!("nothing of a service's own is served near workload {id}");
            return Err(Failure::new(FailureKind::Refused, message));
        }
        let only = Arc::clone(&handle.channel).try_acquire_owned();
        let only = only.map_err(|_| Failure::new(FailureKind::Busy, format!("workload {id} has its channel")))?;
        Ok(Self { shared: Arc::clone(shared), handle, id: id.clone(), _only: only })
    }

    /// Carries bytes until either side has had enough or the workload has stopped.
    pub(in crate::agent) async fn carry(self, stream: Box<dyn Stream>) {
        let Self { shared, handle, id, _only } = self;
        let (workload, spec) = (id.clone(), handle.assigned.assignment.spec.clone());
        // Else the workload would have a handle as long as this lasts.
        drop(handle);
        let attached = shared.options.local.attach(LocalChannel { workload, spec, stream });
        tokio::select! {
            () = attached => {}
            () = shared.stopped(&id) => {}
        }
    }
}

/// The same over a session, for a node to which there is only one connection.
pub(super) async fn over_session(
    shared: &Arc<Shared>,
    id: &WorkloadId,
    telling: Telling,
    mut hearing: Hearing,
) -> Result<Answer, Failure> {
    let channel = Channel::find(shared, id)?;
    let (near, far) = tokio::io::duplex(UNDER_WAY_BYTES_MAX);
    let (mut from, mut to) = tokio::io::split(far);
    let incoming = async {
        while let Some(input) = hearing.next().await {
            match input {
                Input::Data(data) => {
                    // Whoever sends what is no base64 is not understood, and whoever is gone reads nothing.
                    let Ok(bytes) = BASE64.decode(&data) else { return };
                    if to.write_all(&bytes).await.is_err() {
                        // What the other side has said before it had enough is told.
                        return std::future::pending().await;
                    }
                    if telling.taken(&data).await.is_err() {
                        return;
                    }
                }
                Input::End => drop(to.shutdown().await),
                Input::Resize(_) | Input::Taken(_) | Input::Release(_) => {}
            }
        }
    };
    let outgoing = async {
        let (mut piece, mut next) = (vec![0; DATA_BYTES_MAX], 0);
        while let Ok(count @ 1..) = from.read(&mut piece).await {
            next += count as u64;
            let data = BASE64.encode(&piece[..count]);
            let output = Output { stream: 1, data, at_ms: super::now_ms(), next, partial: false, lost_bytes: 0 };
            if telling.print(output).await.is_err() {
                return;
            }
        }
    };
    // What was said last is told: it ends when there is nothing more to read.
    let carrying = async { tokio::join!(channel.carry(Box::new(near)), outgoing) };
    tokio::select! {
        _ = carrying => {}
        () = incoming => {}
    }
    Ok(Answer::ChannelEnded)
}
