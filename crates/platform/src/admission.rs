//! From a known caller to a request's context. Callers are known by a signature, which the gateway has checked, or by a token
//! that some service has given out: the registry's, Kubernetes's.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Region, Timestamp};
use store::StoreError;
use wire::model::Protocol;

use crate::Ctx;
use crate::denials::Denials;
use crate::identity::{Caller, Identities};
use crate::ports::PolicyDirectory;
use crate::rights::Rights;

/// What is needed to let callers in. Cheap to clone.
#[derive(Clone)]
pub struct Admission {
    /// Who signs, and who is still there.
    pub identities: Arc<Identities>,
    /// What callers may do.
    pub policies: Arc<dyn PolicyDirectory>,
    /// Where denials are written down.
    pub denials: Arc<Denials>,
    /// Whether connections are encrypted.
    pub is_secure: bool,
}

/// What a request says beside who asks.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The request's id.
    pub request_id: String,
    /// The region that is asked.
    pub region: Region,
    /// The `Host` header.
    pub host: String,
    /// When it came in.
    pub now: Timestamp,
    /// Where the connection comes from.
    pub source_ip: Option<IpAddr>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The protocol, which has its own name for a denial.
    pub protocol: Protocol,
}

impl Admission {
    /// The context of a request whose signer was found a moment ago.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn signed(&self, caller: Caller, arrival: Arrival) -> Result<Ctx, StoreError> {
        Ok(Ctx {
            rights: Rights::of(&*self.policies, &caller).await?,
            request_id: arrival.request_id,
            principal: caller.principal,
            access_key_id: caller.access_key_id,
            session: caller.session,
            region: arrival.region,
            host: arrival.host,
            now: arrival.now,
            source_ip: arrival.source_ip,
            user_agent: arrival.user_agent,
            is_secure: self.is_secure,
            protocol: arrival.protocol,
            denials: self.denials.clone(),
        })
    }

    /// The context of a request whose caller is known by a token, which may be older than what has become of them: none if
    /// they are gone, even if there is somebody else of the same name.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn bearer(&self, caller: Caller, arrival: Arrival) -> Result<Option<Ctx>, StoreError> {
        match self.identities.present(&caller.principal).await? {
            Some(principal) => self.signed(Caller { principal, ..caller }, arrival).await.map(Some),
            None => Ok(None),
        }
    }
}
