//! Two plans side by side on a terminal: what there is more and less, what it costs more and less, what the policy says.
//!
//! In: a [`DiffView`]. Out: text that reads at 80 columns. Never: a difference of two currencies; a total that hides what has no price.

use std::fmt::Write as _;

use anstyle::Style;

use super::changes::{Lines, address, pieces, shown};
use super::text::{Notes, Table, count, number, numbers, styled, sum, sum_words, words};
use crate::catalog::Certainty;
use crate::plan::{Change, Diff, Group, Side, Variant};
use crate::pricing::policy::percent;
use crate::pricing::{Delta, Estimate, Judged, PolicyVerdict, Sum, Verdict};
use crate::types::diagnostic::{counted, listed};
use crate::types::{Amount, Currency, Micros, MoneyError, visible};

/// Everything that the views of a comparison show.
pub struct DiffView<'a> {
    /// The campaign's name.
    pub campaign: &'a str,
    /// What it is compared with, as the user called it, with its commit: `main (1a2b3c4d5e)`.
    pub against: &'a str,
    /// The profile.
    pub profile: Option<&'a str>,
    /// The base.
    pub base: &'a dyn Side,
    /// The plan as it is now.
    pub current: &'a dyn Side,
    /// What differs.
    pub diff: &'a Diff,
    /// What both cost.
    pub delta: &'a Delta,
    /// What is left to do of the current plan, and what that costs.
    pub estimate: &'a Estimate,
    /// What the gate would say to a run.
    pub verdict: &'a Verdict,
    /// What the campaign's policy says.
    pub policy: &'a [PolicyVerdict],
    /// Further sentences.
    pub notes: &'a [String],
}

impl DiffView<'_> {
    /// Returns whether both plans make the same for the same price.
    pub fn is_nothing(&self) -> bool {
        self.diff.groups.is_empty() && self.delta.is_nothing()
    }
}

/// Most groups of jobs that are shown one by one.
const MOST_GROUPS: usize = 12;

/// Most texts of a group that are shown.
const MOST_VARIANTS: usize = 3;

/// Most fields of a job that are shown.
const MOST_FIELDS: usize = 4;

/// Words around what differs.
const CONTEXT: usize = 4;

/// Where a sentence begins.
const INDENT: usize = 11;

/// Returns the comparison for a terminal of `width` columns.
///
/// # Errors
/// A difference that does not fit.
pub fn diff_table(view: &DiffView<'_>, width: usize, color: bool) -> Result<String, MoneyError> {
    let mut text = heading(view, color);
    if view.is_nothing() {
        let jobs = counted(view.diff.unchanged, "shot");
        let total = sum_words(&view.delta.current.currency, view.delta.total.after);
        let _ = writeln!(text, "nothing changed: {jobs}, {total} for the whole plan");
        let mut notes = Notes { text, width, color };
        view.notes.iter().for_each(|note| notes.say("note", note));
        return Ok(notes.text);
    }
    text.push('\n');
    text.push_str(&steps(view)?.render(width, color));
    text.push('\n');
    let mut notes = Notes { text, width, color };
    notes.say("total", &total_words(view.delta)?);
    notes.say("to buy", &to_buy_words(view.estimate));
    policy(view.policy, &mut notes);
    let (whole, altered): (Vec<&Group>, Vec<&Group>) =
        view.diff.groups.iter().partition(|group| matches!(group.change, Change::Added | Change::Removed));
    for group in altered.iter().take(MOST_GROUPS) {
        notes.text.push_str(&told(view, group, width, color));
    }
    if let Some(rest) = altered.get(MOST_GROUPS..).filter(|rest| !rest.is_empty()) {
        let jobs: usize = rest.iter().map(|group| group.pairs.len()).sum();
        let groups = counted(rest.len(), "more group");
        notes.say("", &format!("and {groups} of {}: `--format json` holds all", counted(jobs, "shot")));
    }
    for change in [Change::Added, Change::Removed] {
        if let Some(sentence) = by_step(whole.iter().filter(|group| group.change == change)) {
            notes.say(change.as_str(), &sentence);
        }
    }
    remarks(view, &mut notes);
    Ok(notes.text)
}

fn heading(view: &DiffView<'_>, color: bool) -> String {
    let mut line = styled(&visible(view.campaign), Style::new().bold(), color);
    if let Some(profile) = view.profile {
        let _ = write!(line, ", profile {}", visible(profile));
    }
    let book = &view.estimate.book;
    let date = book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    let _ = writeln!(line, " against {}, prices `{}` {date}", visible(view.against), visible(&book.name));
    line
}

fn steps(view: &DiffView<'_>) -> Result<Table, MoneyError> {
    let mut table = Table::new(vec![
        words("step", Some(8)),
        numbers("jobs"),
        numbers("added"),
        numbers("changed"),
        numbers("moved"),
        numbers("removed"),
        numbers("before"),
        numbers("after"),
        numbers("delta"),
        numbers("to buy"),
    ]);
    let mut all = [0; 5];
    for (step, sums) in view.diff.steps.iter().zip(&view.delta.steps) {
        let counts = [step.after, step.added, step.changed, step.moved, step.removed];
        all.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
        let sums = [
            shown_sum(sums.before),
            shown_sum(sums.after),
            delta_cell(view.delta, sums.delta()?),
            to_buy(view.estimate, &step.name).map_or("-".to_owned(), shown_sum),
        ];
        table.row(std::iter::once(step.name.clone()).chain(counts.map(count)).chain(sums).collect());
    }
    let total = &view.delta.total;
    let sums = [sum(total.before), sum(total.after), delta_cell(view.delta, total.delta()?), sum(view.estimate.totals.floor)];
    table.totals(std::iter::once("total".to_owned()).chain(all.map(count)).chain(sums).collect());
    table.drop_if_empty(&["added", "changed", "moved", "removed", "delta"]);
    Ok(table)
}

/// Returns a sum of a table; `-` for none.
pub(super) fn shown_sum(of: Sum) -> String {
    match (of.certainty, of.micros) {
        (Certainty::Unknown, Micros::ZERO) => "?".to_owned(),
        (_, Micros::ZERO) => "-".to_owned(),
        _ => sum(of),
    }
}

/// Returns what a sum has grown by, for a table: `+144`, `-12`, `-` for nothing, `~+144` when one side is not exact.
pub(super) fn delta_cell(delta: &Delta, grown: Sum) -> String {
    if !delta.has_one_currency() || (grown.micros == Micros::ZERO && grown.is_exact()) {
        return "-".to_owned();
    }
    let about = if grown.is_exact() { "" } else { "~" };
    format!("{about}{}", signed(grown.micros))
}

fn signed(micros: Micros) -> String {
    // Rounded away from zero on both sides, as sums are.
    match micros {
        Micros::ZERO => "0".to_owned(),
        more if more > Micros::ZERO => format!("+{}", number(more)),
        less => format!("-{}", number(Micros::new(less.get().saturating_neg()))),
    }
}

/// Returns what is still to be bought of a step; `None` for one that is gone.
pub(super) fn to_buy(estimate: &Estimate, step: &str) -> Option<Sum> {
    estimate.lines.iter().find(|line| *line.name == *step).map(|line| line.floor)
}

/// Returns both totals and what lies between them.
pub(super) fn total_words(delta: &Delta) -> Result<String, MoneyError> {
    let (before, after) = (&delta.base.currency, &delta.current.currency);
    let sums = format!("{} -> {}", sum_words(before, delta.total.before), sum_words(after, delta.total.after));
    let mut words = match delta.grown()? {
        Some(grown) => format!("{sums}: {}", grown_words(after, delta.total.before, grown)),
        None => format!("{sums}: {before} before, {after} now; two currencies, so no difference"),
    };
    if let Some(usd) = delta.usd().filter(|_| !delta.has_one_currency() || *after != Currency::Usd) {
        let grown = grown_words(&Currency::Usd, usd.before, usd.delta()?);
        let _ = write!(words, "; in dollars {} -> {}: {grown}", sum_words(&Currency::Usd, usd.before), sum_words(&Currency::Usd, usd.after));
    }
    Ok(words)
}

/// Returns what a sum has grown by: `+144 credits (+10%)`.
pub(super) fn grown_words(currency: &Currency, before: Sum, grown: Sum) -> String {
    let about = if grown.is_exact() { "" } else { "about " };
    if grown.micros == Micros::ZERO {
        return format!("{about}the same");
    }
    let sign = if grown.micros > Micros::ZERO { "+" } else { "" };
    let rounded = signed(grown.micros).trim_start_matches('+').parse().unwrap_or(grown.micros);
    let share = match i128::from(before.micros.get()) {
        before if before > 0 => format!(" ({sign}{})", percent(share(i128::from(grown.micros.get()), before))),
        _ => String::new(),
    };
    format!("{about}{sign}{}{share}", Amount::new(currency.clone(), rounded))
}

/// Returns a share in hundredths of a per cent; from ten per cent on in tenths, which is as fine as anybody reads.
fn share(part: i128, whole: i128) -> i128 {
    let hundredths = part * 10_000 / whole;
    if hundredths.abs() >= 1000 { hundredths / 10 * 10 } else { hundredths }
}

/// Returns what is left to buy of the current plan, and what this workspace has already.
pub(super) fn to_buy_words(estimate: &Estimate) -> String {
    let currency = &estimate.book.currency;
    let all = &estimate.totals;
    let reused = all.counts.reused;
    let saved = if all.saved == Sum::default() { String::new() } else { format!(", {} saved", sum_words(currency, all.saved)) };
    let has = if reused == 0 { "it has none of the pictures yet".to_owned() } else { format!("{} reused{saved}", counted(reused, "picture")) };
    format!("{} now in this workspace: {has}", sum_words(currency, all.floor))
}

fn policy(verdicts: &[PolicyVerdict], notes: &mut Notes) {
    for verdict in verdicts {
        let sentence = verdict.to_string();
        match verdict.judged {
            Judged::Broken(_) if verdict.denies() => notes.refuse("denied", &sentence),
            Judged::Broken(_) => notes.warn("warning", &sentence),
            Judged::Open(_) => notes.warn("policy", &sentence),
            Judged::Kept(_) => notes.say("policy", &sentence),
        }
    }
}

/// Tells jobs that came or went, step by step: `4 shots of `hero`, 12 of `surface`; the first is …`.
fn by_step<'a>(groups: impl Iterator<Item = &'a &'a Group>) -> Option<String> {
    let groups: Vec<&Group> = groups.copied().collect();
    let first = groups.first()?;
    let mut steps: Vec<String> = groups.iter().take(MOST_GROUPS).map(|group| format!("{} of `{}`", group.pairs.len(), group.step)).collect();
    steps[0] = format!("{} of `{}`", counted(first.pairs.len(), "shot"), first.step);
    let more = groups.len().saturating_sub(MOST_GROUPS);
    let more = if more > 0 { format!(" and of {}", counted(more, "more step")) } else { String::new() };
    let name = if groups.len() == 1 && first.pairs.len() == 1 { "" } else { "the first is " };
    Some(format!("{}{more}; {name}{}", steps.join(", "), first.first))
}

/// Tells one group.
fn told(view: &DiffView<'_>, group: &Group, width: usize, color: bool) -> String {
    let word = if group.change.only_follows() { "follows" } else { group.change.as_str() };
    let word = styled(&format!("{word:<10}"), Style::new().dimmed(), color);
    let mut lines = Lines::new(width, INDENT, color);
    lines.say(&format!("{}{}", sentence(view, group), if group.variants.is_empty() { "" } else { ":" }));
    let mut text = format!("{word} {}\n", lines.finish());
    let mut told = 0;
    for variant in group.variants.iter().take(MOST_VARIANTS) {
        let mut lines = Lines::new(width, INDENT + 2, color);
        if group.variants.len() > 1 || group.uncompared > 0 {
            lines.say(&format!("{}, as {}:", counted(variant.jobs, "shot"), address(group, variant.first, view.base, view.current)));
        }
        fields(variant, &mut lines);
        let _ = writeln!(text, "{:indent$}{}", "", lines.finish(), indent = INDENT + 2);
        told += variant.jobs;
    }
    if let Some(more) = others(group, told, group.variants.len().saturating_sub(MOST_VARIANTS)) {
        let _ = writeln!(text, "{:indent$}{more}", "", indent = INDENT + 2);
    }
    text
}

fn fields(variant: &Variant, lines: &mut Lines) {
    for (place, change) in variant.fields.iter().take(MOST_FIELDS).enumerate() {
        let name = format!("{}:", change.name);
        lines.say(&if place == 0 { name } else { format!("· {name}") });
        lines.pieces(&pieces(change, CONTEXT));
    }
    let more = variant.fields.len().saturating_sub(MOST_FIELDS);
    if more > 0 {
        lines.say(&format!("and {}", counted(more, "more change")));
    }
}

/// Says how many jobs of a group are not shown by their texts.
pub(super) fn others(group: &Group, told: usize, texts: usize) -> Option<String> {
    let jobs: usize = group.variants.iter().map(|variant| variant.jobs).sum::<usize>().saturating_sub(told) + group.uncompared;
    match (group.variants.is_empty(), jobs) {
        (true, _) | (_, 0) => None,
        (false, jobs) if group.uncompared > 0 => Some(format!("and {} more with texts of their own", counted(jobs, "shot"))),
        (false, jobs) => Some(format!("and {} with {}", counted(jobs, "shot"), counted(texts, "other text"))),
    }
}

/// Says what has become of a group.
pub(super) fn sentence(view: &DiffView<'_>, group: &Group) -> String {
    let jobs = counted(group.pairs.len(), "shot");
    let step = format!("`{}`", group.step);
    let first = if group.pairs.len() == 1 { group.first.to_string() } else { format!("the first is {}", group.first) };
    match &group.change {
        Change::Changed { own, follows } => {
            let after = if follows.is_empty() {
                String::new()
            } else {
                format!(" follow{} from {}", if group.pairs.len() == 1 { "s" } else { "" }, listed(follows, 4))
            };
            match (own.is_empty(), follows.is_empty()) {
                (true, false) => format!("{jobs} of {step}{after}; {first}"),
                (true, true) => format!("{jobs} of {step}: another key, for which no ingredient tells the reason; {first}"),
                (false, true) => format!("{jobs} of {step} in {}; {first}", listed(own, 6)),
                (false, false) => format!("{jobs} of {step} in {}, and they follow from {}; {first}", listed(own, 6), listed(follows, 4)),
            }
        }
        Change::Added | Change::Removed => format!("{jobs} of {step}; {first}"),
        Change::Moved { from } => {
            let was = moved_from(view, group);
            let step = if *from == group.step { step } else { format!("`{from}` to {step}") };
            format!("{jobs} of {step}, the same pictures under other names: {} was {was}", group.first)
        }
        Change::Refiled => {
            let paths = group
                .pairs
                .first()
                .and_then(|pair| Some((view.base.path(pair.base? as usize).to_owned(), view.current.path(pair.current? as usize).to_owned())));
            let (was, is) = paths.unwrap_or_default();
            format!("{jobs} of {step}, the same pictures in other files: {was} is now {is}")
        }
    }
}

fn moved_from(view: &DiffView<'_>, group: &Group) -> String {
    let was = group.pairs.first().and_then(|pair| pair.base);
    was.map_or_else(String::new, |place| view.base.id(place as usize).to_string())
}

/// Returns a field's old and new value in full, for programs.
pub(super) fn values(change: &crate::plan::FieldChange) -> (Option<&str>, Option<&str>) {
    (change.was.as_ref().map(shown), change.is.as_ref().map(shown))
}

fn remarks(view: &DiffView<'_>, notes: &mut Notes) {
    for note in remarks_of(view) {
        notes.warn("note", &note);
    }
    for refusal in &view.verdict.refusals {
        if !matches!(refusal, crate::pricing::Refusal::Policy(_)) {
            notes.refuse("refused", &refusal.to_string());
        }
    }
    for warning in &view.verdict.warnings {
        if !matches!(warning, crate::pricing::Warning::Policy(_)) {
            notes.warn("warning", &warning.to_string());
        }
    }
    for note in view.notes {
        notes.say("note", note);
    }
}

/// Returns what must be known of the figures: prices that are missing or not exact.
pub(super) fn remarks_of(view: &DiffView<'_>) -> Vec<String> {
    let delta = view.delta;
    let mut notes = Vec::new();
    for (unpriced, when) in [(&delta.unpriced_before, "before"), (&delta.unpriced_after, "now")] {
        if unpriced.count > 0 {
            let names = listed(unpriced.first.iter().map(|job| job.as_str()), 3);
            let more = unpriced.count.saturating_sub(unpriced.first.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let has = if unpriced.count == 1 { "has" } else { "have" };
            notes.push(format!("{when}, {} {has} no price and no total includes them: {names}{more}", counted(unpriced.count, "shot")));
        }
    }
    let is_lower = |of: Sum| of.certainty == Certainty::LowerBound;
    if is_lower(delta.total.before) || is_lower(delta.total.after) {
        notes.push("`≥` and `~`: for some shots the book gives only a lower bound".to_owned());
    }
    notes
}

#[cfg(test)]
mod tests;
