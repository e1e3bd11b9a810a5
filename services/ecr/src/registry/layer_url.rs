//! The addresses at which `GetDownloadUrlForLayer` lets layers be downloaded: nobody has to say who they are there, as
//! little as at the presigned URLs of Amazon S3 that AWS answers.

use std::time::Duration;

use base::{AccountId, Region, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use platform::Platform;
use serde::{Deserialize, Serialize};

use crate::digest::ContentDigest;
use crate::names::RepositoryName;
use crate::repository::Found;

/// What the paths begin with. No repository has a name that begins with `_`, and no bucket the name `v2`.
pub(super) const PREFIX: &str = "/v2/_layers/";
/// How long a URL is good. (Amazon ECR's URLs are signed for an hour.)
pub const LAYER_URL_LIFETIME: Duration = Duration::from_secs(3600);
/// The longest sealed text that is opened, in bytes: a repository's name has 256 at most, a digest 135.
const SEALED_LENGTH_MAX: usize = 2048;
/// What the texts are sealed for.
const PURPOSE: &str = "ecr-layer-url";

/// What an address says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LayerUrl {
    /// Whose registry it is.
    registry: AccountId,
    /// Where it is.
    region: Region,
    /// The repository's name.
    repository: String,
    /// The repository's id: of another one with the same name the address says nothing.
    repository_id: String,
    /// The layer.
    digest: ContentDigest,
    /// When it ends.
    expires: Timestamp,
}

impl LayerUrl {
    /// A layer of a repository, from now on.
    pub(crate) fn of(repository: &Found, digest: &ContentDigest, now: Timestamp) -> Self {
        Self {
            registry: repository.name.registry,
            region: repository.name.region.clone(),
            repository: repository.name.name.clone(),
            repository_id: repository.id().to_owned(),
            digest: digest.clone(),
            expires: now.plus(LAYER_URL_LIFETIME),
        }
    }

    /// The path.
    pub(crate) fn path(&self, platform: &Platform) -> String {
        let plain = serde_json::to_vec(self).expect("it has only string keys, so serde_json cannot refuse it");
        format!("{PREFIX}{}", BASE64.encode(platform.keyring.seal(PURPOSE, &plain)))
    }

    /// What a path says, if it was handed out here, however long ago.
    pub(super) fn open(platform: &Platform, path: &str) -> Option<Self> {
        let sealed = path.strip_prefix(PREFIX).filter(|sealed| sealed.len() <= SEALED_LENGTH_MAX)?;
        let plain = platform.keyring.open(PURPOSE, &BASE64.decode(sealed).ok()?)?;
        serde_json::from_slice(&plain).ok()
    }

    /// Whether it is good still.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        now < self.expires
    }

    /// The repository that it is about.
    pub(super) fn repository(&self) -> RepositoryName {
        RepositoryName { registry: self.registry, region: self.region.clone(), name: self.repository.clone() }
    }

    /// Whether this is the repository that it was handed out for.
    pub(super) fn is_of(&self, repository: &Found) -> bool {
        self.repository_id == repository.id()
    }

    /// The layer.
    pub(super) fn digest(&self) -> &ContentDigest {
        &self.digest
    }
}
