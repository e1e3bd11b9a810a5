//! Opens a session of a role for whoever holds a token of an OpenID Connect provider that the role trusts. The request
//! need not be signed: the token says who asks.

use std::collections::BTreeMap;
use std::time::Duration;

use base::Principal;
use platform::identity::Session;
use platform::{Access, Ctx, Rights};
use policy::{Context, Decision, Policy, Request, evaluate_federated};

use crate::api::{AssumeRoleWithWebIdentityRequest, AssumeRoleWithWebIdentityResponse, AssumedRoleUser, Tag};
use crate::carried::{Narrowing, narrowing};
use crate::role::{NamedRole, session_principal};
use crate::web_identity::{WebIdentity, issuer_name};
use crate::{Error, Sts, packed_size, session, session_tags, trust};

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
/// How long a session lasts when the request does not say.
const ONE_HOUR: Duration = Duration::from_hours(1);
/// The claims that the session carries as condition keys, so that policies can tell its bearers apart.
const KEPT_CLAIMS: [&str; 3] = ["aud", "sub", "amr"];

/// The token and the role's trust policy decide, which only the handler knows.
pub(crate) fn access(_ctx: &Ctx, _input: &AssumeRoleWithWebIdentityRequest) -> Access {
    Access::open()
}

pub(crate) async fn assume_role_with_web_identity(
    sts: &Sts,
    ctx: &Ctx,
    input: AssumeRoleWithWebIdentityRequest,
) -> Result<AssumeRoleWithWebIdentityResponse, Error> {
    if input.provider_id.is_some() {
        return Err(Error::AccessTokens);
    }
    let role = sts.named_role(input.role_arn).await?;
    let Narrowing { document, arns } = narrowing(input.policy.as_deref(), input.policy_arns, role.account)?;
    let identity = sts.web_identity(role.account, &input.web_identity_token, ctx.now).await?;
    let given = identity.tags.iter().map(|(key, value)| Tag { key: key.clone(), value: value.clone() }).collect();
    let (tags, transitive_tag_keys) = session_tags::check(given, identity.transitive_tag_keys.clone())?;
    let packed_policy_size = packed_size::percent(document.as_deref(), &arns, &tags)?;

    let mut context = of_nobody(ctx).context(role.account);
    add_keys(&mut context, &role, &identity, &tags, &input.role_session_name);
    let decide = |action: &'static str| decide(ctx, &role, &identity, action, &context);
    decide(ACTION)?;
    if !tags.is_empty() {
        decide("sts:TagSession")?;
    }
    if identity.source_identity.is_some() {
        decide("sts:SetSourceIdentity")?;
    }
    // What allowed it was the trust policy, and only a role that is there has one.
    let view = role.found.as_ref().ok_or(Error::NotAuthorized { action: ACTION })?;
    let duration = session::duration(input.duration_seconds, ONE_HOUR);
    session::check_longest(view, duration)?;

    let principal = session_principal(view, role.account, &input.role_session_name);
    let session = Session {
        session_policy: document,
        policy_arns: arns,
        tags,
        transitive_tag_keys,
        source_identity: identity.source_identity.clone(),
        keys: session_keys(&identity),
        ..session::begin(ctx, principal.clone(), duration)
    };
    let (credentials, session_token_size) = session::issue(sts, session, input.minimum_session_token_size)?;
    let user = AssumedRoleUser { arn: principal.arn.to_string(), assumed_role_id: principal.user_id };
    Ok(AssumeRoleWithWebIdentityResponse {
        assumed_role_user: Some(user),
        audience: Some(identity.audience),
        credentials: Some(credentials),
        packed_policy_size,
        provider: Some(identity.provider.arn.to_string()),
        session_token_size,
        session_token_utilization: None,
        source_identity: identity.source_identity,
        subject_from_web_identity_token: Some(identity.subject),
    })
}

/// The request as if nobody had signed it. Whoever does has no say, and brings no condition keys: not the tags of a user of
/// another account, nor what a token said that opened another session.
fn of_nobody(ctx: &Ctx) -> Ctx {
    let principal = Principal::anonymous();
    Ctx { rights: Rights::of_nobody(&principal), principal, session: None, ..ctx.clone() }
}

fn add_keys(
    context: &mut Context,
    role: &NamedRole,
    identity: &WebIdentity,
    tags: &BTreeMap<String, String>,
    session_name: &str,
) {
    for (key, values) in &identity.keys {
        context.set_all(key, values.iter().map(String::as_str));
    }
    context.set("aws:FederatedProvider", identity.provider.arn.to_string());
    context.set("sts:RoleSessionName", session_name);
    if let Some(source) = &identity.source_identity {
        context.set("sts:SourceIdentity", source.as_str());
    }
    for (key, value) in tags {
        context.set(&format!("aws:RequestTag/{key}"), value.as_str());
    }
    context.set_all("aws:TagKeys", tags.keys().map(String::as_str));
    context.set_all("sts:TransitiveTagKeys", identity.transitive_tag_keys.iter().map(String::as_str));
    for (key, value) in role.found.iter().flat_map(|role| &role.tags) {
        context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
        context.set(&format!("iam:ResourceTag/{key}"), value.as_str());
    }
}

fn decide(
    ctx: &Ctx,
    role: &NamedRole,
    identity: &WebIdentity,
    action: &'static str,
    context: &Context,
) -> Result<(), Error> {
    let policy = role.found.as_ref().map_or_else(|| Policy::nothing("trust policy"), trust::policy);
    let decision: Decision =
        evaluate_federated(&identity.provider.arn.to_string(), action, &role.arn, context, &policy);
    if decision.is_allowed() {
        return Ok(());
    }
    let request =
        Request { principal: &ctx.principal, action, resource: &role.arn, resource_account: role.account, context };
    // Written down with its trace; what the client hears is shorter.
    ctx.refuse(&request, &decision);
    Err(Error::NotAuthorized { action })
}

fn session_keys(identity: &WebIdentity) -> BTreeMap<String, Vec<String>> {
    let name = issuer_name(&identity.provider);
    let kept = KEPT_CLAIMS.iter().map(|claim| format!("{name}:{claim}"));
    let mut keys: BTreeMap<_, _> =
        kept.filter_map(|key| identity.keys.get(&key).map(|values| (key, values.clone()))).collect();
    keys.insert("aws:FederatedProvider".to_owned(), vec![identity.provider.arn.to_string()]);
    keys
}
