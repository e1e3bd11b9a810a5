//! Registries elsewhere: fake ones in this process, honest, slow, broken and hostile, with TLS and without.

mod bed;
mod fake;
mod fetching;
mod hostile;
mod login;
mod mirrors;
mod proxies;
mod redirects;
mod trouble;
