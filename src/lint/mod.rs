//! What practice knows of prompts and chains, as rules by name: each finding is a warning with its place, reason and suggestion.
//!
//! In: a [`Campaign`] and its [`Plan`]. Out: [`Remark`]s, and after [`allow::heard`] those that nobody allowed. Never: an error, a picture, a price.
//! The rules are calm: a false alarm is worse than a miss, since a warning that is not true teaches not to read warnings.

pub mod allow;
mod chains;
mod prompts;
mod texts;
mod words;

use std::collections::HashSet;

use crate::campaign::Campaign;
use crate::plan::Plan;
use crate::types::{Diagnostic, FieldPath, Rule};

/// How many cells of tables are told for one rule; the rest are counted.
const MOST_CELLS: usize = 3;

/// What a rule has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The rule.
    pub rule: Rule,
    /// What it says, and where.
    pub said: Diagnostic,
    /// Further places at which a comment allows it: the template that a cell is looked up in.
    pub also_at: Vec<FieldPath>,
    /// Whether it is about a cell of a table.
    pub is_cell: bool,
}

impl Remark {
    /// Makes the remark of a rule: `label` is said at the place, `help` suggests what to write instead.
    fn new(rule: Rule, at: FieldPath, label: impl Into<String>, help: impl Into<String>) -> Self {
        let said = Diagnostic::warning(rule.name(), at, rule.reason()).label(label).help(help);
        Self { rule, said, also_at: Vec::new(), is_cell: false }
    }
}

/// What came of reading a campaign by all rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Linted {
    /// What the rules have to say, in the order of the rules.
    pub remarks: Vec<Remark>,
    /// Comments that allow something, but stand inside a text that is sent.
    pub sent_comments: Vec<FieldPath>,
}

/// Reads a campaign by all rules; each place is told once for each rule.
pub fn lint(campaign: &Campaign, plan: &Plan) -> Linted {
    let mut remarks = Vec::new();
    let mut sent_comments: Vec<FieldPath> = Vec::new();
    for step in 0..campaign.steps.len() {
        let fragments = texts::fragments(campaign, step);
        for fragment in &fragments {
            words::judge(fragment, &mut remarks);
            let comment = allow::comment_in(&fragment.written).map(|range| fragment.at.clone().inside(range));
            sent_comments.extend(comment.filter(|at| !fragment.is_cell && !sent_comments.contains(at)));
        }
        prompts::judge(campaign, plan, step, &fragments, &mut remarks);
        chains::judge(campaign, plan, step, &mut remarks);
    }
    let mut seen = HashSet::new();
    remarks.retain(|remark| seen.insert((remark.rule, remark.said.at.clone())));
    Linted { remarks: fewer_cells(remarks), sent_comments }
}

/// Keeps the first few remarks about cells for each rule; the last one says how many more there are.
fn fewer_cells(remarks: Vec<Remark>) -> Vec<Remark> {
    let mut kept: Vec<Remark> = Vec::new();
    for rule in Rule::ALL {
        let more = remarks.iter().filter(|remark| remark.rule == rule && remark.is_cell).count().saturating_sub(MOST_CELLS);
        let mut cells = 0;
        for remark in remarks.iter().filter(|remark| remark.rule == rule) {
            cells += usize::from(remark.is_cell);
            if remark.is_cell && cells > MOST_CELLS {
                continue;
            }
            let mut remark = remark.clone();
            if remark.is_cell && cells == MOST_CELLS && more > 0 {
                remark.said.label = format!("{}; so do {more} more cells", remark.said.label);
            }
            kept.push(remark);
        }
    }
    kept
}
