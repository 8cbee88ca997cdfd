//! Writes words into pictures, with the one embedded font.
//!
//! In: text of anybody's, a size, a colour. Out: outlines filled on a canvas.
//! Never: shaping or font fallback; a letter that the font lacks is a box, which is seen, and never nothing.

use std::collections::HashMap;
use std::sync::OnceLock;

use skrifa::MetadataProvider;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, PixmapMut, Transform};

/// DejaVu Sans, reduced; its licence lies beside it.
const FONT: &[u8] = include_bytes!("font/DejaVuSans-subset.ttf");

/// Height of a line in sizes.
pub const LINE_HEIGHT: f32 = 1.28;

/// Height of a capital in sizes.
pub const CAP_HEIGHT: f32 = 0.73;

/// One letter, for a size of 1; y grows downwards from the base line.
struct Glyph {
    outline: Option<Path>,
    advance: f32,
}

struct Font {
    glyphs: HashMap<char, Glyph>,
    missing: Glyph,
}

/// Reads all outlines once; they are few hundred and small.
fn font() -> &'static Font {
    static CACHE: OnceLock<Font> = OnceLock::new();
    CACHE.get_or_init(|| {
        let font = skrifa::FontRef::new(FONT).expect("the embedded font is whole");
        let outlines = font.outline_glyphs();
        let metrics = font.glyph_metrics(Size::new(1.0), LocationRef::default());
        let mut glyphs = HashMap::new();
        for (code, id) in font.charmap().mappings() {
            let (Some(letter), Some(outline)) = (char::from_u32(code), outlines.get(id)) else { continue };
            let mut pen = Pen(PathBuilder::new());
            let drawn = outline.draw(DrawSettings::unhinted(Size::new(1.0), LocationRef::default()), &mut pen);
            let outline = drawn.ok().and_then(|_| pen.0.finish());
            glyphs.insert(letter, Glyph { outline, advance: metrics.advance_width(id).unwrap_or(0.6) });
        }
        Font { glyphs, missing: missing_glyph() }
    })
}

/// Draws the box for a letter that the font lacks: a frame, as the inner outline runs the other way.
fn missing_glyph() -> Glyph {
    let mut path = PathBuilder::new();
    for (inset, turned) in [(0.0, false), (0.06, true)] {
        let (left, right, top, bottom) = (0.06 + inset, 0.54 - inset, -CAP_HEIGHT + inset, -inset);
        let mut corners = [(left, bottom), (left, top), (right, top), (right, bottom)];
        if turned {
            corners.reverse();
        }
        path.move_to(corners[0].0, corners[0].1);
        for (x, y) in &corners[1..] {
            path.line_to(*x, *y);
        }
        path.close();
    }
    Glyph { outline: path.finish(), advance: 0.6 }
}

/// Takes outlines from the font's y-up into the picture's y-down.
struct Pen(PathBuilder);

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, -y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, -y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.0.quad_to(cx, -cy, x, -y);
    }

    fn curve_to(&mut self, cx0: f32, cy0: f32, cx1: f32, cy1: f32, x: f32, y: f32) {
        self.0.cubic_to(cx0, -cy0, cx1, -cy1, x, -y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

fn glyph(letter: char) -> &'static Glyph {
    let font = font();
    font.glyphs.get(&letter).unwrap_or(&font.missing)
}

/// Returns the width of one line at `size` pixels.
pub fn width(line: &str, size: f32) -> f32 {
    line.chars().map(|letter| glyph(letter).advance).sum::<f32>() * size
}

/// Breaks `text` into lines of at most `room` pixels: at spaces, and inside words that are too long. Line breaks of the text stay.
pub fn wrap(text: &str, size: f32, room: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if width(&longer, size) <= room {
                line = longer;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line = break_word(word, size, room, &mut lines);
        }
        lines.push(line);
    }
    lines
}

/// Pushes what fills whole lines and returns the rest; a line takes at least one letter, however narrow it is.
fn break_word(word: &str, size: f32, room: f32, lines: &mut Vec<String>) -> String {
    let mut line = String::new();
    for letter in word.chars() {
        line.push(letter);
        if line.chars().count() > 1 && width(&line, size) > room {
            line.pop();
            lines.push(std::mem::replace(&mut line, letter.to_string()));
        }
    }
    line
}

/// Cuts a line to at most `room` pixels, with an ellipsis where something is missing.
pub fn fit(line: &str, size: f32, room: f32) -> String {
    if width(line, size) <= room {
        return line.to_owned();
    }
    let mut left = room - width("…", size);
    let mut kept: String = line
        .chars()
        .take_while(|letter| {
            left -= glyph(*letter).advance * size;
            left >= 0.0
        })
        .collect();
    kept.truncate(kept.trim_end().len());
    kept.push('…');
    kept
}

/// Returns the outline of one line that starts at `x` on the base line `y`; `tracking` is added after each letter, in sizes.
///
/// `None` if there is nothing to see.
pub fn outline(line: &str, size: f32, x: f32, y: f32, tracking: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    let mut at = x;
    for letter in line.chars() {
        let glyph = glyph(letter);
        if let Some(outline) = &glyph.outline {
            let placed = outline.clone().transform(Transform::from_row(size, 0.0, 0.0, size, at, y));
            if let Some(placed) = placed {
                path.push_path(&placed);
            }
        }
        at += (glyph.advance + tracking) * size;
    }
    path.finish()
}

/// Fills one line on a canvas.
pub fn write(canvas: &mut PixmapMut<'_>, line: &str, size: f32, x: f32, y: f32, color: Color) {
    if let Some(path) = outline(line, size, x, y, 0.0) {
        let mut paint = Paint::default();
        paint.set_color(color);
        canvas.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wrapped_line_fits_and_no_letter_is_lost() {
        let text = "Three-quarter view from the left, Donaudampfschifffahrtsgesellschaft and more\nnext line";
        for room in [40.0, 90.0, 200.0, 900.0] {
            let lines = wrap(text, 14.0, room);
            for line in &lines {
                assert!(width(line, 14.0) <= room, "{line:?} is wider than {room}");
            }
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(letters(&lines.concat()), letters(text).as_str());
        }
        assert_eq!(wrap("ab", 14.0, 0.0), ["a", "b"]);
    }

    #[test]
    fn a_line_that_is_too_long_ends_in_an_ellipsis() {
        assert_eq!(fit("teapot", 10.0, 1000.0), "teapot");
        let short = fit("a red teapot on a table", 10.0, 60.0);
        assert!(short.ends_with('…') && width(&short, 10.0) <= 60.0, "{short}");
    }

    #[test]
    fn letters_that_the_font_lacks_are_boxes_and_those_it_has_are_not() {
        assert!(!font().glyphs.contains_key(&'茶'));
        assert!(outline("茶", 10.0, 0.0, 10.0, 0.0).is_some());
        for letter in "AZaz09äöüÄÖÜßéèñøåłŁőžŞ€£¥→·—“”…×°№".chars() {
            assert!(font().glyphs.contains_key(&letter), "{letter}");
        }
        assert!(outline("   ", 10.0, 0.0, 10.0, 0.0).is_none());
    }
}
