//! Pictures for rehearsals: drawn, not bought, and never to be taken for bought ones.
//!
//! In: a [`Scene`]. Out: a picture that a person recognises at a glance: which product, which surroundings, which step of which chain.
//! Never: anything but the scene decides a pixel; a picture without a stamp.

mod backdrop;
mod brush;
mod cutout;
mod frame;
mod look;
mod subject;

pub use look::{Cues, Look};

use image::{RgbImage, RgbaImage};
use tiny_skia::{IntSize, Pixmap};

use self::backdrop::Levels;
use self::brush::{Canvas, darker};
use self::frame::{Area, Caption};
use self::look::{Decor, Form, Light, View};
use self::subject::Stand;
use super::Picture;
use crate::types::{Action, PixelSize};

/// Everything that decides a rehearsal picture.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Size of the result.
    pub size: PixelSize,
    /// What it shows.
    pub look: Look,
    /// How it is made from its input.
    pub action: Action,
    /// Moves what may lie this way or that: another number for every job and attempt.
    pub detail: u64,
    /// The picture that is edited.
    pub input: Option<Input>,
    /// Confines an inpaint: its transparent parts, or the dark ones if it has none.
    pub mask: Option<Picture>,
    /// Whether a transparent background was asked for.
    pub transparent: bool,
    /// Campaign and step, in small letters.
    pub title: String,
    /// First the subject, then what tells this shot from its neighbours.
    pub lines: Vec<String>,
    /// Which take, if there are several.
    pub take: Option<u32>,
}

/// A picture that another is made from.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its pixels.
    pub picture: Picture,
    /// What it shows, if it is a rehearsal's own; a photo of the author's is `None`.
    pub look: Option<Look>,
}

/// Draws a scene. The same scene gives the same pixels.
pub fn draw(scene: &Scene) -> Picture {
    let clear = scene.transparent || scene.action == Action::RemoveBackground;
    match (&scene.input, scene.action) {
        _ if clear => cut_out(scene),
        (Some(input), Action::Upscale) => framed(scene, &input.picture.resized(scene.size)),
        (Some(input), Action::Vary) => framed(scene, &shifted(&input.picture.resized(scene.size), scene.detail)),
        (Some(input), Action::Inpaint) => inpainted(scene, input),
        _ => composed(scene),
    }
}

/// Returns the look of what an action makes of an input, or of nothing.
pub fn look_after(action: Action, cues: &Cues<'_>, input: Option<&Input>) -> Look {
    match (input, action) {
        (None, _) => Look::new(cues),
        (Some(Input { look: Some(look), .. }), Action::Edit | Action::Inpaint) => look.edited(cues),
        (Some(Input { look: Some(look), .. }), _) => *look,
        (Some(Input { picture, look: None }), _) => {
            let PixelSize { width, height } = picture.size();
            Look::new(cues).with_card(width, height)
        }
    }
}

/// Returns where the parts of a picture of this size and look are.
fn stage(size: PixelSize, look: &Look) -> (Levels, Stand) {
    let (width, height) = (size.width as f32, size.height as f32);
    let unit = width.min(height);
    let lowered = if frame::band(size) > 0.0 { 0.0 } else { 0.07 };
    let stand = height * if look.decor == Decor::Plinth { 0.68 + lowered } else { 0.76 + lowered };
    let zoom = match look.view {
        View::Detail if look.form != Form::Card => 1.24,
        View::Wide if look.form != Form::Card => 0.66,
        _ => 1.0,
    };
    let tall = (height * 0.58).min(unit * 0.74) * zoom * subject::height(look.form);
    (Levels { horizon: height * (0.60 + lowered), stand }, Stand { x: width / 2.0, y: stand, tall })
}

fn canvas(size: PixelSize) -> Canvas {
    let pixels = IntSize::from_wh(size.width.max(1), size.height.max(1)).and_then(|size| Pixmap::new(size.width(), size.height()));
    Canvas::new(pixels.expect("picture sizes are checked against the limits before anything is drawn"))
}

/// The whole scene: backdrop, shadow, subject, film, caption, stamp.
fn composed(scene: &Scene) -> Picture {
    let mut canvas = canvas(scene.size);
    let (levels, stand) = stage(scene.size, &scene.look);
    backdrop::draw(&mut canvas, &scene.look, levels, scene.detail);
    if scene.look.form != Form::Card || scene.input.is_some() {
        shadow(&mut canvas, &scene.look, stand);
    }
    subject::draw(&mut canvas, &scene.look, stand);
    if let Some(input) = &scene.input {
        if scene.look.form == Form::Card {
            card(&mut canvas, scene, input, stand);
        }
        filmed(&mut canvas, scene, input);
    }
    finished(canvas, scene)
}

fn shadow(canvas: &mut Canvas, look: &Look, stand: Stand) {
    let dark = darker(look.ground().1, 0.85);
    let (foot, deep) = (subject::foot(look.form) * stand.tall, if look.light == Light::Night { 0.7 } else { 0.5 });
    let fall = if look.light == Light::Evening { 2.2 } else { 1.0 };
    canvas.glow(stand.x + foot * 0.45 * fall, stand.y + foot * 0.05, foot * (1.5 + 0.4 * fall), foot * 0.34, dark, deep);
    canvas.glow(stand.x, stand.y + foot * 0.06, foot * 1.16, foot * 0.2, dark, 0.75);
}

/// Shows the author's photo as a print that stands in the scene.
fn card(canvas: &mut Canvas, scene: &Scene, input: &Input, stand: Stand) {
    let area = card_area(scene.size, &scene.look, stand);
    let border = (canvas.unit * 0.012).max(1.0);
    let (x, y) = (area.x as f32 - border, area.y as f32 - border);
    let (width, height) = (area.size.width as f32 + border * 2.0, area.size.height as f32 + border * 2.0);
    canvas.fill(brush::rounded(x + border * 0.5, y + border * 0.7, width, height, border * 0.6), [0; 3], 0.22);
    canvas.fill(brush::rounded(x, y, width, height, border * 0.6), [0xff; 3], 1.0);
    frame::paste(canvas, &photo(input).resized(area.size), area, [0xff; 3]);
}

fn card_area(size: PixelSize, look: &Look, stand: Stand) -> Area {
    let aspect = f32::from(look.card_permille) / 1000.0;
    let wide = (stand.tall * aspect).min(size.width as f32 * 0.66);
    let tall = wide / aspect;
    Area::within(stand.x - wide / 2.0, stand.y - tall, wide, tall, size)
}

/// Returns the author's photo: the input itself, or the print in an earlier rehearsal picture of it.
fn photo(input: &Input) -> Picture {
    match &input.look {
        Some(look) if look.form == Form::Card => {
            let size = input.picture.size();
            card_area(size, look, stage(size, look).1).cut(&input.picture)
        }
        _ => input.picture.clone(),
    }
}

/// Only the subject; the rest lets everything through.
fn cut_out(scene: &Scene) -> Picture {
    let mut canvas = canvas(scene.size);
    let (_, stand) = stage(scene.size, &scene.look);
    match &scene.input {
        Some(input) if scene.look.form == Form::Card => {
            let area = if input.look.is_some() { card_area(scene.size, &scene.look, stand) } else { Area { x: 0, y: 0, size: scene.size } };
            let cut = cutout::cut_out(photo(input).resized(area.size).into_rgba());
            place(&mut canvas, &cut, area);
        }
        _ => subject::draw(&mut canvas, &scene.look, stand),
    }
    dress(&mut canvas, scene, 0.72);
    let Canvas { pixels, .. } = canvas;
    let (width, height) = (pixels.width(), pixels.height());
    Picture::Rgba(RgbaImage::from_raw(width, height, pixels.take_demultiplied()).expect("a canvas has as many bytes as its size says"))
}

/// Copies pixels with their transparency onto an empty part of the canvas.
fn place(canvas: &mut Canvas, picture: &RgbaImage, area: Area) {
    let stride = canvas.pixels.width() as usize * 4;
    let rows = canvas.pixels.data_mut().chunks_exact_mut(stride).skip(area.y as usize);
    for (to, from) in rows.zip(picture.as_raw().chunks_exact(area.size.width as usize * 4)) {
        for (to, from) in to[area.x as usize * 4..].chunks_exact_mut(4).zip(from.chunks_exact(4)) {
            let premultiplied = |channel: u8| (u16::from(channel) * u16::from(from[3]) / 255) as u8;
            to.copy_from_slice(&[premultiplied(from[0]), premultiplied(from[1]), premultiplied(from[2]), from[3]]);
        }
    }
}

/// The input with a new caption and stamp over its old ones.
fn framed(scene: &Scene, picture: &Picture) -> Picture {
    let mut canvas = canvas(scene.size);
    frame::paste(&mut canvas, picture, Area { x: 0, y: 0, size: scene.size }, [0xf4, 0xf2, 0xee]);
    finished(canvas, scene)
}

/// The input outside the mask, the new scene inside, and a line where they meet.
fn inpainted(scene: &Scene, input: &Input) -> Picture {
    let inside = composed(&Scene { input: None, mask: None, ..scene.clone() }).flattened([0xff; 3]);
    let mut pixels = input.picture.resized(scene.size).flattened([0xff; 3]);
    let marked = cutout::marked(scene.mask.as_ref(), scene.size);
    let width = scene.size.width as usize;
    let line = (scene.size.width.min(scene.size.height) as usize / 300).max(1);
    let (_, accent) = scene.look.product();
    for (at, (to, from)) in pixels.as_mut().chunks_exact_mut(3).zip(inside.as_raw().chunks_exact(3)).enumerate() {
        if marked[at] {
            let edge = [at.checked_sub(line), at.checked_sub(line * width), Some(at + line), Some(at + line * width)];
            let is_edge = edge.iter().flatten().any(|neighbour| marked.get(*neighbour) == Some(&false));
            to.copy_from_slice(if is_edge { &accent } else { from });
        }
    }
    let mut canvas = canvas(scene.size);
    frame::paste(&mut canvas, &Picture::Rgb(pixels), Area { x: 0, y: 0, size: scene.size }, [0xff; 3]);
    filmed(&mut canvas, scene, input);
    finished(canvas, scene)
}

/// Shows what the picture was made from.
fn filmed(canvas: &mut Canvas, scene: &Scene, input: &Input) {
    let earlier = input.look.map_or(0, |look| usize::from(look.chain.saturating_sub(1)));
    frame::draw_film(canvas, scene.size, &frame::film(&input.picture, earlier));
}

/// Turns the hues of a picture by an angle from the seed, far enough to be seen.
fn shifted(picture: &Picture, seed: u64) -> Picture {
    let angle = brush::Dice::new(seed).between(0.5, 2.4) * if seed.is_multiple_of(2) { 1.0 } else { -1.0 };
    let (sine, cosine) = angle.sin_cos();
    // Rotation about the grey axis, in 1024ths.
    let third = (1.0 - cosine) / 3.0;
    let lean = sine / 3.0_f32.sqrt();
    let fixed = |part: f32| (part * 1024.0) as i32;
    let (own, next, after) = (fixed(cosine + third), fixed(third - lean), fixed(third + lean));
    let mut pixels = picture.clone().flattened([0xf4, 0xf2, 0xee]);
    for pixel in pixels.as_mut().chunks_exact_mut(3) {
        let [red, green, blue] = [i32::from(pixel[0]), i32::from(pixel[1]), i32::from(pixel[2])];
        pixel[0] = ((red * own + green * next + blue * after) >> 10).clamp(0, 255) as u8;
        pixel[1] = ((red * after + green * own + blue * next) >> 10).clamp(0, 255) as u8;
        pixel[2] = ((red * next + green * after + blue * own) >> 10).clamp(0, 255) as u8;
    }
    Picture::Rgb(pixels)
}

fn dress(canvas: &mut Canvas, scene: &Scene, solid: f32) {
    let (_, accent) = scene.look.product();
    let caption = Caption { lines: &scene.lines, title: &scene.title, take: scene.take, accent };
    frame::caption(canvas, scene.size, caption, solid);
    frame::stamp(canvas);
}

/// Adds caption and stamp and gives the opaque pixels away.
fn finished(mut canvas: Canvas, scene: &Scene) -> Picture {
    dress(&mut canvas, scene, if scene.action == Action::Generate || scene.action == Action::Edit { 0.86 } else { 1.0 });
    let Canvas { pixels, .. } = canvas;
    let mut opaque = RgbImage::new(pixels.width(), pixels.height());
    for (to, from) in opaque.as_mut().chunks_exact_mut(3).zip(pixels.data().chunks_exact(4)) {
        to.copy_from_slice(&from[..3]);
    }
    Picture::Rgb(opaque)
}

#[cfg(test)]
mod tests;
