//! Opens a session of a role whose trust policy lets the caller.
//!
//! Within the role's account its trust policy decides, together with the caller's own policies where it names the account
//! alone; another account's caller needs both. Unlike at AWS, an account's root may assume roles, if their trust policies
//! let it.

use std::collections::BTreeMap;
use std::time::Duration;

use base::PrincipalKind;
use platform::identity::Session;
use platform::ports::RoleView;
use platform::{Access, Ctx, Facts};

use crate::api::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser};
use crate::carried::{Narrowing, narrowing};
use crate::role::{NamedRole, session_principal};
use crate::{Error, Sts, packed_size, session, session_tags, trust};

/// How long a session lasts when the request does not say, and at most when a role opens it.
const ONE_HOUR: Duration = Duration::from_hours(1);

/// The role's trust policy decides, which only the handler knows.
pub(crate) fn access(_ctx: &Ctx, _input: &AssumeRoleRequest) -> Access {
    Access::open()
}

pub(crate) async fn assume_role(sts: &Sts, ctx: &Ctx, input: AssumeRoleRequest) -> Result<AssumeRoleResponse, Error> {
    let role = sts.named_role(input.role_arn).await?;
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(Error::Mfa);
    }
    if input.provided_contexts.as_ref().is_some_and(|contexts| !contexts.is_empty()) {
        return Err(Error::ProvidedContexts);
    }
    let Narrowing { document, arns } = narrowing(input.policy.as_deref(), input.policy_arns, role.account)?;
    let asked_transitive = input.transitive_tag_keys.unwrap_or_default();
    let (mut tags, mut transitive_tag_keys) = session_tags::check(input.tags.unwrap_or_default(), asked_transitive)?;
    let asked_tags = tags.clone();
    session_tags::inherit(ctx.session.as_ref(), &mut tags, &mut transitive_tag_keys)?;
    let packed_policy_size = packed_size::percent(document.as_deref(), &arns, &tags)?;

    let source_identity = match (input.source_identity, inherited_source_identity(ctx)) {
        // It cannot be changed along a chain.
        (Some(asked), Some(inherited)) if asked != inherited => {
            return Err(Error::SourceIdentityChanged { caller: ctx.principal.arn.to_string(), role: role.arn });
        }
        (asked, inherited) => asked.or(inherited),
    };
    let attempt = Attempt { ctx, role: &role, facts: trust::facts(&role), keys: Vec::new() }
        .key("sts:RoleSessionName", Some(&input.role_session_name))
        .key("sts:ExternalId", input.external_id.as_ref())
        .key("sts:SourceIdentity", source_identity.as_ref())
        .keys("sts:TransitiveTagKeys", &transitive_tag_keys)
        .keys("aws:TagKeys", &asked_tags.keys().cloned().collect::<Vec<_>>())
        .request_tags(&asked_tags);
    let view = attempt.check("sts:AssumeRole")?;
    if !tags.is_empty() {
        attempt.check("sts:TagSession")?;
    }
    if source_identity.is_some() {
        attempt.check("sts:SetSourceIdentity")?;
    }
    let duration = duration_of(ctx, view, input.duration_seconds)?;

    let principal = session_principal(view, role.account, &input.role_session_name);
    let session = Session {
        session_policy: document,
        policy_arns: arns,
        tags,
        transitive_tag_keys,
        source_identity: source_identity.clone(),
        external_id: input.external_id.clone(),
        ..session::begin(ctx, principal.clone(), duration)
    };
    let (credentials, session_token_size) = session::issue(sts, session, input.minimum_session_token_size)?;
    let user = AssumedRoleUser { arn: principal.arn.to_string(), assumed_role_id: principal.user_id };
    Ok(AssumeRoleResponse {
        assumed_role_user: Some(user),
        credentials: Some(credentials),
        packed_policy_size,
        session_token_size,
        session_token_utilization: None,
        source_identity,
    })
}

/// What is attempted with a role, and the condition keys that the request brings.
struct Attempt<'a> {
    ctx: &'a Ctx,
    role: &'a NamedRole,
    facts: Facts,
    keys: Vec<(String, Vec<String>)>,
}

impl<'a> Attempt<'a> {
    fn key(self, name: &str, value: Option<&String>) -> Self {
        self.keys(name, value.map(std::slice::from_ref).unwrap_or_default())
    }

    fn keys(mut self, name: &str, values: &[String]) -> Self {
        self.keys.push((name.to_owned(), values.to_vec()));
        self
    }

    fn request_tags(self, tags: &BTreeMap<String, String>) -> Self {
        tags.iter().fold(self, |attempt, (key, value)| attempt.key(&format!("aws:RequestTag/{key}"), Some(value)))
    }

    fn check(&self, action: &'static str) -> Result<&'a RoleView, Error> {
        let access = Access::to(action).on(self.role.arn.as_str());
        let with = |access: Access, (name, values): &(String, Vec<String>)| access.keys(name, values.iter().cloned());
        let access = self.keys.iter().fold(access, with);
        self.ctx.authorize_with(&access, &self.facts).map_err(Error::Denied)?;
        // What allowed it was the trust policy, and only a role that is there has one.
        self.role.found.as_ref().ok_or_else(|| Error::Denied(wire::Error::internal()))
    }
}

/// The source identity of the caller's own session, which goes on into every session that it opens.
fn inherited_source_identity(ctx: &Ctx) -> Option<String> {
    ctx.session.as_ref()?.source_identity.clone()
}

fn duration_of(ctx: &Ctx, role: &RoleView, requested_s: Option<i32>) -> Result<Duration, Error> {
    let duration = session::duration(requested_s, ONE_HOUR);
    let is_chained = matches!(ctx.principal.kind, PrincipalKind::AssumedRole { .. });
    if is_chained && duration > ONE_HOUR {
        return Err(Error::DurationOfChain);
    }
    session::check_longest(role, duration)?;
    Ok(duration)
}
