//! Whether a role's trust policy lets a caller assume it. Pure, and closed where it does not understand: a statement
//! that may or may not apply does not allow, and does deny.
//!
//! Understood are principals of the type AWS, actions with wildcards, and the condition `StringEquals` on
//! `sts:ExternalId`. `*` as principal stands for the role's own account alone: another account is let in only where the
//! policy names it.

use base::{AccountId, Principal, PrincipalKind};
use serde_json::Value;

use crate::statement::{self, Statement, texts};

const EXTERNAL_ID_KEY: &str = "sts:ExternalId";

/// What is attempted with a role.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub(crate) caller: &'a Principal,
    /// The role's account.
    pub(crate) account: AccountId,
    pub(crate) action: &'a str,
    pub(crate) external_id: Option<&'a str>,
}

/// Whether something applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Applies {
    Yes,
    No,
    Unknown,
}

impl Applies {
    fn when(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Unknown,
        }
    }
}

/// Whether the trust policy, JSON, permits the attempt.
pub(crate) fn permits(trust_policy: &str, attempt: &Attempt<'_>) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(trust_policy) else { return false };
    let Some(statements) = statement::of_document(&document) else { return false };
    let mut allowed = false;
    for statement in statements {
        let applies = applies(statement, attempt);
        if statement.get("Effect").and_then(Value::as_str) == Some("Allow") {
            allowed |= applies == Applies::Yes;
        } else if applies != Applies::No {
            return false;
        }
    }
    allowed
}

fn applies(statement: &Statement, attempt: &Attempt<'_>) -> Applies {
    let complete = statement.contains_key("Principal") && statement.contains_key("Action");
    let start = if complete { Applies::Yes } else { Applies::Unknown };
    statement.iter().fold(start, |so_far, (name, value)| {
        so_far.and(match name.as_str() {
            "Sid" | "Effect" => Applies::Yes,
            "Principal" => to_principal(value, attempt),
            "Action" => to_action(value, attempt.action),
            "Condition" => under_conditions(value, attempt.external_id),
            _ => Applies::Unknown,
        })
    })
}

fn to_principal(element: &Value, attempt: &Attempt<'_>) -> Applies {
    let named = match element {
        Value::String(text) if text == "*" => vec!["*"],
        // The other types of principal are services and providers, none of which calls here.
        Value::Object(by_type) => match by_type.get("AWS").map(texts) {
            None => return Applies::No,
            Some(None) => return Applies::Unknown,
            Some(Some(named)) => named,
        },
        _ => return Applies::Unknown,
    };
    if named.iter().any(|name| names(name, attempt.caller)) {
        return Applies::Yes;
    }
    match named.contains(&"*") {
        true if attempt.caller.account == attempt.account => Applies::Yes,
        true => Applies::Unknown,
        false => Applies::No,
    }
}

/// Whether a principal, written as account, ARN or unique id, is the caller.
fn names(name: &str, caller: &Principal) -> bool {
    let is_account = name == caller.account.as_str() || name == format!("arn:aws:iam::{}:root", caller.account);
    let is_caller = name == caller.user_id || name == caller.arn.to_string();
    let is_role = match &caller.kind {
        PrincipalKind::AssumedRole { role_arn, role_id, .. } => name == role_id || name == role_arn.to_string(),
        PrincipalKind::Root | PrincipalKind::User { .. } => false,
    };
    is_account || is_caller || is_role
}

fn to_action(element: &Value, action: &str) -> Applies {
    match texts(element) {
        Some(patterns) => Applies::when(patterns.iter().any(|pattern| matches(pattern, action))),
        None => Applies::Unknown,
    }
}

/// Whether `text` fits a pattern in which `*` stands for anything and `?` for one character, whatever the case.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last `*` was, and how much of the text it stands for so far.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                Some((at, covered)) => {
                    *covered += 1;
                    (p, t) = (*at + 1, *covered);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn under_conditions(element: &Value, external_id: Option<&str>) -> Applies {
    let Value::Object(by_operator) = element else { return Applies::Unknown };
    by_operator.iter().fold(Applies::Yes, |so_far, (operator, block)| {
        let Value::Object(keys) = block else { return so_far.and(Applies::Unknown) };
        keys.iter().fold(so_far, |so_far, (key, values)| {
            let understood = operator == "StringEquals" && key.eq_ignore_ascii_case(EXTERNAL_ID_KEY);
            so_far.and(if understood { equals(values, external_id) } else { Applies::Unknown })
        })
    })
}

fn equals(values: &Value, external_id: Option<&str>) -> Applies {
    let Some(values) = texts(values) else { return Applies::Unknown };
    let Some(external_id) = external_id else { return Applies::No };
    if values.iter().any(|value| value.contains("${")) {
        return Applies::Unknown;
    }
    Applies::when(values.contains(&external_id))
}

#[cfg(test)]
mod tests {
    use base::Arn;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const HERE: &str = "111111111111";
    const ELSEWHERE: &str = "222222222222";

    fn session(account: &str) -> Principal {
        let account: AccountId = account.parse().unwrap();
        Principal {
            account,
            arn: Arn::global("sts", account, "assumed-role/deploy/ci"),
            user_id: "AROADEPLOY:ci".to_owned(),
            kind: PrincipalKind::AssumedRole {
                role_arn: Arn::global("iam", account, "role/team/deploy"),
                role_id: "AROADEPLOY".to_owned(),
                session_name: "ci".to_owned(),
            },
        }
    }

    fn root(account: &str) -> Principal {
        Principal::root(account.parse().unwrap())
    }

    fn permits_with(statements: Value, caller: &Principal, external_id: Option<&str>) -> bool {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let account = HERE.parse().unwrap();
        permits(&document, &Attempt { caller, account, action: "sts:AssumeRole", external_id })
    }

    fn allow(principal: &Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    }

    #[test]
    fn principals_decide_who_is_let_in() {
        let callers = [root(HERE), session(HERE), root(ELSEWHERE), session(ELSEWHERE)];
        let rows = [
            (json!({"AWS": HERE}), [true, true, false, false]),
            (json!({"AWS": [ELSEWHERE, "333333333333"]}), [false, false, true, true]),
            (json!({"AWS": format!("arn:aws:iam::{HERE}:root")}), [true, true, false, false]),
            (json!({"AWS": "*"}), [true, true, false, false]),
            (json!("*"), [true, true, false, false]),
            (json!({"AWS": ["*", ELSEWHERE]}), [true, true, true, true]),
            (json!({"AWS": format!("arn:aws:iam::{HERE}:role/team/deploy")}), [false, true, false, false]),
            (json!({"AWS": format!("arn:aws:iam::{HERE}:role/deploy")}), [false; 4]),
            (json!({"AWS": format!("arn:aws:sts::{ELSEWHERE}:assumed-role/deploy/ci")}), [false, false, false, true]),
            (json!({"AWS": "AROADEPLOY"}), [false, true, false, true]),
            (json!({"AWS": "AROADEPLOY:ci"}), [false, true, false, true]),
            (json!({"AWS": "AROADEPLOY:other"}), [false; 4]),
            (json!({"AWS": format!("arn:aws:iam::{HERE}:*")}), [false; 4]),
            (json!({"Service": "ecs-tasks.amazonaws.com"}), [false; 4]),
            (json!({"Service": "x.amazonaws.com", "AWS": HERE}), [true, true, false, false]),
            (json!({"AWS": {}}), [false; 4]),
            (json!({}), [false; 4]),
            (json!([HERE]), [false; 4]),
        ];
        for (principal, expected) in rows {
            let found = callers.each_ref().map(|caller| permits_with(allow(&principal), caller, None));
            assert_eq!(found, expected, "{principal}");
        }
    }

    #[test]
    fn a_user_is_named_by_arn_or_unique_id() {
        let account: AccountId = HERE.parse().unwrap();
        let user = Principal {
            account,
            arn: Arn::global("iam", account, "user/alice"),
            user_id: "AIDAALICE".to_owned(),
            kind: PrincipalKind::User { name: "alice".to_owned() },
        };
        for (name, expected) in
            [("AIDAALICE", true), ("arn:aws:iam::111111111111:user/alice", true), ("AIDABOB", false)]
        {
            assert_eq!(permits_with(allow(&json!({"AWS": name})), &user, None), expected, "{name}");
        }
    }

    #[test]
    fn actions_are_matched_with_wildcards_in_any_case() {
        let rows = [
            (json!("sts:AssumeRole"), true),
            (json!("STS:assumerole"), true),
            (json!(["sts:TagSession", "sts:Assume*"]), true),
            (json!("sts:*"), true),
            (json!("*"), true),
            (json!("sts:AssumeRol?"), true),
            (json!("sts:AssumeRole?"), false),
            (json!("sts:AssumeRoleWithSAML"), false),
            (json!("sts:TagSession"), false),
            (json!([]), false),
            (json!(1), false),
        ];
        for (action, expected) in rows {
            let statement = json!({"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": action});
            assert_eq!(permits_with(statement, &root(HERE), None), expected, "{action}");
        }
    }

    #[test]
    fn only_the_external_id_is_understood_as_condition() {
        let rows = [
            (json!({}), None, true),
            (json!({"StringEquals": {}}), None, true),
            (json!({"StringEquals": {"sts:ExternalId": "x"}}), Some("x"), true),
            (json!({"StringEquals": {"STS:externalid": ["w", "x"]}}), Some("x"), true),
            (json!({"StringEquals": {"sts:ExternalId": "x"}}), Some("X"), false),
            (json!({"StringEquals": {"sts:ExternalId": "x"}}), None, false),
            (json!({"StringEquals": {"sts:ExternalId": "${aws:userid}"}}), Some("${aws:userid}"), false),
            (json!({"StringEquals": {"sts:ExternalId": "x", "aws:SourceIp": "10.0.0.1"}}), Some("x"), false),
            (json!({"StringLike": {"sts:ExternalId": "*"}}), Some("x"), false),
            (
                json!({"StringEquals": {"sts:ExternalId": "x"}, "Bool": {"aws:MultiFactorAuthPresent": true}}),
                Some("x"),
                false,
            ),
            (json!({"StringEquals": {"sts:ExternalId": 1}}), Some("1"), false),
            (json!([]), Some("x"), false),
        ];
        for (condition, external_id, expected) in rows {
            let statement = json!({"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": "sts:AssumeRole", "Condition": condition});
            assert_eq!(permits_with(statement, &root(HERE), external_id), expected, "{condition}");
        }
    }

    #[test]
    fn a_deny_that_may_apply_denies() {
        let rows = [
            (json!({"Effect": "Deny", "Principal": "*", "Action": "*"}), false),
            (json!({"Effect": "Deny", "Principal": {"AWS": ELSEWHERE}, "Action": "sts:*"}), true),
            (json!({"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"}), true),
            (json!({"Effect": "Deny", "NotPrincipal": {"AWS": HERE}, "Action": "sts:*"}), false),
            (json!({"Effect": "Deny", "Principal": "*", "NotAction": "sts:AssumeRole"}), false),
            (json!({"Effect": "Perhaps", "Principal": "*", "Action": "*"}), false),
            (json!({"Principal": "*", "Action": "*"}), false),
            (
                json!({"Effect": "Deny", "Principal": "*", "Action": "*",
                       "Condition": {"Bool": {"aws:SecureTransport": false}}}),
                false,
            ),
            (
                json!({"Effect": "Deny", "Principal": "*", "Action": "*",
                       "Condition": {"StringEquals": {"sts:ExternalId": "bad"}, "Bool": {"aws:SecureTransport": false}}}),
                true,
            ),
        ];
        for (deny, expected) in rows {
            let statements = json!([allow(&json!({"AWS": HERE})), deny]);
            assert_eq!(permits_with(statements, &root(HERE), Some("good")), expected, "{deny}");
        }
    }

    #[test]
    fn a_document_that_is_none_lets_nobody_in() {
        let caller = root(HERE);
        let attempt = Attempt { caller: &caller, account: caller.account, action: "sts:AssumeRole", external_id: None };
        for document in ["", "{}", "[]", "{\"Statement\": []}", "{\"Statement\": [1]}", "{\"Statement\": \"x\"}"] {
            assert!(!permits(document, &attempt), "{document}");
        }
    }

    proptest! {
        #[test]
        fn the_matcher_agrees_with_a_recursive_one(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), _) => slow(rest, text) || (!text.is_empty() && slow(pattern, &text[1..])),
                    (Some((byte, rest)), Some((first, others))) => {
                        (*byte == b'?' || byte == first) && slow(rest, others)
                    }
                    _ => false,
                }
            }
            prop_assert_eq!(matches(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn any_document_is_answered_without_panic(text in "\\PC{0,200}") {
            let caller = root(HERE);
            let attempt =
                Attempt { caller: &caller, account: caller.account, action: "sts:AssumeRole", external_id: None };
            prop_assert!(!permits(&text, &attempt));
        }
    }
}
