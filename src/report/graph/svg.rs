//! The drawing as an SVG picture: one file that reads on light and on dark pages, by keyboard tools and by screen readers.
//!
//! In: a [`Drawing`]. Out: SVG without a script, a link or a font of its own. Never: a text that leaves its box.

use std::fmt::Write as _;

use super::layout::{Layout, Sizes, layout};
use super::{Drawing, Node, Sort};
use crate::imaging::text::{fit, width};
use crate::report::run_report::StepStatus;

/// Size of a name, and of what stands below it.
const SIZES: (f32, f32) = (15.0, 12.5);
/// Narrowest and widest box, in pixels.
const BOX: (f32, f32) = (200.0, 330.0);
/// Free space inside of a box, left and right.
const PADDING: f32 = 14.0;
/// From one line of text to the next.
const LINE: f32 = 18.0;
/// Free space around everything.
const MARGIN: f32 = 24.0;
/// Height of title and subtitle.
const HEAD: f32 = 58.0;
/// Height of the legend.
const FOOT: f32 = 40.0;
/// Room that title and legend need.
const NARROWEST: f32 = 560.0;

const STYLE: &str = "\
text { fill: #1d2127; font-size: 12.5px; } .title { font-size: 19px; font-weight: 600; } .name { font-size: 15px; font-weight: 600; }
.soft { fill: #59616c; } .ground { fill: #ffffff; } .line { fill: none; stroke: #8b919b; stroke-width: 1.5; } .tip { fill: #8b919b; }
.box { stroke-width: 1.5; } .paid { fill: #f2f6fe; stroke: #2b62c4; } .free { fill: #f8f9fa; stroke: #8b919b; }
.pick { fill: #fdf6e9; stroke: #a3690b; stroke-dasharray: 6 3; }
.bar { fill: #d9dde2; } .done { fill: #2f7d43; } .wrong { fill: #c4372b; } .open { fill: #c58a1b; }
@media (prefers-color-scheme: dark) {
text { fill: #e7e9ec; } .soft { fill: #a7afb9; } .ground { fill: #14171b; } .line { stroke: #7c848f; } .tip { fill: #7c848f; }
.paid { fill: #182236; stroke: #7aa7f5; } .free { fill: #1d2126; stroke: #7c848f; } .pick { fill: #2a2214; stroke: #d7a03c; }
.bar { fill: #363c44; } .done { fill: #57b26e; } .wrong { fill: #ef6b5f; } .open { fill: #dfae4f; }
}";

/// Returns the steps as an SVG picture.
pub fn svg(drawing: &Drawing) -> String {
    let lines = drawing.nodes.iter().map(|node| node.lines().len()).max().unwrap_or(0) as f32;
    let has_bars = drawing.nodes.iter().any(|node| node.status.is_some());
    let widest = drawing.nodes.iter().map(needed).fold(BOX.0, f32::max).min(BOX.1).ceil();
    let sizes = Sizes { width: widest, height: 32.0 + lines * LINE + if has_bars { 14.0 } else { 8.0 }, gap_x: 64.0, gap_y: 22.0, lane: 10.0 };
    let places = layout(drawing.nodes.len(), &drawing.edges, sizes);
    let head = width(&drawing.subtitle, SIZES.1).max(width(&drawing.title, 19.0) * 1.1);
    let right = (places.width.max(head).max(NARROWEST) + 2.0 * MARGIN).ceil();
    let bottom = (places.height + HEAD + FOOT + 2.0 * MARGIN).ceil();
    let left = (right - places.width) / 2.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{right}\" height=\"{bottom}\" viewBox=\"0 0 {right} {bottom}\" role=\"img\" \
         aria-labelledby=\"callsheet-title callsheet-desc\" font-family=\"ui-sans-serif, system-ui, sans-serif\">\n\
         <title id=\"callsheet-title\">{}: {}</title>\n<desc id=\"callsheet-desc\">{}</desc>\n<style>\n{STYLE}\n</style>\n\
         <rect class=\"ground\" width=\"{right}\" height=\"{bottom}\"/>\n",
        xml(&drawing.title),
        xml(&drawing.subtitle),
        xml(&drawing.description())
    );
    let _ = writeln!(text, "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}</text>", MARGIN + 16.0, xml(&drawing.title));
    let _ = writeln!(text, "<text class=\"soft\" x=\"{MARGIN}\" y=\"{}\">{}</text>", MARGIN + 38.0, xml(&drawing.subtitle));
    let top = MARGIN + HEAD;
    arrows(&places, (left, top), &mut text);
    for (node, (x, y)) in drawing.nodes.iter().zip(&places.boxes) {
        boxed(node, (left + x, top + y), sizes, lines, &mut text);
    }
    legend(drawing, bottom - MARGIN, &mut text);
    text.push_str("</svg>\n");
    text
}

/// Returns the width that a box needs to show all of its text.
fn needed(node: &Node) -> f32 {
    // Letters of names are bold, and so a tenth wider.
    let lines = node.lines().iter().map(|line| width(line, SIZES.1)).fold(width(&node.name, SIZES.0) * 1.12, f32::max);
    lines + 2.0 * PADDING
}

fn arrows(places: &Layout, (left, top): (f32, f32), text: &mut String) {
    for points in &places.lines {
        let mut points = points.iter().map(|(x, y)| (left + x, top + y));
        let Some((mut x, mut y)) = points.next() else { continue };
        let mut way = format!("M{x:.1} {y:.1}");
        for (next_x, next_y) in points {
            let middle = (x + next_x) / 2.0;
            let _ = match y == next_y {
                true => write!(way, " H{next_x:.1}"),
                false => write!(way, " C{middle:.1} {y:.1} {middle:.1} {next_y:.1} {next_x:.1} {next_y:.1}"),
            };
            (x, y) = (next_x, next_y);
        }
        let _ = writeln!(text, "<path class=\"line\" d=\"{way}\"/>");
        let _ = writeln!(text, "<path class=\"tip\" d=\"M{:.1} {:.1} L{x:.1} {y:.1} L{:.1} {:.1} Z\"/>", x - 8.0, y - 4.5, x - 8.0, y + 4.5);
    }
}

fn class(sort: Sort) -> (&'static str, f32) {
    match sort {
        Sort::Paid => ("paid", 3.0),
        Sort::Free => ("free", 18.0),
        Sort::Pick => ("pick", 3.0),
    }
}

/// Draws a box; `most` is how many lines the fullest one has, so that the texts of the others stand in the middle.
fn boxed(node: &Node, (x, y): (f32, f32), sizes: Sizes, most: f32, text: &mut String) {
    let (class, corner) = class(node.sort);
    let lines = node.lines();
    let _ = writeln!(text, "<g><title>{}: {}</title>", xml(&node.name), xml(&lines.join("; ")));
    let (width, height, room) = (sizes.width, sizes.height, sizes.width - 2.0 * PADDING);
    let _ = writeln!(text, "<rect class=\"box {class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height}\" rx=\"{corner}\"/>");
    let text_x = x + PADDING;
    let first = y + 24.0 + (most - lines.len() as f32) * LINE / 2.0;
    let name = fit(&node.name, SIZES.0, room / 1.12);
    let _ = writeln!(text, "<text class=\"name\" x=\"{text_x:.1}\" y=\"{first:.1}\">{}</text>", xml(&name));
    for (place, line) in lines.iter().enumerate() {
        let class = if place == 0 { " class=\"soft\"" } else { "" };
        let line_y = first + 2.0 + (place as f32 + 1.0) * LINE;
        let _ = writeln!(text, "<text{class} x=\"{text_x:.1}\" y=\"{line_y:.1}\">{}</text>", xml(&fit(line, SIZES.1, room)));
    }
    if let Some(status) = &node.status {
        bar(status, (text_x, y + height - 11.0), room, text);
    }
    text.push_str("</g>\n");
}

/// Draws how much of a step is done: the words above say the same.
fn bar(status: &StepStatus, (x, y): (f32, f32), room: f32, text: &mut String) {
    let _ = writeln!(text, "<rect class=\"bar\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{room:.1}\" height=\"4\" rx=\"2\"/>");
    let wrong = status.failed + status.rejected + status.in_doubt;
    let open = status.under_way + status.to_pick;
    let mut from = x;
    for (count, class) in [(status.done, "done"), (wrong, "wrong"), (open, "open")].into_iter().filter(|(count, _)| *count > 0) {
        let part = room * count as f32 / status.jobs.max(1) as f32;
        let _ = writeln!(text, "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{part:.1}\" height=\"4\"/>");
        from += part;
    }
}

/// Tells what the looks of boxes and bars mean, as far as they are there.
fn legend(drawing: &Drawing, y: f32, text: &mut String) {
    let mut x = MARGIN;
    let sorts = [(Sort::Paid, "paid"), (Sort::Free, "local and free"), (Sort::Pick, "a person chooses")];
    for (sort, words) in sorts.into_iter().filter(|(sort, _)| drawing.nodes.iter().any(|node| node.sort == *sort)) {
        let (class, corner) = class(sort);
        let _ =
            writeln!(text, "<rect class=\"box {class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"26\" height=\"14\" rx=\"{}\"/>", y - 12.0, corner.min(7.0));
        let _ = writeln!(text, "<text class=\"soft\" x=\"{:.1}\" y=\"{y:.1}\">{words}</text>", x + 33.0);
        x += 33.0 + width(words, SIZES.1) + 22.0;
    }
    let statuses = || drawing.nodes.iter().filter_map(|node| node.status.as_ref());
    let has = [
        (statuses().any(|status| status.done > 0), "done", "done"),
        (statuses().any(|status| status.failed + status.rejected + status.in_doubt > 0), "wrong", "failed, rejected, in doubt"),
        (statuses().any(|status| status.under_way + status.to_pick > 0), "open", "under way, to pick"),
    ];
    for (_, class, words) in has.into_iter().filter(|(is_there, ..)| *is_there) {
        let _ = writeln!(text, "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"26\" height=\"4\" rx=\"2\"/>", y - 7.0);
        let _ = writeln!(text, "<text class=\"soft\" x=\"{:.1}\" y=\"{y:.1}\">{words}</text>", x + 33.0);
        x += 33.0 + width(words, SIZES.1) + 22.0;
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
