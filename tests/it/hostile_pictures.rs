//! Pictures that mean no good: cut off, damaged, disguised, or small files that want to be gigabytes.

use std::io::Cursor;

use callsheet::imaging::{Limits, decode, probe, verify};
use callsheet::types::ImageFormat;

use crate::buying::Shop;
use crate::desk::Desk;
use crate::loopback::kie::Kie;
use crate::loopback::{LoopbackScript, Misdeed, Reply};
use crate::peak::{program, watch};

/// A small picture with an edge in every direction.
fn sample(format: image::ImageFormat) -> Vec<u8> {
    let pixels = image::RgbImage::from_fn(61, 47, |x, y| image::Rgb([(x * 4) as u8, (y * 5) as u8, (x * y % 251) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, format).expect("a small picture can be written");
    bytes.into_inner()
}

const FORMATS: [image::ImageFormat; 3] = [image::ImageFormat::Png, image::ImageFormat::Jpeg, image::ImageFormat::WebP];

fn crc(bytes: &[u8]) -> u32 {
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 }))
}

fn chunk(name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let named = [name.as_slice(), payload].concat();
    [&(payload.len() as u32).to_be_bytes()[..], &named, &crc(&named).to_be_bytes()].concat()
}

/// Returns the chunks of a PNG: name and payload.
fn chunks(png: &[u8]) -> Vec<([u8; 4], Vec<u8>)> {
    let mut found = Vec::new();
    let mut at = 8;
    while at < png.len() {
        let length = u32::from_be_bytes(png[at..at + 4].try_into().expect("four bytes")) as usize;
        found.push((png[at + 4..at + 8].try_into().expect("four bytes"), png[at + 8..at + 8 + length].to_vec()));
        at += length + 12;
    }
    found
}

/// A PNG with further chunks before its pixels.
fn with_chunks(more: &[u8]) -> Vec<u8> {
    let png = sample(image::ImageFormat::Png);
    [&png[..33], more, &png[33..]].concat()
}

/// A PNG of one bit a pixel, all black: as small as a file of its size can be.
fn black(width: u32, height: u32, depth: png::BitDepth) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().expect("a head");
    let row = vec![0; width as usize * if depth == png::BitDepth::One { 1 } else { 8 } / 8 + usize::from(depth == png::BitDepth::One)];
    let mut stream = writer.stream_writer().expect("a stream");
    let row = &row[..if depth == png::BitDepth::One { (width as usize).div_ceil(8) } else { width as usize }];
    for _ in 0..height {
        std::io::Write::write_all(&mut stream, row).expect("a row");
    }
    stream.finish().expect("the end");
    drop(writer);
    bytes
}

/// Zeros, packed as PNG packs: hundreds of megabytes in a few hundred kilobytes.
fn packed_zeros() -> Vec<u8> {
    let png = black(16_000, 20_000, png::BitDepth::Eight);
    chunks(&png).into_iter().filter(|(name, _)| name == b"IDAT").flat_map(|(_, payload)| payload).collect()
}

fn head_of(width: u32, height: u32) -> Vec<u8> {
    let mut head = [width.to_be_bytes(), height.to_be_bytes()].concat();
    head.extend([8, 2, 0, 0, 0]);
    [&b"\x89PNG\r\n\x1a\n"[..], &chunk(b"IHDR", &head), &chunk(b"IDAT", &[0x78, 0x01]), &chunk(b"IEND", &[])].concat()
}

fn animated_png() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(3, 0).expect("three frames");
    let mut writer = encoder.write_header().expect("a head");
    for _ in 0..3 {
        writer.write_image_data(&[9; 192]).expect("a frame");
    }
    writer.finish().expect("the end");
    bytes
}

fn riff(body: &[u8]) -> Vec<u8> {
    [b"RIFF", &(body.len() as u32 + 4).to_le_bytes()[..], b"WEBP", body].concat()
}

fn webp_chunk(name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    [name.as_slice(), &(payload.len() as u32).to_le_bytes(), payload, &[0][..payload.len() % 2]].concat()
}

fn canvas(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    webp_chunk(b"VP8X", &[vec![flags, 0, 0, 0], side(width), side(height)].concat())
}

fn animated_webp() -> Vec<u8> {
    let still = sample(image::ImageFormat::WebP);
    let frame = [vec![0; 6], vec![60, 0, 0, 46, 0, 0, 10, 0, 0, 0], still[12..].to_vec()].concat();
    riff(&[canvas(2, 61, 47), webp_chunk(b"ANIM", &[0; 6]), webp_chunk(b"ANMF", &frame), webp_chunk(b"ANMF", &frame)].concat())
}

fn jpeg_head(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = sample(image::ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame");
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

/// A JPEG with these bytes before its end mark, or behind its start mark.
fn jpeg_with(more: &[u8], at_end: bool) -> Vec<u8> {
    let jpeg = sample(image::ImageFormat::Jpeg);
    let at = if at_end { jpeg.len() - 2 } else { 2 };
    [&jpeg[..at], more, &jpeg[at..]].concat()
}

/// Bombs and oddities by name: what must be refused, and what must be taken for what it shows.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = packed_zeros();
    let million_webp =
        riff(&[canvas(0, 61, 47), webp_chunk(b"JUNK", b"").repeat(1_000_000), sample(image::ImageFormat::WebP)[12..].to_vec()].concat());
    vec![
        ("30,000 x 30,000 in a small PNG", black(30_000, 30_000, png::BitDepth::One)),
        ("1,000,000,000 x 1,000,000,000", head_of(1_000_000_000, 1_000_000_000)),
        ("2,147,483,647 x 1", head_of(2_147_483_647, 1)),
        ("1 x 60,000", black(1, 60_000, png::BitDepth::One)),
        ("16,000 x 60", black(16_000, 60, png::BitDepth::One)),
        ("a PNG without pixels", head_of(0, 0)),
        ("a JPEG of 65,535 x 65,535", jpeg_head(65_535, 65_535)),
        ("a JPEG of 16,000 x 16,000", jpeg_head(16_000, 16_000)),
        ("a JPEG with 5,000 scans", jpeg_with(&[0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0].repeat(5_000), true)),
        ("a WebP canvas of 16,777,216 x 16,777,216", riff(&canvas(0, 1 << 24, 1 << 24))),
        ("an animated PNG", animated_png()),
        ("an animated WebP", animated_webp()),
        ("a PNG with 320 MB of colour profile", with_chunks(&chunk(b"iCCP", &[b"icc\0\0", &zeros[..]].concat()))),
        ("a PNG with 320 MB of zTXt", with_chunks(&chunk(b"zTXt", &[b"Comment\0\0", &zeros[..]].concat()))),
        ("a PNG with 320 MB of iTXt", with_chunks(&chunk(b"iTXt", &[b"Comment\0\x01\0\0\0", &zeros[..]].concat()))),
        ("a PNG with 1,000,000 chunks", with_chunks(&chunk(b"teSt", b"").repeat(1_000_000))),
        ("a PNG with 1,000,000 texts", with_chunks(&chunk(b"tEXt", b"a\0b").repeat(1_000_000))),
        ("a JPEG with 1,000,000 comments", jpeg_with(&[0xff, 0xfe, 0, 2].repeat(1_000_000), false)),
        ("a WebP with 1,000,000 chunks", million_webp),
        ("118 megapixels of one colour", black(10_900, 10_900, png::BitDepth::One)),
    ]
}

#[test]
fn bombs_are_refused_with_the_limit_named() {
    let told: Vec<String> = bombs()
        .iter()
        .map(|(name, bytes)| match verify(bytes, &Limits::default()) {
            Ok(info) => format!("{name} ({} kB): taken as {} {}", bytes.len() / 1000, info.format, info.size),
            Err(error) => format!("{name} ({} kB): {error}", bytes.len() / 1000),
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    30,000 x 30,000 in a small PNG (173 kB): a picture of 30000x30000 is larger than allowed (sides up to 16384, 120000000 pixels)
    1,000,000,000 x 1,000,000,000 (0 kB): a picture of 1000000000x1000000000 is larger than allowed (sides up to 16384, 120000000 pixels)
    2,147,483,647 x 1 (0 kB): a picture of 2147483647x1 is larger than allowed (sides up to 16384, 120000000 pixels)
    1 x 60,000 (0 kB): a picture of 1x60000 is larger than allowed (sides up to 16384, 120000000 pixels)
    16,000 x 60 (0 kB): a picture of 16000x60 is more than 200 times as long as wide, which is not allowed
    a PNG without pixels (0 kB): the png picture is not whole: Invalid image dimensions
    a JPEG of 65,535 x 65,535 (2 kB): a picture of 65535x65535 is larger than allowed (sides up to 16384, 120000000 pixels)
    a JPEG of 16,000 x 16,000 (2 kB): a picture of 16000x16000 is larger than allowed (sides up to 16384, 120000000 pixels)
    a JPEG with 5,000 scans (52 kB): the jpeg picture is not whole: it has more than 100 scans
    a WebP canvas of 16,777,216 x 16,777,216 (0 kB): a picture of 16777216x16777216 is larger than allowed (sides up to 16384, 120000000 pixels)
    an animated PNG (0 kB): the png picture is not whole: it is animated; campaigns have still pictures
    an animated WebP (6 kB): the webp picture is not whole: it is animated; campaigns have still pictures
    a PNG with 320 MB of colour profile (353 kB): taken as png 61x47
    a PNG with 320 MB of zTXt (353 kB): taken as png 61x47
    a PNG with 320 MB of iTXt (353 kB): taken as png 61x47
    a PNG with 1,000,000 chunks (12004 kB): taken as png 61x47
    a PNG with 1,000,000 texts (15004 kB): taken as png 61x47
    a JPEG with 1,000,000 comments (4002 kB): taken as jpeg 61x47
    a WebP with 1,000,000 chunks (8002 kB): taken as webp 61x47
    118 megapixels of one colour (35 kB): taken as png 10900x10900
    ");
}

#[test]
fn a_bomb_takes_the_program_little_memory_and_little_time() {
    let desk = Desk::new();
    let campaign = "callsheet: 1\ncampaign: bomb\nprovider: kie\ndefaults: { model: gpt-image-2, aspect: \"1:1\" }\nsteps:\n  \
                    photo: { load: { file: bomb.png } }\n  small: { transform: { image: photo, ops: [ { resize: { width: 64 } } ] } }\n";
    for (name, bytes) in bombs() {
        desk.write("campaigns/bomb.yaml", campaign);
        desk.write("campaigns/bomb.png", &bytes);
        let taken = verify(&bytes, &Limits::default()).is_ok();
        // What is whole and within the limits is resized, which needs its pixels; here its look at the file is measured.
        let words = if taken { vec!["check", "campaigns/bomb.yaml"] } else { vec!["run", "campaigns/bomb.yaml", "--rehearse", "-q"] };
        let watched = watch(program(&desk, &words));
        watched.within(&format!("{name} ({} kB)", bytes.len() / 1000), 256);
        assert!(taken || watched.said.code != 0, "{name}: {}", watched.said.all());
    }
}

#[test]
fn a_picture_cut_at_every_sixteenth_is_refused() {
    for format in FORMATS {
        let bytes = sample(format);
        for part in 0..16 {
            let cut = &bytes[..bytes.len() * part / 16];
            assert!(verify(cut, &Limits::default()).is_err(), "{format:?} cut at {part}/16");
            assert!(decode(cut, &Limits::default()).is_err(), "{format:?} cut at {part}/16");
        }
        assert!(verify(&bytes, &Limits::default()).is_ok(), "{format:?}");
    }
}

#[test]
fn every_flipped_byte_of_a_png_is_found() {
    let bytes = sample(image::ImageFormat::Png);
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x20;
        assert!(verify(&flipped, &Limits::default()).is_err(), "byte {at} of {}", bytes.len());
    }
}

#[test]
fn flipped_bytes_of_other_formats_are_never_a_panic() {
    for format in [image::ImageFormat::Jpeg, image::ImageFormat::WebP] {
        let bytes = sample(format);
        let found = (0..bytes.len())
            .filter(|at| {
                let mut flipped = bytes.clone();
                flipped[*at] ^= 0x20;
                verify(&flipped, &Limits::default()).is_err()
            })
            .count();
        // These formats have no checksums: what still decodes cannot be told from what was meant.
        println!("{format:?}: {found} of {} flipped bytes are found", bytes.len());
        assert!(found > 0);
    }
}

#[test]
fn the_bytes_say_what_a_picture_is_and_not_its_name() {
    for (format, expected) in FORMATS.into_iter().zip([ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Webp]) {
        assert_eq!(probe(&sample(format), &Limits::default()).map(|info| info.format), Ok(expected));
    }
}

#[test]
fn a_picture_of_another_format_than_its_name_is_kept_for_what_it_is() {
    let campaign = "callsheet: 1\ncampaign: one\nprovider: fast-kie.yaml\ndefaults: { model: gpt-image-2, aspect: \"1:1\", resolution: 1K }\n\
                    steps: { draft: { generate: { prompt: a red cup } } }\n";
    let jpeg = Misdeed::Answer(Reply::bytes("image/png", sample(image::ImageFormat::Jpeg)));
    let shop = Shop::kie(campaign, LoopbackScript::of(Kie::default()).always("/result/", jpeg));
    let said = shop.run(&[], 0);
    assert!(said.err.contains("made"), "{}", said.all());
    let manifest: serde_json::Value = serde_json::from_slice(&shop.desk.read("out/one/manifest.json")).expect("it is JSON");
    let file = &manifest["files"][0];
    println!("a JPEG that came as image/png stands at {} and is called {}", file["path"], file["format"]);
    assert_eq!(file["format"], "jpeg", "{file}");
}
