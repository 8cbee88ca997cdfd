//! Masks in the way of others: campaigns say by transparency what is to change, many providers want black and white.
//!
//! In: a mask with transparent parts. Out: a PNG whose pixels are pure black or pure white, of the same size.
//! Never: a grey pixel; a mask without a hole, which would be a paid request for nothing.

use image::{DynamicImage, ImageEncoder, Rgba};

use super::{ImagingError, Limits, decode, probe};
use crate::types::ImageFormat;

/// Below this alpha a pixel belongs to the hole.
const OPAQUE_FROM: u8 = 128;

/// Draws a mask in black and white: its transparent part is white if `hole_is_white`, else black.
///
/// # Errors
/// [`ImagingError`] for what is no whole picture, and for one without a transparent part.
pub fn black_and_white(mask: &[u8], hole_is_white: bool) -> Result<Vec<u8>, ImagingError> {
    let limits = Limits::default();
    let format = probe(mask, &limits)?.format;
    let drawn = decode(mask, &limits)?.into_rgba();
    let is_hole = |pixel: &Rgba<u8>| pixel.0[3] < OPAQUE_FROM;
    if !drawn.pixels().any(is_hole) {
        let reason = "as a mask it needs a transparent part, which says what is to change".to_owned();
        return Err(ImagingError::BadPicture { format, reason });
    }
    let (width, height) = drawn.dimensions();
    let pixels: Vec<u8> = drawn.pixels().map(|pixel| if is_hole(pixel) == hole_is_white { 255 } else { 0 }).collect();
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let written = encoder.write_image(&pixels, width, height, DynamicImage::new_luma8(0, 0).color().into());
    written.map_err(|error| ImagingError::Unwritable { format: ImageFormat::Png, reason: error.to_string() })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbaImage;

    fn png(picture: &RgbaImage) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a small picture can be encoded");
        bytes.into_inner()
    }

    #[test]
    fn a_transparent_part_becomes_white_or_black_and_nothing_is_grey() {
        let mask = png(&RgbaImage::from_fn(4, 1, |x, _| Rgba([9, 9, 9, [0, 127, 128, 255][x as usize]])));
        for (hole_is_white, wanted) in [(true, [255, 255, 0, 0]), (false, [0, 0, 255, 255])] {
            let redrawn = black_and_white(&mask, hole_is_white).expect("a mask with a hole");
            let read = image::load_from_memory(&redrawn).expect("a PNG");
            assert_eq!(read.color(), image::ColorType::L8);
            assert_eq!(read.into_luma8().into_raw(), wanted);
        }
    }

    #[test]
    fn a_mask_without_a_hole_is_refused() {
        let error = black_and_white(&png(&RgbaImage::from_pixel(4, 4, Rgba([0, 0, 0, 255]))), true).expect_err("nothing is to change");
        assert!(error.to_string().contains("transparent part"), "{error}");
        assert!(black_and_white(b"no picture", true).is_err());
    }
}
