//! The items of CBOR, one head at a time.

use super::{DEPTH_MAX, DecodeError};

/// How many items, or bytes, follow a head; `None` where they end with a break.
pub(super) type Length = Option<u64>;

/// What an item begins with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Head {
    /// A whole number from -2⁶⁴ to 2⁶⁴-1.
    Integer(i128),
    /// A string of so many bytes.
    Bytes(Length),
    /// Text of so many bytes.
    Text(Length),
    /// So many items.
    Array(Length),
    /// So many pairs of items.
    Map(Length),
    /// The next item has this tag.
    Tag(u64),
    /// True or false.
    Bool(bool),
    /// `null` or `undefined`.
    Null,
    /// A number of half, single or double precision.
    Float(f64),
    /// The end of an item of indefinite length.
    Break,
}

impl Head {
    /// What a message calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Integer(_) => "INTEGER",
            Self::Bytes(_) => "BYTE_STRING",
            Self::Text(_) => "TEXT_STRING",
            Self::Array(_) => "ARRAY",
            Self::Map(_) => "MAP",
            Self::Tag(_) => "TAG",
            Self::Bool(_) => "BOOLEAN",
            Self::Null => "NULL",
            Self::Float(_) => "FLOAT",
            Self::Break => "BREAK",
        }
    }
}

/// The argument of a head.
enum Argument {
    Value(u64),
    Indefinite,
}

/// Reads items from bytes.
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next item's head. What follows it is the caller's to read.
    pub(super) fn head(&mut self) -> Result<Head, DecodeError> {
        let [first, rest @ ..] = self.rest else { return Err(DecodeError::Malformed) };
        self.rest = rest;
        let (major, info) = (first >> 5, first & 0b1_1111);
        if major == 7 {
            return self.simple(info);
        }
        let head = match (major, self.argument(info)?) {
            (0, Argument::Value(number)) => Head::Integer(number.into()),
            (1, Argument::Value(number)) => Head::Integer(-1 - i128::from(number)),
            (6, Argument::Value(tag)) => Head::Tag(tag),
            (2, length) => Head::Bytes(length.length()),
            (3, length) => Head::Text(length.length()),
            (4, length) => Head::Array(length.length()),
            (5, length) => Head::Map(length.length()),
            _ => return Err(DecodeError::Malformed),
        };
        Ok(head)
    }

    /// Whether an array or map of `length` goes on; counts `length` down.
    pub(super) fn more(&mut self, length: &mut Length) -> Result<bool, DecodeError> {
        match length {
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
            None if self.rest.first() == Some(&BREAK) => {
                self.rest = &self.rest[1..];
                Ok(false)
            }
            None => Ok(true),
        }
    }

    /// A string of bytes of this length.
    pub(super) fn bytes(&mut self, length: Length) -> Result<Vec<u8>, DecodeError> {
        let mut whole = Vec::new();
        self.chunks(
            length,
            |head| matches!(head, Head::Bytes(_)),
            |chunk| {
                whole.extend_from_slice(chunk);
                Ok(())
            },
        )?;
        Ok(whole)
    }

    /// Text of this length. Each chunk must be text by itself.
    pub(super) fn text(&mut self, length: Length) -> Result<String, DecodeError> {
        let mut whole = String::new();
        self.chunks(
            length,
            |head| matches!(head, Head::Text(_)),
            |chunk| {
                whole.push_str(std::str::from_utf8(chunk).map_err(|_| DecodeError::Malformed)?);
                Ok(())
            },
        )?;
        Ok(whole)
    }

    /// Passes over the next item. `depth` is the number of items around it.
    pub(super) fn skip(&mut self, depth: usize) -> Result<(), DecodeError> {
        let mut head = self.head()?;
        while let Head::Tag(_) = head {
            head = self.head()?;
        }
        match head {
            Head::Bytes(length) => self.chunks(length, |head| matches!(head, Head::Bytes(_)), |_| Ok(())),
            Head::Text(length) => self.chunks(length, |head| matches!(head, Head::Text(_)), |_| Ok(())),
            Head::Array(length) => self.skip_items(length, 1, depth),
            Head::Map(length) => self.skip_items(length, 2, depth),
            Head::Break => Err(DecodeError::Malformed),
            Head::Integer(_) | Head::Tag(_) | Head::Bool(_) | Head::Null | Head::Float(_) => Ok(()),
        }
    }

    fn skip_items(&mut self, mut length: Length, each: usize, depth: usize) -> Result<(), DecodeError> {
        if depth >= DEPTH_MAX {
            return Err(DecodeError::Malformed);
        }
        while self.more(&mut length)? {
            for _ in 0..each {
                self.skip(depth + 1)?;
            }
        }
        Ok(())
    }

    /// Hands on the one chunk of a definite string, or those of an indefinite one, which must all be definite and of its
    /// kind.
    fn chunks(
        &mut self,
        length: Length,
        is_of_kind: impl Fn(Head) -> bool,
        mut take: impl FnMut(&[u8]) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if let Some(length) = length {
            return take(self.take(length)?);
        }
        while self.more(&mut None)? {
            match self.head()? {
                head @ (Head::Bytes(Some(length)) | Head::Text(Some(length))) if is_of_kind(head) => {
                    take(self.take(length)?)?;
                }
                _ => return Err(DecodeError::Malformed),
            }
        }
        Ok(())
    }

    fn take(&mut self, length: u64) -> Result<&'b [u8], DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Malformed)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn argument(&mut self, info: u8) -> Result<Argument, DecodeError> {
        Ok(Argument::Value(match info {
            0..=23 => info.into(),
            24 => u8::from_be_bytes(self.array()?).into(),
            25 => u16::from_be_bytes(self.array()?).into(),
            26 => u32::from_be_bytes(self.array()?).into(),
            27 => u64::from_be_bytes(self.array()?),
            31 => return Ok(Argument::Indefinite),
            _ => return Err(DecodeError::Malformed),
        }))
    }

    fn simple(&mut self, info: u8) -> Result<Head, DecodeError> {
        Ok(match info {
            20 => Head::Bool(false),
            21 => Head::Bool(true),
            22 | 23 => Head::Null,
            25 => Head::Float(half(u16::from_be_bytes(self.array()?))),
            26 => Head::Float(f32::from_be_bytes(self.array()?).into()),
            27 => Head::Float(f64::from_be_bytes(self.array()?)),
            31 => Head::Break,
            _ => return Err(DecodeError::Malformed),
        })
    }
}

/// The byte that ends an item of indefinite length.
const BREAK: u8 = 0xff;

impl Argument {
    fn length(self) -> Length {
        match self {
            Self::Value(length) => Some(length),
            Self::Indefinite => None,
        }
    }
}

/// A number of half precision: sign, five bits of exponent, ten of fraction (IEEE 754 binary16).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}
