//! A picture made of another: decoded no larger than needed, turned upright, resized, encoded.

mod decode;
mod encode;
mod resize;

use std::fmt;

pub use decode::PIXELS_MAX;

/// The longest side that is made, in pixels.
pub const SIDE_MAX: u32 = 4096;

/// What is to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// How large.
    pub size: Size,
    /// How it fits into that.
    pub fit: Fit,
    /// As what; by default as what the original is, or as PNG for what is only read.
    pub format: Option<Format>,
    /// How good, where the format loses something.
    pub quality: Quality,
}

/// A width and a height in pixels, of which either may be left to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// 1 to [`SIDE_MAX`].
    pub width: Option<u32>,
    /// The same.
    pub height: Option<u32>,
}

/// How a picture fits into a size of other proportions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// All of it is seen; one side may be shorter. Nothing is made larger than it is.
    #[default]
    Contain,
    /// All of the size is covered; of the picture the middle is seen.
    Cover,
}

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP without loss.
    WebP,
}

/// 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quality(u8);

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it is.
    pub format: Format,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The original's width and height as it was stored, in pixels.
    pub original: (u32, u32),
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// It is neither JPEG nor PNG, WebP or GIF.
    #[error("it is no picture that is known here")]
    Unknown,
    /// It says that it is one and is not.
    #[error("it is damaged: {0}")]
    Malformed(String),
    /// It has more pixels than are taken.
    #[error("it has {pixels} pixels, more than {PIXELS_MAX}")]
    TooLarge {
        /// How many.
        pixels: u64,
    },
}

/// Pixels, row by row, from the upper left.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Raster {
    width: u32,
    height: u32,
    channels: Channels,
    pixels: Vec<u8>,
}

/// What a pixel is made of, a byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channels {
    Gray,
    Rgb,
    Rgba,
}

impl Channels {
    fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// Makes a picture of a file.
///
/// # Errors
/// [`PictureError`]
pub fn make(file: &[u8], wish: &Wish) -> Result<Made, PictureError> {
    let kind = decode::Kind::of(file).ok_or(PictureError::Unknown)?;
    let decoded = decode::decode(kind, file, wish)?;
    let target = resize::target(decoded.upright(), wish);
    let raster = resize::resize(decoded.raster, decoded.orientation, &target)?;
    let format = wish.format.unwrap_or(kind.written_as());
    let (width, height) = (raster.width, raster.height);
    let bytes = encode::encode(raster, format, wish.quality)?;
    Ok(Made { bytes, format, width, height, original: decoded.original })
}

impl Size {
    /// `300x200`; a side of 0 is left to the other. None if it is none, or names no side at all.
    pub fn parse(text: &str) -> Option<Self> {
        let (width, height) = text.split_once('x')?;
        let size = Self { width: Self::side(width)?, height: Self::side(height)? };
        (size != Self::default()).then_some(size)
    }

    /// A side that is written in digits; 0 leaves it to the other.
    pub fn side(text: &str) -> Option<Option<u32>> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let side = is_number.then(|| text.parse().ok()).flatten().filter(|side| *side <= SIDE_MAX)?;
        Some((side > 0).then_some(side))
    }
}

impl Quality {
    /// None outside 1 to 100.
    pub fn new(quality: u8) -> Option<Self> {
        (1..=100).contains(&quality).then_some(Self(quality))
    }
}

impl Default for Quality {
    fn default() -> Self {
        Self(80)
    }
}

impl Format {
    /// By the name that addresses have for it.
    pub fn of_name(name: &str) -> Option<Self> {
        match name {
            "jpeg" | "jpg" => Some(Self::Jpeg),
            "png" => Some(Self::Png),
            "webp" => Some(Self::WebP),
            _ => None,
        }
    }

    /// For `Content-Type`.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
        }
    }
}

/// The same for the same wish alone: part of an entity tag.
impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: Option<u32>| side.unwrap_or(0);
        let fit = if self.fit == Fit::Cover { "cover" } else { "contain" };
        let format = self.format.map_or("same", |format| &format.media_type()["image/".len()..]);
        write!(f, "{}x{}-{fit}-{format}-{}", side(self.size.width), side(self.size.height), self.quality.0)
    }
}

#[cfg(test)]
mod tests;
