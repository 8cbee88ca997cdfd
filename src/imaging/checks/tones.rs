//! Measures of one picture alone.

use super::plane::{Plane, fitted, moments};
use crate::imaging::Picture;
use crate::types::PixelSize;

/// Long side at which tones are looked at: grain and dithering are gone, every subject is left.
const SPREAD_SIDE: u32 = 128;

/// Long side at which sharpness is measured, so that a picture and its enlargement compare.
const SHARPNESS_SIDE: u32 = 1024;

/// Opacity from which on a pixel shows, and up to which it does not.
const SHOWS: u8 = 240;
const HIDDEN: u8 = 16;

/// Returns how far the tones spread: the standard deviation of the most varied of red, green, blue and opacity, in hundredths.
///
/// 0 for one plain colour; a photograph has 3,000 to 7,000.
pub fn spread(picture: &Picture) -> i64 {
    let small = picture.resized(fitted(picture.size(), SPREAD_SIDE)).into_rgba();
    let shows = |pixel: &[u8]| pixel[3] > HIDDEN;
    let most = (0..4)
        .map(|channel| {
            let values = small.as_raw().chunks_exact(4).filter(|pixel| channel == 3 || shows(pixel)).map(|pixel| f32::from(pixel[channel]));
            moments(values).1.sqrt()
        })
        .fold(0.0, f64::max);
    (most * 100.0).round() as i64
}

/// Returns how much of the edge is see-through, in thousandths; 0 when less than a hundredth of the picture is opaque.
///
/// The edge is the outermost fiftieth on all four sides.
pub fn clear_edge(picture: &Picture) -> i64 {
    let Picture::Rgba(pixels) = picture else { return 0 };
    let PixelSize { width, height } = picture.size();
    let rim = |side: u32| (side / 50).max(1);
    let (mut clear, mut edge, mut opaque) = (0_i64, 0_i64, 0_i64);
    for (index, pixel) in (0_u64..).zip(pixels.as_raw().chunks_exact(4)) {
        let (x, y) = ((index % u64::from(width)) as u32, (index / u64::from(width)) as u32);
        let on_edge = x < rim(width) || y < rim(height) || x >= width - rim(width) || y >= height - rim(height);
        edge += i64::from(on_edge);
        clear += i64::from(on_edge && pixel[3] <= HIDDEN);
        opaque += i64::from(pixel[3] >= SHOWS);
    }
    let all = i64::from(width) * i64::from(height);
    if opaque * 100 < all { 0 } else { clear * 1000 / edge.max(1) }
}

/// Returns the variance of the Laplacian of the luminance at 1024 pixels on the long side.
///
/// A blurred photograph has less than 20, a sharp one 100 to 2,000; drawings with hard edges have more.
pub fn sharpness(picture: &Picture) -> i64 {
    let plane = Plane::at_most(picture, SHARPNESS_SIDE);
    if plane.width < 3 || plane.height < 3 {
        return 0;
    }
    let at = |x: usize, y: usize| plane.at(x, y);
    let edges = (1..plane.height - 1).flat_map(|y| (1..plane.width - 1).map(move |x| (x, y)));
    let edges = edges.map(|(x, y)| at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4.0 * at(x, y));
    moments(edges).1.round() as i64
}
