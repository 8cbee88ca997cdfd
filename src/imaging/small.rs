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

use super::means::{MOST, opaque_means};
use super::picture::mix;
use super::probe::upright;
use super::sheet::fitted;
use super::{ImagingError, Limits, Picture, color, encode, marks, png_reader};
use crate::types::{ImageFormat, PixelSize};

/// Longest side of a small copy in pixels: a card of the gallery on a screen of double density.
pub const THUMBNAIL_SIDE: u32 = 400;

/// Quality of its JPEG.
const QUALITY: u8 = 82;

/// Makes a JPEG of the picture with no side over `max_side`; transparent parts show a light checker board.
///
/// Colours of a profile are brought to sRGB: the copy has none, and beside its picture it would look pale.
///
/// # Errors
/// [`ImagingError`] if the picture cannot be read.
pub fn thumbnail(bytes: &[u8], max_side: u32) -> Result<Vec<u8>, ImagingError> {
    let limits = Limits::default();
    if bytes.starts_with(&super::PNG) && !marks::has_profile(bytes) {
        let reader = png_reader::whole(bytes, &limits)?;
        if let Some(shrinker) = reader.shrinker(max_side) {
            return reader.read_through(Some(shrinker))?.ok_or_else(|| unwritable("it has no pixels"));
        }
    }
    of_picture(&color::in_srgb(bytes, &limits)?, max_side)
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
    /// Of two rows of RGB that become one, none: the first waits among the means for the second, byte by byte.
    Pairs,
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
        let sums = match (alpha, across, down) {
            (true, ..) => Sums::Weighed(vec![0; length]),
            (false, 1, 2) => Sums::Pairs,
            (false, ..) => Sums::Opaque(vec![0; length]),
        };
        Self { size, alpha, orientation, target, across, down, sums, rows: 0, bench }
    }

    /// Takes the next row: RGB, or RGBA if it was begun so.
    pub(super) fn row(&mut self, row: &[u8]) {
        if self.down == 1 {
            self.bench.means.extend_from_slice(row);
            return;
        }
        match &mut self.sums {
            Sums::Pairs if self.rows == 0 => self.bench.means.extend_from_slice(row),
            Sums::Pairs => {
                let first = self.bench.means.len().saturating_sub(row.len());
                for (mean, channel) in self.bench.means[first..].iter_mut().zip(row) {
                    *mean = ((u16::from(*mean) + u16::from(*channel) + 1) >> 1) as u8;
                }
            }
            Sums::Opaque(sums) if self.rows == 0 => sums.iter_mut().zip(row).for_each(|(sum, channel)| *sum = u16::from(*channel)),
            Sums::Opaque(sums) => sums.iter_mut().zip(row).for_each(|(sum, channel)| *sum += u16::from(*channel)),
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
            Sums::Pairs => {}
            Sums::Opaque(sums) => {
                self.bench.means.resize(start + (sums.len() / 3).div_ceil(self.across) * 3, 0);
                opaque_means(sums, self.across, self.rows, &mut self.bench.means[start..]);
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
    use crate::imaging::{decode, probe, verify, verify_and_shrink, verify_file_and_shrink};

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
    fn rows_are_put_together_in_full_and_what_is_left_over_counts_too() {
        // One level a row: the mean of each group of rows is known, also where the last group is short.
        for (width, height) in [(801, 3), (1200, 4), (1203, 5), (1700, 9), (2050, 11)] {
            let picture = Picture::Rgb(RgbImage::from_fn(width, height, |_, y| image::Rgb([(y * 20) as u8, 200, (250 - y * 20) as u8])));
            let mut shrinker = Shrinker::new(picture.size(), false, Orientation::NoTransforms, THUMBNAIL_SIDE);
            let Picture::Rgb(pixels) = &picture else { unreachable!("it is opaque") };
            pixels.as_raw().chunks_exact(width as usize * 3).for_each(|row| shrinker.row(row));
            if shrinker.rows > 0 {
                shrinker.means_of_rows();
            }
            let (down, row) = (shrinker.down, (width as usize).div_ceil(shrinker.across) * 3);
            let means: Vec<u8> = shrinker.bench.means.chunks_exact(row).map(|row| row[0]).collect();
            let rows: Vec<u32> = (0..height).collect();
            let wanted: Vec<u8> =
                rows.chunks(down).map(|group| (group.iter().sum::<u32>() as f64 * 20.0 / group.len() as f64).round() as u8).collect();
            assert_eq!(means, wanted, "{width}x{height}");
            assert!(shrinker.bench.means.chunks_exact(row).all(|row| row.chunks_exact(3).all(|pixel| pixel[0] == row[0] && pixel[1] == 200)));
        }
    }

    #[test]
    fn a_copy_of_fine_detail_is_as_good_as_one_by_the_slowest_way() {
        // Stripes that come near to what a copy can hold, and edges; sides that come to two rows, to three, and to five with two columns.
        let busy = |width: u32, height: u32| {
            let wave = |at: u32, side: u32| (f64::from(at) * std::f64::consts::TAU * 60.0 / f64::from(side)).sin() * 50.0;
            Picture::Rgb(RgbImage::from_fn(width, height, |x, y| {
                let level = (wave(x + y / 3, width) + wave(y, height) + 128.0) as u8;
                image::Rgb(if (x / 197 + y / 161).is_multiple_of(2) { [level; 3] } else { [level, level / 2 + 60, 90] })
            }))
        };
        for (width, height) in [(896, 1120), (1024, 1536), (2048, 2048)] {
            let picture = busy(width, height);
            let small = seen(&of_picture(&picture, THUMBNAIL_SIDE).expect("made"));
            let best = seen(&file(&picture.resized(PixelSize::new(small.width(), small.height())), ImageFormat::Jpeg));
            let apart: u64 = small.as_raw().iter().zip(best.as_raw()).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
            let mean = apart as f64 / best.as_raw().len() as f64;
            assert!(mean < 9.0, "{width}x{height}: {mean:.2} levels on the mean");
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
    fn colours_of_a_profile_are_brought_to_srgb_when_a_gallery_wants_the_copy() {
        use crate::imaging::marks::samples;
        let limits = Limits::default();
        let wide = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
        let photo = Picture::Rgb(RgbImage::from_pixel(800, 600, image::Rgb([200, 60, 60])));
        let jpeg = samples::with_segments(&file(&photo, ImageFormat::Jpeg), &samples::icc(&wide));
        let png = samples::with_chunk(&file(&photo, ImageFormat::Png), b"iCCP", &samples::iccp(&wide));
        let webp = samples::extended(&file(&photo, ImageFormat::Webp), PixelSize::new(800, 600), b"ICCP", &wide);
        for bytes in [jpeg, png, webp] {
            let format = probe(&bytes, &limits).expect("a picture").format;
            let small = seen(&thumbnail(&bytes, 400).expect("made"));
            let colour = small.get_pixel(200, 150).0;
            // Display P3 (200, 60, 60) is sRGB (217, 41, 52).
            assert!(colour[0].abs_diff(217) < 6 && colour[1].abs_diff(41) < 8 && colour[2].abs_diff(52) < 8, "{format}: {colour:?}");
            assert_eq!(verify_and_shrink(&bytes, &limits).expect("whole").1, None, "{format}: that takes its time, and can wait");
            let from_file = verify_file_and_shrink(std::io::Cursor::new(&bytes), bytes.len() as u64, &limits);
            assert_eq!(from_file.expect("whole").1, None, "{format}");
        }
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
