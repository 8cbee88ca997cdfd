//! PNG files, read so that nothing in them unfolds but pixels.
//!
//! In: bytes of anybody's. Out: what the head says, rows that were checked, or pixels.
//! Never: a text, a colour profile or a second frame unpacked: a few kilobytes of them can be gigabytes.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, Pixel};

use super::probe::{bad, png_is_whole};
use super::{ImagingError, Limits};
use crate::types::{ImageFormat, PixelSize};

/// Room for the decoder beside the file itself, 64 MiB: some rows, and chunks as they stand in the file.
const ROOM: usize = 64 << 20;

/// A PNG whose head was read and admitted.
pub(super) struct PngReader<'a> {
    rows: png::Reader<Cursor<&'a [u8]>>,
    /// As stored, not turned.
    pub(super) size: PixelSize,
    /// Whether any pixel may let something through.
    pub(super) alpha: bool,
    /// How it is to be turned.
    pub(super) orientation: Orientation,
}

impl<'a> PngReader<'a> {
    /// Reads up to the first pixels.
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, ImagingError> {
        let room = png::Limits { bytes: bytes.len().saturating_add(ROOM) };
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), room);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(png::Transformations::EXPAND);
        let head = decoder.read_header_info().map_err(bad(ImageFormat::Png))?;
        let size = PixelSize::new(head.width, head.height);
        limits.admit_file(size)?;
        let rows = decoder.read_info().map_err(bad(ImageFormat::Png))?;
        if rows.info().animation_control.is_some() {
            return Err(bad(ImageFormat::Png)("it is animated; campaigns have still pictures"));
        }
        let alpha = matches!(rows.output_color_type().0, png::ColorType::GrayscaleAlpha | png::ColorType::Rgba);
        let exif = rows.info().exif_metadata.as_deref();
        let orientation = exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
        Ok(Self { rows, size, alpha, orientation })
    }

    /// Inflates the picture row by row: every checksum is compared, no frame is kept.
    pub(super) fn read_rows(mut self) -> Result<(), ImagingError> {
        while self.rows.next_row().map_err(bad(ImageFormat::Png))?.is_some() {}
        self.rows.finish().map_err(bad(ImageFormat::Png))
    }

    /// Returns all pixels, not turned.
    pub(super) fn read_pixels(mut self) -> Result<DynamicImage, ImagingError> {
        let wrong = bad::<&str>(ImageFormat::Png);
        let Some(length) = self.rows.output_buffer_size() else { return Err(wrong("it has more pixels than this machine can count")) };
        let mut pixels = vec![0; length];
        let frame = self.rows.next_frame(&mut pixels).map_err(bad(ImageFormat::Png))?;
        self.rows.finish().map_err(bad(ImageFormat::Png))?;
        pixels.truncate(frame.buffer_size());
        let size = self.size;
        let made = match (frame.color_type, frame.bit_depth) {
            (png::ColorType::Grayscale, png::BitDepth::Eight) => filled(size, pixels).map(DynamicImage::ImageLuma8),
            (png::ColorType::GrayscaleAlpha, png::BitDepth::Eight) => filled(size, pixels).map(DynamicImage::ImageLumaA8),
            (png::ColorType::Rgb, png::BitDepth::Eight) => filled(size, pixels).map(DynamicImage::ImageRgb8),
            (png::ColorType::Rgba, png::BitDepth::Eight) => filled(size, pixels).map(DynamicImage::ImageRgba8),
            (png::ColorType::Grayscale, png::BitDepth::Sixteen) => filled(size, wide(&pixels)).map(DynamicImage::ImageLuma16),
            (png::ColorType::GrayscaleAlpha, png::BitDepth::Sixteen) => filled(size, wide(&pixels)).map(DynamicImage::ImageLumaA16),
            (png::ColorType::Rgb, png::BitDepth::Sixteen) => filled(size, wide(&pixels)).map(DynamicImage::ImageRgb16),
            (png::ColorType::Rgba, png::BitDepth::Sixteen) => filled(size, wide(&pixels)).map(DynamicImage::ImageRgba16),
            _ => None,
        };
        made.ok_or_else(|| wrong("its pixels are of no kind that can be shown"))
    }
}

/// Checks that nothing is cut off, and reads up to the first pixels.
pub(super) fn whole<'a>(bytes: &'a [u8], limits: &Limits) -> Result<PngReader<'a>, ImagingError> {
    let reader = PngReader::open(bytes, limits)?;
    png_is_whole(bytes)?;
    Ok(reader)
}

fn filled<P: Pixel>(size: PixelSize, pixels: Vec<P::Subpixel>) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    ImageBuffer::from_raw(size.width, size.height, pixels)
}

/// PNG has the higher byte first.
fn wide(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}
