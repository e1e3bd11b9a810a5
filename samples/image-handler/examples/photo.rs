//! Paints a photo to try the function with: mountains before an evening sky, as a JPEG of 12 million pixels.
//!
//! `cargo run --release --example photo -- photo.jpg`

use jpeg_encoder::{ColorType, Encoder};

const WIDTH: u16 = 4000;
const HEIGHT: u16 = 3000;
const QUALITY: u8 = 88;
/// Ridges, the farthest first: where each begins from the top, how high it goes, and its colour.
const RIDGES: [(f32, f32, [f32; 3]); 4] = [
    (0.52, 0.16, [150.0, 132.0, 168.0]),
    (0.62, 0.14, [112.0, 98.0, 142.0]),
    (0.74, 0.12, [70.0, 64.0, 104.0]),
    (0.86, 0.10, [30.0, 32.0, 56.0]),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("the file's name is missing")?;
    let ridges: Vec<Vec<f32>> = (0..RIDGES.len()).map(ridge).collect();
    let mut pixels = Vec::with_capacity(usize::from(WIDTH) * usize::from(HEIGHT) * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let colour = colour(x, y, &ridges);
            // As a camera's sensor would: no two pixels are quite alike.
            let grain = grain(u32::from(x), u32::from(y)) * 10.0;
            pixels.extend(colour.map(|part| (part + grain).clamp(0.0, 255.0) as u8));
        }
    }
    Encoder::new_file(&path, QUALITY)?.encode(&pixels, WIDTH, HEIGHT, ColorType::Rgb)?;
    Ok(())
}

/// A ridge's height at each column, as a share of the picture's: waves, each shorter and lower than the one before.
fn ridge(number: usize) -> Vec<f32> {
    let (top, height, _) = RIDGES[number];
    let at = |x: u16| {
        let along = f32::from(x) / f32::from(WIDTH);
        let waves = (0..7).map(|octave| {
            let frequency = 3.1 * 1.9_f32.powi(octave);
            let phase = (number as f32 * 7.3) + octave as f32 * 2.7;
            (along * frequency + phase).sin() * 0.55_f32.powi(octave)
        });
        top + height * waves.sum::<f32>() / 2.2
    };
    (0..WIDTH).map(at).collect()
}

fn colour(x: u16, y: u16, ridges: &[Vec<f32>]) -> [f32; 3] {
    let down = f32::from(y) / f32::from(HEIGHT);
    let nearest = (0..ridges.len()).rev().find(|&number| down >= ridges[number][usize::from(x)]);
    match nearest {
        Some(number) => RIDGES[number].2.map(|part| part * (1.15 - 0.3 * down)),
        None => sky(f32::from(x) / f32::from(WIDTH), down),
    }
}

/// Blue above, orange at the horizon, and a sun low on the right.
fn sky(along: f32, down: f32) -> [f32; 3] {
    let (above, below) = ([72.0, 104.0, 168.0], [250.0, 176.0, 116.0]);
    let share = (down / 0.6).clamp(0.0, 1.0);
    let distance = ((along - 0.7).powi(2) + ((down - 0.4) * 0.75).powi(2)).sqrt();
    let sun = if distance < 0.04 { 1.0 } else { 0.5 * (-(distance - 0.04) * 9.0).exp() };
    let mix = |number: usize| above[number] + (below[number] - above[number]) * share;
    let light = [255.0, 238.0, 190.0];
    std::array::from_fn(|number| mix(number) + (light[number] - mix(number)) * sun)
}

/// Between -0.5 and 0.5, by the place alone, so that the same photo is painted each time.
fn grain(x: u32, y: u32) -> f32 {
    let mut bits = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77);
    bits = (bits ^ (bits >> 15)).wrapping_mul(0x2c1b_3c6d);
    bits ^= bits >> 12;
    (bits & 0xffff) as f32 / 65_535.0 - 0.5
}
