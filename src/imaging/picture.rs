//! Decoded pictures: read from bytes, written to bytes.
//!
//! In: bytes, or pixels. Out: pixels, or bytes.
//! Never: a picture past the limits, a damaged one taken for whole, a transparent one made opaque in silence.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, Resizer};
use image::codecs::{jpeg::JpegDecoder, webp::WebPDecoder, webp::WebPEncoder};
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, RgbImage, RgbaImage};

use super::probe::{JpegSegments, bad, jpeg_is_whole, orientation, sniff};
use super::{ImagingError, Limits, png_reader};
use crate::types::{ImageFormat, ImageInfo, PixelSize};

/// Quality of a JPEG when the author names none: hardly to be told from the original, a tenth of its PNG.
pub const DEFAULT_JPEG_QUALITY: u8 = 90;

/// Quality of a JPEG from which on its colours have as many pixels as its brightness.
const FULL_CHROMA: u8 = 90;

/// Pixels of 8 bits a channel; without an alpha channel where none is needed, because a quarter less is a quarter faster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture {
    /// Opaque.
    Rgb(RgbImage),
    /// With an alpha channel, not premultiplied.
    Rgba(RgbaImage),
}

impl Picture {
    /// Returns width and height.
    pub fn size(&self) -> PixelSize {
        let (width, height) = match self {
            Self::Rgb(pixels) => pixels.dimensions(),
            Self::Rgba(pixels) => pixels.dimensions(),
        };
        PixelSize { width, height }
    }

    /// Returns whether any pixel lets something through.
    pub fn is_transparent(&self) -> bool {
        match self {
            Self::Rgb(_) => false,
            Self::Rgba(pixels) => pixels.as_raw().chunks_exact(4).any(|pixel| pixel[3] != 255),
        }
    }

    /// Returns what a file of this picture would be probed as.
    pub fn info(&self, format: ImageFormat) -> ImageInfo {
        ImageInfo { format, size: self.size(), alpha: format.has_alpha() && matches!(self, Self::Rgba(_)) }
    }

    /// Returns the pixels with an alpha channel.
    pub fn into_rgba(self) -> RgbaImage {
        match self {
            Self::Rgb(pixels) => DynamicImage::ImageRgb8(pixels).into_rgba8(),
            Self::Rgba(pixels) => pixels,
        }
    }

    /// Returns the pixels laid over a plain colour.
    pub fn flattened(self, ground: [u8; 3]) -> RgbImage {
        match self {
            Self::Rgb(pixels) => pixels,
            Self::Rgba(pixels) => {
                let (width, height) = pixels.dimensions();
                let mut flat = RgbImage::new(width, height);
                for (to, from) in flat.as_mut().chunks_exact_mut(3).zip(pixels.as_raw().chunks_exact(4)) {
                    let alpha = u32::from(from[3]);
                    for channel in 0..3 {
                        to[channel] = mix(ground[channel], from[channel], alpha);
                    }
                }
                flat
            }
        }
    }

    /// Returns the picture scaled to exactly `size`, by Lanczos; transparent pixels lend no colour to their neighbours.
    pub fn resized(&self, size: PixelSize) -> Self {
        if self.size() == size {
            return self.clone();
        }
        match self {
            Self::Rgb(pixels) => {
                let bytes = scale(pixels.as_raw(), self.size(), size, PixelType::U8x3);
                Self::Rgb(RgbImage::from_raw(size.width, size.height, bytes).expect("the resizer fills the size it was given"))
            }
            Self::Rgba(pixels) => {
                let bytes = scale(pixels.as_raw(), self.size(), size, PixelType::U8x4);
                Self::Rgba(RgbaImage::from_raw(size.width, size.height, bytes).expect("the resizer fills the size it was given"))
            }
        }
    }
}

/// Lays `over` on `under` with `alpha` of 255.
pub(super) fn mix(under: u8, over: u8, alpha: u32) -> u8 {
    ((u32::from(over) * alpha + u32::from(under) * (255 - alpha) + 127) / 255) as u8
}

fn scale(pixels: &[u8], from: PixelSize, to: PixelSize, kind: PixelType) -> Vec<u8> {
    let source = ImageRef::new(from.width, from.height, pixels, kind).expect("a picture has as many bytes as its size says");
    let mut target = Image::new(to.width, to.height, kind);
    Resizer::new().resize(&source, &mut target, None).expect("both pictures have the same kind of pixels");
    target.into_vec()
}

/// Pixels from which on a picture is decoded while no other such picture is, 32 megapixels: about 100 MB.
const LARGE: u64 = 32_000_000;

/// Held while a large picture is decoded.
static DECODING: Mutex<()> = Mutex::new(());

/// Decodes all of a picture and turns it upright.
///
/// # Errors
/// [`ImagingError`] if it is no picture, is past a limit, or is cut off or damaged.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImagingError> {
    let info = super::probe(bytes, limits)?;
    let source = Cursor::new(bytes);
    let _alone = (info.size.pixels() > LARGE).then(|| DECODING.lock().unwrap_or_else(PoisonError::into_inner));
    let (mut pixels, orientation) = match info.format {
        ImageFormat::Png => {
            let reader = png_reader::whole(bytes, limits)?;
            let orientation = reader.orientation;
            (reader.read_pixels()?, orientation)
        }
        ImageFormat::Jpeg => {
            jpeg_is_whole(bytes)?;
            decoded(JpegDecoder::new(source), info.format, limits)?
        }
        ImageFormat::Webp => {
            webp_is_whole(bytes)?;
            let decoder = WebPDecoder::new(source).map_err(bad(info.format))?;
            if decoder.has_animation() {
                return Err(bad(info.format)("it is animated; campaigns have still pictures"));
            }
            decoded(Ok(decoder), info.format, limits)?
        }
    };
    pixels.apply_orientation(orientation);
    Ok(if info.alpha { Picture::Rgba(pixels.into_rgba8()) } else { Picture::Rgb(pixels.into_rgb8()) })
}

fn decoded<D: ImageDecoder>(
    decoder: image::ImageResult<D>,
    format: ImageFormat,
    limits: &Limits,
) -> Result<(DynamicImage, Orientation), ImagingError> {
    let mut decoder = decoder.map_err(bad(format))?;
    let mut room = image::Limits::no_limits();
    room.max_alloc = Some(limits.allocation());
    decoder.set_limits(room).map_err(bad(format))?;
    let orientation = orientation(&mut decoder);
    let pixels = DynamicImage::from_decoder(decoder).map_err(bad(format))?;
    Ok((pixels, orientation))
}

/// Compares the length that a WebP states with the one it has.
fn webp_is_whole(bytes: &[u8]) -> Result<(), ImagingError> {
    let stated = bytes.get(4..8).and_then(|field| field.try_into().ok()).map_or(0, u32::from_le_bytes);
    if u64::from(stated) + 8 > bytes.len() as u64 {
        let reason = format!("it has {} bytes of {}", bytes.len(), u64::from(stated) + 8);
        return Err(ImagingError::BadPicture { format: ImageFormat::Webp, reason });
    }
    Ok(())
}

/// Writes a picture; `text` goes into the file's metadata, name by name.
///
/// PNG is written fast, JPEG at `quality` (1 to 100, otherwise [`DEFAULT_JPEG_QUALITY`]), WebP at `quality` or, without one, without loss.
///
/// # Errors
/// [`ImagingError::JpegTransparency`] if a JPEG would lose transparent parts, [`ImagingError::Unwritable`] if the format cannot hold it.
pub fn encode(picture: &Picture, format: ImageFormat, quality: Option<u8>, text: &[(&str, &str)]) -> Result<Vec<u8>, ImagingError> {
    match format {
        ImageFormat::Png => encode_png(picture, text).map_err(unwritable(format)),
        ImageFormat::Jpeg => encode_jpeg(picture, quality.unwrap_or(DEFAULT_JPEG_QUALITY), text),
        ImageFormat::Webp => match quality {
            Some(quality) => encode_lossy_webp(picture, quality, text),
            None => encode_webp(picture, text).map_err(unwritable(format)),
        },
    }
}

fn unwritable<E: std::fmt::Display>(format: ImageFormat) -> impl FnOnce(E) -> ImagingError {
    move |error| ImagingError::Unwritable { format, reason: error.to_string() }
}

fn encode_png(picture: &Picture, text: &[(&str, &str)]) -> Result<Vec<u8>, png::EncodingError> {
    let PixelSize { width, height } = picture.size();
    let (color, pixels) = match picture {
        Picture::Rgb(pixels) => (png::ColorType::Rgb, pixels.as_raw()),
        Picture::Rgba(pixels) => (png::ColorType::Rgba, pixels.as_raw()),
    };
    let mut bytes = Vec::with_capacity(pixels.len() / 4 + 512);
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(png::BitDepth::Eight);
    // The default level takes seventy times as long for a file that is a twentieth smaller.
    encoder.set_compression(png::Compression::Fast);
    for (name, value) in text {
        if value.is_ascii() {
            encoder.add_text_chunk((*name).to_owned(), (*value).to_owned())?;
        } else {
            encoder.add_itxt_chunk((*name).to_owned(), (*value).to_owned())?;
        }
    }
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

fn encode_jpeg(picture: &Picture, quality: u8, text: &[(&str, &str)]) -> Result<Vec<u8>, ImagingError> {
    if picture.is_transparent() {
        return Err(ImagingError::JpegTransparency);
    }
    let flat;
    let pixels = match picture {
        Picture::Rgb(pixels) => pixels,
        Picture::Rgba(_) => {
            flat = picture.clone().flattened([255; 3]);
            &flat
        }
    };
    let PixelSize { width, height } = picture.size();
    let unwritable = unwritable::<String>(ImageFormat::Jpeg);
    let (Ok(across), Ok(down)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(unwritable(format!("{width}x{height} has more pixels on a side than a JPEG can have")));
    };
    let mut bytes = Vec::with_capacity(pixels.len() / 8 + 1024);
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality.clamp(1, 100));
    // Fine colour edges, of text and of logos, are kept where the author asks for high quality.
    let halves = quality < FULL_CHROMA;
    encoder.set_sampling_factor(if halves { jpeg_encoder::SamplingFactor::F_2_2 } else { jpeg_encoder::SamplingFactor::F_1_1 });
    encoder.encode(pixels, across, down, jpeg_encoder::ColorType::Rgb).map_err(|error| unwritable(error.to_string()))?;
    if !text.is_empty() {
        // JFIF wants its own segment first, so the comments follow it.
        let at = JpegSegments::new(&bytes).next().map_or(2, |first| first.end);
        let comments: Vec<u8> = text.iter().flat_map(|(name, value)| jpeg_comment(name, value)).collect();
        bytes.splice(at..at, comments);
    }
    Ok(bytes)
}

fn jpeg_comment(name: &str, value: &str) -> Vec<u8> {
    let mut payload = format!("{name}: {value}").into_bytes();
    payload.truncate(usize::from(u16::MAX) - 2);
    let length = (payload.len() + 2) as u16;
    let mut segment = vec![0xff, JpegSegments::COMMENT];
    segment.extend_from_slice(&length.to_be_bytes());
    segment.append(&mut payload);
    segment
}

fn encode_webp(picture: &Picture, text: &[(&str, &str)]) -> image::ImageResult<Vec<u8>> {
    let PixelSize { width, height } = picture.size();
    let mut bytes = Vec::new();
    let mut encoder = WebPEncoder::new_lossless(&mut bytes);
    if !text.is_empty() {
        let lines: Vec<String> = text.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        encoder.set_exif_metadata(exif_description(&lines.join("\n"))).map_err(image::ImageError::Unsupported)?;
    }
    match picture {
        Picture::Rgb(pixels) => encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8)?,
        Picture::Rgba(pixels) => encoder.write_image(pixels, width, height, ExtendedColorType::Rgba8)?,
    }
    Ok(bytes)
}

/// Writes a WebP as libwebp does, at its usual effort; see-through parts are kept as they are.
fn encode_lossy_webp(picture: &Picture, quality: u8, text: &[(&str, &str)]) -> Result<Vec<u8>, ImagingError> {
    let PixelSize { width, height } = picture.size();
    let encoder = match picture {
        Picture::Rgb(pixels) => webp::Encoder::from_rgb(pixels, width, height),
        Picture::Rgba(pixels) => webp::Encoder::from_rgba(pixels, width, height),
    };
    let quality = f32::from(quality.clamp(1, 100));
    let written = encoder.encode_simple(false, quality).map_err(|error| unwritable(ImageFormat::Webp)(format!("{error:?}")))?;
    if text.is_empty() {
        return Ok(written.to_vec());
    }
    let lines: Vec<String> = text.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    super::provenance::with_webp_chunk(&written, *b"EXIF", &exif_description(&lines.join("\n")))
}

/// Builds an EXIF block of one entry: the image description.
fn exif_description(text: &str) -> Vec<u8> {
    const DESCRIPTION: u16 = 0x010e;
    const ASCII: u16 = 2;
    let mut block = b"II\x2a\0\x08\0\0\0\x01\0".to_vec();
    block.extend_from_slice(&DESCRIPTION.to_le_bytes());
    block.extend_from_slice(&ASCII.to_le_bytes());
    block.extend_from_slice(&(text.len() as u32 + 1).to_le_bytes());
    // The text lies behind the 10 bytes of head, this entry of 12 and the 4 of "no further directory".
    block.extend_from_slice(&26_u32.to_le_bytes());
    block.extend_from_slice(&[0; 4]);
    block.extend_from_slice(text.as_bytes());
    block.push(0);
    block
}

/// Returns the metadata texts that [`encode`] wrote into a PNG or JPEG, in order; other texts of the file are among them.
pub fn texts(bytes: &[u8]) -> Vec<(String, String)> {
    match sniff(bytes) {
        Ok(ImageFormat::Png) => png_texts(bytes),
        Ok(ImageFormat::Jpeg) => {
            let comments = JpegSegments::new(bytes).filter(|segment| segment.marker == JpegSegments::COMMENT);
            let split = |payload: &[u8]| String::from_utf8_lossy(payload).split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
            comments.filter_map(|segment| split(segment.payload)).collect()
        }
        _ => Vec::new(),
    }
}

fn png_texts(bytes: &[u8]) -> Vec<(String, String)> {
    let decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: 1 << 20 });
    let Ok(reader) = decoder.read_info() else { return Vec::new() };
    let info = reader.info();
    let plain = info.uncompressed_latin1_text.iter().map(|chunk| (chunk.keyword.clone(), chunk.text.clone()));
    let wide = info.utf8_text.iter().filter_map(|chunk| Some((chunk.keyword.clone(), chunk.get_text().ok()?)));
    plain.chain(wide).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut_out() -> Picture {
        Picture::Rgba(RgbaImage::from_fn(8, 8, |x, _| image::Rgba([200, 30, 30, if x < 4 { 0 } else { 255 }])))
    }

    #[test]
    fn a_jpeg_refuses_transparency_and_takes_an_opaque_picture_with_an_alpha_channel() {
        assert_eq!(encode(&cut_out(), ImageFormat::Jpeg, None, &[]), Err(ImagingError::JpegTransparency));
        let opaque = Picture::Rgba(RgbaImage::from_pixel(8, 8, image::Rgba([1, 2, 3, 255])));
        assert!(encode(&opaque, ImageFormat::Jpeg, None, &[]).is_ok());
    }

    #[test]
    fn lossless_formats_give_the_pixels_back() {
        for format in [ImageFormat::Png, ImageFormat::Webp] {
            let bytes = encode(&cut_out(), format, None, &[]).expect("it can be written");
            assert_eq!(decode(&bytes, &Limits::default()), Ok(cut_out()));
        }
    }

    #[test]
    fn a_webp_with_a_quality_is_a_fraction_of_one_without_and_looks_the_same() {
        let photo = |alpha: u8| image::RgbaImage::from_fn(160, 120, |x, y| image::Rgba([(x + y / 3) as u8, (y * 2) as u8, (x / 2) as u8, alpha]));
        for picture in [Picture::Rgba(photo(255)), Picture::Rgba(photo(120)), Picture::Rgb(DynamicImage::ImageRgba8(photo(255)).into_rgb8())] {
            let sizes = [Some(30), Some(85), None].map(|quality| {
                let bytes = encode(&picture, ImageFormat::Webp, quality, &[("callsheet", "rehearsal")]).expect("it can be written");
                assert!(bytes.windows(9).any(|window| window == b"rehearsal"));
                let seen = decode(&bytes, &Limits::default()).expect("whole").into_rgba();
                let far = seen.pixels().zip(picture.clone().into_rgba().pixels()).map(|(seen, drawn)| seen.0[1].abs_diff(drawn.0[1])).max();
                assert!(far.unwrap_or(0) < 40, "{quality:?}: {far:?}");
                bytes.len()
            });
            assert!(sizes[0] < sizes[1], "{sizes:?}");
        }
    }

    #[test]
    fn metadata_is_found_again_and_the_picture_stays_whole() {
        let text = [("callsheet", "rehearsal"), ("prompt", "a teapot · für Tee 茶")];
        let picture = Picture::Rgb(RgbImage::from_pixel(9, 7, image::Rgb([9, 90, 200])));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp] {
            let bytes = encode(&picture, format, None, &text).expect("it can be written");
            assert_eq!(decode(&bytes, &Limits::default()).map(|picture| picture.size()), Ok(picture.size()), "{format}");
            assert!(bytes.windows(9).any(|window| window == b"rehearsal"), "{format}");
            if format != ImageFormat::Webp {
                let found = texts(&bytes);
                assert_eq!(found, text.map(|(name, value)| (name.to_owned(), value.to_owned())), "{format}");
            }
        }
    }

    #[test]
    fn a_photo_that_says_turn_me_is_upright_in_probe_and_decode() {
        let picture = Picture::Rgb(RgbImage::from_pixel(20, 10, image::Rgb([9, 90, 200])));
        let mut bytes = encode(&picture, ImageFormat::Jpeg, None, &[]).expect("it can be written");
        let mut exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x01\0".to_vec();
        exif.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0]);
        let mut segment = vec![0xff, 0xe1, 0, exif.len() as u8 + 2];
        segment.append(&mut exif);
        bytes.splice(2..2, segment);
        assert_eq!(super::super::probe(&bytes, &Limits::default()).map(|info| info.size), Ok(PixelSize::new(10, 20)));
        assert_eq!(decode(&bytes, &Limits::default()).map(|picture| picture.size()), Ok(PixelSize::new(10, 20)));
    }

    #[test]
    fn a_webp_that_says_turn_me_is_turned_however_its_exif_block_begins() {
        use crate::imaging::marks::{marks, samples};
        let picture = Picture::Rgb(RgbImage::from_pixel(20, 10, image::Rgb([9, 90, 200])));
        let plain = encode(&picture, ImageFormat::Webp, Some(90), &[]).expect("it can be written");
        for exif in [&samples::exif(6)[..], &samples::exif(6)[6..]] {
            let bytes = samples::extended(&plain, picture.size(), b"EXIF", exif);
            assert!(marks(&bytes).turned);
            assert_eq!(super::super::probe(&bytes, &Limits::default()).map(|info| info.size), Ok(PixelSize::new(10, 20)));
            assert_eq!(decode(&bytes, &Limits::default()).map(|picture| picture.size()), Ok(PixelSize::new(10, 20)));
        }
    }

    #[test]
    fn colours_for_printers_are_shown_as_viewers_show_them() {
        use jpeg_encoder::ColorType::{Cmyk, CmykAsYcck};
        // Yellow and magenta ink, half as much black: a dark red.
        let inks = [0, 255, 255, 128].repeat(24 * 16);
        for kind in [Cmyk, CmykAsYcck] {
            let mut bytes = Vec::new();
            jpeg_encoder::Encoder::new(&mut bytes, 95).encode(&inks, 24, 16, kind).expect("it can be written");
            let Ok(Picture::Rgb(seen)) = decode(&bytes, &Limits::default()) else { panic!("it can be read, and is opaque") };
            let [red, green, blue] = seen.get_pixel(12, 8).0;
            assert!(red.abs_diff(127) < 4 && green < 4 && blue < 4, "{:?}", [red, green, blue]);
        }
    }
}
