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
        format!(
            "User: {} is not authorized to perform: {} on resource: {}",
            request.principal.arn, request.action, request.resource
        )
    }

    /// Whether the request is allowed.
    pub fn is_allowed(&self) -> bool {
        self.denied.is_none()
    }
}
