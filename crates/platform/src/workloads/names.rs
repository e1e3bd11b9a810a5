//! What workloads are called.

use super::WorkloadError;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Checks a name: as Docker's of containers.
pub(super) fn check(name: &str) -> Result<(), WorkloadError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins_well && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_plain) {
        return Ok(());
    }
    let mut given = name.to_owned();
    given.truncate(given.floor_char_boundary(NAME_BYTES_MAX));
    Err(WorkloadError::Name { given })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_docker() {
        for name in ["a", "web-1", "a.b_c", "0"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "-a", "_a", "a/b", "ä", &"a".repeat(256)] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
