use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use node::supply::{NodeState, Progress};
use tokio::sync::Notify;

use super::*;
use crate::node_gate::NodeCommands;
use crate::stop::{Stopper, stop};

/// Answers images at once, a prune never, and notes when the latter is given up.
#[derive(Default)]
struct Fake {
    begun: Notify,
    given_up: Arc<GivenUp>,
}

#[derive(Default)]
struct GivenUp {
    is_true: AtomicBool,
    told: Notify,
}

struct Noting(Arc<GivenUp>);

impl Drop for Noting {
    fn drop(&mut self) {
        self.0.is_true.store(true, Ordering::SeqCst);
        self.0.told.notify_one();
    }
}

impl Commands for Fake {
    fn answer(&self, request: ImageRequest, teller: Teller) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match request {
                ImageRequest::Prune { .. } => {
                    let _noting = Noting(Arc::clone(&self.given_up));
                    self.begun.notify_one();
                    std::future::pending().await
                }
                ImageRequest::Remove { reference } => Answer::Failed { reason: format!("no {reference}") },
                _ => {
                    for bytes_done in 0..200 {
                        teller.tell(Answer::Progress(Progress { bytes_done, ..Progress::default() })).await;
                    }
                    Answer::Listed { node: NodeState::Answers }
                }
            }
        })
    }
}

impl RuntimeAnswers for Fake {
    fn answer(&self, _: RuntimeRequest, _: Teller) -> BoxFuture<'_, Answer> {
        Box::pin(async { Answer::RuntimesListed })
    }
}

struct Bed {
    _temp: tempfile::TempDir,
    dir: DataDir,
    fake: Arc<Fake>,
    stopper: Stopper,
    serving: tokio::task::JoinHandle<()>,
}

fn bed() -> Bed {
    let temp = tempfile::tempdir().unwrap();
    // Longer than the address of a socket can be.
    let long = temp.path().join("d".repeat(120));
    std::fs::create_dir_all(long.join("run")).unwrap();
    let dir = DataDir::at(long);
    let (stopper, stop) = stop();
    let fake = Arc::new(Fake::default());
    let socket = ControlSocket::open(&dir).unwrap();
    let workloads = Arc::new(WorkloadCommands::new(Arc::new(workloads::NoNode)));
    let answerers =
        Answerers { images: fake.clone(), workloads, nodes: NodeCommands::default(), runtimes: fake.clone() };
    let serving = tokio::spawn(socket.serve(answerers, stop));
    Bed { _temp: temp, dir, fake, stopper, serving }
}

/// A command is another process: its calls block.
async fn command<T: Send + 'static>(dir: &DataDir, act: impl FnOnce(DataDir) -> T + Send + 'static) -> T {
    let dir = dir.clone();
    tokio::task::spawn_blocking(move || act(dir)).await.unwrap()
}

fn raw(dir: &DataDir, bytes: &[u8]) -> String {
    let mut stream =
        at_short_path(&dir.control_socket(), |path| std::os::unix::net::UnixStream::connect(path)).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_comes_in_order_and_the_answer_last() {
    let bed = bed();
    let told = command(&bed.dir, |dir| {
        let mut conversation = Conversation::ask(&dir, ImageRequest::List).unwrap();
        let mut told = Vec::new();
        loop {
            match conversation.next().unwrap() {
                Answer::Progress(progress) => told.push(progress.bytes_done),
                answer => return (told, answer),
            }
        }
    });
    let (told, answer) = told.await;
    assert_eq!(told, (0..200).collect::<Vec<_>>());
    assert_eq!(answer, Answer::Listed { node: NodeState::Answers });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_hangs_up_ends_what_it_asked_for() {
    let bed = bed();
    let conversation =
        command(&bed.dir, |dir| Conversation::ask(&dir, ImageRequest::Prune { all: false }).unwrap()).await;
    bed.fake.begun.notified().await;
    assert!(!bed.fake.given_up.is_true.load(Ordering::SeqCst));
    drop(conversation);
    bed.fake.given_up.told.notified().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_the_commands_error() {
    let bed = bed();
    let error = command(&bed.dir, |dir| {
        let request = ImageRequest::Remove { reference: "far.example/a".parse().unwrap() };
        Conversation::ask(&dir, request).unwrap().next().unwrap_err().to_string()
    });
    assert_eq!(error.await, "no far.example/a:latest");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_of_this_version_is_refused_and_told() {
    let bed = bed();
    for request in [
        r#"{"version":2,"request":{"image":"list"}}"#,
        r#"{"version":1,"request":"somethingNew"}"#,
        r#"{"version":1}"#,
        "GET / HTTP/1.1\r",
    ] {
        let answer = command(&bed.dir, move |dir| raw(&dir, format!("{request}\n").as_bytes())).await;
        assert!(answer.contains("different versions"), "{request}: {answer}");
    }
    let answer = command(&bed.dir, |dir| raw(&dir, b"{")).await;
    assert!(answer.contains("broke off"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_server_stops_commands_are_told_and_the_socket_goes() {
    let bed = bed();
    let mut conversation =
        command(&bed.dir, |dir| Conversation::ask(&dir, ImageRequest::Prune { all: false }).unwrap()).await;
    bed.fake.begun.notified().await;
    bed.stopper.stop();
    bed.serving.await.unwrap();
    let error = tokio::task::spawn_blocking(move || conversation.next().unwrap_err().to_string()).await.unwrap();
    assert!(error.contains("ended before it answered"), "{error}");
    assert!(!bed.dir.control_socket().exists());
    let error = Conversation::ask(&bed.dir, ImageRequest::List).unwrap_err().to_string();
    assert!(error.contains("try again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_is_its_owners_alone_and_takes_the_place_of_a_dead_servers() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path());
    std::fs::create_dir(dir.run()).unwrap();
    drop(ControlSocket::open(&dir).unwrap());
    let _again = ControlSocket::open(&dir).unwrap();
    let mode = std::fs::metadata(dir.control_socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn secrets_are_not_printed() {
    let secret = || crate::config::Secret::new("hunter2".to_owned());
    let credentials = Credentials::Password { username: "u".to_owned(), password: secret() };
    let pull = Pull { reference: "a".parse().unwrap(), platform: None, credentials: Some(credentials) };
    assert!(!format!("{:?}", ImageRequest::Pull(pull)).contains("hunter2"));
    assert!(!format!("{:?}", Credentials::IdentityToken(secret())).contains("hunter2"));
}
