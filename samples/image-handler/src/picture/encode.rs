//! From pixels to files.

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use super::{Channels, Format, PictureError, Quality, Raster};

/// What shows through where a JPEG would have to be transparent.
const BACKGROUND: u8 = 255;

pub(super) fn encode(raster: Raster, format: Format, quality: Quality) -> Result<Vec<u8>, PictureError> {
    let color = match raster.channels {
        Channels::Gray => ExtendedColorType::L8,
        Channels::Rgb => ExtendedColorType::Rgb8,
        Channels::Rgba => ExtendedColorType::Rgba8,
    };
    let mut file = Vec::new();
    let written = match format {
        Format::Jpeg => return jpeg(raster, quality),
        Format::Png => PngEncoder::new_with_quality(&mut file, CompressionType::Default, FilterType::Adaptive)
            .write_image(&raster.pixels, raster.width, raster.height, color),
        Format::WebP => {
            let raster = if raster.channels == Channels::Gray { colored(&raster) } else { raster };
            let color = if raster.channels == Channels::Rgba { color } else { ExtendedColorType::Rgb8 };
            WebPEncoder::new_lossless(&mut file).write_image(&raster.pixels, raster.width, raster.height, color)
        }
    };
    written.map_err(|error| PictureError::Malformed(error.to_string()))?;
    Ok(file)
}

fn jpeg(raster: Raster, quality: Quality) -> Result<Vec<u8>, PictureError> {
    let raster = if raster.channels == Channels::Rgba { opaque(&raster) } else { raster };
    let color = if raster.channels == Channels::Gray { ColorType::Luma } else { ColorType::Rgb };
    let side = |side: u32| u16::try_from(side).map_err(|_| PictureError::Malformed("it is too long".to_owned()));
    let (width, height) = (side(raster.width)?, side(raster.height)?);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, quality.0);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.encode(&raster.pixels, width, height, color).map_err(|error| PictureError::Malformed(error.to_string()))?;
    Ok(file)
}

/// The picture on white.
fn opaque(raster: &Raster) -> Raster {
    let over = |channel: u8, alpha: u8| {
        let (channel, alpha) = (u16::from(channel), u16::from(alpha));
        u8::try_from((channel * alpha + u16::from(BACKGROUND) * (255 - alpha)) / 255).unwrap_or(BACKGROUND)
    };
    let pixels = raster.pixels.chunks_exact(Channels::Rgba.count());
    let pixels = pixels.flat_map(|pixel| [0, 1, 2].map(|at| over(pixel[at], pixel[3]))).collect();
    Raster { channels: Channels::Rgb, pixels, ..*raster }
}

fn colored(raster: &Raster) -> Raster {
    let pixels = raster.pixels.iter().flat_map(|gray| [*gray; 3]).collect();
    Raster { channels: Channels::Rgb, pixels, ..*raster }
}
