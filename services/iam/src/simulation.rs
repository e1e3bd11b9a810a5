//! Simulations: what policies would decide, with the statements that would decide it, by the evaluator that decides
//! requests. Nothing is simulated that Pilvi does not have: policies of organizations are refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{AccountId, Arn, Principal, PrincipalKind};
use platform::Ctx;
use policy::{
    Context, Decided, Decision, Effect, IdentityPolicies, Policies, Policy, PolicyKind, Purpose, Reason, Request,
    ResourceElement, Span, evaluate, spans,
};

use crate::Error;
use crate::api::{
    ContextEntry, EvaluationResult, PermissionsBoundaryDecisionDetail, PolicyEvaluationDecisionType, PolicySourceType,
    Position, ResourceSpecificResult, Statement,
};
use crate::limits::{SIMULATED_BYTES_MAX, SIMULATED_PAIRS_MAX, SIMULATED_POLICIES_MAX};
use crate::page::Page;

/// What actions that know no resource, or requests that name none, are simulated on.
const ANY_RESOURCE: &str = "*";

/// A policy that takes part.
#[derive(Debug)]
pub(crate) struct Source {
    /// As the answer names it.
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) purpose: Purpose,
}

impl Source {
    /// The policies that a request brings, named by their place in its list.
    pub(crate) fn inputs(list: &str, texts: Option<Vec<String>>, purpose: Purpose) -> Vec<Self> {
        let named = |(at, text)| Self { id: format!("{list}.{}", at + 1), text, purpose };
        texts.into_iter().flatten().enumerate().map(named).collect()
    }
}

/// What is simulated.
#[derive(Debug)]
pub(crate) struct Simulation {
    pub(crate) identity: Vec<Source>,
    /// None or one.
    pub(crate) boundary: Vec<Source>,
    pub(crate) resource_policy: Option<String>,
    pub(crate) principal: Principal,
    /// Whose resources are that do not say it themselves.
    pub(crate) resource_owner: Option<String>,
    pub(crate) actions: Vec<String>,
    pub(crate) resources: Option<Vec<String>>,
    pub(crate) entries: Option<Vec<ContextEntry>>,
}

/// A simulation whose policies have been read.
pub(crate) struct Prepared {
    identity: IdentityPolicies,
    resource: Option<Policy>,
    principal: Principal,
    owner: AccountId,
    context: Context,
    actions: Vec<String>,
    resources: Vec<String>,
    names_resources: bool,
    /// By [`Policy::name`], which is the place in this list.
    labels: Vec<Label>,
    has_boundary: bool,
}

struct Label {
    id: String,
    kind: PolicySourceType,
    spans: Vec<Span>,
}

impl Simulation {
    /// Reads the policies.
    pub(crate) fn prepare(self) -> Result<Prepared, Error> {
        let resources = self.resources.filter(|resources| !resources.is_empty());
        let names_resources = resources.is_some();
        let resources = resources.unwrap_or_else(|| vec![ANY_RESOURCE.to_owned()]);
        if self.actions.len() * resources.len() > SIMULATED_PAIRS_MAX {
            return Err(invalid(format!("At most {SIMULATED_PAIRS_MAX} pairs of action and resource are simulated.")));
        }
        if let Some(action) = self.actions.iter().find(|action| !action.contains(':')) {
            return Err(invalid(format!("Invalid input: action {action}")));
        }
        if self.boundary.len() > 1 {
            return Err(invalid("Only one permissions boundary policy can be simulated.".to_owned()));
        }
        if self.identity.len() > SIMULATED_POLICIES_MAX {
            return Err(invalid(format!("At most {SIMULATED_POLICIES_MAX} policies are simulated.")));
        }
        let texts = self.identity.iter().chain(&self.boundary).map(|source| source.text.len());
        let text_bytes = texts.sum::<usize>() + self.resource_policy.as_ref().map_or(0, String::len);
        if text_bytes.saturating_mul(self.actions.len() * resources.len()) > SIMULATED_BYTES_MAX {
            return Err(invalid("The policies are too large for so many actions and resources.".to_owned()));
        }
        let mut labels = Vec::new();
        let mut attached = Vec::with_capacity(self.identity.len());
        for source in self.identity {
            attached.push(Arc::new(read(&mut labels, source, PolicySourceType::IamPolicy)?));
        }
        let boundary = self.boundary.into_iter().next();
        let boundary = boundary.map(|source| read(&mut labels, source, PolicySourceType::IamPolicy)).transpose()?;
        let resource = self.resource_policy.map(|text| {
            let purpose = Purpose::Resource(ResourceElement::Optional);
            let source = Source { id: "ResourcePolicy".to_owned(), text, purpose };
            read(&mut labels, source, PolicySourceType::ResourcePolicy)
        });
        let resource = resource.transpose()?;
        let mut context = principal_keys(&self.principal);
        for entry in self.entries.into_iter().flatten() {
            if let Some(name) = entry.context_key_name {
                context.set_all(&name, entry.context_key_values.unwrap_or_default());
            }
        }
        Ok(Prepared {
            has_boundary: boundary.is_some(),
            identity: IdentityPolicies { attached, boundary: boundary.map(Arc::new) },
            resource,
            owner: owner(self.resource_owner.as_deref(), self.principal.account)?,
            principal: self.principal,
            context,
            actions: self.actions,
            resources,
            names_resources,
            labels,
        })
    }
}

impl Prepared {
    /// The actions, each with the cursor of its result.
    pub(crate) fn actions(&self) -> Vec<(String, usize)> {
        (0..self.actions.len()).map(|at| (format!("{at:06}"), at)).collect()
    }

    /// What would be decided about the actions of a page. With many resources that takes seconds, for which other requests
    /// must not wait.
    pub(crate) async fn results(self, page: Page<usize>) -> Result<Page<EvaluationResult>, Error> {
        let results = tokio::task::spawn_blocking(move || page.map(|action| self.result(action))).await;
        // A panic in there has been printed; nothing else keeps the work from ending.
        results.map_err(|_| Error::Denied(wire::Error::internal()))
    }

    /// What would be decided about an action. On several resources together that is what is worst of each.
    fn result(&self, action: usize) -> EvaluationResult {
        let action = &self.actions[action];
        let specific: Vec<_> = self.resources.iter().map(|resource| self.on(action, resource)).collect();
        let decisions = specific.iter().map(|result| result.eval_resource_decision);
        let decision = decisions.max_by_key(|decision| severity(*decision)).unwrap_or_default();
        let worst = specific.iter().find(|result| result.eval_resource_decision == decision).cloned();
        let worst = worst.unwrap_or_default();
        let name = match self.resources.as_slice() {
            [one] => one.clone(),
            _ => ANY_RESOURCE.to_owned(),
        };
        EvaluationResult {
            eval_action_name: action.clone(),
            eval_decision: decision,
            eval_decision_details: None,
            eval_resource_name: Some(name),
            matched_statements: worst.matched_statements,
            missing_context_values: worst.missing_context_values,
            organizations_decision_detail: None,
            permissions_boundary_decision_detail: worst.permissions_boundary_decision_detail,
            resource_specific_results: self.names_resources.then_some(specific),
        }
    }

    fn on(&self, action: &str, resource: &str) -> ResourceSpecificResult {
        let named = resource.parse::<Arn>().ok().and_then(|arn| arn.account.parse().ok());
        let request = Request {
            principal: &self.principal,
            action,
            resource,
            // Without the resource's policy, another account's resource is simulated as one of the caller's.
            resource_account: named.filter(|_| self.resource.is_some()).unwrap_or(self.owner),
            context: &self.context,
        };
        let policies =
            Policies { identity: Some(&self.identity), resource: self.resource.as_ref(), ..Policies::default() };
        let decision = evaluate(&request, &policies);
        ResourceSpecificResult {
            eval_decision_details: None,
            eval_resource_decision: word(&decision),
            eval_resource_name: resource.to_owned(),
            matched_statements: Some(self.matched(&decision)),
            missing_context_values: Some(self.missing_keys()),
            permissions_boundary_decision_detail: self.has_boundary.then(|| boundary_detail(&decision)),
        }
    }

    /// The statements that decided: those that deny, or else, where it is allowed, those that allow.
    fn matched(&self, decision: &Decision) -> Vec<Statement> {
        let effect = match decision.denied {
            None => Effect::Allow,
            Some(Reason::Explicit(_)) => Effect::Deny,
            Some(Reason::Implicit(_)) => return Vec::new(),
        };
        let decided = decision.statements.iter().filter(|statement| statement.effect == effect);
        decided.filter_map(|statement| self.statement(statement)).collect()
    }

    fn statement(&self, decided: &Decided) -> Option<Statement> {
        let label = self.labels.get(decided.policy.parse::<usize>().ok()?)?;
        let span = label.spans.get(decided.statement);
        Some(Statement {
            start_position: span.map(|span| position(span.start)),
            end_position: span.map(|span| position(span.end)),
            source_policy_id: Some(label.id.clone()),
            source_policy_type: Some(label.kind),
        })
    }

    fn missing_keys(&self) -> Vec<String> {
        let identity = self.identity.attached.iter().chain(&self.identity.boundary).map(|policy| &**policy);
        let policies = identity.chain(&self.resource);
        let missing: BTreeSet<_> = policies.flat_map(|policy| policy.missing_context_keys(&self.context)).collect();
        missing.into_iter().map(str::to_owned).collect()
    }
}

/// Reads a policy; its name is its place among the labels.
fn read(labels: &mut Vec<Label>, source: Source, kind: PolicySourceType) -> Result<Policy, Error> {
    let document = policy::parse(&source.text, source.purpose).map_err(|error| invalid(error.to_string()))?;
    let policy = Policy::new(labels.len().to_string(), document);
    labels.push(Label { id: source.id, kind, spans: spans(&source.text) });
    Ok(policy)
}

/// The condition keys that any request of a principal has.
fn principal_keys(principal: &Principal) -> Context {
    let mut context = Context::new();
    context.set("aws:PrincipalAccount", principal.account.to_string());
    context.set("aws:userid", principal.user_id.as_str());
    match &principal.kind {
        PrincipalKind::AssumedRole { role_arn, .. } => context.set("aws:PrincipalArn", role_arn.to_string()),
        _ => context.set("aws:PrincipalArn", principal.arn.to_string()),
    }
    if let PrincipalKind::User { name } = &principal.kind {
        context.set("aws:username", name.as_str());
    }
    context
}

/// The account of `arn:aws:iam::123456789012:root`, or the given one.
fn owner(named: Option<&str>, otherwise: AccountId) -> Result<AccountId, Error> {
    let Some(named) = named else { return Ok(otherwise) };
    let account = named.parse().ok().or_else(|| named.parse::<Arn>().ok()?.account.parse().ok());
    account.ok_or_else(|| invalid(format!("Invalid Entity Arn: {named}")))
}

/// Whom a caller's ARN means, as far as the ARN tells; users, roles and sessions.
pub(crate) fn caller(ctx: &Ctx, arn: Option<&str>) -> Result<Principal, Error> {
    let Some(text) = arn else {
        // Only a resource's policy would ask who it is.
        let name = "simulated".to_owned();
        let arn = Arn::global("iam", ctx.account(), format!("user/{name}"));
        return Ok(Principal {
            account: ctx.account(),
            arn,
            user_id: name.clone(),
            kind: PrincipalKind::User { name },
        });
    };
    let wrong = || invalid(format!("Invalid Entity Arn: {text}"));
    let arn: Arn = text.parse().map_err(|_| wrong())?;
    let account = arn.account.parse().map_err(|_| wrong())?;
    let (kind, rest) = arn.resource.split_once('/').ok_or_else(wrong)?;
    let name = rest.rsplit('/').next().unwrap_or_default().to_owned();
    let kind = match (arn.service.as_str(), kind) {
        _ if name.is_empty() => return Err(wrong()),
        ("iam", "user") => PrincipalKind::User { name: name.clone() },
        ("iam", "role") => {
            let (role_arn, session_name) = (arn.clone(), "simulated".to_owned());
            PrincipalKind::AssumedRole { role_arn, role_id: String::new(), session_name }
        }
        _ => return Err(wrong()),
    };
    Ok(Principal { account, arn, user_id: name, kind })
}

/// The condition keys that policies mention, each once.
pub(crate) fn context_keys(sources: Vec<Source>) -> Result<Vec<String>, Error> {
    let mut names = BTreeSet::new();
    for source in sources {
        let policy = read(&mut Vec::new(), source, PolicySourceType::IamPolicy)?;
        names.extend(policy.context_keys().map(str::to_owned));
    }
    Ok(names.into_iter().collect())
}

fn word(decision: &Decision) -> PolicyEvaluationDecisionType {
    match decision.denied {
        None => PolicyEvaluationDecisionType::Allowed,
        Some(Reason::Explicit(_)) => PolicyEvaluationDecisionType::ExplicitDeny,
        Some(Reason::Implicit(_)) => PolicyEvaluationDecisionType::ImplicitDeny,
    }
}

fn severity(decision: PolicyEvaluationDecisionType) -> u8 {
    match decision {
        PolicyEvaluationDecisionType::Allowed => 0,
        PolicyEvaluationDecisionType::ImplicitDeny => 1,
        PolicyEvaluationDecisionType::ExplicitDeny => 2,
    }
}

fn boundary_detail(decision: &Decision) -> PermissionsBoundaryDecisionDetail {
    let of_boundary = |effect| {
        decision.statements.iter().any(|decided| decided.kind == PolicyKind::Boundary && decided.effect == effect)
    };
    let allowed = of_boundary(Effect::Allow) && !of_boundary(Effect::Deny);
    PermissionsBoundaryDecisionDetail { allowed_by_permissions_boundary: Some(allowed) }
}

fn position(position: policy::Position) -> Position {
    let number = |number: usize| i32::try_from(number).ok();
    Position { column: number(position.column), line: number(position.line) }
}

fn invalid(message: String) -> Error {
    Error::InvalidSimulation { message }
}
