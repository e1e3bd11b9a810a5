//! The policies that narrow a session: a document in the request, and managed policies by ARN.

use base::{AccountId, Arn};
use serde_json::Value;

use crate::Error;
use crate::api::PolicyDescriptorType;
use crate::statement::{self, Statement, texts};

/// The most managed policies that a session can have (AssumeRole's `PolicyArns`).
const POLICY_ARNS_MAX: usize = 10;

/// Checks the form of a session policy: what is carried must be a policy, so that whoever evaluates it later can trust
/// that it narrows. What comes back is the policy as the session carries it: without the white space that makes it
/// readable and a token too long.
pub(crate) fn check(document: &str) -> Result<String, Error> {
    let document: Value = serde_json::from_str(document).map_err(|_| Error::InvalidJson)?;
    let members = document.as_object().ok_or(Error::PolicySyntax)?;
    if members.keys().any(|name| !["Version", "Id", "Statement"].contains(&name.as_str())) {
        return Err(Error::PolicySyntax);
    }
    let statements = statement::of_document(&document).ok_or(Error::PolicySyntax)?;
    match members.get("Version").map(Value::as_str) {
        Some(Some("2012-10-17")) => {}
        None | Some(Some("2008-10-17")) => return Err(Error::PolicyVersion),
        Some(_) => return Err(Error::PolicySyntax),
    }
    statements.into_iter().try_for_each(check_statement)?;
    Ok(document.to_string())
}

fn check_statement(statement: &Statement) -> Result<(), Error> {
    let has = |name: &str| statement.contains_key(name);
    if has("Principal") || has("NotPrincipal") {
        return Err(Error::PolicyPrincipal);
    }
    let well_formed = statement.iter().all(|(name, value)| match name.as_str() {
        "Sid" => value.is_string(),
        "Effect" => matches!(value.as_str(), Some("Allow" | "Deny")),
        "Action" | "NotAction" | "Resource" | "NotResource" => texts(value).is_some_and(|texts| !texts.is_empty()),
        "Condition" => is_condition(value),
        _ => false,
    });
    let complete = has("Effect") && (has("Action") != has("NotAction")) && (has("Resource") != has("NotResource"));
    if well_formed && complete { Ok(()) } else { Err(Error::PolicySyntax) }
}

fn is_condition(value: &Value) -> bool {
    let is_scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let is_values = |value: &Value| match value {
        Value::Array(values) => values.iter().all(is_scalar),
        one => is_scalar(one),
    };
    let is_block = |block: &Value| block.as_object().is_some_and(|keys| keys.values().all(is_values));
    value.as_object().is_some_and(|by_operator| by_operator.values().all(is_block))
}

/// Checks the ARNs of managed policies: the role's account's, or AWS's.
pub(crate) fn check_arns(
    descriptors: Option<Vec<PolicyDescriptorType>>,
    account: AccountId,
) -> Result<Vec<String>, Error> {
    let arns: Vec<String> = descriptors.into_iter().flatten().filter_map(|descriptor| descriptor.arn).collect();
    if arns.len() > POLICY_ARNS_MAX {
        return Err(Error::TooManyPolicyArns { max: POLICY_ARNS_MAX });
    }
    match arns.iter().find(|arn| !is_policy_arn(arn, account)) {
        Some(arn) => Err(Error::InvalidPolicyArn { arn: arn.clone() }),
        None => Ok(arns),
    }
}

fn is_policy_arn(text: &str, account: AccountId) -> bool {
    text.parse::<Arn>().is_ok_and(|arn| {
        let reachable = arn.account == "aws" || arn.account == account.as_str();
        let named = arn.resource.strip_prefix("policy/").is_some_and(|name| !name.is_empty() && !name.ends_with('/'));
        arn.service == "iam" && arn.region.is_empty() && reachable && named
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_session_policy_is_refused_in_awss_words() {
        let with = |name: &str, value: Value| {
            let mut statement = json!({"Effect": "Allow", "Action": "s3:*", "Resource": "*"});
            statement[name] = value;
            json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
        };
        let syntax = "Syntax errors in policy.";
        let rows = [
            ("{".to_owned(), "This policy contains invalid Json"),
            ("[]".to_owned(), syntax),
            (json!({"Version": "2012-10-17"}).to_string(), syntax),
            (json!({"Version": "2012-10-17", "Statement": []}).to_string(), syntax),
            (json!({"Version": "2012-10-17", "Statement": [{}]}).to_string(), syntax),
            (
                json!({"Statement": {"Effect": "Allow"}}).to_string(),
                "Policy document must be version 2012-10-17 or greater.",
            ),
            (with("Effect", json!("Perhaps")), syntax),
            (with("NotAction", json!("s3:*")), syntax),
            (with("Resource", json!([])), syntax),
            (with("Comment", json!("x")), syntax),
            (with("Condition", json!({"Bool": "x"})), syntax),
            (with("Condition", json!({"Bool": {"a": [{}]}})), syntax),
            (with("Principal", json!("*")), "Policy document should not specify a principal."),
        ];
        for (document, expected) in rows {
            assert_eq!(check(&document).unwrap_err().to_string(), expected, "{document}");
        }
        assert!(check(&with("Condition", json!({"Bool": {"aws:SecureTransport": [true, "true"]}}))).is_ok());
        assert!(check(&with("Sid", json!("One"))).is_ok());
    }

    #[test]
    fn managed_policies_are_the_roles_accounts_or_awss() {
        let account = "111111111111".parse().unwrap();
        let check = |arns: &[&str]| {
            let descriptor = |arn: &&str| PolicyDescriptorType { arn: Some((*arn).to_owned()) };
            check_arns(Some(arns.iter().map(descriptor).collect()), account).is_ok()
        };
        assert!(check(&[]));
        assert!(check(&["arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111111111111:policy/team/own"]));
        assert!(!check(&["arn:aws:iam::222222222222:policy/own"]));
        assert!(!check(&["arn:aws:iam::111111111111:role/own"]));
        assert!(check(&["arn:aws:iam::aws:policy/ReadOnlyAccess"; 10]));
        assert!(!check(&["arn:aws:iam::aws:policy/ReadOnlyAccess"; 11]));
    }
}
