//! Says in a picture file where the picture comes from, in the words of IPTC, without touching a pixel.
//!
//! In: bytes of a whole file, a [`Credit`]. Out: the same file with an XMP packet. Never: another byte changed than those around the
//! packet; a file that was bought, which stays as it came.

use super::ImagingError;
use super::marks::webp_chunks;
use super::probe::{JpegSegments, bad, sniff};
use crate::types::{Credit, ImageFormat};

/// Name of XMP in a JPEG's segment.
const JPEG_XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

/// Keyword of XMP in a PNG.
const PNG_XMP: &[u8] = b"XML:com.adobe.xmp\0\0\0\0\0";

/// Application data of a JPEG: EXIF and XMP.
const APP1: u8 = 0xe1;

/// Flag of an extended WebP: it has XMP.
const WEBP_XMP: u8 = 0x04;

/// Flag of an extended WebP: it has EXIF.
const WEBP_EXIF: u8 = 0x08;

/// Flag of an extended WebP: it has an alpha channel.
const WEBP_ALPHA: u8 = 0x10;

/// Returns the file with its provenance in it.
///
/// # Errors
/// [`ImagingError`] if it is no picture of ours, or not whole.
pub fn with_credit(bytes: &[u8], credit: &Credit) -> Result<Vec<u8>, ImagingError> {
    let packet = packet(credit);
    match sniff(bytes)? {
        ImageFormat::Png => Ok(in_png(bytes, &packet)),
        ImageFormat::Jpeg => in_jpeg(bytes, &packet),
        ImageFormat::Webp => in_webp(bytes, &packet),
    }
}

/// Returns the XMP packet: what kind of picture it is, what it shows, what wrote it.
fn packet(credit: &Credit) -> Vec<u8> {
    let description = if credit.description.is_empty() {
        String::new()
    } else {
        format!("<dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">{}</rdf:li></rdf:Alt></dc:description>", escaped(&credit.description))
    };
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\" xmp:CreatorTool=\"callsheet {version}\" \
         Iptc4xmpExt:DigitalSourceType=\"{source}\">{description}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"r\"?>",
        version = env!("CARGO_PKG_VERSION"),
        source = credit.source.uri(),
    )
    .into_bytes()
}

/// Returns text as XML takes it: no markup, no control character.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

/// Puts the packet behind the head of a PNG, uncompressed, as readers expect it.
fn in_png(bytes: &[u8], packet: &[u8]) -> Vec<u8> {
    // Signature, and the head of 13 bytes with its length, name and checksum.
    const HEAD: usize = 8 + 25;
    let mut named = b"iTXt".to_vec();
    named.extend_from_slice(PNG_XMP);
    named.extend_from_slice(packet);
    let length = (named.len() - 4) as u32;
    let sum = crc32(&named).to_be_bytes();
    let at = HEAD.min(bytes.len());
    [&bytes[..at], &length.to_be_bytes(), &named, &sum, &bytes[at..]].concat()
}

/// Returns the checksum of a PNG's chunk.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 });
    !bytes.iter().fold(u32::MAX, step)
}

/// Puts the packet behind the first segment of a JPEG, which JFIF wants to be its own.
fn in_jpeg(bytes: &[u8], packet: &[u8]) -> Result<Vec<u8>, ImagingError> {
    let wrong = bad::<&str>(ImageFormat::Jpeg);
    let first = JpegSegments::new(bytes).next();
    let at = first.filter(|segment| matches!(segment.marker, 0xe0 | APP1)).map_or(2, |segment| segment.end);
    let Ok(length) = u16::try_from(JPEG_XMP.len() + packet.len() + 2) else { return Err(wrong("the description is too long for it")) };
    Ok([&bytes[..at], &[0xff, APP1], &length.to_be_bytes(), JPEG_XMP, packet, &bytes[at..]].concat())
}

/// Adds XMP to a WebP.
fn in_webp(bytes: &[u8], packet: &[u8]) -> Result<Vec<u8>, ImagingError> {
    with_webp_chunk(bytes, *b"XMP ", packet)
}

/// Adds EXIF or XMP as the last chunk of a WebP, in place of one that it has; the file becomes one of the extended form if it is not yet.
pub(super) fn with_webp_chunk(bytes: &[u8], added: [u8; 4], payload: &[u8]) -> Result<Vec<u8>, ImagingError> {
    let flag = if added == *b"EXIF" { WEBP_EXIF } else { WEBP_XMP };
    let wrong = || bad::<&str>(ImageFormat::Webp)("its chunks cannot be read");
    let chunks: Vec<([u8; 4], std::ops::Range<usize>)> = webp_chunks(bytes).collect();
    let mut made = b"RIFF\0\0\0\0WEBP".to_vec();
    let (first, place) = chunks.first().ok_or_else(wrong)?;
    if first == b"VP8X" {
        let mut head = bytes.get(place.clone()).filter(|head| head.len() == 10).ok_or_else(wrong)?.to_vec();
        head[0] |= flag;
        put(&mut made, b"VP8X", &head);
    } else {
        let info = super::probe(bytes, &super::Limits::default())?;
        let side = |side: u32| (side - 1).to_le_bytes();
        let (width, height) = (side(info.size.width), side(info.size.height));
        let flags = if info.alpha { flag | WEBP_ALPHA } else { flag };
        put(&mut made, b"VP8X", &[&[flags, 0, 0, 0], &width[..3], &height[..3]].concat());
    }
    for (name, place) in chunks.iter().filter(|(name, _)| name != b"VP8X" && *name != added) {
        put(&mut made, name, bytes.get(place.clone()).ok_or_else(wrong)?);
    }
    put(&mut made, &added, payload);
    let length = (made.len() - 8) as u32;
    made[4..8].copy_from_slice(&length.to_le_bytes());
    Ok(made)
}

fn put(made: &mut Vec<u8>, name: &[u8; 4], payload: &[u8]) {
    made.extend_from_slice(name);
    made.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    made.extend_from_slice(payload);
    made.resize(made.len().next_multiple_of(2), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{Limits, Picture, decode, encode, verify};
    use crate::types::DigitalSource;

    fn credit(description: &str) -> Credit {
        Credit { source: DigitalSource::Composite, description: description.to_owned() }
    }

    #[test]
    fn every_format_says_where_it_comes_from_and_keeps_each_pixel() {
        let pictures = [
            Picture::Rgb(image::RgbImage::from_fn(31, 17, |x, y| image::Rgb([x as u8 * 8, y as u8 * 9, 40]))),
            Picture::Rgba(image::RgbaImage::from_fn(31, 17, |x, y| image::Rgba([x as u8 * 8, y as u8 * 9, 40, x as u8 * 8]))),
        ];
        for (picture, format) in
            [(0, ImageFormat::Png), (0, ImageFormat::Jpeg), (0, ImageFormat::Webp), (1, ImageFormat::Png), (1, ImageFormat::Webp)]
        {
            for texts in [&[][..], &[("callsheet", "a note")]] {
                let before = encode(&pictures[picture], format, None, texts).expect("it can be written");
                let after = with_credit(&before, &credit("a teapot & a <cup>")).expect("it takes the packet");
                assert_eq!(decode(&after, &Limits::default()), decode(&before, &Limits::default()), "{format}");
                assert_eq!(verify(&after, &Limits::default()), verify(&before, &Limits::default()), "{format}");
                let text = String::from_utf8_lossy(&after);
                assert!(text.contains("http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"), "{format}");
                assert!(text.contains("a teapot &amp; a &lt;cup&gt;"), "{format}");
            }
        }
    }

    #[test]
    fn what_is_no_picture_or_cut_off_is_refused_or_kept_as_far_as_it_goes() {
        assert!(with_credit(b"nothing", &credit("")).is_err());
        let picture = Picture::Rgb(image::RgbImage::from_pixel(9, 9, image::Rgb([1, 2, 3])));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp] {
            let whole = encode(&picture, format, None, &[]).expect("it can be written");
            for length in 0..whole.len() {
                let _ = with_credit(&whole[..length], &credit("x"));
            }
        }
        let jpeg = encode(&picture, ImageFormat::Jpeg, None, &[]).expect("it can be written");
        assert!(with_credit(&jpeg, &credit(&"long ".repeat(20_000))).is_err(), "a segment has an end");
    }

    #[test]
    fn the_packet_is_xml_whatever_the_description_holds() {
        let nasty = packet(&credit("\u{0}\u{1b}[31m</rdf:li>\"'&amp;\u{ffff} 茶"));
        let text = String::from_utf8(nasty).expect("it is text");
        assert!(text.contains("  [31m&lt;/rdf:li&gt;&quot;'&amp;amp;  茶"), "{text}");
    }
}
