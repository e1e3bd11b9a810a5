//! What a session carries: the policies that narrow it.

use base::{AccountId, Arn};
use policy::Purpose;

use crate::api::PolicyDescriptorType;
use crate::{Error, packed_size};

/// The most managed policies that a session can have (AssumeRole's `PolicyArns`).
const POLICY_ARNS_MAX: usize = 10;

/// The policies that narrow a session.
#[derive(Debug)]
pub(crate) struct Narrowing {
    /// As the session carries it: without the white space that makes it readable and a token too long.
    pub(crate) document: Option<String>,
    pub(crate) arns: Vec<String>,
}

/// Checks the session policies of a request for a role of `account`.
pub(crate) fn narrowing(
    document: Option<&str>,
    descriptors: Option<Vec<PolicyDescriptorType>>,
    account: AccountId,
) -> Result<Narrowing, Error> {
    // The size first: a large text would take many times its size once it is read.
    document.map_or(Ok(()), packed_size::check_plain)?;
    let document = document.map(compact).transpose()?;
    Ok(Narrowing { document, arns: check_arns(descriptors, account)? })
}

/// Checks a session policy.
fn compact(text: &str) -> Result<String, Error> {
    let document: serde_json::Value = serde_json::from_str(text).map_err(|_| Error::InvalidJson)?;
    policy::parse(text, Purpose::Session)?;
    Ok(document.to_string())
}

/// Checks the ARNs of managed policies: the role's account's, or AWS's.
fn check_arns(descriptors: Option<Vec<PolicyDescriptorType>>, account: AccountId) -> Result<Vec<String>, Error> {
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
    use serde_json::{Value, json};

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
            (with("Effect", json!("Perhaps")), syntax),
            (with("NotAction", json!("s3:*")), syntax),
            (with("Comment", json!("x")), syntax),
            (with("Principal", json!("*")), "Policy document should not specify a principal."),
        ];
        for (document, expected) in rows {
            assert_eq!(compact(&document).unwrap_err().to_string(), expected, "{document}");
        }
        assert!(compact(&with("Condition", json!({"Bool": {"aws:SecureTransport": [true, "true"]}}))).is_ok());
        assert!(!compact(&with("Sid", json!("One"))).unwrap().contains(' '));
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
