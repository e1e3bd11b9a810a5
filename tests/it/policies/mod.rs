//! The corpus `tests/policies`: what the policy language decides, and what another implementation says of the same.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use base::{AccountId, Arn, Principal, PrincipalKind};
use policy::{
    Context, Decision, IdentityPolicies, Policies, Policy, Purpose, Reason, Request, ResourceElement, evaluate,
    evaluate_federated, evaluate_service_principal, parse,
};
use serde::Deserialize;
use serde_json::Value;
use tests::{clients, program, source};

const FOLDER: &str = "tests/policies";
/// As many as the corpus has at least, so that none gets lost unnoticed.
const CASES_MIN: usize = 50;
const REQUESTS_MIN: usize = 170;

/// A file of the corpus.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    #[serde(rename = "about")]
    _about: String,
    identity: Vec<Value>,
    boundary: Option<Value>,
    session: Option<Value>,
    resource: Option<Value>,
    #[serde(default)]
    must_allow: bool,
    requests: Vec<Asked>,
}

/// A request of a case.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    about: String,
    principal: String,
    action: String,
    resource: String,
    owner: Option<AccountId>,
    #[serde(default)]
    context: BTreeMap<String, OneOrMany>,
    expect: Outcome,
    differs: Option<Difference>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Where the simulator decides otherwise.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    simulator: Outcome,
    because: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Allowed,
    Explicit,
    Implicit,
}

/// The simulator's answer to one request.
#[derive(Deserialize)]
struct Simulated {
    file: String,
    about: String,
    outcome: String,
    /// Condition keys that it did not look at, so that it decided something else than it was asked.
    #[serde(default)]
    ignored: Vec<String>,
}

fn corpus() -> Vec<(String, Case)> {
    let mut cases: Vec<_> = std::fs::read_dir(source(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .map(|name| {
            let text = std::fs::read_to_string(source(&format!("{FOLDER}/{name}"))).unwrap();
            let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, case)
        })
        .collect();
    cases.sort_by(|(one, _): &(String, Case), (other, _)| one.cmp(other));
    cases
}

#[test]
fn every_request_of_the_corpus_is_decided_as_it_says() {
    let corpus = corpus();
    let mut requests = 0;
    for (name, case) in &corpus {
        for asked in &case.requests {
            let decision = decide(case, asked);
            assert_eq!(outcome(&decision), asked.expect, "{name}: {}: {:?}", asked.about, decision.statements);
            requests += 1;
        }
    }
    assert!(corpus.len() >= CASES_MIN && requests >= REQUESTS_MIN, "{} cases, {requests} requests", corpus.len());
}

#[test]
fn the_simulator_decides_the_corpus_alike_but_where_it_says_why_not() {
    let mut node = Command::new(clients("bin/node"));
    node.env("NODE_PATH", clients("node/node_modules")).arg(source("tests/node/policies.cjs")).arg(source(FOLDER));
    let simulated: Vec<Simulated> = serde_json::from_value(program::run(&mut node).json()).unwrap();
    let mut simulated = simulated.into_iter();
    for (name, case) in corpus() {
        for asked in case.requests {
            let answer = simulated.next().unwrap();
            let about = format!("{name}: {}", asked.about);
            assert_eq!((&answer.file, &answer.about), (&name, &asked.about), "the simulator took another order");
            assert!(answer.ignored.is_empty(), "{about}: it ignores {:?}", answer.ignored);
            let expected = asked.differs.as_ref().map_or(asked.expect, |difference| difference.simulator);
            assert_eq!(answer.outcome, format!("{expected:?}").to_lowercase(), "{about}");
            if let Some(difference) = asked.differs {
                assert!(
                    difference.simulator != asked.expect && !difference.because.is_empty(),
                    "{about}: no difference"
                );
            }
        }
    }
    assert!(simulated.next().is_none(), "the simulator decided more than there is");
}

fn decide(case: &Case, asked: &Asked) -> Decision {
    let ready = |name: &str, document: &Value, purpose| {
        let parsed = parse(&document.to_string(), purpose).unwrap_or_else(|error| panic!("{name} {document}: {error}"));
        Policy::new(name, parsed)
    };
    let own = |document: &Value| Arc::new(ready("own", document, Purpose::Inline));
    let identity = IdentityPolicies {
        attached: case.identity.iter().map(own).collect(),
        boundary: case.boundary.as_ref().map(own),
    };
    let session: Vec<_> = case.session.iter().map(own).collect();
    let purpose = if case.must_allow { Purpose::Trust } else { Purpose::Resource(ResourceElement::Required) };
    let resource = case.resource.as_ref().map(|document| ready("resource", document, purpose));
    let mut context = Context::new();
    for (key, values) in &asked.context {
        match values {
            OneOrMany::One(value) => context.set(key, value),
            OneOrMany::Many(values) => context.set_all(key, values),
        }
    }
    let alone = |evaluate: fn(&str, &str, &str, &Context, &Policy) -> Decision| {
        evaluate(&asked.principal, &asked.action, &asked.resource, &context, resource.as_ref().unwrap())
    };
    if asked.principal.ends_with(".amazonaws.com") {
        return alone(evaluate_service_principal);
    }
    if asked.principal.contains(":oidc-provider/") {
        return alone(evaluate_federated);
    }
    let principal = principal(&asked.principal);
    let request = Request {
        principal: &principal,
        action: &asked.action,
        resource: &asked.resource,
        resource_account: asked.owner.unwrap_or(principal.account),
        context: &context,
    };
    let policies = Policies {
        identity: (!principal.is_root()).then_some(&identity),
        session: &session,
        resource: resource.as_ref(),
        resource_must_allow: case.must_allow,
    };
    evaluate(&request, &policies)
}

/// By an ARN, or `anonymous`.
fn principal(text: &str) -> Principal {
    if text == "anonymous" {
        return Principal::anonymous();
    }
    let arn: Arn = text.parse().unwrap();
    let account = arn.account.parse().unwrap();
    let names: Vec<&str> = arn.resource.split('/').collect();
    let (user_id, kind) = match *names {
        ["root"] => return Principal::root(account),
        ["user", name] => (format!("AIDA{name}"), PrincipalKind::User { name: name.to_owned() }),
        ["assumed-role", role, session] => {
            let kind = PrincipalKind::AssumedRole {
                role_arn: Arn::global("iam", account, format!("role/{role}")),
                role_id: format!("AROA{role}"),
                session_name: session.to_owned(),
            };
            (format!("AROA{role}:{session}"), kind)
        }
        _ => panic!("{text} is nobody"),
    };
    Principal { account, arn, user_id, kind }
}

fn outcome(decision: &Decision) -> Outcome {
    match decision.denied {
        None => Outcome::Allowed,
        Some(Reason::Explicit(_)) => Outcome::Explicit,
        Some(Reason::Implicit(_)) => Outcome::Implicit,
    }
}
