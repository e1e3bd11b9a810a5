//! The nodes' port: where machines elsewhere join and are asked, wired to this installation's state.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base::{Clock, SystemClock, SystemRng, Timestamp};
use blobs::Blobs;
use node::gate::{Authority, Gate, Parts, TOKEN_TTL_MAX, uptime};
use node::supply::{BoxFuture, chain};
use store::Store;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::config::{PublicUrl, Secret, reachable_locally};
use crate::control_socket::{Answer, NodeRequest};
use crate::data_dir::{DataDir, make_private_dir};
use crate::fleet;
use crate::records;
use crate::settings::Settings;
use crate::stop::Stop;

/// By what name joined machines are told the server's region.
pub(crate) const REGION: &str = "region";

/// The port, which lets nobody in yet.
pub(crate) struct NodeGate {
    gate: Gate,
    listener: TcpListener,
    endpoint: String,
}

/// What the port is made of, beside settings and directory.
pub(crate) struct Foundation {
    pub(crate) store: Store,
    pub(crate) blobs: Blobs,
    /// Where workloads' connections go.
    pub(crate) door: Arc<dyn node::gate::Door>,
}

impl NodeGate {
    /// Listens, if the settings say where.
    ///
    /// # Errors
    /// When the address is taken, or it cannot be read who has joined.
    pub(crate) async fn open(settings: &Settings, dir: &DataDir, foundation: Foundation) -> Result<Option<Self>> {
        let Some(listen) = settings.node_listen else { return Ok(None) };
        let Foundation { store, blobs, door } = foundation;
        let clock = Arc::new(SystemClock);
        let parts = Parts {
            store,
            blobs,
            authority: authority(dir, clock.now())?,
            reserved: vec![fleet::local()],
            facts: BTreeMap::from([(REGION.to_owned(), settings.region.to_string())]),
            door,
            clock,
            rng: Arc::new(SystemRng),
            uptime: Arc::new(uptime),
        };
        let gate = Gate::open(parts).await.context("nodes cannot be let in")?;
        let listener = bind(listen, dir).await?;
        let endpoint = endpoint(listener.local_addr()?, settings.public_url.as_ref());
        Ok(Some(Self { gate, listener, endpoint }))
    }

    /// The gate itself.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Answers what the command line asks about joining.
    pub(crate) fn commands(&self) -> NodeCommands {
        NodeCommands(Some((self.gate.clone(), self.endpoint.clone())))
    }

    /// Lets nodes in until told to stop.
    pub(crate) async fn serve(self, stop: Stop) {
        info!(endpoint = self.endpoint, "nodes may join");
        self.gate.serve(&self.listener, stop.requested()).await;
    }
}

/// Listens. Where any port will do, it is the one of the server before: nodes that joined know no other.
async fn bind(listen: SocketAddr, dir: &DataDir) -> Result<TcpListener> {
    let path = dir.node_port();
    if listen.port() == 0
        && let Some(before) = records::read::<u16>(&path)?
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(listen.ip(), before)).await
    {
        return Ok(listener);
    }
    let listener = TcpListener::bind(listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {listen} for nodes (--node-listen)"))?;
    records::write(&path, &listener.local_addr()?.port())?;
    Ok(listener)
}

/// The authority that is kept in the data directory, or a new one.
fn authority(dir: &DataDir, now: Timestamp) -> Result<Authority> {
    make_private_dir(&dir.tls())?;
    let path = dir.node_authority();
    let kept: Option<Authority> = records::read(&path)?;
    let was_there = kept.is_some();
    if let Some(kept) = kept.filter(|it| it.is_fresh(now)) {
        return Ok(kept);
    }
    if was_there {
        warn!("the nodes' authority comes to its end and is replaced: every node that joined has to join again");
    }
    let made = Authority::make(now)?;
    records::write(&path, &made)?;
    Ok(made)
}

/// How nodes are told to reach the port: by the name that clients are told, or by the machine's own where it listens everywhere.
fn endpoint(local: SocketAddr, public: Option<&PublicUrl>) -> String {
    let public = public.and_then(|url| url.authority().parse::<http::uri::Authority>().ok());
    match public {
        Some(authority) => format!("https://{}:{}", authority.host(), local.port()),
        None if local.ip().is_unspecified() => {
            let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let usable = !host.is_empty() && host != "localhost";
            if usable {
                format!("https://{host}:{}", local.port())
            } else {
                format!("https://{}", reachable_locally(local))
            }
        }
        None => format!("https://{local}"),
    }
}

/// What the command line asks about joining.
#[derive(Debug, Clone, Default)]
pub(crate) struct NodeCommands(Option<(Gate, String)>);

impl NodeCommands {
    /// Answers.
    pub(crate) fn answer(&self, request: NodeRequest) -> BoxFuture<'static, Answer> {
        let Some((gate, endpoint)) = self.0.clone() else {
            let reason =
                "no machine can join this Pilvi: it is to be told where they would (--node-listen 0.0.0.0:4567)";
            return Box::pin(async move { Answer::Failed { reason: reason.to_owned() } });
        };
        Box::pin(async move {
            let answered = match request {
                NodeRequest::CreateToken { ttl_s } => create_token(&gate, endpoint, ttl_s).await,
                NodeRequest::Remove { name } => gate.remove(&name).await.map(Answer::Removed),
            };
            answered.unwrap_or_else(|error| Answer::Failed { reason: chain(&error) })
        })
    }
}

async fn create_token(gate: &Gate, endpoint: String, ttl_s: u64) -> Result<Answer, node::gate::GateError> {
    let token = gate.create_token(Duration::from_secs(ttl_s).min(TOKEN_TTL_MAX)).await?;
    info!(token = token.id, "a token was made by which a node may join");
    Ok(Answer::NodeToken { token: Secret::new(token.reveal().to_string()), endpoint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_kept_and_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;

        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        let now = SystemClock.now();
        let first = authority(&dir, now).unwrap().fingerprint().unwrap();
        assert_eq!(authority(&dir, now).unwrap().fingerprint().unwrap(), first);
        let mode = std::fs::metadata(dir.node_authority()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let late = now.plus(Duration::from_secs(3600 * 86_400));
        assert_ne!(authority(&dir, late).unwrap().fingerprint().unwrap(), first);
    }

    #[test]
    fn nodes_are_told_the_name_that_clients_are_told() {
        let local: SocketAddr = "127.0.0.1:4567".parse().unwrap();
        assert_eq!(endpoint(local, None), "https://127.0.0.1:4567");
        let public = "https://pilvi.example.com:443".parse().unwrap();
        assert_eq!(endpoint(local, Some(&public)), "https://pilvi.example.com:4567");
        assert!(endpoint("0.0.0.0:4567".parse().unwrap(), None).ends_with(":4567"));
    }

    #[tokio::test]
    async fn where_any_port_will_do_it_stays_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::at(temp.path());
        make_private_dir(&dir.run()).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let first = bind(any, &dir).await.unwrap();
        let address = first.local_addr().unwrap();
        let second = bind(any, &dir).await.unwrap();
        assert_ne!(second.local_addr().unwrap(), address, "while the port is taken it is another one");
        let third = second.local_addr().unwrap();
        drop((first, second));
        assert_eq!(bind(any, &dir).await.unwrap().local_addr().unwrap(), third);
    }

    #[tokio::test]
    async fn without_a_port_it_is_said_how_to_have_one() {
        let answer = NodeCommands::default().answer(NodeRequest::CreateToken { ttl_s: 1 }).await;
        assert!(matches!(answer, Answer::Failed { reason } if reason.contains("--node-listen")));
    }
}
