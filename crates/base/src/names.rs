//! Accounts and regions, checked once where they enter.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that has not the form its kind must have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// An account id is exactly twelve ASCII digits.
    #[error("`{0}` is not an account id: twelve digits are expected")]
    Account(String),
    /// A region is lower-case words and a number, joined by hyphens, 64 characters at most.
    #[error("`{0}` is not a region name such as us-east-1")]
    Region(String),
}

/// An AWS account: twelve digits, stored inline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId([u8; 12]);

impl AccountId {
    /// The account that Pilvi uses when none is configured.
    pub const DEFAULT: Self = Self(*b"000000000000");

    /// Whose a request is that nobody has signed. No account can be called so.
    pub const NOBODY: Self = Self(*b"_anonymous__");

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII is let in")
    }
}

impl FromStr for AccountId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match <[u8; 12]>::try_from(text.as_bytes()) {
            Ok(digits) if digits.iter().all(u8::is_ascii_digit) => Ok(Self(digits)),
            _ => Err(NameError::Account(text.to_owned())),
        }
    }
}

impl TryFrom<String> for AccountId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.as_str().to_owned()
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of a region. Any well-formed name is a region of its own: Pilvi keeps each one's resources apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// The longest region name that is accepted.
    pub const LENGTH_MAX: usize = 64;

    /// Where the resources of global services (IAM) are kept.
    pub fn global() -> Self {
        Self("aws-global".to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Region {
    fn default() -> Self {
        Self("us-east-1".to_owned())
    }
}

impl FromStr for Region {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let well_formed = (1..=Self::LENGTH_MAX).contains(&text.len())
            && text
                .split('-')
                .all(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            && text.as_bytes()[0].is_ascii_lowercase();
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NameError::Region(text.to_owned())) }
    }
}

impl TryFrom<String> for Region {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.0
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_twelve_digits_and_nothing_else() {
        assert_eq!("123456789012".parse::<AccountId>().unwrap().as_str(), "123456789012");
        for wrong in ["", "12345678901", "1234567890123", "12345678901x", "１２３４"] {
            assert!(wrong.parse::<AccountId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_region_cannot_smuggle_a_separator() {
        for right in ["us-east-1", "eu-central-2", "local", "us-gov-west-1"] {
            assert!(right.parse::<Region>().is_ok(), "{right}");
        }
        for wrong in ["", "us/east", "-us", "us-", "US-EAST-1", "us east", "1-us", "us--1"] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }
}
