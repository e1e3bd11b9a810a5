//! Extended headers: attributes that the fixed fields have no room for (POSIX.1-2001, `pax`).

use super::sparse::Extent;
use super::{PATH_LENGTH_MAX, SPARSE_EXTENTS_MAX, TarError};

/// The longest name of an extended attribute (`XATTR_NAME_MAX` of Linux).
const XATTR_NAME_LENGTH_MAX: usize = 255;
/// The longest value of one, in bytes (`XATTR_SIZE_MAX` of Linux).
const XATTR_VALUE_BYTES_MAX: usize = 65_536;
/// What begins the keys of extended attributes, in star's form, which GNU tar, Go and all builders write.
const XATTR_PREFIX: &[u8] = b"SCHILY.xattr.";

/// What an extended header says of the next member.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) link: Option<Vec<u8>>,
    pub(crate) size: Option<u64>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
    pub(crate) mtime: Option<(i64, u32)>,
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) sparse: PaxSparse,
}

/// What GNU tar says of a sparse file in its versions 0.0, 0.1 and 1.0.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PaxSparse {
    /// The pieces, in the first two versions.
    pub(crate) extents: Vec<Extent>,
    /// The offset of a piece whose length is still to come.
    offset: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) version: Option<(u64, u64)>,
    pub(crate) name: Option<Vec<u8>>,
    /// Whether there was a key of sparse files at all.
    pub(crate) present: bool,
}

impl Pax {
    /// Reads records of the form `LENGTH KEY=VALUE\n`.
    pub(crate) fn parse(mut bytes: &[u8]) -> Result<Self, TarError> {
        let mut pax = Self::default();
        while !bytes.is_empty() {
            let (key, value, rest) = record(bytes).ok_or(TarError::Extended("a record's length is wrong"))?;
            pax.take(key, value)?;
            bytes = rest;
        }
        if pax.sparse.offset.is_some() {
            return Err(TarError::Sparse);
        }
        Ok(pax)
    }

    /// An empty value takes back what was said before.
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), TarError> {
        let given = (!value.is_empty()).then_some(value);
        match key {
            b"path" => self.path = given.map(|it| path(it, "path")).transpose()?,
            b"linkpath" => self.link = given.map(|it| path(it, "link")).transpose()?,
            b"size" => self.size = given.map(|it| decimal(it, "size")).transpose()?,
            b"uid" => self.uid = given.map(|it| decimal(it, "owner")).transpose()?,
            b"gid" => self.gid = given.map(|it| decimal(it, "group")).transpose()?,
            b"mtime" => self.mtime = given.map(time).transpose()?,
            _ => match key.strip_prefix(XATTR_PREFIX) {
                Some(name) => self.take_xattr(name, value)?,
                None => key.strip_prefix(b"GNU.sparse.").map_or(Ok(()), |key| self.sparse.take(key, value))?,
            },
        }
        Ok(())
    }

    fn take_xattr(&mut self, name: &[u8], value: &[u8]) -> Result<(), TarError> {
        if name.is_empty() || name.contains(&0) {
            return Err(TarError::Extended("an attribute has no name"));
        }
        if name.len() > XATTR_NAME_LENGTH_MAX || value.len() > XATTR_VALUE_BYTES_MAX {
            return Err(TarError::TooLong("extended attribute"));
        }
        // An attribute may be empty: unlike the standard's own keys, this takes nothing back. The last of two counts.
        self.xattrs.retain(|(known, _)| known != name);
        self.xattrs.push((name.to_vec(), value.to_vec()));
        Ok(())
    }
}

impl PaxSparse {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), TarError> {
        self.present = true;
        match key {
            b"major" => self.version = Some((decimal(value, "sparse version")?, self.version.map_or(0, |it| it.1))),
            b"minor" => self.version = Some((self.version.map_or(0, |it| it.0), decimal(value, "sparse version")?)),
            b"name" => self.name = Some(path(value, "path")?),
            b"size" | b"realsize" => self.size = Some(decimal(value, "size")?),
            b"offset" if self.offset.is_none() => self.offset = Some(decimal(value, "offset")?),
            b"numbytes" => {
                let offset = self.offset.take().ok_or(TarError::Sparse)?;
                self.push(offset, decimal(value, "size")?)?;
            }
            b"map" => {
                let numbers = value.split(|&b| b == b',').map(|it| decimal(it, "offset"));
                let mut numbers = numbers.peekable();
                while numbers.peek().is_some() {
                    let offset = numbers.next().ok_or(TarError::Sparse)??;
                    self.push(offset, numbers.next().ok_or(TarError::Sparse)??)?;
                }
            }
            b"numblocks" => {}
            _ => return Err(TarError::Sparse),
        }
        Ok(())
    }

    fn push(&mut self, offset: u64, length: u64) -> Result<(), TarError> {
        if self.extents.len() == SPARSE_EXTENTS_MAX {
            return Err(TarError::TooLong("list of pieces"));
        }
        self.extents.push(Extent { offset, length });
        Ok(())
    }
}

/// The first record: its key, its value, and what follows it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|&b| b == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space], "length").ok()?).ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let body = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|&b| b == b'=')?;
    (equals > 0).then(|| (&body[..equals], &body[equals + 1..], rest))
}

fn path(value: &[u8], what: &'static str) -> Result<Vec<u8>, TarError> {
    if value.len() > PATH_LENGTH_MAX {
        return Err(TarError::TooLong(what));
    }
    if value.contains(&0) {
        return Err(TarError::Extended("a path has a zero in it"));
    }
    Ok(value.to_vec())
}

pub(crate) fn decimal(digits: &[u8], what: &'static str) -> Result<u64, TarError> {
    let value = digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    });
    value.filter(|_| !digits.is_empty()).ok_or(TarError::Number(what))
}

/// Seconds with an optional fraction, and a sign before times before 1970.
fn time(value: &[u8]) -> Result<(i64, u32), TarError> {
    let wrong = || TarError::Number("time");
    let (negative, value) = value.strip_prefix(b"-").map_or((false, value), |value| (true, value));
    let mut parts = value.splitn(2, |&b| b == b'.');
    let seconds = decimal(parts.next().unwrap_or_default(), "time")?;
    let seconds = i64::try_from(seconds).map_err(|_| wrong())?;
    let fraction = parts.next().unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return Err(wrong());
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = digits.fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0'));
    Ok(match (negative, nanoseconds) {
        (false, _) => (seconds, nanoseconds),
        (true, 0) => (-seconds, 0),
        (true, _) => (-seconds - 1, 1_000_000_000 - nanoseconds),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(records: &[(&[u8], &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let body = key.len() + value.len() + 3;
            let mut length = body + 1;
            while body + length.to_string().len() != length {
                length = body + length.to_string().len();
            }
            bytes.extend_from_slice(format!("{length} ").as_bytes());
            bytes.extend_from_slice(&[key, &b"="[..], value, b"\n"].concat());
        }
        bytes
    }

    #[test]
    fn attributes_are_read_and_an_empty_value_takes_back() {
        let pax = Pax::parse(&written(&[
            (b"path", b"a/\xff=\n"),
            (b"linkpath", b"b"),
            (b"linkpath", b""),
            (b"size", b"9000000000"),
            (b"uid", b"4294967294"),
            (b"mtime", b"-1.25"),
            (b"SCHILY.xattr.user.a", b"1\0\n=2"),
            (b"SCHILY.xattr.user.a", b""),
            (b"comment", b"whatever"),
            (b"LIBARCHIVE.xattr.user.b", b"AA=="),
        ]))
        .unwrap();
        assert_eq!(pax.path.as_deref(), Some(&b"a/\xff=\n"[..]));
        assert_eq!((pax.link, pax.size, pax.uid), (None, Some(9_000_000_000), Some(4_294_967_294)));
        assert_eq!(pax.mtime, Some((-2, 750_000_000)));
        assert_eq!(pax.xattrs, [(b"user.a".to_vec(), Vec::new())]);
    }

    #[test]
    fn records_that_lie_about_their_length_are_refused() {
        for bytes in [
            &b"5 a=b"[..],
            b"6 a=b",
            b"99 a=b\n",
            b"0 a=b\n",
            b"-6 a=b\n",
            b"+6 a=b\n",
            b"6\ta=b\n",
            b"5 =b\n",
            b"5 ab\n",
            b"00000000000000000000000006 a=b\n",
            b"18446744073709551616 a=b\n",
            b"\0\0\0",
        ] {
            assert!(matches!(Pax::parse(bytes), Err(TarError::Extended(_))), "{bytes:?}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for (key, value) in [
            (&b"size"[..], &b"-1"[..]),
            (b"size", b"18446744073709551616"),
            (b"size", b"0x10"),
            (b"uid", b" 1"),
            (b"mtime", b"1.x"),
            (b"mtime", b"99999999999999999999"),
            (b"path", b"a\0b"),
            (b"path", &[b'a'; PATH_LENGTH_MAX + 1]),
            (b"SCHILY.xattr.", b"v"),
            (b"SCHILY.xattr.user.\0", b"v"),
            (b"SCHILY.xattr.user.a", &[0; XATTR_VALUE_BYTES_MAX + 1]),
            (b"GNU.sparse.numbytes", b"1"),
            (b"GNU.sparse.map", b"1,2,3"),
            (b"GNU.sparse.map", b"1,,3"),
        ] {
            assert!(Pax::parse(&written(&[(key, value)])).is_err(), "{key:?} {value:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Pax::parse(&bytes);
        }
    }
}
