//! Attacks. Most are made on every served operation in every protocol that it speaks: the operations come from the
//! services' own tables, so that a new one is attacked from its first day.

mod authentication;
mod authorization;
mod bodies;
mod connections;
mod files;
mod input;
mod isolation;
mod presigned;
mod secrets;
mod sessions;
mod target;
mod told;
mod unserved;

pub(crate) use input::trust;
pub(crate) use target::{MODELS, now};
