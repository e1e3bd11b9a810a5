use std::os::unix::fs::PermissionsExt;

use base::Timestamp;
use tokio::io::DuplexStream;
use wire::error::Error;
use wire::model::ServiceModel;
use wire::reply::Reply;
use wire::serve::{Call, CredentialError, FoundCredential, ServeLimits};

use super::*;
use crate::stop::{Stopper, stop};

/// No service: every request is answered by an error of the API's, but for the server's own pages.
struct Nothing;

impl Backend for Nothing {
    type Caller = ();

    fn services(&self) -> &[&'static ServiceModel] {
        &[]
    }

    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn request_id(&self) -> String {
        "0123".to_owned()
    }

    fn credential<'a>(
        &'a self,
        _: &'a str,
        _: Option<&'a str>,
    ) -> wire::serve::BoxFuture<'a, Result<FoundCredential<()>, CredentialError>> {
        Box::pin(async { Err(CredentialError::Unknown) })
    }

    fn call(&self, _: Call<()>) -> wire::serve::BoxFuture<'_, Result<Reply, Error>> {
        Box::pin(async { Err(Error::internal()) })
    }
}

struct Bed {
    door: Door<Nothing>,
    _stopper: Stopper,
}

fn bed() -> Bed {
    let (stopper, stop) = stop();
    let door = Door::new(stop);
    let limits = ServeLimits { drain_timeout: Duration::from_millis(100), ..ServeLimits::default() };
    door.open(Server::new(Arc::new(Nothing), limits, no_own_pages(), Arc::new(|_| {})));
    Bed { door, _stopper: stopper }
}

const WORKLOAD: &str = "0123456789abcdef0123456789abcdef";

impl Bed {
    /// A connection that is handed over; what it says first is the caller's.
    fn knock(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let door = self.door.clone();
        tokio::spawn(async move { door.let_in(None, Box::new(far)).await });
        near
    }

    async fn get(&self, path: &str) -> String {
        self.get_below("", path).await
    }

    async fn get_below(&self, below: &str, path: &str) -> String {
        let mut stream = self.knock();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let preface = serde_json::json!({ "workload": WORKLOAD, "below": below });
        stream.write_all(format!("{preface}\n{request}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn a_workload_reaches_the_api_and_not_the_servers_own_pages() {
    let bed = bed();
    let answer = bed.get("/").await;
    assert!(answer.starts_with("HTTP/1.1 ") && answer.contains("0123"), "{answer}");
    for path in ["/_pilvi/metrics", "/_pilvi/health", "/_pilvi/", "/_pilvi"] {
        let answer = bed.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.ends_with("nothing is here\n"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn below_a_path_the_api_is_there_and_nothing_is_beside_it() {
    let bed = bed();
    let below = format!("/{}", "0123abcd".repeat(8));
    for path in [below.clone(), format!("{below}/"), format!("{below}/?Action=ListUsers")] {
        let answer = bed.get_below(&below, &path).await;
        assert!(answer.starts_with("HTTP/1.1 ") && answer.contains("0123"), "{path}: {answer}");
    }
    let own = format!("{below}/_pilvi/metrics");
    for path in ["/", "/_pilvi/metrics", "/0123abcd/", &own, &format!("/x{below}/")] {
        let answer = bed.get_below(&below, path).await;
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.ends_with("nothing is here\n"), "{path}: {answer}");
    }
    assert_eq!(bed.get_below("/../x", "/").await, "", "a node that says such a thing is not believed");
}

#[tokio::test]
async fn who_does_not_say_which_workload_it_is_is_not_let_in() {
    let bed = bed();
    let long = format!("{{\"workload\":\"{WORKLOAD}\",\"more\":\"{}\"}}\n", "x".repeat(1000));
    for first in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "{}\n", "{\"workload\":\"../../etc\"}\n", &long, ""] {
        let mut stream = bed.knock();
        stream.write_all(first.as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{first}");
    }
}

fn numbered(number: u32) -> Whose {
    (None, WorkloadId::try_from(format!("{number:032x}")).unwrap())
}

#[test]
fn a_workload_leaves_room_for_others() {
    let guests = Arc::new(Guests::default());
    let many: Vec<_> = (0..WORKLOAD_CONNECTIONS_MAX).map(|_| guests.enter(numbered(1)).unwrap()).collect();
    assert!(guests.enter(numbered(1)).is_none());
    assert!(guests.enter(numbered(2)).is_some());
    let (_, same) = numbered(1);
    assert!(
        guests.enter((Some("elsewhere".parse().unwrap()), same)).is_some(),
        "what another machine says is another's"
    );
    drop(many);
    assert!(guests.enter(numbered(1)).is_some());
    assert!(guests.0.lock().unwrap().is_empty());
}

#[test]
fn however_many_take_what_they_can_there_is_room_for_one_more() {
    let guests = Arc::new(Guests::default());
    let mut taken = Vec::new();
    for number in 0..500 {
        let before = taken.len();
        taken.extend(std::iter::from_fn(|| guests.enter(numbered(number))));
        assert!(taken.len() - before >= WORKLOAD_CONNECTIONS_SURE, "nothing is left for {number}");
    }
}

#[tokio::test]
async fn what_a_node_hands_over_at_the_socket_is_served() {
    let temp = tempfile::tempdir().unwrap();
    let dir = DataDir::at(temp.path());
    std::fs::create_dir(dir.run()).unwrap();
    let (stopper, stop) = stop();
    let door = Door::new(stop);
    door.open(Server::new(Arc::new(Nothing), ServeLimits::default(), no_own_pages(), Arc::new(|_| {})));
    let socket = DoorSocket::make(&dir).unwrap();
    let mode = std::fs::metadata(dir.door_socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let serving = tokio::spawn(socket.serve(door));
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let way = WayToDoor::Here(dir.door_socket());
    let workload = WORKLOAD.to_owned().try_into().unwrap();
    let handed = Handed { workload, below: String::new(), read: b"GET".to_vec(), from: far };
    let handing = tokio::spawn(async move { way.hand_over(handed).await });
    near.write_all(b" /_pilvi/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    near.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    drop(near);
    handing.await.unwrap().unwrap();
    stopper.stop();
    serving.await.unwrap();
    assert!(!dir.door_socket().exists());
}

#[tokio::test]
async fn who_finds_no_room_at_a_door_where_nobody_accepts_keeps_nobody_else_waiting() {
    use rustix::net::{bind, listen, socket};
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("door");
    let silent = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&silent, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&silent, 1).unwrap();
    let mut waiting = Vec::new();
    let refused = loop {
        match connect_here(&path).await {
            Ok(stream) => waiting.push(stream),
            Err(error) => break error,
        }
    };
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    assert!(!waiting.is_empty());
}
