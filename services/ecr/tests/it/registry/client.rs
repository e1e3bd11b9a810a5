//! A client of the registry's routes, in the same process: its requests are answered as those that come over a connection.

use std::collections::BTreeMap;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::SocketAddr;
use std::sync::Mutex;

use ecr::registry::Registry;
use ecr::token::Bearer;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use platform::identity::Identities;
use platform::ports::{PolicyDirectory, RoleDirectory, RoleView, UserDirectory};
use platform::{Admission, BoxFuture, Gateway};
use store::StoreError;
use tokio::net::TcpListener;
use wire::serve::raw::{RawBody, RawRequest, Routes};
use wire::serve::{RequestBody, ServeLimits, Server, Tls};

use super::*;

/// The users that there are, and their policies.
#[derive(Default)]
struct Directory {
    users: Mutex<BTreeMap<String, (Principal, Arc<IdentityPolicies>)>>,
}

impl RoleDirectory for Directory {
    fn role<'a>(&'a self, _: AccountId, _: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
}

impl UserDirectory for Directory {
    fn user<'a>(&'a self, _: AccountId, id: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>> {
        let found = self.users.lock().unwrap().get(id).map(|(principal, _)| principal.clone());
        Box::pin(async { Ok(found) })
    }
}

impl PolicyDirectory for Directory {
    fn identity_policies<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<IdentityPolicies>, StoreError>> {
        let found = self.users.lock().unwrap().get(&principal.user_id).map(|(_, policies)| policies.clone());
        Box::pin(async { Ok(found.unwrap_or_default()) })
    }

    fn managed_policy<'a>(
        &'a self,
        _: AccountId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Policy>>, StoreError>> {
        Box::pin(async { Ok(None) })
    }

    fn principal_tags<'a>(
        &'a self,
        _: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<BTreeMap<String, String>>, StoreError>> {
        Box::pin(async { Ok(Arc::default()) })
    }
}

/// Whoever calls the API, and their client of the registry.
#[derive(Clone)]
pub(super) struct Client {
    /// The same caller at the API.
    pub(super) api: Caller,
    registry: Arc<Registry>,
    admission: Admission,
    directory: Arc<Directory>,
    /// The `Authorization` header.
    pub(super) authorization: Option<String>,
    /// The `Host` header.
    pub(super) host: String,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Whether it is sent from a file.
    pub(super) is_file: bool,
}

impl Client {
    /// The root user of [`ACCOUNT`].
    pub(super) fn new() -> Self {
        Self::of(Caller::new())
    }

    /// One of a caller, on whose platform nobody has a client yet.
    pub(super) fn of(api: Caller) -> Self {
        let directory = Arc::new(Directory::default());
        let identities = Identities::new(api.ecr.platform.clone(), directory.clone(), directory.clone());
        let admission = Admission {
            identities: Arc::new(identities),
            policies: directory.clone(),
            denials: Arc::default(),
            is_secure: false,
        };
        let registry = Arc::new(Registry::new(api.ecr.clone(), admission.clone()));
        Self { api, registry, admission, directory, authorization: None, host: HOST.to_owned() }.logged_in()
    }

    /// The same with a fresh token.
    pub(super) fn logged_in(&self) -> Self {
        Self { authorization: Some(basic("AWS", &self.token())), ..self.clone() }
    }

    /// What `aws ecr get-login-password` prints for the caller.
    pub(super) fn token(&self) -> String {
        Bearer::of(&self.api.ctx()).seal(&self.api.ecr.platform)
    }

    /// The root user of another account.
    pub(super) fn other_account(&self) -> Self {
        Self { api: self.api.other_account(), ..self.clone() }.logged_in()
    }

    /// A user of the same account who has one statement.
    pub(super) fn user(&self, name: &str, statement: &Value) -> Self {
        let api = self.api.user(name, statement);
        let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let policy = Policy::new("own", policy::parse(&text, Purpose::Managed).unwrap());
        let policies = IdentityPolicies { attached: vec![Arc::new(policy)], ..IdentityPolicies::default() };
        let known = (api.principal.clone(), Arc::new(policies));
        self.directory.users.lock().unwrap().insert(api.principal.user_id.clone(), known);
        Self { api, ..self.clone() }.logged_in()
    }

    /// The user is deleted.
    pub(super) fn delete_user(&self) {
        self.directory.users.lock().unwrap().remove(&self.api.principal.user_id);
    }

    /// The same, calling the server by another name.
    pub(super) fn at(&self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self.clone() }
    }

    /// The same with another `Authorization` header, or with none.
    pub(super) fn with(&self, authorization: Option<&str>) -> Self {
        Self { authorization: authorization.map(str::to_owned), ..self.clone() }
    }

    /// Sends a request, which the registry has to take.
    pub(super) async fn send(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = Request::builder().method(Method::try_from(method).unwrap()).uri(target);
        request = request.header("host", &self.host);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert!(self.registry.takes(&parts), "{target}");
        let request = RawRequest {
            parts,
            body: RequestBody::of(bytes::Bytes::copy_from_slice(body)),
            request_id: "test".to_owned(),
            now: self.api.ecr.platform.clock.now(),
            source_ip: None,
        };
        let answer = self.registry.clone().answer(request).await;
        assert_eq!(answer.headers["docker-distribution-api-version"], "registry/2.0");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        let is_file = matches!(answer.body, RawBody::File { .. });
        let body = bytes_of(answer.body);
        assert!(method != "HEAD" || body.is_empty(), "an answer to HEAD has no body");
        Answer { status: answer.status.as_u16(), headers: answer.headers, body, is_file }
    }

    /// Answers connections, until the test ends.
    pub(super) async fn serve(&self) -> SocketAddr {
        let services: Vec<Arc<dyn Service>> = vec![Arc::new(self.api.ecr.clone())];
        let gateway = Gateway::new(self.api.ecr.platform.clone(), self.admission.clone(), services);
        let (internal, observer) = (Arc::new(|_: &_| None), Arc::new(|_: &_| ()));
        let server = Server::new(Arc::new(gateway), ServeLimits::default(), internal, observer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Arc::new(server.with_routes(self.registry.clone()));
        tokio::spawn(wire::serve::serve(server, listener, Tls::Off, std::future::pending()));
        address
    }

    /// Whether the registry takes a request, told from its head.
    pub(super) fn takes(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> bool {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.registry.takes(&request.body(()).unwrap().into_parts().0)
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        self.send("GET", target, &[], b"").await
    }

    pub(super) async fn head(&self, target: &str) -> Answer {
        self.send("HEAD", target, &[], b"").await
    }

    pub(super) async fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, &[], b"").await
    }

    pub(super) async fn post(&self, target: &str) -> Answer {
        self.send("POST", target, &[], b"").await
    }

    /// Begins an upload, and answers where it is.
    pub(super) async fn begin(&self, name: &str) -> String {
        let answer = self.post(&format!("/v2/{name}/blobs/uploads/")).await;
        answer.expect(202);
        answer.location()
    }

    /// Pushes a blob by `POST` and `PUT`, and answers its digest.
    pub(super) async fn blob(&self, name: &str, bytes: &[u8]) -> String {
        let digest = digest_of(bytes);
        self.blob_as(name, &digest, bytes).await;
        digest
    }

    /// The same under this digest.
    pub(super) async fn blob_as(&self, name: &str, digest: &str, bytes: &[u8]) {
        let at = self.begin(name).await;
        self.send("PUT", &format!("{at}?digest={digest}"), &[], bytes).await.expect(201);
    }

    /// Pushes a manifest.
    pub(super) async fn manifest(&self, name: &str, reference: &str, manifest: &str) -> Answer {
        let path = format!("/v2/{name}/manifests/{reference}");
        self.send("PUT", &path, &[("content-type", &media_type_of(manifest))], manifest.as_bytes()).await
    }

    /// Pushes an image of one layer, and answers its manifest.
    pub(super) async fn image(&self, name: &str, reference: &str, content: &str) -> String {
        let config = json!({"content": content}).to_string();
        self.blob(name, config.as_bytes()).await;
        self.blob(name, b"layer").await;
        let manifest = manifest_of(&of_bytes(config.as_bytes()), &[&of_bytes(b"layer")]);
        self.manifest(name, reference, &manifest).await.expect(201);
        manifest
    }
}

/// Basic credentials.
pub(super) fn basic(user: &str, password: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}

/// What a manifest says to be.
fn media_type_of(manifest: &str) -> String {
    let document: Value = serde_json::from_str(manifest).unwrap_or_default();
    document["mediaType"].as_str().unwrap_or(OCI_MANIFEST).to_owned()
}

pub(super) fn of_bytes(bytes: &[u8]) -> Layer {
    Layer { digest: digest_of(bytes), size: bytes.len() }
}

fn bytes_of(body: RawBody) -> Vec<u8> {
    match body {
        RawBody::Empty => Vec::new(),
        RawBody::Bytes(bytes) => bytes.to_vec(),
        RawBody::Content(content) => panic!("the registry sends files: {content:?}"),
        RawBody::File { mut file, range } => {
            file.seek(SeekFrom::Start(range.start)).unwrap();
            let mut bytes = Vec::new();
            file.take(range.end - range.start).read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes.len() as u64, range.end - range.start);
            bytes
        }
    }
}

impl Answer {
    /// The answer has this status.
    #[track_caller]
    pub(super) fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}: {}", StatusCode::from_u16(self.status).unwrap(), self.text());
        self
    }

    /// The answer has this status and this error.
    #[track_caller]
    pub(super) fn refuses(&self, status: u16, code: &str) -> &Self {
        self.expect(status);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.json()["errors"][0]["code"], code);
        assert!(!self.message().is_empty());
        self
    }

    /// What the error says.
    pub(super) fn message(&self) -> String {
        self.json()["errors"][0]["message"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; empty if it is not there.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub(super) fn location(&self) -> String {
        let location = self.header("location");
        assert!(location.starts_with("/v2/"), "{location}");
        location.to_owned()
    }
}
