//! What a draft must and must not say, in the order in which AWS looks: the first fault is the one that is told.

use std::collections::HashSet;

use super::date::is_date;
use super::resource::Form;
use super::syntax::{Draft, DraftStatement};
use super::{
    Document, Effect, Malformed, Principals, Purpose, ResourceElement, Select, Statement, TypedPrincipal, Version,
};

pub(super) fn check(draft: Draft, purpose: Purpose) -> Result<Document, Malformed> {
    if matches!(purpose, Purpose::Managed | Purpose::Session) && draft.version != Version::V2012 {
        return Err(Malformed::Version);
    }
    draft.statements.iter().try_for_each(check_legacy)?;
    check_sids(&draft.statements, purpose)?;
    match purpose {
        Purpose::Managed | Purpose::Inline | Purpose::Session => check_identity_policy(&draft.statements)?,
        Purpose::Trust => check_trust_policy(&draft.statements, TypedPrincipal::fits_trust_policy)?,
        Purpose::PinnedTrust => check_trust_policy(&draft.statements, TypedPrincipal::fits_pinned_trust_policy)?,
        Purpose::Resource(element) => check_resource_policy(&draft.statements, element)?,
    }
    let statements = draft.statements.into_iter().map(finish).collect::<Result<_, _>>()?;
    Ok(Document { version: draft.version, id: draft.id, statements })
}

fn check_legacy(statement: &DraftStatement) -> Result<(), Malformed> {
    effect(statement)?;
    let mut dates = statement.conditions.iter().filter(|it| it.operator.comparison.is_date());
    if !dates.all(|condition| condition.values.iter().all(|value| is_date(value))) {
        return Err(Malformed::Legacy);
    }
    for resource in listed(&statement.resources) {
        // A resource that cannot be read at all is told of later, in its own words.
        if let Ok(form) = Form::read(resource) {
            form.check_legacy()?;
        }
    }
    Ok(())
}

/// Of a resource's policy the services that write it themselves use other characters, too (`__default_statement_ID`).
fn check_sids(statements: &[DraftStatement], purpose: Purpose) -> Result<(), Malformed> {
    let any_characters = matches!(purpose, Purpose::Resource(_));
    let mut seen = HashSet::new();
    for sid in statements.iter().filter_map(|statement| statement.sid.as_deref()) {
        if !any_characters && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Malformed::Sid);
        }
        if !sid.is_empty() && !seen.insert(sid) {
            return Err(Malformed::SidTwice);
        }
    }
    Ok(())
}

fn check_identity_policy(statements: &[DraftStatement]) -> Result<(), Malformed> {
    let any = |fault: fn(&DraftStatement) -> bool| statements.iter().any(fault);
    if any(|statement| statement.principals.is_some()) {
        return Err(Malformed::Principal);
    }
    if any(|statement| listed(&statement.actions).is_empty()) {
        return Err(Malformed::NoActions);
    }
    if any(|statement| listed(&statement.resources).is_empty()) {
        return Err(Malformed::NoResources);
    }
    for resource in statements.iter().flat_map(|statement| listed(&statement.resources)) {
        Form::read(resource)?.check_service()?;
    }
    statements.iter().flat_map(|statement| listed(&statement.actions)).try_for_each(|action| check_action(action))
}

fn check_trust_policy(statements: &[DraftStatement], fits: fn(&TypedPrincipal) -> bool) -> Result<(), Malformed> {
    for statement in statements {
        let prohibited = match (&statement.resources, &statement.principals) {
            (Some(Select::Only(_)), _) => Some("Resource"),
            (Some(Select::Except(_)), _) => Some("NotResource"),
            (None, Some(Select::Except(_))) => Some("NotPrincipal"),
            (None, _) => None,
        };
        if let Some(field) = prohibited {
            return Err(Malformed::ProhibitedField { field });
        }
        let principals = statement.principals.as_ref().ok_or(Malformed::MissingField { field: "Principal" })?;
        check_principals(principals.listed(), fits)?;
        let actions = statement.actions.as_ref().ok_or(Malformed::MissingField { field: "Action" })?;
        if matches!(actions, Select::Except(_)) || actions.listed().is_empty() {
            return Err(Malformed::NotAssumeRole);
        }
        if !actions.listed().iter().all(|action| is_sts_action(action)) {
            return Err(Malformed::NotAssumeRole);
        }
    }
    Ok(())
}

fn check_resource_policy(statements: &[DraftStatement], element: ResourceElement) -> Result<(), Malformed> {
    for statement in statements {
        let principals = statement.principals.as_ref().ok_or(Malformed::MissingField { field: "Principal" })?;
        check_principals(principals.listed(), TypedPrincipal::fits_resource_policy)?;
        let actions = statement.actions.as_ref().ok_or(Malformed::MissingField { field: "Action" })?;
        if actions.listed().is_empty() {
            return Err(Malformed::NoActions);
        }
        actions.listed().iter().try_for_each(|action| check_action(action))?;
        match &statement.resources {
            None if element == ResourceElement::Optional => {}
            None => return Err(Malformed::MissingField { field: "Resource" }),
            Some(resources) if resources.listed().is_empty() => return Err(Malformed::NoResources),
            Some(resources) => {
                resources.listed().iter().try_for_each(|resource| Form::read(resource)?.check_service())?;
            }
        }
    }
    Ok(())
}

fn check_principals(principals: &Principals, fits: fn(&TypedPrincipal) -> bool) -> Result<(), Malformed> {
    match principals {
        Principals::Everyone => Ok(()),
        Principals::Named(named) if named.is_empty() => Err(Malformed::NoPrincipals),
        Principals::Named(named) => match named.iter().find(|principal| !fits(principal)) {
            Some(principal) => Err(principal.invalid()),
            None => Ok(()),
        },
    }
}

/// `*`, or `vendor:name` with wildcards in the name alone.
fn check_action(action: &str) -> Result<(), Malformed> {
    if action == "*" {
        return Ok(());
    }
    let (vendor, name) = action.split_once(':').ok_or(Malformed::NoVendor)?;
    if name.contains(':') {
        return Err(Malformed::Colons);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if vendor == "*" || vendor.bytes().all(plain) {
        Ok(())
    } else {
        Err(Malformed::Vendor { vendor: vendor.to_owned() })
    }
}

fn is_sts_action(action: &str) -> bool {
    action
        .split_once(':')
        .is_some_and(|(vendor, name)| vendor.eq_ignore_ascii_case("sts") && !name.is_empty() && !name.contains(':'))
}

fn effect(statement: &DraftStatement) -> Result<Effect, Malformed> {
    match statement.effect.as_str() {
        "Allow" => Ok(Effect::Allow),
        "Deny" => Ok(Effect::Deny),
        _ => Err(Malformed::Legacy),
    }
}

fn listed(element: &Option<Select<Vec<String>>>) -> &[String] {
    element.as_ref().map_or(&[], |element| element.listed())
}

fn finish(draft: DraftStatement) -> Result<Statement, Malformed> {
    Ok(Statement {
        effect: effect(&draft)?,
        sid: draft.sid,
        principals: draft.principals,
        actions: draft.actions.ok_or(Malformed::NoActions)?,
        resources: draft.resources,
        conditions: draft.conditions,
    })
}
