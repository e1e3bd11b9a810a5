//! How large a picture becomes, and how it gets there.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage, RgbaImage};

use super::{Channels, Fit, PictureError, Raster, SIDE_MAX, Wish};

/// What a picture becomes, in pixels, upright.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// How large all of it would be.
    pub(super) scaled: (u32, u32),
    /// What is seen of that: its middle.
    pub(super) seen: (u32, u32),
}

/// What becomes of an original of this size.
pub(super) fn target((width, height): (u32, u32), wish: &Wish) -> Target {
    let ratio = |wanted: u32, there: u32| f64::from(wanted) / f64::from(there);
    let scale = match (wish.size.width, wish.size.height) {
        _ if wish.size.is_open() => ratio(SIDE_MAX, width.max(height)).min(1.0),
        (Some(wide), Some(high)) if wish.fit == Fit::Cover => ratio(wide, width).max(ratio(high, height)),
        (wide, high) => {
            let [wide, high] = [(wide, width), (high, height)].map(|(wanted, there)| wanted.map(|it| ratio(it, there)));
            wide.into_iter().chain(high).fold(1.0, f64::min)
        }
    };
    let scaled = (scaled(width, scale), scaled(height, scale));
    let seen = match (wish.size.width, wish.size.height) {
        (Some(wide), Some(high)) if wish.fit == Fit::Cover => (wide.min(scaled.0), high.min(scaled.1)),
        _ => scaled,
    };
    Target { scaled, seen }
}

/// At least one pixel. A panorama that is covered can be longer than [`SIDE_MAX`] before it is cut, and is never made so.
fn scaled(side: u32, scale: f64) -> u32 {
    let scaled = (f64::from(side) * scale).round().clamp(1.0, f64::from(u16::MAX));
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 65,535")]
    let scaled = scaled as u32;
    scaled
}

/// Cuts, resizes and turns, in this order: so that the least is done.
pub(super) fn resize(raster: Raster, orientation: Orientation, target: &Target) -> Result<Raster, PictureError> {
    let turned = Target { scaled: turned(target.scaled, orientation), seen: turned(target.seen, orientation) };
    let sized = if (raster.width, raster.height) == turned.seen { raster } else { sized(&raster, &turned)? };
    if orientation == Orientation::NoTransforms { Ok(sized) } else { upright(sized, orientation) }
}

fn turned((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    match orientation {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            (height, width)
        }
        _ => (width, height),
    }
}

fn sized(raster: &Raster, target: &Target) -> Result<Raster, PictureError> {
    let pixel = match raster.channels {
        Channels::Gray => PixelType::U8,
        Channels::Rgb => PixelType::U8x3,
        Channels::Rgba => PixelType::U8x4,
    };
    let failed = |error: String| PictureError::Malformed(error);
    let from = ImageRef::new(raster.width, raster.height, &raster.pixels, pixel);
    let from = from.map_err(|error| failed(error.to_string()))?;
    let (width, height) = target.seen;
    let mut to = Image::new(width, height, pixel);
    let part = |seen: u32, all: u32, there: u32| f64::from(there) * f64::from(seen) / f64::from(all);
    let cut = (part(width, target.scaled.0, raster.width), part(height, target.scaled.1, raster.height));
    let left = ((f64::from(raster.width) - cut.0) / 2.0, (f64::from(raster.height) - cut.1) / 2.0);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3))
        .crop(left.0, left.1, cut.0, cut.1);
    Resizer::new().resize(&from, &mut to, &options).map_err(|error| failed(error.to_string()))?;
    Ok(Raster { width, height, channels: raster.channels, pixels: to.into_vec() })
}

fn upright(raster: Raster, orientation: Orientation) -> Result<Raster, PictureError> {
    let Raster { width, height, channels, pixels } = raster;
    let picture = match channels {
        Channels::Gray => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        Channels::Rgb => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
        Channels::Rgba => RgbaImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    let mut picture = picture.ok_or_else(|| PictureError::Malformed("pixels are missing".to_owned()))?;
    picture.apply_orientation(orientation);
    Ok(Raster { width: picture.width(), height: picture.height(), channels, pixels: picture.into_bytes() })
}
