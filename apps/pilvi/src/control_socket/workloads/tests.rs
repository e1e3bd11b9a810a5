use std::collections::VecDeque;
use std::sync::Mutex;

use base::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use node::protocol::{Answer as NodeAnswer, Event, Input, Output, WorkloadStats};
use tokio::sync::{mpsc, watch};
use workload::{ContainerObserved, ContainerState, ExitStatus, Health, Observed, Reason, ReasonCode, Spec};

use super::runtime::{Heard as NodeSaid, Hears, Says, Takes, Talking, Watching};
use super::*;
use crate::control_socket::Session as Asked;
use crate::control_socket::{Answerers, Commands, ControlSocket, Ended, ImageRequest, RuntimeAnswers, RuntimeRequest};
use crate::data_dir::DataDir;
use crate::stop::{Stopper, stop};

const ID: &str = "0123456789abcdef0123456789abcdef";

/// One workload, which is what the test says, and the sessions that its node is to have.
struct Fake {
    now: watch::Sender<Option<Told>>,
    /// Whether its node has it.
    taken: watch::Sender<bool>,
    sessions: Mutex<VecDeque<Result<Talking, Broken>>>,
    opened: mpsc::UnboundedSender<Session>,
    done: mpsc::UnboundedSender<String>,
    has_image: bool,
    has_node: bool,
}

/// The test's side of [`Fake`].
struct Bed {
    _temp: tempfile::TempDir,
    dir: DataDir,
    fake: Arc<Fake>,
    opened: mpsc::UnboundedReceiver<Session>,
    done: mpsc::UnboundedReceiver<String>,
    _stopper: Stopper,
}

/// The node's side of a session.
struct NodeSide {
    says: mpsc::UnboundedSender<Result<NodeSaid, Broken>>,
    hears: mpsc::Receiver<Input>,
}

struct Nobody;

impl Commands for Nobody {
    fn answer(&self, _: ImageRequest, _: Teller) -> BoxFuture<'_, Answer> {
        Box::pin(async { Answer::Failed { reason: "no images".to_owned() } })
    }
}

impl RuntimeAnswers for Nobody {
    fn answer(&self, _: RuntimeRequest, _: Teller) -> BoxFuture<'_, Answer> {
        Box::pin(async { Answer::Failed { reason: "no runtimes".to_owned() } })
    }
}

fn bed(has_image: bool, has_node: bool) -> Bed {
    let temp = tempfile::tempdir().unwrap();
    std::fs::create_dir(temp.path().join("run")).unwrap();
    let dir = DataDir::at(temp.path());
    let (stopper, stop) = stop();
    let (opened, opened_hears) = mpsc::unbounded_channel();
    let (done, done_hears) = mpsc::unbounded_channel();
    let sessions = Mutex::default();
    let fake = Arc::new(Fake {
        now: watch::channel(None).0,
        taken: watch::channel(false).0,
        sessions,
        opened,
        done,
        has_image,
        has_node,
    });
    let workloads = Arc::new(WorkloadCommands::new(fake.clone()));
    let nodes = crate::node_gate::NodeCommands::default();
    let answerers = Answerers { images: Arc::new(Nobody), workloads, nodes, runtimes: Arc::new(Nobody) };
    tokio::spawn(ControlSocket::open(&dir).unwrap().serve(answerers, stop));
    Bed { _temp: temp, dir, fake, opened: opened_hears, done: done_hears, _stopper: stopper }
}

impl Bed {
    fn is(&self, state: Option<ContainerState>) {
        self.fake.now.send_replace(Some(told(state)));
    }

    /// What the node has for the next session.
    fn session(&self, room: usize) -> NodeSide {
        let (says, hears) = mpsc::unbounded_channel();
        let (heard, side) = mpsc::channel(room);
        let talking = Talking { hears: Box::new(Hearing(hears)), says: Box::new(Saying(heard)) };
        self.fake.sessions.lock().unwrap().push_back(Ok(talking));
        NodeSide { says, hears: side }
    }

    async fn ask(&self, request: WorkloadRequest) -> Asked {
        let dir = self.dir.clone();
        let handle = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || handle.block_on(async { Asked::open(&dir, request).unwrap() }))
            .await
            .unwrap()
    }
}

struct Hearing(mpsc::UnboundedReceiver<Result<NodeSaid, Broken>>);

impl Hears for Hearing {
    fn next(&mut self) -> BoxFuture<'_, Result<NodeSaid, Broken>> {
        Box::pin(async { self.0.recv().await.unwrap_or_else(|| Err(Broken::Away("the node is away".to_owned()))) })
    }
}

struct Taking(watch::Receiver<bool>);

impl Takes for Taking {
    fn of<'a>(&'a mut self, _: &'a WorkloadId) -> BoxFuture<'a, ()> {
        Box::pin(async { drop(self.0.wait_for(|taken| *taken).await) })
    }
}

struct Saying(mpsc::Sender<Input>);

impl Says for Saying {
    fn say(&self, input: Input) -> BoxFuture<'_, Result<(), Broken>> {
        Box::pin(async { self.0.send(input).await.map_err(|_| Broken::Away("the node is away".to_owned())) })
    }
}

struct Looking(watch::Receiver<Option<Told>>, bool);

impl Watching for Looking {
    fn next(&mut self) -> BoxFuture<'_, Option<Told>> {
        Box::pin(async {
            if std::mem::replace(&mut self.1, true) {
                self.0.changed().await.ok()?;
            }
            self.0.borrow_and_update().clone()
        })
    }
}

impl Runtime for Fake {
    fn has_image<'a>(&'a self, _: &'a images::Reference) -> BoxFuture<'a, bool> {
        Box::pin(async { self.has_image })
    }

    fn nodes(&self) -> BoxFuture<'_, Result<Vec<NodeTold>, String>> {
        let node = NodeTold {
            id: "one".parse().unwrap(),
            state: "ready".to_owned(),
            since: Timestamp::default(),
            problem: None,
            workloads: 0,
            has: Resources::default(),
            reserved: Resources::default(),
            attributes: std::collections::BTreeMap::new(),
        };
        Box::pin(async move { Ok(if self.has_node { vec![node] } else { Vec::new() }) })
    }

    fn create(&self, creation: Creation) -> BoxFuture<'_, Result<WorkloadId, String>> {
        Box::pin(async move {
            if self.now.borrow().is_none() {
                self.now.send_replace(Some(told(None)));
            }
            self.done.send(format!("create {:?} {}", creation.name, creation.remove)).unwrap();
            Ok(ID.parse().unwrap())
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Told>, String>> {
        Box::pin(async { Ok(self.now.borrow().clone().into_iter().collect()) })
    }

    fn find<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Told>, String>> {
        Box::pin(async move { Ok(self.now.borrow().clone().filter(|told| told.id.as_str().starts_with(name))) })
    }

    fn watch<'a>(&'a self, _: &'a WorkloadId) -> BoxFuture<'a, Result<Box<dyn Watching>, String>> {
        Box::pin(async { Ok(Box::new(Looking(self.now.subscribe(), false)) as Box<dyn Watching>) })
    }

    fn stop<'a>(&'a self, _: &'a WorkloadId, timeout_s: Option<u32>) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.done.send(format!("stop {timeout_s:?}")).unwrap();
            self.now.send_replace(Some(told(Some(exited(Some(137))))));
            Ok(())
        })
    }

    fn remove<'a>(&'a self, _: &'a WorkloadId) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async {
            self.done.send("remove".to_owned()).unwrap();
            self.now.send_replace(None);
            Ok(())
        })
    }

    fn why<'a>(&'a self, _: &'a WorkloadId) -> BoxFuture<'a, Result<Why, String>> {
        Box::pin(async { Err("nobody knows".to_owned()) })
    }

    fn signal<'a>(&'a self, _: &'a WorkloadId, signal: i32) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.done.send(format!("signal {signal}")).unwrap();
            Ok(())
        })
    }

    fn stats<'a>(&'a self, _: &'a [WorkloadId]) -> BoxFuture<'a, Result<Vec<WorkloadStats>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn takes(&self) -> Box<dyn Takes> {
        Box::new(Taking(self.taken.subscribe()))
    }

    fn open<'a>(&'a self, _: &'a WorkloadId, session: Session) -> BoxFuture<'a, Result<Talking, Broken>> {
        Box::pin(async move {
            self.opened.send(session).unwrap();
            let next = self.sessions.lock().unwrap().pop_front();
            next.unwrap_or_else(|| Err(Broken::Refused("there is no such session".to_owned())))
        })
    }

    fn purge(&self) -> BoxFuture<'_, Result<u64, String>> {
        Box::pin(async { Ok(1) })
    }
}

fn told(state: Option<ContainerState>) -> Told {
    let observed = state.map(|state| Observed {
        sequence: 1,
        phase: if matches!(state, ContainerState::Exited(_)) { Phase::Stopped } else { Phase::Running },
        reason: None,
        containers: vec![ContainerObserved {
            name: "main".to_owned(),
            image_digest: None,
            state,
            health: Health::Unknown,
            restarts: 0,
            last_exit: None,
            output_bytes_lost: 0,
        }],
        address: None,
        ports: Vec::new(),
        steps: Vec::new(),
        started_at: None,
        stopped_at: None,
    });
    let main = ContainerTold { name: "main".into(), image: "busybox".into(), command: Vec::new(), tty: false };
    Told {
        id: ID.parse().unwrap(),
        name: None,
        owner: None,
        containers: vec![main],
        created_at: Timestamp::default(),
        node: None,
        is_stopping: false,
        waiting: Some(Reason::new(ReasonCode::NoRoom, "no node has room")),
        observed,
    }
}

fn running() -> ContainerState {
    ContainerState::Running { since: Timestamp::default(), pid: 1 }
}

fn exited(code: Option<i32>) -> ContainerState {
    let started_at = code.map(|_| Timestamp::default());
    ContainerState::Exited(ExitStatus {
        code: code.or(Some(127)),
        signal: None,
        out_of_memory: false,
        reason: code.is_none().then(|| Reason::new(ReasonCode::CannotStart, "`x` is not found in the image")),
        started_at,
        at: Timestamp::default(),
    })
}

fn run(attach: bool) -> WorkloadRequest {
    let image = "busybox".parse().unwrap();
    let spec = Spec::default();
    WorkloadRequest::Run(Box::new(Run {
        spec,
        image,
        pull: Pulls::IfMissing,
        name: None,
        remove: false,
        attach,
        log: None,
    }))
}

fn output(text: &str, next: u64) -> Result<NodeSaid, Broken> {
    let data = BASE64.encode(text);
    Ok(NodeSaid::Event(Event::Output(Output { stream: 1, data, at_ms: 0, next, partial: false, lost_bytes: 0 })))
}

fn text(answer: WorkloadAnswer) -> String {
    let WorkloadAnswer::Output(output) = answer else { panic!("{answer:?}") };
    String::from_utf8(output.bytes().unwrap()).unwrap()
}

fn answered(code: u8) -> WorkloadAnswer {
    WorkloadAnswer::Exited(Exited { code, reason: None })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_attaches_hears_why_it_waits_then_everything_that_it_prints_then_how_it_ended() {
    let mut bed = bed(true, true);
    let node = bed.session(8);
    let mut asked = bed.ask(run(true)).await;
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Created { id: ID.parse().unwrap() });
    let WorkloadAnswer::Waiting { reason } = asked.next().await.unwrap() else { panic!() };
    assert_eq!(reason.message, "no node has room");
    bed.is(Some(running()));
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Started);
    for number in 0..100 {
        node.says.send(output(&number.to_string(), number)).unwrap();
    }
    for number in 0..100 {
        assert_eq!(text(asked.next().await.unwrap()), number.to_string());
    }
    bed.is(Some(exited(Some(3))));
    node.says.send(Ok(NodeSaid::Answer(NodeAnswer::OutputEnded))).unwrap();
    assert_eq!(asked.next().await.unwrap(), answered(3));
    assert_eq!(bed.done.recv().await.unwrap(), "create None false");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_output_is_asked_for_when_its_node_has_it_and_told_when_it_runs() {
    let mut bed = bed(true, true);
    let (early, late) = (bed.session(8), bed.session(8));
    let mut asked = bed.ask(run(true)).await;
    asked.next().await.unwrap();
    asked.next().await.unwrap();
    bed.fake.taken.send_replace(true);
    let Session::Attach(output) = bed.opened.recv().await.unwrap() else { panic!() };
    assert_eq!((output.from, output.container.as_deref()), (0, Some("main")));
    early.says.send(self::output("quick", 5)).unwrap();
    bed.is(Some(running()));
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Started, "input may be said from here on");
    assert_eq!(text(asked.next().await.unwrap()), "quick");
    // A node that refuses what was asked too early is asked again.
    early.says.send(Err(Broken::Refused("it is not there".to_owned()))).unwrap();
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Resumed);
    bed.is(Some(exited(Some(0))));
    late.says.send(Ok(NodeSaid::Answer(NodeAnswer::OutputEnded))).unwrap();
    assert_eq!(asked.next().await.unwrap(), answered(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn input_sizes_and_signals_reach_it_and_a_signal_waits_for_no_input() {
    let mut bed = bed(true, true);
    // It takes one piece of input, and then no more.
    let mut node = bed.session(1);
    bed.is(Some(running()));
    let mut asked = bed.ask(run(true)).await;
    asked.next().await.unwrap();
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Started);
    for piece in ["one", "two", "three"] {
        asked.say(&Say::Data(BASE64.encode(piece))).await.unwrap();
    }
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Taken(4));
    asked.say(&Say::Signal(15)).await.unwrap();
    bed.done.recv().await.unwrap();
    assert_eq!(bed.done.recv().await.unwrap(), "signal 15", "though input waits");
    for piece in ["one", "two", "three"] {
        assert_eq!(node.hears.recv().await.unwrap(), Input::Data(BASE64.encode(piece)));
    }
    asked.say(&Say::End).await.unwrap();
    assert_eq!(node.hears.recv().await.unwrap(), Input::End);
    asked.say(&Say::Resize([132, 50])).await.unwrap();
    assert_eq!(node.hears.recv().await.unwrap(), Input::Resize([132, 50]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_started_anew_goes_on_where_it_was() {
    let mut bed = bed(true, true);
    let (first, second) = (bed.session(8), bed.session(8));
    bed.is(Some(running()));
    let mut asked = bed.ask(run(true)).await;
    asked.next().await.unwrap();
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Started);
    first.says.send(output("before", 6)).unwrap();
    assert_eq!(text(asked.next().await.unwrap()), "before");
    drop(first);
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Resumed);
    second.says.send(output("after", 11)).unwrap();
    assert_eq!(text(asked.next().await.unwrap()), "after");
    let mut from = Vec::new();
    for _ in 0..2 {
        let Session::Attach(output) = bed.opened.recv().await.unwrap() else { panic!() };
        from.push(output.from);
    }
    assert_eq!(from, [0, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_before_it_began_has_it_not_begin() {
    let mut bed = bed(true, true);
    let mut asked = bed.ask(run(true)).await;
    asked.next().await.unwrap();
    asked.next().await.unwrap();
    asked.say(&Say::Signal(2)).await.unwrap();
    bed.done.recv().await.unwrap();
    assert_eq!(bed.done.recv().await.unwrap(), "stop Some(0)");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_attach_hears_that_it_runs_or_why_it_cannot() {
    let bed = bed(true, true);
    let mut asked = bed.ask(run(false)).await;
    asked.next().await.unwrap();
    asked.next().await.unwrap();
    bed.is(Some(running()));
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Started);

    bed.is(Some(exited(None)));
    let mut asked = bed.ask(run(false)).await;
    asked.next().await.unwrap();
    let WorkloadAnswer::Exited(exited) = asked.next().await.unwrap() else { panic!() };
    assert_eq!((exited.code, exited.reason.unwrap().contains("not found")), (127, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_node_it_is_said_what_to_do_and_without_the_image_it_is_to_be_pulled() {
    let asked = bed(true, false).ask(run(true)).await.next().await;
    let Err(Ended::Refused(reason)) = asked else { panic!("{asked:?}") };
    assert!(reason.contains("sudo pilvi up"), "{reason}");
    assert_eq!(bed(false, true).ask(run(true)).await.next().await, Ok(WorkloadAnswer::ImageMissing));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_in_a_container_ends_with_its_own_code() {
    let mut bed = bed(true, true);
    let execute = || Execute {
        container: None,
        args: vec!["true".to_owned()],
        env: Vec::new(),
        working_dir: None,
        user: None,
        tty: None,
        stdin: false,
    };
    let exec = |workload: &str| WorkloadRequest::Exec { workload: workload.to_owned(), exec: Box::new(execute()) };
    bed.is(None);
    let refused = bed.ask(exec("0123")).await.next().await.unwrap_err().to_string();
    assert!(refused.contains("does not run"), "{refused}");

    bed.is(Some(running()));
    let node = bed.session(8);
    let mut asked = bed.ask(exec("0123")).await;
    node.says.send(Ok(NodeSaid::Event(Event::Started))).unwrap();
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Started);
    node.says.send(Ok(NodeSaid::Answer(NodeAnswer::Exited { code: 5, reason: None }))).unwrap();
    assert_eq!(asked.next().await.unwrap(), answered(5));
    let other = bed.session(8);
    let mut asked = bed.ask(exec("0123")).await;
    let reason = Some("`x` is not found".to_owned());
    other.says.send(Ok(NodeSaid::Answer(NodeAnswer::Exited { code: 127, reason: reason.clone() }))).unwrap();
    assert_eq!(asked.next().await.unwrap(), WorkloadAnswer::Exited(Exited { code: 127, reason }));
    let Session::Exec(exec) = bed.opened.recv().await.unwrap() else { panic!() };
    assert_eq!((exec.id.as_str(), exec.container.as_deref()), (ID, Some("main")));
    let missing =
        bed.ask(WorkloadRequest::Why { workload: "f".to_owned() }).await.next().await.unwrap_err().to_string();
    assert!(missing.contains("pilvi ps -a"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_forgotten_by_force_alone() {
    let mut bed = bed(true, true);
    bed.is(Some(running()));
    let remove = |force| WorkloadRequest::Remove { workload: ID.to_owned(), force };
    let refused = bed.ask(remove(false)).await.next().await.unwrap_err().to_string();
    assert!(refused.contains("pilvi rm -f"), "{refused}");
    let done = WorkloadAnswer::Done { id: Some(ID.parse().unwrap()) };
    assert_eq!(bed.ask(remove(true)).await.next().await.unwrap(), done);
    assert_eq!(bed.done.recv().await.unwrap(), "stop Some(0)");
    assert_eq!(bed.done.recv().await.unwrap(), "remove");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_forgotten_when_its_node_has_cleared_away_what_it_had() {
    let mut bed = bed(true, true);
    let mut ending = told(Some(exited(Some(0))));
    ending.observed.as_mut().unwrap().phase = Phase::Stopping;
    bed.fake.now.send_replace(Some(ending));
    let mut asked = bed.ask(WorkloadRequest::Remove { workload: ID.to_owned(), force: false }).await;
    let done = asked.next();
    tokio::pin!(done);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(20), &mut done).await.is_err());
    bed.is(Some(exited(Some(0))));
    assert_eq!(done.await.unwrap(), WorkloadAnswer::Done { id: Some(ID.parse().unwrap()) });
    assert_eq!(bed.done.recv().await.unwrap(), "remove", "nobody was told to stop it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_says_more_than_is_taken_is_not_listened_to() {
    let bed = bed(true, true);
    let _node = bed.session(1);
    bed.is(Some(running()));
    let mut asked = bed.ask(run(true)).await;
    asked.next().await.unwrap();
    asked.next().await.unwrap();
    let piece = "A".repeat(32 * 1024);
    let ended = loop {
        // That the server hangs up is told by what is heard.
        let _ = asked.say(&Say::Data(piece.clone())).await;
        if let Ok(Err(ended)) = tokio::time::timeout(std::time::Duration::from_millis(1), asked.next()).await {
            break ended;
        }
    };
    assert!(ended.to_string().contains("more input"), "{ended}");
}
