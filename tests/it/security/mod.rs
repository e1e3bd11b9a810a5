//! Attacks. Most are made on every served operation in every protocol that it speaks: the operations come from the
//! services' own tables, so that a new one is attacked from its first day.

mod authentication;
mod authorization;
mod bodies;
mod changes;
mod conditions;
mod connections;
mod files;
mod input;
mod isolation;
mod issuer;
mod names;
mod pass_role;
mod presigned;
mod secrets;
mod sessions;
mod target;
mod told;
mod tokens;
mod unserved;
mod unsigned;

pub(crate) use names::trust;
pub(crate) use target::{MODELS, now};
