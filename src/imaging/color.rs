//! Brings colours to sRGB: what models, browsers and shops take colours without a profile for.
//!
//! In: pixels with the profile of their file. Out: pixels in sRGB. Never: a guess at what a damaged profile means.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::{ImagingError, Limits, Picture, decode, marks};
use crate::types::Profile;

/// Largest difference on a channel, of 255, that nobody sees.
const UNSEEN: u8 = 2;

/// Decodes a picture, turns it upright and brings its colours to sRGB: what is made of it carries no profile.
///
/// # Errors
/// As [`decode`].
pub(super) fn in_srgb(bytes: &[u8], limits: &Limits) -> Result<Picture, ImagingError> {
    let picture = decode(bytes, limits)?;
    Ok(match marks::profile(bytes) {
        Some(profile) if judge(&profile) == Profile::Other => to_srgb(picture, &profile),
        _ => picture,
    })
}

/// Says what a profile is good for.
pub(super) fn judge(profile: &[u8]) -> Profile {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return Profile::Unusable };
    let gray = profile.color_space == DataColorSpace::Gray;
    let mut tried: Vec<u8> = Vec::new();
    for level in [0, 32, 64, 128, 192, 255] {
        let colours = [[level, level, level], [level, 0, 0], [0, level, 0], [0, 0, level], [255, level, 128], [64, 128, level]];
        tried.extend(colours.iter().take(if gray { 1 } else { 6 }).flatten());
    }
    match convert(&profile, &tried) {
        None => Profile::Unusable,
        Some(shown) if shown.iter().zip(&tried).all(|(shown, raw)| shown.abs_diff(*raw) <= UNSEEN) => Profile::Srgb,
        Some(_) => Profile::Other,
    }
}

/// Returns RGB pixels in sRGB; `None` if the profile does not lead there.
fn convert(profile: &ColorProfile, rgb: &[u8]) -> Option<Vec<u8>> {
    let target = ColorProfile::new_srgb();
    let mut converted = vec![0; rgb.len()];
    match profile.color_space {
        DataColorSpace::Rgb => {
            let transform = profile.create_transform_8bit(Layout::Rgb, &target, Layout::Rgb, TransformOptions::default()).ok()?;
            transform.transform(rgb, &mut converted).ok()?;
        }
        DataColorSpace::Gray => {
            let gray: Vec<u8> = rgb.chunks_exact(3).map(|pixel| pixel[0]).collect();
            let transform = profile.create_transform_8bit(Layout::Gray, &target, Layout::Rgb, TransformOptions::default()).ok()?;
            transform.transform(&gray, &mut converted).ok()?;
        }
        _ => return None,
    }
    Some(converted)
}

/// Returns the picture in sRGB; as it is, if its profile does not lead there.
fn to_srgb(picture: Picture, profile: &[u8]) -> Picture {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else { return picture };
    match picture {
        Picture::Rgb(pixels) => {
            let (width, height) = pixels.dimensions();
            let converted = convert(&profile, pixels.as_raw()).and_then(|bytes| image::RgbImage::from_raw(width, height, bytes));
            Picture::Rgb(converted.unwrap_or(pixels))
        }
        Picture::Rgba(mut pixels) => {
            let rgb: Vec<u8> = pixels.as_raw().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
            if let Some(converted) = convert(&profile, &rgb) {
                for (to, from) in pixels.as_mut().chunks_exact_mut(4).zip(converted.chunks_exact(3)) {
                    to[..3].copy_from_slice(from);
                }
            }
            Picture::Rgba(pixels)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_red_becomes_a_stronger_number_and_grey_stays_grey() {
        let wide = ColorProfile::new_display_p3().encode().expect("a profile");
        let picture = Picture::Rgb(image::RgbImage::from_fn(2, 1, |x, _| image::Rgb(if x == 0 { [200, 60, 60] } else { [120, 120, 120] })));
        let Picture::Rgb(seen) = to_srgb(picture, &wide) else { panic!("it stays opaque") };
        let (red, grey) = (seen.get_pixel(0, 0).0, seen.get_pixel(1, 0).0);
        // Display P3 (200, 60, 60) is sRGB (217, 41, 52), reckoned by the matrices of both.
        assert!(red[0].abs_diff(217) <= 2 && red[1].abs_diff(41) <= 3 && red[2].abs_diff(52) <= 3, "{red:?}");
        assert!(grey.iter().all(|level| level.abs_diff(120) <= 1), "{grey:?}");
    }

    /// Profiles come with pictures, and pictures come from anywhere.
    #[test]
    fn a_profile_that_somebody_has_bent_stops_nothing() {
        let sound = [ColorProfile::new_display_p3(), ColorProfile::new_srgb(), ColorProfile::new_gray_with_gamma(2.2)];
        let sound = sound.map(|profile| profile.encode().expect("a profile"));
        let mut state = 7_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below.max(1)
        };
        for round in 0..200 {
            let mut bent = sound[round % sound.len()].clone();
            for _ in 0..=random(6) {
                let at = random(bent.len());
                bent[at] = if random(2) == 0 { [0, 1, 0x7f, 0x80, 0xff][random(5)] } else { random(256) as u8 };
            }
            bent.truncate(if random(4) == 0 { random(bent.len()) } else { bent.len() });
            let picture = Picture::Rgb(image::RgbImage::from_pixel(2, 1, image::Rgb([200, 60, 60])));
            if judge(&bent) == Profile::Other {
                assert_eq!(to_srgb(picture.clone(), &bent).size(), picture.size());
            }
        }
    }

    #[test]
    fn see_through_parts_stay_and_a_damaged_profile_changes_nothing() {
        let wide = ColorProfile::new_display_p3().encode().expect("a profile");
        let picture = Picture::Rgba(image::RgbaImage::from_pixel(1, 1, image::Rgba([200, 60, 60, 77])));
        let Picture::Rgba(seen) = to_srgb(picture.clone(), &wide) else { panic!("it keeps its alpha channel") };
        assert_eq!(seen.get_pixel(0, 0).0[3], 77);
        assert_ne!(seen.get_pixel(0, 0).0[0], 200);
        assert_eq!(to_srgb(picture.clone(), b"no profile"), picture);
    }
}
