//! Under which host the registry is reached: what `docker login`, `docker push` and `repositoryUri` say.
//!
//! A caller's own registry is at the host by which the caller reached the API, or at the configured public address. Other
//! registries, and callers who used one of AWS's own host names, get `<account>.dkr.ecr.<region>.amazonaws.com`, with the
//! port that the API has.

use base::AccountId;
use platform::Ctx;

use crate::names::RepositoryName;

/// A public address that URLs have instead of the caller's `Host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    /// `HOST` or `HOST:PORT`.
    pub authority: String,
    /// Whether it is reached over TLS.
    pub is_secure: bool,
}

/// The end of AWS's own host names.
const AWS_DOMAIN: &str = ".amazonaws.com";

/// The host, and port if need be, of an account's registry in the region of the request.
pub(crate) fn registry_host(ctx: &Ctx, public: Option<&PublicAddress>, registry: AccountId) -> String {
    let host = public.map_or(ctx.host.as_str(), |public| &public.authority);
    let (name, port) = split_port(host);
    if registry == ctx.account() && !host.is_empty() && !name.to_ascii_lowercase().ends_with(AWS_DOMAIN) {
        return host.to_owned();
    }
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{registry}.dkr.ecr.{}{AWS_DOMAIN}{port}", ctx.region)
}

/// The same as a URL.
pub(crate) fn registry_url(ctx: &Ctx, public: Option<&PublicAddress>, registry: AccountId) -> String {
    let is_secure = public.map_or(ctx.is_secure, |public| public.is_secure);
    let scheme = if is_secure { "https" } else { "http" };
    format!("{scheme}://{}", registry_host(ctx, public, registry))
}

/// What clients push to and pull from.
pub(crate) fn repository_uri(ctx: &Ctx, public: Option<&PublicAddress>, name: &RepositoryName) -> String {
    format!("{}/{}", registry_host(ctx, public, name.registry), name.name)
}

/// A host's name and its port; an IPv6 address stands in brackets.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use base::{Principal, Region, Timestamp};

    use super::*;

    fn ctx(host: &str) -> Ctx {
        let account = "123456789012".parse().unwrap();
        let ctx = Ctx::new(Principal::root(account), Region::default(), Timestamp::default(), "r");
        Ctx { host: host.to_owned(), ..ctx }
    }

    #[test]
    fn a_callers_own_registry_is_where_the_api_is() {
        let own = "123456789012".parse().unwrap();
        for (host, expected) in [
            ("127.0.0.1:4566", "127.0.0.1:4566"),
            ("[::1]:4566", "[::1]:4566"),
            ("[::1]", "[::1]"),
            ("pilvi.example", "pilvi.example"),
            ("ecr.us-east-1.amazonaws.com:4566", "123456789012.dkr.ecr.us-east-1.amazonaws.com:4566"),
            ("api.ecr.us-east-1.amazonaws.com", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
            ("", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
        ] {
            assert_eq!(registry_host(&ctx(host), None, own), expected, "{host}");
        }
    }

    #[test]
    fn another_accounts_registry_has_its_number_in_its_name() {
        let other = "999999999999".parse().unwrap();
        let host = registry_host(&ctx("127.0.0.1:4566"), None, other);
        assert_eq!(host, "999999999999.dkr.ecr.us-east-1.amazonaws.com:4566");
    }

    #[test]
    fn a_public_address_stands_before_the_callers() {
        let public = PublicAddress { authority: "registry.example".to_owned(), is_secure: true };
        let own = "123456789012".parse().unwrap();
        assert_eq!(registry_url(&ctx("127.0.0.1:4566"), Some(&public), own), "https://registry.example");
        assert_eq!(registry_url(&ctx("127.0.0.1:4566"), None, own), "http://127.0.0.1:4566");
    }
}
