//! Measures of two pictures.

use super::plane::Plane;
use crate::imaging::Picture;
use crate::types::PixelSize;

/// Steps of a fingerprint in each direction.
const GRID: u32 = 16;

/// Side at which structure is compared.
const STRUCTURE: u32 = 128;

/// Side of a window of the structural comparison.
const WINDOW: usize = 8;

/// Long side at which drift is measured.
const DRIFT_SIDE: u32 = 512;

/// The course of the tones, in 256 bits: whether each of 16 by 16 fields is darker than its right neighbour. Scaling, compression and
/// a change of exposure hardly move it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u64; 4]);

impl Fingerprint {
    /// Takes the fingerprint of a picture.
    pub fn of(picture: &Picture) -> Self {
        let plane = Plane::scaled(picture, PixelSize::new(GRID + 1, GRID));
        let mut bits = [0_u64; 4];
        for y in 0..GRID as usize {
            for x in 0..GRID as usize {
                let bit = y * GRID as usize + x;
                // Half a step of 256 is noise: a plain ground must not decide by it.
                if plane.at(x + 1, y) > plane.at(x, y) + 0.5 {
                    bits[bit / 64] |= 1 << (bit % 64);
                }
            }
        }
        Self(bits)
    }

    /// Returns how far apart two pictures are, in thousandths of the bits.
    pub fn distance(self, other: Self) -> i64 {
        let differing: u32 = self.0.iter().zip(other.0).map(|(one, other)| (one ^ other).count_ones()).sum();
        i64::from(differing) * 1000 / 256
    }
}

/// Returns how alike the structure of two pictures is, in thousandths: 1000 for the same, about 0 for strangers, never below.
///
/// It is the mean structural similarity (SSIM) of 8 by 8 windows at 128 by 128 pixels, each weighing as much as its tones vary: shapes
/// count, an empty ground hardly, colour not at all.
pub fn similarity(one: &Picture, other: &Picture) -> i64 {
    let size = PixelSize::new(STRUCTURE, STRUCTURE);
    let (one, other) = (Plane::scaled(one, size), Plane::scaled(other, size));
    let places = (0..STRUCTURE as usize).step_by(WINDOW);
    let windows = places.clone().flat_map(|y| places.clone().map(move |x| (x, y))).map(|(x, y)| alike(&one, &other, x, y));
    let (sum, weights) = windows.fold((0.0, 0.0), |(sum, weights), (alike, weight)| (sum + alike * weight, weights + weight));
    ((sum / weights).max(0.0) * 1000.0).round() as i64
}

/// The structural similarity of one window, and what it weighs.
fn alike(one: &Plane, other: &Plane, x: usize, y: usize) -> (f64, f64) {
    const LIGHT: f64 = 6.5025;
    const CONTRAST: f64 = 58.5225;
    let pairs = (y..y + WINDOW).flat_map(|y| (x..x + WINDOW).map(move |x| (x, y))).map(|(x, y)| (f64::from(one.at(x, y)), f64::from(other.at(x, y))));
    let count = (WINDOW * WINDOW) as f64;
    let (sum, other_sum) = pairs.clone().fold((0.0, 0.0), |(a, b), (one, other)| (a + one, b + other));
    let (mean, other_mean) = (sum / count, other_sum / count);
    let (mut variance, mut other_variance, mut together) = (0.0, 0.0, 0.0);
    for (one, other) in pairs {
        variance += (one - mean).powi(2) / count;
        other_variance += (other - other_mean).powi(2) / count;
        together += (one - mean) * (other - other_mean) / count;
    }
    let light = (2.0 * mean * other_mean + LIGHT) / (mean * mean + other_mean * other_mean + LIGHT);
    let structure = (2.0 * together + CONTRAST) / (variance + other_variance + CONTRAST);
    (light * structure, variance.max(other_variance).sqrt() + 1.0)
}

/// Returns how much an edit has changed outside its mask, in thousandths of the full range: the mean difference of the tones.
///
/// The mask says where to paint: its see-through parts, or its dark ones if it has none. A mask that leaves nothing outside drifts by 0.
pub fn drift(before: &Picture, after: &Picture, mask: &Picture) -> i64 {
    let size = super::plane::fitted(after.size(), DRIFT_SIDE);
    let (before, after) = (before.resized(size).flattened([128; 3]), after.resized(size).flattened([128; 3]));
    let painted = painted(mask, size);
    let (mut sum, mut count) = (0_u64, 0_u64);
    for ((before, after), painted) in before.as_raw().chunks_exact(3).zip(after.as_raw().chunks_exact(3)).zip(painted) {
        if !painted {
            sum += before.iter().zip(after).map(|(before, after)| u64::from(before.abs_diff(*after))).sum::<u64>();
            count += 3;
        }
    }
    i64::try_from(sum * 1000 / (count * 255).max(1)).unwrap_or(1000)
}

/// Returns where the mask lets paint, pixel by pixel at `size`; its rim counts as painted, because edits blend there.
fn painted(mask: &Picture, size: PixelSize) -> Vec<bool> {
    let see_through = mask.is_transparent();
    let scaled = mask.resized(size).into_rgba();
    let bare: Vec<bool> = scaled
        .as_raw()
        .chunks_exact(4)
        .map(|pixel| if see_through { pixel[3] < 250 } else { pixel[..3].iter().map(|channel| u32::from(*channel)).sum::<u32>() < 3 * 250 })
        .collect();
    let (width, height) = (size.width as usize, size.height as usize);
    let rim = (width.max(height) / 64).max(1);
    // Grown by the rim, first along the rows and then along the columns.
    let grown = |bare: &[bool], step: usize, length: usize, at: &dyn Fn(usize) -> usize| -> Vec<bool> {
        (0..bare.len())
            .map(|index| {
                let place = at(index);
                (place.saturating_sub(rim)..=(place + rim).min(length - 1)).any(|near| bare[index + near * step - place * step])
            })
            .collect()
    };
    let rows = grown(&bare, 1, width, &|index| index % width);
    grown(&rows, width, height, &|index| index / width)
}
