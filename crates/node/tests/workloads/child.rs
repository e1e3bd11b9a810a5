//! A node that can be killed, and what is wanted of it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;

use images::Digest;
use node::agent::{Agent, LocalAddresses, LocalCall, LocalChannel, LocalEndpoint, Options, WorkloadOptions};
use node::client::{Following, Node, NodeError, Talk};
use node::protocol::{Assignment, Event, Exec, Input, OutputOf, Session};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::signal::unix::{SignalKind, signal};
use workload::{Container, Desired, Observed, Phase, Spec, WorkloadId};

use crate::bed::{Bed, wanted};

/// Tells the child what it is: the folder with the node's directory and the blobs.
const CHILD: &str = "PILVI_NODE_WORKLOADS_CHILD";
/// After how many milliseconds the node's shims end everything.
const FENCE: &str = "PILVI_NODE_WORKLOADS_FENCE";
/// Whether what the node logs, and what it tells of workloads, is printed.
const LOG: &str = "PILVI_TEST_NODE_LOG";
/// Where a static busybox may be.
const BUSYBOX: [&str; 3] = ["/usr/bin/busybox", "/bin/busybox", "/usr/local/bin/busybox"];
/// What busybox is called by in the image.
const APPLETS: [&str; 23] = [
    "wget", "sh", "echo", "cat", "sleep", "true", "false", "id", "ls", "stat", "dd", "head", "wc", "kill", "mount",
    "hostname", "stty", "test", "yes", "nc", "env", "seq", "touch",
];

pub(crate) fn busybox() -> Option<&'static str> {
    BUSYBOX.into_iter().find(|path| Path::new(path).exists())
}

pub(crate) fn is_requested() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Is a node until it is killed.
pub(crate) fn main(folder: &Path) -> ExitCode {
    if std::env::var_os(LOG).is_some() {
        tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::stderr).init();
    }
    let listener = UnixListener::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let me = rustix::process::geteuid().as_raw();
    let mut options = Options { spare_bytes: 0, ..Options::new(folder.join("node"), folder.join("blobs"), me) };
    options.workloads = Some(WorkloadOptions::new(Arc::new(WhoAsks)));
    let fence = std::env::var(FENCE).ok().and_then(|ms| ms.parse::<u64>().ok());
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::UnixListener::from_std(listener).unwrap();
        let agent = Agent::open(options).unwrap();
        if let Some(ms) = fence {
            agent.fence(Some(sandbox::client::boot_time_ns() + ms * 1_000_000)).await;
        }
        let mut asked = signal(SignalKind::terminate()).unwrap();
        agent
            .serve(&listener, async {
                let _ = asked.recv().await;
            })
            .await;
    });
    ExitCode::SUCCESS
}

/// Answers at the link-local addresses who asked what.
#[derive(Debug)]
struct WhoAsks;

impl LocalEndpoint for WhoAsks {
    fn env(&self, _: &WorkloadId, _: &Spec, at: &LocalAddresses) -> BTreeMap<String, String> {
        [("ENDPOINT".to_owned(), format!("http://{}{}", at.endpoint, at.path_prefix))].into()
    }

    fn serve(&self, mut call: LocalCall) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let _ = call.stream.read(&mut [0; 4096]).await;
            let text = format!("HTTP/1.0 200 OK\r\n\r\n{} {:?}", call.workload, call.listener);
            let _ = call.stream.write_all(text.as_bytes()).await;
        })
    }

    /// Says whose channel it is, then what it hears, until it hears no more.
    fn attach(&self, mut channel: LocalChannel) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            let hello = format!("{} {:?}\n", channel.workload, channel.spec.local_service);
            let _ = channel.stream.write_all(hello.as_bytes()).await;
            let mut piece = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = channel.stream.read(&mut piece).await {
                if channel.stream.write_all(&piece[..count]).await.is_err() {
                    return;
                }
            }
        })
    }
}

/// A node with an image, and the means to kill it.
pub(crate) struct Living {
    pub(crate) bed: Bed,
    pub(crate) node: Node,
    pub(crate) image: Digest,
    listener: UnixListener,
    process: Option<Child>,
    fence_ms: Option<u64>,
}

impl Living {
    /// A node that has an image of busybox.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// The same, with a configuration of its own.
    pub(crate) async fn with(configuration: &str) -> Self {
        let bed = Bed::new();
        std::fs::create_dir(bed.node_dir()).unwrap();
        std::fs::write(bed.node_dir().join("node.toml"), configuration).unwrap();
        let socket = bed.folder.path().join("node.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let node = Node::at(&socket);
        let run = json!({ "Env": ["PATH=/bin", "FROM=image"], "Cmd": ["/bin/sh", "-c", "echo from the image"] });
        let root = bed.image_of(&[root()], &run);
        let mut living = Self { bed, node, image: root.digest, listener, process: None, fence_ms: None };
        living.start();
        living.node.prepare(&wanted(&root, "busybox:1"), |_| {}).await.unwrap();
        living
    }

    pub(crate) fn start(&mut self) {
        let log = std::env::var_os(LOG).map_or_else(Stdio::null, |_| Stdio::inherit());
        let child = Command::new(std::env::current_exe().unwrap())
            .envs(self.fence_ms.map(|ms| (FENCE, ms.to_string())))
            .env(CHILD, self.bed.folder.path())
            .stdin(Stdio::from(OwnedFd::from(self.listener.try_clone().unwrap())))
            .stderr(log)
            .spawn();
        self.process = Some(child.unwrap());
    }

    /// The next start's node has its shims end everything so much later.
    pub(crate) fn fence_in_ms(&mut self, ms: Option<u64>) {
        self.fence_ms = ms;
    }

    /// kill -9 of the node's process alone.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Has the node's process end by itself.
    pub(crate) fn end_politely(&mut self) {
        if let Some(mut process) = self.process.take() {
            let pid = rustix::process::Pid::from_child(&process);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            assert!(process.wait().unwrap().success());
        }
    }

    /// An assignment of containers, each with its image.
    pub(crate) fn assignment(&self, spec: Spec) -> Assignment {
        let images = spec.containers.iter().map(|container| (container.name.clone(), self.image)).collect();
        Assignment { id: new_id(), generation: 1, spec, desired: Desired::Running, images }
    }

    /// Has it run.
    pub(crate) async fn run(&self, spec: Spec) -> WorkloadId {
        let assignment = self.assignment(spec);
        self.node.assign(&assignment).await.unwrap();
        assignment.id
    }

    /// Has it stop.
    pub(crate) async fn stop(&self, id: &WorkloadId, spec: Spec, timeout_s: Option<u32>) {
        let desired = Desired::Stopped { timeout_s, reason: "the test says so".to_owned() };
        let assignment = Assignment { id: id.clone(), generation: 2, desired, ..self.assignment(spec) };
        self.node.assign(&assignment).await.unwrap();
    }

    /// Waits until a workload is as is wanted, and answers how it is then.
    pub(crate) async fn until(&self, id: &WorkloadId, is: impl Fn(&Observed) -> bool) -> Observed {
        let mut following: Option<Following> = None;
        loop {
            let event = match &mut following {
                Some(following) => following.next().await,
                None => match self.node.follow().await {
                    Ok(new) => {
                        following = Some(new);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            let event = match event {
                Ok(event) => event,
                // The node was killed, and everything is told anew.
                Err(NodeError::Lost) => {
                    following = None;
                    continue;
                }
                Err(error) => panic!("{error:?}"),
            };
            if let Event::Observed { id: other, observed, .. } = event
                && other == *id
            {
                if std::env::var_os(LOG).is_some() {
                    println!("{:?} {:?} {:?}", observed.phase, observed.reason, observed.steps.last());
                }
                if is(&observed) {
                    return *observed;
                }
                assert!(observed.phase < Phase::Stopped, "it has stopped before that: {observed:?}");
            }
        }
    }

    pub(crate) async fn stopped(&self, id: &WorkloadId) -> Observed {
        self.until(id, |observed| observed.phase == Phase::Stopped).await
    }

    pub(crate) async fn running(&self, id: &WorkloadId) -> Observed {
        self.until(id, |observed| observed.phase == Phase::Running).await
    }

    /// Everything that a container printed, to its end.
    pub(crate) async fn printed(&self, id: &WorkloadId) -> String {
        let of = OutputOf { id: id.clone(), container: None, from: 0, tail_lines: None, follow: true };
        text(self.node.open(Session::Output(of)).await.unwrap()).await
    }

    /// Executes something in the only container, and answers what it printed and its exit code.
    pub(crate) async fn exec(&self, id: &WorkloadId, args: &[&str], input: &[u8]) -> (String, i32) {
        let args = args.iter().map(|text| (*text).to_owned()).collect();
        let exec = Exec {
            id: id.clone(),
            container: None,
            args,
            env: Vec::new(),
            working_dir: None,
            user: None,
            tty: None,
            stdin: true,
        };
        let mut talk = self.node.open(Session::Exec(exec)).await.unwrap();
        let (sender, input) = (talk.sender(), input.to_vec());
        let feeding = tokio::spawn(async move {
            let _ = sender.data(&input).await;
            let _ = sender.send(Input::End).await;
        });
        let mut printed = Vec::new();
        while let Some(event) = talk.next().await {
            if let Event::Output(output) = event.unwrap() {
                printed.extend(output.bytes().unwrap());
            }
        }
        feeding.await.unwrap();
        let Some(node::protocol::Answer::Exited { code, .. }) = talk.answer() else { panic!("{:?}", talk.answer()) };
        (String::from_utf8(printed).unwrap(), *code)
    }

    /// Ends it, and looks that nothing is left of it.
    pub(crate) async fn end(mut self) {
        self.node.purge().await.unwrap();
        self.kill();
        let left = leftovers(&self.bed.node_dir()).await;
        assert_eq!(left, [""; 0]);
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a session printed, to its end.
pub(crate) async fn text(mut talk: Talk) -> String {
    let mut printed = Vec::new();
    while let Some(event) = talk.next().await {
        if let Event::Output(output) = event.unwrap() {
            printed.extend(output.bytes().unwrap());
        }
    }
    String::from_utf8(printed).unwrap()
}

/// What a node left on this machine: groups, links, rules, addresses, mounts, processes, directories of workloads.
pub(crate) async fn leftovers(node_dir: &Path) -> Vec<String> {
    let tag = tag(node_dir);
    let mut left = network::Network::leftovers(&tag).await.unwrap();
    left.extend(find_named("/sys/fs/cgroup", &format!("pilvi-{tag}")));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let directory = node_dir.to_str().unwrap();
    left.extend(mounts.lines().filter(|line| line.contains(directory)).map(str::to_owned));
    for name in ["workloads", "trash", "disks/trees", "disks/images", "disks/trash", "volumes"] {
        let entries = std::fs::read_dir(node_dir.join(name)).into_iter().flatten();
        left.extend(entries.map(|entry| entry.unwrap().path().display().to_string()));
    }
    left
}

fn find_named(below: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.join(name).exists() {
            found.push(path.join(name).display().to_string());
        }
    }
    if Path::new(below).join(name).exists() {
        found.push(format!("{below}/{name}"));
    }
    found
}

fn tag(node_dir: &Path) -> String {
    let path = std::fs::canonicalize(node_dir).unwrap();
    Digest::of(images::Algorithm::Sha256, path.as_os_str().as_encoded_bytes()).hex()[..8].to_owned()
}

pub(crate) fn new_id() -> WorkloadId {
    use base::{Rng, SystemRng};
    format!("{:016x}{:016x}", SystemRng.next_u64(), SystemRng.next_u64()).parse().unwrap()
}

/// One essential container that executes a shell's script.
pub(crate) fn script(text: &str) -> Spec {
    Spec { containers: vec![container("app", text)], ..Spec::default() }
}

pub(crate) fn container(name: &str, text: &str) -> Container {
    let command = ["/bin/sh", "-c", text].map(str::to_owned).to_vec();
    let (name, image) = (name.to_owned(), "busybox:1".to_owned());
    Container { name, image, command: Some(command), essential: true, ..Container::default() }
}

/// A layer with busybox and what a root has.
fn root() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let header = |kind, mode| {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(1_700_000_000);
        header.set_size(0);
        header
    };
    for (path, mode) in [("bin/", 0o755), ("etc/", 0o755), ("tmp/", 0o1777), ("data/", 0o755)] {
        builder.append_data(&mut header(tar::EntryType::Directory, mode), path, std::io::empty()).unwrap();
    }
    let files = [
        ("bin/busybox", 0o755, std::fs::read(busybox().unwrap()).unwrap()),
        ("etc/passwd", 0o644, b"root:x:0:0::/:/bin/sh\napp:x:1000:1000::/data:/bin/sh\n".to_vec()),
        ("etc/group", 0o644, b"root:x:0:\napp:x:1000:\n".to_vec()),
        ("data/from-image", 0o644, b"content\n".to_vec()),
    ];
    for (path, mode, content) in files {
        let mut header = header(tar::EntryType::Regular, mode);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    for applet in APPLETS {
        builder.append_link(&mut header(tar::EntryType::Symlink, 0o777), format!("bin/{applet}"), "busybox").unwrap();
    }
    builder.into_inner().unwrap()
}

impl Living {
    /// Waits until the only container has printed a text.
    pub(crate) async fn until_printed(&self, id: &WorkloadId, wanted: &str) {
        self.printed_until(id, None, wanted).await;
    }

    /// What a container has printed once a text is in it.
    pub(crate) async fn printed_until(&self, id: &WorkloadId, container: Option<&str>, wanted: &str) -> String {
        let container = container.map(str::to_owned);
        let of = OutputOf { id: id.clone(), container, from: 0, tail_lines: None, follow: true };
        let mut talk = self.node.open(Session::Output(of)).await.unwrap();
        let mut printed = String::new();
        while !printed.contains(wanted) {
            match talk.next().await {
                Some(Ok(Event::Output(output))) => {
                    printed.push_str(&String::from_utf8_lossy(&output.bytes().unwrap()));
                }
                Some(Ok(_)) => {}
                other => panic!("{other:?} after {printed:?}"),
            }
        }
        printed
    }
}
