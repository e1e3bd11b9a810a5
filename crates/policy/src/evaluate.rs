//! The evaluation.

use base::{AccountId, Principal};

use crate::{Context, Decision, Document, PolicyKind, Reason, Version};

/// A policy ready to be evaluated.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Its ARN, or the name of an inline policy.
    pub name: String,
    document: Document,
}

impl Policy {
    /// Makes a document ready.
    pub fn new(name: impl Into<String>, document: Document) -> Self {
        Self { name: name.into(), document }
    }

    /// A policy that allows nothing: what stands for one that cannot be read any more.
    pub fn nothing(name: impl Into<String>) -> Self {
        let document = Document { version: Version::V2012, id: None, statements: Vec::new() };
        Self::new(name, document)
    }

    /// The document.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// What a user or a role may do by itself.
#[derive(Debug, Clone, Default)]
pub struct IdentityPolicies {
    /// Attached, inline, and those of a user's groups.
    pub attached: Vec<std::sync::Arc<Policy>>,
    /// The permissions boundary.
    pub boundary: Option<std::sync::Arc<Policy>>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// `ecs:RunTask`.
    pub action: &'a str,
    /// An ARN, or `*` where the action knows no resource.
    pub resource: &'a str,
    /// The account that owns the resource.
    pub resource_account: AccountId,
    /// The context.
    pub context: &'a Context,
}

/// The policies that bear on a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policies<'a> {
    /// The caller's own. An account's root has none and may do everything in its account.
    pub identity: Option<&'a IdentityPolicies>,
    /// Those that narrow the session: none at all, or at least one of them must allow.
    pub session: &'a [std::sync::Arc<Policy>],
    /// The resource's.
    pub resource: Option<&'a Policy>,
    /// Whether the resource's policy has to allow, whatever the caller's own say: so with a role's trust policy.
    pub resource_must_allow: bool,
}

/// Decides.
pub fn evaluate(request: &Request<'_>, policies: &Policies<'_>) -> Decision {
    let _ = (request, policies);
    Decision { denied: Some(Reason::Implicit(PolicyKind::Identity)), statements: Vec::new() }
}
