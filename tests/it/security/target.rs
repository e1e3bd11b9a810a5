//! What is attacked: operations out of the services' tables, and the refusal that is due.

use base::{Clock, SystemClock, Timestamp};
use serde_json::Value as Json;
use tests::raw::{Answer, Connection, Failure, Request, form};
use tests::{Account, REGION, Server, Shared};
use wire::cbor;
use wire::json::Limits;
use wire::model::{Protocol, ServiceModel};
use wire::sigv4::Credentials;

use super::input;
use super::names::Names;

/// The services. A test compares them with `models/operations.toml`.
pub(crate) const MODELS: [&ServiceModel; 8] = [
    &ecs::api::MODEL,
    &iam::api::MODEL,
    &sts::api::MODEL,
    &logs::api::MODEL,
    &cloudwatch::api::MODEL,
    &ecr::api::MODEL,
    &s3::api::MODEL,
    &lambda::api::MODEL,
];

/// Those whose operations are named in the request's head or its form. The others, whose method and path name them, are
/// attacked in [`super::s3`].
pub(super) fn spoken() -> impl Iterator<Item = &'static ServiceModel> {
    MODELS.into_iter().filter(|model| !model.protocols.iter().any(|protocol| protocol.is_rest()))
}

/// An operation in one of its protocols.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) model: &'static ServiceModel,
    pub(crate) index: usize,
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
}

impl Target {
    /// Every operation of every service in each protocol.
    fn all() -> impl Iterator<Item = Self> {
        spoken().flat_map(Self::of)
    }

    /// Every operation of a service in each protocol.
    pub(super) fn of(model: &'static ServiceModel) -> impl Iterator<Item = Self> {
        (0..model.operations.len()).flat_map(move |index| {
            let name = model.operation_name(index);
            model.protocols.iter().map(move |&protocol| Self { model, index, name, protocol })
        })
    }

    /// Those that are served.
    pub(crate) fn served() -> Vec<Self> {
        Self::all().filter(Self::is_served).collect()
    }

    /// Those of the served that must be signed.
    pub(crate) fn signed() -> Vec<Self> {
        Self::served().into_iter().filter(|target| !target.is_unsigned()).collect()
    }

    /// Those that are not.
    pub(crate) fn unserved() -> Vec<Self> {
        Self::all().filter(|target| !target.is_served()).collect()
    }

    pub(super) fn is_served(&self) -> bool {
        self.model.operations[self.index].is_served
    }

    /// `ecs:CreateCluster`
    pub(crate) fn action(&self) -> String {
        format!("{}:{}", self.model.name, self.name)
    }

    /// Whether its input has a member of this name.
    pub(crate) fn has(&self, member: &str) -> bool {
        self.model.input(self.index).is_some_and(|input| input.members().any(|known| known.name() == member))
    }

    /// Whether AWS takes it without a signature.
    pub(crate) fn is_unsigned(&self) -> bool {
        self.model.operations[self.index].is_unsigned
    }

    /// Whether it only tells: the same call tells the same again.
    pub(crate) fn is_read(&self) -> bool {
        ["BatchCheck", "BatchGet", "Describe", "Filter", "Get", "Head", "List", "Simulate"]
            .iter()
            .any(|verb| self.name.starts_with(verb))
            && !["GetSessionToken", "GetAuthorizationToken", "GetDownloadUrlForLayer"].contains(&self.name)
    }

    /// Its request with an input that the model accepts, about what `names` names. Not signed.
    pub(crate) fn request(&self, scene: &Scene, names: &Names) -> Request {
        let input = input::encoded(self, names);
        Request::of(&scene.host, self.model, self.name, self.protocol, &input)
    }

    /// Whether its input is written as JSON, for CBOR to be made of it.
    pub(crate) fn is_json(&self) -> bool {
        self.protocol != Protocol::AwsQuery
    }
}

/// Code and status of one refusal in both families of protocols.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) json: (&'static str, u16),
    pub(crate) query: (&'static str, u16),
}

impl Refusal {
    pub(crate) const NO_KEY: Self =
        Self { json: ("MissingAuthenticationTokenException", 400), query: ("MissingAuthenticationToken", 403) };
    pub(crate) const UNKNOWN_KEY: Self =
        Self { json: ("UnrecognizedClientException", 400), query: ("InvalidClientTokenId", 403) };
    pub(crate) const WRONG_SIGNATURE: Self =
        Self { json: ("InvalidSignatureException", 400), query: ("SignatureDoesNotMatch", 403) };
    pub(crate) const INCOMPLETE: Self =
        Self { json: ("IncompleteSignatureException", 400), query: ("IncompleteSignature", 400) };
    pub(crate) const EXPIRED: Self = Self { json: ("ExpiredTokenException", 400), query: ("ExpiredToken", 403) };
    pub(crate) const DENIED: Self = Self { json: ("AccessDeniedException", 400), query: ("AccessDenied", 403) };
    pub(crate) const TOO_LARGE: Self = Self::same("RequestEntityTooLargeException", 413);
    pub(crate) const CUT_OFF: Self = Self::same("IncompleteBody", 400);
    pub(crate) const NOT_SERVED: Self = Self::same("NotImplemented", 501);

    const fn same(code: &'static str, status: u16) -> Self {
        Self { json: (code, status), query: (code, status) }
    }

    fn of(&self, protocol: Protocol) -> (&'static str, u16) {
        match protocol {
            Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor => self.json,
            Protocol::AwsQuery => self.query,
            // None of the services of these sweeps; theirs are refusals of other codes.
            Protocol::RestXml | Protocol::RestJson1 => panic!("{protocol:?} has refusals of its own"),
        }
    }

    /// Whether the failure is this refusal.
    pub(crate) fn is(&self, protocol: Protocol, failure: &Failure) -> bool {
        self.of(protocol) == (failure.code.as_str(), failure.status)
    }
}

/// A server, an account on it, and a connection to it.
pub(crate) struct Scene {
    pub(crate) server: Shared,
    pub(crate) account: Account,
    pub(crate) connection: Connection,
    pub(crate) host: String,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let server = Server::shared();
        let connection = Connection::to(server.address());
        Self { account: server.account(), host: server.address().to_string(), connection, server }
    }

    /// The names of the account's own things.
    pub(crate) fn names(&self) -> Names {
        Names::of(&self.account.id)
    }

    /// Sends each served operation's request as `spoil` leaves it; each must meet the refusal, with `told` in its
    /// message. Afterwards the account must be as it was.
    #[track_caller]
    pub(crate) fn every_operation_refuses(
        &mut self,
        refusal: Refusal,
        told: &str,
        spoil: impl FnMut(&Target, Request, &Account) -> Vec<u8>,
    ) {
        self.each_refuses(Target::served(), refusal, told, spoil);
    }

    /// The same for some operations.
    #[track_caller]
    pub(crate) fn each_refuses(
        &mut self,
        targets: Vec<Target>,
        refusal: Refusal,
        told: &str,
        mut spoil: impl FnMut(&Target, Request, &Account) -> Vec<u8>,
    ) {
        let (names, account) = (self.names(), self.account.clone());
        let before = self.snapshot(&account.root.clone(), &names);
        let mut wrong = Vec::new();
        for target in targets {
            let request = target.request(self, &names);
            let bytes = spoil(&target, request, &account);
            let failure = self.connection.send_bytes(&bytes).failure(target.protocol);
            if !refusal.is(target.protocol, &failure) || !failure.message.contains(told) {
                wrong.push(format!("{}: {failure:?}", target.action()));
            }
        }
        assert!(wrong.is_empty(), "not refused as {refusal:?}:\n{}", wrong.join("\n"));
        assert_eq!(before, self.snapshot(&account.root, &names), "a refused request had an effect");
    }

    /// Sends a request of `target` about `names` by a key's owner.
    #[track_caller]
    pub(crate) fn call(&mut self, target: &Target, credentials: &Credentials, names: &Names) -> Answer {
        let request = target.request(self, names).signed(credentials, target.model.signing_name, REGION, now());
        self.connection.send(&request)
    }

    /// Sends a form by a key's owner.
    #[track_caller]
    pub(crate) fn form(
        &mut self,
        by: &Credentials,
        model: &ServiceModel,
        operation: &str,
        input: &[(&str, &str)],
    ) -> Answer {
        self.operation(by, model, operation, Protocol::AwsQuery, &form(input))
    }

    /// Sends a JSON document by a key's owner, in the kind of awsJson that the service speaks.
    #[track_caller]
    pub(crate) fn json(&mut self, by: &Credentials, model: &ServiceModel, operation: &str, input: &Json) -> Answer {
        let json = [Protocol::AwsJson10, Protocol::AwsJson11];
        let protocol = model.protocols.iter().copied().find(|protocol| json.contains(protocol));
        self.operation(by, model, operation, protocol.expect("the service speaks awsJson"), &input.to_string())
    }

    #[track_caller]
    fn operation(
        &mut self,
        by: &Credentials,
        model: &ServiceModel,
        operation: &str,
        protocol: Protocol,
        input: &str,
    ) -> Answer {
        let request = Request::of(&self.host, model, operation, protocol, input);
        self.connection.send(&request.signed(by, model.signing_name, REGION, now()))
    }

    /// What every operation that only reads tells a key's owner about `names`; request ids aside.
    #[track_caller]
    pub(crate) fn snapshot(&mut self, credentials: &Credentials, names: &Names) -> Vec<(String, u16, String)> {
        let reads = Target::served().into_iter().filter(Target::is_read);
        reads
            .map(|target| {
                let answer = self.call(&target, credentials, names);
                let text = told(&answer);
                let id = answer.header("x-amzn-requestid").unwrap_or_default();
                (target.action(), answer.status, text.replace(id, "*"))
            })
            .collect()
    }
}

/// What an answer tells, as text in every protocol.
pub(crate) fn told(answer: &Answer) -> String {
    match cbor::decode_json(&answer.body, &Limits::REQUEST) {
        Ok(json) if answer.header("content-type") == Some(Protocol::RpcV2Cbor.content_type()) => json.to_string(),
        _ => answer.text(),
    }
}

/// The present.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// A whole request with its body's length.
pub(crate) fn whole(request: &Request) -> Vec<u8> {
    let mut bytes = request.head(&[("content-length", &request.body.len().to_string())]);
    bytes.extend_from_slice(&request.body);
    bytes
}
