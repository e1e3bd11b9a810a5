//! Policies and requests that have much to do with each other: patterns are made from what is asked, conditions from what
//! the context says, and then a little is changed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::dice::Dice;
use crate::world::{Asked, Caller, Documents};

const OURS: &str = "111122223333";
const THEIRS: &str = "444455556666";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/issuer.example";
const SERVICE: &str = "logs.amazonaws.com";

const ACTIONS: [&str; 7] = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "sqs:SendMessage",
    "ecs:RunTask",
    "ec2:DescribeInstances",
    "sts:AssumeRole",
];
const RESOURCES: [&str; 8] = [
    "arn:aws:s3:::photos/alice/cat.jpg",
    "arn:aws:s3:::photos",
    "arn:aws:s3:::homes/AROAdeployer:build-7/a:b",
    "arn:aws:sqs:us-east-1:111122223333:jobs",
    "arn:aws:sqs:eu-north-1:444455556666:jobs-é",
    "arn:aws:ecs:us-east-1:111122223333:task-definition/red:7",
    "arn:aws:iam::111122223333:role/ci/deployer",
    "*",
];
const TEXTS: [&str; 10] =
    ["alice", "bob", "red", "Red", "blue", "AROAdeployer:build-7", "us-east-1", "a*b", "é", "photos"];
const NUMBERS: [&str; 7] = ["0", "1", "1.50", "7", "10", "100.25", "1767225600"];
const DATES: [&str; 7] = [
    "2025-12-31T23:59:59Z",
    "2026-01-01",
    "2026-01-01T00:00:00Z",
    "2026-01-01T01:00:00+01:00",
    "2026-01-01T00:00:00.5Z",
    "1767225600",
    "1767225601",
];
const BOOLS: [&str; 3] = ["true", "false", "True"];
const ADDRESSES: [&str; 6] = ["203.0.113.7", "203.0.112.7", "203.0.113.200", "203.0.114.7", "10.1.2.3", "2001:db8::7"];
const NETWORKS: [&str; 9] = [
    "203.0.113.0/24",
    "203.0.113.77/25",
    "203.0.112.0/22",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "::/0",
    "2001:db8::/32",
    "203.0.113.7",
    "10.0.0.0/33",
];
const BINARIES: [&str; 3] = ["QmluYXJ5", "QmluYXJ5VmFsdWU=", "no base64"];

/// The keys of contexts, with the comparisons that suit them and the values that they and policies have.
struct Key {
    name: &'static str,
    operators: &'static [&'static str],
    values: &'static [&'static str],
    expected: &'static [&'static str],
}

const STRINGS: &[&str] = &[
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
];
const NUMERIC: &[&str] = &[
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
];
const DATED: &[&str] =
    &["DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"];
const ARNS: &[&str] = &["ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"];
const BOOL: &[&str] = &["Bool"];
const BINARY: &[&str] = &["BinaryEquals"];
const NETWORK: &[&str] = &["IpAddress", "NotIpAddress"];

const KEYS: [Key; 16] = [
    Key { name: "aws:username", operators: STRINGS, values: &TEXTS, expected: &TEXTS },
    Key { name: "aws:userid", operators: STRINGS, values: &TEXTS, expected: &TEXTS },
    Key { name: "aws:PrincipalTag/team", operators: STRINGS, values: &TEXTS, expected: &TEXTS },
    Key { name: "aws:ResourceTag/team", operators: STRINGS, values: &TEXTS, expected: &TEXTS },
    Key { name: "aws:PrincipalAccount", operators: STRINGS, values: &[OURS], expected: &[OURS, THEIRS] },
    Key { name: "s3:prefix", operators: STRINGS, values: &TEXTS, expected: &TEXTS },
    Key { name: "aws:TagKeys", operators: STRINGS, values: &TEXTS, expected: &TEXTS },
    Key { name: "aws:CalledVia", operators: STRINGS, values: &TEXTS, expected: &TEXTS },
    Key { name: "s3:max-keys", operators: NUMERIC, values: &NUMBERS, expected: &NUMBERS },
    Key { name: "aws:CurrentTime", operators: DATED, values: &DATES, expected: &DATES },
    Key { name: "aws:SecureTransport", operators: BOOL, values: &BOOLS, expected: &BOOLS },
    Key { name: "aws:SourceIp", operators: NETWORK, values: &ADDRESSES, expected: &NETWORKS },
    Key { name: "aws:SourceArn", operators: ARNS, values: &RESOURCES, expected: &RESOURCES },
    Key { name: "aws:PrincipalArn", operators: ARNS, values: &RESOURCES, expected: &RESOURCES },
    Key { name: "app:digest", operators: BINARY, values: &BINARIES, expected: &BINARIES },
    Key { name: "app:never", operators: STRINGS, values: &[], expected: &TEXTS },
];
const ALL_OPERATORS: [&[&str]; 7] = [STRINGS, NUMERIC, DATED, ARNS, BOOL, BINARY, NETWORK];

/// Policies, and the request that they were made for.
pub(crate) fn world(dice: &Dice) -> (Documents, Asked) {
    let asked = asked(dice);
    let own = |dice: &Dice, denials| document(dice, &asked, false, denials);
    let documents = Documents {
        identity: dice.several(0, 3, |dice| own(dice, 8)),
        boundary: dice.percent(35).then(|| own(dice, 15)),
        session: if dice.percent(30) { dice.several(1, 2, |dice| own(dice, 15)) } else { Vec::new() },
        resource: dice.percent(60).then(|| document(dice, &asked, true, 12)),
        resource_must_allow: dice.percent(15),
    };
    (documents, asked)
}

/// The request, or one that differs a little.
pub(crate) fn variation(dice: &Dice, base: &Asked) -> Asked {
    let mut asked = base.clone();
    let other = self::asked(dice);
    if dice.percent(15) {
        asked.action = other.action;
    }
    if dice.percent(15) {
        asked.resource = other.resource;
    }
    if dice.percent(15) {
        asked.caller = other.caller;
    }
    if dice.percent(10) {
        asked.resource_account = other.resource_account;
    }
    for (key, values) in other.context {
        let (changes, goes) = (dice.percent(10), dice.percent(5));
        if changes || goes {
            // A key is there once, however it is written.
            asked.context.retain(|known, _| !known.eq_ignore_ascii_case(&key));
        }
        if changes {
            asked.context.insert(key, values);
        }
    }
    asked
}

fn asked(dice: &Dice) -> Asked {
    let mut context = BTreeMap::new();
    for key in KEYS.iter().filter(|key| !key.values.is_empty()) {
        let most = if ["aws:TagKeys", "aws:CalledVia"].contains(&key.name) { 3 } else { 1 };
        if dice.percent(75) {
            let name = if dice.percent(20) { key.name.to_uppercase() } else { key.name.to_owned() };
            context.insert(name, dice.several(1, most, |dice| dice.one(key.values).to_owned()));
        }
    }
    Asked {
        caller: caller(dice),
        action: dice.one(&ACTIONS).to_owned(),
        resource: dice.one(&RESOURCES).to_owned(),
        resource_account: if dice.percent(75) { OURS } else { THEIRS }.to_owned(),
        context,
    }
}

fn caller(dice: &Dice) -> Caller {
    let account = if dice.percent(85) { OURS } else { THEIRS }.to_owned();
    match dice.below(100) {
        0..40 => Caller::User { account, name: dice.one(&["alice", "bob"]).to_owned() },
        40..80 => Caller::Session {
            account,
            role: dice.one(&["deployer", "worker"]).to_owned(),
            session: dice.one(&["build-7", "x"]).to_owned(),
        },
        80..88 => Caller::Root { account },
        88..92 => Caller::Service(SERVICE.to_owned()),
        92..96 => Caller::Federated(PROVIDER.to_owned()),
        _ => Caller::Anonymous,
    }
}

fn document(dice: &Dice, asked: &Asked, on_resource: bool, denials: usize) -> Value {
    let version = if dice.percent(85) { "2012-10-17" } else { "2008-10-17" };
    let mut statements = dice.several(1, 3, |dice| statement(dice, asked, on_resource, denials));
    let statements = if statements.len() == 1 && dice.percent(50) { statements.remove(0) } else { json!(statements) };
    json!({"Version": version, "Statement": statements})
}

fn statement(dice: &Dice, asked: &Asked, on_resource: bool, denials: usize) -> Value {
    let mut statement = Map::new();
    let denies = dice.percent(denials);
    statement.insert("Effect".to_owned(), if denies { "Deny" } else { "Allow" }.into());
    if on_resource {
        let element = if dice.percent(12) { "NotPrincipal" } else { "Principal" };
        statement.insert(element.to_owned(), principals(dice, &asked.caller));
    }
    let element = if dice.percent(12) { "NotAction" } else { "Action" };
    statement.insert(element.to_owned(), listed(dice, |dice| action(dice, &asked.action)));
    if !on_resource || dice.percent(80) {
        let element = if dice.percent(12) { "NotResource" } else { "Resource" };
        statement.insert(element.to_owned(), listed(dice, |dice| resource(dice, asked)));
    }
    if dice.percent(if denies { 70 } else { 35 }) {
        statement.insert("Condition".to_owned(), conditions(dice, asked));
    }
    Value::Object(statement)
}

/// One or several, as a text or a list.
fn listed(dice: &Dice, make: impl Fn(&Dice) -> String) -> Value {
    match dice.several(1, 3, make).as_slice() {
        [one] if dice.percent(60) => json!(one),
        several => json!(several),
    }
}

fn principals(dice: &Dice, caller: &Caller) -> Value {
    if dice.percent(12) {
        return "*".into();
    }
    let mut by_kind = BTreeMap::<&str, Vec<String>>::new();
    for (kind, name) in dice.several(1, 4, |dice| principal(dice, caller)) {
        by_kind.entry(kind).or_default().push(name);
    }
    json!(by_kind)
}

fn principal(dice: &Dice, caller: &Caller) -> (&'static str, String) {
    let somebody = self::caller(dice);
    let caller = if dice.percent(75) { caller } else { &somebody };
    let root = |account: &String| format!("arn:aws:iam::{account}:root");
    let names = match caller {
        Caller::Root { account } => vec![account.clone(), root(account)],
        Caller::User { account, name } => {
            vec![account.clone(), root(account), format!("arn:aws:iam::{account}:user/{name}"), format!("AIDA{name}")]
        }
        Caller::Session { account, role, session } => vec![
            account.clone(),
            root(account),
            format!("arn:aws:iam::{account}:role/ci/{role}"),
            format!("AROA{role}"),
            format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            format!("AROA{role}:{session}"),
        ],
        Caller::Service(name) => return ("Service", name.clone()),
        Caller::Federated(name) => return ("Federated", name.clone()),
        Caller::Anonymous => vec!["*".to_owned()],
    };
    if dice.percent(5) { ("AWS", "*".to_owned()) } else { ("AWS", names[dice.below(names.len())].clone()) }
}

fn action(dice: &Dice, asked: &str) -> String {
    let action = if dice.percent(75) { asked } else { dice.one(&ACTIONS) };
    let (service, name) = action.split_once(':').unwrap();
    let cut = dice.below(name.len());
    match dice.below(10) {
        0..3 => "*".to_owned(),
        3 => format!("{service}:*"),
        4 => format!("{service}:{}*", &name[..cut]),
        5 => format!("{service}:*{}", &name[cut..]),
        6 => format!("{service}:{}?{}", &name[..cut], &name[cut + 1..]),
        7 => format!("*:{}*", &name[..cut]),
        8 => action.to_uppercase(),
        _ => action.to_owned(),
    }
}

fn resource(dice: &Dice, asked: &Asked) -> String {
    let resource = if dice.percent(80) { &*asked.resource } else { dice.one(&RESOURCES) };
    if resource == "*" || dice.percent(30) {
        return "*".to_owned();
    }
    let mut parts: Vec<String> = resource.splitn(6, ':').map(str::to_owned).collect();
    // Where a wildcard may stand: not in the service, nor in place of IAM's kinds of resources.
    for at in [1, 3, 4] {
        if dice.percent(20) {
            parts[at] = "*".to_owned();
        }
    }
    let kind = if parts[2] == "iam" { "role/" } else { "" };
    let path = parts[5].strip_prefix(kind).unwrap_or_default().to_owned();
    parts[5] = format!("{kind}{}", pattern(dice, &path, asked));
    if parts[2] != "iam" && dice.percent(8) {
        parts[4] = "${aws:PrincipalAccount}".to_owned();
    }
    let may_be_cut = parts.iter().all(|part| !part.is_empty()) && parts[2] != "iam";
    if may_be_cut && dice.percent(20) {
        parts.truncate(3 + dice.below(3));
    }
    parts.join(":")
}

/// A text, or something that is like it.
fn pattern(dice: &Dice, text: &str, asked: &Asked) -> String {
    let characters: Vec<char> = text.chars().collect();
    let at = dice.below(characters.len() + 1);
    let from = |range: std::ops::Range<usize>| characters[range].iter().collect::<String>();
    let end = characters.len();
    match dice.below(12) {
        0 => "*".to_owned(),
        1 => format!("{}*", from(0..at)),
        2 => format!("*{}", from(at..end)),
        3 if at < end => format!("{}?{}", from(0..at), from(at + 1..end)),
        4 => format!("*{}*", from(at..end)),
        5 => format!("{}*{}", from(0..at), from(at + dice.below(end - at + 1)..end)),
        6 | 7 => with_variable(dice, text, asked),
        8 => format!("${{app:never, '{text}'}}"),
        9 => text.replace('*', "${*}"),
        _ => text.to_owned(),
    }
}

/// The text with a variable in the place of a value that the context has, or of all of it.
fn with_variable(dice: &Dice, text: &str, asked: &Asked) -> String {
    let variable = |key: &str| format!("${{{key}}}");
    for (key, values) in &asked.context {
        for value in values.iter().filter(|value| value.len() > 2) {
            if text.contains(value.as_str()) && dice.percent(80) {
                return text.replacen(value, &variable(key), 1);
            }
        }
    }
    variable(KEYS[dice.below(KEYS.len())].name)
}

fn conditions(dice: &Dice, asked: &Asked) -> Value {
    let mut block = Map::new();
    for _ in 0..1 + dice.below(2) {
        let (operator, key, values) = condition(dice, asked);
        let keys = block.entry(operator).or_insert_with(|| json!({}));
        keys[key] = values;
    }
    Value::Object(block)
}

fn condition(dice: &Dice, asked: &Asked) -> (String, String, Value) {
    let key = &KEYS[dice.below(KEYS.len())];
    let name = if dice.percent(20) { key.name.to_lowercase() } else { key.name.to_owned() };
    if dice.percent(8) {
        return ("Null".to_owned(), name, json!(dice.one(&BOOLS)));
    }
    let operators = if dice.percent(92) { key.operators } else { ALL_OPERATORS[dice.below(ALL_OPERATORS.len())] };
    let operator = dice.one(operators);
    let given = asked.context.iter().find(|(given, _)| given.eq_ignore_ascii_case(key.name)).map(|(_, values)| values);
    let expected = |dice: &Dice| -> String {
        if operator.starts_with("Date") {
            return dice.one(&DATES).to_owned();
        }
        let text = match given {
            Some(values) if dice.percent(60) && operators == key.operators && key.name != "aws:SourceIp" => {
                values[dice.below(values.len())].clone()
            }
            _ => dice.one(key.expected).to_owned(),
        };
        match operator {
            operator if operator.starts_with("String") => pattern(dice, &text, asked),
            operator if operator.starts_with("Arn") => arn(dice, &text, asked),
            _ => text,
        }
    };
    let set = match name.as_str() {
        "aws:TagKeys" | "aws:tagkeys" if dice.percent(80) => dice.one(&["ForAllValues:", "ForAnyValue:"]),
        _ if dice.percent(10) => dice.one(&["ForAllValues:", "ForAnyValue:"]),
        _ => "",
    };
    let if_exists = if dice.percent(20) { "IfExists" } else { "" };
    let least = usize::from(!dice.percent(3));
    (format!("{set}{operator}{if_exists}"), name, json!(dice.several(least, 2, expected)))
}

fn arn(dice: &Dice, text: &str, asked: &Asked) -> String {
    let mut parts: Vec<String> = text.splitn(6, ':').map(str::to_owned).collect();
    if parts.len() < 6 || dice.percent(8) {
        return dice.one(&["*", "arn:aws:s3:*", "${aws:PrincipalArn}", "${aws:SourceArn}", "arn:*:*:*:*:*"]).to_owned();
    }
    let at = 1 + dice.below(5);
    parts[at] = pattern(dice, &parts[at], asked);
    parts.join(":")
}
