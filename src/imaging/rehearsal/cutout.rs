//! Finds what belongs to a subject, and what a mask marks.

use image::RgbaImage;

use crate::imaging::Picture;
use crate::types::PixelSize;

/// How far a background may stray from the colour of the corner it grew from, summed over the channels.
const TOLERANCE: i32 = 72;

/// Makes the background of a photo transparent: all that is connected to its edge and has about the colour found there.
///
/// If hardly anything is (a busy photo), an ellipse in the middle is kept: a rehearsal's cut-out is always one.
pub fn cut_out(mut pixels: RgbaImage) -> RgbaImage {
    let (width, height) = (pixels.width() as usize, pixels.height() as usize);
    let background = flooded(&pixels, width, height);
    let enough = background.iter().filter(|outside| **outside).count() * 20 >= background.len();
    let (middle, half) = ((width as f32 / 2.0, height as f32 / 2.0), (width as f32 * 0.42, height as f32 * 0.42));
    for (at, pixel) in pixels.as_mut().chunks_exact_mut(4).enumerate() {
        let outside = if enough {
            background[at]
        } else {
            let (x, y) = (((at % width) as f32 - middle.0) / half.0, ((at / width) as f32 - middle.1) / half.1);
            x * x + y * y > 1.0
        };
        if outside {
            pixel.copy_from_slice(&[0; 4]);
        }
    }
    pixels
}

/// Grows the background inwards from every pixel of the edge.
fn flooded(pixels: &RgbaImage, width: usize, height: usize) -> Vec<bool> {
    let bytes = pixels.as_raw();
    let color = |at: usize| [i32::from(bytes[at * 4]), i32::from(bytes[at * 4 + 1]), i32::from(bytes[at * 4 + 2])];
    let mut outside = vec![false; width * height];
    let mut open: Vec<(usize, [i32; 3])> = Vec::new();
    let corners = [0, width - 1, (height - 1) * width, height * width - 1];
    for corner in corners {
        open.push((corner, color(corner)));
    }
    while let Some((at, seed)) = open.pop() {
        let here = color(at);
        let far = (0..3).map(|channel| (here[channel] - seed[channel]).abs()).sum::<i32>() > TOLERANCE;
        if outside[at] || (far && bytes[at * 4 + 3] > 0) {
            continue;
        }
        outside[at] = true;
        let x = at % width;
        let neighbours = [
            (x > 0).then(|| at - 1),
            (x + 1 < width).then(|| at + 1),
            at.checked_sub(width),
            Some(at + width).filter(|below| *below < width * height),
        ];
        open.extend(neighbours.into_iter().flatten().filter(|next| !outside[*next]).map(|next| (next, seed)));
    }
    outside
}

/// Returns which pixels a mask marks: transparent ones; in a mask without transparency the dark ones; without a mask an ellipse.
pub fn marked(mask: Option<&Picture>, size: PixelSize) -> Vec<bool> {
    let Some(mask) = mask else { return ellipse(size) };
    match mask.resized(size) {
        Picture::Rgba(pixels) if mask.is_transparent() => pixels.as_raw().chunks_exact(4).map(|pixel| pixel[3] < 128).collect(),
        other => {
            other.flattened([255; 3]).as_raw().chunks_exact(3).map(|pixel| pixel.iter().map(|part| u32::from(*part)).sum::<u32>() < 384).collect()
        }
    }
}

fn ellipse(size: PixelSize) -> Vec<bool> {
    let (width, height) = (size.width as f32, size.height as f32);
    let part = |at: u64| {
        let (x, y) = ((at % u64::from(size.width)) as f32, (at / u64::from(size.width)) as f32);
        let (x, y) = ((x - width * 0.5) / (width * 0.3), (y - height * 0.46) / (height * 0.3));
        x * x + y * y < 1.0
    };
    (0..size.pixels()).map(part).collect()
}
