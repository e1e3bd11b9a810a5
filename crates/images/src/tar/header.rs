//! The 512 bytes before each member.

use super::TarError;

pub(crate) const BLOCK: usize = 512;

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    CharacterDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// What a header introduces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Member(Kind),
    /// A file with holes, in GNU's form.
    SparseMember,
    /// Attributes of the next member.
    Extended,
    /// Attributes of all that follow, or a label: of no meaning here.
    PassedOver,
    /// The name of the next member.
    LongName,
    /// What the next member links to.
    LongLink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    V7,
    Ustar,
    /// Ustar with a shorter prefix, and times after it.
    Star,
    Gnu,
}

/// A header, its checksum verified.
pub(crate) struct Header<'a>(&'a [u8; BLOCK]);

impl<'a> Header<'a> {
    pub(crate) fn new(block: &'a [u8; BLOCK]) -> Result<Self, TarError> {
        let expected = number(&block[148..156], "checksum")?;
        let spaces = i64::from(b' ') * 8;
        let others = || block[..148].iter().chain(&block[156..]);
        let unsigned: i64 = others().map(|&b| i64::from(b)).sum::<i64>() + spaces;
        // Some old programs added the bytes up as signed ones.
        let signed: i64 = others().map(|&b| i64::from(b.cast_signed())).sum::<i64>() + spaces;
        if expected == unsigned || expected == signed { Ok(Self(block)) } else { Err(TarError::Checksum) }
    }

    pub(crate) fn role(&self) -> Result<Role, TarError> {
        Ok(match self.0[156] {
            // Before ustar, directories were files whose name ends with a slash.
            0 if self.path().ends_with(b"/") => Role::Member(Kind::Directory),
            0 | b'0' | b'7' => Role::Member(Kind::File),
            b'1' => Role::Member(Kind::HardLink),
            b'2' => Role::Member(Kind::Symlink),
            b'3' => Role::Member(Kind::CharacterDevice),
            b'4' => Role::Member(Kind::BlockDevice),
            b'5' => Role::Member(Kind::Directory),
            b'6' => Role::Member(Kind::Fifo),
            b'S' if self.format() == Format::Gnu => Role::SparseMember,
            b'x' => Role::Extended,
            b'g' | b'V' => Role::PassedOver,
            b'L' => Role::LongName,
            b'K' => Role::LongLink,
            other => return Err(TarError::Kind(char::from(other))),
        })
    }

    fn format(&self) -> Format {
        match (&self.0[257..263], &self.0[263..265], &self.0[508..512]) {
            (b"ustar\0", _, b"tar\0") => Format::Star,
            (b"ustar\0", ..) => Format::Ustar,
            (b"ustar ", b" \0", _) => Format::Gnu,
            _ => Format::V7,
        }
    }

    /// The path as this header has it.
    pub(crate) fn path(&self) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = match self.format() {
            Format::Ustar => text(&self.0[345..500]),
            Format::Star => text(&self.0[345..476]),
            Format::V7 | Format::Gnu => b"",
        };
        if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
    }

    pub(crate) fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub(crate) fn mode(&self) -> Result<u32, TarError> {
        // Other bits than those of a mode are put there by some programs: the file's type.
        Ok(unsigned(&self.0[100..108], "mode")? as u32 & 0o7777)
    }

    pub(crate) fn uid(&self) -> Result<u64, TarError> {
        unsigned(&self.0[108..116], "owner")
    }

    pub(crate) fn gid(&self) -> Result<u64, TarError> {
        unsigned(&self.0[116..124], "group")
    }

    pub(crate) fn size(&self) -> Result<u64, TarError> {
        unsigned(&self.0[124..136], "size")
    }

    /// Seconds since 1970; may be negative.
    pub(crate) fn mtime(&self) -> Result<i64, TarError> {
        number(&self.0[136..148], "time")
    }

    /// Major and minor number of a device.
    pub(crate) fn device(&self) -> Result<(u32, u32), TarError> {
        if self.format() == Format::V7 {
            return Ok((0, 0));
        }
        let part = |field| u32::try_from(unsigned(field, "device")?).map_err(|_| TarError::Number("device"));
        Ok((part(&self.0[329..337])?, part(&self.0[337..345])?))
    }

    /// The first pieces of GNU's sparse file: the fields with them, whether more follow, and the file's size with its holes.
    pub(crate) fn sparse(&self) -> Result<(&'a [u8], bool, u64), TarError> {
        Ok((&self.0[386..482], self.0[482] != 0, unsigned(&self.0[483..495], "size")?))
    }
}

/// The text in a field, up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

pub(crate) fn unsigned(field: &[u8], what: &'static str) -> Result<u64, TarError> {
    number(field, what)?.try_into().map_err(|_| TarError::Number(what))
}

/// A number in octal digits or, when the first bit is set, in binary. An empty field is zero.
pub(crate) fn number(field: &[u8], what: &'static str) -> Result<i64, TarError> {
    match field.first() {
        Some(&first) if first & 0x80 != 0 => binary(field).ok_or(TarError::Number(what)),
        _ => octal(field).ok_or(TarError::Number(what)),
    }
}

fn octal(field: &[u8]) -> Option<i64> {
    let start = field.iter().position(|&b| b != 0 && b != b' ').unwrap_or(field.len());
    let digits = field[start..].split(|&b| b == 0 || b == b' ').next().unwrap_or_default();
    digits.iter().try_fold(0_i64, |value, &digit| {
        let digit = (b'0'..=b'7').contains(&digit).then(|| i64::from(digit - b'0'))?;
        value.checked_mul(8)?.checked_add(digit)
    })
}

/// Two's complement, big end first, without the highest bit, which only says that it is binary.
fn binary(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let first = if negative { field[0] | 0x80 } else { field[0] & 0x7f };
    let (head, tail) = field.split_at_checked(field.len().checked_sub(8)?)?;
    let filler = if negative { 0xff } else { 0 };
    let head_is_sign =
        head.iter().enumerate().all(|(place, &b)| if place == 0 { first == filler } else { b == filler });
    let mut bytes: [u8; 8] = tail.try_into().ok()?;
    if head.is_empty() {
        bytes[0] = first;
    }
    let value = i64::from_be_bytes(bytes);
    (head_is_sign && (value < 0) == negative).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary_and_nothing_else() {
        for (field, value) in [
            (&b"0000644\0"[..], Some(0o644)),
            (b"   644 \0", Some(0o644)),
            (b"00000000", Some(0)),
            (b"\0\x30644 \0", Some(0o644)),
            (b"\0\0\0\0\0\0\0\0", Some(0)),
            (b"77777777777\0", Some(0o77_777_777_777)),
            (b"\x80\0\0\0\0\0\0\x05", Some(5)),
            (b"\x80\0\0\0\0\0\0\0\0\0\x10\0", Some(4096)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", Some(-2)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", Some(-1)),
            (b"-0000644", None),
            (b"0x000644", None),
            (b"00008   ", None),
            (b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", None),
            (b"\x80\0\0\x01\0\0\0\0\0\0\0\0", None),
            (b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        ] {
            assert_eq!(number(field, "x").ok(), value, "{field:?}");
        }
        assert!(matches!(unsigned(b"\xff\xff\xff\xff\xff\xff\xff\xff", "size"), Err(TarError::Number("size"))));
    }
}
