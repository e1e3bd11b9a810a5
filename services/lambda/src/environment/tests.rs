//! Calls from the executor's door to a runtime and back, over the real node half; what is missing is the sandbox alone.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::{AccountId, Region, SeededRng, Timestamp};
use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use platform::identity::TemporaryCredentials;
use platform::ports::{CannotAssume, LogEvent, LogSinkError, LogTarget};
use workload::Spec;

use super::host::{Ended, Printed, Sandbox};
use super::*;
use crate::api::{ApplicationLogLevel, SystemLogLevel};
use crate::configuration::{Archive, Configuration, LogFormat, Package};
use crate::executor::{Piece, Throttle};
use crate::local;

/// What a function does, by its name.
struct Host {
    near: Arc<local::Environments>,
    started: AtomicUsize,
    frozen: Arc<AtomicUsize>,
    /// How many sandboxes there may be.
    room: usize,
    there: Arc<AtomicUsize>,
    /// Whether the next one cannot begin.
    fails_once: AtomicUsize,
}

struct Box_ {
    frozen: Arc<AtomicUsize>,
    there: Arc<AtomicUsize>,
    _alive: oneshot::Sender<()>,
}

impl Sandbox for Box_ {
    fn freeze(&self, frozen: bool) -> BoxFuture<'_, Result<(), String>> {
        let count = &self.frozen;
        if frozen {
            count.fetch_add(1, Ordering::SeqCst)
        } else {
            count.fetch_sub(1, Ordering::SeqCst)
        };
        Box::pin(std::future::ready(Ok(())))
    }

    fn memory_peak(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(std::future::ready(Some(7 * 1024 * 1024)))
    }
}

impl Drop for Box_ {
    fn drop(&mut self) {
        self.there.fetch_sub(1, Ordering::SeqCst);
    }
}

impl EnvironmentHost for Host {
    fn offers<'a>(&'a self, _: &'a str, _: Architecture) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }

    fn prepare<'a>(&'a self, _: &'a Spec) -> BoxFuture<'a, Result<(), NotPrepared>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn start(&self, spec: Spec) -> BoxFuture<'_, Result<Started, CannotStart>> {
        Box::pin(async move {
            if self.there.load(Ordering::SeqCst) >= self.room {
                return Err(CannotStart::NoRoom);
            }
            self.there.fetch_add(1, Ordering::SeqCst);
            let number = self.started.fetch_add(1, Ordering::SeqCst);
            let env = &spec.containers[0].env;
            let value = |name: &str| env.iter().find(|one| one.name == name).map(|one| one.value.clone());
            let mut does = value("AWS_LAMBDA_FUNCTION_NAME").unwrap();
            if does == "flaky" && self.fails_once.fetch_add(1, Ordering::SeqCst) == 0 {
                "exits-in-init".clone_into(&mut does);
            }
            let id = format!("{number:032x}");
            let (ours, theirs) = tokio::io::duplex(1 << 20);
            let (prints, output) = mpsc::channel(64);
            let (ends, ended) = oneshot::channel();
            let (alive, gone) = oneshot::channel::<()>();
            let near = self.near.clone();
            tokio::spawn(async move {
                let runs = async {
                    let (inside, outside) = tokio::io::duplex(1 << 20);
                    let serves = near.serve(&id, outside);
                    tokio::join!(serves, async { runtime(&does, inside, &prints).await }).1
                };
                let how = tokio::select! {
                    _ = near.attach(&id, theirs) => Ended::Killed { signal: 9, is_out_of_memory: false },
                    how = runs => how,
                    _ = gone => Ended::Killed { signal: 9, is_out_of_memory: false },
                };
                drop(prints);
                let _ = ends.send(how);
            });
            let sandbox = Box_ { frozen: self.frozen.clone(), there: self.there.clone(), _alive: alive };
            Ok(Started { channel: Box::new(ours), output, ended, sandbox: Arc::new(sandbox) })
        })
    }
}

/// A runtime whose function does what it is called.
async fn runtime(does: &str, stream: tokio::io::DuplexStream, prints: &mpsc::Sender<Printed>) -> Ended {
    if does == "hangs-in-init" {
        std::future::pending::<()>().await;
    }
    let (mut api, connection) = handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let ended = work(does, &mut api, prints).await;
    drop(api);
    connection.abort();
    ended
}

async fn work(does: &str, api: &mut SendRequest<Full<Bytes>>, prints: &mpsc::Sender<Printed>) -> Ended {
    const API: &str = "/2018-06-01/runtime";
    match does {
        "exits-in-init" => return Ended::Exited(3),
        "says-init-error" => {
            let body = r#"{"errorMessage":"No module named 'x'","errorType":"Runtime.ImportModuleError"}"#;
            send(api, Method::POST, &format!("{API}/init/error"), body).await;
            return Ended::Exited(1);
        }
        _ => {}
    }
    loop {
        let (headers, event) = send(api, Method::GET, &format!("{API}/invocation/next"), "").await;
        let Some(id) = headers.get("lambda-runtime-aws-request-id").map(|id| id.to_str().unwrap().to_owned()) else {
            return Ended::Exited(0);
        };
        let say = |text: String| async move {
            let _ = prints.send(Printed { at: Timestamp::from_millis(0), bytes: Bytes::from(text) }).await;
        };
        say(format!("working on {}\n", String::from_utf8_lossy(&event))).await;
        let (kind, answer) = match does {
            "exits" => return Ended::Exited(7),
            "wants-too-much" => return Ended::Killed { signal: 9, is_out_of_memory: true },
            "hangs" => std::future::pending().await,
            "slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                ("response", event)
            }
            "fails" => ("error", Bytes::from_static(br#"{"errorMessage":"no","errorType":"ValueError"}"#)),
            _ => ("response", event),
        };
        send(api, Method::POST, &format!("{API}/invocation/{id}/{kind}"), answer).await;
    }
}

async fn send(
    api: &mut SendRequest<Full<Bytes>>,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> (http::HeaderMap, Bytes) {
    let mut request = http::Request::builder().method(method).uri(path).header("host", "a");
    if path.ends_with("error") {
        request = request.header("lambda-runtime-function-error-type", "Function.Error");
    }
    let answer = api.send_request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
    let (parts, body) = answer.into_parts();
    (parts.headers, body.collect().await.unwrap().to_bytes())
}

#[derive(Default)]
struct Logs(Mutex<HashMap<String, Vec<String>>>);

impl Logs {
    async fn has(&self, group: &str, end: &str) -> Vec<String> {
        loop {
            let lines = self.0.lock().unwrap().get(group).cloned().unwrap_or_default();
            if lines.iter().any(|line| line.contains(end)) {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

impl LogSink for Logs {
    fn put_events<'a>(
        &'a self,
        target: LogTarget<'a>,
        events: Vec<LogEvent>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>> {
        let mut all = self.0.lock().unwrap();
        all.entry(target.group.to_owned()).or_default().extend(events.into_iter().map(|event| event.message));
        Box::pin(std::future::ready(Ok(())))
    }
}

struct Roles;

impl CredentialIssuer for Roles {
    fn issue<'a>(&'a self, session: ServiceSession<'a>) -> BoxFuture<'a, Result<TemporaryCredentials, CannotAssume>> {
        assert_eq!(session.service, PRINCIPAL);
        Box::pin(std::future::ready(Ok(TemporaryCredentials {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: wire::sigv4::SecretAccessKey::new("secret"),
            session_token: "token".to_owned(),
            expiration: Timestamp::from_millis(0),
        })))
    }
}

struct Bed {
    environments: Environments,
    host: Arc<Host>,
    logs: Arc<Logs>,
}

fn bed_with(room: usize, keeping: Keeping) -> Bed {
    let host = Arc::new(Host {
        near: Arc::new(local::Environments::new(Arc::new(SeededRng::new(1)))),
        started: AtomicUsize::new(0),
        frozen: Arc::default(),
        room,
        there: Arc::default(),
        fails_once: AtomicUsize::new(0),
    });
    let logs = Arc::new(Logs::default());
    let platform = Platform::in_memory();
    let parts = Parts { platform, host: host.clone(), logs: logs.clone(), credentials: Arc::new(Roles), keeping };
    Bed { environments: Environments::new(parts), host, logs }
}

fn bed() -> Bed {
    bed_with(usize::MAX, Keeping::default())
}

fn callee(does: &str) -> Callee {
    let archive = Archive { digest: blobs::Digest::of(b"zip"), size: 3, unzipped: 3 };
    let role = "arn:aws:iam::000000000000:role/a".to_owned();
    let mut configuration = Configuration::new(does, role, Package::Zip(archive), Architecture::X86);
    configuration.runtime = Some("python3.13".to_owned());
    configuration.handler = Some("index.handler".to_owned());
    configuration.timeout_s = 1;
    Callee {
        function: FunctionName { account: AccountId::DEFAULT, region: Region::default(), name: does.to_owned() },
        uid: does.to_owned(),
        version: "$LATEST".to_owned(),
        invoked_arn: format!("arn:aws:lambda:us-east-1:000000000000:function:{does}"),
        configuration,
        reserved: None,
        may_recurse: false,
    }
}

fn invocation(callee: Callee, id: &str, payload: &'static str) -> Invocation {
    Invocation {
        callee,
        request_id: id.to_owned(),
        payload: Bytes::from_static(payload.as_bytes()),
        client_context: None,
        trace: None,
        wants_log_tail: false,
        since: Timestamp::from_millis(0),
    }
}

impl Bed {
    async fn invokes(&self, does: &str, id: &str, payload: &'static str) -> Answered {
        self.environments.invoke(invocation(callee(does), id, payload)).await.unwrap()
    }

    fn started(&self) -> usize {
        self.host.started.load(Ordering::SeqCst)
    }
}

fn json(answered: &Answered) -> serde_json::Value {
    serde_json::from_slice(&answered.payload).unwrap()
}

#[tokio::test]
async fn a_call_is_answered_and_the_next_one_by_the_same_environment() {
    let bed = bed();
    for number in 0..20 {
        let payload: &'static str = format!("{number}").leak();
        let answered = bed.invokes("echoes", &format!("r{number}"), payload).await;
        assert_eq!((answered.payload.as_ref(), answered.function_error), (payload.as_bytes(), None));
    }
    assert_eq!((bed.started(), bed.environments.count()), (1, 1));
    let lines = bed.logs.has("/aws/lambda/echoes", "REPORT RequestId: r19").await;
    assert_eq!(lines[0], "INIT_START Runtime Version: python3.13");
    let place = |begins: String| lines.iter().position(|line| line.starts_with(&begins)).unwrap();
    for number in 0..20 {
        let began = place(format!("START RequestId: r{number} Version: $LATEST"));
        let ended = place(format!("END RequestId: r{number}"));
        let reported = place(format!("REPORT RequestId: r{number}\tDuration: "));
        assert!(began < ended && ended < reported, "{number}: {lines:?}");
        // Of what is printed within one millisecond nobody knows whose it is.
        assert!(lines.contains(&format!("working on {number}")), "{number}: {lines:?}");
        assert_eq!(lines[reported].contains("Init Duration"), number == 0, "{number}: {lines:?}");
        assert!(lines[reported].contains("Max Memory Used: 7 MB\t"), "{lines:?}");
    }
}

#[tokio::test]
async fn whoever_wants_the_end_of_the_output_gets_it_with_the_answer() {
    let bed = bed();
    let wants = Invocation { wants_log_tail: true, ..invocation(callee("echoes"), "r", "1") };
    let answered = bed.environments.invoke(wants).await.unwrap();
    let tail = String::from_utf8(answered.log_tail.unwrap()).unwrap();
    assert!(tail.starts_with("START RequestId: r Version: $LATEST\nworking on 1\nEND RequestId: r\nREPORT"), "{tail}");
}

#[tokio::test]
async fn calls_at_one_time_have_environments_of_their_own() {
    let bed = bed();
    let calls = (0..8).map(|number| {
        let environments = bed.environments.clone();
        tokio::spawn(async move { environments.invoke(invocation(callee("slow"), &format!("r{number}"), "1")).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().unwrap().payload, "1");
    }
    assert_eq!(bed.started(), 8);
}

#[tokio::test]
async fn a_function_that_fails_says_why_and_is_kept() {
    let bed = bed();
    for id in ["one", "two"] {
        let answered = bed.invokes("fails", id, "1").await;
        assert_eq!(
            (answered.function_error.as_deref(), &json(&answered)["errorType"]),
            (Some("Unhandled"), &"ValueError".into())
        );
    }
    assert_eq!(bed.started(), 1);
}

#[tokio::test]
async fn a_function_that_ends_its_process_is_told_of_and_gets_another_environment() {
    let bed = bed();
    let answered = bed.invokes("exits", "one", "1").await;
    let expected = "RequestId: one Error: Runtime exited with error: exit status 7";
    assert_eq!(
        (&json(&answered)["errorMessage"], &json(&answered)["errorType"]),
        (&expected.into(), &"Runtime.ExitError".into())
    );
    let answered = bed.invokes("wants-too-much", "two", "1").await;
    assert_eq!(json(&answered)["errorMessage"], "RequestId: two Error: Runtime exited with error: signal: killed");
    let lines = bed.logs.has("/aws/lambda/wants-too-much", "REPORT").await;
    assert!(lines.last().unwrap().ends_with("Status: error\tError Type: Runtime.OutOfMemory"), "{lines:?}");
    bed.invokes("exits", "three", "1").await;
    assert_eq!(bed.started(), 3);
}

#[tokio::test]
async fn a_function_that_is_not_done_in_time_is_ended() {
    let bed = bed();
    let answered = bed.invokes("hangs", "one", "1").await;
    assert_eq!(json(&answered)["errorType"], "Sandbox.Timedout");
    assert_eq!(json(&answered)["errorMessage"], "RequestId: one Error: Task timed out after 1.00 seconds");
    let lines = bed.logs.has("/aws/lambda/hangs", "REPORT").await;
    assert!(lines.iter().any(|line| line.ends_with("one Task timed out after 1.00 seconds")), "{lines:?}");
    assert!(lines.last().unwrap().ends_with("\tStatus: timeout"), "{lines:?}");
    while bed.environments.count() > 0 || bed.host.there.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_cannot_begin_is_tried_once_more_and_then_told() {
    let bed = bed();
    let answered = bed.invokes("exits-in-init", "one", "1").await;
    let expected = "RequestId: one Error: Runtime exited with error: exit status 3";
    assert_eq!(json(&answered)["errorMessage"], expected);
    assert_eq!(bed.started(), 2);
    let answered = bed.invokes("says-init-error", "two", "1").await;
    assert_eq!(json(&answered)["errorType"], "Runtime.ImportModuleError");
    assert_eq!(answered.function_error.as_deref(), Some("Unhandled"));
    let lines = bed.logs.has("/aws/lambda/says-init-error", "Phase: invoke").await;
    assert!(lines.iter().any(|line| line.contains("Phase: init\tStatus: error")), "{lines:?}");
    let answered = bed.invokes("flaky", "three", "1").await;
    assert_eq!((answered.payload.as_ref(), answered.function_error), (b"1".as_slice(), None));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_while_it_begins_is_told_as_too_late() {
    let bed = bed();
    let answered = bed.invokes("hangs-in-init", "one", "1").await;
    assert_eq!(json(&answered)["errorMessage"], "RequestId: one Error: Task timed out after 1.00 seconds");
}

#[tokio::test]
async fn a_streamed_answer_comes_in_pieces_and_ends() {
    let bed = bed();
    let mut streaming = bed.environments.invoke_streaming(invocation(callee("echoes"), "one", "[1]")).await.unwrap();
    assert_eq!(streaming.pieces.recv().await, Some(Piece::Bytes(Bytes::from_static(b"[1]"))));
    assert_eq!(streaming.pieces.recv().await, Some(Piece::End { error: None, log_tail: None }));
    assert_eq!(streaming.pieces.recv().await, None);
    let mut failed = bed.environments.invoke_streaming(invocation(callee("fails"), "two", "[1]")).await.unwrap();
    let Some(Piece::End { error: Some((error_type, _)), .. }) = failed.pieces.recv().await else {
        panic!("that is an error");
    };
    assert_eq!(error_type, "Function.Error");
}

#[tokio::test]
async fn another_configuration_is_another_environment_and_the_old_one_ends() {
    let bed = bed();
    bed.invokes("echoes", "one", "1").await;
    let mut changed = callee("echoes");
    changed.configuration.memory_mib = 256;
    bed.environments.invoke(invocation(changed, "two", "1")).await.unwrap();
    assert_eq!(bed.started(), 2);
    while bed.environments.count() > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_function_has_no_more_executions_than_it_reserved() {
    let bed = bed();
    let reserved = Callee { reserved: Some(1), ..callee("slow") };
    let first = tokio::spawn({
        let (environments, call) = (bed.environments.clone(), invocation(reserved.clone(), "one", "1"));
        async move { environments.invoke(call).await }
    });
    while bed.started() == 0 {
        tokio::task::yield_now().await;
    }
    let refused = bed.environments.invoke(invocation(reserved.clone(), "two", "1")).await.unwrap_err();
    assert_eq!(refused, Refused::Throttled(Throttle::ReservedFunctionConcurrentInvocationLimitExceeded));
    first.await.unwrap().unwrap();
    let none = Callee { reserved: Some(0), ..callee("slow") };
    assert!(bed.environments.invoke(invocation(none, "three", "1")).await.is_err());
    assert!(bed.environments.invoke(invocation(callee("echoes"), "four", "1")).await.is_ok(), "others have their own");
}

#[tokio::test]
async fn where_there_is_no_room_calls_wait_and_none_is_lost() {
    let bed = bed_with(2, Keeping::default());
    bed.invokes("echoes", "before", "1").await;
    let calls: Vec<_> = (0..10)
        .map(|number| {
            let environments = bed.environments.clone();
            let call = invocation(callee("slow"), &format!("r{number}"), "1");
            tokio::spawn(async move { environments.invoke(call).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().payload, "1");
    }
    assert!(bed.host.there.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn an_environment_that_nobody_calls_is_frozen_and_then_ends() {
    let keeping =
        Keeping { freeze_after: Duration::from_millis(5), idle_max: Duration::from_millis(60), ..Keeping::default() };
    let bed = bed_with(usize::MAX, keeping);
    bed.invokes("echoes", "one", "1").await;
    while bed.host.frozen.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let answered = bed.invokes("echoes", "two", "2").await;
    assert_eq!(answered.payload, "2");
    while bed.environments.count() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(bed.invokes("echoes", "three", "3").await.payload, "3");
}

#[tokio::test]
async fn records_instead_of_text_where_they_are_wanted() {
    let bed = bed();
    let mut structured = callee("echoes");
    structured.configuration.logging.format =
        LogFormat::Json { application: ApplicationLogLevel::Info, system: SystemLogLevel::Info };
    bed.environments.invoke(invocation(structured, "one", "1")).await.unwrap();
    let lines = bed.logs.has("/aws/lambda/echoes", "platform.report").await;
    let report: serde_json::Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!((&report["record"]["requestId"], &report["record"]["status"]), (&"one".into(), &"success".into()));
}

#[tokio::test]
async fn what_is_not_made_ahead_is_not_said_to_be_on_its_way() {
    let callee = callee("echoes");
    let told = bed().environments.provisioned(&callee.function, "1").await;
    assert_eq!(told.ready, 0);
    assert!(told.failed.is_some_and(|reason| reason.contains("no execution environments ahead")));
}
