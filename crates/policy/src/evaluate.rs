//! The evaluation: a denial anywhere decides; else every kind of policy that has to allow must.
//!
//! Within one account an identity's policy or the resource's is enough. How the resource's policy names the caller tells
//! what else counts: one that names the account only hands the question on to the identity's policies; one that names the
//! role needs none of these, but is narrowed by boundary and session policies; one that names the user, the session or
//! everybody is narrowed by denials alone. Between accounts both sides have to allow, each by itself.
//!
//! Source: IAM User Guide, "Policy evaluation logic" and "How AWS enforcement code logic evaluates requests".

use std::sync::Arc;

use base::{AccountId, Principal, PrincipalKind};

use crate::statement::{Action, Caller, Question, Reach, Resource};
use crate::{Context, Decided, Decision, Effect, IdentityPolicies, Policy, PolicyKind, Reason};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// `ecs:RunTask`.
    pub action: &'a str,
    /// An ARN, or `*` where the action knows no resource.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub resource_account: AccountId,
    /// The context.
    pub context: &'a Context,
}

/// The policies that bear on a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// The caller's own. An account's root has none and may do everything in its account.
    pub identity: Option<&'a IdentityPolicies>,
    /// Those that narrow the session: none at all, or at least one of them must allow.
    pub session: &'a [Arc<Policy>],
    /// The resource's.
    pub resource: Option<&'a Policy>,
    /// Whether the resource's policy has to allow, whatever the caller's own say: so with a role's trust policy.
    pub resource_must_allow: bool,
}

/// Decides. A request that nobody signed is decided by the resource's policy alone.
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    if request.principal.kind == PrincipalKind::Anonymous {
        let Request { action, resource, context, .. } = *request;
        return evaluate_outsider(&Caller::Anonymous, action, resource, context, policies.resource);
    }
    let action = Action::new(request.action);
    let question = Question { action: &action, resource: Resource::new(request.resource), context: request.context };
    let caller = Caller::Identity(request.principal);
    let mut statements = Vec::new();
    let (attached, boundary) = match policies.identity {
        Some(identity) => (&*identity.attached, identity.boundary.as_slice()),
        None => (&[][..], &[][..]),
    };
    let found = Found {
        identity: look(PolicyKind::Identity, attached, &question, &mut statements),
        resource: look_at_resource(policies.resource, &question, &caller, &mut statements),
        boundary: look(PolicyKind::Boundary, boundary, &question, &mut statements),
        session: look(PolicyKind::Session, policies.session, &question, &mut statements),
    };
    let denied = found.explicit().or_else(|| found.implicit(request, policies, !boundary.is_empty()));
    Decision { denied, statements }
}

/// Decides for a service that calls on its own account, by a resource's policy or a role's trust policy alone.
pub fn evaluate_service_principal(
    service: &str,
    action: &str,
    resource: &str,
    context: &Context,
    policy: &Policy,
) -> Decision {
    evaluate_outsider(&Caller::Service(service), action, resource, context, Some(policy))
}

/// Decides for somebody whom an identity provider vouches for, by a role's trust policy alone. `provider` is what the
/// policy names as `Federated`: the provider's ARN, or the host name of one that AWS knows by itself.
pub fn evaluate_federated(
    provider: &str,
    action: &str,
    resource: &str,
    context: &Context,
    policy: &Policy,
) -> Decision {
    evaluate_outsider(&Caller::Federated(provider), action, resource, context, Some(policy))
}

/// Decides for a request that nobody signed, by a resource's policy alone.
pub fn evaluate_anonymous(action: &str, resource: &str, context: &Context, policy: &Policy) -> Decision {
    evaluate_outsider(&Caller::Anonymous, action, resource, context, Some(policy))
}

fn evaluate_outsider(
    caller: &Caller<'_>,
    action: &str,
    resource: &str,
    context: &Context,
    policy: Option<&Policy>,
) -> Decision {
    let action = Action::new(action);
    let question = Question { action: &action, resource: Resource::new(resource), context };
    let mut statements = Vec::new();
    let found = look_at_resource(policy, &question, caller, &mut statements);
    let denied = match (found.denied, found.reach) {
        (true, _) => Some(Reason::Explicit(PolicyKind::Resource)),
        (false, Some(_)) => None,
        (false, None) => Some(Reason::Implicit(PolicyKind::Resource)),
    };
    Decision { denied, statements }
}

/// What the policies of one kind say.
#[derive(Debug, Default, Clone, Copy)]
struct Verdict {
    denied: bool,
    allowed: bool,
}

/// What the resource's policy says.
#[derive(Debug, Default, Clone, Copy)]
struct ResourceVerdict {
    denied: bool,
    /// How it names the caller where it allows, at its strongest.
    reach: Option<Reach>,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    identity: Verdict,
    resource: ResourceVerdict,
    boundary: Verdict,
    session: Verdict,
}

impl Found {
    fn explicit(&self) -> Option<Reason> {
        let kinds = [
            (self.identity.denied, PolicyKind::Identity),
            (self.resource.denied, PolicyKind::Resource),
            (self.boundary.denied, PolicyKind::Boundary),
            (self.session.denied, PolicyKind::Session),
        ];
        kinds.iter().find(|(denied, _)| *denied).map(|(_, kind)| Reason::Explicit(*kind))
    }

    fn implicit(&self, request: &Request<'_>, policies: &Policies<'_>, has_boundary: bool) -> Option<Reason> {
        let unless = |allowed: bool, kind| (!allowed).then_some(Reason::Implicit(kind));
        let by_identity = || unless(request.principal.is_root() || self.identity.allowed, PolicyKind::Identity);
        let narrowed = || {
            unless(!has_boundary || self.boundary.allowed, PolicyKind::Boundary)
                .or_else(|| unless(policies.session.is_empty() || self.session.allowed, PolicyKind::Session))
        };
        let by_resource = || unless(self.resource.reach.is_some(), PolicyKind::Resource);
        if request.principal.account != request.resource_account {
            return by_identity().or_else(narrowed).or_else(by_resource);
        }
        // A session of a user or a root has no name of its own by which it could be meant.
        let narrows_persons =
            !matches!(request.principal.kind, PrincipalKind::AssumedRole { .. }) && !policies.session.is_empty();
        match self.resource.reach {
            Some(Reach::Person) if !narrows_persons => None,
            Some(Reach::Person | Reach::Role) => narrowed(),
            Some(Reach::Account) => by_identity().or_else(narrowed),
            None if policies.resource_must_allow => by_identity().or_else(narrowed).or_else(by_resource),
            None => by_identity().or_else(narrowed),
        }
    }
}

fn look(kind: PolicyKind, policies: &[Arc<Policy>], question: &Question<'_>, trace: &mut Vec<Decided>) -> Verdict {
    let mut verdict = Verdict::default();
    for policy in policies {
        for (at, statement) in policy.statements.iter().enumerate() {
            if !statement.applies(question) {
                continue;
            }
            match statement.effect {
                Effect::Allow => verdict.allowed = true,
                Effect::Deny => verdict.denied = true,
            }
            trace.push(decided(kind, policy, at));
        }
    }
    verdict
}

fn look_at_resource(
    policy: Option<&Policy>,
    question: &Question<'_>,
    caller: &Caller<'_>,
    trace: &mut Vec<Decided>,
) -> ResourceVerdict {
    let mut verdict = ResourceVerdict::default();
    let Some(policy) = policy else { return verdict };
    for (at, statement) in policy.statements.iter().enumerate() {
        let Some(reach) = statement.reach(caller) else { continue };
        if !statement.applies(question) {
            continue;
        }
        match statement.effect {
            Effect::Allow => verdict.reach = verdict.reach.max(Some(reach)),
            Effect::Deny => verdict.denied = true,
        }
        trace.push(decided(PolicyKind::Resource, policy, at));
    }
    verdict
}

fn decided(kind: PolicyKind, policy: &Policy, at: usize) -> Decided {
    let statement = &policy.document().statements[at];
    Decided { kind, policy: policy.name.clone(), statement: at, sid: statement.sid.clone(), effect: statement.effect }
}

#[cfg(test)]
mod tests;
