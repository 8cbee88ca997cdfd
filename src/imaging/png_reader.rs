//! PNG files, read so that nothing in them unfolds but pixels.
//!
//! In: bytes of anybody's. Out: what the head says, rows that were checked, or pixels.
//! Never: a text, a colour profile or a second frame unpacked: a few kilobytes of them can be gigabytes.

use std::io::{BufRead, Cursor, Seek, SeekFrom};

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, Pixel};

use super::marks::PROFILE_OF_PNG;
use super::probe::{bad, png_is_whole, upright};
use super::small::{Shrinker, THUMBNAIL_SIDE, has_thumbnail};
use super::{ImagingError, Limits};
use crate::types::{ImageFormat, ImageInfo, PixelSize};

/// Room for the decoder beside the file itself, 64 MiB: some rows, and chunks as they stand in the file.
const ROOM: usize = 64 << 20;

/// A PNG whose head was read and admitted.
pub(super) struct PngReader<R: BufRead + Seek> {
    rows: png::Reader<R>,
    /// As stored, not turned.
    pub(super) size: PixelSize,
    /// Whether any pixel may let something through.
    pub(super) alpha: bool,
    /// How it is to be turned.
    pub(super) orientation: Orientation,
}

impl<'a> PngReader<Cursor<&'a [u8]>> {
    /// Reads up to the first pixels.
    pub(super) fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, ImagingError> {
        Self::over(Cursor::new(bytes), bytes.len(), limits)
    }
}

impl<R: BufRead + Seek> PngReader<R> {
    /// Reads up to the first pixels of a file of so many bytes, from its start.
    pub(super) fn over(file: R, length: usize, limits: &Limits) -> Result<Self, ImagingError> {
        let room = png::Limits { bytes: length.saturating_add(ROOM) };
        let mut decoder = png::Decoder::new_with_limits(file, room);
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

    /// Begins a small copy; `None` where rows come in another order, or with more than 8 bits a channel, or in grey.
    pub(super) fn shrinker(&self, max_side: u32) -> Option<Shrinker> {
        let plain = self.rows.output_color_type() == (if self.alpha { png::ColorType::Rgba } else { png::ColorType::Rgb }, png::BitDepth::Eight);
        (plain && !self.rows.info().interlaced).then(|| Shrinker::new(self.size, self.alpha, self.orientation, max_side))
    }

    /// Inflates the picture row by row: every checksum is compared, no frame is kept. Returns the small copy that was begun, if there is one.
    pub(super) fn read_through(mut self, mut small: Option<Shrinker>) -> Result<Option<Vec<u8>>, ImagingError> {
        while let Some(row) = self.rows.next_row().map_err(bad(ImageFormat::Png))? {
            if let Some(small) = &mut small {
                small.row(row.data());
            }
        }
        self.rows.finish().map_err(bad(ImageFormat::Png))?;
        Ok(small.and_then(|small| small.finish().ok()))
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
pub(super) fn whole<'a>(bytes: &'a [u8], limits: &Limits) -> Result<PngReader<Cursor<&'a [u8]>>, ImagingError> {
    let reader = PngReader::open(bytes, limits)?;
    png_is_whole(bytes)?;
    Ok(reader)
}

/// Reads all of a file as it stands on the disk and keeps some rows of it at a time.
///
/// With a small copy if one is wanted and the picture is large enough.
pub(super) fn verify<R: BufRead + Seek>(
    file: &mut R,
    length: usize,
    limits: &Limits,
    shrink: bool,
) -> Result<(ImageInfo, Option<Vec<u8>>), ImagingError> {
    let unreadable = bad(ImageFormat::Png);
    let head = PngReader::over(&mut *file, length, limits)?;
    let info = ImageInfo { format: ImageFormat::Png, size: upright(head.size, head.orientation), alpha: head.alpha };
    drop(head);
    let chunks = walk(file, length as u64).map_err(unreadable)?;
    if !chunks.end {
        return png_is_whole(&[]).map(|()| (info, None));
    }
    file.rewind().map_err(bad(ImageFormat::Png))?;
    let reader = PngReader::over(file, length, limits)?;
    let small = if shrink && has_thumbnail(info.size) && !chunks.profile { reader.shrinker(THUMBNAIL_SIDE) } else { None };
    Ok((info, reader.read_through(small)?))
}

/// What the chunks of a file say by their names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Chunks {
    /// Whether the end chunk is there.
    end: bool,
    /// Whether there is a colour profile.
    profile: bool,
}

/// Walks the chunks of a file to its end chunk, as [`png_is_whole`] does in memory.
fn walk<R: BufRead + Seek>(file: &mut R, length: u64) -> std::io::Result<Chunks> {
    let mut chunks = Chunks::default();
    let mut at = 8_u64;
    file.seek(SeekFrom::Start(at))?;
    loop {
        let mut head = [0; 8];
        match file.read_exact(&mut head) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(chunks),
            Err(error) => return Err(error),
        }
        let [a, b, c, d, name @ ..] = head;
        let payload = u32::from_be_bytes([a, b, c, d]);
        // Length, name and checksum are 12 bytes around the payload.
        at += u64::from(payload) + 12;
        if at > length {
            return Ok(chunks);
        }
        chunks.profile |= &name == PROFILE_OF_PNG;
        if &name == b"IEND" {
            chunks.end = true;
            return Ok(chunks);
        }
        // From where it is: what is buffered stays, and encoders make chunks of a few kilobytes.
        file.seek_relative(i64::from(payload) + 4)?;
    }
}

fn filled<P: Pixel>(size: PixelSize, pixels: Vec<P::Subpixel>) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    ImageBuffer::from_raw(size.width, size.height, pixels)
}

/// PNG has the higher byte first.
fn wide(bytes: &[u8]) -> Vec<u16> {
    bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;
    use crate::imaging::marks::samples::with_chunk;
    use crate::imaging::{Picture, encode};

    /// Counts what is read of it.
    struct Counted<'a>(Cursor<&'a [u8]>, u64);

    impl Read for Counted<'_> {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            let read = self.0.read(to)?;
            self.1 += read as u64;
            Ok(read)
        }
    }

    impl Seek for Counted<'_> {
        fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn png() -> Vec<u8> {
        encode(&Picture::Rgb(image::RgbImage::new(30, 20)), ImageFormat::Png, None, &[]).expect("it can be written")
    }

    #[test]
    fn a_file_in_small_pieces_is_walked_without_reading_any_of_it_twice() {
        let (head, rest) = (&png()[..33], &png()[33..]);
        let piece = &with_chunk(head, b"teXt", &[7; 200])[33..];
        let pieces = [head, &piece.repeat(2000), rest].concat();
        let mut file = BufReader::with_capacity(64 << 10, Counted(Cursor::new(&pieces), 0));
        let found = walk(&mut file, pieces.len() as u64).expect("it can be read");
        assert_eq!(found, Chunks { end: true, profile: false });
        assert!(file.get_ref().1 <= pieces.len() as u64, "{} bytes were read of {}", file.get_ref().1, pieces.len());
        for cut in [pieces.len() - 1, pieces.len() - 12, 20_000, 36, 8, 0] {
            let mut file = BufReader::new(Cursor::new(&pieces[..cut]));
            assert!(!walk(&mut file, cut as u64).expect("it can be read").end, "cut off after {cut}");
        }
    }

    #[test]
    fn a_profile_is_known_by_the_name_of_its_chunk() {
        let bytes = with_chunk(&png(), b"iCCP", b"anything");
        assert!(walk(&mut Cursor::new(&bytes), bytes.len() as u64).expect("it can be read").profile);
    }
}
