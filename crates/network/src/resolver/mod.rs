//! Names: those of a workload's own group are answered here, everything else is passed on to the host's name servers.
//!
//! The sockets are in each workload's namespace, so whose question it is needs no proof. What a workload can cost is bounded by
//! [`limits`]; what comes beyond is dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::tasks::Tasks;
use crate::{Error, limits};

mod message;
mod upstream;

#[cfg(test)]
mod tests;

pub use message::Question;
pub(crate) use upstream::of_host;

/// The biggest question, in bytes. A name has at most 255, and extensions are short.
const QUESTION_BYTES_MAX: usize = 4096;

/// The names of the groups' members.
#[derive(Debug, Default)]
pub(crate) struct Names(Mutex<BTreeMap<String, BTreeMap<String, BTreeSet<Ipv4Addr>>>>);

impl Names {
    /// A group's member has names.
    pub(crate) fn add(&self, group: &str, aliases: &[String], address: Ipv4Addr) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let names = groups.entry(group.to_owned()).or_default();
        for alias in aliases {
            names.entry(alias.to_ascii_lowercase()).or_default().insert(address);
        }
    }

    /// A group's member has them no more.
    pub(crate) fn remove(&self, group: &str, aliases: &[String], address: Ipv4Addr) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(names) = groups.get_mut(group) else { return };
        for alias in aliases.iter().map(|alias| alias.to_ascii_lowercase()) {
            if let Some(addresses) = names.get_mut(&alias) {
                addresses.remove(&address);
                if addresses.is_empty() {
                    names.remove(&alias);
                }
            }
        }
        if names.is_empty() {
            groups.remove(group);
        }
    }

    /// Who has a name in a group; none, if nobody has.
    fn find(&self, group: &str, name: &str) -> Option<Vec<Ipv4Addr>> {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        groups.get(group)?.get(name).map(|addresses| addresses.iter().copied().collect())
    }
}

/// Answers questions, each workload's from its own sockets.
#[derive(Debug)]
pub(crate) struct Resolver {
    names: Names,
    upstreams: Vec<SocketAddr>,
    questions: Semaphore,
    runtime: Handle,
}

/// Who asks.
#[derive(Debug)]
struct Asker {
    resolver: Arc<Resolver>,
    group: Option<String>,
    questions: Semaphore,
    connections: Semaphore,
}

impl Resolver {
    /// Passes on to these name servers. To be called within a runtime.
    pub(crate) fn new(upstreams: Vec<SocketAddr>) -> Arc<Self> {
        let questions = Semaphore::new(limits::QUESTIONS_OF_ALL_MAX);
        Arc::new(Self { names: Names::default(), upstreams, questions, runtime: Handle::current() })
    }

    /// The names of the groups' members.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Answers what comes to a workload's sockets, until the tasks end.
    pub(crate) fn serve(
        self: &Arc<Self>,
        group: Option<String>,
        questions: std::net::UdpSocket,
        streams: std::net::TcpListener,
    ) -> Result<Tasks, Error> {
        let _entered = self.runtime.enter();
        let failed = || Error::io("serve a workload's resolver");
        let questions = UdpSocket::from_std(questions).map_err(failed())?;
        let streams = TcpListener::from_std(streams).map_err(failed())?;
        let asker = Arc::new(Asker {
            resolver: Arc::clone(self),
            group,
            questions: Semaphore::new(limits::QUESTIONS_MAX),
            connections: Semaphore::new(limits::RESOLVER_CONNECTIONS_MAX),
        });
        let mut tasks = Tasks::default();
        tasks.push(self.runtime.spawn(Arc::clone(&asker).serve_datagrams(Arc::new(questions))));
        tasks.push(self.runtime.spawn(asker.serve_streams(streams)));
        Ok(tasks)
    }
}

impl Asker {
    async fn serve_datagrams(self: Arc<Self>, socket: Arc<UdpSocket>) {
        // Tasks that end with this one: a workload that is detached gets no answers.
        let mut answering = tokio::task::JoinSet::new();
        loop {
            if socket.readable().await.is_err() {
                return;
            }
            while answering.try_join_next().is_some() {}
            let mut buffer = [0; QUESTION_BYTES_MAX];
            let Ok((length, from)) = socket.try_recv_from(&mut buffer) else { continue };
            if answering.len() >= limits::QUESTIONS_MAX {
                continue;
            }
            let (asker, socket, packet) = (Arc::clone(&self), Arc::clone(&socket), buffer[..length].to_vec());
            answering.spawn(async move {
                if let Some(answer) = asker.answer(&packet, false).await {
                    // Whoever asked may be gone.
                    let _ = socket.send_to(&answer, from).await;
                }
            });
        }
    }

    async fn serve_streams(self: Arc<Self>, listener: TcpListener) {
        let mut serving = tokio::task::JoinSet::new();
        loop {
            let Ok(permit) = self.connections.acquire().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // No descriptor is free, or the connection was gone before it was taken: neither is better at once.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            permit.forget();
            while serving.try_join_next().is_some() {}
            let asker = Arc::clone(&self);
            serving.spawn(async move {
                let _ = asker.serve_stream(stream).await;
                asker.connections.add_permits(1);
            });
        }
    }

    async fn serve_stream(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let idle = Duration::from_secs(limits::RESOLVER_IDLE_S);
        loop {
            let packet = tokio::time::timeout(idle, async {
                let length = usize::from(stream.read_u16().await?);
                if length > QUESTION_BYTES_MAX {
                    return Err(std::io::ErrorKind::InvalidData.into());
                }
                let mut packet = vec![0; length];
                stream.read_exact(&mut packet).await?;
                Ok::<_, std::io::Error>(packet)
            })
            .await??;
            let Some(answer) = self.answer(&packet, true).await else { return Ok(()) };
            let Ok(length) = u16::try_from(answer.len()) else { return Ok(()) };
            let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
            tokio::time::timeout(idle, stream.write_all(&framed)).await??;
        }
    }

    /// The answer to a question; none to what is no question, and where there are too many.
    async fn answer(&self, packet: &[u8], stream: bool) -> Option<Vec<u8>> {
        let _own = self.questions.try_acquire().ok()?;
        let question = match Question::parse(packet) {
            Ok(question) => question,
            Err(refusal) => return refusal,
        };
        if let Some(addresses) = self.group.as_ref().and_then(|group| self.resolver.names.find(group, &question.name)) {
            return Some(question.answer(&addresses));
        }
        if !question.may_be_passed_on() {
            return Some(question.refuse());
        }
        let Ok(_one_of_all) = self.resolver.questions.try_acquire() else { return Some(question.fail()) };
        match upstream::ask(&self.resolver.upstreams, packet, &question, stream).await {
            Some(answer) => Some(answer),
            None => Some(question.fail()),
        }
    }
}
