//! What every rehearsal picture carries besides its scene: the stamp, the caption, the film of what it was made from.

use tiny_skia::Transform;

use super::brush::{Canvas, Rgb, polygon, rounded};
use crate::imaging::{Picture, text};
use crate::types::PixelSize;

/// Colour of the stamp.
const STAMP: Rgb = [0xd4, 0x3d, 0x2a];

/// Behind the caption.
const BAND: Rgb = [0x1d, 0x1b, 0x20];

/// Below this many pixels of the shorter side no letter could be read, so none is written.
const LEGIBLE: f32 = 129.0;

/// Most pictures on the film; older ones leave it.
pub const FILM: usize = 4;

/// Returns the height of the caption band, in pixels; a picture too small for letters has none.
pub fn band(size: PixelSize) -> f32 {
    let unit = size.width.min(size.height) as f32;
    if unit < LEGIBLE { 0.0 } else { unit * 0.132 }
}

/// A rectangle in whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width and height, at least one pixel each.
    pub size: PixelSize,
}

impl Area {
    /// Rounds to pixels and keeps within `outer`.
    pub fn within(x: f32, y: f32, width: f32, height: f32, outer: PixelSize) -> Self {
        let (x, y) = ((x.max(0.0) as u32).min(outer.width - 1), (y.max(0.0) as u32).min(outer.height - 1));
        let size = PixelSize { width: (width as u32).clamp(1, outer.width - x), height: (height as u32).clamp(1, outer.height - y) };
        Self { x, y, size }
    }

    /// Returns this part of a picture.
    pub fn cut(self, picture: &Picture) -> Picture {
        let Self { x, y, size } = self;
        match picture {
            Picture::Rgb(pixels) => Picture::Rgb(image::imageops::crop_imm(pixels, x, y, size.width, size.height).to_image()),
            Picture::Rgba(pixels) => Picture::Rgba(image::imageops::crop_imm(pixels, x, y, size.width, size.height).to_image()),
        }
    }
}

/// Returns where the film's picture of this number lies; the same place, in parts, at every size.
pub fn slot(size: PixelSize, index: usize) -> Area {
    let unit = size.width.min(size.height) as f32;
    let (side, edge, gap) = (unit * 0.125, unit * 0.035, unit * 0.022);
    Area::within(size.width as f32 - edge - side, edge + index as f32 * (side + gap), side, side, size)
}

/// Returns the film of a picture made from `input`, which has `earlier` pictures on its own: oldest first.
pub fn film(input: &Picture, earlier: usize) -> Vec<Picture> {
    let size = input.size();
    let mut film: Vec<Picture> = (0..earlier.min(FILM)).map(|index| slot(size, index).cut(input)).collect();
    let side = (size.height as f32 - band(size)).min(size.width as f32);
    film.push(Area::within((size.width as f32 - side) / 2.0, 0.0, side, side, size).cut(input));
    let first = film.len().saturating_sub(FILM);
    film.split_off(first)
}

/// Pastes the film along the right edge.
pub fn draw_film(canvas: &mut Canvas, size: PixelSize, film: &[Picture]) {
    for (index, picture) in film.iter().enumerate() {
        let area = slot(size, index);
        let border = (canvas.unit * 0.006).max(1.0);
        let (x, y, side) = (area.x as f32 - border, area.y as f32 - border, area.size.width as f32 + border * 2.0);
        canvas.fill(rounded(x + border * 0.6, y + border * 0.9, side, side, border), [0; 3], 0.25);
        canvas.fill(rounded(x, y, side, side, border), [0xff; 3], 1.0);
        paste(canvas, &picture.resized(area.size), area, [0xf4, 0xf2, 0xee]);
    }
}

/// Copies a picture of the area's size onto the canvas, transparent parts over `ground`.
pub fn paste(canvas: &mut Canvas, picture: &Picture, area: Area, ground: Rgb) {
    let flat = picture.clone().flattened(ground);
    let stride = canvas.pixels.width() as usize * 4;
    let rows = canvas.pixels.data_mut().chunks_exact_mut(stride).skip(area.y as usize);
    for (to, from) in rows.zip(flat.as_raw().chunks_exact(area.size.width as usize * 3)) {
        for (to, from) in to[area.x as usize * 4..].chunks_exact_mut(4).zip(from.chunks_exact(3)) {
            to.copy_from_slice(&[from[0], from[1], from[2], 255]);
        }
    }
}

/// Draws the corner stamp that nobody can take for a product shot.
pub fn stamp(canvas: &mut Canvas) {
    let unit = canvas.unit;
    let (near, far) = if unit < LEGIBLE { (0.16, 0.30) } else { (0.165, 0.232) };
    let (near, far) = (near * unit, far * unit);
    canvas.fill(polygon(&[(near, 0.0), (far, 0.0), (0.0, far), (0.0, near)]), STAMP, 0.94);
    if unit < LEGIBLE {
        return;
    }
    let (size, tracking) = (unit * 0.0275, 0.07);
    let word = "REHEARSAL";
    let long = text::width(word, size) + tracking * size * (word.len() - 1) as f32;
    let middle = (near + far) / 4.0;
    let path = text::outline(word, size, middle - long / 2.0, middle + size * text::CAP_HEIGHT / 2.0, tracking);
    let path = path.and_then(|path| path.transform(Transform::from_rotate_at(-45.0, middle, middle)));
    canvas.stroke(path.clone(), size * 0.045, [0xff; 3], 1.0);
    canvas.fill(path, [0xff; 3], 1.0);
}

/// What the caption says.
#[derive(Debug, Clone, Copy)]
pub struct Caption<'a> {
    /// First the subject, then what tells this shot from the others.
    pub lines: &'a [String],
    /// Campaign and step.
    pub title: &'a str,
    /// Which take, if there are several.
    pub take: Option<u32>,
    /// Colour of the take's badge.
    pub accent: Rgb,
}

/// Writes the caption into the band at the lower edge. `solid` is how much of the picture it hides, of 1.
pub fn caption(canvas: &mut Canvas, size: PixelSize, caption: Caption<'_>, solid: f32) {
    let tall = band(size);
    if tall <= 0.0 {
        return;
    }
    let (width, top, unit) = (canvas.width, canvas.height - tall, canvas.unit);
    canvas.fill(polygon(&[(0.0, top), (width, top), (width, canvas.height), (0.0, canvas.height)]), BAND, solid);
    canvas.fill(polygon(&[(0.0, top), (width, top), (width, top + unit * 0.004), (0.0, top + unit * 0.004)]), caption.accent, 1.0);
    let edge = unit * 0.035;
    let mut room = width - edge * 2.0;
    if let Some(take) = caption.take {
        room -= badge(canvas, &format!("take {take}"), top + tall / 2.0, edge, caption.accent) + edge;
    }
    let sizes = [unit * 0.036, unit * 0.0265, unit * 0.0205];
    let inks = [[0xff, 0xff, 0xff], [0xe4, 0xdf, 0xd6], [0xa9, 0xa4, 0x9d]];
    let second = caption.lines.get(1..).unwrap_or_default().join(" · ");
    let lines = [caption.lines.first().map_or("", String::as_str), &second, caption.title];
    let mut y = top + tall * 0.20;
    for (row, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        y += sizes[row] * text::CAP_HEIGHT;
        let line = text::fit(line, sizes[row], room);
        text::write(&mut canvas.pixels.as_mut(), &line, sizes[row], edge, y, super::brush::paint(inks[row], 1.0));
        y += unit * 0.0165;
    }
}

/// Draws a pill at the right edge and returns its width.
fn badge(canvas: &mut Canvas, words: &str, middle: f32, edge: f32, color: Rgb) -> f32 {
    let size = canvas.unit * 0.027;
    let (wide, tall) = (text::width(words, size) + size * 1.4, size * 2.0);
    let x = canvas.width - edge - wide;
    canvas.fill(rounded(x, middle - tall / 2.0, wide, tall, tall / 2.0), color, 1.0);
    let bright = color.iter().map(|channel| u32::from(*channel)).sum::<u32>() > 380;
    let ink = if bright { BAND } else { [0xff; 3] };
    text::write(&mut canvas.pixels.as_mut(), words, size, x + size * 0.7, middle + size * text::CAP_HEIGHT / 2.0, super::brush::paint(ink, 1.0));
    wide
}
