//! Known distortions move the figures that they should move, and no others.

use image::{Rgb, RgbImage, Rgba, RgbaImage, imageops};

use super::*;
use crate::imaging::rehearsal::{Cues, Look, Scene, draw};
use crate::imaging::{Limits, Picture, decode, encode};
use crate::types::check::{BLANK_BELOW, CLEAR_EDGE, DUPLICATE_BELOW};
use crate::types::{Action, ImageFormat, PixelSize};

/// A rehearsal picture of this subject on this ground.
fn drawn(subject: &str, ground: &str, detail: u64) -> Picture {
    let number = |text: &str| text.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(byte.into()));
    let cues = Cues { subject: number(subject), subject_words: subject, scene: number(ground), scene_words: ground, view: None };
    let look = Look::new(&cues);
    draw(&Scene {
        size: PixelSize::new(512, 640),
        look,
        action: Action::Generate,
        detail,
        input: None,
        mask: None,
        transparent: false,
        title: "spring · hero".to_owned(),
        lines: vec![subject.to_owned(), ground.to_owned()],
        take: None,
    })
}

fn teapot() -> Picture {
    drawn("a stoneware teapot", "on a pale oak tabletop", 1)
}

fn changed(picture: &Picture, change: impl FnOnce(RgbImage) -> RgbImage) -> Picture {
    Picture::Rgb(change(picture.clone().flattened([255; 3])))
}

fn blurred(picture: &Picture) -> Picture {
    changed(picture, |pixels| imageops::blur(&pixels, 6.0))
}

fn plain(color: [u8; 3]) -> Picture {
    Picture::Rgb(RgbImage::from_pixel(400, 500, Rgb(color)))
}

/// Through a lossy file and back.
fn compressed(picture: &Picture) -> Picture {
    let bytes = encode(&changed(picture, |pixels| pixels), ImageFormat::Jpeg, Some(60), &[]).expect("it can be written");
    decode(&bytes, &Limits::default()).expect("it can be read")
}

#[test]
fn only_a_plain_picture_is_blank() {
    for color in [[0, 0, 0], [255, 255, 255], [240, 236, 228]] {
        assert_eq!(spread(&plain(color)), 0, "{color:?}");
        assert!(spread(&compressed(&plain(color))) < BLANK_BELOW);
    }
    // Noise of a sensor on a plain ground is no subject.
    let noisy = changed(&plain([200; 3]), |mut pixels| {
        pixels.enumerate_pixels_mut().for_each(|(x, y, pixel)| pixel.0 = [200 + ((x * 7 + y * 13) % 5) as u8; 3]);
        pixels
    });
    assert!(spread(&noisy) < BLANK_BELOW, "{}", spread(&noisy));
    assert!(spread(&Picture::Rgba(RgbaImage::from_pixel(64, 64, Rgba([0; 4])))) < BLANK_BELOW, "see-through all over");
    for picture in [teapot(), blurred(&teapot()), drawn("a white mug", "on a white ground", 3)] {
        assert!(spread(&picture) > BLANK_BELOW * 2, "{}", spread(&picture));
    }
}

#[test]
fn a_background_is_clear_when_most_of_the_edge_is() {
    let cut = |inset: u32| {
        let mut pixels = RgbaImage::from_pixel(200, 200, Rgba([0; 4]));
        for (x, y, pixel) in pixels.enumerate_pixels_mut() {
            if (inset..200 - inset).contains(&x) && y >= inset {
                *pixel = Rgba([90, 60, 40, 255]);
            }
        }
        Picture::Rgba(pixels)
    };
    assert!(clear_edge(&cut(40)) >= CLEAR_EDGE, "a subject that stands on the lower edge: {}", clear_edge(&cut(40)));
    assert!(clear_edge(&cut(0)) == 0, "opaque all over");
    assert_eq!(clear_edge(&teapot()), 0, "no transparency at all");
    assert_eq!(clear_edge(&Picture::Rgba(RgbaImage::from_pixel(64, 64, Rgba([0; 4])))), 0, "nothing is left of the subject");
    let removed = draw(&Scene { action: Action::RemoveBackground, ..scene_of_a_mug() });
    assert!(clear_edge(&removed) >= CLEAR_EDGE, "{}", clear_edge(&removed));
}

fn scene_of_a_mug() -> Scene {
    let cues = Cues { subject: 5, subject_words: "a mug", scene: 9, scene_words: "", view: None };
    let look = Look::new(&cues);
    let (title, lines) = ("spring · cut".to_owned(), vec!["a mug".to_owned()]);
    Scene {
        size: PixelSize::new(512, 512),
        look,
        action: Action::Generate,
        detail: 1,
        input: None,
        mask: None,
        transparent: false,
        title,
        lines,
        take: None,
    }
}

#[test]
fn blur_takes_sharpness_and_scaling_up_brings_none_back() {
    let (sharp, soft) = (sharpness(&teapot()), sharpness(&blurred(&teapot())));
    assert!(sharp > soft * 10, "{sharp} and {soft}");
    assert!(soft < 20, "{soft}");
    let enlarged = teapot().resized(PixelSize::new(128, 160)).resized(PixelSize::new(512, 640));
    assert!(sharpness(&enlarged) * 3 < sharp, "{}", sharpness(&enlarged));
    assert_eq!(sharpness(&plain([9; 3])), 0);
    assert_eq!(sharpness(&Picture::Rgb(RgbImage::new(2, 900))), 0, "too narrow to have an edge");
}

#[test]
fn a_duplicate_survives_compression_exposure_and_scale() {
    let own = Fingerprint::of(&teapot());
    let brighter = changed(&teapot(), |pixels| imageops::brighten(&pixels, 18));
    let smaller = teapot().resized(PixelSize::new(300, 375));
    for (what, picture) in [("compressed", compressed(&teapot())), ("brighter", brighter), ("smaller", smaller)] {
        let distance = own.distance(Fingerprint::of(&picture));
        assert!(distance < DUPLICATE_BELOW, "{what}: {distance}");
    }
    let mirrored = changed(&teapot(), |pixels| imageops::flip_horizontal(&pixels));
    for (what, picture) in [("another subject", drawn("a linen cushion", "on a pale oak tabletop", 1)), ("mirrored", mirrored)] {
        let distance = own.distance(Fingerprint::of(&picture));
        assert!(distance >= DUPLICATE_BELOW, "{what}: {distance}");
    }
    assert_eq!(own.distance(own), 0);
    assert_eq!(Fingerprint::of(&plain([255; 3])).distance(Fingerprint::of(&plain([0; 3]))), 0, "plain grounds have no course of tones");
}

#[test]
fn similarity_falls_with_each_distortion() {
    let own = teapot();
    assert_eq!(similarity(&own, &own), 1000);
    let steps = [compressed(&own), blurred(&own), drawn("a linen cushion", "in the street at night", 1), plain([128; 3])];
    let figures: Vec<i64> = steps.iter().map(|picture| similarity(&own, picture)).collect();
    let [compressed, blurred, stranger, plain] = figures[..] else { unreachable!("four pictures") };
    assert!(compressed > 900 && blurred < compressed - 50 && stranger < blurred - 200 && plain < 200, "{figures:?}");
}

#[test]
fn drift_counts_only_what_lies_outside_the_mask() {
    let before = plain([120; 3]);
    let inside = |x: u32| x < 200;
    let edited = |half: u8, rest: u8| {
        changed(&before, |mut pixels| {
            pixels.enumerate_pixels_mut().for_each(|(x, _, pixel)| pixel.0 = if inside(x) { [half; 3] } else { [rest; 3] });
            pixels
        })
    };
    let mut mask = RgbaImage::from_pixel(400, 500, Rgba([255; 4]));
    mask.enumerate_pixels_mut().filter(|(x, _, _)| inside(*x)).for_each(|(_, _, pixel)| pixel.0[3] = 0);
    let mask = Picture::Rgba(mask);
    assert_eq!(drift(&before, &edited(250, 120), &mask), 0, "only inside");
    let moved = drift(&before, &edited(250, 171), &mask);
    assert!((190..=205).contains(&moved), "a fifth of the range outside: {moved}");
    let black = Picture::Rgb(RgbImage::from_fn(400, 500, |x, _| if inside(x) { Rgb([0; 3]) } else { Rgb([255; 3]) }));
    assert_eq!(drift(&before, &edited(250, 120), &black), 0, "an opaque mask paints where it is dark");
    assert_eq!(drift(&before, &edited(1, 2), &Picture::Rgba(RgbaImage::new(4, 4))), 0, "nothing is outside");
}
