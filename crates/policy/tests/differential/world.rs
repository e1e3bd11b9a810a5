//! A request and the policies that bear on it, in plain words, and how the real evaluator is asked.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base::{Principal, PrincipalKind};
use policy::{
    Context, Decision, IdentityPolicies, Policies, Policy, Purpose, Reason, Request, ResourceElement, evaluate,
    evaluate_anonymous, evaluate_federated, evaluate_service_principal, parse,
};
use serde_json::Value;

#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Root { account: String },
    User { account: String, name: String },
    Session { account: String, role: String, session: String },
    Service(String),
    Federated(String),
    Anonymous,
}

/// Policies as JSON documents.
#[derive(Clone)]
pub(crate) struct Documents {
    pub(crate) identity: Vec<Value>,
    pub(crate) boundary: Option<Value>,
    pub(crate) session: Vec<Value>,
    pub(crate) resource: Option<Value>,
    pub(crate) resource_must_allow: bool,
}

impl fmt::Display for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.identity.iter().try_for_each(|policy| writeln!(f, "identity {policy}"))?;
        self.boundary.iter().try_for_each(|policy| writeln!(f, "boundary {policy}"))?;
        self.session.iter().try_for_each(|policy| writeln!(f, "session {policy}"))?;
        self.resource.iter().try_for_each(|policy| writeln!(f, "resource {policy}"))?;
        write!(f, "the resource's must allow: {}", self.resource_must_allow)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) caller: Caller,
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) resource_account: String,
    pub(crate) context: BTreeMap<String, Vec<String>>,
}

/// The outcome in words, and the statements that applied: kind, policy, statement.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) outcome: String,
    pub(crate) applied: Vec<(String, usize, usize)>,
}

/// The policies made ready for the real evaluator. Their names are their places.
pub(crate) struct Ready {
    identity: IdentityPolicies,
    session: Vec<Arc<Policy>>,
    resource: Option<Policy>,
    resource_must_allow: bool,
}

impl Ready {
    pub(crate) fn new(documents: &Documents) -> Self {
        let ready = |at: usize, document: &Value, purpose| {
            let text = document.to_string();
            let parsed = parse(&text, purpose).unwrap_or_else(|error| panic!("{error}: {text}"));
            Policy::new(at.to_string(), parsed)
        };
        let all = |documents: &[Value]| {
            let policies = documents.iter().enumerate();
            policies.map(|(at, document)| Arc::new(ready(at, document, Purpose::Inline))).collect::<Vec<_>>()
        };
        let on_resource = Purpose::Resource(ResourceElement::Optional);
        Self {
            identity: IdentityPolicies {
                attached: all(&documents.identity),
                boundary: documents.boundary.as_ref().map(|it| Arc::new(ready(0, it, Purpose::Inline))),
            },
            session: all(&documents.session),
            resource: documents.resource.as_ref().map(|document| ready(0, document, on_resource)),
            resource_must_allow: documents.resource_must_allow,
        }
    }

    pub(crate) fn decide(&self, asked: &Asked) -> Answer {
        let mut context = Context::new();
        for (key, values) in &asked.context {
            context.set_all(key, values.iter().cloned());
        }
        let (action, resource) = (&asked.action, &asked.resource);
        let nothing = Policy::nothing("0");
        let of_resource = self.resource.as_ref().unwrap_or(&nothing);
        answer(match &asked.caller {
            Caller::Service(service) => evaluate_service_principal(service, action, resource, &context, of_resource),
            Caller::Federated(provider) => evaluate_federated(provider, action, resource, &context, of_resource),
            Caller::Anonymous => evaluate_anonymous(action, resource, &context, of_resource),
            identity => self.decide_for(&principal(identity), asked, &context),
        })
    }

    fn decide_for(&self, principal: &Principal, asked: &Asked, context: &Context) -> Decision {
        let request = Request {
            principal,
            action: &asked.action,
            resource: &asked.resource,
            resource_account: asked.resource_account.parse().unwrap(),
            context,
        };
        let policies = Policies {
            identity: (!principal.is_root()).then_some(&self.identity),
            session: &self.session,
            resource: self.resource.as_ref(),
            resource_must_allow: self.resource_must_allow,
        };
        evaluate(&request, &policies)
    }
}

fn answer(decision: Decision) -> Answer {
    let outcome = match decision.denied {
        None => "allowed".to_owned(),
        Some(Reason::Explicit(kind)) => format!("explicit {kind:?}"),
        Some(Reason::Implicit(kind)) => format!("implicit {kind:?}"),
    };
    let mut applied: Vec<_> = decision
        .statements
        .iter()
        .map(|it| (format!("{:?}", it.kind), it.policy.parse().unwrap(), it.statement))
        .collect();
    applied.sort();
    Answer { outcome, applied }
}

fn principal(caller: &Caller) -> Principal {
    match caller {
        Caller::Root { account } => Principal::root(account.parse().unwrap()),
        Caller::User { account, name } => Principal {
            account: account.parse().unwrap(),
            arn: format!("arn:aws:iam::{account}:user/{name}").parse().unwrap(),
            user_id: format!("AIDA{name}"),
            kind: PrincipalKind::User { name: name.clone() },
        },
        Caller::Session { account, role, session } => Principal {
            account: account.parse().unwrap(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session}").parse().unwrap(),
            user_id: format!("AROA{role}:{session}"),
            kind: PrincipalKind::AssumedRole {
                role_arn: format!("arn:aws:iam::{account}:role/ci/{role}").parse().unwrap(),
                role_id: format!("AROA{role}"),
                session_name: session.clone(),
            },
        },
        Caller::Service(_) | Caller::Federated(_) | Caller::Anonymous => panic!("{caller:?} has no identity"),
    }
}
