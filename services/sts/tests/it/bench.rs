//! The service, its callers and the roles that there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base::{AccountId, Arn, Principal, PrincipalKind, Region};
use platform::identity::{Caller, Identities};
use platform::ports::{OidcProviderDirectory, OidcProviderView, RoleDirectory, RoleView, UserDirectory};
use platform::{BoxFuture, Ctx, Platform, Rights, Service as _};
use policy::{IdentityPolicies, Policy, Purpose};
use store::StoreError;
use sts::Sts;
use sts::api::{self, MODEL};
use wire::model::Protocol;
use wire::serve::CredentialError;
use wire::value::Shaped;

pub(crate) const HERE: &str = "111111111111";
pub(crate) const ELSEWHERE: &str = "222222222222";

pub(crate) struct Bench {
    pub(crate) sts: Sts,
    pub(crate) users: Arc<Users>,
    pub(crate) providers: Arc<Providers>,
    pub(crate) ctx: Ctx,
}

/// What a refusal says: code, status, message.
pub(crate) type Refusal = (String, u16, String);

pub(crate) fn refusal(code: &str, status: u16, message: &str) -> Refusal {
    (code.to_owned(), status, message.to_owned())
}

/// Refused by the role's trust policy.
pub(crate) fn not_trusted(caller: &str, action: &str, role: &str) -> Refusal {
    let reason = format!("because no role trust policy allows the {action} action");
    not_authorized(caller, action, role, &reason)
}

pub(crate) fn not_authorized(caller: &str, action: &str, role: &str, reason: &str) -> Refusal {
    let message = format!("User: {caller} is not authorized to perform: {action} on resource: {role} {reason}");
    refusal("AccessDenied", 403, &message)
}

/// The rights of somebody who may do everything that IAM could forbid.
pub(crate) fn everything() -> Rights {
    rights(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#)
}

/// The rights of somebody with one inline policy.
pub(crate) fn rights(policy: &str) -> Rights {
    let document = policy::parse(policy, Purpose::Inline).unwrap();
    let attached = vec![Arc::new(Policy::new("inline", document))];
    Rights::of_policies(IdentityPolicies { attached, boundary: None })
}

pub(crate) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::{HERE}:role/{name}")
}

/// The roles of [`HERE`], by path and name, with their trust policies and longest sessions.
struct Roles(Vec<(&'static str, String, u32)>);

impl RoleDirectory for Roles {
    fn role<'a>(&'a self, account: AccountId, name: &'a str) -> BoxFuture<'a, Result<Option<RoleView>, StoreError>> {
        let is_meant = |path: &str| path.rsplit('/').next().is_some_and(|own| own.eq_ignore_ascii_case(name));
        let found = self.0.iter().find(|(path, ..)| account.as_str() == HERE && is_meant(path));
        let view = found.map(|(path, trust_policy, max_session_duration_s)| RoleView {
            arn: Arn::global("iam", account, format!("role/{path}")),
            id: format!("AROA{}", path.to_uppercase().replace('/', "")),
            trust_policy: trust_policy.clone(),
            max_session_duration_s: *max_session_duration_s,
            tags: BTreeMap::new(),
        });
        Box::pin(async move { Ok(view) })
    }
}

/// The providers of [`HERE`], by address.
#[derive(Default)]
pub(crate) struct Providers(pub(crate) Mutex<BTreeMap<String, OidcProviderView>>);

impl OidcProviderDirectory for Providers {
    fn provider<'a>(
        &'a self,
        account: AccountId,
        issuer: &'a str,
    ) -> BoxFuture<'a, Result<Option<OidcProviderView>, StoreError>> {
        let found = self.0.lock().unwrap().get(issuer).filter(|_| account.as_str() == HERE).cloned();
        Box::pin(async move { Ok(found) })
    }
}

/// The users that there are, by unique id.
#[derive(Default)]
pub(crate) struct Users(pub(crate) Mutex<BTreeMap<String, Principal>>);

impl UserDirectory for Users {
    fn user<'a>(&'a self, account: AccountId, id: &'a str) -> BoxFuture<'a, Result<Option<Principal>, StoreError>> {
        let found = self.0.lock().unwrap().get(id).filter(|user| user.account == account).cloned();
        Box::pin(async move { Ok(found) })
    }
}

/// The user of this name, whose id is always the same.
pub(crate) fn user(name: &str) -> Principal {
    let account = HERE.parse().unwrap();
    Principal {
        account,
        arn: Arn::global("iam", account, format!("user/{name}")),
        user_id: "AIDAALICE".to_owned(),
        kind: PrincipalKind::User { name: name.to_owned() },
    }
}

fn trusting(principal: &str, actions: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":{actions},"Condition":{condition}}}]}}"#
    )
}

impl Bench {
    /// The root of [`HERE`].
    pub(crate) fn new() -> Self {
        let all = r#"["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]"#;
        let own = format!(r#"{{"AWS":"{HERE}"}}"#);
        let external = r#"{"StringEquals":{"sts:ExternalId":"secret"}}"#;
        let roles = Roles(vec![
            ("open", trusting(&own, all, "{}"), 43_200),
            ("team/short", trusting(&own, r#""sts:AssumeRole""#, "{}"), 3600),
            ("everyone", trusting(r#""*""#, all, "{}"), 3600),
            ("shared", trusting(&format!(r#"{{"AWS":"arn:aws:iam::{ELSEWHERE}:root"}}"#), all, "{}"), 3600),
            ("external", trusting(&own, all, external), 3600),
            ("service", trusting(r#"{"Service":"ecs-tasks.amazonaws.com"}"#, all, "{}"), 3600),
        ]);
        Self::over(roles)
    }

    /// The same with this role alone.
    pub(crate) fn with_role(name: &'static str, trust: &str) -> Self {
        Self::over(Roles(vec![(name, trust.to_owned(), 3600)]))
    }

    fn over(roles: Roles) -> Self {
        let platform = Platform::in_memory();
        let ctx = ctx_of(&platform, Principal::root(HERE.parse().unwrap()));
        let providers = Arc::<Providers>::default();
        let sts = Sts::new(platform, Arc::new(roles), providers.clone());
        Self { sts, users: Arc::default(), providers, ctx }
    }

    /// Another caller of the same installation.
    pub(crate) fn as_caller(&self, principal: Principal) -> Self {
        Self {
            sts: self.sts.clone(),
            users: self.users.clone(),
            providers: self.providers.clone(),
            ctx: ctx_of(&self.sts.platform, principal),
        }
    }

    pub(crate) fn as_root_of(&self, account: &str) -> Self {
        self.as_caller(Principal::root(account.parse().unwrap()))
    }

    /// Whoever signs with these credentials, as the gateway finds them.
    pub(crate) async fn as_bearer(&self, credentials: &api::Credentials) -> Self {
        let caller = self.bearer(credentials).await;
        let mut bench = self.as_caller(caller.principal.clone());
        bench.ctx.access_key_id = caller.access_key_id;
        bench.ctx.rights = everything();
        bench.ctx.session = caller.session;
        bench
    }

    pub(crate) async fn bearer(&self, credentials: &api::Credentials) -> Caller {
        self.found(credentials).await.expect("the credentials just issued are good")
    }

    pub(crate) async fn found(&self, credentials: &api::Credentials) -> Result<Caller, CredentialError> {
        let (platform, roles) = (self.sts.platform.clone(), self.sts.roles.clone());
        let identities = Identities::new(platform, roles, self.users.clone());
        let token = Some(credentials.session_token.as_str());
        identities.credential(&credentials.access_key_id, token).await.map(|found| found.caller)
    }

    /// Calls an operation.
    pub(crate) async fn ask<O: Shaped>(&self, operation: &str, input: impl Shaped) -> Result<O, Refusal> {
        let number = MODEL.operation(operation).unwrap();
        let answer = self.sts.call(&self.ctx, number, input.into_value()).await;
        let refusal = |error: wire::Error| (error.code.into_owned(), error.status, error.message);
        answer.map(|output| O::from_value(output.into_value()).unwrap()).map_err(refusal)
    }

    pub(crate) async fn assume(&self, input: api::AssumeRoleRequest) -> Result<api::AssumeRoleResponse, Refusal> {
        self.ask("AssumeRole", input).await
    }
}

/// A request to assume a role of [`HERE`] as `ci`.
pub(crate) fn role(name: &str) -> api::AssumeRoleRequest {
    api::AssumeRoleRequest { role_arn: role_arn(name), role_session_name: "ci".to_owned(), ..Default::default() }
}

fn ctx_of(platform: &Platform, principal: Principal) -> Ctx {
    let ctx = Ctx::new(principal, Region::default(), platform.clock.now(), "request");
    Ctx { protocol: Protocol::AwsQuery, ..ctx }
}
