//! The addresses at which code is handed out: nobody has to say who they are there, as little as at the presigned addresses
//! of Amazon S3 that AWS answers.

use std::time::Duration;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use blobs::Digest;
use platform::{Ctx, Platform};
use serde::{Deserialize, Serialize};

use crate::configuration::Archive;
use crate::{Error, Lambda};

/// What the paths begin with. No operation's path does: they all begin with a date.
pub const PREFIX: &str = "/_lambda/code/";
/// How long an address is good. (API reference, FunctionCodeLocation: "A presigned URL that you can use to download the
/// deployment package"; GetFunction: "The link is valid for 10 minutes".)
pub const LIFETIME: Duration = Duration::from_secs(600);
/// The longest sealed text that is opened, in bytes.
const SEALED_LENGTH_MAX: usize = 512;
/// What the texts are sealed for.
const PURPOSE: &str = "lambda-code-location";

/// What an address says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeLocation {
    /// The archive.
    pub digest: Digest,
    /// Its size, in bytes.
    pub size: u64,
    /// When it ends.
    pub expires: Timestamp,
}

impl CodeLocation {
    /// What a path says, if it was handed out here and is good still.
    pub fn open(platform: &Platform, path: &str) -> Option<Self> {
        let sealed = path.strip_prefix(PREFIX).filter(|sealed| sealed.len() <= SEALED_LENGTH_MAX)?;
        let plain = platform.keyring.open(PURPOSE, &BASE64.decode(sealed).ok()?)?;
        let location: Self = serde_json::from_slice(&plain).ok()?;
        (platform.clock.now() < location.expires).then_some(location)
    }

    fn path(&self, platform: &Platform) -> String {
        let plain = serde_json::to_vec(self).expect("it has only string keys, so serde_json cannot refuse it");
        format!("{PREFIX}{}", BASE64.encode(platform.keyring.seal(PURPOSE, &plain)))
    }
}

/// The address of an archive, from now on.
pub(crate) fn location(lambda: &Lambda, ctx: &Ctx, archive: &Archive) -> String {
    let Archive { digest, size, .. } = *archive;
    let path = CodeLocation { digest, size, expires: ctx.now.plus(LIFETIME) }.path(&lambda.platform);
    match &lambda.settings.public_address {
        Some(address) => format!("{}{path}", address.trim_end_matches('/')),
        None => format!("{}://{}{path}", if ctx.is_secure { "https" } else { "http" }, ctx.host),
    }
}

/// The bytes behind an address, for whoever serves them.
///
/// # Errors
/// [`Error::Code`]
pub async fn content(lambda: &Lambda, location: &CodeLocation) -> Result<wire::Content, Error> {
    let file = lambda.code.open(location.digest).await?.into_file();
    let range = wire::content::FileRange { file: file.into(), range: 0..location.size };
    Ok(wire::Content::files(vec![range]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_good_for_its_archive_and_its_time() {
        let platform = Platform::in_memory();
        let now = platform.clock.now();
        let location = CodeLocation { digest: Digest::of(b"x"), size: 1, expires: now.plus(LIFETIME) };
        let path = location.path(&platform);
        assert_eq!(CodeLocation::open(&platform, &path), Some(location));
        let over = CodeLocation { expires: now, ..location }.path(&platform);
        assert_eq!(CodeLocation::open(&platform, &over), None);
        assert_eq!(CodeLocation::open(&platform, &format!("{path}x")), None);
        assert_eq!(CodeLocation::open(&platform, "/_lambda/code/"), None);
    }
}
