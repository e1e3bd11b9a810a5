//! Opens a session of a role whose trust policy lets the caller.

use std::time::Duration;

use base::{AccountId, Arn, Principal, PrincipalKind};
use platform::identity::Session;
use platform::ports::RoleView;
use platform::{Access, Ctx};

use crate::api::{AssumeRoleRequest, AssumeRoleResponse, AssumedRoleUser};
use crate::trust::{Attempt, permits};
use crate::{Error, Sts, packed_size, session, session_policy, session_tags};

/// How long a session lasts when the request does not say, and at most when a role opens it.
const ONE_HOUR: Duration = Duration::from_hours(1);

/// The role's trust policy decides, which only the handler knows.
pub(crate) fn access(_ctx: &Ctx, _input: &AssumeRoleRequest) -> Access {
    Access::open()
}

pub(crate) async fn assume_role(sts: &Sts, ctx: &Ctx, input: AssumeRoleRequest) -> Result<AssumeRoleResponse, Error> {
    let (account, name) = read_role_arn(&input.role_arn)?;
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(Error::Mfa);
    }
    if input.provided_contexts.as_ref().is_some_and(|contexts| !contexts.is_empty()) {
        return Err(Error::ProvidedContexts);
    }
    // The size first: a large text would take many times its size once it is read.
    input.policy.as_deref().map_or(Ok(()), packed_size::check_plain)?;
    let policy = input.policy.as_deref().map(session_policy::check).transpose()?;
    let policy_arns = session_policy::check_arns(input.policy_arns, account)?;
    let transitive_keys = input.transitive_tag_keys.unwrap_or_default();
    let (mut tags, mut transitive_tag_keys) = session_tags::check(input.tags.unwrap_or_default(), transitive_keys)?;
    session_tags::inherit(ctx.session.as_ref(), &mut tags, &mut transitive_tag_keys)?;
    let packed_policy_size = packed_size::percent(policy.as_deref(), &policy_arns, &tags)?;

    let role = sts.roles.role(account, &name).await?.filter(|role| role.arn.to_string() == input.role_arn);
    let attempt = |action: &'static str| Authorization {
        ctx,
        role: role.as_ref(),
        role_arn: &input.role_arn,
        account,
        action,
        external_id: input.external_id.as_deref(),
    };
    let role = attempt("sts:AssumeRole").check()?;
    if !tags.is_empty() {
        attempt("sts:TagSession").check()?;
    }
    let source_identity = match (input.source_identity, inherited_source_identity(ctx)) {
        // It cannot be changed along a chain.
        (Some(asked), Some(inherited)) if asked != inherited => {
            return Err(attempt("sts:SetSourceIdentity").refusal());
        }
        (asked, inherited) => asked.or(inherited),
    };
    if source_identity.is_some() {
        attempt("sts:SetSourceIdentity").check()?;
    }
    let duration = duration_of(ctx, role, input.duration_seconds)?;

    let principal = session_principal(role, account, &name, &input.role_session_name);
    let session = Session {
        session_policy: policy,
        policy_arns,
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

/// What is to be decided about an action on a role. A role that is not there is decided as one that lets nobody in.
struct Authorization<'a> {
    ctx: &'a Ctx,
    role: Option<&'a RoleView>,
    role_arn: &'a str,
    account: AccountId,
    action: &'static str,
    external_id: Option<&'a str>,
}

impl<'a> Authorization<'a> {
    fn check(self) -> Result<&'a RoleView, Error> {
        let attempt = Attempt {
            caller: &self.ctx.principal,
            account: self.account,
            action: self.action,
            external_id: self.external_id,
        };
        self.role.filter(|role| permits(&role.trust_policy, &attempt)).ok_or_else(|| self.refusal())
    }

    fn refusal(&self) -> Error {
        Error::NotAuthorized {
            caller: self.ctx.principal.arn.to_string(),
            action: self.action,
            role: self.role_arn.to_owned(),
        }
    }
}

/// The source identity of the caller's own session, which goes on into every session that it opens.
fn inherited_source_identity(ctx: &Ctx) -> Option<String> {
    ctx.session.as_ref()?.source_identity.clone()
}

/// The account and the name of a role, out of `arn:aws:iam::123456789012:role/path/name`.
fn read_role_arn(text: &str) -> Result<(AccountId, String), Error> {
    let invalid = || Error::InvalidRoleArn { arn: text.to_owned() };
    let arn: Arn = text.parse().map_err(|_| invalid())?;
    let account = arn.account.parse().map_err(|_| invalid())?;
    let path_and_name = arn.resource.strip_prefix("role/").ok_or_else(invalid)?;
    let name = path_and_name.rsplit('/').next().unwrap_or_default();
    if arn.service != "iam" || !arn.region.is_empty() || name.is_empty() {
        return Err(invalid());
    }
    Ok((account, name.to_owned()))
}

fn duration_of(ctx: &Ctx, role: &RoleView, requested_s: Option<i32>) -> Result<Duration, Error> {
    let duration = session::duration(requested_s, ONE_HOUR);
    let is_chained = matches!(ctx.principal.kind, PrincipalKind::AssumedRole { .. });
    if is_chained && duration > ONE_HOUR {
        return Err(Error::DurationOfChain);
    }
    if duration > Duration::from_secs(role.max_session_duration_s.into()) {
        return Err(Error::DurationOfRole);
    }
    Ok(duration)
}

fn session_principal(role: &RoleView, account: AccountId, name: &str, session_name: &str) -> Principal {
    Principal {
        account,
        arn: Arn::global("sts", account, format!("assumed-role/{name}/{session_name}")),
        user_id: format!("{}:{session_name}", role.id),
        kind: PrincipalKind::AssumedRole {
            role_arn: role.arn.clone(),
            role_id: role.id.clone(),
            session_name: session_name.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_arn_of_a_role_is_refused_in_awss_words() {
        for wrong in [
            "nothing-valid-in-here",
            "arn::b:::something/test-role",
            "arn:a::::something/test-role",
            "arn:a:::something/test-role",
            "arn:a:a::aaaaaaaaaa:",
            "arn:aws:iam::111111111111:user/alice",
            "arn:aws:iam::111111111111:role/",
            "arn:aws:iam::1111:role/worker",
            "arn:aws:iam:us-east-1:111111111111:role/worker",
        ] {
            assert_eq!(read_role_arn(wrong).unwrap_err().to_string(), format!("{wrong} is invalid"));
        }
        let (account, name) = read_role_arn("arn:aws:iam::111111111111:role/team/ci/worker").unwrap();
        assert_eq!((account.as_str(), name.as_str()), ("111111111111", "worker"));
    }
}
