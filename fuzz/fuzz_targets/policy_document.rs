//! Policy documents: read or refused; what was read can be written and read again, made ready and asked.

#![no_main]

use base::{AccountId, Principal};
use libfuzzer_sys::fuzz_target;
use policy::{
    Context, Document, Policies, Policy, Purpose, Request, ResourceElement, counted_size, evaluate, parse, spans,
};

const PURPOSES: [Purpose; 7] = [
    Purpose::Managed,
    Purpose::Inline,
    Purpose::Trust,
    Purpose::PinnedTrust,
    Purpose::Session,
    Purpose::Resource(ResourceElement::Required),
    Purpose::Resource(ResourceElement::Optional),
];

fuzz_target!(|text: &str| {
    counted_size(text);
    for purpose in PURPOSES {
        match parse(text, purpose) {
            Ok(document) => {
                let written = document.to_json().to_string();
                assert_eq!(parse(&written, purpose).as_ref(), Ok(&document), "{written}");
                assert_eq!(spans(text).len(), document.statements.len());
                ask(document);
            }
            Err(malformed) => assert!(malformed.to_string().len() < 10_000 + text.len()),
        }
    }
});

/// The texts of the policy itself are what is most likely to be like them.
fn ask(document: Document) {
    let actions = document.statements.iter().flat_map(|statement| statement.actions.listed().clone());
    let resources = document.statements.iter().flat_map(|it| it.resources.iter().flat_map(|it| it.listed().clone()));
    let mut context = Context::new();
    for condition in document.statements.iter().flat_map(|statement| &statement.conditions) {
        context.set_all(&condition.key, condition.values.iter().cloned());
    }
    let action = actions.last().unwrap_or_default();
    let resource = resources.last().unwrap_or_default();
    let policy = Policy::new("fuzzed", document);
    let principal = Principal::root(AccountId::DEFAULT);
    let request = Request {
        principal: &principal,
        action: &action,
        resource: &resource,
        resource_account: AccountId::DEFAULT,
        context: &context,
    };
    let policies = Policies { resource: Some(&policy), resource_must_allow: true, ..Policies::default() };
    assert!(!evaluate(&request, &policies).message(&request).is_empty());
}
