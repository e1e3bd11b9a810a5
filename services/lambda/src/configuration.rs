//! What can be said of a function, beside its code's name: what each version keeps for itself.

mod admit;
mod environment;
pub mod runtime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use blobs::Digest;
use serde::{Deserialize, Serialize};

use crate::limits;

pub(crate) use admit::{Said, check_unzipped, said};
pub(crate) use environment::open as open_variables;

/// Everything that a version of a function is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Configuration {
    /// In its owner's words.
    pub description: String,
    /// The role whose credentials it has.
    pub role: String,
    /// The runtime; none of an image.
    pub runtime: Option<String>,
    /// What the runtime calls; none of an image.
    pub handler: Option<String>,
    /// How long it may run, in seconds.
    pub timeout_s: u32,
    /// Its memory, in MiB; its share of processors goes with it.
    pub memory_mib: u32,
    /// How large its `/tmp` is, in MiB.
    pub ephemeral_mib: u32,
    /// What it was built for.
    pub architecture: Architecture,
    /// Its code.
    pub package: Package,
    /// Its environment variables, sealed; none if none were ever said.
    pub variables: Option<String>,
    /// The layers below its code, the first one lowest.
    pub layers: Vec<LayerUse>,
    /// Whether each of its executions is traced.
    pub is_traced: bool,
    /// Where its output goes, and how much of it.
    pub logging: Logging,
}

/// A processor's instruction set, as Lambda calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Architecture {
    /// `x86_64`
    #[serde(rename = "x86_64")]
    X86,
    /// `arm64`
    #[serde(rename = "arm64")]
    Arm,
}

impl Architecture {
    /// That of the machine on which this runs.
    pub fn of_this_machine() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm } else { Self::X86 }
    }

    /// Lambda's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "arm64",
        }
    }
}

/// A function's code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Package {
    /// An archive, which is a blob.
    Zip(Archive),
    /// An image of the registry here.
    Image {
        /// As it was named.
        uri: String,
        /// The same with the digest that the name meant then.
        resolved: String,
        /// That digest: `sha256:…`
        digest: String,
        /// What of the image's own configuration does not count.
        overrides: ImageOverrides,
    },
}

impl Package {
    /// The archive, if it is one.
    pub fn archive(&self) -> Option<&Archive> {
        match self {
            Self::Zip(archive) => Some(archive),
            Self::Image { .. } => None,
        }
    }

    /// How much of the account's quota it takes, in bytes. Images are the registry's.
    pub fn size(&self) -> u64 {
        self.archive().map_or(0, |archive| archive.size)
    }

    /// `CodeSha256`: of an archive in base64, of an image in hexadecimal digits.
    pub fn code_sha256(&self) -> String {
        match self {
            Self::Zip(archive) => archive.code_sha256(),
            Self::Image { digest, .. } => digest.strip_prefix("sha256:").unwrap_or(digest).to_owned(),
        }
    }
}

/// A ZIP archive that was looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Archive {
    /// The blob.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// What its files have together, in bytes.
    pub unzipped: u64,
}

impl Archive {
    /// Its digest as Lambda writes it.
    pub fn code_sha256(&self) -> String {
        BASE64.encode(self.digest.as_bytes())
    }
}

/// What of an image's configuration a function says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageOverrides {
    /// Instead of its `ENTRYPOINT`.
    pub entry_point: Option<Vec<String>>,
    /// Instead of its `CMD`.
    pub command: Option<Vec<String>>,
    /// Instead of its `WORKDIR`.
    pub working_directory: Option<String>,
}

/// A layer's version in a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerUse {
    /// The version's ARN.
    pub arn: String,
    /// Its archive, which stays with the function even when the version is deleted.
    pub archive: Archive,
}

/// Where a function's output goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Logging {
    /// The log group.
    pub group: String,
    /// Text, or JSON and from which level on.
    pub format: LogFormat,
}

/// How output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// As it comes.
    Text,
    /// As objects, and only those of some levels. The words are the interface's own.
    Json {
        /// `TRACE` to `FATAL`: of what the function writes.
        #[serde(with = "word")]
        application: crate::api::ApplicationLogLevel,
        /// `DEBUG` to `WARN`: of what Lambda writes.
        #[serde(with = "word")]
        system: crate::api::SystemLogLevel,
    },
}

impl Logging {
    /// What a function has that says nothing.
    pub fn of(function: &str) -> Self {
        Self { group: format!("/aws/lambda/{function}"), format: LogFormat::Text }
    }
}

/// The interface's enumerations in records: by their words.
mod word {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Configuration {
    /// A function that says nothing but who it is.
    pub(crate) fn new(function: &str, role: String, package: Package, architecture: Architecture) -> Self {
        Self {
            description: String::new(),
            role,
            runtime: None,
            handler: None,
            timeout_s: limits::TIMEOUT_S_DEFAULT,
            memory_mib: limits::MEMORY_MIB_DEFAULT,
            ephemeral_mib: limits::EPHEMERAL_MIB_DEFAULT,
            architecture,
            package,
            variables: None,
            layers: Vec::new(),
            is_traced: false,
            logging: Logging::of(function),
        }
    }

    /// The blobs that it needs.
    pub fn blobs(&self) -> Vec<Digest> {
        let layers = self.layers.iter().map(|layer| layer.archive.digest);
        self.package.archive().map(|archive| archive.digest).into_iter().chain(layers).collect()
    }

    /// What code and layers have unpacked, in bytes.
    pub fn unzipped(&self) -> u64 {
        let layers: u64 = self.layers.iter().map(|layer| layer.archive.unzipped).sum();
        self.package.archive().map_or(0, |archive| archive.unzipped).saturating_add(layers)
    }
}
