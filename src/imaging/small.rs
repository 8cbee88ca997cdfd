//! Small copies of pictures for galleries, made from rows as they come: of a large picture only the copy is ever in memory.
//!
//! ```text
//! rows ── means of some pixels ──> up to twice as high as the copy, four times as wide ── Catmull-Rom ──> upright ──> JPEG
//! ```
//! In: rows of pixels, top to bottom, or a picture. Out: bytes of a JPEG.
//! Never: a picture stretched out of its shape, or made larger; a panic: nothing depends on a small copy.

use std::sync::{Mutex, PoisonError};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, RgbImage, RgbaImage};

use super::picture::mix;
use super::probe::upright;
use super::sheet::fitted;
use super::{ImagingError, Limits, Picture, decode, encode, png_reader};
use crate::types::{ImageFormat, PixelSize};

/// Longest side of a small copy in pixels: a card of the gallery on a screen of double density.
pub const THUMBNAIL_SIDE: u32 = 400;

/// Most pixels and rows that become one before the copy is scaled: their sums fit.
const MOST: u32 = 64;

/// Quality of its JPEG.
const QUALITY: u8 = 82;

/// Makes a JPEG of the picture with no side over `max_side`; transparent parts show a light checker board.
///
/// # Errors
/// [`ImagingError`] if the picture cannot be read.
pub fn thumbnail(bytes: &[u8], max_side: u32) -> Result<Vec<u8>, ImagingError> {
    let limits = Limits::default();
    if bytes.starts_with(&super::PNG) {
        let reader = png_reader::whole(bytes, &limits)?;
        if let Some(shrinker) = reader.shrinker(max_side) {
            return reader.read_through(Some(shrinker))?.ok_or_else(|| unwritable("it has no pixels"));
        }
    }
    of_picture(&decode(bytes, &limits)?, max_side)
}

/// Makes the same of a decoded picture.
///
/// # Errors
/// [`ImagingError`] if the JPEG cannot be written.
pub fn of_picture(picture: &Picture, max_side: u32) -> Result<Vec<u8>, ImagingError> {
    let size = picture.size();
    let mut shrinker = Shrinker::new(size, matches!(picture, Picture::Rgba(_)), Orientation::NoTransforms, max_side);
    let (pixels, channels) = match picture {
        Picture::Rgb(pixels) => (pixels.as_raw(), 3),
        Picture::Rgba(pixels) => (pixels.as_raw(), 4),
    };
    for row in pixels.chunks_exact((size.width as usize * channels).max(1)) {
        shrinker.row(row);
    }
    shrinker.finish()
}

/// Returns whether a picture of this size has a small copy: smaller ones are shown themselves.
pub fn has_thumbnail(size: PixelSize) -> bool {
    size.width.max(size.height) > THUMBNAIL_SIDE
}

/// What a small copy is made with. Memory that is given back and taken anew costs more than the work that is done in it.
struct Bench {
    /// Means that are finished: RGB or RGBA.
    means: Vec<u8>,
    resizer: Resizer,
}

/// Benches that nobody works at: no more than [`MOST_BENCHES`], and none that a huge picture has made large.
static BENCHES: Mutex<Vec<Bench>> = Mutex::new(Vec::new());

/// Most benches that are kept: as many pictures as are looked at at once on a small machine.
const MOST_BENCHES: usize = 4;

/// Most bytes of means that a bench is kept with, 4 MiB.
const LARGEST_BENCH: usize = 4 << 20;

impl Bench {
    fn take() -> Self {
        let free = BENCHES.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Self { means: Vec::new(), resizer: Resizer::new() })
    }

    fn give_back(mut self) {
        let mut benches = BENCHES.lock().unwrap_or_else(PoisonError::into_inner);
        if benches.len() < MOST_BENCHES && self.means.capacity() <= LARGEST_BENCH {
            self.means.clear();
            benches.push(self);
        }
    }
}

/// Sums over some rows, channel by channel.
enum Sums {
    /// Of RGB: half as wide, so twice as many at once.
    Opaque(Vec<u16>),
    /// Of RGBA, colours weighed by their alpha.
    Weighed(Vec<u32>),
}

/// A small copy on its way.
pub(super) struct Shrinker {
    /// Of the picture, as its rows come.
    size: PixelSize,
    alpha: bool,
    orientation: Orientation,
    /// Of the copy, upright.
    target: PixelSize,
    /// Pixels of a row that become one before the copy is scaled: the scaler is quick along rows.
    across: usize,
    /// Rows that become one.
    down: usize,
    /// Sums over the rows since the last that was finished.
    sums: Sums,
    /// How many rows they are.
    rows: usize,
    bench: Bench,
}

impl Shrinker {
    /// Begins; `size` and rows are as stored, `orientation` says how the copy is to be turned.
    pub(super) fn new(size: PixelSize, alpha: bool, orientation: Orientation, max_side: u32) -> Self {
        let turned = upright(size, orientation);
        let room = |side: u32| max_side.max(1).min(side.max(1));
        let target = fitted(turned, PixelSize { width: room(turned.width), height: room(turned.height) });
        let factor = (size.width.max(size.height) / target.width.max(target.height).max(1)).clamp(1, MOST) as usize;
        let (across, down) = ((factor / 2).max(1), factor);
        let channels = if alpha { 4 } else { 3 };
        let mut bench = Bench::take();
        bench.means.reserve((size.width as usize).div_ceil(across) * (size.height as usize).div_ceil(down) * channels);
        let length = size.width as usize * channels;
        let sums = if alpha { Sums::Weighed(vec![0; length]) } else { Sums::Opaque(vec![0; length]) };
        Self { size, alpha, orientation, target, across, down, sums, rows: 0, bench }
    }

    /// Takes the next row: RGB, or RGBA if it was begun so.
    pub(super) fn row(&mut self, row: &[u8]) {
        if self.down == 1 {
            self.bench.means.extend_from_slice(row);
            return;
        }
        match &mut self.sums {
            Sums::Opaque(sums) => {
                for (sum, channel) in sums.iter_mut().zip(row) {
                    *sum += u16::from(*channel);
                }
            }
            Sums::Weighed(sums) => {
                for (sum, pixel) in sums.chunks_exact_mut(4).zip(row.chunks_exact(4)) {
                    let alpha = u32::from(pixel[3]);
                    sum[0] += u32::from(pixel[0]) * alpha;
                    sum[1] += u32::from(pixel[1]) * alpha;
                    sum[2] += u32::from(pixel[2]) * alpha;
                    sum[3] += alpha;
                }
            }
        }
        self.rows += 1;
        if self.rows == self.down {
            self.means_of_rows();
        }
    }

    /// Turns the sums into a row of means and begins anew.
    fn means_of_rows(&mut self) {
        let start = self.bench.means.len();
        match &mut self.sums {
            Sums::Opaque(sums) => {
                self.bench.means.resize(start + (sums.len() / 3).div_ceil(self.across) * 3, 0);
                opaque_means(sums, self.across, self.rows, &mut self.bench.means[start..]);
                sums.fill(0);
            }
            Sums::Weighed(sums) => {
                for cell in sums.chunks(self.across * 4) {
                    let count = (cell.len() / 4 * self.rows) as u32;
                    let sum = |channel: usize| cell.iter().skip(channel).step_by(4).sum::<u32>();
                    let weight = sum(3);
                    let colour = |channel: usize| ((sum(channel) + weight / 2) / weight.max(1)).min(255) as u8;
                    self.bench.means.extend([colour(0), colour(1), colour(2), ((weight + count / 2) / count.max(1)).min(255) as u8]);
                }
                sums.fill(0);
            }
        }
        self.rows = 0;
    }

    /// Brings the means to size and writes them.
    ///
    /// # Errors
    /// [`ImagingError::Unwritable`] if not all rows came.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ImagingError> {
        if self.rows > 0 {
            self.means_of_rows();
        }
        let small = self.resized();
        self.bench.give_back();
        let mut small = small.ok_or_else(|| unwritable("not all rows of the picture came"))?;
        small.apply_orientation(self.orientation);
        let small = match small {
            DynamicImage::ImageRgba8(pixels) => checkered(&pixels),
            opaque => opaque.into_rgb8(),
        };
        encode(&Picture::Rgb(small), ImageFormat::Jpeg, Some(QUALITY), &[])
    }

    /// Scales the means to the size of the copy, not yet turned.
    fn resized(&mut self) -> Option<DynamicImage> {
        let kind = if self.alpha { PixelType::U8x4 } else { PixelType::U8x3 };
        let whole = |side: u32, factor: usize| u32::try_from((side as usize).div_ceil(factor)).ok();
        let (width, height) = (whole(self.size.width, self.across)?, whole(self.size.height, self.down)?);
        // Turning there and back changes nothing of the size.
        let target = upright(self.target, self.orientation);
        let Bench { means, resizer } = &mut self.bench;
        let pixels = if (width, height) == (target.width, target.height) && self.down == 1 {
            means.clone()
        } else {
            let source = ImageRef::new(width, height, means, kind).ok()?;
            let mut copy = Image::new(target.width, target.height, kind);
            // The last mean of a row may be of fewer pixels than the others: it counts for as much less.
            let part = |side: u32, factor: usize| f64::from(side) / factor as f64;
            let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).crop(
                0.0,
                0.0,
                part(self.size.width, self.across),
                part(self.size.height, self.down),
            );
            resizer.resize(&source, &mut copy, Some(&options)).ok()?;
            copy.into_vec()
        };
        if self.alpha {
            RgbaImage::from_raw(target.width, target.height, pixels).map(DynamicImage::ImageRgba8)
        } else {
            RgbImage::from_raw(target.width, target.height, pixels).map(DynamicImage::ImageRgb8)
        }
    }
}

/// Puts `across` pixels of sums over `rows` rows together, and what is left at the end.
fn opaque_means(sums: &[u16], across: usize, rows: usize, means: &mut [u8]) {
    let whole = sums.len() / (across * 3);
    let (cells, rest) = sums.split_at(whole * across * 3);
    let (means, last) = means.split_at_mut(whole * 3);
    match across {
        // What pictures of models come to, with the loops unrolled.
        1 => cells_of::<1>(cells, rows, means),
        2 => cells_of::<2>(cells, rows, means),
        _ => cells.chunks_exact(across * 3).zip(means.chunks_exact_mut(3)).for_each(|(cell, mean)| mean_of(cell, rows, mean)),
    }
    if !rest.is_empty() {
        mean_of(rest, rows, last);
    }
}

fn cells_of<const PIXELS: usize>(sums: &[u16], rows: usize, means: &mut [u8]) {
    let count = (PIXELS * rows).max(1) as u32;
    // A division by multiplication, exact for all sums of up to 64 bytes.
    let (half, inverse) = (count / 2, (1 << 20) / count + 1);
    let mean = |sum: u32| (((sum + half) * inverse) >> 20).min(255) as u8;
    if PIXELS == 1 {
        sums.iter().zip(means).for_each(|(sum, to)| *to = mean(u32::from(*sum)));
        return;
    }
    for (cell, to) in sums.chunks_exact(PIXELS * 3).zip(means.chunks_exact_mut(3)) {
        for (channel, to) in to.iter_mut().enumerate() {
            *to = mean((0..PIXELS).map(|pixel| u32::from(cell[pixel * 3 + channel])).sum());
        }
    }
}

fn mean_of(cell: &[u16], rows: usize, mean: &mut [u8]) {
    let count = (cell.len() / 3 * rows).max(1) as u32;
    for (channel, mean) in mean.iter_mut().enumerate() {
        let sum: u32 = cell.iter().skip(channel).step_by(3).map(|part| u32::from(*part)).sum();
        *mean = ((sum + count / 2) / count).min(255) as u8;
    }
}

fn unwritable(reason: &str) -> ImagingError {
    ImagingError::Unwritable { format: ImageFormat::Jpeg, reason: reason.to_owned() }
}

fn checkered(pixels: &RgbaImage) -> RgbImage {
    const SQUARE: u32 = 8;
    let mut flat = RgbImage::new(pixels.width(), pixels.height());
    for (x, y, from) in pixels.enumerate_pixels() {
        let ground = if (x / SQUARE + y / SQUARE).is_multiple_of(2) { 0xff } else { 0xe6 };
        let channel = |index: usize| mix(ground, from.0[index], u32::from(from.0[3]));
        flat.put_pixel(x, y, image::Rgb([channel(0), channel(1), channel(2)]));
    }
    flat
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{verify, verify_and_shrink};

    fn file(picture: &Picture, format: ImageFormat) -> Vec<u8> {
        encode(picture, format, Some(95), &[]).expect("it can be written")
    }

    /// Slopes both ways, so that a row or a column in the wrong place shows.
    fn slopes(width: u32, height: u32) -> Picture {
        Picture::Rgb(RgbImage::from_fn(width, height, |x, y| image::Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 90])))
    }

    fn seen(jpeg: &[u8]) -> RgbImage {
        let Ok(Picture::Rgb(pixels)) = decode(jpeg, &Limits::default()) else { panic!("a JPEG is opaque") };
        pixels
    }

    fn close(one: &RgbImage, other: &RgbImage, by: u8) -> bool {
        one.dimensions() == other.dimensions() && one.as_raw().iter().zip(other.as_raw()).all(|(one, other)| one.abs_diff(*other) <= by)
    }

    #[test]
    fn a_thumbnail_keeps_the_shape_and_never_grows() {
        let png = |width, height, alpha| {
            let picture = Picture::Rgba(RgbaImage::from_pixel(width, height, image::Rgba([200, 20, 20, alpha])));
            file(&picture, ImageFormat::Png)
        };
        let size = |bytes: &[u8]| verify(bytes, &Limits::default()).expect("whole").size;
        assert_eq!(size(&thumbnail(&png(400, 200, 255), 100).expect("made")), PixelSize::new(100, 50));
        assert_eq!(size(&thumbnail(&png(30, 50, 0), 100).expect("made")), PixelSize::new(30, 50));
        assert_eq!(size(&thumbnail(&png(1, 150, 255), 100).expect("made")), PixelSize::new(1, 100));
    }

    #[test]
    fn rows_on_their_way_make_the_copy_that_the_whole_picture_makes() {
        // Sides that are and are not multiples of what is put together.
        for (width, height) in [(1000, 800), (1003, 799), (801, 1601), (430, 70)] {
            let picture = slopes(width, height);
            let small = seen(&thumbnail(&file(&picture, ImageFormat::Png), 400).expect("made"));
            let plain = picture.resized(PixelSize::new(small.width(), small.height()));
            let plain = seen(&file(&plain, ImageFormat::Jpeg));
            assert!(close(&small, &plain, 8), "{width}x{height}");
            let jpeg = seen(&thumbnail(&file(&picture, ImageFormat::Jpeg), 400).expect("made"));
            assert!(close(&small, &jpeg, 10), "{width}x{height} as JPEG");
        }
    }

    #[test]
    fn what_is_checked_brings_its_small_copy_with_it_and_what_is_small_brings_none() {
        let limits = Limits::default();
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp] {
            let bytes = file(&slopes(801, 600), format);
            let (info, small) = verify_and_shrink(&bytes, &limits).expect("whole");
            assert_eq!(Ok(info), verify(&bytes, &limits));
            assert_eq!(small, Some(thumbnail(&bytes, THUMBNAIL_SIDE).expect("made")), "{format}");
            assert!(verify_and_shrink(&bytes[..bytes.len() - 20], &limits).is_err(), "{format} cut off");
            assert_eq!(verify_and_shrink(&file(&slopes(400, 300), format), &limits).expect("whole").1, None, "{format}");
        }
    }

    #[test]
    fn see_through_parts_lend_no_colour_and_show_a_checker_board() {
        let cut_out = Picture::Rgba(RgbaImage::from_fn(800, 800, |x, _| image::Rgba(if x < 400 { [0, 0, 255, 0] } else { [200, 30, 30, 255] })));
        let small = seen(&thumbnail(&file(&cut_out, ImageFormat::Png), 400).expect("made"));
        let (clear, edge, opaque) = (small.get_pixel(100, 100).0, small.get_pixel(199, 100).0, small.get_pixel(300, 100).0);
        assert!(clear.iter().all(|level| *level > 220) && edge[2] <= edge[0].saturating_add(10), "{clear:?} {edge:?}");
        assert!(opaque[0].abs_diff(200) < 6 && opaque[2].abs_diff(30) < 6, "{opaque:?}");
    }

    #[test]
    fn a_photo_that_says_turn_me_is_turned_and_odd_files_have_copies_too() {
        use crate::imaging::marks::samples;
        let jpeg = samples::with_segments(&file(&slopes(900, 600), ImageFormat::Jpeg), &[(0xe1, samples::exif(6))]);
        let small = seen(&thumbnail(&jpeg, 300).expect("made"));
        assert_eq!(small.dimensions(), (200, 300));
        // Turned to the right: what was left is above.
        assert!(small.get_pixel(100, 5).0[0] < 20 && small.get_pixel(100, 295).0[0] > 230);
        let grey = DynamicImage::from(match slopes(900, 600) {
            Picture::Rgb(pixels) => pixels,
            Picture::Rgba(_) => unreachable!("it is opaque"),
        });
        let mut sixteen = std::io::Cursor::new(Vec::new());
        DynamicImage::from(grey.to_luma16()).write_to(&mut sixteen, image::ImageFormat::Png).expect("it can be written");
        assert_eq!(seen(&thumbnail(sixteen.get_ref(), 300).expect("made")).dimensions(), (300, 200));
        assert_eq!(verify_and_shrink(sixteen.get_ref(), &Limits::default()).expect("whole").1, None, "made when a gallery wants it");
    }
}
