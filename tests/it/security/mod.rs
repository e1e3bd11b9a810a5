//! Attacks. Most are made on every served operation in every protocol that it speaks: the operations come from the
//! services' own tables, so that a new one is attacked from its first day.

mod authentication;
mod authorization;
mod bodies;
mod changes;
mod conditions;
mod connections;
mod files;
mod furniture;
mod input;
mod isolation;
mod issuer;
mod names;
mod pass_role;
mod presigned;
mod protocols;
mod resource_policies;
mod s3;
mod sandbox;
mod secrets;
mod sessions;
mod tails;
mod target;
mod tokens;
mod told;
mod unserved;
mod unsigned;
mod why_denied;

pub(crate) use names::trust;
pub(crate) use target::{MODELS, now};
