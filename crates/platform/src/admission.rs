//! From a known caller to a request's context. Callers are known by a signature, which the gateway has checked, or by a token
//! that some service has given out: the registry's, Kubernetes's.

use std::net::IpAddr;
use std::sync::Arc;

use base::{Region, Timestamp};
use store::StoreError;
use wire::model::Protocol;
use wire::sigv4::Signing;

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
    /// The page that the client says it comes from.
    pub referer: Option<String>,
    /// The protocol, which has its own name for a denial.
    pub protocol: Protocol,
    /// Whether it came as a browser's form.
    pub is_form: bool,
    /// In which way it was signed, where policies may depend on it.
    pub signing: Option<Signing>,
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
            referer: arrival.referer,
            is_secure: self.is_secure,
            protocol: arrival.protocol,
            is_form: arrival.is_form,
            signing: arrival.signing,
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base::{AccountId, Principal, PrincipalKind};
    use policy::{IdentityPolicies, Policy};

    use super::*;
    use crate::ports::{RoleDirectory, RoleView, UserDirectory};
    use crate::{BoxFuture, Platform};

    /// A house with one user, called as given, and without roles.
    struct House(Option<Principal>);

    impl RoleDirectory for House {
        fn role<'a>(&'a self, _: AccountId, _: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>> {
            Box::pin(async { Ok(None) })
        }
    }

    impl UserDirectory for House {
        fn user<'a>(&'a self, _: AccountId, id: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>> {
            Box::pin(async move { Ok(self.0.clone().filter(|user| user.user_id == id)) })
        }
    }

    impl PolicyDirectory for House {
        fn identity_policies<'a>(
            &'a self,
            _: &'a Principal,
        ) -> BoxFuture<'a, Result<Arc<IdentityPolicies>, StoreError>> {
            Box::pin(async { Ok(Arc::default()) })
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

    fn user(name: &str, id: &str) -> Principal {
        let arn = format!("arn:aws:iam::{}:user/{name}", AccountId::DEFAULT);
        let kind = PrincipalKind::User { name: name.to_owned() };
        Principal { arn: arn.parse().unwrap(), user_id: id.to_owned(), kind, ..Principal::root(AccountId::DEFAULT) }
    }

    async fn admitted(present: Option<Principal>, bearer: Principal) -> Option<Ctx> {
        let (platform, house) = (Platform::in_memory(), Arc::new(House(present)));
        let admission = Admission {
            identities: Arc::new(Identities::new(platform, house.clone(), house.clone())),
            policies: house,
            denials: Arc::default(),
            is_secure: false,
        };
        let arrival = Arrival {
            request_id: "r".to_owned(),
            region: Region::default(),
            host: String::new(),
            now: Timestamp::default(),
            source_ip: None,
            user_agent: None,
            referer: None,
            protocol: Protocol::AwsJson11,
            is_form: false,
            signing: None,
        };
        let caller = Caller { access_key_id: String::new(), principal: bearer, session: None };
        admission.bearer(caller, arrival).await.unwrap()
    }

    #[tokio::test]
    async fn a_bearer_is_let_in_as_whoever_they_are_by_now() {
        let ctx = admitted(Some(user("new-name", "AIDA1")), user("old-name", "AIDA1")).await.unwrap();
        assert_eq!(ctx.principal, user("new-name", "AIDA1"));
        assert!(!ctx.principal.is_root());
    }

    #[tokio::test]
    async fn a_bearer_who_is_gone_is_not_let_in_even_if_another_has_the_name() {
        assert!(admitted(None, user("ann", "AIDA1")).await.is_none());
        assert!(admitted(Some(user("ann", "AIDA2")), user("ann", "AIDA1")).await.is_none());
    }
}
