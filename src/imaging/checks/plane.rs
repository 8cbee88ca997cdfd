//! One channel of a picture, scaled to what a measure needs.
//!
//! In: pictures. Out: numbers from 0 to 255 in rows. Never: a see-through pixel that counts with its hidden colour.

use crate::imaging::Picture;
use crate::types::PixelSize;

/// Ground that see-through pixels are laid over: neither black nor white would hide a subject of that colour.
const GROUND: [u8; 3] = [128; 3];

/// Luminance, row by row.
pub(super) struct Plane {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) tones: Vec<f32>,
}

impl Plane {
    /// Returns the luminance of a picture scaled to exactly `size`.
    pub(super) fn scaled(picture: &Picture, size: PixelSize) -> Self {
        Self::of(&picture.resized(size))
    }

    /// Returns the luminance of a picture whose long side has at most `most` pixels.
    pub(super) fn at_most(picture: &Picture, most: u32) -> Self {
        Self::of(&picture.resized(fitted(picture.size(), most)))
    }

    fn of(picture: &Picture) -> Self {
        let PixelSize { width, height } = picture.size();
        let flat = picture.clone().flattened(GROUND);
        let tones = flat.as_raw().chunks_exact(3).map(|pixel| luminance(pixel[0], pixel[1], pixel[2])).collect();
        Self { width: width as usize, height: height as usize, tones }
    }

    pub(super) fn at(&self, x: usize, y: usize) -> f32 {
        self.tones[y * self.width + x]
    }
}

/// Returns the size with at most `most` pixels on the long side, and at least one on the short.
pub(super) fn fitted(size: PixelSize, most: u32) -> PixelSize {
    let long = size.width.max(size.height);
    if long <= most {
        return size;
    }
    let scaled = |side: u32| ((u64::from(side) * u64::from(most) + u64::from(long) / 2) / u64::from(long)).max(1) as u32;
    PixelSize::new(scaled(size.width), scaled(size.height))
}

fn luminance(red: u8, green: u8, blue: u8) -> f32 {
    0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue)
}

/// Returns mean and variance.
pub(super) fn moments(values: impl Iterator<Item = f32> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().map(f64::from).sum::<f64>() / count;
    let variance = values.map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance)
}
