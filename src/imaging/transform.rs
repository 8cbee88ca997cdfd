//! Local and free image work: crop, pad, resize, overlay, text, encode, in the author's order.
//!
//! In: bytes of the picture, bytes of the overlays, the steps. Out: bytes and what they are.
//! Never: a step that the author did not write, such as a second encoding in between.

use image::{RgbImage, RgbaImage};
use tiny_skia::Pixmap;

use super::picture::mix;
use super::small::{THUMBNAIL_SIDE, has_thumbnail, of_picture};
use super::{ImagingError, Limits, Picture, color, encode, prepare, probe, text};
use crate::types::operation::{Anchor, Color, TransformOp};
use crate::types::shape::{cropped, default_format, padded, resized};
use crate::types::{ImageInfo, PixelSize, Ratio};

/// Bytes, what they are, and a small copy of them where one came for little.
pub type Transformed = (Vec<u8>, ImageInfo, Option<Vec<u8>>);

/// Performs `ops` on `main`, first to last, and encodes once at the end.
///
/// # Errors
/// [`ImagingError`] if a picture cannot be read, the result would be past [`Limits::default`], an overlay is missing, or the format
/// cannot hold the result.
pub fn transform(main: &[u8], overlays: &[Vec<u8>], ops: &[TransformOp]) -> Result<(Vec<u8>, ImageInfo), ImagingError> {
    perform(main, overlays, ops).map(|(bytes, info, _)| (bytes, info))
}

/// The same with a [`thumbnail`](super::thumbnail) of the result, made from its pixels while they are at hand; `None` where they are not, or are few.
///
/// # Errors
/// As [`transform`].
pub fn transform_and_shrink(main: &[u8], overlays: &[Vec<u8>], ops: &[TransformOp]) -> Result<Transformed, ImagingError> {
    let (bytes, info, picture) = perform(main, overlays, ops)?;
    let large = picture.filter(|picture| has_thumbnail(picture.size()));
    Ok((bytes, info, large.and_then(|picture| of_picture(&picture, THUMBNAIL_SIDE).ok())))
}

fn perform(main: &[u8], overlays: &[Vec<u8>], ops: &[TransformOp]) -> Result<(Vec<u8>, ImageInfo, Option<Picture>), ImagingError> {
    let limits = Limits::default();
    let info = probe(main, &limits)?;
    if let [TransformOp::Within(within)] = ops
        && prepare::is_within(main, info, within)
    {
        return Ok((main.to_vec(), info, None));
    }
    let input = info.format;
    let mut picture = color::in_srgb(main, &limits)?;
    let mut quality = None;
    for op in ops {
        picture = match op {
            TransformOp::Crop { ratio, anchor } => crop(picture, *ratio, *anchor),
            TransformOp::Pad { ratio, color } => pad(picture, *ratio, *color, &limits)?,
            TransformOp::Extend { ratio, fill } => prepare::extend(picture, *ratio, *fill, &limits)?,
            TransformOp::Within(within) => return prepare::write_within(&picture, within).map(|(bytes, info)| (bytes, info, None)),
            TransformOp::Resize { width, height } => {
                let size = resized(picture.size(), *width, *height);
                limits.admit(size)?;
                picture.resized(size)
            }
            TransformOp::Overlay { input, anchor, width_permille, margin_permille, opacity } => {
                let missing = || ImagingError::NoSuchOverlay { number: input.saturating_add(1), given: overlays.len() };
                let bytes = overlays.get(*input as usize).ok_or_else(missing)?;
                let logo = color::in_srgb(bytes, &limits)?;
                let place = Place { anchor: *anchor, margin: permille(picture.size().width, *margin_permille) };
                overlay(picture, &logo, *width_permille, place, *opacity, &limits)?
            }
            TransformOp::Text { text, anchor, size_permille, margin_permille, color } => {
                let place = Place { anchor: *anchor, margin: permille(picture.size().width, *margin_permille) };
                let size = picture.size().height as f32 * *size_permille as f32 / 1000.0;
                write_text(picture, text, size, place, *color)
            }
            TransformOp::Encode { quality: asked, .. } => {
                quality = *asked;
                picture
            }
        };
    }
    let format = default_format(ops, input);
    let bytes = encode(&picture, format, quality, &[])?;
    Ok((bytes, picture.info(format), Some(picture)))
}

fn permille(length: u32, parts: u32) -> u32 {
    (u64::from(length) * u64::from(parts) / 1000).min(u64::from(length)) as u32
}

/// Where something sits in a picture.
#[derive(Debug, Clone, Copy)]
struct Place {
    anchor: Anchor,
    /// Pixels kept free at each edge.
    margin: u32,
}

impl Place {
    /// Returns the left and upper edge of `inner` in `outer`; negative where it does not fit.
    fn of(self, inner: PixelSize, outer: PixelSize) -> (i64, i64) {
        let (across, down) = self.anchor.permille();
        let edge = |outer: u32, inner: u32, part: u32| {
            let margin = i64::from(self.margin);
            margin + (i64::from(outer) - i64::from(inner) - 2 * margin) * i64::from(part) / 1000
        };
        (edge(outer.width, inner.width, across), edge(outer.height, inner.height, down))
    }
}

fn crop(picture: Picture, ratio: Ratio, anchor: Anchor) -> Picture {
    let size = cropped(picture.size(), ratio);
    let (left, top) = Place { anchor, margin: 0 }.of(size, picture.size());
    let (left, top) = (left.max(0) as u32, top.max(0) as u32);
    let old = picture.size();
    let whole = "a part has as many bytes as its size says";
    match picture {
        Picture::Rgb(pixels) => {
            let part = part(pixels.as_raw(), old, (left, top), size, 3);
            Picture::Rgb(RgbImage::from_raw(size.width, size.height, part).expect(whole))
        }
        Picture::Rgba(pixels) => {
            let part = part(pixels.as_raw(), old, (left, top), size, 4);
            Picture::Rgba(RgbaImage::from_raw(size.width, size.height, part).expect(whole))
        }
    }
}

/// Copies a part that lies inside of a picture, row by row.
fn part(pixels: &[u8], of: PixelSize, at: (u32, u32), size: PixelSize, channels: usize) -> Vec<u8> {
    let (row, from, length) = (of.width as usize * channels, at.0 as usize * channels, size.width as usize * channels);
    let mut part = Vec::with_capacity(length * size.height as usize);
    for line in pixels.chunks_exact(row).skip(at.1 as usize).take(size.height as usize) {
        part.extend_from_slice(&line[from..from + length]);
    }
    part
}

/// Lays the picture on a larger plain ground: transparent parts show it too, which is how a cut-out comes onto white.
fn pad(picture: Picture, ratio: Ratio, color: Color, limits: &Limits) -> Result<Picture, ImagingError> {
    let old = picture.size();
    let size = padded(old, ratio);
    limits.admit(size)?;
    let (left, top) = Place { anchor: Anchor::Center, margin: 0 }.of(old, size);
    let Color([red, green, blue, alpha]) = color;
    if alpha == 255 {
        let mut ground = RgbImage::from_pixel(size.width, size.height, image::Rgb([red, green, blue]));
        if let Picture::Rgb(pixels) = &picture {
            image::imageops::replace(&mut ground, pixels, left, top);
            return Ok(Picture::Rgb(ground));
        }
        let mut ground = Picture::Rgb(ground);
        lay(&mut ground, &picture.into_rgba(), (left, top), 100);
        return Ok(ground);
    }
    let mut ground = Picture::Rgba(RgbaImage::from_pixel(size.width, size.height, image::Rgba(color.0)));
    lay(&mut ground, &picture.into_rgba(), (left, top), 100);
    Ok(ground)
}

fn overlay(mut picture: Picture, logo: &Picture, width_permille: u32, place: Place, opacity: u32, limits: &Limits) -> Result<Picture, ImagingError> {
    let width = (u64::from(picture.size().width) * u64::from(width_permille) / 1000).clamp(1, u64::from(u32::MAX)) as u32;
    let size = resized(logo.size(), Some(width), None);
    limits.admit(size)?;
    let logo = logo.resized(size).into_rgba();
    let at = place.of(size, picture.size());
    lay(&mut picture, &logo, at, opacity.min(100));
    Ok(picture)
}

/// Lays `over` on the picture with its left upper corner at `at`; what hangs out is cut off. `opacity` of 100.
fn lay(picture: &mut Picture, over: &RgbaImage, at: (i64, i64), opacity: u32) {
    let PixelSize { width, height } = picture.size();
    let (over_width, over_height) = over.dimensions();
    let from_x = (-at.0).clamp(0, i64::from(over_width)) as usize;
    let to_x = (i64::from(width) - at.0).clamp(0, i64::from(over_width)) as usize;
    for row in 0..over_height {
        let y = at.1 + i64::from(row);
        if y < 0 || y >= i64::from(height) || from_x >= to_x {
            continue;
        }
        let start = (row as usize) * over_width as usize;
        let source = &over.as_raw()[(start + from_x) * 4..(start + to_x) * 4];
        let target = y as usize * width as usize + (at.0 + from_x as i64) as usize;
        match picture {
            Picture::Rgb(pixels) => lay_on_opaque(&mut pixels.as_mut()[target * 3..], source, opacity),
            Picture::Rgba(pixels) => lay_on_clear(&mut pixels.as_mut()[target * 4..], source, opacity),
        }
    }
}

fn lay_on_opaque(row: &mut [u8], source: &[u8], opacity: u32) {
    for (to, from) in row.chunks_exact_mut(3).zip(source.chunks_exact(4)) {
        let alpha = u32::from(from[3]) * opacity / 100;
        for channel in 0..3 {
            to[channel] = mix(to[channel], from[channel], alpha);
        }
    }
}

fn lay_on_clear(row: &mut [u8], source: &[u8], opacity: u32) {
    for (to, from) in row.chunks_exact_mut(4).zip(source.chunks_exact(4)) {
        let alpha = u32::from(from[3]) * opacity / 100;
        let below = u32::from(to[3]) * (255 - alpha) / 255;
        let whole = alpha + below;
        if whole == 0 {
            continue;
        }
        for channel in 0..3 {
            to[channel] = ((u32::from(from[channel]) * alpha + u32::from(to[channel]) * below) / whole) as u8;
        }
        to[3] = whole as u8;
    }
}

/// Writes `words`, wrapped within the margins, as a block at its place.
fn write_text(mut picture: Picture, words: &str, size: f32, place: Place, color: Color) -> Picture {
    let outer = picture.size();
    let room = (outer.width.saturating_sub(2 * place.margin)).max(1) as f32;
    let lines = text::wrap(words, size, room);
    let widest = lines.iter().map(|line| text::width(line, size)).fold(0.0, f32::max);
    // Letters lean over their box by a hair; a block taller than the picture is cut off at the picture.
    let block = PixelSize {
        width: (widest.ceil() as u32 + 2).clamp(1, outer.width),
        height: ((lines.len() as f32 * size * text::LINE_HEIGHT).ceil() as u32).clamp(1, outer.height),
    };
    let Some(mut canvas) = Pixmap::new(block.width, block.height) else { return picture };
    let Color([red, green, blue, alpha]) = color;
    for (row, line) in lines.iter().enumerate() {
        let free = block.width as f32 - 2.0 - text::width(line, size);
        let x = 1.0 + free.max(0.0) * place.anchor.permille().0 as f32 / 1000.0;
        let y = row as f32 * size * text::LINE_HEIGHT + size * 0.98;
        text::write(&mut canvas.as_mut(), line, size, x, y, tiny_skia::Color::from_rgba8(red, green, blue, alpha));
    }
    if let Some(block_pixels) = RgbaImage::from_raw(block.width, block.height, canvas.take_demultiplied()) {
        lay(&mut picture, &block_pixels, place.of(block, outer), 100);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::decode;
    use crate::types::ImageFormat;

    fn png(width: u32, height: u32, color: [u8; 4]) -> Vec<u8> {
        let picture = if color[3] == 255 {
            Picture::Rgb(RgbImage::from_pixel(width, height, image::Rgb([color[0], color[1], color[2]])))
        } else {
            Picture::Rgba(RgbaImage::from_pixel(width, height, image::Rgba(color)))
        };
        encode(&picture, ImageFormat::Png, None, &[]).expect("it can be written")
    }

    fn pixels(bytes: &[u8]) -> RgbaImage {
        decode(bytes, &Limits::default()).expect("whole").into_rgba()
    }

    const RED: [u8; 4] = [200, 20, 20, 255];
    const WHITE: Color = Color([255; 4]);

    #[test]
    fn sizes_are_exact_for_odd_ratios() {
        let square = PixelSize::new(1024, 1024);
        assert_eq!(cropped(square, Ratio::new(4, 5)), PixelSize::new(819, 1024));
        assert_eq!(cropped(square, Ratio::new(16, 9)), PixelSize::new(1024, 576));
        assert_eq!(cropped(PixelSize::new(1000, 333), Ratio::new(21, 9)), PixelSize::new(777, 333));
        assert_eq!(cropped(PixelSize::new(3, 1), Ratio::new(1, 10_000)), PixelSize::new(1, 1));
        assert_eq!(padded(PixelSize::new(1024, 819), Ratio::new(1, 1)), square);
        assert_eq!(padded(PixelSize::new(819, 1024), Ratio::new(4, 5)), PixelSize::new(819, 1024));
        assert_eq!(resized(PixelSize::new(819, 1024), Some(1080), None), PixelSize::new(1080, 1350));
        assert_eq!(resized(PixelSize::new(1920, 1080), None, Some(333)), PixelSize::new(592, 333));
        assert_eq!(resized(PixelSize::new(5000, 1), Some(10), None), PixelSize::new(10, 1));
    }

    #[test]
    fn a_delivery_has_the_size_and_format_asked_for() {
        let ops = [
            TransformOp::Crop { ratio: Ratio::new(4, 5), anchor: Anchor::Center },
            TransformOp::Resize { width: Some(108), height: None },
            TransformOp::Encode { format: ImageFormat::Jpeg, quality: Some(88) },
        ];
        let (bytes, info) = transform(&png(256, 256, RED), &[], &ops).expect("it can be made");
        assert_eq!(info, ImageInfo { format: ImageFormat::Jpeg, size: PixelSize::new(108, 135), alpha: false });
        assert_eq!(super::super::verify(&bytes, &Limits::default()), Ok(info));
    }

    #[test]
    fn a_crop_keeps_the_anchored_part() {
        let mut picture = RgbImage::from_pixel(30, 10, image::Rgb([0; 3]));
        picture.put_pixel(29, 0, image::Rgb([255; 3]));
        let bytes = encode(&Picture::Rgb(picture), ImageFormat::Png, None, &[]).expect("it can be written");
        let corner = |anchor| {
            let (bytes, _) = transform(&bytes, &[], &[TransformOp::Crop { ratio: Ratio::new(1, 1), anchor }]).expect("it can be made");
            pixels(&bytes).get_pixel(9, 0).0[0]
        };
        assert_eq!((corner(Anchor::Right), corner(Anchor::TopRight), corner(Anchor::Left), corner(Anchor::Center)), (255, 255, 0, 0));
    }

    #[test]
    fn a_pad_puts_a_cut_out_on_its_colour_so_that_it_can_be_a_jpeg() {
        let clear = png(10, 20, [200, 20, 20, 0]);
        let jpeg = TransformOp::Encode { format: ImageFormat::Jpeg, quality: None };
        assert_eq!(transform(&clear, &[], std::slice::from_ref(&jpeg)), Err(ImagingError::JpegTransparency));
        let (bytes, info) = transform(&clear, &[], &[TransformOp::Pad { ratio: Ratio::new(1, 1), color: WHITE }, jpeg]).expect("it can be made");
        assert_eq!(info.size, PixelSize::new(20, 20));
        assert!(pixels(&bytes).pixels().all(|pixel| pixel.0 == [255; 4]));
    }

    #[test]
    fn a_see_through_pad_keeps_the_picture_and_needs_a_format_that_holds_it() {
        let pad = [TransformOp::Pad { ratio: Ratio::new(1, 1), color: Color([0; 4]) }];
        let (bytes, info) = transform(&png(10, 20, RED), &[], &pad).expect("it can be made");
        let seen = pixels(&bytes);
        assert!(info.alpha);
        assert_eq!((seen.get_pixel(0, 0).0[3], seen.get_pixel(10, 10).0), (0, RED));
        assert_eq!(default_format(&pad, ImageFormat::Jpeg), ImageFormat::Png);
        assert_eq!(default_format(&[], ImageFormat::Jpeg), ImageFormat::Jpeg);
    }

    #[test]
    fn an_overlay_sits_at_its_anchor_with_its_margin_and_opacity() {
        let logo = png(5, 5, [0, 0, 255, 255]);
        let op = TransformOp::Overlay { input: 0, anchor: Anchor::BottomRight, width_permille: 100, margin_permille: 50, opacity: 50 };
        let (bytes, _) = transform(&png(100, 100, [255, 255, 255, 255]), &[logo], &[op]).expect("it can be made");
        let seen = pixels(&bytes);
        assert_eq!(seen.get_pixel(90, 90).0, [128, 128, 255, 255]);
        for (x, y) in [(84, 90), (95, 90), (90, 84), (90, 95)] {
            assert_eq!(seen.get_pixel(x, y).0, [255; 4], "{x},{y}");
        }
    }

    #[test]
    fn an_overlay_that_hangs_out_is_cut_and_a_missing_one_is_named() {
        let op = |input| TransformOp::Overlay { input, anchor: Anchor::Center, width_permille: 3000, margin_permille: 0, opacity: 100 };
        let (bytes, info) = transform(&png(20, 10, RED), &[png(4, 4, [0, 255, 0, 255])], &[op(0)]).expect("it can be made");
        assert_eq!(info.size, PixelSize::new(20, 10));
        assert!(pixels(&bytes).pixels().all(|pixel| pixel.0 == [0, 255, 0, 255]));
        assert_eq!(transform(&png(20, 10, RED), &[], &[op(1)]), Err(ImagingError::NoSuchOverlay { number: 2, given: 0 }));
    }

    #[test]
    fn text_is_written_inside_the_picture_and_nowhere_else() {
        let op = TransformOp::Text {
            text: "New in 茶 — a long line that must wrap".into(),
            anchor: Anchor::Bottom,
            size_permille: 60,
            margin_permille: 40,
            color: Color([0, 0, 0, 255]),
        };
        let (bytes, info) = transform(&png(200, 200, [255; 4]), &[], &[op]).expect("it can be made");
        let seen = pixels(&bytes);
        assert_eq!(info.size, PixelSize::new(200, 200));
        assert!(seen.enumerate_pixels().any(|(_, y, pixel)| y > 150 && pixel.0[0] < 60));
        assert!(seen.enumerate_pixels().all(|(x, y, pixel)| (y > 100 && y < 193 && (7..193).contains(&x)) || pixel.0 == [255; 4]));
    }

    #[test]
    fn a_result_past_the_limits_is_refused_before_it_is_made() {
        let ops = [TransformOp::Resize { width: Some(1_000_000_000), height: None }];
        assert!(matches!(transform(&png(20, 10, RED), &[], &ops), Err(ImagingError::TooLarge { .. })));
        let ops = [TransformOp::Pad { ratio: Ratio::new(10_000, 1), color: WHITE }];
        assert!(matches!(transform(&png(20, 10, RED), &[], &ops), Err(ImagingError::TooLarge { .. })));
    }
}
