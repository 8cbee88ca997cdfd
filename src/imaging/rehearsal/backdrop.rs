//! Draws what is behind and under the product.

use tiny_skia::PathBuilder;

use super::brush::{Canvas, Dice, Rgb, blend, curve, darker, lighter, oval, polygon};
use super::look::{Decor, Light, Look};

/// Below this many pixels of the shorter side folds are fewer: nobody could count them, and such pictures are drawn by the thousand.
const SKETCH: f32 = 129.0;

/// Levels that the subject and the backdrop share, in pixels from the top.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    /// Where wall and floor meet.
    pub horizon: f32,
    /// Where the subject stands.
    pub stand: f32,
}

/// Covers the whole canvas. `detail` moves what may lie this way or that: light, boards, leaves.
pub fn draw(canvas: &mut Canvas, look: &Look, levels: Levels, detail: u64) {
    let mut dice = Dice::new(detail);
    let (wall, floor) = look.ground();
    let Levels { horizon, .. } = levels;
    if look.decor == Decor::Sweep {
        canvas.rows(0.0, horizon * 0.8, lighter(wall, 0.35), wall);
        canvas.rows(horizon * 0.8, levels.stand, wall, blend(wall, floor, 0.55));
        canvas.rows(levels.stand, canvas.height, blend(wall, floor, 0.55), floor);
    } else {
        canvas.rows(0.0, horizon, lighter(wall, 0.22), darker(wall, 0.06));
        canvas.rows(horizon, canvas.height, floor, darker(floor, 0.14));
    }
    match look.decor {
        Decor::Sweep => {}
        Decor::Arch => arch(canvas, look, levels),
        Decor::Window => window(canvas, look, levels, &mut dice),
        Decor::Planks => planks(canvas, floor, levels, &mut dice),
        Decor::Sun => sun(canvas, look, levels, &mut dice),
        Decor::Stone => stone(canvas, floor, levels, &mut dice),
        Decor::Plinth => plinth(canvas, look, levels),
        Decor::Linen => linen(canvas, floor, levels, &mut dice),
        Decor::Leaves => leaves(canvas, look, &mut dice),
        Decor::Curtain => curtain(canvas, wall, levels, &mut dice),
    }
    let (glow, strength) = match look.light {
        Light::Day => ([0xff, 0xff, 0xff], 0.34),
        Light::Evening => ([0xff, 0xc8, 0x78], 0.6),
        Light::Night => ([0x8a, 0xa6, 0xe8], 0.28),
        Light::Morning => ([0xff, 0xff, 0xff], 0.5),
    };
    let x = canvas.width * dice.between(0.3, 0.42);
    canvas.glow(x, horizon * 0.52, canvas.unit * 0.5, canvas.unit * 0.42, glow, strength);
}

fn arch(canvas: &mut Canvas, look: &Look, levels: Levels) {
    let (wall, _) = look.ground();
    let (_, accent) = look.product();
    for (half, alpha) in [(0.34, 0.42), (0.27, 0.5)] {
        let (x, half) = (canvas.width / 2.0, half * canvas.unit);
        let top = levels.horizon * 0.92 - canvas.unit * 0.5 + (0.34 * canvas.unit - half);
        let mut path = PathBuilder::new();
        path.move_to(x - half, levels.horizon);
        path.line_to(x - half, top + half);
        path.cubic_to(x - half, top - half * 0.33, x + half, top - half * 0.33, x + half, top + half);
        path.line_to(x + half, levels.horizon);
        path.close();
        canvas.fill(path.finish(), blend(wall, accent, 0.55), alpha);
    }
}

fn window(canvas: &mut Canvas, look: &Look, levels: Levels, dice: &mut Dice) {
    let light = look.lit([0xff, 0xf6, 0xdc]);
    let (unit, slant) = (canvas.unit, canvas.unit * 0.13);
    let left = canvas.width * dice.between(0.12, 0.5);
    let (pane, tall, gap) = (unit * 0.17, unit * 0.2, unit * 0.028);
    for column in 0..2 {
        for row in 0..2 {
            let x = left + column as f32 * (pane + gap) - row as f32 * slant * 0.55;
            let y = levels.horizon * 0.12 + row as f32 * (tall + gap);
            let lean = slant * 0.5;
            canvas.fill(
                polygon(&[(x, y), (x + pane, y + unit * 0.03), (x + pane - lean, y + tall + unit * 0.03), (x - lean, y + tall)]),
                light,
                0.62,
            );
        }
    }
    let (from, to) = (left - slant * 1.4, left + pane * 2.0 - slant * 1.4);
    let spill = [(from, levels.horizon), (to, levels.horizon), (to - unit * 0.34, canvas.height), (from - unit * 0.5, canvas.height)];
    canvas.fill(polygon(&spill), light, 0.3);
}

fn planks(canvas: &mut Canvas, floor: Rgb, levels: Levels, dice: &mut Dice) {
    let (bottom, middle) = (canvas.height, canvas.width / 2.0);
    let boards = 9;
    let spread = canvas.width * 2.1 / boards as f32;
    let narrow = canvas.width * 1.15 / boards as f32;
    for board in 0..boards {
        let side = board as f32 - boards as f32 / 2.0;
        let (near, far) = ((middle + side * spread, middle + (side + 1.0) * spread), (middle + side * narrow, middle + (side + 1.0) * narrow));
        let tone = dice.between(-0.14, 0.16);
        let color = if tone > 0.0 { lighter(floor, tone) } else { darker(floor, -tone) };
        let shape = [(far.0, levels.horizon), (far.1, levels.horizon), (near.1, bottom), (near.0, bottom)];
        canvas.fill(polygon(&shape), color, 0.9);
        let seam = curve([(far.1, levels.horizon), (far.1, levels.horizon), (near.1, bottom), (near.1, bottom)]);
        canvas.stroke(seam, (canvas.unit * 0.003).max(0.5), darker(floor, 0.5), 0.5);
        let part = dice.between(0.2, 0.9);
        let y = levels.horizon + (bottom - levels.horizon) * part;
        let (from, to) = (far.0 + (near.0 - far.0) * part, far.1 + (near.1 - far.1) * part);
        canvas.stroke(curve([(from, y), (from, y), (to, y), (to, y)]), (canvas.unit * 0.0025).max(0.4), darker(floor, 0.5), 0.4);
    }
    let edge = polygon(&[
        (0.0, levels.horizon),
        (canvas.width, levels.horizon),
        (canvas.width, levels.horizon + canvas.unit * 0.012),
        (0.0, levels.horizon + canvas.unit * 0.012),
    ]);
    canvas.fill(edge, darker(floor, 0.4), 0.3);
}

fn sun(canvas: &mut Canvas, look: &Look, levels: Levels, dice: &mut Dice) {
    let disc = look.lit([0xff, 0xd9, 0x8f]);
    let x = canvas.width * dice.between(0.38, 0.62);
    let radius = canvas.unit * 0.29;
    let y = levels.horizon - radius * 0.8;
    canvas.fill(oval(x, y, radius, radius), disc, 0.85);
    canvas.rows(levels.horizon, canvas.height, lighter(look.ground().1, 0.18), darker(look.ground().1, 0.22));
    for band in 0..9 {
        let part = (band as f32 + 0.5) / 9.0;
        let y = levels.horizon + (canvas.height - levels.horizon) * part * part;
        let half = canvas.unit * (0.1 + 0.3 * part) * dice.between(0.6, 1.2);
        let middle = x + canvas.unit * dice.between(-0.07, 0.07);
        canvas.fill(oval(middle, y, half, canvas.unit * 0.0055), lighter(disc, 0.4), 0.6);
    }
}

fn stone(canvas: &mut Canvas, floor: Rgb, levels: Levels, dice: &mut Dice) {
    let depth = canvas.unit * 0.05;
    canvas.rows(canvas.height - depth * 3.4, canvas.height, darker(floor, 0.22), darker(floor, 0.4));
    let bottom = canvas.height - depth * 3.4;
    for vein in 0..11 {
        let y = levels.horizon + (bottom - levels.horizon) * dice.part();
        let x = canvas.width * dice.between(-0.1, 0.9);
        let long = canvas.unit * dice.between(0.2, 0.65);
        let drop = canvas.unit * dice.between(-0.05, 0.05);
        let (from, to) = ((x, y), (x + long, (y + drop).clamp(levels.horizon, bottom)));
        let bend = canvas.unit * 0.03;
        let path = curve([from, (x + long * 0.3, from.1 - bend * dice.part()), (x + long * 0.7, to.1 + bend * dice.part()), to]);
        let (color, alpha) = if vein % 3 == 0 { (lighter(floor, 0.7), 0.8) } else { (darker(floor, 0.45), 0.3) };
        canvas.stroke(path, canvas.unit * dice.between(0.0015, 0.006), color, alpha);
    }
    let edge =
        curve([(0.0, levels.horizon), (canvas.width * 0.3, levels.horizon), (canvas.width * 0.7, levels.horizon), (canvas.width, levels.horizon)]);
    canvas.stroke(edge, canvas.unit * 0.006, lighter(floor, 0.6), 0.9);
}

fn plinth(canvas: &mut Canvas, look: &Look, levels: Levels) {
    let (wall, floor) = look.ground();
    let (x, half, top) = (canvas.width / 2.0, canvas.unit * 0.36, levels.stand - canvas.unit * 0.012);
    let flat = half * 0.16;
    let foot = top + canvas.unit * 0.16;
    canvas.glow(x + half * 0.2, foot + flat * 0.5, half * 1.5, flat * 2.0, darker(floor, 0.8), 0.45);
    let side = blend(wall, floor, 0.6);
    let mut path = PathBuilder::new();
    path.move_to(x - half, top);
    path.line_to(x - half, foot);
    path.cubic_to(x - half, foot + flat * 1.33, x + half, foot + flat * 1.33, x + half, foot);
    path.line_to(x + half, top);
    path.close();
    let path = path.finish();
    canvas.fill(path.clone(), darker(side, 0.16), 1.0);
    let lit = polygon(&[
        (x - half, top),
        (x - half * 0.2, top),
        (x - half * 0.2, foot + flat * 0.95),
        (x - half * 0.75, foot + flat * 0.6),
        (x - half, foot),
    ]);
    canvas.fill(lit, lighter(side, 0.3), 0.5);
    canvas.fill(oval(x, top, half, flat), lighter(wall, 0.4), 1.0);
}

fn linen(canvas: &mut Canvas, floor: Rgb, levels: Levels, dice: &mut Dice) {
    let (width, bottom) = (canvas.width, canvas.height);
    let middle = width / 2.0;
    let folds = if canvas.unit < SKETCH { 6 } else { 12 };
    for fold in 0..folds {
        // Folds run towards the eye, so they spread; each has a dark side and a lit ridge.
        let side = (fold as f32 + dice.between(-0.25, 0.25)) / folds as f32 - 0.5;
        let (far, near) = (middle + side * width * 1.15, middle + side * width * 1.9);
        let wide = width * dice.between(0.02, 0.05);
        let bulge = width * dice.between(-0.03, 0.03);
        let level = (levels.horizon + bottom) / 2.0;
        let mut band = |from: f32, to: f32, color: Rgb, alpha: f32| {
            let mut path = PathBuilder::new();
            path.move_to(far + from * 0.4, levels.horizon);
            path.quad_to((far + near) / 2.0 + bulge + from * 0.7, level, near + from, bottom);
            path.line_to(near + to, bottom);
            path.quad_to((far + near) / 2.0 + bulge + to * 0.7, level, far + to * 0.4, levels.horizon);
            path.close();
            canvas.fill(path.finish(), color, alpha);
        };
        band(0.0, wide * 1.9, darker(floor, 0.4), 0.13);
        band(0.0, wide, darker(floor, 0.4), 0.15);
        band(-wide, 0.0, lighter(floor, 0.8), 0.3);
    }
    let weave = (canvas.unit * 0.02).max(3.0);
    let mut y = levels.horizon + weave;
    while y < bottom && canvas.unit >= SKETCH {
        canvas.fill(polygon(&[(0.0, y), (width, y), (width, y + weave * 0.1), (0.0, y + weave * 0.1)]), lighter(floor, 0.7), 0.2);
        y += weave;
    }
}

fn leaves(canvas: &mut Canvas, look: &Look, dice: &mut Dice) {
    let unit = canvas.unit;
    for stem in 0..14 {
        let right = stem % 2 == 1;
        let edge = if right { canvas.width } else { 0.0 };
        let inward = if right { -1.0 } else { 1.0 };
        let (x, y) = (edge + inward * unit * dice.between(-0.05, 0.05), canvas.height * dice.between(0.02, 0.72));
        let (long, wide) = (unit * dice.between(0.18, 0.34), unit * dice.between(0.035, 0.06));
        let rise = unit * dice.between(-0.24, 0.06);
        let tip = (x + inward * long, y + rise);
        let (along, across) = ((tip.0 - x, tip.1 - y), (-(tip.1 - y), tip.0 - x));
        let size = (across.0 * across.0 + across.1 * across.1).sqrt().max(0.001);
        let push = (across.0 / size * wide, across.1 / size * wide);
        let mut path = PathBuilder::new();
        path.move_to(x, y);
        path.quad_to(x + along.0 * 0.45 + push.0, y + along.1 * 0.45 + push.1, tip.0, tip.1);
        path.quad_to(x + along.0 * 0.45 - push.0, y + along.1 * 0.45 - push.1, x, y);
        path.close();
        let green = look.lit(blend([0x3f, 0x6b, 0x45], [0x86, 0xa8, 0x6a], dice.part()));
        canvas.fill(path.finish(), green, 0.92);
        canvas.stroke(curve([(x, y), (x, y), tip, tip]), (unit * 0.0025).max(0.4), lighter(green, 0.4), 0.6);
    }
}

fn curtain(canvas: &mut Canvas, wall: Rgb, levels: Levels, dice: &mut Dice) {
    let folds = if canvas.unit < SKETCH { 6 } else { 13 };
    let step = canvas.width / folds as f32;
    for fold in 0..folds {
        let x = fold as f32 * step + step * dice.between(-0.15, 0.15);
        let wide = step * dice.between(0.3, 0.6);
        let shape = [(x, 0.0), (x + wide, 0.0), (x + wide * 1.15, levels.horizon), (x - wide * 0.15, levels.horizon)];
        canvas.fill(polygon(&shape), darker(wall, 0.3), 0.34);
        let lit = [(x + wide, 0.0), (x + wide * 1.35, 0.0), (x + wide * 1.5, levels.horizon), (x + wide * 1.15, levels.horizon)];
        canvas.fill(polygon(&lit), lighter(wall, 0.6), 0.5);
    }
}
