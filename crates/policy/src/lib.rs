//! IAM's policy language: what a document says ([`parse`]) and what a set of documents decides ([`evaluate`]).
//!
//! A text becomes a [`Document`] once, when it is stored; a document becomes a [`Policy`] once, when it is first needed; a
//! policy answers any number of [`Request`]s. [`evaluate`] weighs all the policies that bear on a request of a user, a
//! role's session or a root; [`evaluate_service_principal`], [`evaluate_federated`] and [`evaluate_anonymous`] ask a
//! resource's policy alone, for callers who have none of their own.
//!
//! Pure: nothing here reads a record, a clock or a random source. Whoever asks brings the policies and the context.
//!
//! Not here: service control and resource control policies of organizations, VPC endpoints' policies, S3's ACLs.

mod arn_pattern;
mod condition;
mod context;
mod decision;
mod document;
mod evaluate;
mod pattern;
mod policy;
mod statement;
mod wildcard;

pub use context::Context;
pub use decision::{Decided, Decision, PolicyKind, Reason};
pub use document::*;
pub use evaluate::{Policies, Request, evaluate, evaluate_anonymous, evaluate_federated, evaluate_service_principal};
pub use policy::{IdentityPolicies, Policy};
