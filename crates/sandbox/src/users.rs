//! Users and groups of a container, from its own `passwd` and `group` files. They are read by this code alone: no library's lookup
//! ever runs, which an image's `nsswitch.conf` could have load code of its own. What a name means is as Docker has it.

/// The largest file that is read, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// The most groups of a process; the kernel's limit.
pub(crate) const GROUPS_MAX: usize = 65_536;
/// The largest number of a user or group; beyond it numbers are negative somewhere.
const ID_MAX: u32 = i32::MAX as u32;

/// Who a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The user's number.
    pub(crate) uid: u32,
    /// The group's number.
    pub(crate) gid: u32,
    /// Further groups.
    pub(crate) groups: Vec<u32>,
    /// The user's home directory; `/` if it has none.
    pub(crate) home: String,
}

/// What is not in the files, or is no name or number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnknownUser {
    /// The user.
    #[error("there is no user `{0}` in the container's /etc/passwd")]
    User(String),
    /// The group.
    #[error("there is no group `{0}` in the container's /etc/group")]
    Group(String),
}

struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

/// Who `user`, `uid`, `user:group`, `uid:gid` or a mixture is; nothing is user 0. `further` are groups beside.
///
/// A user that is a number need not be in the files: its group is then 0. The groups that the file has the user in are its own
/// unless a group is named.
pub(crate) fn identify(wanted: &str, further: &[u32], passwd: &[u8], group: &[u8]) -> Result<Identity, UnknownUser> {
    let (user, group_wanted) = match wanted.split_once(':') {
        Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
        None => (wanted, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = number(user);
    let found = users(passwd).find(|known| number.map_or(known.name == user, |number| known.uid == number));
    let uid = number.or(found.as_ref().map(|found| found.uid)).ok_or_else(|| UnknownUser::User(user.to_owned()))?;
    let home = found.as_ref().map(|found| found.home).filter(|home| home.starts_with('/')).unwrap_or("/");
    let mut gid = found.as_ref().map_or(0, |found| found.gid);
    let mut groups = Vec::new();
    match (group_wanted, &found) {
        (Some(name), _) => gid = group_number(name, group)?,
        (None, Some(found)) => groups.extend(groups_of(found.name, group)),
        (None, None) => {}
    }
    groups.extend_from_slice(further);
    groups.sort_unstable();
    groups.dedup();
    groups.truncate(GROUPS_MAX);
    Ok(Identity { uid, gid, groups, home: home.to_owned() })
}

fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| is_number && *id <= ID_MAX)
}

fn group_number(name: &str, file: &[u8]) -> Result<u32, UnknownUser> {
    if let Some(gid) = number(name) {
        return Ok(gid);
    }
    let found = lines(file).find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| number(fields.nth(1)?)).flatten()
    });
    found.ok_or_else(|| UnknownUser::Group(name.to_owned()))
}

fn groups_of<'a>(user: &'a str, file: &'a [u8]) -> impl Iterator<Item = u32> + 'a {
    lines(file).filter_map(move |line| {
        let mut fields = line.split(':').skip(2);
        let gid = number(fields.next()?)?;
        fields.next()?.split(',').any(|member| member.trim() == user).then_some(gid)
    })
}

fn users(file: &[u8]) -> impl Iterator<Item = User<'_>> {
    lines(file).filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        Some(User { name, uid, gid, home: fields.nth(1).unwrap_or("") })
    })
}

/// Lines that are text and no comments.
fn lines(file: &[u8]) -> impl Iterator<Item = &str> {
    file.split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok())
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n# none\n\nweb:x:1000:50:Web:/srv/web:/bin/sh\nodd\n:x:7:7::/:\nnohome:x:9:9::::\n\xff:x:1:1::/:\nbig:x:4294967295:1::/:/\n";
    const GROUP: &[u8] =
        b"root:x:0:\nstaff:x:50:\nlogs:x:60:root, web\ndisk:x:61:web\nbad:x:-1:web\nnumbers:x:70:1000\n";

    fn who(wanted: &str) -> Result<Identity, UnknownUser> {
        identify(wanted, &[], PASSWD, GROUP)
    }

    #[test]
    fn nothing_is_user_0_with_its_groups_and_home() {
        let root = Identity { uid: 0, gid: 0, groups: vec![60], home: "/root".to_owned() };
        assert_eq!(who(""), Ok(root.clone()));
        assert_eq!(who("root"), Ok(root));
    }

    #[test]
    fn a_name_brings_its_group_and_the_groups_it_is_in() {
        let web = Identity { uid: 1000, gid: 50, groups: vec![60, 61], home: "/srv/web".to_owned() };
        assert_eq!(who("web"), Ok(web.clone()));
        assert_eq!(who("1000"), Ok(web));
    }

    #[test]
    fn a_named_group_is_the_only_one() {
        let web = Identity { uid: 1000, gid: 61, groups: vec![], home: "/srv/web".to_owned() };
        assert_eq!(who("web:disk"), Ok(web));
        assert_eq!(who("web:12345").unwrap().gid, 12345);
    }

    #[test]
    fn a_number_need_not_be_in_the_files() {
        let stranger = Identity { uid: 4321, gid: 0, groups: vec![], home: "/".to_owned() };
        assert_eq!(who("4321"), Ok(stranger));
    }

    #[test]
    fn unknown_names_and_numbers_that_are_too_large_are_refused() {
        assert_eq!(who("nobody"), Err(UnknownUser::User("nobody".to_owned())));
        assert_eq!(who("web:nogroup"), Err(UnknownUser::Group("nogroup".to_owned())));
        assert_eq!(who("4294967295"), Err(UnknownUser::User("4294967295".to_owned())));
        assert_eq!(who("-1"), Err(UnknownUser::User("-1".to_owned())));
        assert_eq!(who("big"), Err(UnknownUser::User("big".to_owned())));
    }

    #[test]
    fn further_groups_are_added() {
        assert_eq!(identify("web", &[5, 60], PASSWD, GROUP).unwrap().groups, [5, 60, 61]);
    }

    #[test]
    fn a_home_that_is_no_path_is_the_root_directory() {
        assert_eq!(who("nohome").unwrap().home, "/");
    }
}
