//! How much of a session token's room its policies and tags take. AWS packs them in a form that it does not tell; here
//! their plain sizes count.

use std::collections::BTreeMap;

use crate::Error;

/// The room, in bytes: what AWS gives to a session policy in plain text.
const ROOM_BYTES: usize = 2048;

/// Refuses a policy that cannot fit, by its text as it was given; white space may be taken out of it.
pub(crate) fn check_plain(policy: &str) -> Result<(), Error> {
    share(policy.split_whitespace().map(str::len).sum()).map(drop)
}

/// The share of the room that is taken, in percent; none if there is nothing to carry. `policy` is as it is carried.
pub(crate) fn percent(
    policy: Option<&str>,
    policy_arns: &[String],
    tags: &BTreeMap<String, String>,
) -> Result<Option<i32>, Error> {
    let arn_bytes: usize = policy_arns.iter().map(String::len).sum();
    let tag_bytes: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let percent = share(policy.map_or(0, str::len) + arn_bytes + tag_bytes)?;
    let carries = policy.is_some() || !policy_arns.is_empty() || !tags.is_empty();
    Ok(i32::try_from(percent).ok().filter(|_| carries))
}

fn share(bytes: usize) -> Result<usize, Error> {
    let percent = (bytes * 100).div_ceil(ROOM_BYTES);
    if percent > 100 { Err(Error::PackedTooLarge { percent }) } else { Ok(percent) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_with_what_is_carried_until_it_does_not_fit() {
        let none = BTreeMap::new();
        assert_eq!(percent(None, &[], &none).unwrap(), None);
        assert_eq!(percent(Some("{}"), &[], &none).unwrap(), Some(1));
        assert_eq!(percent(Some(&"x".repeat(ROOM_BYTES)), &[], &none).unwrap(), Some(100));
        let error = percent(Some(&"x".repeat(ROOM_BYTES)), &["arn".to_owned()], &none).unwrap_err();
        assert_eq!(error.to_string(), "Packed policy consumes 101% of allotted space, please use smaller policy.");
    }

    #[test]
    fn white_space_takes_no_room_before_the_policy_is_read() {
        assert!(check_plain(&"{ \n } ".repeat(ROOM_BYTES / 2)).is_ok());
        assert!(check_plain(&"{ \n } ".repeat(ROOM_BYTES / 2 + 1)).is_err());
    }
}
