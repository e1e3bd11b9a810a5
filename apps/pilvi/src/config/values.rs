//! The types of the configuration's values, each checked where it is read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A type that is read from and written as text: `FromStr` on the way in, `Display` on the way out.
macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = <$type as FromStr>::Err;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

/// The address and port that the server listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Listen(pub(crate) SocketAddr);

pub(super) use as_text;

as_text!(Listen);

impl Default for Listen {
    /// 4566 is the port that tools for local AWS endpoints expect.
    fn default() -> Self {
        Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4566))
    }
}

impl FromStr for Listen {
    type Err = String;

    /// No name but `localhost` is taken: which address a name stands for is the resolver's to change.
    fn from_str(text: &str) -> Result<Self, String> {
        let numeric = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}"),
            None => text.to_owned(),
        };
        numeric.parse().map(Self).map_err(|_| format!("`{text}` is not an address and port such as 127.0.0.1:4566"))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The address at which a client on this machine reaches a listener.
pub(crate) fn reachable_locally(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        ip if !ip.is_unspecified() => listen,
        IpAddr::V4(_) => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), listen.port()),
        IpAddr::V6(_) => SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), listen.port()),
    }
}

/// The base of the URLs that are handed out, when it is not to follow the caller's Host header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct PublicUrl(String);

as_text!(PublicUrl);

impl PublicUrl {
    /// Host and port, as in a Host header.
    pub(crate) fn authority(&self) -> &str {
        self.0.split_once("://").map_or(self.0.as_str(), |(_, authority)| authority)
    }

    /// The host alone, without a port.
    pub(crate) fn host(&self) -> &str {
        let authority = self.authority();
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// Whether it is reached over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not http://HOST[:PORT] or https://HOST[:PORT]");
        let uri: http::Uri = text.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority =
            uri.authority().filter(|a| !a.host().is_empty() && !a.as_str().contains('@')).ok_or_else(wrong)?;
        if web && plain {
            Ok(Self(format!("{}://{authority}", uri.scheme_str().unwrap_or_default())))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// One line for a person to read.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Which log lines are written, in the language of `RUST_LOG`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct LogFilter(String);

as_text!(LogFilter);

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match tracing_subscriber::EnvFilter::try_new(text) {
            Ok(_) => Ok(Self(text.to_owned())),
            Err(error) => Err(format!("`{text}` is not a log filter: {error}")),
        }
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An access key id: 16 to 128 word characters (IAM API, type AccessKey). Those of temporary credentials (`ASIA…`) are
/// refused: they mean nothing without a session token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct AccessKeyId(String);

as_text!(AccessKeyId);

impl AccessKeyId {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccessKeyId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with("ASIA") {
            return Err(format!("`{text}`: ids that begin with ASIA are temporary credentials' and cannot be fixed"));
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if (16..=128).contains(&text.len()) && text.bytes().all(word) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is not an access key id: 16 to 128 letters, digits and underscores"))
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret access key or a private key. It prints as `***`; serialising writes the real text, which only the channel
/// between supervisor and server may carry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The real text.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Reads the secret of an access key: 16 to 128 printable characters without spaces; AWS's own have 40.
///
/// # Errors
/// When it is none. The message does not repeat it.
pub(super) fn secret_access_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    deserializer.deserialize_any(SecretVisitor)
}

/// Reads a secret; whatever else stands there is refused without being repeated, as serde's own messages would.
struct SecretVisitor;

const SECRET_EXPECTED: &str = "a secret is text in quotes";

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET_EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
        if (16..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(Secret(text.to_owned()));
        }
        Err(E::custom("a secret has 16 to 128 printable ASCII characters and no spaces"))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(E::custom(SECRET_EXPECTED))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::custom(SECRET_EXPECTED))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::custom(SECRET_EXPECTED))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::custom(SECRET_EXPECTED))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Secret, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Err(serde::de::Error::custom(SECRET_EXPECTED))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Secret, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Err(serde::de::Error::custom(SECRET_EXPECTED))
    }
}

/// Whom a fixed access key speaks for in its account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum ConfiguredPrincipal {
    /// The account itself.
    #[default]
    Root,
    /// The IAM user of this name.
    User(String),
    /// The IAM role of this name.
    Role(String),
}

as_text!(ConfiguredPrincipal);

impl FromStr for ConfiguredPrincipal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // IAM API: user and role names are 1 to 64 characters of [\w+=,.@-].
        let name = |name: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
            ((1..=64).contains(&name.len()) && name.bytes().all(allowed)).then(|| name.to_owned())
        };
        match text.split_once('/') {
            None if text == "root" => Some(Self::Root),
            Some(("user", rest)) => name(rest).map(Self::User),
            Some(("role", rest)) => name(rest).map(Self::Role),
            _ => None,
        }
        .ok_or_else(|| format!("`{text}` is not a principal: root, user/NAME or role/NAME"))
    }
}

impl fmt::Display for ConfiguredPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::User(name) => write!(f, "user/{name}"),
            Self::Role(name) => write!(f, "role/{name}"),
        }
    }
}

/// A name or address for a server certificate: a host name, with `*.` in front for one more label, or an IP address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct DnsName(String);

as_text!(DnsName);

impl FromStr for DnsName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let host = text.strip_prefix("*.").unwrap_or(text);
        let is_host = text.len() <= 253 && host.split('.').all(label);
        if is_host || text.parse::<IpAddr>().is_ok() {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(format!("`{text}` is neither a host name nor an IP address"))
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number between two bounds, both allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u64")]
pub(crate) struct Bounded<const MIN: u64, const MAX: u64>(u64);

impl<const MIN: u64, const MAX: u64> Bounded<MIN, MAX> {
    /// A default, whose place within the bounds the compiler checks.
    pub(crate) const fn of<const VALUE: u64>() -> Self {
        const { assert!(VALUE >= MIN && VALUE <= MAX) }
        Self(VALUE)
    }

    /// The number.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<i64> for Bounded<MIN, MAX> {
    type Error = String;

    fn try_from(value: i64) -> Result<Self, String> {
        match u64::try_from(value) {
            Ok(value) if (MIN..=MAX).contains(&value) => Ok(Self(value)),
            _ => Err(format!("{value} is outside {MIN} to {MAX}")),
        }
    }
}

impl<const MIN: u64, const MAX: u64> From<Bounded<MIN, MAX>> for u64 {
    fn from(value: Bounded<MIN, MAX>) -> Self {
        value.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_root_users_and_roles() {
        for text in ["root", "user/ci", "role/deploy.er"] {
            assert_eq!(text.parse::<ConfiguredPrincipal>().unwrap().to_string(), text);
        }
        for text in ["", "Root", "user/", "user/a/b", "group/x", "user/a b"] {
            assert!(text.parse::<ConfiguredPrincipal>().is_err(), "{text}");
        }
    }

    #[test]
    fn access_key_ids_have_iams_form_and_are_not_temporary() {
        assert!("AKIAIOSFODNN7EXAMPLE".parse::<AccessKeyId>().is_ok());
        for text in ["test", "AKIA-OSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", &"A".repeat(129)] {
            assert!(text.parse::<AccessKeyId>().is_err(), "{text}");
        }
    }

    #[test]
    fn public_urls_are_a_scheme_and_an_authority() {
        assert_eq!("https://pilvi.example/".parse::<PublicUrl>().unwrap().to_string(), "https://pilvi.example");
        assert_eq!("http://[::1]:80".parse::<PublicUrl>().unwrap().authority(), "[::1]:80");
        for text in ["pilvi.example", "https://", "https://a/b", "https://a?b", "https://u:p@a"] {
            assert!(text.parse::<PublicUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_listener_on_every_address_is_reached_over_loopback() {
        let reach = |text: &str| reachable_locally(text.parse::<Listen>().unwrap().0).to_string();
        assert_eq!(reach("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(reach("[::]:1"), "[::1]:1");
        assert_eq!(reach("192.0.2.1:1"), "192.0.2.1:1");
        assert_eq!(reach("localhost:1"), "127.0.0.1:1");
    }

    #[test]
    fn certificate_names_are_hosts_wildcards_and_addresses() {
        for text in ["pilvi.lan", "*.pilvi.lan", "10.0.0.1", "::1"] {
            assert_eq!(text.parse::<DnsName>().unwrap().to_string(), text);
        }
        for text in ["", "a..b", "-a", "a b", "*", "a.*.b"] {
            assert!(text.parse::<DnsName>().is_err(), "{text}");
        }
    }
}
