//! Every operation, called as the gateway calls it: a request in JSON, admitted and checked against the model, over a
//! platform that forgets and files in a directory that goes with the test.

#![allow(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod collection;
mod images;
mod kept;
mod layers;
mod lifecycle;
mod policies;
mod preparing;
mod registry;
mod repositories;

use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Arn, ManualClock, Principal, PrincipalKind, Region, Timestamp};
use base64::Engine as _;
use blobs::Blobs;
use ecr::Ecr;
use ecr::content::Content;
use ecr::digest::{Algorithm, ContentDigest};
use platform::{Ctx, Platform, Reconciler, Rights, Service};
use policy::{IdentityPolicies, Policy, Purpose};
use serde_json::{Value, json};
use store::{Key, Range, Store, StoreOptions};

/// The account that most tests call from.
const ACCOUNT: &str = "123456789012";
/// Another one.
const OTHER: &str = "999999999999";
/// When the clock starts: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600_000;
/// The host by which callers reach the API.
const HOST: &str = "127.0.0.1:4566";

/// Who calls: a service and an identity.
#[derive(Clone)]
struct Caller {
    ecr: Ecr,
    clock: Arc<ManualClock>,
    principal: Principal,
    rights: Option<Rights>,
    directory: Arc<tempfile::TempDir>,
}

/// A layer or configuration that is in a repository.
struct Layer {
    digest: String,
    size: usize,
}

/// An image that is in a repository.
struct Pushed {
    digest: String,
    manifest: String,
    /// What its blobs have together, in bytes.
    size: usize,
}

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Caller {
    /// The root user of [`ACCOUNT`], on a platform of its own.
    fn new() -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START)));
        let store = Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() });
        Self::on(clock, store, Arc::new(tempfile::tempdir().unwrap()))
    }

    /// The same with a state on disk.
    fn on_disk() -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(START)));
        let directory = Arc::new(tempfile::tempdir().unwrap());
        let options = StoreOptions { clock: clock.clone(), ..StoreOptions::default() };
        let store = Store::open(&directory.path().join("state"), options).unwrap();
        Self::on(clock, store, directory)
    }

    fn on(clock: Arc<ManualClock>, store: Store, directory: Arc<tempfile::TempDir>) -> Self {
        let platform = Platform { store, clock: clock.clone(), ..Platform::in_memory() };
        let ecr = Ecr::new(platform, content(directory.path()), None);
        Self { ecr, clock, principal: Principal::root(ACCOUNT.parse().unwrap()), rights: None, directory }
    }

    /// The root user of another account, on the same platform.
    fn other_account(&self) -> Self {
        Self { principal: Principal::root(OTHER.parse().unwrap()), rights: None, ..self.clone() }
    }

    /// A user of the same account who has a policy, on the same platform.
    fn user(&self, name: &str, policy: &Value) -> Self {
        let account: AccountId = self.principal.account;
        let principal = Principal {
            account,
            arn: Arn::global("iam", account, format!("user/{name}")),
            user_id: format!("AIDA{name}"),
            kind: PrincipalKind::User { name: name.to_owned() },
        };
        Self { principal, rights: Some(rights(policy)), ..self.clone() }
    }

    fn ctx(&self) -> Ctx {
        let mut ctx = Ctx::new(self.principal.clone(), Region::default(), self.ecr.platform.clock.now(), "test");
        ctx.host = HOST.to_owned();
        if let Some(rights) = &self.rights {
            ctx.rights = rights.clone();
        }
        ctx
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let model = self.ecr.model();
        let number = model.operation(operation).unwrap();
        let shape = model.input(number).unwrap();
        let value = wire::json::decode(shape, input.to_string().as_bytes(), &wire::json::Limits::REQUEST).unwrap();
        wire::validate::validate(shape, &value)
            .map_err(|message| wire::Error::new("InvalidParameterException", 400, message))?;
        let answer = self.ecr.call(&self.ctx(), number, value).await?.into_value();
        let bytes = wire::json::encode(model.output(number).unwrap(), &answer);
        Ok(serde_json::from_slice(&bytes).unwrap())
    }

    /// Calls an operation that must be answered.
    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input.clone()).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// Calls an operation that must be refused, and answers code and message.
    async fn refused(&self, operation: &str, input: Value) -> (String, String) {
        match self.call(operation, input.clone()).await {
            Err(error) => (error.code.into_owned(), error.message),
            Ok(answer) => panic!("{operation} {input} answered {answer}"),
        }
    }

    /// Creates a repository.
    async fn repository(&self, name: &str) {
        self.ok("CreateRepository", json!({"repositoryName": name})).await;
    }

    /// Uploads a layer.
    async fn layer(&self, repository: &str, bytes: &[u8]) -> Layer {
        let name = json!({"repositoryName": repository});
        let upload = self.ok("InitiateLayerUpload", name).await["uploadId"].clone();
        let blob = base64::engine::general_purpose::STANDARD.encode(bytes);
        let part = json!({
            "repositoryName": repository, "uploadId": upload,
            "partFirstByte": 0, "partLastByte": bytes.len() - 1, "layerPartBlob": blob,
        });
        self.ok("UploadLayerPart", part).await;
        let digest = digest_of(bytes);
        let complete = json!({"repositoryName": repository, "uploadId": upload, "layerDigests": [digest]});
        match self.call("CompleteLayerUpload", complete).await {
            Ok(_) => {}
            Err(error) if error.code == "LayerAlreadyExistsException" => {}
            Err(error) => panic!("{error}"),
        }
        Layer { digest, size: bytes.len() }
    }

    /// Pushes an image whose configuration is made of `content`.
    async fn image(&self, repository: &str, tags: &[&str], content: &str) -> Pushed {
        let config = self.layer(repository, json!({"content": content}).to_string().as_bytes()).await;
        let layer = self.layer(repository, b"layer").await;
        let manifest = manifest_of(&config, &[&layer]);
        let untagged = [Value::Null];
        let named: Vec<Value> = tags.iter().map(|tag| json!(tag)).collect();
        for tag in if named.is_empty() { &untagged[..] } else { &named } {
            let put = json!({"repositoryName": repository, "imageManifest": manifest, "imageTag": tag});
            self.ok("PutImage", put).await;
        }
        Pushed { digest: digest_of(manifest.as_bytes()), manifest, size: config.size + layer.size }
    }

    /// Runs one round of a reconciler.
    async fn reconcile(&self, reconciler: Arc<dyn Reconciler>) -> platform::Round {
        reconciler.round().await.unwrap()
    }

    /// Every key in the store that is not a repository's.
    async fn keys(&self) -> Vec<String> {
        let page = self.ecr.platform.store.range(Range::prefix(&Key::root())).await.unwrap();
        page.entries.iter().map(|entry| entry.key.as_str().to_owned()).collect()
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// The rights of somebody whose policy has one statement.
fn rights(statement: &Value) -> Rights {
    let text = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let policy = Policy::new("own", policy::parse(&text, Purpose::Managed).unwrap());
    Rights::of_policies(IdentityPolicies { attached: vec![Arc::new(policy)], ..IdentityPolicies::default() })
}

/// A statement that allows everything.
fn everything() -> Value {
    json!({"Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// The content in a directory, as a process that has just started finds it.
fn content(directory: &std::path::Path) -> Content {
    let blobs = Blobs::open_root(&directory.join("blobs")).unwrap();
    Content::open(blobs, &directory.join("uploads")).unwrap()
}

fn digest_of(bytes: &[u8]) -> String {
    ContentDigest::of(Algorithm::Sha256, bytes).to_string()
}

/// An image's manifest.
fn manifest_of(config: &Layer, layers: &[&Layer]) -> String {
    let descriptor =
        |media_type: &str, layer: &Layer| json!({"mediaType": media_type, "digest": layer.digest, "size": layer.size});
    let layers: Vec<Value> =
        layers.iter().map(|layer| descriptor("application/vnd.oci.image.layer.v1.tar", layer)).collect();
    let config = descriptor("application/vnd.oci.image.config.v1+json", config);
    json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}).to_string()
}

/// An index of images by their digests and sizes.
fn index_of(images: &[(&str, usize)]) -> String {
    let manifests: Vec<Value> = images
        .iter()
        .map(|(digest, size)| json!({"mediaType": OCI_MANIFEST, "digest": digest, "size": size}))
        .collect();
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}).to_string()
}

/// A refusal as [`Caller::refused`] answers it.
fn refusal(code: &str, message: &str) -> (String, String) {
    (code.to_owned(), message.to_owned())
}

fn arn(name: &str) -> String {
    format!("arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{name}")
}

fn repository_not_found(name: &str) -> (String, String) {
    let message = format!("The repository with name '{name}' does not exist in the registry with id '{ACCOUNT}'");
    refusal("RepositoryNotFoundException", &message)
}
