//! Finds out what bytes are before anything trusts them: format, size, wholeness.
//!
//! In: bytes of anybody's. Out: [`ImageInfo`], or why not.
//! Never: a frame of pixels allocated before its size was checked; the word of a file name or a header from the network.

use std::io::{BufRead, Cursor, Seek};

use image::ImageDecoder;
use image::codecs::{jpeg::JpegDecoder, webp::WebPDecoder};
use image::metadata::Orientation;

use super::png_reader::{self, PngReader};
use super::small::{THUMBNAIL_SIDE, has_thumbnail, of_picture};
use super::{ImagingError, marks};
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
    /// How many times longer than the other a side of a file may be.
    pub ratio: u32,
}

impl Default for Limits {
    /// 96 MiB, sides of 16,384, 120 megapixels, 200 times as long as wide.
    ///
    /// The largest picture that a model card promises is an eightfold upscale of 1024x1536: 8192x12288, 101 megapixels. As PNG such a
    /// picture has seldom more than 90 MiB; decoded it takes 300 to 400 MB, which one job at a time can have.
    fn default() -> Self {
        Self { bytes: 96 << 20, side: 16_384, pixels: 120_000_000, ratio: 200 }
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

    /// Checks the size of a file: also its shape, which no picture of a campaign has by intention.
    pub(super) fn admit_file(&self, size: PixelSize) -> Result<(), ImagingError> {
        self.admit(size)?;
        let (long, short) = (size.width.max(size.height), size.width.min(size.height));
        if u64::from(long) > u64::from(short) * u64::from(self.ratio) {
            return Err(ImagingError::TooLong { size, ratio: self.ratio });
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
            let head = PngReader::open(bytes, limits)?;
            Ok(ImageInfo { format, size: upright(head.size, head.orientation), alpha: head.alpha })
        }
        ImageFormat::Jpeg => inform(JpegDecoder::new(Cursor::new(bytes)).map_err(bad(format))?, format, limits),
        ImageFormat::Webp => {
            if let Some(canvas) = webp_canvas(bytes) {
                limits.admit_file(canvas)?;
            }
            inform(WebPDecoder::new(Cursor::new(bytes)).map_err(bad(format))?, format, limits)
        }
    }
}

/// Returns the canvas that an extended WebP states: the decoder refuses a large one without saying how large it is.
fn webp_canvas(bytes: &[u8]) -> Option<PixelSize> {
    let field = bytes.get(12..30).filter(|field| field.starts_with(b"VP8X"))?;
    let side = |at: usize| u32::from_le_bytes([field[at], field[at + 1], field[at + 2], 0]) + 1;
    Some(PixelSize { width: side(12), height: side(15) })
}

fn inform(mut decoder: impl ImageDecoder, format: ImageFormat, limits: &Limits) -> Result<ImageInfo, ImagingError> {
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(ImagingError::BadPicture { format, reason: "it has no pixels".to_owned() });
    }
    limits.admit_file(PixelSize { width, height })?;
    let orientation = orientation(&mut decoder);
    Ok(ImageInfo { format, size: upright(PixelSize { width, height }, orientation), alpha: decoder.color_type().has_alpha() })
}

/// Returns how a picture wants to be turned. Some writers of WebP leave the EXIF block's name as a JPEG has it; viewers know, so do we.
pub(super) fn orientation(decoder: &mut impl ImageDecoder) -> Orientation {
    let exif = decoder.exif_metadata().ok().flatten();
    let known = exif.and_then(|exif| Orientation::from_exif_chunk(exif.strip_prefix(b"Exif\0\0").unwrap_or(&exif)));
    known.unwrap_or(Orientation::NoTransforms)
}

/// Returns the size that a picture has once it is turned.
pub(super) fn upright(size: PixelSize, orientation: Orientation) -> PixelSize {
    let turned = matches!(orientation, Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH);
    if turned { PixelSize { width: size.height, height: size.width } } else { size }
}

/// Decodes all of the picture once, as cheaply as its format allows, and keeps nothing of it.
///
/// # Errors
/// What [`probe`] says, and [`ImagingError::BadPicture`] if the file is cut off or damaged.
pub fn verify(bytes: &[u8], limits: &Limits) -> Result<ImageInfo, ImagingError> {
    look_through(bytes, limits, false).map(|(info, _)| info)
}

/// The same, and what is decoded on the way becomes a [`thumbnail`](super::thumbnail), if the picture is large enough to have one.
///
/// Not of a picture with a colour profile: to reckon its colours takes as long again, and can wait until somebody looks at it.
///
/// # Errors
/// As [`verify`]; a small copy that cannot be made is `None`.
pub fn verify_and_shrink(bytes: &[u8], limits: &Limits) -> Result<(ImageInfo, Option<Vec<u8>>), ImagingError> {
    look_through(bytes, limits, true)
}

fn look_through(bytes: &[u8], limits: &Limits, shrink: bool) -> Result<(ImageInfo, Option<Vec<u8>>), ImagingError> {
    let info = probe(bytes, limits)?;
    let shrink = shrink && has_thumbnail(info.size) && !marks::has_profile(bytes);
    let small = match info.format {
        ImageFormat::Png => {
            let reader = png_reader::whole(bytes, limits)?;
            let small = if shrink { reader.shrinker(THUMBNAIL_SIDE) } else { None };
            reader.read_through(small)?
        }
        ImageFormat::Jpeg | ImageFormat::Webp => {
            let picture = super::decode(bytes, limits)?;
            shrink.then(|| of_picture(&picture, THUMBNAIL_SIDE).ok()).flatten()
        }
    };
    Ok((info, small))
}

/// [`verify`] for a file of so many bytes that is not in memory: of a PNG only some rows ever are, the other formats are read as a whole.
///
/// # Errors
/// As [`verify`]; a file that cannot be read counts as one that is damaged.
pub fn verify_file<R: BufRead + Seek>(file: R, length: u64, limits: &Limits) -> Result<ImageInfo, ImagingError> {
    look_through_file(file, length, limits, false).map(|(info, _)| info)
}

/// [`verify_and_shrink`] for a file of so many bytes that is not in memory.
///
/// # Errors
/// As [`verify_file`].
pub fn verify_file_and_shrink<R: BufRead + Seek>(file: R, length: u64, limits: &Limits) -> Result<(ImageInfo, Option<Vec<u8>>), ImagingError> {
    look_through_file(file, length, limits, true)
}

fn look_through_file<R: BufRead + Seek>(
    mut file: R,
    length: u64,
    limits: &Limits,
    shrink: bool,
) -> Result<(ImageInfo, Option<Vec<u8>>), ImagingError> {
    if length > limits.bytes {
        return Err(ImagingError::TooManyBytes { bytes: length, limit: limits.bytes });
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let is_png = matches!(file.fill_buf(), Ok(head) if head.starts_with(&PNG));
    if is_png {
        return png_reader::verify(&mut file, length, limits, shrink);
    }
    let mut bytes = Vec::with_capacity(length);
    let read = file.read_to_end(&mut bytes).map_err(|error| ImagingError::UnknownFormat { found: format!("a file that cannot be read ({error})") });
    read.and_then(|_| look_through(&bytes, limits, shrink))
}

/// How every PNG begins.
pub const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

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
        [0x1f, 0x8b, ..] => "gzip-compressed bytes".to_owned(),
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

/// Walks the chunks of a PNG to its end chunk; decoders stop at the last row and miss what is cut off after it.
pub(super) fn png_is_whole(bytes: &[u8]) -> Result<(), ImagingError> {
    let cut = || ImagingError::BadPicture { format: ImageFormat::Png, reason: "it ends before its end chunk".to_owned() };
    let mut at = 8_usize;
    loop {
        let head = bytes.get(at..at.saturating_add(8)).ok_or_else(cut)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        // Length, name and checksum are 12 bytes around the payload.
        let end = at.checked_add(length).and_then(|end| end.checked_add(12)).filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
        if &head[4..] == b"IEND" {
            return Ok(());
        }
        at = end;
    }
}

/// Most passes of a progressive JPEG; encoders make about ten. Each walks over all pixels again, however few bytes it has.
const MOST_SCANS: usize = 100;

/// Walks the segments of a JPEG to its end mark. The decoder fills a missing rest with grey and says nothing; this does.
pub(super) fn jpeg_is_whole(bytes: &[u8]) -> Result<(), ImagingError> {
    let cut = || ImagingError::BadPicture { format: ImageFormat::Jpeg, reason: "it ends before its end mark".to_owned() };
    let mut scans = 0;
    for segment in JpegSegments::new(bytes) {
        match segment.marker {
            JpegSegments::END => return Ok(()),
            JpegSegments::SCAN => scans += 1,
            _ => {}
        }
        if scans > MOST_SCANS {
            let reason = format!("it has more than {MOST_SCANS} scans");
            return Err(ImagingError::BadPicture { format: ImageFormat::Jpeg, reason });
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
    /// Entropy-coded data follow.
    pub const SCAN: u8 = 0xda;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{Picture, decode, encode};

    /// A picture with an edge in every direction, so that a wrong byte shows.
    fn sample(alpha: bool) -> Picture {
        let pixels = image::RgbaImage::from_fn(61, 47, |x, y| {
            image::Rgba([(x * 4) as u8, (y * 5) as u8, (x * y % 251) as u8, if alpha { (x * 3) as u8 } else { 255 }])
        });
        if alpha { Picture::Rgba(pixels) } else { Picture::Rgb(image::DynamicImage::ImageRgba8(pixels).into_rgb8()) }
    }

    fn files() -> Vec<(ImageFormat, Vec<u8>)> {
        let formats = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp];
        formats.into_iter().map(|format| (format, encode(&sample(false), format, None, &[]).expect("it can be written"))).collect()
    }

    /// A PNG of the head alone, with a right checksum.
    fn png_head(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let encoder = png::Encoder::new(&mut bytes, width, height);
        drop(encoder.write_header());
        bytes.truncate(33);
        bytes.extend_from_slice(&[0, 0, 0, 1, b'I', b'D', b'A', b'T', 0x78, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn format_size_and_alpha_are_read_from_the_bytes() {
        for (format, bytes) in files() {
            let info = ImageInfo { format, size: PixelSize::new(61, 47), alpha: false };
            assert_eq!(probe(&bytes, &Limits::default()), Ok(info));
            assert_eq!(verify(&bytes, &Limits::default()), Ok(info));
        }
        for format in [ImageFormat::Png, ImageFormat::Webp] {
            let bytes = encode(&sample(true), format, None, &[]).expect("it can be written");
            assert!(verify(&bytes, &Limits::default()).expect("a whole picture").alpha);
        }
    }

    #[test]
    fn a_picture_cut_off_anywhere_is_refused() {
        for (format, bytes) in files() {
            for length in (0..bytes.len() - 1).step_by(97).chain([bytes.len() - 2]) {
                let cut = &bytes[..length];
                assert!(verify(cut, &Limits::default()).is_err(), "{format} cut to {length} of {}", bytes.len());
                assert!(decode(cut, &Limits::default()).is_err(), "{format} cut to {length} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn a_file_is_judged_as_its_bytes_are() {
        let judged = |bytes: &[u8]| {
            let of_file = verify_file(std::io::BufReader::with_capacity(64, Cursor::new(bytes)), bytes.len() as u64, &Limits::default());
            assert_eq!(of_file, verify(bytes, &Limits::default()), "{} bytes", bytes.len());
            of_file.is_ok()
        };
        for (_, bytes) in files() {
            assert!(judged(&bytes));
            for length in (0..bytes.len()).step_by(61) {
                judged(&bytes[..length]);
            }
            let mut flipped = bytes.clone();
            flipped[bytes.len() / 2] ^= 0x10;
            judged(&flipped);
        }
        assert!(!judged(&png_head(30_000, 30_000)));
        assert!(!judged(b"<html>"));
        let tight = Limits { bytes: 10, ..Limits::default() };
        let refused = verify_file(Cursor::new(&[0; 11]), 11, &tight);
        assert_eq!(refused, Err(ImagingError::TooManyBytes { bytes: 11, limit: 10 }));
    }

    #[test]
    fn a_flipped_bit_in_the_pixels_of_a_png_is_found() {
        let (_, mut bytes) = files().swap_remove(0);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        assert!(matches!(verify(&bytes, &Limits::default()), Err(ImagingError::BadPicture { format: ImageFormat::Png, .. })));
    }

    #[test]
    fn a_bomb_is_refused_by_its_head() {
        let bomb = png_head(30_000, 30_000);
        assert!(matches!(probe(&bomb, &Limits::default()), Err(ImagingError::TooLarge { size: PixelSize { width: 30_000, .. }, .. })));
        let long = png_head(16_385, 1);
        assert!(matches!(verify(&long, &Limits::default()), Err(ImagingError::TooLarge { .. })));
        let (_, small) = files().swap_remove(0);
        let tight = Limits { bytes: 10, ..Limits::default() };
        assert!(matches!(probe(&small, &tight), Err(ImagingError::TooManyBytes { limit: 10, .. })));
        let tight = Limits { pixels: 61 * 47 - 1, ..Limits::default() };
        assert!(matches!(decode(&small, &tight), Err(ImagingError::TooLarge { .. })));
    }

    #[test]
    fn what_is_no_picture_is_called_by_its_name() {
        let seen: Vec<String> = [
            &b"<!DOCTYPE html><html><body>502 Bad Gateway"[..],
            b"{\"error\":\"expired\"}",
            b"GIF89a\x01\0",
            b"",
            b"\x1b[31mred\x07\0\xff and more bytes",
            b"\0\0\0\x20ftypavif",
        ]
        .iter()
        .map(|bytes| probe(bytes, &Limits::default()).expect_err("no picture").to_string())
        .collect();
        insta::assert_snapshot!(seen.join("\n"), @r"
        not a PNG, JPEG or WebP picture but an HTML page
        not a PNG, JPEG or WebP picture but a JSON text
        not a PNG, JPEG or WebP picture but a GIF
        not a PNG, JPEG or WebP picture but an empty file
        not a PNG, JPEG or WebP picture but bytes that start with `\x1b[31mred\x07\x00\xff `
        not a PNG, JPEG or WebP picture but an AVIF
        ");
    }

    #[test]
    fn a_right_head_before_garbage_is_refused_without_a_panic() {
        for (format, bytes) in files() {
            for keep in [4, 8, 12, 20, 33, 60] {
                let mut garbage = bytes[..keep].to_vec();
                garbage.extend((0..400_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8));
                assert!(verify(&garbage, &Limits::default()).is_err(), "{format} after {keep}");
            }
        }
    }
}
