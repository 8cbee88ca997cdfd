//! Many pictures on one: contact sheets.
//!
//! In: bytes of pictures, captions. Out: bytes of one picture.
//! Never: a picture stretched out of its shape.

use std::sync::Arc;

use image::RgbImage;
use tiny_skia::{Color, Paint, Pixmap, Rect, Transform};

use super::{ImagingError, Limits, Picture, color, encode, text};
use crate::types::shape::{SheetGrid, resized};
use crate::types::{ImageFormat, ImageInfo, PixelSize};

/// Behind the cells.
const GROUND: [u8; 3] = [0xf3, 0xf1, 0xec];

/// Behind each picture, where it leaves room or is transparent.
const CARD: [u8; 3] = [0xff, 0xff, 0xff];

/// Arranges `cells` row by row, `columns` across, each fitted whole into `cell` pixels, captions below. Written as PNG.
///
/// A caption that is too long ends in an ellipsis; without any caption no room is left for them.
///
/// # Errors
/// [`ImagingError`] if a picture cannot be read or the sheet would be past [`Limits::default`].
pub fn sheet(cells: &[Vec<u8>], labels: &[Arc<str>], columns: u32, cell: PixelSize) -> Result<(Vec<u8>, ImageInfo), ImagingError> {
    let limits = Limits::default();
    let plan = SheetGrid::new(cells.len(), labels.iter().any(|label| !label.is_empty()), columns, cell);
    limits.admit(plan.size)?;
    let mut pixels = RgbImage::from_pixel(plan.size.width, plan.size.height, image::Rgb(GROUND));
    for (index, bytes) in cells.iter().enumerate() {
        let (left, top) = plan.corner(index);
        fill(&mut pixels, left, top, cell, CARD);
        let picture = color::in_srgb(bytes, &limits)?;
        let fitted = fitted(picture.size(), cell);
        let small = picture.resized(fitted).flattened(CARD);
        let (x, y) = (left + (cell.width - fitted.width) / 2, top + (cell.height - fitted.height) / 2);
        image::imageops::replace(&mut pixels, &small, i64::from(x), i64::from(y));
        if let Some(label) = labels.get(index) {
            caption(&mut pixels, &plan, label, left, top + cell.height);
        }
    }
    let picture = Picture::Rgb(pixels);
    let bytes = encode(&picture, ImageFormat::Png, None, &[])?;
    Ok((bytes, picture.info(ImageFormat::Png)))
}

/// Returns the largest size of the shape of `size` that fits into `room`.
pub(super) fn fitted(size: PixelSize, room: PixelSize) -> PixelSize {
    let by_width = resized(size, Some(room.width), None);
    let whole = if by_width.height <= room.height { by_width } else { resized(size, None, Some(room.height)) };
    PixelSize { width: whole.width.min(room.width), height: whole.height.min(room.height) }
}

fn fill(pixels: &mut RgbImage, left: u32, top: u32, size: PixelSize, color: [u8; 3]) {
    let stride = pixels.width() as usize * 3;
    let width = size.width as usize * 3;
    for row in pixels.as_mut().chunks_exact_mut(stride).skip(top as usize).take(size.height as usize) {
        for pixel in row[left as usize * 3..][..width].chunks_exact_mut(3) {
            pixel.copy_from_slice(&color);
        }
    }
}

fn caption(pixels: &mut RgbImage, plan: &SheetGrid, label: &str, left: u32, top: u32) {
    let size = plan.caption as f32 * 0.46;
    let line = text::fit(label, size, plan.cell.width as f32);
    let Some(mut canvas) = Pixmap::new(plan.cell.width, plan.caption.max(1)) else { return };
    let x = (plan.cell.width as f32 - text::width(&line, size)) / 2.0;
    let ground = Color::from_rgba8(GROUND[0], GROUND[1], GROUND[2], 255);
    let mut paint = Paint::default();
    paint.set_color(ground);
    if let Some(all) = Rect::from_xywh(0.0, 0.0, canvas.width() as f32, canvas.height() as f32) {
        canvas.fill_rect(all, &paint, Transform::identity(), None);
    }
    text::write(&mut canvas.as_mut(), &line, size, x.max(0.0), plan.caption as f32 * 0.72, Color::from_rgba8(0x33, 0x30, 0x2c, 255));
    let opaque: Vec<u8> = canvas.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    if let Some(strip) = RgbImage::from_raw(canvas.width(), canvas.height(), opaque) {
        image::imageops::replace(pixels, &strip, i64::from(left), i64::from(top));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::verify;

    fn png(width: u32, height: u32, alpha: u8) -> Vec<u8> {
        let picture = Picture::Rgba(image::RgbaImage::from_pixel(width, height, image::Rgba([200, 20, 20, alpha])));
        encode(&picture, ImageFormat::Png, None, &[]).expect("it can be written")
    }

    #[test]
    fn a_sheet_has_a_cell_for_every_picture_and_room_for_captions() {
        let cells = vec![png(40, 20, 255), png(20, 40, 255), png(300, 300, 255)];
        let cell = PixelSize::new(64, 64);
        let labels: Vec<Arc<str>> = vec!["oak".into(), "a caption that is far too long".into(), "linen".into()];
        let (bytes, info) = sheet(&cells, &labels, 2, cell).expect("it can be made");
        assert_eq!(verify(&bytes, &Limits::default()), Ok(info));
        assert_eq!(info.size, PixelSize::new(2 * 64 + 3 * 4, 2 * (64 + 14) + 3 * 4));
        let (_, bare) = sheet(&cells, &[], 9, cell).expect("it can be made");
        assert_eq!(bare.size, PixelSize::new(3 * 64 + 4 * 4, 64 + 2 * 4));
    }

    #[test]
    fn a_photo_with_a_profile_has_its_colours_on_the_sheet() {
        use crate::imaging::marks::samples;
        let photo = Picture::Rgb(RgbImage::from_pixel(40, 40, image::Rgb([200, 60, 60])));
        let photo = encode(&photo, ImageFormat::Jpeg, Some(95), &[]).expect("it can be written");
        let wide = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
        let (bytes, _) = sheet(&[samples::with_segments(&photo, &samples::icc(&wide))], &[], 1, PixelSize::new(64, 64)).expect("it can be made");
        let Ok(Picture::Rgb(seen)) = crate::imaging::decode(&bytes, &Limits::default()) else { panic!("a sheet is opaque") };
        let [red, green, _] = seen.get_pixel(36, 36).0;
        assert!(red.abs_diff(217) < 6 && green.abs_diff(41) < 8, "Display P3 (200, 60, 60) is sRGB (217, 41, 52): {red} {green}");
    }

    #[test]
    fn a_sheet_past_the_limits_is_refused_at_once() {
        let cells = vec![Vec::new(); 70_000];
        assert!(matches!(sheet(&cells, &[], 10, PixelSize::new(512, 512)), Err(ImagingError::TooLarge { .. })));
    }
}
