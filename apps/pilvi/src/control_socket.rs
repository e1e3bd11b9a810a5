//! The server's control socket, `run/control.sock`: how the command line asks for what no AWS operation does.
//!
//! It admits the server's own user and root, as the kernel tells who connects; the directory and the socket's mode say so,
//! too. Each connection asks for one thing, and may go on to speak with what runs: its input, its terminal's size, signals.

mod client;
mod protocol;
pub(crate) mod workloads;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use node::supply::BoxFuture;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::debug;

pub(crate) use client::{Conversation, Ended, Session};
pub(crate) use protocol::{Answer, Credentials, ImageRequest, NodeRequest, Pull, Request, RuntimeRequest};

use crate::data_dir::DataDir;
use crate::node_gate::NodeCommands;
use crate::own_socket::{OwnSocket, at_short_path, is_own};
use crate::stop::Stop;
use protocol::{ANSWER_BYTES_MAX, Envelope, REQUEST_BYTES_MAX, VERSION};
use workloads::{SAY_BYTES_MAX, Say, WorkloadAnswer, WorkloadCommands};

/// Connections at one time; further ones wait. Everybody who looks at something that runs has one.
const CONNECTIONS_MAX: usize = 256;
/// How long a command may take to say what it wants, and to read a line of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often a command that waits is told that there is still somebody at work.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// Lines that wait for a command to read them.
const LINES_MAX: usize = 64;

/// Who answers what is asked of images.
pub(crate) trait Commands: Send + Sync + 'static {
    /// Answers a request: each line but the last by `teller`, the last by what it returns. When it is dropped nobody
    /// wants the answer.
    fn answer(&self, request: ImageRequest, teller: Teller) -> BoxFuture<'_, Answer>;
}

/// Who answers what is asked of runtimes.
pub(crate) trait RuntimeAnswers: Send + Sync + 'static {
    /// Answers a request, as [`Commands::answer`] does.
    fn answer(&self, request: RuntimeRequest, teller: Teller) -> BoxFuture<'_, Answer>;
}

/// Who answers what.
#[derive(Clone)]
pub(crate) struct Answerers {
    /// About images.
    pub(crate) images: Arc<dyn Commands>,
    /// About what runs.
    pub(crate) workloads: Arc<WorkloadCommands>,
    /// About machines that join.
    pub(crate) nodes: NodeCommands,
    /// About what functions can be written in.
    pub(crate) runtimes: Arc<dyn RuntimeAnswers>,
}

/// Tells a command how it goes on.
#[derive(Debug, Clone)]
pub(crate) struct Teller(mpsc::Sender<Answer>);

impl Teller {
    /// Sends a line, when the command has read those before. That nobody reads any more ends the request by itself.
    pub(crate) async fn tell(&self, answer: Answer) {
        let _ = self.0.send(answer).await;
    }

    /// The same for what is told of what runs.
    pub(crate) async fn tell_workload(&self, answer: WorkloadAnswer) {
        self.tell(Answer::Workload(Box::new(answer))).await;
    }
}

/// What a command says after its request. Nothing is lost when it is not waited for to the end.
#[derive(Debug)]
pub(crate) struct Heard(mpsc::Receiver<Say>);

impl Heard {
    /// The next thing that it says. A command that says nothing more is waited for: that it hung up ends the request.
    pub(crate) async fn next(&mut self) -> Say {
        match self.0.recv().await {
            Some(say) => say,
            None => std::future::pending().await,
        }
    }
}

/// The socket, which answers nobody yet.
pub(crate) struct ControlSocket(OwnSocket);

impl ControlSocket {
    /// Makes the socket.
    ///
    /// # Errors
    /// As [`OwnSocket::make`].
    pub(crate) fn open(dir: &DataDir) -> Result<Self> {
        OwnSocket::make(dir.control_socket()).map(Self)
    }

    /// Answers until told to stop; what is under way then is broken off.
    pub(crate) async fn serve(self, answerers: Answerers, stop: Stop) {
        let answer = |stream| {
            let answerers = answerers.clone();
            async move {
                if let Err(error) = converse(stream, &answerers).await {
                    debug!(%error, "a command broke off");
                }
            }
        };
        self.0.accept(CONNECTIONS_MAX, &stop, answer).await.shutdown().await;
    }
}

/// One command, from its question to the answer.
async fn converse(stream: UnixStream, answerers: &Answerers) -> io::Result<()> {
    let is_own = is_own(&stream);
    let (from, mut to) = stream.into_split();
    if !is_own {
        let reason = "only the owner of the data directory and root may ask for this".to_owned();
        return send(&mut to, &Answer::Failed { reason }, Some(PATIENCE)).await;
    }
    let mut from = BufReader::new(from);
    let request = match timeout(PATIENCE, read(&mut from)).await.map_err(|_| io::ErrorKind::TimedOut)?? {
        Ok(request) => request,
        Err(reason) => return send(&mut to, &Answer::Failed { reason: reason.to_owned() }, Some(PATIENCE)).await,
    };
    let (teller, mut told) = mpsc::channel(LINES_MAX);
    let (teller, (heard, hears)) = (Teller(teller), mpsc::channel(LINES_MAX));
    let (mut work, patience) = match request {
        Request::Image(request) => {
            drop(hears);
            (answerers.images.answer(*request, teller), Some(PATIENCE))
        }
        // Somebody who looks at output may stop reading for as long as he likes: it waits in the node, not here.
        Request::Workload(request) => (answerers.workloads.answer(*request, teller, Heard(hears)), None),
        Request::Node(request) => {
            drop(hears);
            (answerers.nodes.answer(request), Some(PATIENCE))
        }
        Request::Runtime(request) => {
            drop(hears);
            (answerers.runtimes.answer(request, teller), Some(PATIENCE))
        }
    };
    let mut gone = std::pin::pin!(listen(from, heard));
    loop {
        tokio::select! {
            biased;
            Some(answer) = told.recv() => send_unless(&mut to, &answer, patience, gone.as_mut()).await?,
            answer = &mut work => {
                // What was told before comes before.
                while let Ok(told) = told.try_recv() {
                    send_unless(&mut to, &told, patience, gone.as_mut()).await?;
                }
                return send_unless(&mut to, &answer, patience, gone.as_mut()).await;
            }
            () = &mut gone => return Err(io::ErrorKind::ConnectionAborted.into()),
            () = tokio::time::sleep(SIGN_OF_LIFE) => {
                send_unless(&mut to, &Answer::Working, patience, gone.as_mut()).await?;
            }
        }
    }
}

/// Reads what a command wants; an error is for the command to tell.
async fn read(from: &mut BufReader<OwnedReadHalf>) -> io::Result<Result<Request, &'static str>> {
    let mut line = Vec::new();
    from.take(REQUEST_BYTES_MAX).read_until(b'\n', &mut line).await?;
    if line.last() != Some(&b'\n') {
        return Ok(Err("the request is too long, or broke off"));
    }
    // What serde says could repeat a secret.
    Ok(match serde_json::from_slice(&line) {
        Ok(Envelope { version: VERSION, request }) => Ok(request),
        _ => Err("this command and the server that runs are of different versions: restart Pilvi"),
    })
}

/// Hears what a command says until it has hung up. Of a request that has no use for it everything is passed over, and so is
/// what is no such thing.
async fn listen(mut from: BufReader<OwnedReadHalf>, heard: mpsc::Sender<Say>) {
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut from).take(SAY_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(1..) if line.last() == Some(&b'\n') => {}
            _ => return,
        }
        if let Ok(say) = serde_json::from_slice(&line) {
            let _ = heard.send(say).await;
        }
    }
}

/// Sends a line, unless the command hangs up meanwhile.
async fn send_unless(
    to: &mut OwnedWriteHalf,
    answer: &Answer,
    patience: Option<Duration>,
    gone: impl Future<Output = ()>,
) -> io::Result<()> {
    tokio::select! {
        biased;
        sent = send(to, answer, patience) => sent,
        () = gone => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn send(to: &mut OwnedWriteHalf, answer: &Answer, patience: Option<Duration>) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    if line.len() as u64 >= ANSWER_BYTES_MAX {
        let reason = "the answer is too long to be told".to_owned();
        line = serde_json::to_vec(&Answer::Failed { reason })?;
    }
    line.push(b'\n');
    match patience {
        Some(patience) => timeout(patience, to.write_all(&line)).await.map_err(|_| io::ErrorKind::TimedOut)?,
        None => to.write_all(&line).await,
    }
}

#[cfg(test)]
mod tests;
