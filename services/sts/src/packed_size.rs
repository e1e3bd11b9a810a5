//! How much of a session token's room its policies and tags take. AWS packs them in a form that it does not tell; here
//! their plain sizes count.

use std::collections::BTreeMap;

use crate::Error;

/// The room, in bytes: what AWS gives to a session policy in plain text.
const ROOM_BYTES: usize = 2048;

/// The share of the room that is taken, in percent; none if there is nothing to carry.
pub(crate) fn percent(
    policy: Option<&str>,
    policy_arns: &[String],
    tags: &BTreeMap<String, String>,
) -> Result<Option<i32>, Error> {
    let policy_bytes = policy.map_or(0, |text| text.split_whitespace().map(str::len).sum());
    let arn_bytes: usize = policy_arns.iter().map(String::len).sum();
    let tag_bytes: usize = tags.iter().map(|(key, value)| key.len() + value.len()).sum();
    let percent = ((policy_bytes + arn_bytes + tag_bytes) * 100).div_ceil(ROOM_BYTES);
    if percent > 100 {
        return Err(Error::PackedTooLarge { percent });
    }
    let carries = policy.is_some() || !policy_arns.is_empty() || !tags.is_empty();
    Ok(i32::try_from(percent).ok().filter(|_| carries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_with_what_is_carried_until_it_does_not_fit() {
        let none = BTreeMap::new();
        assert_eq!(percent(None, &[], &none).unwrap(), None);
        assert_eq!(percent(Some("{ \n }"), &[], &none).unwrap(), Some(1));
        assert_eq!(percent(Some(&"x".repeat(ROOM_BYTES)), &[], &none).unwrap(), Some(100));
        let error = percent(Some(&"x".repeat(ROOM_BYTES)), &["arn".to_owned()], &none).unwrap_err();
        assert_eq!(error.to_string(), "Packed policy consumes 101% of allotted space, please use smaller policy.");
    }
}
