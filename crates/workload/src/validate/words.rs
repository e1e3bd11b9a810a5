//! Names, paths and other short texts.

use crate::InvalidSpec;
use crate::limits::{NAME_BYTES_MAX, PATH_BYTES_MAX};

/// The longest host name, in bytes (RFC 1035, section 2.3.4).
const HOST_NAME_BYTES_MAX: usize = 253;
/// The longest part of it between dots, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// Something is wrong with a member.
pub(super) fn wrong(member: impl Into<String>, problem: impl Into<String>) -> InvalidSpec {
    InvalidSpec::Member { member: member.into(), problem: problem.into() }
}

/// A name of a container or volume: letters, digits, `-`, `_`.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain)
}

/// A name of a directory: the same and `.`, but not first, so that it is neither hidden nor `..`.
pub(super) fn is_directory_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain) && !text.starts_with('.')
}

/// A host name: letters, digits, `-` and `_` between dots.
pub(super) fn is_host_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(plain)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= HOST_NAME_BYTES_MAX && text.split('.').all(label)
}

/// A path from the root that leads nowhere else than it says.
pub(super) fn check_absolute(at: &str, path: &str) -> Result<(), InvalidSpec> {
    if !path.starts_with('/') {
        return Err(wrong(at, "it does not begin with /"));
    }
    check_path(at, path)
}

/// A path below a directory.
pub(super) fn check_relative(at: &str, path: &str) -> Result<(), InvalidSpec> {
    if path.is_empty() || path.starts_with('/') {
        return Err(wrong(at, "it is empty or begins with /"));
    }
    check_path(at, path)
}

fn check_path(at: &str, path: &str) -> Result<(), InvalidSpec> {
    if path.len() > PATH_BYTES_MAX {
        return Err(wrong(at, format!("it has more than {PATH_BYTES_MAX} bytes")));
    }
    if path.contains('\0') {
        return Err(wrong(at, "it contains NUL"));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(wrong(at, "it contains `..`"));
    }
    if path.split('/').any(|part| part.len() > NAME_BYTES_MAX) {
        return Err(wrong(at, format!("a part of it has more than {NAME_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// A path that is not the root itself, however it is written.
pub(super) fn is_root(path: &str) -> bool {
    path.split('/').all(|part| part.is_empty() || part == ".")
}

/// The same path with nothing in it that means nothing, to be compared.
pub(super) fn plain(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect()
}
