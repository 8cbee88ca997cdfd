//! What a picture file carries besides its pixels: how it is to be turned, what its colours mean, signed word of where it comes from.
//!
//! In: bytes of anybody's. Out: [`Marks`], a colour profile. Never: pixels; trust in what a manifest says, only that there is one.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;

use image::metadata::Orientation;

use super::color;
use super::probe::{JpegSegments, sniff};
use crate::types::{ImageFormat, Marks, Profile};

/// Largest colour profile that is read, 4 MiB: those of printers have two.
const MOST_PROFILE: usize = 4 << 20;

/// Application data of a JPEG: EXIF.
const APP1: u8 = 0xe1;
/// Application data of a JPEG: colour profiles.
const APP2: u8 = 0xe2;
/// Application data of a JPEG: JUMBF boxes, C2PA among them.
const APP11: u8 = 0xeb;

/// Begin of a colour profile's part in a JPEG; its number and their count follow.
const ICC: &[u8] = b"ICC_PROFILE\0";

/// Name of the chunk of a PNG that holds its colour profile.
pub(super) const PROFILE_OF_PNG: &[u8; 4] = b"iCCP";

/// Returns what a picture file carries; nothing for what cannot be read.
pub fn marks(bytes: &[u8]) -> Marks {
    let Ok(format) = sniff(bytes) else { return Marks::default() };
    let (turned, c2pa) = match format {
        ImageFormat::Jpeg => {
            let head = jpeg_head(bytes);
            let turned = head.iter().find(|(marker, payload)| *marker == APP1 && payload.starts_with(b"Exif\0\0"));
            (turned.is_some_and(|(_, payload)| is_turned(&payload[6..])), head.iter().any(|(marker, payload)| *marker == APP11 && is_c2pa(payload)))
        }
        ImageFormat::Png => {
            let of = |name: &[u8; 4]| chunk(bytes, png_chunks(bytes), name);
            (of(b"eXIf").is_some_and(is_turned), of(b"caBX").is_some())
        }
        ImageFormat::Webp => {
            let of = |name: &[u8; 4]| chunk(bytes, webp_chunks(bytes), name);
            let exif = of(b"EXIF").map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
            (exif.is_some_and(is_turned), of(b"C2PA").is_some())
        }
    };
    let profile = match profile(bytes) {
        _ if format == ImageFormat::Jpeg && has_four_colours(bytes) => Profile::Unusable,
        Some(profile) => color::judge(&profile),
        None => Profile::Srgb,
    };
    Marks { turned, profile, c2pa }
}

/// Returns whether a picture file carries a colour profile; unpacks nothing of it.
pub(super) fn has_profile(bytes: &[u8]) -> bool {
    match sniff(bytes) {
        Ok(ImageFormat::Jpeg) => jpeg_head(bytes).iter().any(|(marker, payload)| *marker == APP2 && payload.starts_with(ICC)),
        Ok(ImageFormat::Png) => chunk(bytes, png_chunks(bytes), PROFILE_OF_PNG).is_some(),
        Ok(ImageFormat::Webp) => chunk(bytes, webp_chunks(bytes), b"ICCP").is_some(),
        Err(_) => false,
    }
}

/// Returns the colour profile of a picture file, if it has one.
pub fn profile(bytes: &[u8]) -> Option<Vec<u8>> {
    match sniff(bytes).ok()? {
        ImageFormat::Jpeg => {
            let mut parts: Vec<(u8, &[u8])> = jpeg_head(bytes)
                .into_iter()
                .filter(|(marker, _)| *marker == APP2)
                .filter_map(|(_, payload)| match payload.strip_prefix(ICC)? {
                    [number, _, part @ ..] => Some((*number, part)),
                    _ => None,
                })
                .collect();
            parts.sort_by_key(|(number, _)| *number);
            let whole: Vec<u8> = parts.into_iter().flat_map(|(_, part)| part.iter().copied()).take(MOST_PROFILE).collect();
            (!whole.is_empty()).then_some(whole)
        }
        ImageFormat::Png => {
            chunk(bytes, png_chunks(bytes), PROFILE_OF_PNG)?;
            let decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: bytes.len().saturating_add(MOST_PROFILE) });
            let reader = decoder.read_info().ok()?;
            reader.info().icc_profile.as_ref().map(|profile| profile.to_vec())
        }
        ImageFormat::Webp => chunk(bytes, webp_chunks(bytes), b"ICCP").map(|profile| profile[..profile.len().min(MOST_PROFILE)].to_vec()),
    }
}

/// Returns whether a picture file carries a C2PA manifest, reading no more of it than the heads of its parts.
///
/// # Errors
/// What the reader says; a file that ends early carries none.
pub fn is_signed(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut head = [0; 12];
    file.read_exact(&mut head)?;
    match sniff(&head) {
        Ok(ImageFormat::Jpeg) => signed_jpeg(file),
        Ok(ImageFormat::Png) => signed_chunks(file, 8, b"caBX", |head| {
            (u32::from_be_bytes([head[0], head[1], head[2], head[3]]), [head[4], head[5], head[6], head[7]], 4)
        }),
        Ok(ImageFormat::Webp) => signed_chunks(file, 12, b"C2PA", |head| {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            (length, [head[0], head[1], head[2], head[3]], u64::from(length % 2))
        }),
        Err(_) => Ok(false),
    }
}

/// Goes from chunk to chunk; `read` tells length, name and the bytes that follow the payload.
fn signed_chunks(file: &mut (impl Read + Seek), start: u64, wanted: &[u8; 4], read: impl Fn([u8; 8]) -> (u32, [u8; 4], u64)) -> io::Result<bool> {
    file.seek(SeekFrom::Start(start))?;
    let mut head = [0; 8];
    while file.read_exact(&mut head).is_ok() {
        let (length, name, after) = read(head);
        if name == *wanted {
            return Ok(true);
        }
        if name == *b"IEND" {
            break;
        }
        file.seek(SeekFrom::Current(i64::from(length) + i64::try_from(after).unwrap_or(0)))?;
    }
    Ok(false)
}

fn signed_jpeg(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    file.seek(SeekFrom::Start(2))?;
    let mut head = [0; 4];
    while file.read_exact(&mut head).is_ok() {
        let [0xff, marker, high, low] = head else { break };
        let length = u16::from_be_bytes([high, low]).saturating_sub(2);
        if marker == JpegSegments::SCAN {
            break;
        }
        if marker == APP11 {
            let mut payload = vec![0; usize::from(length.min(64))];
            file.read_exact(&mut payload)?;
            if is_c2pa(&payload) {
                return Ok(true);
            }
            file.seek(SeekFrom::Current(i64::from(length) - payload.len() as i64))?;
        } else {
            file.seek(SeekFrom::Current(i64::from(length)))?;
        }
    }
    Ok(false)
}

fn is_turned(exif: &[u8]) -> bool {
    Orientation::from_exif_chunk(exif).is_some_and(|orientation| orientation != Orientation::NoTransforms)
}

/// Returns whether a JUMBF segment begins a C2PA manifest: a superbox whose description has the type `c2pa`.
fn is_c2pa(payload: &[u8]) -> bool {
    let head = &payload[..payload.len().min(64)];
    let has = |name: &[u8]| head.windows(4).any(|window| window == name);
    payload.starts_with(b"JP") && has(b"jumb") && has(b"c2pa")
}

/// Returns the segments before the first scan.
fn jpeg_head(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let segments = JpegSegments::new(bytes).take_while(|segment| segment.marker != JpegSegments::SCAN && segment.marker != JpegSegments::END);
    segments.map(|segment| (segment.marker, segment.payload)).collect()
}

/// Returns whether a JPEG's frame has four components: CMYK, or YCCK.
fn has_four_colours(bytes: &[u8]) -> bool {
    let is_frame = |marker: u8| matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
    jpeg_head(bytes).into_iter().any(|(marker, payload)| is_frame(marker) && payload.get(5) == Some(&4))
}

/// A chunk's name and where its payload is.
type Chunk = ([u8; 4], Range<usize>);

fn chunk<'a>(bytes: &'a [u8], mut chunks: impl Iterator<Item = Chunk>, name: &[u8; 4]) -> Option<&'a [u8]> {
    let (_, place) = chunks.find(|(found, _)| found == name)?;
    bytes.get(place)
}

/// Goes over the chunks of a PNG as far as they are whole.
pub(super) fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk> + '_ {
    let mut at = 8_usize;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at.checked_add(8)?)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let payload = at + 8..(at + 8).checked_add(length)?;
        bytes.get(payload.clone())?;
        at = payload.end.checked_add(4)?;
        Some(([head[4], head[5], head[6], head[7]], payload))
    })
}

/// Goes over the chunks of a WebP as far as they are whole.
pub(super) fn webp_chunks(bytes: &[u8]) -> impl Iterator<Item = Chunk> + '_ {
    let mut at = 12_usize;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at.checked_add(8)?)?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let payload = at + 8..(at + 8).checked_add(length)?;
        bytes.get(payload.clone())?;
        // Chunks begin at even places.
        at = payload.end.checked_add(length % 2)?;
        Some(([head[0], head[1], head[2], head[3]], payload))
    })
}

#[cfg(test)]
pub(crate) mod samples {
    //! Files that carry something, for tests.

    use super::*;

    /// Puts segments behind the start mark of a JPEG.
    pub fn with_segments(jpeg: &[u8], segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = jpeg[..2].to_vec();
        for (marker, payload) in segments {
            bytes.extend_from_slice(&[0xff, *marker]);
            bytes.extend_from_slice(&(u16::try_from(payload.len() + 2).expect("a short one")).to_be_bytes());
            bytes.extend_from_slice(payload);
        }
        bytes.extend_from_slice(&jpeg[2..]);
        bytes
    }

    /// An EXIF block that says how to turn: 6 is a quarter to the right.
    pub fn exif(orientation: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x01\0".to_vec();
        exif.extend_from_slice(&[0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
        exif
    }

    /// The begin of a C2PA manifest as it stands in a JPEG.
    pub fn jumbf() -> Vec<u8> {
        let mut payload = b"JP\0\x01\0\0\0\x01\0\0\0\x40jumb\0\0\0\x1ejumdc2pa".to_vec();
        payload.extend_from_slice(&[0, 0x11, 0, 0x10, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71, 3]);
        payload.extend_from_slice(b"c2pa\0");
        payload
    }

    /// A colour profile in as many segments as it needs.
    pub fn icc(profile: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let parts: Vec<&[u8]> = profile.chunks(60_000).collect();
        let count = parts.len() as u8;
        (1..).zip(parts).map(|(number, part)| (APP2, [ICC, &[number, count], part].concat())).collect()
    }

    /// A colour profile as it stands in a PNG: its name, how it is packed, and it, in one block that is not.
    pub fn iccp(profile: &[u8]) -> Vec<u8> {
        let length = u16::try_from(profile.len()).expect("a short one");
        let (mut low, mut high) = (1_u32, 0_u32);
        for byte in profile {
            low = (low + u32::from(*byte)) % 65_521;
            high = (high + low) % 65_521;
        }
        let [length, inverse] = [length.to_le_bytes(), (!length).to_le_bytes()];
        [b"wide\0\0\x78\x01\x01", &length[..], &inverse[..], profile, &(high << 16 | low).to_be_bytes()[..]].concat()
    }

    /// Gives a plain WebP a colour profile or an EXIF block, and the head that says so.
    pub fn extended(webp: &[u8], size: crate::types::PixelSize, name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
        let flag = if name == b"ICCP" { 0x20 } else { 0x08 };
        let head = [b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0".to_vec(), vec![flag, 0, 0, 0], side(size.width), side(size.height)].concat();
        let mut bytes = with_riff_chunk(&head, name, payload);
        bytes.extend_from_slice(&webp[12..]);
        let length = bytes.len() as u32 - 8;
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// Puts a chunk behind the head of a PNG.
    pub fn with_chunk(png: &[u8], name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut bytes = png[..33].to_vec();
        bytes.extend_from_slice(&(payload.len() as u32).to_be_bytes());
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(payload);
        let mut sum = crc(0xffff_ffff, name);
        sum = crc(sum, payload);
        bytes.extend_from_slice(&(!sum).to_be_bytes());
        bytes.extend_from_slice(&png[33..]);
        bytes
    }

    fn crc(start: u32, bytes: &[u8]) -> u32 {
        bytes
            .iter()
            .fold(start, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }))
    }

    /// Adds a chunk at the end of a WebP.
    pub fn with_riff_chunk(webp: &[u8], name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut bytes = webp.to_vec();
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        let length = bytes.len() as u32 - 8;
        bytes[4..8].copy_from_slice(&length.to_le_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{Limits, Picture, encode, verify};

    fn file(format: ImageFormat) -> Vec<u8> {
        let picture = Picture::Rgb(image::RgbImage::from_fn(24, 12, |x, y| image::Rgb([(x * 10) as u8, (y * 20) as u8, 99])));
        encode(&picture, format, None, &[]).expect("it can be written")
    }

    #[test]
    fn a_plain_file_carries_nothing() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp] {
            assert_eq!(marks(&file(format)), Marks::default(), "{format}");
        }
        assert_eq!(marks(b"no picture"), Marks::default());
    }

    #[test]
    fn a_manifest_is_found_in_each_format_and_the_picture_stays_whole() {
        let signed = [
            samples::with_segments(&file(ImageFormat::Jpeg), &[(APP11, samples::jumbf())]),
            samples::with_chunk(&file(ImageFormat::Png), b"caBX", &samples::jumbf()[8..]),
            samples::with_riff_chunk(&file(ImageFormat::Webp), b"C2PA", &samples::jumbf()[8..]),
        ];
        for bytes in signed {
            assert_eq!(marks(&bytes), Marks { c2pa: true, ..Marks::default() });
            assert!(verify(&bytes, &Limits::default()).is_ok());
            assert!(is_signed(&mut Cursor::new(&bytes)).expect("it can be read"));
        }
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp] {
            assert!(!is_signed(&mut Cursor::new(file(format))).expect("it can be read"), "{format}");
        }
        let other = samples::with_segments(&file(ImageFormat::Jpeg), &[(APP11, b"JP\0\x01\0\0\0\x01\0\0\0\x40jumb\0\0\0\x1ejumdjson".to_vec())]);
        assert!(!marks(&other).c2pa, "JUMBF of another kind");
    }

    #[test]
    fn a_photo_that_says_turn_me_is_known_by_it() {
        let turned = |orientation| marks(&samples::with_segments(&file(ImageFormat::Jpeg), &[(APP1, samples::exif(orientation))])).turned;
        assert_eq!([1, 3, 6, 8].map(turned), [false, true, true, true]);
        assert!(marks(&samples::with_chunk(&file(ImageFormat::Png), b"eXIf", &samples::exif(6)[6..])).turned);
    }

    #[test]
    fn profiles_are_put_together_and_judged() {
        let wide = moxcms::ColorProfile::new_display_p3().encode().expect("a profile");
        let plain = moxcms::ColorProfile::new_srgb().encode().expect("a profile");
        let photo = |profile: &[u8]| samples::with_segments(&file(ImageFormat::Jpeg), &samples::icc(profile));
        assert_eq!(profile(&photo(&wide)).as_deref(), Some(&wide[..]));
        assert_eq!(marks(&photo(&wide)).profile, Profile::Other);
        assert_eq!(marks(&photo(&plain)).profile, Profile::Srgb);
        assert_eq!(marks(&photo(b"not a profile")).profile, Profile::Unusable);
        let webp = samples::with_riff_chunk(&file(ImageFormat::Webp), b"ICCP", &wide);
        assert_eq!(marks(&webp).profile, Profile::Other);
    }

    #[test]
    fn files_cut_off_anywhere_are_read_as_far_as_they_go() {
        let whole = samples::with_chunk(&file(ImageFormat::Png), b"caBX", &[7; 300]);
        for length in 0..whole.len() {
            let _ = marks(&whole[..length]);
        }
        let whole = samples::with_segments(&file(ImageFormat::Jpeg), &[(APP1, samples::exif(6)), (APP11, samples::jumbf())]);
        for length in 0..whole.len() {
            let _ = marks(&whole[..length]);
        }
    }
}
