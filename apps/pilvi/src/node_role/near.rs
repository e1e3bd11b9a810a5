//! What workloads find near them, in AWS's terms: the API of the server, by the variables that AWS's clients look at; and, in the
//! sandbox of a function, Lambda's Runtime API.
//!
//! In a network of its own nobody but the workload can call. In the host's network anybody there can: there the address has a
//! path in it that nobody else knows, and the connection of who does not know it ends here.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use base::SystemRng;
use lambda::environment::spec::LOCAL_SERVICE as LAMBDA;
use lambda::local::Environments;
use node::agent::{LocalAddresses, LocalCall, LocalChannel, LocalEndpoint, LocalListener};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tracing::debug;
use workload::{Spec, WorkloadId};

use crate::door::{Handed, WayToDoor};

/// Where AWS's clients look for the address of all services.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// Where they look for the region.
const REGION: &str = "AWS_REGION";
/// Where Lambda's runtimes look for the Runtime API. (Developer guide: "Defined runtime environment variables".)
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// The longest method of a request, in bytes: no operation is asked for by one that is longer than `OPTIONS`.
const METHOD_BYTES_MAX: usize = 7;
/// How long a connection may take to say where it goes to.
const TARGET_PATIENCE: Duration = Duration::from_secs(10);
/// What who does not know the path is answered.
const NOT_HERE: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What is served near workloads of one server.
#[derive(Debug)]
pub(crate) struct NearWorkloads {
    /// How the server's API is reached from the node.
    pub(crate) way: WayToDoor,
    /// The region that the server is in; empty if it is not known.
    pub(crate) region: String,
    /// The functions that run here.
    functions: Arc<Environments>,
}

impl NearWorkloads {
    /// What is served near workloads of the server that is reached by `way`, which is in `region`.
    pub(crate) fn new(way: WayToDoor, region: String) -> Self {
        Self { way, region, functions: Arc::new(Environments::new(Arc::new(SystemRng))) }
    }
}

impl LocalEndpoint for NearWorkloads {
    fn env(&self, _: &WorkloadId, spec: &Spec, at: &LocalAddresses) -> BTreeMap<String, String> {
        let endpoint = format!("http://{}{}", at.endpoint, at.path_prefix);
        let is_function = spec.local_service.as_deref() == Some(LAMBDA);
        let runtime_api = if is_function { at.services.to_string() } else { String::new() };
        let variables = [(ENDPOINT, endpoint), (REGION, self.region.clone()), (RUNTIME_API, runtime_api)];
        // What is not known is not set: an empty region would be taken for one.
        variables
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    fn serve(&self, call: LocalCall) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (way, functions) = (self.way.clone(), Arc::clone(&self.functions));
        Box::pin(async move {
            match (call.listener, call.service.as_deref()) {
                (LocalListener::Endpoint, _) => {
                    let workload = call.workload.clone();
                    if let Err(error) = serve_endpoint(&way, call).await {
                        debug!(%workload, %error, "a workload's connection to the API broke off");
                    }
                }
                // Functions have networks of their own: nobody else makes this connection.
                (LocalListener::Services, Some(LAMBDA)) if call.path_prefix.is_empty() => {
                    functions.serve(call.workload.as_str(), call.stream).await;
                }
                (LocalListener::Services, _) => {}
            }
        })
    }

    fn attach(&self, channel: LocalChannel) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let functions = Arc::clone(&self.functions);
        Box::pin(async move {
            let LocalChannel { workload, spec, stream } = channel;
            if spec.local_service.as_deref() != Some(LAMBDA) {
                return;
            }
            if let Err(error) = functions.attach(workload.as_str(), stream).await {
                debug!(%workload, %error, "the way between a function and its server broke off");
            }
        })
    }
}

async fn serve_endpoint(way: &WayToDoor, call: LocalCall) -> io::Result<()> {
    let LocalCall { workload, path_prefix: below, stream: mut from, .. } = call;
    let mut read = Vec::new();
    if !below.is_empty() {
        let knows = timeout(TARGET_PATIENCE, knows(&below, &mut from, &mut read)).await?;
        if !knows? {
            debug!(%workload, "somebody else on this machine looks for a workload's way to the API");
            return from.write_all(NOT_HERE).await;
        }
    }
    way.hand_over(Handed { workload, below, read, from }).await
}

/// Whether the first request of a connection is for below a path. What is read of it is kept. The requests after it are the same
/// client's; whether they are for there is looked at by who serves them.
async fn knows(below: &str, from: &mut (impl AsyncRead + Unpin), read: &mut Vec<u8>) -> io::Result<bool> {
    let method = loop {
        match from.read_u8().await? {
            b' ' => break read.len(),
            byte if byte.is_ascii_uppercase() && read.len() < METHOD_BYTES_MAX => read.push(byte),
            _ => return Ok(false),
        }
    };
    read.push(b' ');
    let path = read.len();
    // With one more: what begins with the path may go on as another.
    read.resize(path + below.len() + 1, 0);
    from.read_exact(&mut read[path..]).await?;
    let (said, end) = read[path..].split_at(below.len());
    let is_below = method > 0 && matches!(end, [b'/' | b'?' | b' ']);
    Ok(is_below && bool::from(said.ct_eq(below.as_bytes())))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddrV4;

    use super::*;

    async fn read(said: &str) -> (io::Result<bool>, String) {
        let (mut from, mut read) = (said.as_bytes(), Vec::new());
        let known = knows("/0123abcd", &mut from, &mut read).await;
        read.extend_from_slice(from);
        (known, String::from_utf8(read).unwrap())
    }

    #[tokio::test]
    async fn who_knows_the_path_is_let_on_with_all_that_he_said() {
        for said in [
            "GET /0123abcd/ HTTP/1.1\r\n",
            "POST /0123abcd HTTP/1.1\r\nHost: a\r\n",
            "OPTIONS /0123abcd?a HTTP/1.1\r\n",
        ] {
            let (known, read) = read(said).await;
            assert!(known.unwrap(), "{said}");
            assert_eq!(read, said);
        }
    }

    #[tokio::test]
    async fn who_does_not_know_the_path_is_not_let_on() {
        for said in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /0123abce/ HTTP/1.1\r\n",
            "GET /0123abcde/ HTTP/1.1\r\n",
            "GET /0123ABCD/ HTTP/1.1\r\n",
            " /0123abcd/ HTTP/1.1\r\n",
            "GET  /0123abcd/ HTTP/1.1\r\n",
            "PROPFINDX /0123abcd/ HTTP/1.1\r\n",
            "get /0123abcd/ HTTP/1.1\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "GET http://a/0123abcd/ HTTP/1.1\r\n",
            "\x16\x03\x01 /0123abcd/ HTTP/1.1\r\n",
        ] {
            assert!(!read(said).await.0.unwrap(), "{said:?}");
        }
        for cut in ["", "GET", "GET /0123"] {
            assert!(read(cut).await.0.is_err(), "{cut}");
        }
    }

    #[test]
    fn a_workload_in_the_hosts_network_is_told_the_path_too() {
        let way = WayToDoor::Here("/nowhere".into());
        let near = NearWorkloads::new(way, String::new());
        let workload = WorkloadId::try_from("0123456789abcdef0123456789abcdef".to_owned()).unwrap();
        let spec: Spec = serde_json::from_value(serde_json::json!({ "containers": [] })).unwrap();
        let at = |path_prefix: &str| LocalAddresses {
            services: SocketAddrV4::new([127, 0, 0, 1].into(), 1),
            endpoint: SocketAddrV4::new([127, 0, 0, 1].into(), 4711),
            path_prefix: path_prefix.to_owned(),
        };
        let told = near.env(&workload, &spec, &at("/0123abcd"));
        assert_eq!(told, BTreeMap::from([(ENDPOINT.to_owned(), "http://127.0.0.1:4711/0123abcd".to_owned())]));
        assert_eq!(near.env(&workload, &spec, &at(""))[ENDPOINT], "http://127.0.0.1:4711");
    }

    #[test]
    fn only_a_function_is_told_of_the_runtime_api() {
        let near = NearWorkloads::new(WayToDoor::Here("/nowhere".into()), String::new());
        let workload = WorkloadId::try_from("0123456789abcdef0123456789abcdef".to_owned()).unwrap();
        let at = LocalAddresses {
            services: SocketAddrV4::new([169, 254, 170, 2].into(), 80),
            endpoint: SocketAddrV4::new([169, 254, 170, 3].into(), 80),
            path_prefix: String::new(),
        };
        let of = |service: Option<&str>| {
            let spec = Spec { local_service: service.map(str::to_owned), ..Spec::default() };
            near.env(&workload, &spec, &at).get(RUNTIME_API).cloned()
        };
        assert_eq!(of(Some("lambda")).as_deref(), Some("169.254.170.2:80"));
        assert_eq!((of(None), of(Some("other"))), (None, None));
    }
}
