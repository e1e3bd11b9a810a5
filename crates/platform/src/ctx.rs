//! A request's context.

use std::net::IpAddr;

use base::{AccountId, Principal, Region, Timestamp};
use store::Scope;

use crate::identity::Session;

/// Who asks, where and when. Made once a request; handlers read it, nothing changes it.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// What the client prints as request id and the log carries.
    pub request_id: String,
    /// The verified caller.
    pub principal: Principal,
    /// The access key that signed, empty in tests and internal calls.
    pub access_key_id: String,
    /// Whether the caller is an account's root or a session that a root opened.
    pub is_rooted: bool,
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
}

impl Ctx {
    /// The context of an internal call or a test.
    pub fn new(principal: Principal, region: Region, now: Timestamp, request_id: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            is_rooted: principal.is_root(),
            principal,
            access_key_id: String::new(),
            session: None,
            region,
            host: String::new(),
            now,
            source_ip: None,
            user_agent: None,
        }
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
