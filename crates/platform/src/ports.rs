//! How services reach each other: a trait here, implemented by one service, handed to another where the binary wires
//! them together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Arn, Principal, Region, Timestamp};
use policy::{IdentityPolicies, Policy};
use store::StoreError;
use wire::model::ServiceModel;
use wire::serve::{CrossOrigin, CrossOriginHeaders};

use crate::BoxFuture;
use crate::identity::TemporaryCredentials;

/// Roles, as those see them who hand out or check their sessions. Implemented by iam.
pub trait RoleDirectory: Send + Sync {
    /// The role called `name` (without path) in `account`.
    fn role<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>>;
}

/// What pages of other origins may do. Implemented by s3, whose buckets have rules for it.
pub trait CrossOriginRules: Send + Sync {
    /// What a page may do with a service, as headers of the answer; none where nothing is allowed.
    ///
    /// # Errors
    /// Why a page that asks before may not do what it wants to.
    fn cross_origin<'a>(
        &'a self,
        service: &'static ServiceModel,
        asked: CrossOrigin<'a>,
    ) -> BoxFuture<'a, Result<CrossOriginHeaders, wire::Error>>;
}

/// Users, as those see them who check their sessions. Implemented by iam.
pub trait UserDirectory: Send + Sync {
    /// Who the user of this unique id in `account` is now: a renamed user has another name and ARN.
    fn user<'a>(&'a self, account: AccountId, id: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>>;
}

/// The policies of callers. Implemented by iam; asked once a request, so it answers from memory what has not changed. What
/// it answers holds every change that was acknowledged before it was asked.
pub trait PolicyDirectory: Send + Sync {
    /// What is attached to a user (and its groups) or to the role of a session, and the permissions boundary. Nothing for
    /// one that is not there.
    fn identity_policies<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<IdentityPolicies>, StoreError>>;
    /// A managed policy in its default version: AWS's, or one of `account`.
    fn managed_policy<'a>(
        &'a self,
        account: AccountId,
        arn: &'a str,
    ) -> BoxFuture<'a, Result<Option<Arc<Policy>>, StoreError>>;
    /// The tags of a user or of the role of a session.
    fn principal_tags<'a>(
        &'a self,
        principal: &'a Principal,
    ) -> BoxFuture<'a, Result<Arc<BTreeMap<String, String>>, StoreError>>;
}

/// OpenID Connect providers, as those see them who check their tokens. Implemented by iam.
pub trait OidcProviderDirectory: Send + Sync {
    /// The provider of `account` whose tokens say `issuer` (a URL) in `iss`.
    fn provider<'a>(
        &'a self,
        account: AccountId,
        issuer: &'a str,
    ) -> BoxFuture<'a, Result<Option<OidcProviderView>, StoreError>>;
}

/// Instance profiles, as those see them who start instances. Implemented by iam.
pub trait InstanceProfileDirectory: Send + Sync {
    /// The ARN of the role in the instance profile that `arn` means; none if there is no such profile, or no role in it.
    fn role_of<'a>(&'a self, account: AccountId, arn: &'a str) -> BoxFuture<'a, Result<Option<String>, StoreError>>;
}

/// Credentials of roles for those who run things in a role's name: tasks, functions, instances. Implemented by sts.
pub trait CredentialIssuer: Send + Sync {
    /// Opens a session of a role for a service, if the role's trust policy lets the service.
    fn issue<'a>(&'a self, session: ServiceSession<'a>) -> BoxFuture<'a, Result<TemporaryCredentials, CannotAssume>>;
}

/// What a service wants a role for.
#[derive(Debug, Clone, Copy)]
pub struct ServiceSession<'a> {
    /// The role.
    pub role_arn: &'a str,
    /// Who asks: `ecs-tasks.amazonaws.com`, `lambda.amazonaws.com`, `ec2.amazonaws.com`.
    pub service: &'a str,
    /// What the session is to be called: a task's id, a function's name, an instance's id.
    pub session_name: &'a str,
    /// How long it is to last; longer than the role's longest session it does not.
    pub duration: Duration,
    /// For whose resource: the role must be the same account's.
    pub account: AccountId,
    /// For which resource: `aws:SourceArn`.
    pub source_arn: Option<&'a str>,
}

/// Why a service gets no session of a role.
#[derive(Debug, thiserror::Error)]
pub enum CannotAssume {
    /// There is no such role in the account, or its trust policy does not let the service. Written as it stands after
    /// "ECS was unable to assume the role …".
    #[error("{service} is not authorized to perform: sts:AssumeRole on resource: {role}")]
    NotAllowed {
        /// The service.
        service: String,
        /// The role's ARN, as it was given.
        role: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where services put metrics of their own. Implemented by cloudwatch.
pub trait MetricSink: Send + Sync {
    /// Adds samples to metrics of `namespace`.
    fn put<'a>(
        &'a self,
        account: AccountId,
        region: &'a Region,
        namespace: &'a str,
        samples: Vec<MetricSample>,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// One value of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricSample {
    /// The metric.
    pub name: String,
    /// Names and values of its dimensions.
    pub dimensions: Vec<(String, String)>,
    /// When it was.
    pub timestamp: Timestamp,
    /// How much.
    pub value: f64,
    /// Of what, in CloudWatch's words: `Count`, `Milliseconds`, `None`.
    pub unit: String,
}

/// Where services put the output of what they run. Implemented by logs.
pub trait LogSink: Send + Sync {
    /// Adds events to a stream, which is created if it is not there. They may come in any order. A message that is longer
    /// than an event may be becomes several. When this returns they are written, each of them or none of those from the
    /// first that was not.
    fn put_events<'a>(
        &'a self,
        target: LogTarget<'a>,
        events: Vec<LogEvent>,
    ) -> BoxFuture<'a, Result<(), LogSinkError>>;
}

/// A log stream that receives output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogTarget<'a> {
    /// Whose it is.
    pub account: AccountId,
    /// Where it is.
    pub region: &'a Region,
    /// The log group's name.
    pub group: &'a str,
    /// The log stream's name.
    pub stream: &'a str,
    /// Whether to create the log group if it is not there (`awslogs-create-group`).
    pub creates_group: bool,
}

/// One piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// When it was written.
    pub timestamp: Timestamp,
    /// What was written. Nothing is stored of an empty one.
    pub message: String,
}

/// Why output was not stored.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogSinkError {
    /// There is no such log group, and it was not to be created.
    #[error("the log group does not exist")]
    NoSuchGroup,
    /// No group or stream can have such a name.
    #[error("a log group or log stream cannot have this name")]
    Name,
    /// The disk is full, or fails: it may take the same events later.
    #[error("the disk takes no log events")]
    Unavailable,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where images are made ready to run: unpacked, by whoever has the rights for it. Implemented by the binary, over the
/// node that it started; asked by ecr after a push. Both may be asked again for what is done already.
pub trait ImagePreparer: Send + Sync {
    /// Makes an image ready and notes `reference` as one of its names. Its blobs are on this machine already.
    ///
    /// # Errors
    /// What went wrong, for the log: the next try may have more luck.
    fn prepare<'a>(&'a self, image: PreparedReference<'a>) -> BoxFuture<'a, Result<(), String>>;
    /// Forgets a name. What no name keeps any more may be collected.
    ///
    /// # Errors
    /// As [`ImagePreparer::prepare`].
    fn forget<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<(), String>>;
}

/// An image that is to be made ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PreparedReference<'a> {
    /// A name of it: `<account>.dkr.ecr.<region>.amazonaws.com/<name>:<tag>`, or `…@<digest>`.
    pub reference: &'a str,
    /// Its manifest's, or its index's, digest: `sha256:…`
    pub digest: &'a str,
    /// The manifest's media type.
    pub media_type: &'a str,
    /// The manifest's size, in bytes.
    pub size: u64,
}

/// The images of this installation's own registry, as those see them who run or pull them without asking over the network.
/// Implemented by the binary, over ecr.
pub trait LocalRegistry: Send + Sync {
    /// What a name means now, to the root user of `account`; none if there is no such image.
    ///
    /// # Errors
    /// What went wrong, for whoever asked.
    fn resolve<'a>(&'a self, image: LocalReference<'a>) -> BoxFuture<'a, Result<Option<LocalImage>, String>>;
}

/// A name of an image in this installation's registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalReference<'a> {
    /// Whose registry it is in.
    pub account: AccountId,
    /// Where the registry is.
    pub region: &'a Region,
    /// The repository's name.
    pub repository: &'a str,
    /// A tag, or a digest.
    pub reference: &'a str,
}

/// An image of this installation's registry; its blobs are on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalImage {
    /// Its manifest's, or its index's, digest.
    pub digest: String,
    /// The manifest's media type.
    pub media_type: String,
    /// The manifest's size, in bytes.
    pub size: u64,
}

/// Objects of buckets, as those services see them who are told to take one: a function's code. Implemented by s3.
pub trait ObjectReader: Send + Sync {
    /// Opens an object with the rights of the caller of `ctx`.
    ///
    /// # Errors
    /// What S3 answers the caller.
    fn read<'a>(
        &'a self,
        ctx: &'a crate::Ctx,
        object: ObjectName<'a>,
    ) -> BoxFuture<'a, Result<ReadObject, wire::Error>>;
}

/// Which object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectName<'a> {
    /// The bucket's name.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The id of a version; none means the present one.
    pub version: Option<&'a str>,
}

/// An object that is open.
#[derive(Debug, Clone)]
pub struct ReadObject {
    /// Its bytes.
    pub content: wire::Content,
    /// How many they are.
    pub size: u64,
}

/// What others need of an OpenID Connect provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcProviderView {
    /// Its ARN.
    pub arn: Arn,
    /// Its address, which tokens say in `iss`.
    pub url: String,
    /// For whom its tokens may be meant.
    pub client_ids: Vec<String>,
    /// SHA-1, in lower-case hexadecimal digits, of certificates by which its server is known; beside them the public
    /// authorities are.
    pub thumbprints: Vec<String>,
}

/// What others need of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleView {
    /// Its ARN, path included.
    pub arn: Arn,
    /// Its unique id, `AROA…`. A role that is deleted and made again has another.
    pub id: String,
    /// The policy that says who may assume it, JSON.
    pub trust_policy: String,
    /// The longest session, in seconds.
    pub max_session_duration_s: u32,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}
