use serde_json::{Value, json};

use super::*;
use crate::{Purpose, ResourceElement, parse};

const OURS: &str = "111122223333";
const THEIRS: &str = "444455556666";
const BUCKET: &str = "arn:aws:s3:::photos/cat.jpg";
const ALICE: &str = "arn:aws:iam::111122223333:user/team/alice";
const ROLE: &str = "arn:aws:iam::111122223333:role/ci/deployer";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/deployer/build-7";

fn account(text: &str) -> AccountId {
    text.parse().unwrap()
}

fn alice() -> Principal {
    let kind = PrincipalKind::User { name: "alice".to_owned() };
    Principal { account: account(OURS), arn: ALICE.parse().unwrap(), user_id: "AIDAALICE".to_owned(), kind }
}

fn deployer() -> Principal {
    let kind = PrincipalKind::AssumedRole {
        role_arn: ROLE.parse().unwrap(),
        role_id: "AROADEPLOYER".to_owned(),
        session_name: "build-7".to_owned(),
    };
    let user_id = "AROADEPLOYER:build-7".to_owned();
    Principal { account: account(OURS), arn: SESSION.parse().unwrap(), user_id, kind }
}

fn root() -> Principal {
    Principal::root(account(OURS))
}

fn policy(purpose: Purpose, statements: Value) -> Policy {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Policy::new("policy", parse(&text, purpose).unwrap_or_else(|error| panic!("{text}: {error}")))
}

fn own(effect: &str) -> Arc<Policy> {
    let statement = json!({"Effect": effect, "Action": "s3:*", "Resource": "*"});
    Arc::new(policy(Purpose::Managed, statement))
}

fn on_bucket(effect: &str, element: &str, principal: Value) -> Policy {
    let mut statement = json!({"Effect": effect, "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/*"});
    statement[element] = principal;
    policy(Purpose::Resource(ResourceElement::Required), statement)
}

/// What bears on a request for the photo, beyond who asks.
#[derive(Default)]
struct Case {
    attached: Vec<Arc<Policy>>,
    boundary: Option<Arc<Policy>>,
    session: Vec<Arc<Policy>>,
    resource: Option<Policy>,
    must_allow: bool,
    elsewhere: bool,
}

impl Case {
    fn with(resource: Policy) -> Self {
        Self { resource: Some(resource), ..Self::default() }
    }

    fn decide(&self, principal: &Principal) -> Option<Reason> {
        let identity = IdentityPolicies { attached: self.attached.clone(), boundary: self.boundary.clone() };
        let request = Request {
            principal,
            action: "s3:GetObject",
            resource: BUCKET,
            resource_account: account(if self.elsewhere { THEIRS } else { OURS }),
            context: &Context::new(),
        };
        let policies = Policies {
            identity: (!principal.is_root()).then_some(&identity),
            session: &self.session,
            resource: self.resource.as_ref(),
            resource_must_allow: self.must_allow,
        };
        evaluate(&request, &policies).denied
    }
}

const NO_IDENTITY: Option<Reason> = Some(Reason::Implicit(PolicyKind::Identity));
const NO_RESOURCE: Option<Reason> = Some(Reason::Implicit(PolicyKind::Resource));
const NO_BOUNDARY: Option<Reason> = Some(Reason::Implicit(PolicyKind::Boundary));
const NO_SESSION: Option<Reason> = Some(Reason::Implicit(PolicyKind::Session));

#[test]
fn nothing_is_allowed_that_no_policy_allows() {
    assert_eq!(Case::default().decide(&alice()), NO_IDENTITY);
    assert_eq!(Case { attached: vec![own("Allow")], ..Case::default() }.decide(&alice()), None);
    assert_eq!(Case::default().decide(&root()), None);
}

#[test]
fn a_denial_anywhere_decides() {
    let explicit = |kind| Some(Reason::Explicit(kind));
    let allowed = || Case { attached: vec![own("Allow")], ..Case::default() };
    let rows = [
        (Case { attached: vec![own("Allow"), own("Deny")], ..allowed() }, PolicyKind::Identity),
        (Case { boundary: Some(own("Deny")), ..allowed() }, PolicyKind::Boundary),
        (Case { session: vec![own("Allow"), own("Deny")], ..allowed() }, PolicyKind::Session),
        (Case { resource: Some(on_bucket("Deny", "Principal", json!("*"))), ..allowed() }, PolicyKind::Resource),
    ];
    for (case, kind) in rows {
        assert_eq!(case.decide(&alice()), explicit(kind));
        assert_eq!(case.decide(&deployer()), explicit(kind));
    }
    let case = Case::with(on_bucket("Deny", "Principal", json!({"AWS": OURS})));
    assert_eq!(case.decide(&root()), explicit(PolicyKind::Resource));
}

#[test]
fn boundary_and_session_policies_narrow_what_the_identitys_allow() {
    let other = || Arc::new(policy(Purpose::Managed, json!({"Effect": "Allow", "Action": "ec2:*", "Resource": "*"})));
    let allowed = || Case { attached: vec![own("Allow")], ..Case::default() };
    assert_eq!(Case { boundary: Some(other()), ..allowed() }.decide(&alice()), NO_BOUNDARY);
    assert_eq!(Case { boundary: Some(own("Allow")), ..allowed() }.decide(&alice()), None);
    assert_eq!(Case { session: vec![other()], ..allowed() }.decide(&deployer()), NO_SESSION);
    assert_eq!(Case { session: vec![other(), own("Allow")], ..allowed() }.decide(&deployer()), None);
    assert_eq!(Case { session: vec![other()], ..Case::default() }.decide(&root()), NO_SESSION);
}

#[test]
fn how_a_resources_policy_names_the_caller_tells_what_else_counts() {
    let nothing = || Some(Arc::new(Policy::nothing("boundary")));
    let rows = [
        (json!({"AWS": ALICE}), alice(), None, None),
        (json!({"AWS": "AIDAALICE"}), alice(), None, None),
        (json!({"AWS": SESSION}), deployer(), None, None),
        (json!({"AWS": "AROADEPLOYER:build-7"}), deployer(), None, None),
        (json!({"AWS": ROLE}), deployer(), None, NO_BOUNDARY),
        (json!({"AWS": "AROADEPLOYER"}), deployer(), None, NO_BOUNDARY),
        (json!("*"), deployer(), None, None),
        (json!({"AWS": "*"}), alice(), None, None),
        (json!({"AWS": OURS}), alice(), NO_IDENTITY, NO_IDENTITY),
        (json!({"AWS": format!("arn:aws:iam::{OURS}:root")}), deployer(), NO_IDENTITY, NO_IDENTITY),
        (json!({"AWS": THEIRS}), alice(), NO_IDENTITY, NO_IDENTITY),
        (json!({"Service": "logs.amazonaws.com"}), alice(), NO_IDENTITY, NO_IDENTITY),
    ];
    for (named, principal, alone, bounded) in rows {
        let case = Case::with(on_bucket("Allow", "Principal", named.clone()));
        assert_eq!(case.decide(&principal), alone, "{named}");
        assert_eq!(Case { boundary: nothing(), ..case }.decide(&principal), bounded, "{named}");
    }
}

#[test]
fn a_policy_that_cannot_be_read_denies_everything_to_everybody() {
    let denying = || Some(Policy::denying_all("unreadable"));
    for principal in [alice(), deployer(), root()] {
        let case = Case { attached: vec![own("Allow")], resource: denying(), ..Case::default() };
        assert_eq!(case.decide(&principal), Some(Reason::Explicit(PolicyKind::Resource)));
        assert_eq!(Case { elsewhere: true, ..case }.decide(&principal), Some(Reason::Explicit(PolicyKind::Resource)));
    }
    let context = Context::new();
    let unreadable = Policy::denying_all("unreadable");
    let anybody = evaluate_anonymous("s3:GetObject", BUCKET, &context, &unreadable);
    assert_eq!(anybody.denied, Some(Reason::Explicit(PolicyKind::Resource)));
}

#[test]
fn a_trust_policy_has_to_allow_and_may_be_enough() {
    let must = |resource| Case { resource, must_allow: true, ..Case::default() };
    let may = |resource| Case { attached: vec![own("Allow")], ..must(resource) };
    let names = |principal| Some(on_bucket("Allow", "Principal", principal));
    assert_eq!(may(None).decide(&alice()), NO_RESOURCE);
    assert_eq!(must(None).decide(&root()), NO_RESOURCE);
    assert_eq!(must(names(json!({"AWS": ALICE}))).decide(&alice()), None);
    assert_eq!(must(names(json!({"AWS": OURS}))).decide(&alice()), NO_IDENTITY);
    assert_eq!(must(names(json!({"AWS": OURS}))).decide(&root()), None);
    assert_eq!(may(names(json!({"AWS": OURS}))).decide(&alice()), None);
    assert_eq!(may(names(json!({"AWS": ROLE}))).decide(&alice()), NO_RESOURCE);
}

#[test]
fn between_accounts_both_sides_have_to_allow() {
    let case = |attached, resource| Case { attached, resource, elsewhere: true, ..Case::default() };
    let names = |principal| Some(on_bucket("Allow", "Principal", principal));
    for named in [json!({"AWS": ALICE}), json!({"AWS": OURS}), json!("*")] {
        assert_eq!(case(vec![], names(named.clone())).decide(&alice()), NO_IDENTITY, "{named}");
        assert_eq!(case(vec![own("Allow")], names(named.clone())).decide(&alice()), None, "{named}");
        let bounded = Case {
            boundary: Some(Arc::new(Policy::nothing("boundary"))),
            ..case(vec![own("Allow")], names(named.clone()))
        };
        assert_eq!(bounded.decide(&alice()), NO_BOUNDARY, "{named}");
    }
    assert_eq!(case(vec![own("Allow")], None).decide(&alice()), NO_RESOURCE);
    assert_eq!(case(vec![own("Allow")], names(json!({"AWS": THEIRS}))).decide(&alice()), NO_RESOURCE);
    assert_eq!(case(vec![], None).decide(&root()), NO_RESOURCE);
    assert_eq!(case(vec![], names(json!({"AWS": OURS}))).decide(&root()), None);
}

#[test]
fn not_principal_spares_only_who_is_listed_in_every_capacity() {
    let rows = [
        (json!({"AWS": [ALICE, OURS]}), alice(), None),
        (json!({"AWS": ALICE}), alice(), Some(Reason::Explicit(PolicyKind::Resource))),
        (json!({"AWS": [SESSION, ROLE, OURS]}), deployer(), None),
        (json!({"AWS": [ROLE, OURS]}), deployer(), Some(Reason::Explicit(PolicyKind::Resource))),
        (json!({"AWS": OURS}), root(), None),
        (json!({"AWS": THEIRS}), root(), Some(Reason::Explicit(PolicyKind::Resource))),
        (json!("*"), alice(), None),
    ];
    for (listed, principal, expected) in rows {
        let resource = Some(on_bucket("Deny", "NotPrincipal", listed.clone()));
        let case = Case { attached: vec![own("Allow")], resource, ..Case::default() };
        assert_eq!(case.decide(&principal), expected, "{listed}");
    }
}

#[test]
fn an_allowance_for_all_but_some_reaches_nobody_who_is_listed_at_all() {
    for (listed, principal, expected) in [
        (json!({"AWS": ROLE}), deployer(), NO_IDENTITY),
        (json!({"AWS": OURS}), alice(), NO_IDENTITY),
        (json!({"AWS": ROLE}), alice(), None),
    ] {
        let case = Case::with(on_bucket("Allow", "NotPrincipal", listed.clone()));
        assert_eq!(case.decide(&principal), expected, "{listed}");
    }
}

#[test]
fn a_grant_to_a_user_is_narrowed_by_the_policies_of_its_session() {
    let resource = on_bucket("Allow", "Principal", json!({"AWS": ALICE}));
    let case = Case { session: vec![Arc::new(Policy::nothing("session"))], ..Case::with(resource) };
    assert_eq!(case.decide(&alice()), NO_SESSION);
}

#[test]
fn who_has_no_policies_is_decided_by_the_resources_alone() {
    let context = Context::new();
    let rows = [
        (json!({"Service": "logs.amazonaws.com"}), [true, false, false]),
        (json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/issuer.example"}), [false, true, false]),
        (json!({"AWS": OURS}), [false, false, false]),
        (json!({"AWS": "*"}), [true, false, true]),
        (json!("*"), [true, true, true]),
    ];
    for (named, expected) in rows {
        let policy = on_bucket("Allow", "Principal", named.clone());
        let provider = "arn:aws:iam::111122223333:oidc-provider/issuer.example";
        let decisions = [
            evaluate_service_principal("logs.amazonaws.com", "s3:GetObject", BUCKET, &context, &policy),
            evaluate_federated(provider, "s3:GetObject", BUCKET, &context, &policy),
            evaluate_anonymous("s3:GetObject", BUCKET, &context, &policy),
        ];
        assert_eq!(decisions.map(|decision| decision.is_allowed()), expected, "{named}");
    }
    let denies = on_bucket("Deny", "Principal", json!({"AWS": "*"}));
    let decision = evaluate_federated("issuer.example", "s3:GetObject", BUCKET, &context, &denies);
    assert_eq!(decision.denied, Some(Reason::Explicit(PolicyKind::Resource)));
}

#[test]
fn what_nobody_signed_is_decided_by_the_resources_policy() {
    let everybody = Case::with(on_bucket("Allow", "Principal", json!("*")));
    assert_eq!(everybody.decide(&Principal::anonymous()), None);
    let account = Case::with(on_bucket("Allow", "Principal", json!({"AWS": OURS})));
    assert_eq!(account.decide(&Principal::anonymous()), NO_RESOURCE);
    assert_eq!(Case { attached: vec![own("Allow")], ..Case::default() }.decide(&Principal::anonymous()), NO_RESOURCE);
}

#[test]
fn the_trace_names_the_statements_that_applied() {
    let statements = json!([
        {"Sid": "Other", "Effect": "Deny", "Action": "ec2:*", "Resource": "*"},
        {"Sid": "Read", "Effect": "Allow", "Action": "s3:Get*", "Resource": "*"},
    ]);
    let identity = IdentityPolicies { attached: vec![Arc::new(policy(Purpose::Inline, statements))], boundary: None };
    let principal = alice();
    let request = Request {
        principal: &principal,
        action: "s3:GetObject",
        resource: BUCKET,
        resource_account: account(OURS),
        context: &Context::new(),
    };
    let decision = evaluate(&request, &Policies { identity: Some(&identity), ..Policies::default() });
    let read = Decided {
        kind: PolicyKind::Identity,
        policy: "policy".to_owned(),
        statement: 1,
        sid: Some("Read".to_owned()),
        effect: Effect::Allow,
    };
    assert_eq!(decision, Decision { denied: None, statements: vec![read] });
}

#[test]
fn a_denial_is_told_in_awss_words() {
    let principal = deployer();
    let request = Request {
        principal: &principal,
        action: "ecs:RunTask",
        resource: "*",
        resource_account: account(OURS),
        context: &Context::new(),
    };
    assert_eq!(
        evaluate(&request, &Policies::default()).message(&request),
        "User: arn:aws:sts::111122223333:assumed-role/deployer/build-7 is not authorized to perform: ecs:RunTask \
         on resource: * because no identity-based policy allows the ecs:RunTask action"
    );
}

#[test]
fn a_statement_without_resources_is_about_whatever_has_the_policy() {
    let purpose = Purpose::Resource(ResourceElement::Optional);
    let named = policy(purpose, json!({"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "s3:*"}));
    assert_eq!(Case::with(named).decide(&alice()), None);
}
