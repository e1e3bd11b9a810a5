//! A machine of a test's own.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use network::{Attached, Network, Settings};
use nix::sched::CloneFlags;
use workload::{NetworkMode, PortProtocol, PublishedPort, WorkloadId};

/// How long is waited for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How long is waited for what must not come, where nothing says so.
pub(crate) const GLANCE: Duration = Duration::from_millis(300);

/// The host's address towards what is beyond it.
pub(crate) const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);
/// Somebody beyond the host.
pub(crate) const BEYOND: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Where a cloud gives out its machines' credentials.
pub(crate) const CLOUD: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// A machine: the calling thread's namespace is its own, `beyond` is another one that it has a wire to.
pub(crate) struct Machine {
    pub(crate) host: Arc<OwnedFd>,
    pub(crate) beyond: Arc<OwnedFd>,
    directory: tempfile::TempDir,
    tag: String,
}

/// Runs a test on a machine of its own. Skips it aloud where that cannot be.
pub(crate) fn on_machine<F: Future<Output = ()>>(test: impl FnOnce(Machine) -> F + Send) {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: it takes root to make network namespaces");
        return;
    }
    std::thread::scope(|scope| {
        let outcome = scope.spawn(|| {
            let machine = Machine::new();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(test(machine));
        });
        if let Err(panic) = outcome.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

impl Machine {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        nix::sched::unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let host = Arc::new(own_namespace());
        let beyond = Arc::new(fresh());
        ip("link set lo up");
        ip(&format!(
            "link add out type veth peer name in netns /proc/{}/fd/{}",
            std::process::id(),
            beyond.as_raw_fd()
        ));
        ip(&format!("addr add {HOST}/24 dev out"));
        ip("link set out up mtu 1400");
        ip(&format!("route add default via {BEYOND}"));
        within(&beyond, || {
            ip("link set lo up");
            ip(&format!("addr add {BEYOND}/24 dev in"));
            ip(&format!("addr add {CLOUD}/32 dev lo"));
            ip("link set in up");
            // Whoever is beyond knows the way to workloads, so that it is not ignorance that keeps them from it.
            ip(&format!("route add 10.0.0.0/8 via {HOST}"));
        });
        // The kernel notes a moment later that the other end is there, and tells it with each way.
        let latest = Instant::now() + PATIENCE;
        while ip("-4 route show table all").contains("linkdown") {
            assert!(Instant::now() < latest, "the machine's link does not come up");
            std::thread::sleep(Duration::from_millis(1));
        }
        let tag = format!("{:08x}", std::process::id() << 8 | COUNT.fetch_add(1, Ordering::Relaxed));
        Self { host, beyond, directory: tempfile::tempdir().unwrap(), tag }
    }

    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Settings of this machine's node; without a pool, so that what a test counts stands still.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.tag.clone(), self.path("network"));
        settings.pool = 0;
        settings.upstreams = Some(vec![SocketAddrV4::new(BEYOND, 53).into()]);
        settings
    }

    /// A network that has nothing to take over.
    pub(crate) async fn network(&self) -> Network {
        open(self.settings()).await
    }
}

/// Opens a network that has nothing to take over.
pub(crate) async fn open(settings: Settings) -> Network {
    let without_nft = !settings.nft;
    let network = Network::open(settings).await.unwrap();
    assert_eq!(network.what_is_missing().is_empty(), !without_nft, "{:?}", network.what_is_missing());
    network.adopt(Vec::new()).await.unwrap();
    network
}

pub(crate) fn id(number: u32) -> WorkloadId {
    format!("{number:032x}").parse().unwrap()
}

pub(crate) fn bridge() -> workload::Network {
    workload::Network { mode: NetworkMode::Bridge, ..workload::Network::default() }
}

pub(crate) fn in_group(group: &str, aliases: &[&str]) -> workload::Network {
    workload::Network {
        group: Some(group.to_owned()),
        aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        ..bridge()
    }
}

pub(crate) fn publishing(
    container_port: u16,
    host_address: Option<Ipv4Addr>,
    protocol: PortProtocol,
) -> workload::Network {
    let port = PublishedPort { container_port, host_port: 0, host_address, protocol };
    workload::Network { ports: vec![port], ..bridge() }
}

/// A workload's address and namespace.
pub(crate) fn place(attached: &Attached) -> (Ipv4Addr, Arc<OwnedFd>) {
    let namespace = attached.namespace.as_ref().unwrap().try_clone().unwrap();
    (attached.address.unwrap(), Arc::new(namespace))
}

/// Does something within a namespace, on a thread of its own.
pub(crate) fn within<T: Send>(namespace: &OwnedFd, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let outcome = scope.spawn(|| {
            nix::sched::setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        outcome.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn own_namespace() -> OwnedFd {
    std::fs::File::open("/proc/thread-self/ns/net").unwrap().into()
}

fn fresh() -> OwnedFd {
    std::thread::spawn(|| {
        nix::sched::unshare(CloneFlags::CLONE_NEWNET).unwrap();
        own_namespace()
    })
    .join()
    .unwrap()
}

/// Runs `ip` in the calling thread's namespace.
pub(crate) fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

/// Runs a program in the calling thread's namespace.
pub(crate) fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Listens in a namespace and tells everybody who connects who they are. It ends with the test's process.
pub(crate) fn listen(namespace: &OwnedFd, at: impl Into<SocketAddr>) -> SocketAddr {
    let at = at.into();
    let listener =
        within(namespace, || TcpListener::bind(at)).unwrap_or_else(|error| panic!("listen at {at}: {error}"));
    let bound = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            let _ = stream.write_all(peer.ip().to_string().as_bytes());
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    bound
}

/// Connects from a namespace; who whoever listens there says that one is.
pub(crate) fn reach(namespace: &OwnedFd, to: impl Into<SocketAddr>) -> io::Result<Ipv4Addr> {
    let to = to.into();
    within(namespace, || {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        said.parse().map_err(io::Error::other)
    })
}

/// Whether a connection from a namespace is refused or comes to nothing.
pub(crate) fn cannot_reach(namespace: &OwnedFd, to: impl Into<SocketAddr>) -> bool {
    let to = to.into();
    within(namespace, || TcpStream::connect_timeout(&to, GLANCE).is_err())
}

/// Waits until something is so. A socket that was closed may live on for a moment in a program that another test starts right then.
pub(crate) fn eventually(mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it never is");
        std::thread::yield_now();
    }
}

/// A socket that receives datagrams in a namespace.
pub(crate) fn receiver(namespace: &OwnedFd, at: impl Into<SocketAddr>) -> UdpSocket {
    let at = at.into();
    let socket = within(namespace, || UdpSocket::bind(at)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Receives a datagram.
pub(crate) fn received(socket: &UdpSocket) -> (String, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).expect("a datagram comes");
    (String::from_utf8_lossy(&buffer[..length]).into_owned(), from)
}

/// Who was accepted by a listener that does not block, told to whoever waits.
pub(crate) fn accepting(listener: TcpListener, say: &'static str) -> Arc<Mutex<Vec<SocketAddr>>> {
    listener.set_nonblocking(false).unwrap();
    let accepted = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&accepted);
    std::thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            told.lock().unwrap().push(peer);
            let _ = stream.write_all(say.as_bytes());
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    accepted
}

/// Connects from a namespace and reads to the end.
pub(crate) fn hear(namespace: &OwnedFd, to: SocketAddr) -> io::Result<String> {
    within(namespace, || {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        Ok(said)
    })
}
