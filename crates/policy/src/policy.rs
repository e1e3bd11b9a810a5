//! Policies made ready to be evaluated.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::statement::Statement;
use crate::{Context, Document, Effect, Principals, Select, Version, document};

/// A policy ready to be evaluated: its texts are compiled once.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its ARN, or the name of an inline policy.
    pub name: String,
    document: Document,
    pub(crate) statements: Box<[Statement]>,
    /// The condition keys that it mentions, lower case to name as written.
    keys: BTreeMap<Box<str>, Box<str>>,
}

impl Policy {
    /// Makes a document ready.
    pub fn new(name: impl Into<String>, document: Document) -> Self {
        let ready = |statement| Statement::new(statement, document.version);
        let statements: Box<[Statement]> = document.statements.iter().map(ready).collect();
        let mut keys = BTreeMap::new();
        statements.iter().for_each(|statement| statement.add_keys(&mut keys));
        Self { name: name.into(), document, statements, keys }
    }

    /// A policy that allows nothing: what stands for one that cannot be read any more.
    pub fn nothing(name: impl Into<String>) -> Self {
        let document = Document { version: Version::V2012, id: None, statements: Vec::new() };
        Self::new(name, document)
    }

    /// A policy that denies everything to everybody: what stands for a resource's that cannot be read any more. One that
    /// allowed nothing would have lost what the resource's own account denies to its users.
    pub fn denying_all(name: impl Into<String>) -> Self {
        let all = || Select::Only(vec!["*".to_owned()]);
        let statement = document::Statement {
            sid: None,
            effect: Effect::Deny,
            principals: Some(Select::Only(Principals::Everyone)),
            actions: all(),
            resources: Some(all()),
            conditions: Vec::new(),
        };
        Self::new(name, Document { version: Version::V2012, id: None, statements: vec![statement] })
    }

    /// The document.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The condition keys that it mentions, in conditions and as variables, each once, as it was first written; sorted
    /// without regard to case.
    pub fn context_keys(&self) -> impl Iterator<Item = &str> {
        self.keys.values().map(|name| &**name)
    }

    /// Those of its condition keys that a context does not have.
    pub fn missing_context_keys<'a>(&'a self, context: &'a Context) -> impl Iterator<Item = &'a str> {
        let missing = self.keys.iter().filter(|(lower_case, _)| context.get(lower_case).is_none());
        missing.map(|(_, name)| &**name)
    }

    /// Whether it mentions a condition key that begins so, given in lower case: `aws:resourcetag/`.
    pub fn mentions(&self, lower_case_prefix: &str) -> bool {
        let from = (std::ops::Bound::Included(lower_case_prefix), std::ops::Bound::Unbounded);
        self.keys.range::<str, _>(from).next().is_some_and(|(key, _)| key.starts_with(lower_case_prefix))
    }
}

/// What a user or a role may do by itself.
#[derive(Debug, Clone, Default)]
pub struct IdentityPolicies {
    /// Attached, inline, and those of a user's groups.
    pub attached: Vec<Arc<Policy>>,
    /// The permissions boundary.
    pub boundary: Option<Arc<Policy>>,
}

impl IdentityPolicies {
    /// Whether one of them mentions a condition key that begins so, given in lower case.
    pub fn mentions(&self, lower_case_prefix: &str) -> bool {
        self.attached.iter().chain(&self.boundary).any(|policy| policy.mentions(lower_case_prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Purpose, parse};

    fn policy() -> Policy {
        let text = r#"{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::homes/${aws:username}/*"},
            {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::${aws:PrincipalTag/team, 'all'}",
             "Condition": {"StringNotEquals": {"aws:ResourceTag/team": "${AWS:PrincipalTag/Team}"},
                           "NumericLessThan": {"s3:max-keys": "${s3:signatureage}"}}}]}"#;
        Policy::new("homes", parse(text, Purpose::Managed).unwrap())
    }

    #[test]
    fn the_keys_of_a_policy_are_those_of_its_conditions_and_variables() {
        let keys = ["aws:PrincipalTag/team", "aws:ResourceTag/team", "aws:username", "s3:max-keys"];
        assert_eq!(policy().context_keys().collect::<Vec<_>>(), keys);
        let mut context = Context::new();
        context.set("aws:UserName", "alice");
        context.set("AWS:principaltag/TEAM", "x");
        assert_eq!(
            policy().missing_context_keys(&context).collect::<Vec<_>>(),
            ["aws:ResourceTag/team", "s3:max-keys"]
        );
    }

    #[test]
    fn a_policy_knows_which_keys_it_mentions() {
        for (prefix, expected) in
            [("aws:resourcetag/", true), ("aws:requesttag/", false), ("s3:", true), ("t", false), ("", true)]
        {
            assert_eq!(policy().mentions(prefix), expected, "{prefix}");
        }
        let identity = IdentityPolicies { attached: Vec::new(), boundary: Some(Arc::new(policy())) };
        assert!(identity.mentions("aws:resourcetag/"));
        assert!(!Policy::nothing("none").mentions(""));
    }
}
