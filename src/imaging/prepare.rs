//! Makes pictures ones that a model takes: room around them, a size, a format and a weight that it reads.
//!
//! In: pixels and limits. Out: pixels, or bytes within the limits. Never: a picture made larger than it was; see-through parts filled.

use image::{RgbImage, RgbaImage};

use super::{ImagingError, Limits, Picture, encode, marks};
use crate::types::operation::{Color, Within};
use crate::types::shape::{padded, within};
use crate::types::{ImageFormat, ImageInfo, PixelSize, Profile, Ratio};

/// Qualities of a JPEG, tried one after the other until it is light enough; below the last it is made smaller instead.
const QUALITIES: [u8; 4] = [95, 92, 88, 84];

/// Most thousandths of a picture's sides that are left when no quality is light enough.
const SHORTER: u64 = 875;

/// Share of a side that tells its edge's colour: a hundredth.
const EDGE: u32 = 100;

/// Grows a picture to the ratio; without a `fill` each side continues the mean colour of its edge.
pub(super) fn extend(picture: Picture, ratio: Ratio, fill: Option<Color>, limits: &Limits) -> Result<Picture, ImagingError> {
    let old = picture.size();
    let size = padded(old, ratio);
    if size == old {
        return Ok(picture);
    }
    limits.admit(size)?;
    let sideways = size.width > old.width;
    let (first, last) = match fill {
        Some(color) => (color.0, color.0),
        None => (edge(&picture, sideways, false), edge(&picture, sideways, true)),
    };
    let (left, top) = ((size.width - old.width) / 2, (size.height - old.height) / 2);
    let is_first = |x: u32, y: u32| if sideways { x < size.width / 2 } else { y < size.height / 2 };
    let place = (i64::from(left), i64::from(top));
    match picture {
        Picture::Rgb(pixels) if first[3] == 255 && last[3] == 255 => {
            let color = |color: [u8; 4]| image::Rgb([color[0], color[1], color[2]]);
            let (first, last) = (color(first), color(last));
            let mut ground = RgbImage::from_fn(size.width, size.height, |x, y| if is_first(x, y) { first } else { last });
            image::imageops::replace(&mut ground, &pixels, place.0, place.1);
            Ok(Picture::Rgb(ground))
        }
        picture => {
            let (first, last) = (image::Rgba(first), image::Rgba(last));
            let mut ground = RgbaImage::from_fn(size.width, size.height, |x, y| if is_first(x, y) { first } else { last });
            image::imageops::replace(&mut ground, &picture.into_rgba(), place.0, place.1);
            Ok(Picture::Rgba(ground))
        }
    }
}

/// Returns the mean colour of a picture's left or upper edge, or of the right or lower one if `last`; see-through pixels lend no colour.
fn edge(picture: &Picture, sideways: bool, last: bool) -> [u8; 4] {
    let PixelSize { width, height } = picture.size();
    let along = if sideways { width } else { height };
    let deep = (along / EDGE).max(1);
    let range = if last { along - deep..along } else { 0..deep };
    let (columns, rows) = if sideways { (range, 0..height) } else { (0..width, range) };
    let (mut sums, mut alpha, mut count) = ([0_u64; 3], 0_u64, 0_u64);
    for y in rows {
        for x in columns.clone() {
            let [red, green, blue, opacity] = match picture {
                Picture::Rgb(pixels) => {
                    let [red, green, blue] = pixels.get_pixel(x, y).0;
                    [red, green, blue, 255]
                }
                Picture::Rgba(pixels) => pixels.get_pixel(x, y).0,
            };
            for (sum, channel) in sums.iter_mut().zip([red, green, blue]) {
                *sum += u64::from(channel) * u64::from(opacity);
            }
            alpha += u64::from(opacity);
            count += 1;
        }
    }
    let mean = |sum: u64, of: u64| ((sum + of / 2) / of.max(1)).min(255) as u8;
    [mean(sums[0], alpha), mean(sums[1], alpha), mean(sums[2], alpha), mean(alpha, count)]
}

/// Returns whether a file is within the limits as it is, so that not a byte of it need change.
pub(super) fn is_within(bytes: &[u8], info: ImageInfo, limits: &Within) -> bool {
    let marks = marks(bytes);
    info.format == limits.format
        && within(info.size, limits.side, limits.pixels) == info.size
        && limits.bytes.is_none_or(|most| bytes.len() as u64 <= most)
        && !marks.turned
        && marks.profile == Profile::Srgb
}

/// Writes a picture within the limits: made smaller as far as its size wants, then as far as its bytes want.
pub(super) fn write_within(picture: &Picture, limits: &Within) -> Result<(Vec<u8>, ImageInfo), ImagingError> {
    let mut size = within(picture.size(), limits.side, limits.pixels);
    let qualities: Vec<Option<u8>> = match limits.format {
        ImageFormat::Jpeg => QUALITIES.map(Some).to_vec(),
        ImageFormat::Png | ImageFormat::Webp => vec![None],
    };
    loop {
        let smaller = picture.resized(size);
        let mut lightest = u64::MAX;
        for quality in &qualities {
            let bytes = encode(&smaller, limits.format, *quality, &[])?;
            if limits.bytes.is_none_or(|most| bytes.len() as u64 <= most) {
                return Ok((bytes, smaller.info(limits.format)));
            }
            lightest = lightest.min(bytes.len() as u64);
        }
        // Bytes follow the area, so the sides follow the root of what is too much; at least an eighth is taken off each time.
        let share = (u128::from(limits.bytes.unwrap_or_default()) * 1_000_000 / u128::from(lightest)).isqrt();
        let thousandths = u64::try_from(share).unwrap_or(u64::MAX).min(SHORTER);
        let shorter = |side: u32| (u64::from(side) * thousandths / 1000) as u32;
        let next = PixelSize::new(shorter(size.width), shorter(size.height));
        if next.width == 0 || next.height == 0 {
            return Err(ImagingError::TooHeavy { limit: limits.bytes.unwrap_or_default() });
        }
        size = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::marks::samples;
    use crate::imaging::{decode, probe, transform};
    use crate::types::operation::TransformOp;

    fn noise(width: u32, height: u32) -> Picture {
        let mut state = 7_u32;
        Picture::Rgb(RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [_, red, green, blue] = state.to_be_bytes();
            image::Rgb([red, green, blue])
        }))
    }

    fn file(picture: &Picture, format: ImageFormat) -> Vec<u8> {
        encode(picture, format, None, &[]).expect("it can be written")
    }

    const FREE: Within = Within { format: ImageFormat::Jpeg, side: None, pixels: None, bytes: None };

    fn prepared(bytes: &[u8], limits: Within) -> (Vec<u8>, ImageInfo) {
        transform(bytes, &[], &[TransformOp::Within(limits)]).expect("it can be made")
    }

    #[test]
    fn what_is_within_stays_to_the_byte_and_what_is_not_changes_only_so_far() {
        let jpeg = samples::with_segments(&file(&noise(60, 40), ImageFormat::Jpeg), &[(0xeb, samples::jumbf())]);
        assert_eq!(prepared(&jpeg, FREE).0, jpeg, "manifest and all");
        let (small, info) = prepared(&jpeg, Within { side: Some(30), ..FREE });
        assert_eq!((info.size, probe(&small, &Limits::default())), (PixelSize::new(30, 20), Ok(info)));
        let (png, info) = prepared(&jpeg, Within { format: ImageFormat::Png, ..FREE });
        assert_eq!(
            (info.format, decode(&png, &Limits::default()).expect("whole")),
            (ImageFormat::Png, decode(&jpeg, &Limits::default()).expect("whole"))
        );
    }

    #[test]
    fn a_photo_is_sent_upright_and_in_srgb() {
        let photo = Picture::Rgb(RgbImage::from_pixel(60, 40, image::Rgb([200, 60, 60])));
        let turned = samples::with_segments(&file(&photo, ImageFormat::Jpeg), &[(0xe1, samples::exif(6))]);
        let (bytes, info) = prepared(&turned, FREE);
        assert_eq!((info.size, marks(&bytes).turned), (PixelSize::new(40, 60), false));
        let wide = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
        let wide = samples::with_segments(&file(&photo, ImageFormat::Jpeg), &samples::icc(&wide));
        let (bytes, _) = prepared(&wide, FREE);
        let Ok(Picture::Rgb(seen)) = decode(&bytes, &Limits::default()) else { panic!("an opaque picture") };
        assert!(seen.get_pixel(5, 5).0[0].abs_diff(217) <= 4, "{:?}", seen.get_pixel(5, 5));
    }

    #[test]
    fn a_picture_that_is_too_heavy_loses_quality_before_size_and_is_always_the_same() {
        let png = file(&noise(200, 100), ImageFormat::Png);
        let at_95 = prepared(&png, FREE).0.len() as u64;
        let (lighter, info) = prepared(&png, Within { bytes: Some(at_95 - 1), ..FREE });
        assert_eq!(info.size, PixelSize::new(200, 100));
        assert!((lighter.len() as u64) < at_95);
        let (smaller, info) = prepared(&png, Within { bytes: Some(at_95 / 4), ..FREE });
        assert!(info.size.width < 200 && smaller.len() as u64 <= at_95 / 4);
        assert_eq!(prepared(&png, Within { bytes: Some(at_95 / 4), ..FREE }).0, smaller);
        let (png_again, info) = prepared(&png, Within { format: ImageFormat::Png, bytes: Some(20_000), ..FREE });
        assert!(info.format == ImageFormat::Png && png_again.len() <= 20_000);
        assert!(matches!(
            transform(&png, &[], &[TransformOp::Within(Within { bytes: Some(10), ..FREE })]),
            Err(ImagingError::TooHeavy { limit: 10 })
        ));
    }

    #[test]
    fn room_is_added_in_the_colours_of_the_edges_it_continues() {
        let picture = Picture::Rgb(RgbImage::from_fn(100, 100, |x, _| image::Rgb(if x < 50 { [250, 250, 250] } else { [10, 20, 30] })));
        let wide = extend(picture.clone(), Ratio::new(2, 1), None, &Limits::default()).expect("it can be made");
        let Picture::Rgb(seen) = &wide else { panic!("it stays opaque") };
        assert_eq!((seen.get_pixel(0, 50).0, seen.get_pixel(199, 50).0, seen.get_pixel(60, 0).0), ([250; 3], [10, 20, 30], [250; 3]));
        let tall = extend(picture.clone(), Ratio::new(1, 2), Some(Color([1, 2, 3, 255])), &Limits::default()).expect("it can be made");
        let Picture::Rgb(seen) = &tall else { panic!("it stays opaque") };
        assert_eq!((seen.dimensions(), seen.get_pixel(0, 0).0, seen.get_pixel(0, 199).0), ((100, 200), [1, 2, 3], [1, 2, 3]));
        assert_eq!(extend(picture.clone(), Ratio::new(1, 1), None, &Limits::default()), Ok(picture));
    }

    #[test]
    fn see_through_parts_stay_see_through_and_lend_no_colour() {
        let cut_out = Picture::Rgba(RgbaImage::from_fn(40, 40, |x, _| image::Rgba([200, 30, 30, if x < 20 { 0 } else { 255 }])));
        let Picture::Rgba(seen) = extend(cut_out, Ratio::new(2, 1), None, &Limits::default()).expect("it can be made") else { panic!("see-through") };
        assert_eq!((seen.get_pixel(0, 0).0[3], seen.get_pixel(25, 5).0[3], seen.get_pixel(79, 5).0), (0, 0, [200, 30, 30, 255]));
        let mask = Picture::Rgba(RgbaImage::from_pixel(40, 40, image::Rgba([0, 0, 0, 0])));
        let keep = extend(mask, Ratio::new(2, 1), Some(Color([255; 4])), &Limits::default()).expect("it can be made").into_rgba();
        assert_eq!((keep.get_pixel(0, 0).0, keep.get_pixel(40, 20).0[3]), ([255; 4], 0), "new area of a mask is kept, the rest as it was");
    }
}
