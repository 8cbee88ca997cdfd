//! Colours and a canvas with the few strokes that the rehearsal needs.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, Paint, Path, PathBuilder, Pixmap, Point, RadialGradient, Rect, Shader, SpreadMode, Stroke, Transform,
};

/// Red, green, blue.
pub type Rgb = [u8; 3];

/// Returns `from` moved towards `to` by `part` of 1.
pub fn blend(from: Rgb, to: Rgb, part: f32) -> Rgb {
    let channel = |index: usize| (f32::from(from[index]) + (f32::from(to[index]) - f32::from(from[index])) * part.clamp(0.0, 1.0)).round() as u8;
    [channel(0), channel(1), channel(2)]
}

/// Returns a lighter colour.
pub fn lighter(color: Rgb, part: f32) -> Rgb {
    blend(color, [255; 3], part)
}

/// Returns a darker colour; towards a warm black, which looks less dirty than grey.
pub fn darker(color: Rgb, part: f32) -> Rgb {
    blend(color, [24, 18, 22], part)
}

/// Returns the colour for a shader, `alpha` of 1.
pub fn paint(color: Rgb, alpha: f32) -> Color {
    Color::from_rgba8(color[0], color[1], color[2], (alpha.clamp(0.0, 1.0) * 255.0) as u8)
}

/// A canvas in pixels; `unit` is its shorter side.
pub struct Canvas {
    /// The pixels, premultiplied.
    pub pixels: Pixmap,
    /// Pixels across.
    pub width: f32,
    /// Pixels down.
    pub height: f32,
    /// The shorter side.
    pub unit: f32,
}

impl Canvas {
    /// Wraps an empty canvas.
    pub fn new(pixels: Pixmap) -> Self {
        let (width, height) = (pixels.width() as f32, pixels.height() as f32);
        Self { pixels, width, height, unit: width.min(height) }
    }

    /// Fills a path with a plain colour.
    pub fn fill(&mut self, path: Option<Path>, color: Rgb, alpha: f32) {
        self.shade(path, Shader::SolidColor(paint(color, alpha)));
    }

    /// Fills a path with a shader.
    pub fn shade(&mut self, path: Option<Path>, shader: Shader<'_>) {
        if let Some(path) = path {
            let brush = Paint { shader, ..Paint::default() };
            self.pixels.fill_path(&path, &brush, FillRule::Winding, Transform::identity(), None);
        }
    }

    /// Draws along a path, `width` pixels wide, with round ends.
    pub fn stroke(&mut self, path: Option<Path>, width: f32, color: Rgb, alpha: f32) {
        if let Some(path) = path {
            let brush = Paint { shader: Shader::SolidColor(paint(color, alpha)), ..Paint::default() };
            let stroke = Stroke { width, line_cap: LineCap::Round, ..Stroke::default() };
            self.pixels.stroke_path(&path, &brush, &stroke, Transform::identity(), None);
        }
    }

    /// Lays a soft spot: full in the middle, nothing at the rim of the ellipse.
    pub fn glow(&mut self, x: f32, y: f32, wide: f32, tall: f32, color: Rgb, alpha: f32) {
        let squeeze = Transform::from_row(1.0, 0.0, 0.0, tall / wide.max(0.001), 0.0, y - y * tall / wide.max(0.001));
        let stops = vec![
            GradientStop::new(0.0, paint(color, alpha)),
            GradientStop::new(0.45, paint(color, alpha * 0.55)),
            GradientStop::new(1.0, paint(color, 0.0)),
        ];
        let middle = Point::from_xy(x, y);
        let shader = RadialGradient::new(middle, 0.0, middle, wide.max(0.001), stops, SpreadMode::Pad, squeeze);
        if let (Some(shader), Some(rect)) = (shader, Rect::from_xywh(x - wide, y - tall, wide * 2.0, tall * 2.0)) {
            let brush = Paint { shader, anti_alias: false, ..Paint::default() };
            self.pixels.fill_rect(rect, &brush, Transform::identity(), None);
        }
    }

    /// Fills rows `from..to` with a vertical gradient; opaque, and much faster than a shader.
    pub fn rows(&mut self, from: f32, to: f32, top: Rgb, bottom: Rgb) {
        let width = self.pixels.width() as usize;
        let (first, last) = (from.max(0.0) as usize, (to.max(0.0) as usize).min(self.pixels.height() as usize));
        let span = (last.saturating_sub(first)).max(1) as f32;
        for (index, row) in self.pixels.data_mut().chunks_exact_mut(width * 4).take(last).skip(first).enumerate() {
            let [red, green, blue] = blend(top, bottom, index as f32 / span);
            let pixel = [red, green, blue, 255];
            row.chunks_exact_mut(4).for_each(|to| to.copy_from_slice(&pixel));
        }
    }
}

/// Returns a rectangle with round corners.
pub fn rounded(x: f32, y: f32, width: f32, height: f32, radius: f32) -> Option<Path> {
    let radius = radius.min(width / 2.0).min(height / 2.0).max(0.0);
    // Distance of the control point that makes a cubic look like a quarter of a circle.
    let bend = radius * 0.448;
    let (right, bottom) = (x + width, y + height);
    let mut path = PathBuilder::new();
    path.move_to(x + radius, y);
    path.line_to(right - radius, y);
    path.cubic_to(right - bend, y, right, y + bend, right, y + radius);
    path.line_to(right, bottom - radius);
    path.cubic_to(right, bottom - bend, right - bend, bottom, right - radius, bottom);
    path.line_to(x + radius, bottom);
    path.cubic_to(x + bend, bottom, x, bottom - bend, x, bottom - radius);
    path.line_to(x, y + radius);
    path.cubic_to(x, y + bend, x + bend, y, x + radius, y);
    path.close();
    path.finish()
}

/// Returns an ellipse around a point.
pub fn oval(x: f32, y: f32, wide: f32, tall: f32) -> Option<Path> {
    PathBuilder::from_oval(Rect::from_xywh(x - wide, y - tall, wide * 2.0, tall * 2.0)?)
}

/// Returns a closed figure with straight sides.
pub fn polygon(points: &[(f32, f32)]) -> Option<Path> {
    let mut path = PathBuilder::new();
    for (index, (x, y)) in points.iter().enumerate() {
        if index == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
    }
    path.close();
    path.finish()
}

/// Returns an open curve through one cubic: start, two handles, end.
pub fn curve(points: [(f32, f32); 4]) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(points[0].0, points[0].1);
    path.cubic_to(points[1].0, points[1].1, points[2].0, points[2].1, points[3].0, points[3].1);
    path.finish()
}

/// A stream of numbers from a seed: SplitMix64, so that a picture depends on nothing else.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns the next number below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.number() % count as u64) as usize
    }

    /// Returns the next number from 0 to 1.
    pub fn part(&mut self) -> f32 {
        (self.number() >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Returns the next number from `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.part()
    }
}
