//! What `@ptr` is: an event's place, which GetLogRecord finds it by.

use base::AccountId;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use platform::Platform;
use segments::EventId;
use store::Scope;

use super::QueriedGroup;

/// The place of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// In which group.
    pub(crate) group: QueriedGroup,
    /// Which of its events.
    pub(crate) event: EventId,
}

impl Pointer {
    /// The pointer as clients of an account and region get it. It means nothing to any other.
    pub(crate) fn seal(&self, platform: &Platform, scope: &Scope) -> String {
        let QueriedGroup { account, name, storage_id } = &self.group;
        let plain = format!("{account}:{storage_id}:{:x}:{name}", self.event.as_u128());
        BASE64.encode(platform.keyring.seal(&purpose(scope), plain.as_bytes()))
    }

    /// The pointer that was given out as `text`.
    pub(crate) fn open(platform: &Platform, scope: &Scope, text: &str) -> Option<Self> {
        let sealed = BASE64.decode(text).ok()?;
        let plain = platform.keyring.open(&purpose(scope), &sealed)?;
        let mut parts = std::str::from_utf8(&plain).ok()?.splitn(4, ':');
        let account: AccountId = parts.next()?.parse().ok()?;
        let storage_id = parts.next()?.to_owned();
        let event = EventId::from_u128(u128::from_str_radix(parts.next()?, 16).ok()?);
        Some(Self { group: QueriedGroup { account, name: parts.next()?.to_owned(), storage_id }, event })
    }
}

fn purpose(scope: &Scope) -> String {
    format!("log-record/{}", scope.key())
}

#[cfg(test)]
mod tests {
    use base::Region;

    use super::*;

    #[test]
    fn a_pointer_is_good_where_it_was_given_out() {
        let platform = Platform::in_memory();
        let account: AccountId = "123456789012".parse().unwrap();
        let group = QueriedGroup { account, name: "/a/b".to_owned(), storage_id: "id".to_owned() };
        let pointer = Pointer { group, event: EventId::from_u128(7 << 80) };
        let here = Scope::new(account, Region::default());
        let text = pointer.seal(&platform, &here);
        assert_eq!(Pointer::open(&platform, &here, &text), Some(pointer));
        let elsewhere = Scope::new("999999999999".parse().unwrap(), Region::default());
        assert_eq!(Pointer::open(&platform, &elsewhere, &text), None);
        assert_eq!(Pointer::open(&platform, &here, "x"), None);
    }
}
