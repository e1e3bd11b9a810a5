//! What holds of every decision, whatever the policies say.

use std::sync::Arc;

use base::{AccountId, Principal};
use policy::{
    Comparison, Condition, Context, Document, Effect, IdentityPolicies, Operator, Policies, Policy, Principals,
    Quantifier, Request, Select, Statement, TypedPrincipal, Version, evaluate, evaluate_federated,
    evaluate_service_principal,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::generate;
use crate::world::{Asked, Caller, Documents, Ready};

const WORLDS: u64 = 2_000;

fn everything(effect: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "*", "Resource": "*"}})
}

fn everything_for_everybody(effect: &str) -> Value {
    let mut document = everything(effect);
    document["Statement"]["Principal"] = "*".into();
    document
}

/// Adds the second policy's statements to the first's.
fn joined(one: Option<&Value>, other: &Value) -> Value {
    let mut statements: Vec<Value> = Vec::new();
    for document in one.into_iter().chain([other]) {
        match &document["Statement"] {
            Value::Array(several) => statements.extend(several.iter().cloned()),
            one => statements.push(one.clone()),
        }
    }
    json!({"Version": one.unwrap_or(other)["Version"], "Statement": statements})
}

fn outcome(documents: &Documents, asked: &Asked) -> String {
    Ready::new(documents).decide(asked).outcome
}

fn each_world(check: impl Fn(&Documents, &Asked)) {
    for seed in 0..WORLDS {
        let dice = Dice::new(seed);
        let (documents, base) = generate::world(&dice);
        check(&documents, &generate::variation(&dice, &base));
    }
}

#[test]
fn a_denial_overrides_whatever_else_is_said() {
    each_world(|documents, asked| {
        let denies = everything_for_everybody("Deny");
        let with = Documents { resource: Some(joined(documents.resource.as_ref(), &denies)), ..documents.clone() };
        assert!(outcome(&with, asked).starts_with("explicit"), "{asked:?}\n{with}");
        let mut with = documents.clone();
        with.identity.push(everything("Deny"));
        if matches!(asked.caller, Caller::User { .. } | Caller::Session { .. }) {
            assert_eq!(outcome(&with, asked), "explicit Identity", "{asked:?}\n{with}");
        }
    });
}

#[test]
fn a_further_allowance_takes_nothing_away() {
    each_world(|documents, asked| {
        let before = outcome(documents, asked);
        let mut with = documents.clone();
        with.identity.push(everything("Allow"));
        with.resource = Some(joined(documents.resource.as_ref(), &everything_for_everybody("Allow")));
        if let Some(session) = with.session.first_mut() {
            *session = joined(Some(session), &everything("Allow"));
        }
        let after = outcome(&with, asked);
        let expected = match &*before {
            "allowed" => after == "allowed",
            explicit if explicit.starts_with("explicit") => after == before,
            _ => !after.starts_with("explicit"),
        };
        assert!(expected, "{before} {after}\n{with}");
    });
}

#[test]
fn a_further_limit_gives_nothing() {
    each_world(|documents, asked| {
        let before = outcome(documents, asked);
        let nothing = json!({"Version": "2012-10-17", "Statement":
            {"Effect": "Allow", "Action": "none:None", "Resource": "*"}});
        let bounded = Documents { boundary: Some(nothing.clone()), ..documents.clone() };
        if documents.boundary.is_none() && before != "allowed" {
            assert_ne!(outcome(&bounded, asked), "allowed", "{asked:?}\n{bounded}");
        }
        let mut narrowed = documents.clone();
        narrowed.session = vec![nothing];
        if documents.session.is_empty() && before != "allowed" {
            assert_ne!(outcome(&narrowed, asked), "allowed", "{asked:?}\n{narrowed}");
        }
    });
}

#[test]
fn the_order_of_policies_does_not_matter() {
    each_world(|documents, asked| {
        let mut reversed = documents.clone();
        reversed.identity.reverse();
        reversed.session.reverse();
        assert_eq!(outcome(&reversed, asked), outcome(documents, asked), "{asked:?}\n{documents}");
    });
}

/// Texts of the characters that mean something somewhere.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[arn:awss3*?${}, '/é]{0,24}",
        1 => Just("arn:aws:s3:::photos/*".to_owned()),
        1 => Just("*".to_owned()),
        1 => "[0-9.:/+-]{0,20}",
        1 => any::<String>(),
    ]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..4)
}

fn element<T: Clone + std::fmt::Debug + 'static>(
    of: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Select<T>> {
    prop_oneof![of.clone().prop_map(Select::Only), of.prop_map(Select::Except)]
}

fn condition() -> impl Strategy<Value = Condition> {
    let quantifier = prop::option::of(prop_oneof![Just(Quantifier::ForAllValues), Just(Quantifier::ForAnyValue)]);
    (quantifier, prop::sample::select(Comparison::ALL), any::<bool>(), "[a-b]", texts()).prop_map(
        |(quantifier, comparison, if_exists, key, values)| Condition {
            operator: Operator { quantifier, comparison, if_exists },
            key,
            values,
        },
    )
}

fn statement() -> impl Strategy<Value = Statement> {
    let named = prop::collection::vec(
        (text(), 0..4).prop_map(|(text, kind)| match kind {
            0 => TypedPrincipal::Service(text),
            1 => TypedPrincipal::Federated(text),
            2 => TypedPrincipal::CanonicalUser(text),
            _ => TypedPrincipal::Aws(text),
        }),
        0..3,
    );
    let principals = element(prop_oneof![Just(Principals::Everyone), named.prop_map(Principals::Named)].boxed());
    let resources = prop::option::of(element(texts().boxed()));
    let parts = (any::<bool>(), prop::option::of(principals), element(texts().boxed()), resources);
    (parts, prop::collection::vec(condition(), 0..3)).prop_map(
        |((allow, principals, actions, resources), conditions)| Statement {
            sid: None,
            effect: if allow { Effect::Allow } else { Effect::Deny },
            principals,
            actions,
            resources,
            conditions,
        },
    )
}

fn document() -> impl Strategy<Value = Document> {
    let version = prop_oneof![Just(Version::V2008), Just(Version::V2012)];
    (version, prop::collection::vec(statement(), 0..3)).prop_map(|(version, statements)| Document {
        version,
        id: None,
        statements,
    })
}

proptest! {
    #[test]
    fn whatever_a_document_says_it_is_decided_without_panic(
        document in document(),
        action in text(),
        resource in text(),
        values in texts(),
    ) {
        let policy = Policy::new("any", document);
        let mut context = Context::new();
        context.set_all("a", values);
        let identity = IdentityPolicies { attached: vec![Arc::new(policy.clone())], boundary: None };
        let principal = Principal::root(AccountId::DEFAULT);
        let request = Request {
            principal: &principal,
            action: &action,
            resource: &resource,
            resource_account: AccountId::DEFAULT,
            context: &context,
        };
        let policies = Policies { identity: Some(&identity), resource: Some(&policy), ..Policies::default() };
        prop_assert!(!evaluate(&request, &policies).message(&request).is_empty());
        evaluate_service_principal(&action, &action, &resource, &context, &policy);
        evaluate_federated(&action, &action, &resource, &context, &policy);
        prop_assert_eq!(policy.mentions(""), policy.context_keys().next().is_some());
    }
}
