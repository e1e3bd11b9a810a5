//! What was decided, and which statement did it.

/// The role that a policy plays in a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyKind {
    /// Attached to a user, a group or a role, or part of one.
    Identity,
    /// Attached to the resource; a role's trust policy is one.
    Resource,
    /// A permissions boundary.
    Boundary,
    /// Given when the session was opened.
    Session,
}

/// One statement that applied to the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// What its policy is in this decision.
    pub kind: PolicyKind,
    /// The policy: an ARN, or the name of an inline policy.
    pub policy: String,
    /// Its place in the document, from 0.
    pub statement: usize,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: crate::Effect,
}

/// Why a request is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A statement denies it.
    Explicit(PolicyKind),
    /// No policy of this kind, which would have to, allows it.
    Implicit(PolicyKind),
}

impl Reason {
    /// The end of AWS's sentence about a denied action. The policy of a role, which alone the actions of sts ask, has a
    /// name of its own. (IAM User Guide, "Troubleshoot access denied error messages".)
    pub fn clause(self, action: &str) -> String {
        let is_trust = action.get(..4).is_some_and(|vendor| vendor.eq_ignore_ascii_case("sts:"));
        match self {
            Self::Explicit(PolicyKind::Resource) if is_trust => {
                "with an explicit deny in the role trust policy".to_owned()
            }
            Self::Explicit(PolicyKind::Identity) => "with an explicit deny in an identity-based policy".to_owned(),
            Self::Explicit(kind) => format!("with an explicit deny in a {}", kind.noun()),
            Self::Implicit(PolicyKind::Resource) if is_trust => {
                format!("because no role trust policy allows the {action} action")
            }
            Self::Implicit(kind) => format!("because no {} allows the {action} action", kind.noun()),
        }
    }
}

impl PolicyKind {
    fn noun(self) -> &'static str {
        match self {
            Self::Identity => "identity-based policy",
            Self::Resource => "resource-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
        }
    }
}

/// The answer to a [`crate::Request`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// None when the request is allowed.
    pub denied: Option<Reason>,
    /// The statements that applied, in the order in which they were looked at.
    pub statements: Vec<Decided>,
}

impl Decision {
    /// How AWS tells the caller of a denial.
    pub fn message(&self, request: &crate::Request<'_>) -> String {
        let (arn, action, resource) = (&request.principal.arn, request.action, request.resource);
        let sentence = format!("User: {arn} is not authorized to perform: {action} on resource: {resource}");
        match self.denied {
            Some(reason) => format!("{sentence} {}", reason.clause(action)),
            None => sentence,
        }
    }

    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        self.denied.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_ends_as_aws_writes_it() {
        let rows = [
            (Reason::Explicit(PolicyKind::Identity), "with an explicit deny in an identity-based policy"),
            (Reason::Explicit(PolicyKind::Resource), "with an explicit deny in a resource-based policy"),
            (Reason::Explicit(PolicyKind::Boundary), "with an explicit deny in a permissions boundary"),
            (Reason::Explicit(PolicyKind::Session), "with an explicit deny in a session policy"),
            (Reason::Implicit(PolicyKind::Identity), "because no identity-based policy allows the ecs:RunTask action"),
            (Reason::Implicit(PolicyKind::Resource), "because no resource-based policy allows the ecs:RunTask action"),
            (Reason::Implicit(PolicyKind::Boundary), "because no permissions boundary allows the ecs:RunTask action"),
            (Reason::Implicit(PolicyKind::Session), "because no session policy allows the ecs:RunTask action"),
        ];
        for (reason, expected) in rows {
            assert_eq!(reason.clause("ecs:RunTask"), expected);
        }
    }

    #[test]
    fn a_roles_policy_is_called_a_trust_policy() {
        assert_eq!(
            Reason::Implicit(PolicyKind::Resource).clause("sts:AssumeRole"),
            "because no role trust policy allows the sts:AssumeRole action"
        );
        assert_eq!(
            Reason::Explicit(PolicyKind::Resource).clause("sts:TagSession"),
            "with an explicit deny in the role trust policy"
        );
    }
}
