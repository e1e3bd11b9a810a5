//! `passwd` and `group` of an image, and who it says that it runs as: nobody is found who is not in them, and no number is cut.

#![no_main]

use libfuzzer_sys::fuzz_target;

/// The reader is no part of its crate's interface.
#[path = "../../crates/sandbox/src/users.rs"]
#[allow(dead_code, reason = "its crate uses more of it")]
mod users;

/// The largest number of a user or group.
const ID_MAX: u32 = i32::MAX as u32;

fuzz_target!(|input: (&str, &[u8], &[u8])| {
    let (wanted, passwd, group) = input;
    let Ok(found) = users::identify(wanted, &[], passwd, group) else { return };
    assert!(found.uid <= ID_MAX && found.gid <= ID_MAX, "{wanted}: {found:?}");
    assert!(found.groups.iter().all(|id| *id <= ID_MAX), "{wanted}: {found:?}");
    assert!(found.home.starts_with('/'), "{wanted}: {found:?}");
    let user = wanted.split_once(':').map_or(wanted, |(user, _)| user);
    let is_named = !user.is_empty() && user.parse::<u32>().is_err();
    if is_named {
        let holds = passwd.windows(user.len()).any(|window| window == user.as_bytes());
        assert!(holds, "{user} is in no line");
    }
});
