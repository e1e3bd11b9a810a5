//! From JSON to a draft: which elements there are and of which types. What they say is checked afterwards.

use super::json::Json;
use super::{Condition, Malformed, Principals, Purpose, Select, TypedPrincipal, Version};

/// A document whose elements have the right types.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) version: Version,
    pub(super) id: Option<String>,
    pub(super) statements: Vec<DraftStatement>,
}

/// A statement whose elements have the right types; what a statement must have may still be missing.
#[derive(Debug, Default)]
pub(super) struct DraftStatement {
    pub(super) sid: Option<String>,
    /// As written; case matters, but is not looked at first.
    pub(super) effect: String,
    pub(super) principals: Option<Select<Principals>>,
    pub(super) actions: Option<Select<Vec<String>>>,
    pub(super) resources: Option<Select<Vec<String>>>,
    pub(super) conditions: Vec<Condition>,
}

pub(super) fn draft(json: Json, purpose: Purpose) -> Result<Draft, Malformed> {
    let (mut version, mut id, mut statements) = (Version::V2008, None, None);
    for (name, value) in object(json)? {
        match name.as_str() {
            "Version" => version = read_version(value)?,
            "Id" => id = Some(text(value)?),
            "Statement" => statements = Some(value),
            _ => return Err(unknown(name, purpose)),
        }
    }
    let statements = match statements.ok_or_else(|| missing("Statement", purpose))? {
        Json::List(items) => items,
        one => vec![one],
    };
    if statements.is_empty() {
        return Err(Malformed::Syntax);
    }
    let statements = statements.into_iter().map(|json| statement(json, purpose)).collect::<Result<_, _>>()?;
    Ok(Draft { version, id, statements })
}

fn statement(json: Json, purpose: Purpose) -> Result<DraftStatement, Malformed> {
    let mut draft = DraftStatement::default();
    let mut effect = None;
    for (name, value) in object(json)? {
        match name.as_str() {
            "Sid" => draft.sid = Some(text(value)?),
            "Effect" => effect = Some(text(value)?),
            "Principal" => set(&mut draft.principals, Select::Only(principals(value)?))?,
            "NotPrincipal" => set(&mut draft.principals, Select::Except(principals(value)?))?,
            "Action" => set(&mut draft.actions, Select::Only(texts(value)?))?,
            "NotAction" => set(&mut draft.actions, Select::Except(texts(value)?))?,
            "Resource" => set(&mut draft.resources, Select::Only(texts(value)?))?,
            "NotResource" => set(&mut draft.resources, Select::Except(texts(value)?))?,
            "Condition" => draft.conditions = conditions(value)?,
            _ => return Err(unknown(name, purpose)),
        }
    }
    draft.effect = effect.ok_or_else(|| missing("Effect", purpose))?;
    if ["allow", "deny"].iter().any(|word| draft.effect.eq_ignore_ascii_case(word)) {
        Ok(draft)
    } else {
        Err(Malformed::Syntax)
    }
}

fn conditions(json: Json) -> Result<Vec<Condition>, Malformed> {
    let mut conditions = Vec::new();
    for (name, block) in object(json)? {
        let block = object(block)?;
        // An operator that does not exist is let pass when nothing is compared with it.
        if block.is_empty() {
            continue;
        }
        let operator = name.parse().map_err(|_| Malformed::Syntax)?;
        for (key, value) in block {
            conditions.push(Condition { operator, key, values: scalars(value)? });
        }
    }
    // All of them must hold, so their order says nothing: one order makes equal documents equal.
    conditions.sort_by_cached_key(|condition| (condition.operator.to_string(), condition.key.clone()));
    Ok(conditions)
}

fn principals(json: Json) -> Result<Principals, Malformed> {
    let members = match json {
        Json::Text(text) if text == "*" => return Ok(Principals::Everyone),
        other => object(other)?,
    };
    let mut named = Vec::new();
    for (kind, value) in members {
        for value in texts(value)? {
            named.push(TypedPrincipal::new(&kind, value).ok_or(Malformed::Syntax)?);
        }
    }
    named.sort_by_key(TypedPrincipal::kind);
    Ok(Principals::Named(named))
}

/// An element and its `Not` form exclude each other.
fn set<T>(place: &mut Option<T>, value: T) -> Result<(), Malformed> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::Syntax),
    }
}

fn read_version(json: Json) -> Result<Version, Malformed> {
    match text(json)?.as_str() {
        "2012-10-17" => Ok(Version::V2012),
        "2008-10-17" => Ok(Version::V2008),
        _ => Err(Malformed::Syntax),
    }
}

fn object(json: Json) -> Result<Vec<(String, Json)>, Malformed> {
    match json {
        Json::Object(members) => Ok(members),
        _ => Err(Malformed::Syntax),
    }
}

fn text(json: Json) -> Result<String, Malformed> {
    match json {
        Json::Text(text) => Ok(text),
        _ => Err(Malformed::Syntax),
    }
}

fn texts(json: Json) -> Result<Vec<String>, Malformed> {
    one_or_many(json).into_iter().map(text).collect()
}

fn scalars(json: Json) -> Result<Vec<String>, Malformed> {
    let scalar = |json| match json {
        Json::Text(text) | Json::Number(text) => Ok(text),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Null | Json::List(_) | Json::Object(_) => Err(Malformed::Syntax),
    };
    one_or_many(json).into_iter().map(scalar).collect()
}

fn one_or_many(json: Json) -> Vec<Json> {
    match json {
        Json::List(items) => items,
        one => vec![one],
    }
}

fn unknown(field: String, purpose: Purpose) -> Malformed {
    if purpose.names_fields() { Malformed::UnknownField { field } } else { Malformed::Syntax }
}

fn missing(field: &'static str, purpose: Purpose) -> Malformed {
    if purpose.names_fields() { Malformed::MissingField { field } } else { Malformed::Syntax }
}
