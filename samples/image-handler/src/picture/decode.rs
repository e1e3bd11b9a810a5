//! From files to pixels, as few as are needed.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, Limits};
use jpeg_decoder::{Decoder, PixelFormat};

use super::resize::target;
use super::{Channels, Format, PictureError, Raster, SIDE_MAX, Size, Wish};

/// The most pixels of an original: 100 million are 400 MB where nothing can be left out.
pub const PIXELS_MAX: u64 = 100_000_000;
/// The longest side that a format can have.
const SIDE_READ_MAX: u32 = 65_535;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Jpeg,
    Png,
    WebP,
    Gif,
}

/// Pixels, and what belongs to them.
pub(super) struct Decoded {
    pub(super) raster: Raster,
    /// How they are to be turned to be upright.
    pub(super) orientation: Orientation,
    /// Width and height of the file.
    pub(super) original: (u32, u32),
}

impl Kind {
    /// By a file's first bytes.
    pub(super) fn of(file: &[u8]) -> Option<Self> {
        match file {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            _ => None,
        }
    }

    /// What its like is written as.
    pub(super) fn written_as(self) -> Format {
        match self {
            Self::Jpeg => Format::Jpeg,
            Self::Png | Self::Gif => Format::Png,
            Self::WebP => Format::WebP,
        }
    }
}

impl Decoded {
    /// The original's width and height as it is seen.
    pub(super) fn upright(&self) -> (u32, u32) {
        upright(self.original, self.orientation)
    }
}

/// Reads a file; of one with several pictures, the first.
pub(super) fn decode(kind: Kind, file: &[u8], wish: &Wish) -> Result<Decoded, PictureError> {
    let cursor = Cursor::new(file);
    match kind {
        Kind::Jpeg => jpeg(file, wish),
        Kind::Png => whole(PngDecoder::with_limits(cursor, limits())),
        Kind::WebP => whole(WebPDecoder::new(cursor)),
        Kind::Gif => whole(GifDecoder::new(cursor)),
    }
}

/// A JPEG, at an eighth, a quarter or a half of its size where that is enough: what is left out is never computed.
fn jpeg(file: &[u8], wish: &Wish) -> Result<Decoded, PictureError> {
    let malformed = |error: jpeg_decoder::Error| PictureError::Malformed(error.to_string());
    let mut decoder = Decoder::new(file);
    decoder.read_info().map_err(malformed)?;
    let missing = || PictureError::Malformed("it says nothing of itself".to_owned());
    let info = decoder.info().ok_or_else(missing)?;
    let original = (u32::from(info.width), u32::from(info.height));
    check(original)?;
    let orientation = decoder.exif_data().and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
    let wanted = target(upright(original, orientation), wish);
    // Of what is cut off later as much more is needed.
    let (width, height) = upright(wanted.scaled, orientation);
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
    decoder.scale(side(width), side(height)).map_err(malformed)?;
    let pixels = decoder.decode().map_err(malformed)?;
    let info = decoder.info().ok_or_else(missing)?;
    let (channels, pixels) = match info.pixel_format {
        PixelFormat::L8 => (Channels::Gray, pixels),
        PixelFormat::RGB24 => (Channels::Rgb, pixels),
        PixelFormat::CMYK32 => (Channels::Rgb, rgb_of_cmyk(&pixels)),
        PixelFormat::L16 => (Channels::Gray, pixels.chunks_exact(2).map(|pair| pair[1]).collect()),
    };
    let raster = Raster { width: info.width.into(), height: info.height.into(), channels, pixels };
    Ok(Decoded { raster, orientation, original })
}

/// Whatever has no smaller form within itself.
fn whole<D: ImageDecoder>(decoder: Result<D, image::ImageError>) -> Result<Decoded, PictureError> {
    let malformed = |error: image::ImageError| PictureError::Malformed(error.to_string());
    let mut decoder = decoder.map_err(malformed)?;
    let original = decoder.dimensions();
    check(original)?;
    decoder.set_limits(limits()).map_err(malformed)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(malformed)?;
    let (channels, pixels) = match picture {
        DynamicImage::ImageLuma8(gray) => (Channels::Gray, gray.into_raw()),
        DynamicImage::ImageLuma16(_) => (Channels::Gray, picture.into_luma8().into_raw()),
        DynamicImage::ImageRgb8(rgb) => (Channels::Rgb, rgb.into_raw()),
        picture if picture.color().has_alpha() => (Channels::Rgba, picture.into_rgba8().into_raw()),
        picture => (Channels::Rgb, picture.into_rgb8().into_raw()),
    };
    Ok(Decoded { raster: Raster { width: original.0, height: original.1, channels, pixels }, orientation, original })
}

fn check((width, height): (u32, u32)) -> Result<(), PictureError> {
    let pixels = u64::from(width) * u64::from(height);
    match pixels {
        0 => Err(PictureError::Malformed("it has no pixels".to_owned())),
        1..=PIXELS_MAX => Ok(()),
        _ => Err(PictureError::TooLarge { pixels }),
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(SIDE_READ_MAX), Some(SIDE_READ_MAX));
    // Four bytes a pixel, and as much again for what decoders keep beside.
    limits.max_alloc = Some(PIXELS_MAX * 8);
    limits
}

/// Width and height as they are seen.
fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            (height, width)
        }
        _ => (width, height),
    }
}

/// As Adobe's programs store it, inverted: each channel is what is left of white.
fn rgb_of_cmyk(pixels: &[u8]) -> Vec<u8> {
    let mixed = |ink: u8, black: u8| u8::try_from(u16::from(ink) * u16::from(black) / 255).unwrap_or(u8::MAX);
    let rgb = pixels.chunks_exact(4).flat_map(|pixel| {
        let [cyan, magenta, yellow, black] = [pixel[0], pixel[1], pixel[2], pixel[3]].map(|channel| 255 - channel);
        [mixed(cyan, black), mixed(magenta, black), mixed(yellow, black)]
    });
    rgb.collect()
}

const _: () = assert!(SIDE_MAX <= SIDE_READ_MAX);

impl Size {
    /// Whether it says nothing.
    pub(super) fn is_open(self) -> bool {
        self == Self::default()
    }
}
