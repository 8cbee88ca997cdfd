//! The steps of a plan as a drawing: Mermaid, DOT, SVG. One box a step, never one a shot.
//!
//! In: a plan, what is left of it and what that costs, where its shots stand if something has run. Out: text.
//! Never: a name that becomes markup; a box that only its colour tells from others.

mod layout;
mod svg;

use std::collections::HashSet;
use std::fmt::Write as _;

use super::run_report::StepStatus;
use super::text::{sum, sum_words, unit};
use crate::plan::{JobIx, Plan, PlannedStep};
use crate::pricing::{Estimate, StepLine, Unit};
use crate::types::diagnostic::counted;
use crate::types::visible;
pub use svg::svg;

/// What a step does to the purse, which is what its box looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Square corners.
    Paid,
    /// Round ends.
    Free,
    /// Six corners, or a dashed line.
    Pick,
}

/// One box of the drawing.
struct Node {
    name: String,
    sort: Sort,
    /// `edit, gpt-image-2`.
    kind: String,
    /// `72 shots: 12 sku × 2 angle × 3 surface`.
    shots: String,
    /// `12 each, 864 to buy`; empty for free work.
    cost: String,
    /// Where its shots stand, once something has run.
    status: Option<StepStatus>,
}

/// A plan, ready to be drawn.
pub struct Drawing {
    title: String,
    subtitle: String,
    nodes: Vec<Node>,
    /// Pairs of maker and taker, each once.
    edges: Vec<(usize, usize)>,
}

impl Drawing {
    /// Brings together what the boxes tell; `statuses` are those of the plan's steps, once something has run.
    pub fn new(plan: &Plan, estimate: &Estimate, statuses: Option<&[StepStatus]>) -> Self {
        let node = |(place, step): (usize, &PlannedStep)| Node {
            name: visible(&step.name).into_owned(),
            sort: if step.action.is_some() {
                Sort::Paid
            } else if step.kind == "pick" {
                Sort::Pick
            } else {
                Sort::Free
            },
            kind: kind(step),
            shots: shots(plan, step),
            cost: estimate.lines.get(place).map_or_else(String::new, cost),
            status: statuses.and_then(|all| all.get(place)).cloned(),
        };
        let mut edges: Vec<(usize, usize)> =
            plan.steps.iter().enumerate().flat_map(|(taker, step)| step.inputs.iter().map(move |maker| (*maker, taker))).collect();
        edges.sort_unstable();
        edges.dedup();
        Self {
            title: visible(&plan.campaign).into_owned(),
            subtitle: subtitle(plan, estimate),
            nodes: plan.steps.iter().enumerate().map(node).collect(),
            edges,
        }
    }

    /// Returns what the drawing shows, for those who cannot see it.
    fn description(&self) -> String {
        let makers = |taker: usize| -> Vec<&str> {
            self.edges.iter().filter(|(_, to)| *to == taker).map(|(from, _)| self.nodes[*from].name.as_str()).collect()
        };
        let told = self.nodes.iter().enumerate().map(|(place, node)| {
            let from = makers(place);
            let from = if from.is_empty() { String::new() } else { format!(" from {}", from.join(" and ")) };
            format!("{}{from}: {}", node.name, node.lines().join("; "))
        });
        told.collect::<Vec<_>>().join(". ")
    }
}

impl Node {
    /// Returns the lines below the name.
    fn lines(&self) -> Vec<String> {
        let status = self.status.as_ref().map(status_words);
        [Some(&self.kind), Some(&self.shots), Some(&self.cost), status.as_ref()]
            .into_iter()
            .flatten()
            .filter(|line| !line.is_empty())
            .cloned()
            .collect()
    }
}

fn kind(step: &PlannedStep) -> String {
    match (&step.model, step.kind) {
        (Some(model), kind) => format!("{kind}, {}", visible(model)),
        (None, "pick") => "pick, a person chooses".to_owned(),
        (None, kind) => format!("{kind}, local and free"),
    }
}

/// Returns how many shots a step has, and which values of which axes make them so many.
fn shots(plan: &Plan, step: &PlannedStep) -> String {
    let count = counted(step.jobs.len(), "shot");
    let values = |place: usize| step.jobs.clone().filter_map(|ix| plan.job(JobIx(ix)).cell.get(place).copied()).collect::<HashSet<u32>>().len();
    let axes = step.axes.iter().enumerate().filter_map(|(place, axis)| Some((values(place), plan.axes.get(*axis)?)));
    let axes: Vec<String> =
        axes.map(|(values, axis)| if axis.is_take { counted(values, "take") } else { format!("{values} {}", visible(&axis.name)) }).collect();
    if axes.is_empty() { count } else { format!("{count}: {}", axes.join(" × ")) }
}

fn cost(line: &StepLine) -> String {
    if line.unit == Unit::Free {
        return String::new();
    }
    let left = match (line.floor.micros.get(), line.later.micros.get()) {
        (0, 0) if line.unpriced > 0 => return "no price".to_owned(),
        (0, 0) => "nothing to buy".to_owned(),
        (0, _) => format!("{} once chosen", sum(line.later)),
        (_, 0) => format!("{} to buy", sum(line.floor)),
        _ => format!("{} to buy, {} once chosen", sum(line.floor), sum(line.later)),
    };
    format!("{} each, {left}", unit(line.unit))
}

fn subtitle(plan: &Plan, estimate: &Estimate) -> String {
    let (totals, currency) = (&estimate.totals, &estimate.book.currency);
    let mut parts = vec![counted(plan.jobs.len(), "shot")];
    if totals.floor.micros.get() == 0 && totals.later.micros.get() == 0 && estimate.unpriced.is_empty() {
        parts.push("nothing left to buy".to_owned());
    } else {
        parts.push(format!("to buy {}, in one run at most {}", sum_words(currency, totals.floor), sum(totals.ceiling)));
    }
    if totals.later.micros.get() > 0 {
        parts.push(format!("{} once somebody has chosen", sum(totals.later)));
    }
    parts.join("; ")
}

fn status_words(step: &StepStatus) -> String {
    let mut words = format!("{} of {} done", step.done, step.jobs);
    let others = [
        (step.failed, "failed"),
        (step.rejected, "rejected"),
        (step.in_doubt, "in doubt"),
        (step.under_way, "under way"),
        (step.blocked, "waiting"),
        (step.to_pick, "to pick"),
        (step.left_out, "left out"),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        let _ = write!(words, ", {count} {what}");
    }
    words
}

/// Returns the steps as a Mermaid flowchart; paid steps have square corners, free ones round ends, choices six corners.
pub fn mermaid(drawing: &Drawing) -> String {
    // GitHub leaves its own box and font for the title; one line of it is enough.
    let title = format!("{}: {}", drawing.title, drawing.subtitle);
    let mut text = format!("---\ntitle: \"{}\"\n---\nflowchart LR\n", front(&title));
    let _ = writeln!(text, "  accTitle: {}", front(&title));
    let _ = writeln!(text, "  accDescr: {}", front(&drawing.description()));
    for (place, node) in drawing.nodes.iter().enumerate() {
        let lines: Vec<String> = node.lines().iter().map(|line| mermaid_text(line)).collect();
        let label = format!("<b>{}</b><br/>{}", mermaid_text(&node.name), lines.join("<br/>"));
        let _ = match node.sort {
            Sort::Paid => writeln!(text, "  s{place}[\"{label}\"]:::paid"),
            Sort::Free => writeln!(text, "  s{place}([\"{label}\"])"),
            Sort::Pick => writeln!(text, "  s{place}{{{{\"{label}\"}}}}:::pick"),
        };
    }
    for (maker, taker) in &drawing.edges {
        let _ = writeln!(text, "  s{maker} --> s{taker}");
    }
    let looks = [(Sort::Paid, "paid stroke:#2b62c4,stroke-width:2px"), (Sort::Pick, "pick stroke:#a3690b,stroke-width:2px,stroke-dasharray:5 3")];
    for (_, look) in looks.into_iter().filter(|(sort, _)| drawing.nodes.iter().any(|node| node.sort == *sort)) {
        let _ = writeln!(text, "  classDef {look}");
    }
    text.push_str("  %% square: paid; round: local and free; six corners: a person chooses\n");
    text
}

/// Returns a text for a line of its own in Mermaid: only what ends nothing and begins nothing.
fn front(text: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_' | ',' | '.' | '+' | '?' | '≥' | '×' | '$' | ':');
    text.chars()
        .map(|char| {
            if char == ';' {
                ','
            } else if is_plain(char) {
                char
            } else {
                '_'
            }
        })
        .collect()
}

/// Writes as a character reference whatever Mermaid or HTML could take for markup.
fn mermaid_text(text: &str) -> String {
    let is_plain = |char: char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_' | ',' | '.' | '+' | '?' | '≥' | '×');
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
pub fn dot(drawing: &Drawing) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let mut text = "digraph campaign {\n  rankdir=LR;\n  labelloc=t;\n".to_owned();
    let _ = writeln!(text, "  label=\"{}\\n{}\";", quoted(&drawing.title), quoted(&drawing.subtitle));
    text.push_str("  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n  graph [fontname=\"sans-serif\"];\n");
    for (place, node) in drawing.nodes.iter().enumerate() {
        let style = match node.sort {
            Sort::Paid => "color=\"#2b62c4\", penwidth=1.5",
            Sort::Free => "style=rounded",
            Sort::Pick => "shape=hexagon, color=\"#a3690b\", style=dashed",
        };
        let label: Vec<String> = std::iter::once(&node.name).chain(&node.lines()).map(|line| quoted(line)).collect();
        let _ = writeln!(text, "  s{place} [label=\"{}\", {style}];", label.join("\\n"));
    }
    for (maker, taker) in &drawing.edges {
        let _ = writeln!(text, "  s{maker} -> s{taker};");
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests;
