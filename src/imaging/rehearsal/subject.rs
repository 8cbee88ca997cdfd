//! Draws the product: a silhouette turned on a lathe, with what sticks out of it, shaded as if lit from the upper left.

use tiny_skia::{GradientStop, LinearGradient, Path, PathBuilder, Point, Shader, SpreadMode, Transform};

use super::brush::{Canvas, Rgb, curve, darker, lighter, oval, paint, polygon, rounded};
use super::look::{Form, Look, View};

/// Where the subject stands: the middle of its foot, and its height in pixels.
#[derive(Debug, Clone, Copy)]
pub struct Stand {
    /// Middle of the foot.
    pub x: f32,
    /// Level of the foot.
    pub y: f32,
    /// Height.
    pub tall: f32,
}

/// Draws the product of a look, without its shadow. A card is drawn by the one who has the photo.
pub fn draw(canvas: &mut Canvas, look: &Look, stand: Stand) {
    let (body, accent) = look.product();
    let turned = matches!(look.view, View::Quarter | View::Side);
    let mut hand = Hand { canvas, stand, facing: if turned { -1.0 } else { 1.0 }, body, accent };
    match look.form {
        Form::Bottle => bottle(&mut hand),
        Form::Mug => mug(&mut hand),
        Form::Teapot => teapot(&mut hand),
        Form::Vase => vase(&mut hand),
        Form::Jar => jar(&mut hand),
        Form::Box => carton(&mut hand),
        Form::Ball => ball(&mut hand),
        Form::Flacon => flacon(&mut hand),
        Form::Lamp => lamp(&mut hand),
        Form::Bowl => bowl(&mut hand),
        Form::Bag => bag(&mut hand),
        Form::Card => {}
    }
}

/// Returns the height of the form in the space it is given: low things are drawn low.
pub fn height(form: Form) -> f32 {
    match form {
        Form::Bottle | Form::Lamp | Form::Card => 1.0,
        Form::Vase | Form::Bag => 0.92,
        Form::Flacon | Form::Box => 0.84,
        Form::Jar | Form::Ball => 0.74,
        Form::Teapot => 0.76,
        Form::Mug => 0.68,
        Form::Bowl => 0.46,
    }
}

/// Returns half the width of the form's foot in heights: for its shadow.
pub fn foot(form: Form) -> f32 {
    match form {
        Form::Bottle => 0.17,
        Form::Mug => 0.36,
        Form::Teapot => 0.36,
        Form::Vase => 0.2,
        Form::Jar => 0.4,
        Form::Box => 0.4,
        Form::Ball => 0.2,
        Form::Flacon => 0.3,
        Form::Lamp => 0.2,
        Form::Bowl => 0.45,
        Form::Bag => 0.36,
        Form::Card => 0.4,
    }
}

/// Draws in the subject's own measure: x from its middle, y up from its foot, both in heights.
struct Hand<'a> {
    canvas: &'a mut Canvas,
    stand: Stand,
    /// 1, or -1 for a mirrored subject; the light stays where it is.
    facing: f32,
    body: Rgb,
    accent: Rgb,
}

impl Hand<'_> {
    fn x(&self, x: f32) -> f32 {
        self.stand.x + x * self.facing * self.stand.tall
    }

    fn y(&self, y: f32) -> f32 {
        self.stand.y - y * self.stand.tall
    }

    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.x(x), self.y(y))
    }

    /// Light across a round body `wide` to each side.
    fn turned(&self, color: Rgb, wide: f32) -> Shader<'static> {
        let (left, right) = (self.stand.x - wide * self.stand.tall, self.stand.x + wide * self.stand.tall);
        let stops = vec![
            GradientStop::new(0.0, paint(darker(color, 0.30), 1.0)),
            GradientStop::new(0.16, paint(color, 1.0)),
            GradientStop::new(0.30, paint(lighter(color, 0.34), 1.0)),
            GradientStop::new(0.46, paint(lighter(color, 0.04), 1.0)),
            GradientStop::new(0.80, paint(darker(color, 0.34), 1.0)),
            GradientStop::new(1.0, paint(darker(color, 0.48), 1.0)),
        ];
        let shader = LinearGradient::new(Point::from_xy(left, 0.0), Point::from_xy(right, 0.0), stops, SpreadMode::Pad, Transform::identity());
        shader.unwrap_or(Shader::SolidColor(paint(color, 1.0)))
    }

    /// Turns a profile on the lathe: pairs of height and half width from the foot up, joined smoothly; the foot is a flat ellipse.
    fn lathe(&mut self, profile: &[(f32, f32)], color: Rgb) {
        let wide = profile.iter().map(|(_, half)| *half).fold(0.01, f32::max);
        let shader = self.turned(color, wide);
        let outline = self.profile(profile);
        self.canvas.shade(outline, shader);
    }

    fn profile(&self, profile: &[(f32, f32)]) -> Option<Path> {
        let mut path = PathBuilder::new();
        let (low, high) = (*profile.first()?, *profile.last()?);
        // An ellipse seen from slightly above is about an eighth as tall as wide.
        let dip = low.1 * 0.13;
        path.move_to(self.x(-low.1), self.y(low.0));
        smooth(&mut path, profile.iter().map(|(y, half)| self.at(-half, *y)).collect());
        path.line_to(self.x(high.1), self.y(high.0));
        smooth(&mut path, profile.iter().rev().map(|(y, half)| self.at(*half, *y)).collect());
        path.cubic_to(self.x(low.1), self.y(low.0 - dip), self.x(-low.1), self.y(low.0 - dip), self.x(-low.1), self.y(low.0));
        path.close();
        path.finish()
    }

    /// An open rim: the far inside, dark, with a bright lip.
    fn rim(&mut self, y: f32, half: f32, color: Rgb) {
        let (x, y, wide) = (self.stand.x, self.y(y), half * self.stand.tall);
        self.canvas.fill(oval(x, y, wide, wide * 0.16), lighter(color, 0.3), 1.0);
        self.canvas.fill(oval(x, y + wide * 0.012, wide * 0.91, wide * 0.125), darker(color, 0.55), 1.0);
    }

    /// A closed top, lit from above.
    fn top(&mut self, y: f32, half: f32, color: Rgb) {
        let (x, y, wide) = (self.stand.x, self.y(y), half * self.stand.tall);
        self.canvas.fill(oval(x, y, wide, wide * 0.14), lighter(color, 0.26), 1.0);
    }

    /// A bright reflection along the lit side.
    fn gleam(&mut self, x: f32, low: f32, high: f32, bulge: f32) {
        let (x, bulge) = (self.stand.x + x * self.stand.tall, bulge * self.stand.tall);
        let (low, high) = (self.y(low), self.y(high));
        let third = (low - high) / 3.0;
        let path = curve([(x, low), (x - bulge, low - third), (x - bulge, high + third), (x, high)]);
        let width = (self.stand.tall * 0.016).max(0.6);
        self.canvas.stroke(path, width, [255; 3], 0.5);
    }

    /// A paper label around a round body.
    fn label(&mut self, low: f32, high: f32, half: f32, color: Rgb) {
        let dip = half * 0.10;
        let mut path = PathBuilder::new();
        let corner = |x: f32, y: f32| (self.x(x), self.y(y));
        let sides = [corner(-half, high), corner(-half, low), corner(half, low), corner(half, high)];
        path.move_to(sides[0].0, sides[0].1);
        path.line_to(sides[1].0, sides[1].1);
        path.cubic_to(sides[1].0, self.y(low - dip), sides[2].0, self.y(low - dip), sides[2].0, sides[2].1);
        path.line_to(sides[3].0, sides[3].1);
        path.cubic_to(sides[3].0, self.y(high - dip), sides[0].0, self.y(high - dip), sides[0].0, sides[0].1);
        path.close();
        let shader = self.turned(color, half * 1.02);
        self.canvas.shade(path.finish(), shader);
        let line = self.stand.tall * 0.009;
        let middle = (low + high) / 2.0;
        let ink = darker(color, 0.62);
        for (offset, part) in [(0.028, 0.5), (-0.004, 0.34), (-0.03, 0.34)] {
            let y = self.y(middle + offset - dip * 0.72);
            let half = half * part * self.stand.tall;
            let path = curve([
                (self.stand.x - half, y),
                (self.stand.x - half / 2.0, y + line * 0.7),
                (self.stand.x + half / 2.0, y + line * 0.7),
                (self.stand.x + half, y),
            ]);
            self.canvas.stroke(path, line, ink, 0.75);
        }
    }

    /// A bent bar: a handle or a spout.
    fn bar(&mut self, points: [(f32, f32); 4], thick: f32, color: Rgb) {
        let place = |(x, y): (f32, f32)| self.at(x, y);
        let placed = points.map(place);
        let width = thick * self.stand.tall;
        self.canvas.stroke(curve(placed), width, darker(color, 0.30), 1.0);
        let shifted = placed.map(|(x, y)| (x - width * 0.12, y - width * 0.14));
        self.canvas.stroke(curve(shifted), width * 0.58, lighter(color, 0.06), 1.0);
    }
}

/// Continues a path through points with curves that never overshoot sideways by much (Catmull-Rom, tension a sixth).
fn smooth(path: &mut PathBuilder, points: Vec<(f32, f32)>) {
    let at = |index: isize| points[index.clamp(0, points.len() as isize - 1) as usize];
    for index in 0..points.len() as isize - 1 {
        let (before, from, to, after) = (at(index - 1), at(index), at(index + 1), at(index + 2));
        let leave = (from.0 + (to.0 - before.0) / 6.0, from.1 + (to.1 - before.1) / 6.0);
        let reach = (to.0 - (after.0 - from.0) / 6.0, to.1 - (after.1 - from.1) / 6.0);
        path.cubic_to(leave.0, leave.1, reach.0, reach.1, to.0, to.1);
    }
}

fn bottle(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    hand.lathe(&[(0.0, 0.15), (0.02, 0.165), (0.3, 0.168), (0.56, 0.166), (0.66, 0.145), (0.74, 0.08), (0.79, 0.058), (0.9, 0.056)], body);
    hand.lathe(&[(0.87, 0.064), (0.93, 0.064), (0.985, 0.064)], accent);
    hand.top(0.985, 0.064, accent);
    hand.label(0.17, 0.47, 0.167, [0xf7, 0xf1, 0xe4]);
    hand.gleam(-0.095, 0.5, 0.62, 0.004);
    hand.gleam(-0.095, 0.05, 0.13, 0.004);
}

fn mug(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    hand.bar([(0.33, 0.78), (0.68, 0.92), (0.66, 0.2), (0.31, 0.22)], 0.095, body);
    hand.lathe(&[(0.0, 0.31), (0.04, 0.345), (0.5, 0.36), (0.96, 0.37)], body);
    hand.lathe(&[(0.30, 0.352), (0.37, 0.355), (0.44, 0.358)], accent);
    hand.rim(0.96, 0.37, body);
    hand.gleam(-0.22, 0.5, 0.84, 0.006);
}

fn teapot(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    hand.bar([(0.36, 0.66), (0.76, 0.86), (0.76, 0.18), (0.36, 0.24)], 0.075, accent);
    let (tip, root) = (hand.at(-0.72, 0.78), hand.at(-0.34, 0.44));
    let spout =
        [tip, hand.at(-0.62, 0.82), hand.at(-0.48, 0.36), hand.at(-0.3, 0.18), hand.at(-0.26, 0.5), (root.0, hand.y(0.56)), hand.at(-0.54, 0.62)];
    let mut path = PathBuilder::new();
    path.move_to(spout[1].0, spout[1].1);
    path.line_to(spout[0].0, spout[0].1);
    path.cubic_to(hand.x(-0.6), hand.y(0.62), hand.x(-0.6), hand.y(0.3), spout[3].0, spout[3].1);
    path.line_to(spout[4].0, spout[4].1);
    path.cubic_to(hand.x(-0.44), hand.y(0.52), hand.x(-0.52), hand.y(0.66), spout[1].0, spout[1].1);
    path.close();
    hand.canvas.fill(path.finish(), darker(body, 0.16), 1.0);
    hand.lathe(&[(0.0, 0.25), (0.03, 0.29), (0.16, 0.42), (0.36, 0.465), (0.56, 0.41), (0.70, 0.27), (0.73, 0.24)], body);
    hand.lathe(&[(0.715, 0.262), (0.76, 0.235), (0.82, 0.14), (0.845, 0.06)], accent);
    hand.lathe(&[(0.835, 0.03), (0.865, 0.048), (0.91, 0.062), (0.95, 0.048), (0.965, 0.01)], accent);
    hand.gleam(-0.27, 0.3, 0.56, 0.035);
}

fn vase(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    hand.lathe(&[(0.0, 0.15), (0.03, 0.165), (0.2, 0.27), (0.42, 0.325), (0.62, 0.24), (0.78, 0.115), (0.88, 0.105), (0.98, 0.165)], body);
    hand.lathe(&[(0.30, 0.308), (0.345, 0.317), (0.39, 0.323)], accent);
    hand.rim(0.98, 0.165, body);
    hand.gleam(-0.185, 0.34, 0.58, 0.02);
}

fn jar(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    hand.lathe(&[(0.0, 0.37), (0.03, 0.40), (0.1, 0.41), (0.4, 0.41), (0.66, 0.41), (0.74, 0.38)], body);
    hand.lathe(&[(0.72, 0.405), (0.8, 0.41), (0.94, 0.41)], accent);
    hand.top(0.94, 0.41, accent);
    hand.label(0.16, 0.56, 0.412, [0xf7, 0xf1, 0xe4]);
    hand.gleam(-0.28, 0.78, 0.89, 0.0);
}

fn carton(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    let place = |points: [(f32, f32); 4], hand: &Hand<'_>| polygon(&points.map(|(x, y)| hand.at(x, y)));
    let front = place([(-0.44, 0.03), (0.14, -0.02), (0.14, 0.84), (-0.44, 0.82)], hand);
    let side = place([(0.14, -0.02), (0.46, 0.08), (0.46, 0.84), (0.14, 0.84)], hand);
    let lid = place([(-0.44, 0.82), (0.14, 0.84), (0.46, 0.84), (-0.08, 0.93)], hand);
    hand.canvas.fill(front, lighter(body, 0.08), 1.0);
    hand.canvas.fill(side, darker(body, 0.34), 1.0);
    hand.canvas.fill(lid, lighter(body, 0.36), 1.0);
    let band = place([(-0.44, 0.30), (0.14, 0.27), (0.14, 0.50), (-0.44, 0.51)], hand);
    let band_side = place([(0.14, 0.27), (0.46, 0.32), (0.46, 0.52), (0.14, 0.50)], hand);
    hand.canvas.fill(band, accent, 1.0);
    hand.canvas.fill(band_side, darker(accent, 0.34), 1.0);
    let thick = hand.stand.tall * 0.014;
    for (y, to) in [(0.43, -0.06), (0.375, -0.18)] {
        let path = curve([hand.at(-0.37, y), hand.at(-0.3, y - 0.003), hand.at(-0.2, y - 0.006), hand.at(to, y - 0.009)]);
        hand.canvas.stroke(path, thick, lighter(accent, 0.7), 0.9);
    }
}

fn ball(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    let (x, y, radius) = (hand.stand.x, hand.y(0.5), 0.5 * hand.stand.tall);
    let lit = Point::from_xy(x - radius * 0.36, y - radius * 0.4);
    let stops = vec![
        GradientStop::new(0.0, paint(lighter(body, 0.6), 1.0)),
        GradientStop::new(0.35, paint(lighter(body, 0.1), 1.0)),
        GradientStop::new(0.8, paint(darker(body, 0.28), 1.0)),
        GradientStop::new(1.0, paint(darker(body, 0.5), 1.0)),
    ];
    let shader = tiny_skia::RadialGradient::new(lit, 0.0, lit, radius * 1.5, stops, SpreadMode::Pad, Transform::identity());
    hand.canvas.shade(oval(x, y, radius, radius), shader.unwrap_or(Shader::SolidColor(paint(body, 1.0))));
    let bands = [(0.12, 0.050), (-0.04, 0.022)];
    for (level, thick) in bands {
        let half = 0.497 * (1.0_f32 - (level * 2.0_f32).powi(2)).sqrt();
        let bend = level + 0.5 - 0.16;
        let path = curve([hand.at(-half, level + 0.5), hand.at(-half * 0.55, bend), hand.at(half * 0.55, bend), hand.at(half, level + 0.5)]);
        hand.canvas.stroke(path, thick * hand.stand.tall, accent, 0.92);
    }
    hand.canvas.glow(x - radius * 0.4, y - radius * 0.46, radius * 0.3, radius * 0.22, [255; 3], 0.75);
}

fn flacon(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    let tall = hand.stand.tall;
    let shader = hand.turned(body, 0.33);
    hand.canvas.shade(rounded(hand.stand.x - 0.32 * tall, hand.y(0.66), 0.64 * tall, 0.67 * tall, 0.07 * tall), shader);
    hand.canvas.fill(rounded(hand.stand.x - 0.255 * tall, hand.y(0.59), 0.51 * tall, 0.51 * tall, 0.035 * tall), lighter(body, 0.5), 0.35);
    hand.lathe(&[(0.655, 0.075), (0.69, 0.075), (0.725, 0.075)], lighter(accent, 0.25));
    let cap = hand.turned(accent, 0.135);
    hand.canvas.shade(rounded(hand.stand.x - 0.13 * tall, hand.y(0.99), 0.26 * tall, 0.27 * tall, 0.025 * tall), cap);
    let line = tall * 0.012;
    for (y, half) in [(0.36, 0.12), (0.31, 0.07)] {
        hand.canvas.fill(rounded(hand.stand.x - half * tall, hand.y(y), half * 2.0 * tall, line, line), darker(body, 0.6), 0.8);
    }
    hand.gleam(-0.285, 0.06, 0.58, 0.0);
}

fn lamp(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    hand.lathe(&[(0.0, 0.19), (0.015, 0.195), (0.035, 0.19), (0.05, 0.06), (0.07, 0.02)], accent);
    hand.lathe(&[(0.05, 0.018), (0.3, 0.018), (0.58, 0.018)], accent);
    let shade_color = lighter(body, 0.12);
    hand.lathe(&[(0.52, 0.37), (0.53, 0.372), (0.76, 0.285), (0.985, 0.195), (0.99, 0.19)], shade_color);
    hand.top(0.99, 0.19, shade_color);
    let (x, y, tall) = (hand.stand.x, hand.y(0.5), hand.stand.tall);
    hand.canvas.glow(x, y, tall * 0.42, tall * 0.2, [0xff, 0xee, 0xc2], 0.55);
}

fn bowl(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    hand.lathe(&[(0.0, 0.36), (0.04, 0.38), (0.1, 0.36)], darker(body, 0.1));
    hand.lathe(&[(0.08, 0.36), (0.2, 0.6), (0.5, 0.88), (0.92, 1.02)], body);
    hand.lathe(&[(0.70, 0.965), (0.76, 0.98), (0.82, 0.995)], accent);
    hand.rim(0.92, 1.02, body);
    hand.gleam(-0.64, 0.38, 0.64, 0.05);
}

fn bag(hand: &mut Hand<'_>) {
    let (body, accent) = (hand.body, hand.accent);
    let thick = 0.034 * hand.stand.tall;
    let back = curve([hand.at(-0.16, 0.64), hand.at(-0.15, 1.06), hand.at(0.17, 1.06), hand.at(0.18, 0.64)]);
    hand.canvas.stroke(back, thick, darker(accent, 0.42), 1.0);
    let mut path = PathBuilder::new();
    let points = [hand.at(-0.33, 0.68), hand.at(-0.4, 0.02), hand.at(0.4, 0.02), hand.at(0.33, 0.68)];
    path.move_to(points[0].0, points[0].1);
    path.cubic_to(hand.x(-0.34), hand.y(0.4), hand.x(-0.42), hand.y(0.2), points[1].0, points[1].1);
    path.cubic_to(hand.x(-0.2), hand.y(-0.03), hand.x(0.2), hand.y(-0.03), points[2].0, points[2].1);
    path.cubic_to(hand.x(0.42), hand.y(0.2), hand.x(0.34), hand.y(0.4), points[3].0, points[3].1);
    path.close();
    let shader = hand.turned(body, 0.46);
    hand.canvas.shade(path.finish(), shader);
    let front = curve([hand.at(-0.18, 0.62), hand.at(-0.17, 0.99), hand.at(0.15, 0.99), hand.at(0.16, 0.62)]);
    hand.canvas.stroke(front, thick, accent, 1.0);
    let (x, y, tall) = (hand.stand.x, hand.y(0.34), hand.stand.tall);
    hand.canvas.fill(oval(x, y, tall * 0.13, tall * 0.13), lighter(accent, 0.1), 0.95);
    hand.canvas.fill(oval(x, y, tall * 0.075, tall * 0.075), lighter(body, 0.2), 1.0);
    for (from, to) in [(-0.2, -0.27), (0.14, 0.24)] {
        let fold = curve([hand.at(from, 0.62), hand.at(from, 0.4), hand.at(to, 0.3), hand.at(to, 0.08)]);
        hand.canvas.stroke(fold, thick * 0.35, darker(body, 0.6), 0.28);
    }
}
