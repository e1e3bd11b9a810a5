//! The reference: as slow as it likes, as plain as it can be. It reads the JSON, shares no code with the crate, and says in
//! each place what IAM's documents say.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::world::{Answer, Asked, Caller, Documents};

pub(crate) fn decide(documents: &Documents, asked: &Asked) -> Answer {
    let outsider = matches!(asked.caller, Caller::Service(_) | Caller::Federated(_) | Caller::Anonymous);
    let root = matches!(asked.caller, Caller::Root { .. });
    let boundary: Vec<Value> = documents.boundary.iter().cloned().collect();
    let resource: Vec<Value> = documents.resource.iter().cloned().collect();
    let kinds: [(&str, &[Value], bool); 4] = [
        ("Identity", &documents.identity, !root && !outsider),
        ("Resource", &resource, true),
        ("Boundary", &boundary, !root && !outsider),
        ("Session", &documents.session, !outsider),
    ];
    let mut applied = Vec::new();
    let mut allowed = BTreeMap::<&str, bool>::new();
    let mut denied = Vec::new();
    let mut grant = "";
    for (kind, policies, bears) in kinds {
        for (at, policy) in policies.iter().enumerate().filter(|_| bears) {
            for (number, statement) in statements(policy).iter().enumerate() {
                let named = if kind == "Resource" { names(statement, &asked.caller) } else { "person" };
                if named.is_empty() || !applies(statement, policy, asked) {
                    continue;
                }
                applied.push((kind.to_owned(), at, number));
                if statement["Effect"] == "Deny" {
                    denied.push(kind);
                } else {
                    allowed.insert(kind, true);
                    if kind == "Resource" {
                        grant = stronger(grant, named);
                    }
                }
            }
        }
    }
    applied.sort();
    let is_allowed = |kind: &str| allowed.contains_key(kind);
    let outcome =
        if let Some(kind) = ["Identity", "Resource", "Boundary", "Session"].iter().find(|it| denied.contains(it)) {
            format!("explicit {kind}")
        } else {
            let missing: Vec<&str> = if outsider { vec!["Resource"] } else { has_to_allow(documents, asked, grant) };
            let lacks = missing.into_iter().find(|kind| {
                let exempt = match *kind {
                    "Identity" => root,
                    "Boundary" => root || documents.boundary.is_none(),
                    "Session" => documents.session.is_empty(),
                    _ => false,
                };
                !exempt && !is_allowed(kind)
            });
            lacks.map_or("allowed".to_owned(), |kind| format!("implicit {kind}"))
        };
    Answer { outcome, applied }
}

/// Which kinds of policy have to allow, in the order in which a lack is told.
fn has_to_allow(documents: &Documents, asked: &Asked, grant: &str) -> Vec<&'static str> {
    let same_account = account_of(&asked.caller) == Some(&asked.resource_account);
    if !same_account {
        return vec!["Identity", "Boundary", "Session", "Resource"];
    }
    // Only a role's session can be named apart from whoever opened it.
    let is_meant_as_opener = !matches!(asked.caller, Caller::Session { .. }) && !documents.session.is_empty();
    match grant {
        "person" if !is_meant_as_opener => vec![],
        "person" | "role" => vec!["Boundary", "Session"],
        "" if documents.resource_must_allow => vec!["Identity", "Boundary", "Session", "Resource"],
        _ => vec!["Identity", "Boundary", "Session"],
    }
}

fn stronger<'a>(one: &'a str, other: &'a str) -> &'a str {
    let strength = |name| ["", "account", "role", "person"].iter().position(|it| *it == name);
    if strength(one) > strength(other) { one } else { other }
}

fn account_of(caller: &Caller) -> Option<&String> {
    match caller {
        Caller::Root { account } | Caller::User { account, .. } | Caller::Session { account, .. } => Some(account),
        _ => None,
    }
}

fn statements(policy: &Value) -> Vec<&Value> {
    many(&policy["Statement"])
}

fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => vec![],
        one => vec![one],
    }
}

fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    many(value).into_iter().map(text).collect()
}

/// How a statement's principals name the caller: not at all, by account, by role, in person.
fn names(statement: &Value, caller: &Caller) -> &'static str {
    let allows = statement["Effect"] == "Allow";
    if !statement["NotPrincipal"].is_null() {
        // A denial counts a wildcard narrowly when it spares, an allowance widely when it leaves out.
        let listed =
            capacities(caller).into_iter().map(|it| is_listed(&statement["NotPrincipal"], caller, &it.1, allows));
        let listed: Vec<bool> = listed.collect();
        let spared = if allows { listed.contains(&true) } else { !listed.contains(&false) };
        return if spared { "" } else { "person" };
    }
    capacities(caller)
        .into_iter()
        .filter(|(_, spellings)| is_listed(&statement["Principal"], caller, spellings, !allows))
        .map(|(capacity, _)| capacity)
        .fold("", stronger)
}

/// What a caller is, each with its spellings.
fn capacities(caller: &Caller) -> Vec<(&'static str, Vec<String>)> {
    let account = |account: &str| ("account", vec![account.to_owned(), format!("arn:aws:iam::{account}:root")]);
    match caller {
        Caller::Root { account: id } => vec![account(id)],
        Caller::User { account: id, name } => {
            vec![account(id), ("person", vec![format!("arn:aws:iam::{id}:user/{name}"), format!("AIDA{name}")])]
        }
        Caller::Session { account: id, role, session } => vec![
            account(id),
            ("role", vec![format!("arn:aws:iam::{id}:role/ci/{role}"), format!("AROA{role}")]),
            (
                "person",
                vec![format!("arn:aws:sts::{id}:assumed-role/{role}/{session}"), format!("AROA{role}:{session}")],
            ),
        ],
        Caller::Service(name) => vec![("person", vec![name.clone()])],
        Caller::Federated(name) => vec![("person", vec![name.clone()])],
        Caller::Anonymous => vec![("person", vec![])],
    }
}

fn is_listed(element: &Value, caller: &Caller, spellings: &[String], widely: bool) -> bool {
    if element == "*" {
        return true;
    }
    let kind = match caller {
        Caller::Service(_) => "Service",
        Caller::Federated(_) => "Federated",
        _ => "AWS",
    };
    let any_aws = texts(&element["AWS"]).iter().any(|it| it == "*");
    let covered_by_any = any_aws && (kind != "Federated" || widely);
    covered_by_any || texts(&element[kind]).iter().any(|it| spellings.contains(it))
}

fn applies(statement: &Value, policy: &Value, asked: &Asked) -> bool {
    let variables = policy["Version"] == "2012-10-17";
    let has_action = |element: &Value| texts(element).iter().any(|it| is_action(it, &asked.action));
    let has_resource = |element: &Value| texts(element).iter().any(|it| is_resource(it, asked, variables));
    if !statement["Action"].is_null() && !has_action(&statement["Action"]) {
        return false;
    }
    if !statement["NotAction"].is_null() && has_action(&statement["NotAction"]) {
        return false;
    }
    if !statement["Resource"].is_null() && !has_resource(&statement["Resource"]) {
        return false;
    }
    if !statement["NotResource"].is_null() && has_resource(&statement["NotResource"]) {
        return false;
    }
    let Some(block) = statement["Condition"].as_object() else { return true };
    block.iter().all(|(operator, keys)| {
        let lines = keys.as_object().unwrap();
        lines.iter().all(|(key, values)| {
            let set = if statement["Effect"] == "Allow" { "ForAllValues" } else { "ForAnyValue" };
            condition_holds(operator, key, &texts(values), asked, variables, set)
        })
    })
}

/// What a pattern is made of.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Is(char),
    AnyOne,
    AnyRun,
    /// A variable that has no value.
    Nothing,
}

fn tokens(pattern: &str, wildcards: bool, variables: bool, asked: &Asked) -> Vec<Token> {
    let characters: Vec<char> = pattern.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < characters.len() {
        let rest: String = characters[at..].iter().collect();
        if variables && rest.starts_with("${") && rest.contains('}') {
            let inside: String = rest[2..].chars().take_while(|it| *it != '}').collect();
            match value_of(&inside, asked) {
                Some(value) => tokens.extend(value.chars().map(Token::Is)),
                None => tokens.push(Token::Nothing),
            }
            at += inside.chars().count() + 3;
            continue;
        }
        tokens.push(match characters[at] {
            '*' if wildcards => Token::AnyRun,
            '?' if wildcards => Token::AnyOne,
            other => Token::Is(other),
        });
        at += 1;
    }
    tokens
}

fn value_of(variable: &str, asked: &Asked) -> Option<String> {
    if ["*", "?", "$"].contains(&variable) {
        return Some(variable.to_owned());
    }
    let (name, default) = match variable.find(", '") {
        Some(at) => (&variable[..at], Some(variable[at + 3..].trim_end_matches('\'').to_owned())),
        None => (variable, None),
    };
    match given(name, asked).as_slice() {
        [] => default,
        [value] => Some(value.clone()),
        _ => None,
    }
}

fn given(key: &str, asked: &Asked) -> Vec<String> {
    let same = |name: &str| name.to_lowercase() == key.to_lowercase();
    asked.context.iter().find(|(name, _)| same(name)).map(|(_, values)| values.clone()).unwrap_or_default()
}

fn is_like(tokens: &[Token], text: &[char]) -> bool {
    match tokens.first() {
        None => text.is_empty(),
        Some(Token::Nothing) => false,
        Some(Token::Is(character)) => text.first() == Some(character) && is_like(&tokens[1..], &text[1..]),
        Some(Token::AnyOne) => !text.is_empty() && is_like(&tokens[1..], &text[1..]),
        Some(Token::AnyRun) => (0..=text.len()).any(|taken| is_like(&tokens[1..], &text[taken..])),
    }
}

fn is_text_like(tokens: &[Token], text: &str) -> bool {
    !tokens.contains(&Token::Nothing) && is_like(tokens, &text.chars().collect::<Vec<_>>())
}

fn is_action(pattern: &str, action: &str) -> bool {
    let nobody = Asked {
        caller: Caller::Anonymous,
        action: String::new(),
        resource: String::new(),
        resource_account: String::new(),
        context: BTreeMap::new(),
    };
    is_text_like(&tokens(&pattern.to_lowercase(), true, false, &nobody), &action.to_lowercase())
}

fn is_resource(pattern: &str, asked: &Asked, variables: bool) -> bool {
    if pattern == "*" {
        return true;
    }
    let mut parts = arn_parts(pattern, asked, variables, 5);
    while parts.len() < 6 {
        parts.push(vec![Token::AnyRun]);
    }
    is_arn_like(&parts, &asked.resource)
}

/// The parts of an ARN's pattern. Variables are put in afterwards, so a colon of theirs separates nothing, and in no part
/// before the one that is named.
fn arn_parts(pattern: &str, asked: &Asked, variables: bool, first: usize) -> Vec<Vec<Token>> {
    let mut parts = vec![String::new()];
    let mut inside = false;
    let characters: Vec<char> = pattern.chars().collect();
    for (at, character) in characters.iter().enumerate() {
        if variables && *character == '$' && characters.get(at + 1) == Some(&'{') {
            inside = true;
        }
        if *character == '}' {
            inside = false;
        }
        if *character == ':' && !inside && parts.len() < 6 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(*character);
        }
    }
    parts.iter().enumerate().map(|(at, part)| tokens(part, true, variables && at >= first, asked)).collect()
}

fn is_arn_like(parts: &[Vec<Token>], arn: &str) -> bool {
    let given: Vec<&str> = arn.splitn(6, ':').collect();
    given.len() == 6 && given[0] == "arn" && parts.iter().zip(given).all(|(part, text)| is_text_like(part, text))
}

/// `presumed` is the quantifier of a key with several values that has none.
fn condition_holds(
    operator: &str,
    key: &str,
    expected: &[String],
    asked: &Asked,
    variables: bool,
    presumed: &str,
) -> bool {
    let (set, operator) = operator.split_once(':').unwrap_or(("", operator));
    let (operator, if_exists) = match operator.strip_suffix("IfExists") {
        Some(operator) => (operator, true),
        None => (operator, false),
    };
    let values = given(key, asked);
    if operator == "Null" {
        return expected.iter().any(|it| it.to_lowercase() == values.is_empty().to_string());
    }
    let negated = operator.contains("Not");
    if values.is_empty() {
        return if_exists || set == "ForAllValues" || (set.is_empty() && negated);
    }
    let passes = |value: &String| {
        let alike = expected.iter().any(|it| is_alike(operator, value, it, asked, variables));
        alike != negated
    };
    match if set.is_empty() { presumed } else { set } {
        "ForAllValues" => values.iter().all(passes),
        _ => values.iter().any(passes),
    }
}

/// Whether a value is like an expected one, by the comparison without its `Not`.
fn is_alike(operator: &str, value: &str, expected: &str, asked: &Asked, variables: bool) -> bool {
    let exact = || tokens(expected, false, variables, asked);
    match operator.replace("Not", "").as_str() {
        "StringEquals" => is_text_like(&exact(), value),
        "StringEqualsIgnoreCase" => {
            let lower = |token: &Token| match token {
                Token::Is(character) => Token::Is(character.to_ascii_lowercase()),
                other => other.clone(),
            };
            is_text_like(&exact().iter().map(lower).collect::<Vec<_>>(), &value.to_ascii_lowercase())
        }
        "StringLike" => is_text_like(&tokens(expected, true, variables, asked), value),
        "NumericEquals" => number(value, expected, |a, b| a == b),
        "NumericLessThan" => number(value, expected, |a, b| a < b),
        "NumericLessThanEquals" => number(value, expected, |a, b| a <= b),
        "NumericGreaterThan" => number(value, expected, |a, b| a > b),
        "NumericGreaterThanEquals" => number(value, expected, |a, b| a >= b),
        "DateEquals" => date(value, expected, |a, b| a == b),
        "DateLessThan" => date(value, expected, |a, b| a < b),
        "DateLessThanEquals" => date(value, expected, |a, b| a <= b),
        "DateGreaterThan" => date(value, expected, |a, b| a > b),
        "DateGreaterThanEquals" => date(value, expected, |a, b| a >= b),
        "Bool" => {
            let value = value.to_lowercase();
            (value == "true" || value == "false") && value == expected.to_lowercase()
        }
        "BinaryEquals" => is_base64(value) && value == expected,
        "IpAddress" => is_in_network(value, expected),
        "ArnEquals" | "ArnLike" => {
            let is_variable = variables && expected.starts_with("${") && expected.find('}') == Some(expected.len() - 1);
            if is_variable {
                return is_arn_like(&vec![vec![Token::AnyRun]; 6], value) && is_text_like(&exact(), value);
            }
            let parts = arn_parts(expected, asked, variables, 0);
            parts.len() == 6 && is_arn_like(&parts, value)
        }
        other => panic!("{other} is no comparison"),
    }
}

fn number(value: &str, expected: &str, is: fn(f64, f64) -> bool) -> bool {
    match (value.parse::<f64>(), expected.parse::<f64>()) {
        (Ok(value), Ok(expected)) => is(value, expected),
        _ => false,
    }
}

fn date(value: &str, expected: &str, is: fn(jiff::Timestamp, jiff::Timestamp) -> bool) -> bool {
    match (instant(value), instant(expected)) {
        (Some(value), Some(expected)) => is(value, expected),
        _ => false,
    }
}

fn instant(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(seconds) = text.parse::<i64>() {
        return jiff::Timestamp::from_second(seconds).ok();
    }
    let midnight = || format!("{text}T00:00:00Z").parse().ok();
    text.parse().ok().or_else(midnight)
}

fn is_base64(text: &str) -> bool {
    let letter = |it: char| it.is_ascii_alphanumeric() || "+/=".contains(it);
    text.len().is_multiple_of(4) && text.chars().all(letter)
}

fn is_in_network(value: &str, network: &str) -> bool {
    let bits = |text: &str| match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(address) => Some(format!("{:032b}", address.to_bits())),
        IpAddr::V6(address) => Some(format!("{:0128b}", address.to_bits())),
    };
    let (address, prefix) = network.split_once('/').unwrap_or((network, "whole"));
    let (Some(value), Some(address)) = (bits(value), bits(address)) else { return false };
    let prefix = if prefix == "whole" { address.len() } else { prefix.parse().unwrap() };
    value.len() == address.len() && prefix <= address.len() && value[..prefix] == address[..prefix]
}
