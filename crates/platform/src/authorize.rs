//! The one gate before every handler: the caller's policies, the resource's, the request's context, one decision.

use std::borrow::Cow;

use base::{AccountId, Arn, PrincipalKind};
use policy::{Context, Decision, Policies, Request};
use wire::model::Protocol;

use crate::access::{Access, Demand, Facts};
use crate::{Ctx, Service};

/// Handing a role to a service.
const PASS_ROLE: &str = "iam:PassRole";

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
                    true => service.facts(self, demand.action, resource).await?,
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
        let mut context = self.context(owner);
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

    /// The error for a decision, which the log keeps with its trace.
    pub fn refuse(&self, request: &Request<'_>, decision: &Decision) -> wire::Error {
        self.denials.note(self, request, decision);
        self.denied(decision.message(request))
    }

    fn denied(&self, message: String) -> wire::Error {
        let (code, status) = match self.protocol {
            Protocol::AwsQuery => ("AccessDenied", 403),
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

/// `*`, where a demand names no resource.
fn any_of(demand: &Demand) -> Option<&'static str> {
    demand.resources.is_empty().then_some("*")
}
