//! Where a member belongs.

use super::MemberError;
use crate::tar::PATH_LENGTH_MAX;

/// The longest name of a file (`NAME_MAX` of Linux).
const NAME_LENGTH_MAX: usize = 255;
/// The deepest path. Trees that people ship are 30 deep at most; each level costs time with each member in it.
const DEPTH_MAX: usize = 256;
/// What begins the name of a file that hides another in the layers below (OCI image specification, "Whiteouts").
const WHITEOUT_PREFIX: &[u8] = b".wh.";
/// What begins the names of AUFS's own files, from which whiteouts come. They mean nothing.
const AUFS_PREFIX: &[u8] = b".wh..wh.";
/// What hides all that the layers below have in a directory.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// A path beneath the root: names only, at least one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    path: Vec<u8>,
    name_start: usize,
}

/// What a member's name means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// A file of that name.
    File,
    /// The file of this name, in the layers below, is not there.
    Whiteout(&'a [u8]),
    /// All that the layers below have beside it is not there.
    Opaque,
    /// Nothing.
    Nothing,
}

impl Place {
    /// The place that a path means; none if it is the root. A path that begins with a slash begins at the root, as with
    /// Docker and containerd: some builders (ko) write all paths so.
    ///
    /// # Errors
    /// [`MemberError::Upwards`] if it has `..` in it, wherever that leads: nothing honest has.
    pub(super) fn of(path: &[u8]) -> Result<Option<Self>, MemberError> {
        if path.len() > PATH_LENGTH_MAX || path.contains(&0) {
            return Err(MemberError::Name);
        }
        let mut place = Self { path: Vec::with_capacity(path.len()), name_start: 0 };
        let names = path.split(|&b| b == b'/').filter(|name| !matches!(*name, b"" | b"."));
        for (depth, name) in names.enumerate() {
            if name == b".." {
                return Err(MemberError::Upwards);
            }
            if name.len() > NAME_LENGTH_MAX || depth == DEPTH_MAX {
                return Err(MemberError::Name);
            }
            if depth > 0 {
                place.path.push(b'/');
            }
            place.name_start = place.path.len();
            place.path.extend_from_slice(name);
        }
        Ok((!place.path.is_empty()).then_some(place))
    }

    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.path[self.name_start..]
    }

    /// The directory; nothing is the root.
    pub(super) fn directory(&self) -> &[u8] {
        &self.path[..self.name_start.saturating_sub(1)]
    }

    pub(super) fn meaning(&self) -> Result<Meaning<'_>, MemberError> {
        for name in self.directory().split(|&b| b == b'/') {
            if name.starts_with(AUFS_PREFIX) {
                return Ok(Meaning::Nothing);
            }
            if name.starts_with(WHITEOUT_PREFIX) {
                return Err(MemberError::Whiteout);
            }
        }
        match self.name() {
            OPAQUE => Ok(Meaning::Opaque),
            name if name.starts_with(AUFS_PREFIX) => Ok(Meaning::Nothing),
            name => match name.strip_prefix(WHITEOUT_PREFIX) {
                None => Ok(Meaning::File),
                Some(b"" | b"." | b"..") => Err(MemberError::Whiteout),
                Some(hidden) => Ok(Meaning::Whiteout(hidden)),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_names_beneath_the_root() {
        for (path, directory, name) in [
            (&b"a"[..], &b""[..], &b"a"[..]),
            (b"./a/b/", b"a", b"b"),
            (b"/etc//./passwd", b"etc", b"passwd"),
            (b"...", b"", b"..."),
            (b"\xff/A\n", b"\xff", b"A\n"),
        ] {
            let place = Place::of(path).unwrap().unwrap();
            assert_eq!((place.directory(), place.name()), (directory, name));
        }
        for root in [&b""[..], b".", b"./", b"/", b"//./"] {
            assert_eq!(Place::of(root).unwrap(), None);
        }
    }

    #[test]
    fn paths_that_lead_upwards_are_refused_wherever_they_lead() {
        for path in [&b".."[..], b"../etc/passwd", b"a/../../b", b"a/..", b"/../a", b"a/../b", b"./../a"] {
            assert!(matches!(Place::of(path), Err(MemberError::Upwards)), "{path:?}");
        }
    }

    #[test]
    fn names_and_paths_have_the_lengths_that_the_kernel_takes() {
        assert!(Place::of(&[b'a'; 255]).is_ok());
        assert!(Place::of(&b"a/".repeat(DEPTH_MAX)).is_ok());
        for path in [vec![b'a'; 256], b"a/".repeat(DEPTH_MAX + 1), b"./".repeat(2048), b"a\0b".to_vec()] {
            assert!(matches!(Place::of(&path), Err(MemberError::Name)), "{}", path.len());
        }
    }

    #[test]
    fn whiteouts_are_told_from_files_and_from_what_aufs_left() {
        let place = |path: &str| Place::of(path.as_bytes()).unwrap().unwrap();
        assert_eq!(place("a/b").meaning().unwrap(), Meaning::File);
        assert_eq!(place("a/.wh.b").meaning().unwrap(), Meaning::Whiteout(b"b"));
        assert_eq!(place(".wh..hidden").meaning().unwrap(), Meaning::Whiteout(b".hidden"));
        assert_eq!(place("a/.wh..wh..opq").meaning().unwrap(), Meaning::Opaque);
        assert_eq!(place(".wh..wh.plnk").meaning().unwrap(), Meaning::Nothing);
        assert_eq!(place(".wh..wh.plnk/1.2").meaning().unwrap(), Meaning::Nothing);
        for path in ["a/.wh.", "a/.wh..", "a/.wh...", ".wh.a/b"] {
            assert!(matches!(place(path).meaning(), Err(MemberError::Whiteout)), "{path}");
        }
    }
}
