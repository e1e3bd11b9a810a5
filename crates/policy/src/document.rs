//! Policy documents: from text to a typed [`Document`], or to the sentence with which AWS refuses the text.
//!
//! [`parse`] takes the text and what the policy is for ([`Purpose`]): a managed policy, an inline policy, a role's trust
//! policy, a session policy or a resource's own, which differ in what they must and must not say. What comes out has been
//! checked in full; an evaluator can trust its form. Nothing here reads a record or knows an account, and nothing is
//! evaluated. Where in the text each statement stands, [`spans`] tells.
//!
//! Source of the rules: IAM's reference of policy elements and grammar; of the sentences: what the service answers.

mod check;
mod condition;
pub(crate) mod date;
mod json;
mod malformed;
mod principal;
mod resource;
mod span;
mod syntax;
mod write;

pub use condition::{Comparison, Operator, Quantifier};
pub use malformed::Malformed;
pub use principal::{Principals, TypedPrincipal};
pub use span::{Position, Span, spans};

/// What a policy is for; decides what it must say, what it must not, and in which words it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A managed policy: no principal, version 2012-10-17.
    Managed,
    /// A policy that is part of a user or a role: no principal, either version.
    Inline,
    /// A role's trust policy: principals, only actions of sts, no resource.
    Trust,
    /// A trust policy as it is stored: users, roles and sessions may stand in it by their unique ids.
    PinnedTrust,
    /// A policy that narrows a session: as [`Purpose::Managed`].
    Session,
    /// A policy that is attached to a resource: principals, either version.
    Resource(ResourceElement),
}

/// Whether a resource's policy has to say to which resources its statements apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceElement {
    /// Each statement must.
    Required,
    /// One that does not applies to whatever the policy is attached to.
    Optional,
}

impl Purpose {
    /// Whether a fault is told of by the name of the element, as it is of the policies that have principals.
    fn names_fields(self) -> bool {
        matches!(self, Self::Trust | Self::PinnedTrust | Self::Resource(_))
    }
}

/// A policy whose form has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The version of the language; variables (`${…}`) have a meaning only in [`Version::V2012`].
    pub version: Version,
    /// The optional name of the document.
    pub id: Option<String>,
    /// One or more.
    pub statements: Vec<Statement>,
}

/// The versions of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, also when none is given.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// Its name within the document.
    pub sid: Option<String>,
    /// What it does when it applies.
    pub effect: Effect,
    /// To whom it applies; none in policies that are attached to an identity.
    pub principals: Option<Select<Principals>>,
    /// To which actions: `*` or `vendor:pattern`, one or more.
    pub actions: Select<Vec<String>>,
    /// To which resources: `*` or ARN patterns, one or more; none in trust policies.
    pub resources: Option<Select<Vec<String>>>,
    /// What must all hold for it to apply.
    pub conditions: Vec<Condition>,
}

/// What a statement does when it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// An element or its `Not` form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select<T> {
    /// What is listed.
    Only(T),
    /// Everything but what is listed (`NotAction`, `NotResource`, `NotPrincipal`).
    Except(T),
}

impl<T> Select<T> {
    /// What is listed, whichever form it is.
    pub fn listed(&self) -> &T {
        match self {
            Self::Only(listed) | Self::Except(listed) => listed,
        }
    }

    pub(crate) fn map<U>(&self, change: impl FnOnce(&T) -> U) -> Select<U> {
        match self {
            Self::Only(listed) => Select::Only(change(listed)),
            Self::Except(listed) => Select::Except(change(listed)),
        }
    }
}

/// One line of a condition block: the key's values in the request compared with these. Several values are
/// alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How they are compared.
    pub operator: Operator,
    /// The condition key, as written; keys are compared without regard to case.
    pub key: String,
    /// The values. Booleans and numbers are kept as the text that JSON writes for them.
    pub values: Vec<String>,
}

/// Reads and checks a policy.
///
/// # Errors
/// The first thing that is wrong with it, in the order in which AWS looks.
pub fn parse(text: &str, purpose: Purpose) -> Result<Document, Malformed> {
    let json = json::parse(text).map_err(|json::InvalidJson| match purpose.names_fields() {
        true => Malformed::InvalidJson,
        false => Malformed::Syntax,
    })?;
    let draft = syntax::draft(json, purpose)?;
    check::check(draft, purpose)
}

/// The size of a document as IAM's quotas count it: in characters, white space left out.
pub fn counted_size(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

#[cfg(test)]
mod tests;
