//! IAM through its dispatch, over a platform in memory.

#![allow(clippy::unwrap_used)]

mod access_keys;
mod attachments;
mod bench;
mod boundaries;
mod directory;
mod groups;
mod inline_policies;
mod instance_profiles;
mod lists;
mod oidc_providers;
mod policies;
mod races;
mod roles;
mod tags;
mod users;
