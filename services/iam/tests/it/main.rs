//! IAM through its dispatch, over a platform in memory.

#![allow(clippy::unwrap_used)]

mod access_keys;
mod accounts;
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
mod service_linked_roles;
mod simulations;
mod tags;
mod users;
