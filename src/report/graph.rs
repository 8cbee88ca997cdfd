//! The steps of a plan as a drawing: Mermaid, DOT, SVG.
//!
//! In: a plan, and what each step costs if that is known. Out: text. Never: a name that becomes markup.

use std::fmt::Write as _;

use super::text::{cut, sum, unit};
use crate::plan::Plan;
use crate::pricing::{Estimate, Unit};
use crate::types::visible;

/// One box of the drawing: a heading and a line below it.
struct Node {
    name: String,
    below: String,
    is_paid: bool,
}

fn nodes(plan: &Plan, estimate: Option<&Estimate>) -> Vec<Node> {
    let node = |(place, step): (usize, &crate::plan::PlannedStep)| {
        let shots = crate::types::diagnostic::counted(step.jobs.len(), "shot");
        let line = estimate.and_then(|estimate| estimate.lines.get(place));
        let below = match line {
            Some(line) if line.unit == Unit::Free => format!("{}, {shots}", step.kind),
            Some(line) => format!("{}, {shots} x {}, floor {}", step.kind, unit(line.unit), sum(line.floor)),
            None => format!("{}, {shots}", step.kind),
        };
        Node { name: visible(&step.name).into_owned(), below, is_paid: step.action.is_some() }
    };
    plan.steps.iter().enumerate().map(node).collect()
}

/// Returns the pairs of maker and taker, each once.
fn edges(plan: &Plan) -> Vec<(usize, usize)> {
    let mut edges: Vec<(usize, usize)> =
        plan.steps.iter().enumerate().flat_map(|(taker, step)| step.inputs.iter().map(move |maker| (*maker, taker))).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Returns the steps as a Mermaid flowchart; paid steps have square corners, free ones round.
pub fn mermaid(plan: &Plan, estimate: Option<&Estimate>) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (place, node) in nodes(plan, estimate).iter().enumerate() {
        let label = format!("<b>{}</b><br/>{}", mermaid_text(&node.name), mermaid_text(&node.below));
        let _ = if node.is_paid { writeln!(text, "  s{place}[\"{label}\"]") } else { writeln!(text, "  s{place}(\"{label}\")") };
    }
    for (maker, taker) in edges(plan) {
        let _ = writeln!(text, "  s{maker} --> s{taker}");
    }
    text
}

/// Writes as a character reference whatever Mermaid or HTML could take for markup.
fn mermaid_text(text: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_' | ',' | '.' | '+' | '?' | '≥');
    text.chars().fold(String::new(), |mut escaped, char| {
        if is_plain(char) {
            escaped.push(char);
        } else {
            let _ = write!(escaped, "#{};", u32::from(char));
        }
        escaped
    })
}

/// Returns the steps as a DOT digraph.
pub fn dot(plan: &Plan, estimate: Option<&Estimate>) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = "digraph campaign {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
    for (place, node) in nodes(plan, estimate).iter().enumerate() {
        let style = if node.is_paid { "" } else { ", style=rounded" };
        let _ = writeln!(text, "  s{place} [label=\"{}\\n{}\"{style}];", quoted(&node.name), quoted(&node.below));
    }
    for (maker, taker) in edges(plan) {
        let _ = writeln!(text, "  s{maker} -> s{taker};");
    }
    text.push_str("}\n");
    text
}

/// Width of a box in the SVG.
const BOX_WIDTH: usize = 250;
/// Height of a box.
const BOX_HEIGHT: usize = 56;
/// Free space between two columns.
const GAP_X: usize = 56;
/// Free space between two rows.
const GAP_Y: usize = 24;
/// Free space around everything.
const MARGIN: usize = 20;
/// Characters that fit into a box.
const BOX_CHARS: usize = 36;

/// Returns the steps as an SVG picture that reads on light and on dark pages.
pub fn svg(plan: &Plan, estimate: Option<&Estimate>) -> String {
    let nodes = nodes(plan, estimate);
    let places = columns(plan);
    let at = |node: usize| {
        let (column, row) = places[node];
        (MARGIN + column * (BOX_WIDTH + GAP_X), MARGIN + row * (BOX_HEIGHT + GAP_Y))
    };
    let right = (0..nodes.len()).map(|node| at(node).0 + BOX_WIDTH).max().unwrap_or(0) + MARGIN;
    let bottom = (0..nodes.len()).map(|node| at(node).1 + BOX_HEIGHT).max().unwrap_or(0) + MARGIN;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{right}\" height=\"{bottom}\" viewBox=\"0 0 {right} {bottom}\" \
         font-family=\"ui-sans-serif, system-ui, sans-serif\">\n<style>\n\
         rect {{ fill: #fff; stroke: #767c86; }} .paid {{ stroke: #2b62c4; stroke-width: 1.5; }} text {{ fill: #1d2127; font-size: 12px; }}\n\
         .name {{ font-size: 14px; font-weight: 600; }} path {{ marker-end: url(#arrow); fill: none; stroke: #8b919b; stroke-width: 1.5; }}\n\
         @media (prefers-color-scheme: dark) {{ rect {{ fill: #1b1e23; }} text {{ fill: #e7e9ec; }} .paid {{ stroke: #7aa7f5; }} }}\n</style>\n\
         <marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <polygon points=\"0,0.5 8,4 0,7.5\" fill=\"#8b919b\"/></marker>\n"
    );
    for (maker, taker) in edges(plan) {
        let ((from_x, from_y), (to_x, to_y)) = (at(maker), at(taker));
        let (from_x, from_y, to_y) = (from_x + BOX_WIDTH, from_y + BOX_HEIGHT / 2, to_y + BOX_HEIGHT / 2);
        let middle = from_x + to_x.saturating_sub(from_x) / 2;
        let _ = writeln!(text, "<path d=\"M{from_x} {from_y} C{middle} {from_y} {middle} {to_y} {to_x} {to_y}\"/>");
    }
    for (place, node) in nodes.iter().enumerate() {
        let (x, y) = at(place);
        let (class, corner) = if node.is_paid { (" class=\"paid\"", 3) } else { ("", 14) };
        let _ = writeln!(text, "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"{corner}\"{class}/>");
        let (text_x, name_y, below_y) = (x + 12, y + 23, y + 42);
        let _ = writeln!(text, "<text class=\"name\" x=\"{text_x}\" y=\"{name_y}\">{}</text>", xml(&cut(&node.name, 28)));
        let _ = writeln!(text, "<text x=\"{text_x}\" y=\"{below_y}\">{}</text>", xml(&cut(&node.below, BOX_CHARS)));
    }
    text.push_str("</svg>\n");
    text
}

/// Returns column and row of each step: right of all that it takes, in the plan's order from top to bottom.
fn columns(plan: &Plan) -> Vec<(usize, usize)> {
    let mut columns: Vec<usize> = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let after = step.inputs.iter().filter_map(|maker| columns.get(*maker)).max();
        columns.push(after.map_or(0, |column| column + 1));
    }
    let mut used = vec![0; columns.len() + 1];
    let place = |column: &usize| {
        let row = used[*column];
        used[*column] += 1;
        (*column, row)
    };
    columns.iter().map(place).collect()
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Budget;
    use crate::ledger::History;
    use crate::pricing::{Committed, estimate, quotes, sample};

    #[test]
    fn a_drawing_tells_steps_counts_and_cost() {
        let plan = sample::plan(2);
        let quotes = quotes(&plan, &sample::catalog("kie"));
        let work = sample::all_work(&plan, &History::default());
        let estimate = estimate(&plan, &work, &quotes, &Budget::default(), 1, &Committed::default()).expect("small sums");
        insta::assert_snapshot!(mermaid(&plan, Some(&estimate)), @r#"
        flowchart LR
          s0["<b>hero</b><br/>generate, 2 shots x 6, floor 12"]
          s1["<b>surface</b><br/>edit, 6 shots x 6, floor 36"]
          s2("<b>deliver</b><br/>transform, 6 shots")
          s0 --> s1
          s1 --> s2
        "#);
        insta::assert_snapshot!(dot(&plan, None), @r#"
        digraph campaign {
          rankdir=LR;
          node [shape=box, fontname="sans-serif"];
          s0 [label="hero\ngenerate, 2 shots"];
          s1 [label="surface\nedit, 6 shots"];
          s2 [label="deliver\ntransform, 6 shots", style=rounded];
          s0 -> s1;
          s1 -> s2;
        }
        "#);
        let drawn = svg(&plan, Some(&estimate));
        assert!(drawn.contains(">edit, 6 shots x 6, floor 36</text>") && drawn.matches("<rect").count() == 3 && drawn.matches("<path").count() == 2);
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let mut plan = sample::plan(1);
        plan.steps[0].name = "<script>\"]\\\u{1b}[2J".into();
        assert!(mermaid(&plan, None).contains("#60;script#62;#34;#93;#92;"));
        assert!(!mermaid(&plan, None).contains("<script"));
        assert!(dot(&plan, None).contains(r#"<script>\"]\\"#));
        let drawn = svg(&plan, None);
        assert!(drawn.contains("&lt;script&gt;&quot;]") && !drawn.contains('\u{1b}'));
    }
}
