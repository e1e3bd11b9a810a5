//! Directories that containers share or keep.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::container::MEMORY_VOLUME_BYTES_MIN;
use super::words::{check_absolute, check_relative, is_directory_name, is_name, plain, wrong};
use crate::limits::{ARCHIVES_MAX, FILES_MAX, VOLUMES_MAX};
use crate::{InvalidSpec, Volume, VolumeSource};

pub(super) fn check_all(volumes: &[Volume]) -> Result<(), InvalidSpec> {
    if volumes.len() > VOLUMES_MAX {
        return Err(wrong("volumes", format!("there are more than {VOLUMES_MAX}")));
    }
    let mut names = BTreeSet::new();
    for (place, volume) in volumes.iter().enumerate() {
        let at = format!("volumes[{place}]");
        if !is_name(&volume.name) {
            return Err(wrong(format!("{at}.name"), "names have 1 to 255 letters, digits, `-` and `_`"));
        }
        if !names.insert(volume.name.as_str()) {
            return Err(wrong(format!("{at}.name"), format!("another volume is called {}", volume.name)));
        }
        source(&format!("{at}.source"), &volume.source)?;
    }
    Ok(())
}

fn source(at: &str, source: &VolumeSource) -> Result<(), InvalidSpec> {
    match source {
        VolumeSource::Scratch { bytes_max: Some(0) } => Err(wrong(at, "nothing fits into it")),
        VolumeSource::Scratch { .. } => Ok(()),
        VolumeSource::Named { scope, name } => {
            let are_names = is_directory_name(scope) && is_directory_name(name);
            if are_names { Ok(()) } else { Err(wrong(at, "scope or name is no name of a directory")) }
        }
        VolumeSource::Host { path, .. } => check_absolute(at, path),
        VolumeSource::Memory { bytes_max } if *bytes_max < MEMORY_VOLUME_BYTES_MIN => {
            Err(wrong(at, format!("it is smaller than {MEMORY_VOLUME_BYTES_MIN} bytes")))
        }
        VolumeSource::Memory { .. } => Ok(()),
        VolumeSource::Archive { archives } => {
            if !(1..=ARCHIVES_MAX).contains(&archives.len()) {
                return Err(wrong(
                    at,
                    format!("there are {} archives, and 1 to {ARCHIVES_MAX} can be", archives.len()),
                ));
            }
            match archives.iter().find(|digest| !is_sha256(digest)) {
                Some(_) => Err(wrong(at, "an archive has no digest")),
                None => Ok(()),
            }
        }
        VolumeSource::Files { files } => {
            if files.len() > FILES_MAX {
                return Err(wrong(at, format!("there are more than {FILES_MAX} files")));
            }
            let mut places: Vec<Vec<&str>> = Vec::new();
            for (path, content) in files {
                check_relative(at, path)?;
                let place = plain(path);
                if place.is_empty() || path.ends_with('/') {
                    return Err(wrong(at, format!("{path} is no file")));
                }
                if BASE64_STANDARD.decode(content).is_err() {
                    return Err(wrong(at, format!("the content of {path} is no base64")));
                }
                places.push(place);
            }
            places.sort();
            // In order, whatever lies below a path comes right after it.
            if places.windows(2).any(|two| two[1].starts_with(&two[0])) {
                return Err(wrong(at, "a file is another file's directory, or given twice"));
            }
            Ok(())
        }
    }
}

/// Whether this is a digest as documents of images have it (OCI image specification, "Digests").
fn is_sha256(digest: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(is_digit))
}
