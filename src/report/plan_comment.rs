//! Two plans side by side as Markdown: a comment on a pull request.
//!
//! In: a [`DiffView`]. Out: Markdown, or nothing at all when nothing has changed.
//! Never: more than a comment may hold; markup, a link or a mention out of a prompt.

use std::fmt::Write as _;

use super::changes::{Piece, address, pieces};
use super::markdown::{code, plain};
use super::plan_diff::{DiffView, delta_cell, grown_words, others, remarks_of, sentence, shown_sum, to_buy, to_buy_words, total_words};
use super::plan_export::plan_markdown;
use super::plan_table::PlanView;
use super::text::{count, sum, sum_words};
use crate::plan::{Change, Group};
use crate::pricing::{Judged, PolicyVerdict, Sum};
use crate::types::MoneyError;
use crate::types::diagnostic::counted;

/// Longest comment that GitHub takes, 65,536 characters, less some for what a workflow may add. Counted in bytes, of which there are
/// never fewer than characters.
const MOST_BYTES: usize = 65_000;

/// What the last line may take.
const RESERVED: usize = 400;

/// Most texts of a group that are shown.
const MOST_VARIANTS: usize = 5;

/// Words around what differs.
const CONTEXT: usize = 8;

/// For whom the Markdown is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Any reader of Markdown: no HTML.
    Plain,
    /// A comment on GitHub: found again by its first line, details folded, cut to what a comment may hold.
    GitHub,
}

/// Returns the first line of a comment, by which a workflow finds it again.
pub fn marker(campaign: &str) -> String {
    // A campaign's name holds no `>`, so nothing of it can end the comment.
    format!("<!-- callsheet plan {} -->\n", code(campaign).replace('>', ""))
}

/// Returns the comment; empty when nothing has changed.
///
/// # Errors
/// A difference that does not fit.
pub fn diff_markdown(view: &DiffView<'_>, reader: Reader) -> Result<String, MoneyError> {
    diff_markdown_with(view, reader, "")
}

/// Returns the comment with further Markdown between its table and its details; empty when nothing has changed.
///
/// # Errors
/// A difference that does not fit.
pub(super) fn diff_markdown_with(view: &DiffView<'_>, reader: Reader, further: &str) -> Result<String, MoneyError> {
    if view.is_nothing() {
        return Ok(String::new());
    }
    let mut page = if reader == Reader::GitHub { marker(view.campaign) } else { String::new() };
    page.push_str(&heading(view)?);
    page.push_str(&table(view)?);
    let _ =
        writeln!(page, "\nAgainst {}: {}. To buy: {}.\n", plain(view.against), plain(&total_words(view.delta)?), plain(&to_buy_words(view.estimate)));
    remarks(view, &mut page);
    page.push_str(further);
    let limit = if reader == Reader::GitHub { MOST_BYTES } else { usize::MAX };
    details(view, reader, limit, &mut page);
    Ok(page)
}

/// Returns the comment for a plan that is compared with nothing.
pub fn plan_comment(view: &PlanView<'_>) -> String {
    marker(view.campaign) + &plan_markdown(view)
}

fn heading(view: &DiffView<'_>) -> Result<String, MoneyError> {
    let profile = view.profile.map_or(String::new(), |profile| format!(", profile {}", plain(profile)));
    let after = sum_words(&view.delta.current.currency, view.delta.total.after);
    let grown = match view.delta.grown()? {
        Some(grown) => grown_words(&view.delta.current.currency, view.delta.total.before, grown),
        None => "in another currency".to_owned(),
    };
    Ok(format!("### {}{profile}: {}, {}\n\n", plain(view.campaign), plain(&after), plain(&grown)))
}

/// Steps in which nothing has changed, as one row: what is above the total adds up to it.
#[derive(Default)]
struct Same {
    steps: usize,
    jobs: usize,
    costs: Sum,
    to_buy: Sum,
}

impl Same {
    fn add(&mut self, jobs: usize, costs: Sum, to_buy: Option<Sum>) -> Result<(), MoneyError> {
        self.steps += 1;
        self.jobs += jobs;
        self.costs = self.costs.and(costs)?;
        self.to_buy = self.to_buy.and(to_buy.unwrap_or_default())?;
        Ok(())
    }
}

fn table(view: &DiffView<'_>) -> Result<String, MoneyError> {
    let mut table = "| step | jobs | before | after | delta | to buy now |\n|---|--:|--:|--:|--:|--:|\n".to_owned();
    let jobs = |before: usize, after: usize| match before == after {
        true => count(after),
        false => format!("{before} → {after}"),
    };
    let (mut before, mut after, mut same) = (0, 0, Same::default());
    for (step, sums) in view.diff.steps.iter().zip(&view.delta.steps) {
        before += step.before;
        after += step.after;
        let is_same = step.added + step.changed + step.moved + step.removed == 0 && sums.before == sums.after;
        if is_same && view.delta.has_one_currency() {
            same.add(step.after, sums.after, to_buy(view.estimate, &step.name))?;
            continue;
        }
        let delta = delta_cell(view.delta, sums.delta()?);
        let cells = [
            plain(&step.name),
            jobs(step.before, step.after),
            shown_sum(sums.before),
            shown_sum(sums.after),
            if delta == "-" { delta } else { format!("**{delta}**") },
            to_buy(view.estimate, &step.name).map_or("-".to_owned(), shown_sum),
        ];
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    if same.steps > 0 {
        let cells = [count(same.jobs), shown_sum(same.costs), shown_sum(same.costs), "-".to_owned(), shown_sum(same.to_buy)];
        let _ = writeln!(table, "| *{} unchanged* | {} |", counted(same.steps, "step"), cells.join(" | "));
    }
    let total = &view.delta.total;
    let delta = delta_cell(view.delta, total.delta()?);
    let cells = [jobs(before, after), sum(total.before), sum(total.after), delta, sum(view.estimate.totals.floor)];
    let cells = cells.map(|cell| format!("**{cell}**"));
    let _ = writeln!(table, "| **total** | {} |", cells.join(" | "));
    Ok(table)
}

fn remarks(view: &DiffView<'_>, page: &mut String) {
    let before = page.len();
    for verdict in view.policy {
        let _ = writeln!(page, "- {}: {}", policy_word(verdict), plain(&verdict.to_string()));
    }
    for refusal in &view.verdict.refusals {
        if !matches!(refusal, crate::pricing::Refusal::Policy(_)) {
            let _ = writeln!(page, "- ⛔ **a run would be refused**: {}", plain(&refusal.to_string()));
        }
    }
    for warning in &view.verdict.warnings {
        if !matches!(warning, crate::pricing::Warning::Policy(_)) {
            let _ = writeln!(page, "- ⚠️ {}", plain(&warning.to_string()));
        }
    }
    for note in remarks_of(view).iter().chain(view.notes) {
        let _ = writeln!(page, "- {}", plain(note));
    }
    if page.len() > before {
        page.push('\n');
    }
}

fn policy_word(verdict: &PolicyVerdict) -> &'static str {
    match verdict.judged {
        Judged::Broken(_) if verdict.denies() => "⛔ **denied**",
        Judged::Broken(_) => "⚠️ **warning**",
        Judged::Open(_) => "⚠️ policy",
        Judged::Kept(_) => "✅ policy",
    }
}

/// Tells the groups until the page is full, and how many more there are.
fn details(view: &DiffView<'_>, reader: Reader, limit: usize, page: &mut String) {
    let groups = &view.diff.groups;
    if groups.is_empty() {
        return;
    }
    let of = |name: &str| view.diff.count(|change| change.as_str() == name);
    let counts = [("changed", of("changed")), ("added", of("added")), ("removed", of("removed")), ("moved", of("moved"))];
    let counts: Vec<String> = counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
    let counts = format!("{}, {} unchanged", counts.join(", "), view.diff.unchanged);
    match reader {
        Reader::GitHub => {
            let _ = writeln!(page, "<details><summary>{counts}</summary>\n");
        }
        Reader::Plain => {
            let _ = writeln!(page, "{counts}:\n");
        }
    }
    for (place, group) in groups.iter().enumerate() {
        let told = told(view, group);
        if page.len() + told.len() > limit.saturating_sub(RESERVED) {
            let jobs: usize = groups[place..].iter().map(|group| group.pairs.len()).sum();
            let more = groups.len() - place;
            let _ = writeln!(page, "- … and {} of {}: `callsheet plan --base` shows all", counted(more, "more group"), counted(jobs, "shot"));
            break;
        }
        page.push_str(&told);
    }
    if reader == Reader::GitHub {
        page.push_str("\n</details>\n");
    }
}

fn told(view: &DiffView<'_>, group: &Group) -> String {
    let word = match &group.change {
        change if change.only_follows() => "follows",
        change => change.as_str(),
    };
    let mut text = format!("- **{word}** {}\n", plain(&sentence(view, group)));
    let mut told = 0;
    for variant in group.variants.iter().take(MOST_VARIANTS) {
        told += variant.jobs;
        if group.variants.len() > 1 || group.uncompared > 0 {
            let first = address(group, variant.first, view.base, view.current);
            let _ = writeln!(text, "  - {}, as {}", counted(variant.jobs, "shot"), plain(first.as_str()));
        }
        let indent = if group.variants.len() > 1 || group.uncompared > 0 { "    " } else { "  " };
        for change in &variant.fields {
            let _ = writeln!(text, "{indent}- {}: {}", plain(&change.name), marked(&pieces(change, CONTEXT)));
        }
    }
    if let Some(more) = others(group, told, group.variants.len().saturating_sub(MOST_VARIANTS)) {
        let _ = writeln!(text, "  - {}", plain(&more));
    }
    if let (Change::Changed { .. }, true) = (&group.change, text.len() > MOST_BYTES / 2) {
        // One step with texts like books: what it is about is told, the texts are not.
        return format!("- **{word}** {} (too long to be shown)\n", plain(&sentence(view, group)));
    }
    text
}

/// Returns pieces as Markdown: what was is struck out, what is stands bold.
fn marked(pieces: &[Piece]) -> String {
    let parts = pieces.iter().map(|piece| match piece {
        Piece::Same(text) => plain(text),
        Piece::Old(text) => format!("~~{}~~", plain(text)),
        Piece::New(text) => format!("**{}**", plain(text)),
    });
    parts.collect::<Vec<_>>().join(" ")
}
