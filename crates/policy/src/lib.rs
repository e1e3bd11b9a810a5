//! IAM's policy language: what a document says ([`parse`]) and what a set of documents decides ([`evaluate`]).
//!
//! Pure: nothing here reads a record, a clock or a random source. Whoever asks brings the policies and the context.

mod context;
mod decision;
mod document;
mod evaluate;

pub use context::Context;
pub use decision::{Decided, Decision, PolicyKind, Reason};
pub use document::*;
pub use evaluate::{IdentityPolicies, Policies, Policy, Request, evaluate};
