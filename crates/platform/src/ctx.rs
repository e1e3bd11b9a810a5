//! A request's context.

use std::net::IpAddr;
use std::sync::Arc;

use base::{AccountId, Arn, Principal, Region, Timestamp};
use store::Scope;

use wire::model::Protocol;
use wire::sigv4::Signing;

use crate::denials::Denials;
use crate::identity::Session;
use crate::rights::Rights;

/// Who asks, where and when. Made once a request; handlers read it, nothing changes it.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// What the client prints as request id and the log carries.
    pub request_id: String,
    /// The verified caller.
    pub principal: Principal,
    /// The access key that signed, empty in tests and internal calls.
    pub access_key_id: String,
    /// What the caller's policies allow.
    pub rights: Rights,
    /// The session that the key belongs to, if it is a temporary one.
    pub session: Option<Session>,
    /// The region of the signature's scope.
    pub region: Region,
    /// The `Host` header: URLs that are handed out follow it.
    pub host: String,
    /// The instant at which the request came in; the same for all that it writes.
    pub now: Timestamp,
    /// Where the connection comes from.
    pub source_ip: Option<IpAddr>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The page that the client says it comes from.
    pub referer: Option<String>,
    /// Whether the connection is encrypted.
    pub is_secure: bool,
    /// The protocol, which has its own name for a denial.
    pub protocol: Protocol,
    /// Whether the request came as a browser's form.
    pub is_form: bool,
    /// In which way it was signed, where policies may depend on it.
    pub signing: Option<Signing>,
    /// Where denials are written down.
    pub denials: Arc<Denials>,
}

impl Ctx {
    /// The context of an internal call or a test: a root may do everything in its account, everybody else nothing that a
    /// policy would have to allow.
    pub fn new(principal: Principal, region: Region, now: Timestamp, request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            rights: Rights::of_nobody(&principal),
            principal,
            access_key_id: String::new(),
            session: None,
            region,
            host: String::new(),
            now,
            source_ip: None,
            user_agent: None,
            referer: None,
            is_secure: false,
            protocol: Protocol::AwsJson11,
            is_form: false,
            signing: None,
            denials: Arc::default(),
        }
    }

    /// The ARN of a regional resource of the caller's account.
    pub fn arn(&self, service: &str, resource: impl Into<String>) -> String {
        Arn::regional(service, &self.region, self.account(), resource).to_string()
    }

    /// The ARN of a global resource of the caller's account.
    pub fn global_arn(&self, service: &str, resource: impl Into<String>) -> String {
        Arn::global(service, self.account(), resource).to_string()
    }

    /// The caller's account, whose resources the request is about.
    pub fn account(&self) -> AccountId {
        self.principal.account
    }

    /// Where regional records of the caller's account are.
    pub fn scope(&self) -> Scope {
        Scope::new(self.account(), self.region.clone())
    }

    /// Where records of global services (IAM) of the caller's account are.
    pub fn global_scope(&self) -> Scope {
        Scope::global(self.account())
    }
}
