//! The one gate before every handler: the caller's policies, the resource's, the request's context, one decision.

use std::borrow::Cow;

use base::{AccountId, Arn, PrincipalKind};
use policy::{Context, Decision, Effect, Policies, PolicyKind, Reason, Request};
use wire::model::Protocol;
use wire::sigv4::Signing;

use crate::access::{Access, Demand, Facts};
use crate::{Ctx, Service};

/// Handing a role to a service.
const PASS_ROLE: &str = "iam:PassRole";
/// All that S3 tells a stranger.
const ACCESS_DENIED: &str = "Access Denied";

impl Ctx {
    /// Lets the caller through, or says why not in AWS's words. What the store knows of the resources is looked up where
    /// the decision can depend on it.
    ///
    /// # Errors
    /// AccessDenied as the protocol calls it, and what looking up the resource answers.
    pub async fn admit(&self, service: &dyn Service, access: &Access) -> Result<(), wire::Error> {
        for demand in access.demands() {
            for resource in demand.resources.iter().map(String::as_str).chain(any_of(demand)) {
                // The facts come from the service whose resource it is; iam's own roles are passed by others.
                let is_own = demand.action.split(':').next() == Some(service.model().name);
                let facts = match is_own {
                    true => service.facts(self, demand.asked(), resource).await?,
                    false => Facts::default(),
                };
                self.demand(demand, resource, &facts)?;
            }
        }
        Ok(())
    }

    /// The same for what only a handler can know, such as the roles of a stored task definition.
    ///
    /// # Errors
    /// AccessDenied as the protocol calls it.
    pub fn authorize(&self, access: &Access) -> Result<(), wire::Error> {
        self.authorize_with(access, &Facts::default())
    }

    /// The same where the handler brings what is known of the resource: a role and its trust policy.
    ///
    /// # Errors
    /// AccessDenied as the protocol calls it.
    pub fn authorize_with(&self, access: &Access, facts: &Facts) -> Result<(), wire::Error> {
        for demand in access.demands() {
            for resource in demand.resources.iter().map(String::as_str).chain(any_of(demand)) {
                self.demand(demand, resource, facts)?;
            }
        }
        Ok(())
    }

    fn demand(&self, demand: &Demand, resource: &str, facts: &Facts) -> Result<(), wire::Error> {
        let resource = facts.arn.as_deref().unwrap_or(resource);
        let owner = facts.owner.unwrap_or(self.account());
        if demand.action == PASS_ROLE && resource.parse::<Arn>().is_ok_and(|role| role.account != owner.as_str()) {
            return Err(self.denied("Cross-account pass role is not allowed.".to_owned()));
        }
        let mut context = if self.asks_for_context(facts) { self.context(owner) } else { Context::new() };
        for (name, value) in &facts.keys {
            context.set(name, value.as_str());
        }
        for (name, values) in &demand.keys {
            context.set_all(name, values.iter().cloned());
        }
        let service = demand.action.split(':').next().unwrap_or_default();
        for (key, value) in &facts.tags {
            context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
            context.set(&format!("{service}:ResourceTag/{key}"), value.as_str());
        }
        let request = Request {
            principal: &self.principal,
            action: demand.action,
            resource,
            resource_account: owner,
            context: &context,
        };
        let policies = Policies {
            identity: self.rights.identity.as_deref(),
            session: &self.rights.session,
            resource: facts.policy.as_deref(),
            resource_must_allow: facts.policy_must_allow,
        };
        let decision = policy::evaluate(&request, &policies);
        if decision.is_allowed() { Ok(()) } else { Err(self.refuse(&request, &decision)) }
    }

    /// Whether any policy that bears on the request has a condition or a variable.
    fn asks_for_context(&self, facts: &Facts) -> bool {
        self.policies_mention("") || facts.policy.as_ref().is_some_and(|policy| policy.mentions(""))
    }

    /// Whether one of the caller's own policies mentions a condition key that begins so, given in lower case: then what the
    /// store knows of it has to be looked up.
    pub fn policies_mention(&self, lower_case_prefix: &str) -> bool {
        let own = self.rights.identity.as_ref().is_some_and(|identity| identity.mentions(lower_case_prefix));
        own || self.rights.session.iter().any(|policy| policy.mentions(lower_case_prefix))
    }

    /// The error for a decision, which the log keeps with its trace.
    pub fn refuse(&self, request: &Request<'_>, decision: &Decision) -> wire::Error {
        self.denials.note(self, request, decision);
        if self.protocol == Protocol::RestXml {
            return self.denied(told_by_s3(request, decision));
        }
        match told_to_a_stranger(request, decision) {
            Some(reason) => {
                let told = Decision { denied: Some(reason), statements: Vec::new() };
                self.denied(told.message(request))
            }
            None => self.denied(decision.message(request)),
        }
    }

    fn denied(&self, message: String) -> wire::Error {
        let (code, status) = match self.protocol {
            Protocol::AwsQuery | Protocol::RestXml => ("AccessDenied", 403),
            Protocol::RestJson1 => ("AccessDeniedException", 403),
            _ => ("AccessDeniedException", 400),
        };
        wire::Error::new(code, status, message).in_query("AccessDenied")
    }

    /// The condition keys that every request has.
    pub fn context(&self, resource_account: AccountId) -> Context {
        let mut context = Context::new();
        context.set("aws:CurrentTime", self.now.iso8601());
        context.set("aws:EpochTime", (self.now.as_millis() / 1000).to_string());
        context.set("aws:SecureTransport", if self.is_secure { "true" } else { "false" });
        context.set("aws:RequestedRegion", self.region.as_str());
        context.set("aws:ViaAWSService", "false");
        context.set("aws:PrincipalIsAWSService", "false");
        context.set("aws:ResourceAccount", resource_account.to_string());
        context.set("aws:PrincipalType", self.principal_type());
        if self.principal.kind != PrincipalKind::Anonymous {
            context.set("aws:PrincipalAccount", self.account().to_string());
            context.set("aws:PrincipalArn", self.principal_arn());
            context.set("aws:userid", self.principal.user_id.as_str());
        }
        if let Some(ip) = self.source_ip {
            context.set("aws:SourceIp", ip.to_canonical().to_string());
        }
        if let Some(agent) = &self.user_agent {
            context.set("aws:UserAgent", agent.as_str());
        }
        if let Some(referer) = &self.referer {
            context.set("aws:Referer", referer.as_str());
        }
        if let Some(signing) = &self.signing {
            self.tell_signing(signing, &mut context);
        }
        if let PrincipalKind::User { name, .. } = &self.principal.kind {
            context.set("aws:username", name.as_str());
        }
        for (key, value) in self.rights.tags.iter() {
            context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
        }
        if let Some(session) = &self.session {
            context.set("aws:TokenIssueTime", session.issued.iso8601());
            context.set("aws:MultiFactorAuthPresent", "false");
            if let Some(identity) = &session.source_identity {
                context.set("aws:SourceIdentity", identity.as_str());
            }
            for (name, values) in &session.keys {
                context.set_all(name, values.iter().map(String::as_str));
            }
        }
        context
    }

    /// S3's keys of how a request was signed. (API reference, "Amazon S3 Signature Version 4 authentication specific policy
    /// keys": the age is that of presigned addresses alone.)
    fn tell_signing(&self, signing: &Signing, context: &mut Context) {
        let (way, payload) = match signing {
            Signing::Header { payload } => ("REST-HEADER", payload.as_deref()),
            Signing::Query { payload, .. } => ("REST-QUERY-STRING", payload.as_deref()),
            Signing::Form => ("POST", None),
        };
        context.set("s3:authType", way);
        context.set("s3:signatureversion", "AWS4-HMAC-SHA256");
        if let Some(payload) = payload {
            context.set("s3:x-amz-content-sha256", payload);
        }
        if let Signing::Query { at, .. } = signing {
            context.set("s3:signatureAge", (self.now.as_millis() - at.as_millis()).max(0).to_string());
        }
    }

    /// The ARN that `aws:PrincipalArn` has: for a session its role's.
    fn principal_arn(&self) -> String {
        match &self.principal.kind {
            PrincipalKind::AssumedRole { role_arn, .. } => role_arn.to_string(),
            _ => self.principal.arn.to_string(),
        }
    }

    fn principal_type(&self) -> Cow<'static, str> {
        match &self.principal.kind {
            PrincipalKind::Root => "Account".into(),
            PrincipalKind::Anonymous => "Anonymous".into(),
            PrincipalKind::User { .. } => "User".into(),
            PrincipalKind::AssumedRole { .. } => "AssumedRole".into(),
        }
    }
}

/// What somebody is told of another account's resource whose owner does not let them in: that, and nothing else. A condition
/// in the caller's own policies could find out by the message whether the resource is there, and its tags.
fn told_to_a_stranger(request: &Request<'_>, decision: &Decision) -> Option<Reason> {
    let by_owner =
        |effect: Effect| decision.statements.iter().any(|it| it.kind == PolicyKind::Resource && it.effect == effect);
    if request.principal.account == request.resource_account {
        return None;
    }
    if by_owner(Effect::Deny) {
        return Some(Reason::Explicit(PolicyKind::Resource));
    }
    (!by_owner(Effect::Allow)).then_some(Reason::Implicit(PolicyKind::Resource))
}

/// What S3, alone of all services, tells: its reasons to those of the resource's account only, and with the resource in
/// quotes. (S3 User Guide, "Troubleshoot access denied (403 Forbidden) errors".)
fn told_by_s3(request: &Request<'_>, decision: &Decision) -> String {
    let is_anybody = request.principal.kind == PrincipalKind::Anonymous;
    let Some(reason) = decision.denied.filter(|_| !is_anybody) else { return ACCESS_DENIED.to_owned() };
    if request.principal.account != request.resource_account {
        return ACCESS_DENIED.to_owned();
    }
    let (arn, action) = (&request.principal.arn, request.action);
    let on = match request.resource {
        "*" => String::new(),
        resource => format!(" on resource: \"{resource}\""),
    };
    format!("User: {arn} is not authorized to perform: {action}{on} {}", reason.clause(action))
}

/// `*`, where a demand names no resource.
fn any_of(demand: &Demand) -> Option<&'static str> {
    demand.resources.is_empty().then_some("*")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use base::{Principal, Region, Timestamp};
    use policy::{IdentityPolicies, Policy, Purpose};

    use super::*;
    use crate::Rights;

    fn ctx(statements: &str) -> Ctx {
        let account = "111111111111".parse().unwrap();
        let principal = Principal {
            account,
            arn: Arn::global("iam", account, "user/alice"),
            user_id: "AIDAALICE".to_owned(),
            kind: PrincipalKind::User { name: "alice".to_owned() },
        };
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
        let policy = Policy::new("own", policy::parse(&text, Purpose::Inline).unwrap());
        let rights = Rights::of_policies(IdentityPolicies { attached: vec![Arc::new(policy)], boundary: None });
        Ctx { rights, ..Ctx::new(principal, Region::default(), Timestamp::default(), "r") }
    }

    #[test]
    fn s3_tells_its_reasons_to_the_owners_account_alone() {
        let arn = "arn:aws:s3:::photos/a";
        let access = Access::to("s3:GetObject").on(arn);
        let of = |owner: &str| Facts { owner: Some(owner.parse().unwrap()), ..Facts::default() };
        let told = |ctx: &Ctx, facts: &Facts| ctx.authorize_with(&access, facts).unwrap_err().message;
        let alice =
            Ctx { protocol: Protocol::RestXml, ..ctx(r#"{"Effect": "Allow", "Action": "ecs:*", "Resource": "*"}"#) };
        let user = "User: arn:aws:iam::111111111111:user/alice";
        assert_eq!(
            told(&alice, &of("111111111111")),
            format!(
                "{user} is not authorized to perform: s3:GetObject on resource: \"{arn}\" because no identity-based policy \
                 allows the s3:GetObject action"
            )
        );
        assert_eq!(told(&alice, &of("222222222222")), "Access Denied");
        let anybody = Ctx {
            protocol: Protocol::RestXml,
            ..Ctx::new(Principal::anonymous(), Region::default(), Timestamp::default(), "r")
        };
        assert_eq!(told(&anybody, &of("111111111111")), "Access Denied");
        let all = alice.authorize(&Access::to("s3:ListAllMyBuckets")).unwrap_err().message;
        assert!(
            all.starts_with(&format!("{user} is not authorized to perform: s3:ListAllMyBuckets because no ")),
            "{all}"
        );
    }

    #[test]
    fn whom_the_owner_does_not_let_in_learns_nothing_by_own_conditions() {
        let arn = "arn:aws:logs:us-east-1:222222222222:log-group:g:log-stream:";
        let access = Access::to("logs:FilterLogEvents").on(arn);
        let tagged = Facts {
            owner: Some("222222222222".parse().unwrap()),
            tags: [("stage".to_owned(), "secret".to_owned())].into(),
            ..Facts::default()
        };
        let allow = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
        let condition = r#""Condition": {"StringEquals": {"aws:ResourceTag/stage": "secret"}}"#;
        let deny = format!(r#"{allow}, {{"Effect": "Deny", "Action": "*", "Resource": "*", {condition}}}"#);
        let only = format!(r#"{{"Effect": "Allow", "Action": "*", "Resource": "*", {condition}}}"#);
        for statements in [allow, &deny, &only] {
            for facts in [tagged.clone(), Facts { tags: Default::default(), ..tagged.clone() }] {
                let told = ctx(statements).authorize_with(&access, &facts).unwrap_err().message;
                assert!(
                    told.ends_with("because no resource-based policy allows the logs:FilterLogEvents action"),
                    "{told}"
                );
            }
        }
        let own = ctx(&deny).authorize_with(&access, &Facts { owner: None, ..tagged }).unwrap_err();
        assert!(own.message.ends_with("with an explicit deny in an identity-based policy"), "{own}");
    }
}
