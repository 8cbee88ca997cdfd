//! Finds out what bytes are before anything trusts them: format, size, wholeness.
//!
//! In: bytes of anybody's. Out: [`ImageInfo`], or why not.
//! Never: a frame of pixels allocated before its size was checked; the word of a file name or a header from the network.

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::{jpeg::JpegDecoder, png::PngDecoder, webp::WebPDecoder};
use image::metadata::Orientation;

use super::ImagingError;
use crate::types::{ImageFormat, ImageInfo, PixelSize};

/// What a picture may have at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Length of the file in bytes.
    pub bytes: u64,
    /// Longest side in pixels.
    pub side: u32,
    /// Pixels in all.
    pub pixels: u64,
}

impl Default for Limits {
    /// 96 MiB, sides of 16,384, 120 megapixels.
    ///
    /// The largest picture that a model card promises is an eightfold upscale of 1024x1536: 8192x12288, 101 megapixels. As PNG such a
    /// picture has seldom more than 90 MiB; decoded it takes 300 to 400 MB, which one job at a time can have.
    fn default() -> Self {
        Self { bytes: 96 << 20, side: 16_384, pixels: 120_000_000 }
    }
}

impl Limits {
    /// Checks a size, of a file or of a picture yet to be made.
    ///
    /// # Errors
    /// [`ImagingError::TooLarge`] if a side or the area is past the limit.
    pub fn admit(&self, size: PixelSize) -> Result<(), ImagingError> {
        if size.width > self.side || size.height > self.side || size.pixels() > self.pixels {
            return Err(ImagingError::TooLarge { size, side: self.side, pixels: self.pixels });
        }
        Ok(())
    }

    /// Tells a decoder how much it may allocate: a frame of 16-bit RGBA and some rows.
    pub(super) fn allocation(&self) -> u64 {
        self.pixels.saturating_mul(8).saturating_add(64 << 20)
    }
}

/// Reads format and size from the head of the file; decodes no pixels.
///
/// The size is that of the upright picture: a photo that says "turn me" is measured turned.
///
/// # Errors
/// [`ImagingError`] if it is no picture that campaigns use, is past a limit, or has a damaged head.
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<ImageInfo, ImagingError> {
    if bytes.len() as u64 > limits.bytes {
        return Err(ImagingError::TooManyBytes { bytes: bytes.len() as u64, limit: limits.bytes });
    }
    let format = sniff(bytes)?;
    match format {
        ImageFormat::Png => {
            let mut room = image::Limits::no_limits();
            room.max_alloc = Some(limits.allocation());
            inform(PngDecoder::with_limits(Cursor::new(bytes), room).map_err(bad(format))?, format, limits)
        }
        ImageFormat::Jpeg => inform(JpegDecoder::new(Cursor::new(bytes)).map_err(bad(format))?, format, limits),
        ImageFormat::Webp => inform(WebPDecoder::new(Cursor::new(bytes)).map_err(bad(format))?, format, limits),
    }
}

fn inform(mut decoder: impl ImageDecoder, format: ImageFormat, limits: &Limits) -> Result<ImageInfo, ImagingError> {
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(ImagingError::BadPicture { format, reason: "it has no pixels".to_owned() });
    }
    limits.admit(PixelSize { width, height })?;
    let turned = matches!(
        decoder.orientation().unwrap_or(Orientation::NoTransforms),
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    let size = if turned { PixelSize { width: height, height: width } } else { PixelSize { width, height } };
    Ok(ImageInfo { format, size, alpha: decoder.color_type().has_alpha() })
}

/// Decodes all of the picture once, as cheaply as its format allows, and keeps nothing of it.
///
/// # Errors
/// What [`probe`] says, and [`ImagingError::BadPicture`] if the file is cut off or damaged.
pub fn verify(bytes: &[u8], limits: &Limits) -> Result<ImageInfo, ImagingError> {
    let info = probe(bytes, limits)?;
    match info.format {
        ImageFormat::Png => read_rows(bytes, limits)?,
        ImageFormat::Jpeg | ImageFormat::Webp => {
            super::decode(bytes, limits)?;
        }
    }
    Ok(info)
}

/// Inflates a PNG row by row: every checksum is compared, no frame is kept.
fn read_rows(bytes: &[u8], limits: &Limits) -> Result<(), ImagingError> {
    let room = usize::try_from(limits.allocation()).unwrap_or(usize::MAX);
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: room });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let mut rows = decoder.read_info().map_err(bad(ImageFormat::Png))?;
    while rows.next_row().map_err(bad(ImageFormat::Png))?.is_some() {}
    rows.finish().map_err(bad(ImageFormat::Png))
}

/// Tells the format by the first bytes.
///
/// # Errors
/// [`ImagingError::UnknownFormat`] says what they look like instead.
pub fn sniff(bytes: &[u8]) -> Result<ImageFormat, ImagingError> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(ImageFormat::Png),
        [0xff, 0xd8, 0xff, ..] => Ok(ImageFormat::Jpeg),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(ImageFormat::Webp),
        other => Err(ImagingError::UnknownFormat { found: resemblance(other) }),
    }
}

/// Says what bytes look like that are none of our formats. Shown to people, so nothing of it is raw.
fn resemblance(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(24)]);
    let start = text.trim_start().to_ascii_lowercase();
    match bytes {
        [] => "an empty file".to_owned(),
        [b'G', b'I', b'F', b'8', ..] => "a GIF".to_owned(),
        [b'B', b'M', ..] => "a BMP".to_owned(),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => "a TIFF".to_owned(),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => "an AVIF".to_owned(),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', ..] => "a HEIC".to_owned(),
        _ if start.starts_with("<!doctype html") || start.starts_with("<html") => "an HTML page".to_owned(),
        _ if start.starts_with("<svg") || start.starts_with("<?xml") => "an SVG or XML text".to_owned(),
        _ if start.starts_with('{') || start.starts_with('[') => "a JSON text".to_owned(),
        _ => format!("bytes that start with `{}`", bytes[..bytes.len().min(12)].escape_ascii()),
    }
}

/// Walks the segments of a JPEG to its end mark. The decoder fills a missing rest with grey and says nothing; this does.
pub(super) fn jpeg_is_whole(bytes: &[u8]) -> Result<(), ImagingError> {
    let cut = || ImagingError::BadPicture { format: ImageFormat::Jpeg, reason: "it ends before its end mark".to_owned() };
    for segment in JpegSegments::new(bytes) {
        if segment.marker == JpegSegments::END {
            return Ok(());
        }
    }
    Err(cut())
}

/// One marker of a JPEG with what belongs to it.
pub(super) struct JpegSegment<'a> {
    /// The byte after 0xFF.
    pub marker: u8,
    /// The payload, without its length field.
    pub payload: &'a [u8],
    /// Where the next marker is looked for.
    pub end: usize,
}

/// Goes from marker to marker; stops at the end mark, or where the file is cut off.
pub(super) struct JpegSegments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> JpegSegments<'a> {
    /// End of the image.
    pub const END: u8 = 0xd9;
    /// A comment.
    pub const COMMENT: u8 = 0xfe;

    /// Starts behind the start mark.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 2 }
    }
}

impl<'a> Iterator for JpegSegments<'a> {
    type Item = JpegSegment<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.bytes;
        // Entropy-coded data, stuffed zeros and restart marks lie between a scan and the next marker.
        let marker = loop {
            let offset = bytes.get(self.at..)?.iter().position(|byte| *byte == 0xff)?;
            self.at += offset + 1;
            match *bytes.get(self.at)? {
                0x00 | 0x01 | 0xd0..=0xd8 => {}
                0xff => continue,
                marker => break marker,
            }
        };
        self.at += 1;
        if marker == Self::END {
            return Some(JpegSegment { marker, payload: &[], end: self.at });
        }
        let length = usize::from(u16::from_be_bytes([*bytes.get(self.at)?, *bytes.get(self.at + 1)?]));
        let payload = bytes.get(self.at + 2..self.at + length)?;
        self.at += length;
        Some(JpegSegment { marker, payload, end: self.at })
    }
}

/// Wraps what a decoder said.
pub(super) fn bad<E: std::fmt::Display>(format: ImageFormat) -> impl FnOnce(E) -> ImagingError {
    move |error| ImagingError::BadPicture { format, reason: error.to_string() }
}
