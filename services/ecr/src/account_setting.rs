//! Account settings: which there are, and what they can be set to.

use serde::{Deserialize, Serialize};
use store::{Record, Scope, Store, Versioned};

use crate::Error;

/// The value of a setting that somebody has chosen for the account. Its record's id is the setting's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSetting {
    /// The value.
    pub value: String,
}

impl Record for AccountSetting {
    const SERVICE: &'static str = "ecr";
    const KIND: &'static str = "account-setting";
}

/// The settings that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountSettingName {
    /// What scans images; AWS's own scanner is the only one that AWS still has.
    BasicScanTypeVersion,
    /// Whether a push may take blobs over from other repositories of the registry.
    BlobMounting,
    /// To which actions the registry's policy applies.
    RegistryPolicyScope,
}

impl AccountSettingName {
    /// Every setting.
    pub const ALL: [Self; 3] = [Self::BasicScanTypeVersion, Self::BlobMounting, Self::RegistryPolicyScope];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BasicScanTypeVersion => "BASIC_SCAN_TYPE_VERSION",
            Self::BlobMounting => "BLOB_MOUNTING",
            Self::RegistryPolicyScope => "REGISTRY_POLICY_SCOPE",
        }
    }

    /// What it can be set to; the first value is what it is when nobody has set it.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Self::BasicScanTypeVersion => &["AWS_NATIVE"],
            Self::BlobMounting => &["DISABLED", "ENABLED"],
            Self::RegistryPolicyScope => &["V2", "V1"],
        }
    }

    /// The setting of a name.
    ///
    /// # Errors
    /// [`Error::Parameter`]
    pub(crate) fn admit(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|setting| setting.as_str() == name);
        found.ok_or_else(|| Error::parameter("name", format!("must be one of {:?}", Self::ALL.map(Self::as_str))))
    }

    /// Checks a value for it.
    ///
    /// # Errors
    /// [`Error::Parameter`]
    pub(crate) fn admit_value(self, value: &str) -> Result<(), Error> {
        let refuse = || Error::parameter("value", format!("must be one of {:?}", self.values()));
        if self.values().contains(&value) { Ok(()) } else { Err(refuse()) }
    }
}

/// What a setting is in a registry.
pub(crate) async fn effective(store: &Store, scope: &Scope, name: AccountSettingName) -> Result<String, Error> {
    let found: Option<Versioned<AccountSetting>> = store.read(scope, &[name.as_str()]).await?;
    Ok(found.map_or_else(|| name.values()[0].to_owned(), |setting| setting.value.value))
}

/// Whether a push may take blobs over from other repositories of the registry.
pub async fn is_blob_mounting_enabled(store: &Store, scope: &Scope) -> Result<bool, Error> {
    Ok(effective(store, scope, AccountSettingName::BlobMounting).await? == "ENABLED")
}
