//! Operations one after the other, as the gateway calls them: a request in JSON, checked against the model and admitted, over
//! a platform that forgets.

mod aliases;
mod calls;
mod code;
mod doors;
mod functions;
mod layers;
mod paths;
mod permissions;
mod services;
mod settings;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{AccountId, Arn, ManualClock, Principal, PrincipalKind, Region, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use blobs::Blobs;
use bytes::Bytes;
use platform::identity::{self, Session, TemporaryCredentials};
use platform::ports::{
    CannotAssume, CredentialIssuer, LocalImage, LocalReference, LocalRegistry, ObjectName, ObjectReader, ReadObject,
    ServiceSession,
};
use platform::{BoxFuture, Ctx, Platform, Reconciler, Rights, Service};
use policy::{IdentityPolicies, Policy, Purpose};
use serde_json::{Value, json};
use store::{Store, StoreOptions};
use tempfile::TempDir;

use crate::code::CodeStore;
use crate::code::zip::tests::{archive, file};
use crate::configuration::Architecture;
use crate::executor::{Answered, Callee, Executor, Invocation, NotPrepared, Piece, Readiness, Refused, Streaming};
use crate::names::FunctionName;
use crate::reconcile::{events, gone, settle};
use crate::{Lambda, Neighbours, Settings};

/// The account that most tests call from.
const ACCOUNT: &str = "123456789012";
/// Another one.
const OTHER: &str = "999999999999";
/// When the clock starts: 2026-01-01T00:00:00Z.
const START: i64 = 1_767_225_600;
/// The role of functions.
const ROLE: &str = "arn:aws:iam::123456789012:role/service";
/// The function of most tests.
const ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:thumbnails";

/// Who calls: a service and an identity.
#[derive(Clone)]
struct House {
    lambda: Lambda,
    clock: Arc<ManualClock>,
    stage: Arc<Stage>,
    principal: Principal,
    rights: Option<Rights>,
    _directory: Arc<TempDir>,
}

/// What stands for everybody else: answers as it is told, and remembers what it was asked.
#[derive(Debug, Default)]
struct Stage {
    invocations: Mutex<Vec<Invocation>>,
    prepared: Mutex<Vec<Callee>>,
    /// What preparing answers; none is that all is well.
    unprepared: Mutex<Option<NotPrepared>>,
    /// What calling answers next; the payload comes back when there is nothing.
    answers: Mutex<Vec<Result<Answered, Refused>>>,
    ready: Mutex<Readiness>,
    missing_runtimes: BTreeSet<&'static str>,
    session_platform: Option<Platform>,
}

impl Executor for Stage {
    fn offers<'a>(&'a self, runtime: &'a str, _: Architecture) -> BoxFuture<'a, bool> {
        Box::pin(async move { !self.missing_runtimes.contains(runtime) })
    }

    fn prepare<'a>(&'a self, callee: &'a Callee) -> BoxFuture<'a, Result<(), NotPrepared>> {
        self.prepared.lock().unwrap().push(callee.clone());
        let outcome = self.unprepared.lock().unwrap().clone();
        Box::pin(async move { outcome.map_or(Ok(()), Err) })
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'_, Result<Answered, Refused>> {
        let (version, payload) = (invocation.callee.version.clone(), invocation.payload.clone());
        let log_tail = invocation.wants_log_tail.then(|| b"END".to_vec());
        self.invocations.lock().unwrap().push(invocation);
        let answer = self.answers.lock().unwrap().pop();
        let echo = Answered { version, payload, function_error: None, log_tail };
        Box::pin(async move { answer.unwrap_or(Ok(echo)) })
    }

    fn invoke_streaming(&self, invocation: Invocation) -> BoxFuture<'_, Result<Streaming, Refused>> {
        Box::pin(async move {
            let (sender, pieces) = tokio::sync::mpsc::channel(4);
            sender.send(Piece::Bytes(invocation.payload)).await.unwrap();
            sender.send(Piece::End { error: None, log_tail: None }).await.unwrap();
            Ok(Streaming { version: invocation.callee.version, content_type: None, pieces })
        })
    }

    fn provisioned<'a>(&'a self, _: &'a FunctionName, _: &'a str) -> BoxFuture<'a, Readiness> {
        let ready = self.ready.lock().unwrap().clone();
        Box::pin(async move { ready })
    }
}

impl CredentialIssuer for Stage {
    fn issue<'a>(&'a self, session: ServiceSession<'a>) -> BoxFuture<'a, Result<TemporaryCredentials, CannotAssume>> {
        Box::pin(async move {
            assert_eq!(session.service, "lambda.amazonaws.com");
            if session.role_arn != ROLE {
                let (service, role) = (session.service.to_owned(), session.role_arn.to_owned());
                return Err(CannotAssume::NotAllowed { service, role });
            }
            let session = Session {
                principal: Principal::root(session.account),
                issued: Timestamp::from_secs(1),
                expires: Timestamp::from_secs(2),
                session_policy: None,
                policy_arns: Vec::new(),
                tags: Default::default(),
                transitive_tag_keys: Vec::new(),
                source_identity: None,
                keys: Default::default(),
                external_id: None,
            };
            Ok(identity::issue_session(self.session_platform.as_ref().unwrap(), session))
        })
    }
}

impl ObjectReader for Stage {
    fn read<'a>(&'a self, _: &'a Ctx, object: ObjectName<'a>) -> BoxFuture<'a, Result<ReadObject, wire::Error>> {
        Box::pin(async move {
            match (object.bucket, object.key) {
                ("code", "app.zip") => {
                    let bytes = zip("from a bucket");
                    Ok(ReadObject { size: bytes.len() as u64, content: wire::Content::bytes(bytes) })
                }
                ("closed", _) => Err(wire::Error::new("AccessDenied", 403, "Access Denied")),
                _ => Err(wire::Error::new("NoSuchKey", 404, "The specified key does not exist.")),
            }
        })
    }
}

impl LocalRegistry for Stage {
    fn resolve<'a>(&'a self, image: LocalReference<'a>) -> BoxFuture<'a, Result<Option<LocalImage>, String>> {
        Box::pin(async move {
            let is_there = image.repository == "team/app" && image.reference == "v1";
            Ok(is_there.then(|| LocalImage {
                digest: format!("sha256:{}", "0a".repeat(32)),
                media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
                size: 500,
            }))
        })
    }
}

/// An archive with one file.
fn zip(content: &str) -> Vec<u8> {
    archive(&[file("index.py", content.as_bytes())])
}

/// The same as requests have it.
fn zip64(content: &str) -> String {
    BASE64.encode(zip(content))
}

impl House {
    /// The root user of [`ACCOUNT`], on a platform of its own.
    fn new() -> Self {
        Self::with(Settings { architecture: Architecture::X86, ..Settings::default() }, &[])
    }

    fn with(settings: Settings, missing_runtimes: &[&'static str]) -> Self {
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_secs(START)));
        let directory = Arc::new(TempDir::new().unwrap());
        let store = Store::in_memory(StoreOptions { clock: clock.clone(), ..StoreOptions::default() });
        let platform = Platform { store, clock: clock.clone(), ..Platform::in_memory() };
        let stage = Arc::new(Stage {
            missing_runtimes: missing_runtimes.iter().copied().collect(),
            session_platform: Some(platform.clone()),
            ..Stage::default()
        });
        let neighbours = Neighbours {
            executor: stage.clone(),
            credentials: stage.clone(),
            objects: stage.clone(),
            images: stage.clone(),
        };
        let code = CodeStore::new(Blobs::open_root(directory.path()).unwrap());
        let lambda = Lambda::new(platform, code, neighbours, settings);
        let principal = Principal::root(ACCOUNT.parse().unwrap());
        Self { lambda, clock, stage, principal, rights: None, _directory: directory }
    }

    /// A house with a function that is active.
    async fn with_function() -> Self {
        let house = Self::new();
        house.create("thumbnails").await;
        house.settle().await;
        house
    }

    /// The root user of another account, on the same platform.
    fn other_account(&self) -> Self {
        Self { principal: Principal::root(OTHER.parse().unwrap()), rights: None, ..self.clone() }
    }

    /// A user of the same account who has a policy, on the same platform.
    fn user(&self, policy: &Value) -> Self {
        let account: AccountId = self.principal.account;
        let principal = Principal {
            account,
            arn: Arn::global("iam", account, "user/ann"),
            user_id: "AIDAANN".to_owned(),
            kind: PrincipalKind::User { name: "ann".to_owned() },
        };
        let document = policy::parse(&policy.to_string(), Purpose::Managed).unwrap();
        let attached = vec![Arc::new(Policy::new("own", document))];
        let rights = Rights::of_policies(IdentityPolicies { attached, ..IdentityPolicies::default() });
        Self { principal, rights: Some(rights), ..self.clone() }
    }

    fn ctx(&self) -> Ctx {
        let now = self.lambda.platform.clock.now();
        let id = base::ids::uuid(&*self.lambda.platform.rng);
        let mut ctx = Ctx::new(self.principal.clone(), Region::default(), now, id);
        ctx.host = "127.0.0.1:4566".to_owned();
        ctx.protocol = wire::model::Protocol::RestJson1;
        if let Some(rights) = &self.rights {
            ctx.rights = rights.clone();
        }
        ctx
    }

    /// Calls an operation.
    async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let model = self.lambda.model();
        let number = model.operation(operation).unwrap();
        let shape = model.input(number).unwrap();
        let input = renamed(&input, shape, |member| (member.name(), member.wire_name()));
        let value = wire::json::decode(shape, input.to_string().as_bytes(), &wire::json::Limits::REQUEST).unwrap();
        wire::validate::validate(shape, &value)
            .map_err(|message| wire::Error::new("ValidationException", 400, message))?;
        let answer = self.lambda.call(&self.ctx(), number, value).await?.into_value();
        match model.output(number) {
            Some(output) => {
                let told = serde_json::from_slice(&wire::json::encode(output, &answer)).unwrap();
                Ok(renamed(&told, output, |member| (member.wire_name(), member.name())))
            }
            None => Ok(Value::Null),
        }
    }

    /// Calls an operation that must be answered.
    async fn ok(&self, operation: &str, input: Value) -> Value {
        self.call(operation, input.clone()).await.unwrap_or_else(|error| panic!("{operation} {input}: {error}"))
    }

    /// Calls an operation that must be refused: code, status, text.
    async fn refused(&self, operation: &str, input: Value) -> (String, u16, String) {
        match self.call(operation, input.clone()).await {
            Ok(answer) => panic!("{operation} {input} is answered: {answer}"),
            Err(error) => (error.code.into_owned(), error.status, error.message),
        }
    }

    async fn create(&self, name: &str) -> Value {
        self.ok("CreateFunction", function(name)).await
    }

    /// Lets what goes on without a request go on until it has nothing to do.
    async fn settle(&self) {
        let all: [Arc<dyn Reconciler>; 3] =
            [settle::reconciler(&self.lambda), gone::reconciler(&self.lambda), events::reconciler(&self.lambda)];
        loop {
            let mut changes = 0;
            for reconciler in &all {
                changes += reconciler.round().await.unwrap().changes;
            }
            if changes == 0 {
                return;
            }
        }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn invocations(&self) -> Vec<Invocation> {
        std::mem::take(&mut *self.stage.invocations.lock().unwrap())
    }

    fn answer(&self, answer: Result<Answered, Refused>) {
        self.stage.answers.lock().unwrap().push(answer);
    }
}

/// Members by their own names, wherever HTTP has them.
fn renamed(
    value: &Value,
    shape: wire::schema::ShapeRef,
    names: impl Fn(wire::schema::MemberRef) -> (&'static str, &'static str),
) -> Value {
    let rename = |name: &String| {
        let found = shape.members().map(&names).find(|(from, _)| from == name);
        found.map_or_else(|| name.clone(), |(_, to)| to.to_owned())
    };
    value.as_object().unwrap().iter().map(|(name, value)| (rename(name), value.clone())).collect()
}

/// A request for a function.
fn function(name: &str) -> Value {
    json!({
        "FunctionName": name,
        "Role": ROLE,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Code": { "ZipFile": zip64("one") },
    })
}

/// The same with something else in it.
fn function_with(name: &str, changes: Value) -> Value {
    let mut request = function(name);
    for (member, value) in changes.as_object().unwrap() {
        request[member] = value.clone();
    }
    request
}

fn failed(message: &str) -> Result<Answered, Refused> {
    let payload = Bytes::from(json!({ "errorMessage": message }).to_string());
    Ok(Answered {
        version: "$LATEST".to_owned(),
        payload,
        function_error: Some("Unhandled".to_owned()),
        log_tail: None,
    })
}
