//! What tests with real processes share: a workload's directory, a root with busybox, plans that are as plain as can be.

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, OnceLock};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sandbox::cgroup::{Cgroups, Group, Limits};
use sandbox::client::{Event, Events, Launcher, Shim};
use sandbox::mounts::{Depth, clone_of};
use sandbox::output::{Reader, Stream};
use sandbox::plan::{CgroupPlan, ContainerPlan, NetworkNamespace, ProcessPlan, SandboxPlan, SeccompPlan};
use sandbox::protocol::{Exit, Target};

/// A test. `test!(name_of_a_function)` makes one.
#[derive(Clone, Copy)]
pub(crate) struct Test {
    pub(crate) name: &'static str,
    pub(crate) run: fn() -> Pin<Box<dyn Future<Output = ()>>>,
}

macro_rules! test {
    ($name:ident) => {
        $crate::support::Test { name: concat!(module_path!(), "::", stringify!($name)), run: || Box::pin($name()) }
    };
}
pub(crate) use test;

/// Debian's `busybox-static`.
const BUSYBOX: &str = "/bin/busybox";
const APPLETS: &str = "cat chmod cp date dd echo env false grep head hostname id kill ln ls mkdir mkfifo mount mv nc ps pwd \
                       readlink rm seq sh sleep stat stty tail test touch tr true tty umount wc wget yes";
/// The capabilities that a container usually has: those of Docker's default.
pub(crate) const USUAL_CAPABILITIES: u64 = 0xa804_25fb;

/// What shims are forked from; one for all tests.
pub(crate) fn launcher() -> &'static Launcher {
    static LAUNCHER: OnceLock<Launcher> = OnceLock::new();
    LAUNCHER.get_or_init(|| Launcher::start().unwrap())
}

/// A workload's directory with a root beside it. Its shims are killed when it is dropped.
pub(crate) struct Workload {
    directory: tempfile::TempDir,
    shims: Mutex<Vec<OwnedFd>>,
}

impl Workload {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("sandbox-").tempdir().unwrap();
        make_root(&directory.path().join("root"));
        std::fs::create_dir(directory.path().join("workload")).unwrap();
        Self { directory, shims: Mutex::default() }
    }

    /// One that has a shim and a sandbox.
    pub(crate) async fn with_sandbox() -> (Self, Shim) {
        let workload = Self::new();
        let shim = workload.shim().await;
        shim.sandbox(sandbox_plan(), None).await.unwrap();
        (workload, shim)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("workload")
    }

    /// The workload's directory.
    pub(crate) fn open(&self) -> OwnedFd {
        File::open(self.path()).unwrap().into()
    }

    /// Where the root is, for a look at it from outside.
    pub(crate) fn root_path(&self) -> PathBuf {
        self.directory.path().join("root")
    }

    /// The root, as containers get it.
    pub(crate) fn root(&self) -> OwnedFd {
        clone_of(File::open(self.root_path()).unwrap().as_fd(), Depth::Alone).unwrap()
    }

    pub(crate) async fn shim(&self) -> Shim {
        let shim = launcher().shim(self.open()).await.unwrap();
        self.kills(&shim);
        shim
    }

    /// Has a shim killed when this is dropped.
    pub(crate) fn kills(&self, shim: &Shim) {
        self.shims.lock().unwrap().push(shim.process().try_clone_to_owned().unwrap());
    }

    /// Makes and starts a container.
    pub(crate) async fn run(&self, shim: &Shim, plan: ContainerPlan, args: &[&str]) {
        let name = plan.name.clone();
        shim.create(plan, self.root(), vec![]).await.unwrap();
        shim.start(&name, process(args), None, vec![]).await.unwrap();
    }

    /// Runs a shell's script in a container to its end. Answers how that was, and what was printed.
    pub(crate) async fn run_to_end(&self, shim: &Shim, plan: ContainerPlan, script: &str) -> (Exit, String) {
        let mut events = shim.events();
        let name = plan.name.clone();
        self.run(shim, plan, &["sh", "-c", script]).await;
        let exit = ended(&mut events, &name).await;
        shim.remove(&name).await.unwrap();
        (exit, self.printed(&name))
    }

    /// Everything that a container has printed and that is there.
    pub(crate) fn printed(&self, container: &str) -> String {
        self.printed_to(container, &[Stream::Output, Stream::Errors])
    }

    pub(crate) fn printed_to(&self, container: &str, streams: &[Stream]) -> String {
        let read = Reader::open(self.open().as_fd(), container).unwrap().read(0, usize::MAX).unwrap();
        let pieces = read.pieces.iter().filter(|piece| streams.contains(&piece.stream));
        pieces.map(|piece| String::from_utf8_lossy(&piece.data).into_owned()).collect()
    }

    /// Waits until a container has printed something with this in it.
    pub(crate) async fn wait_for(&self, shim: &Shim, container: &str, text: &str) -> String {
        let mut events = shim.events();
        loop {
            let position = Reader::open(self.open().as_fd(), container).unwrap().end().unwrap();
            let printed = self.printed(container);
            if printed.contains(text) {
                return printed;
            }
            shim.watch_output(container, position).await.unwrap();
            while events.next().await.unwrap() != (Event::Output { container: container.to_owned() }) {}
        }
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        for shim in self.shims.lock().unwrap().drain(..) {
            let _ = pidfd_send_signal(&shim, Signal::KILL);
        }
    }
}

/// A root with busybox alone.
fn make_root(root: &Path) {
    for directory in ["bin", "dev", "etc", "proc", "root", "sys", "tmp"] {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    let busybox = root.join("bin/busybox");
    std::fs::copy(BUSYBOX, &busybox).expect("the package busybox-static is installed");
    for applet in APPLETS.split_whitespace() {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n").unwrap();
    std::fs::write(root.join("etc/group"), "root:x:0:\nuser:x:1000:\n").unwrap();
}

/// A sandbox with everything of its own.
pub(crate) fn sandbox_plan() -> SandboxPlan {
    SandboxPlan {
        hostname: "box".to_owned(),
        network: NetworkNamespace::New,
        users: None,
        share_processes: false,
        share_ipc: false,
        host_processes: false,
        host_ipc: false,
        sysctls: BTreeMap::new(),
        cgroup: CgroupPlan { directories: vec![] },
        ends_with_connection: false,
    }
}

/// A container that may do what containers usually may, and is counted nowhere.
pub(crate) fn container_plan(name: &str) -> ContainerPlan {
    ContainerPlan {
        name: name.to_owned(),
        read_only_root: false,
        mounts: vec![],
        shm_bytes: 1 << 20,
        cgroup: CgroupPlan { directories: vec![] },
        devices: vec![],
        capabilities: USUAL_CAPABILITIES,
        seccomp: SeccompPlan::Default,
        no_new_privileges: false,
        privileged: false,
        rlimits: vec![],
        sysctls: BTreeMap::new(),
        init: false,
        tty: None,
        stdin: false,
        output_bytes_max: 1 << 20,
    }
}

/// What executes this as root.
pub(crate) fn process(args: &[&str]) -> ProcessPlan {
    ProcessPlan {
        args: args.iter().map(|&argument| argument.to_owned()).collect(),
        env: vec!["PATH=/bin".to_owned()],
        working_dir: "/".to_owned(),
        user: String::new(),
        groups: vec![],
    }
}

/// Waits until a container has ended.
pub(crate) async fn ended(events: &mut Events, container: &str) -> Exit {
    let wanted = Target::Container(container.to_owned());
    loop {
        match events.next().await.expect("the shim is there") {
            Event::Exited { what, exit } if what == wanted => return exit,
            _ => {}
        }
    }
}

/// What names a process for as long as it is held.
pub(crate) fn pidfd(pid: u32) -> OwnedFd {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    pidfd_open(pid, PidfdFlags::empty()).unwrap()
}

/// Waits for the end of a process that need not be a child.
pub(crate) async fn process_ended(pidfd: OwnedFd) {
    let wait = move || {
        let mut ready = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut ready, None).unwrap();
    };
    tokio::task::spawn_blocking(wait).await.unwrap();
}

/// A group to count a container's processes in, which is removed when it is dropped.
pub(crate) struct Counted {
    groups: Cgroups,
    group: Group,
}

impl Counted {
    pub(crate) fn new() -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let groups = Cgroups::open(&format!("pilvi-test-{}-{number}", std::process::id())).unwrap();
        let group = groups.workload("workload", &Limits::default()).unwrap();
        Self { groups, group }
    }

    /// Where the processes of a container are counted that may use so much.
    pub(crate) fn plan(&self, limits: &Limits) -> CgroupPlan {
        self.group.child("app", limits).unwrap().plan().unwrap()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.groups.remove_all().unwrap();
    }
}
