//! Pictures that the tests draw: a field of colour whose upper left quarter is red.

use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};

use super::*;

const RED: Rgba<u8> = Rgba([220, 30, 30, 255]);
const BLUE: Rgba<u8> = Rgba([30, 30, 220, 255]);

fn drawn(width: u32, height: u32) -> DynamicImage {
    let at = |x, y| if x < width / 2 && y < height / 2 { RED } else { BLUE };
    RgbaImage::from_fn(width, height, at).into()
}

fn file(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A JPEG whose orientation is told as cameras do.
fn jpeg(width: u32, height: u32, orientation: Option<u8>) -> Vec<u8> {
    let rgb = drawn(width, height).into_rgb8();
    let mut bytes = Vec::new();
    let side = |side: u32| u16::try_from(side).unwrap();
    jpeg_encoder::Encoder::new(&mut bytes, 90)
        .encode(&rgb, side(width), side(height), jpeg_encoder::ColorType::Rgb)
        .unwrap();
    let Some(orientation) = orientation else { return bytes };
    let tiff = [b'M', b'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
    let mut segment = vec![0xff, 0xe1, 0, u8::try_from(2 + 6 + tiff.len()).unwrap()];
    segment.extend_from_slice(b"Exif\0\0");
    segment.extend_from_slice(&tiff);
    bytes.splice(2..2, segment);
    bytes
}

fn made(file: &[u8], wish: &Wish) -> (Made, RgbaImage) {
    let made = make(file, wish).unwrap();
    let format = match made.format {
        Format::Jpeg => {
            let mut decoder = jpeg_decoder::Decoder::new(made.bytes.as_slice());
            let pixels = decoder.decode().unwrap();
            let info = decoder.info().unwrap();
            assert_eq!((u32::from(info.width), u32::from(info.height)), (made.width, made.height));
            let rgb = image::RgbImage::from_raw(made.width, made.height, pixels).unwrap();
            return (made, DynamicImage::from(rgb).into_rgba8());
        }
        Format::Png => ImageFormat::Png,
        Format::WebP => ImageFormat::WebP,
    };
    let read = image::load_from_memory_with_format(&made.bytes, format).unwrap().into_rgba8();
    assert_eq!(read.dimensions(), (made.width, made.height));
    (made, read)
}

fn is_near(found: Rgba<u8>, expected: Rgba<u8>) -> bool {
    found.0.iter().zip(expected.0).all(|(one, other)| one.abs_diff(other) < 24)
}

fn within(width: u32, height: u32) -> Wish {
    Wish { size: Size { width: Some(width), height: Some(height) }, ..Wish::default() }
}

#[test]
fn a_photo_fits_into_its_thumbnail_whatever_it_is_stored_as() {
    let files = [
        (jpeg(800, 400, None), Format::Jpeg),
        (file(&drawn(800, 400), ImageFormat::Png), Format::Png),
        (file(&drawn(800, 400), ImageFormat::WebP), Format::WebP),
        (file(&drawn(800, 400), ImageFormat::Gif), Format::Png),
    ];
    for (file, format) in files {
        let (made, read) = made(&file, &within(100, 100));
        assert_eq!((made.width, made.height, made.format, made.original), (100, 50, format, (800, 400)));
        assert!(is_near(*read.get_pixel(10, 10), RED) && is_near(*read.get_pixel(90, 40), BLUE), "{format:?}");
    }
}

#[test]
fn what_a_camera_held_sideways_is_upright() {
    // Where the corner that is stored first is seen. (Exif 2.32, 4.6.4, Orientation.)
    let seen = [(1, (0, 0)), (2, (1, 0)), (3, (1, 1)), (4, (0, 1)), (5, (0, 0)), (6, (1, 0)), (7, (1, 1)), (8, (0, 1))];
    for (orientation, corner) in seen {
        let (made, read) = made(&jpeg(800, 400, Some(orientation)), &within(100, 100));
        let is_turned = orientation > 4;
        assert_eq!((made.width, made.height), if is_turned { (50, 100) } else { (100, 50) }, "{orientation}");
        for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let place = (x * (made.width - 11) + 5, y * (made.height - 11) + 5);
            let expected = if (x, y) == corner { RED } else { BLUE };
            assert!(is_near(*read.get_pixel(place.0, place.1), expected), "{orientation} at {x}, {y}");
        }
    }
}

#[test]
fn what_covers_a_size_shows_its_middle() {
    let wish = Wish { fit: Fit::Cover, ..within(100, 100) };
    let (made, read) = made(&jpeg(800, 400, None), &wish);
    assert_eq!((made.width, made.height), (100, 100));
    assert!(is_near(*read.get_pixel(10, 10), RED) && is_near(*read.get_pixel(60, 10), BLUE));
}

#[test]
fn nothing_that_fits_is_made_larger() {
    let (made, _) = made(&jpeg(80, 40, None), &within(300, 300));
    assert_eq!((made.width, made.height), (80, 40));
}

#[test]
fn one_side_follows_the_other() {
    let wish = Wish { size: Size { width: Some(200), height: None }, ..Wish::default() };
    assert_eq!((made(&jpeg(800, 400, None), &wish).0.height, made(&jpeg(799, 1, None), &wish).0.height), (100, 1));
}

#[test]
fn what_was_transparent_is_white_as_a_jpeg() {
    let clear = DynamicImage::from(RgbaImage::from_pixel(40, 40, Rgba([0, 0, 0, 0])));
    let wish = Wish { format: Some(Format::Jpeg), ..within(20, 20) };
    let (_, read) = made(&file(&clear, ImageFormat::Png), &wish);
    assert!(is_near(*read.get_pixel(10, 10), Rgba([255; 4])));
    let kept = made(&file(&clear, ImageFormat::Png), &within(20, 20)).1;
    assert_eq!(kept.get_pixel(10, 10).0[3], 0);
}

#[test]
fn what_is_no_picture_is_refused_and_what_is_cut_off_makes_no_panic() {
    assert!(matches!(make(b"<svg/>", &Wish::default()), Err(PictureError::Unknown)));
    assert!(matches!(make(b"", &Wish::default()), Err(PictureError::Unknown)));
    for whole in [jpeg(64, 64, Some(6)), file(&drawn(64, 64), ImageFormat::Png), file(&drawn(64, 64), ImageFormat::Gif)]
    {
        for length in 0..whole.len() {
            let _ = make(&whole[..length], &within(10, 10));
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x55;
            let _ = make(&changed, &within(10, 10));
        }
    }
}

#[test]
fn a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() {
    let mut bomb = file(&drawn(8, 8), ImageFormat::Png);
    // Width and height in the first chunk, whose checksum has to fit.
    bomb[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let mut crc = flate2::Crc::new();
    crc.update(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert!(matches!(make(&bomb, &within(10, 10)), Err(PictureError::TooLarge { pixels: 900_000_000 })));
}
