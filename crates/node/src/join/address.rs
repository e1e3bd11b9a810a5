//! Where a server is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::JoinError;

/// The longest address, in bytes: a name of 253, and what is around it.
const TEXT_BYTES_MAX: usize = 300;

/// The nodes' port of a server: `https://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Address {
    type Err = JoinError;

    fn from_str(text: &str) -> Result<Self, JoinError> {
        let wrong = || JoinError::Url { given: text.chars().take(TEXT_BYTES_MAX).collect() };
        if text.len() > TEXT_BYTES_MAX {
            return Err(wrong());
        }
        let uri: http::Uri = text.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let is_plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().filter(|it| !it.as_str().contains('@')).ok_or_else(wrong)?;
        let port = authority.port_u16().filter(|port| *port > 0).ok_or_else(wrong)?;
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if uri.scheme_str() != Some("https") || !is_plain || host.is_empty() {
            return Err(wrong());
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "https://[{host}]:{port}") } else { write!(f, "https://{host}:{port}") }
    }
}

impl TryFrom<String> for Address {
    type Error = JoinError;

    fn try_from(text: String) -> Result<Self, JoinError> {
        text.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_over_tls() {
        for text in ["https://pilvi.example:4567", "https://127.0.0.1:1", "https://[::1]:4567"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
            assert_eq!(format!("{text}/").parse::<Address>().unwrap().to_string(), text);
        }
        let wrong = [
            "",
            "http://a:1",
            "https://a",
            "https://a:0",
            "https://a:70000",
            "https://:1",
            "https://u@a:1",
            "https://a:1/path",
            "https://a:1?q",
            "a:1",
        ];
        for text in wrong {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
