//! Connections to the link-local addresses, handed to who serves them.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use workload::WorkloadId;

use super::local::{LocalCall, LocalEndpoint, LocalListener};

/// Connections of one workload to one of its addresses at one time; further ones wait to be accepted.
const CONNECTIONS_MAX: usize = 256;
/// How long accepting pauses when this process may open no more files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is called, by whom.
#[derive(Debug, Clone)]
pub(super) struct Called {
    pub(super) workload: WorkloadId,
    pub(super) service: Option<String>,
    pub(super) listener: LocalListener,
    pub(super) path_prefix: String,
}

/// Accepts until it is aborted; the connections end with it.
pub(super) async fn serve(listener: TcpListener, called: Called, endpoint: Arc<dyn LocalEndpoint>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "a workload's services cannot be served"),
    };
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    let Called { workload, service, listener, path_prefix } = called.clone();
                    connections.spawn(endpoint.serve(LocalCall { workload, service, listener, path_prefix, stream }));
                }
                Err(error) => {
                    tracing::warn!(%error, "a workload's connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}
