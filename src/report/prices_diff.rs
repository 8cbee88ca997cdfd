//! Two price books side by side, for people, machines and pull requests.
//!
//! In: a [`PricesDiffView`]. Out: text. A difference is only reckoned within one currency; what is not known is `?`, null or an empty cell.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::ReportError;
use super::markdown::plain;
use super::spreadsheet::neutral;
use super::text::{Column, Table, numbers, words, wrapped};
use crate::catalog::diff::permille;
use crate::catalog::{BookDiff, Certainty, CountedIn, DiffRow, PriceBook, Side, Turn};
use crate::pricing::Sum;
use crate::types::diagnostic::{counted, listed};
use crate::types::{Currency, Micros, visible};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// How many models a line names.
const MOST_NAMED: usize = 12;

/// Everything that is shown of two books.
#[derive(Debug, Clone, Copy)]
pub struct PricesDiffView<'a> {
    /// The book that was.
    pub old: &'a PriceBook,
    /// The book that is.
    pub new: &'a PriceBook,
    /// What differs.
    pub diff: &'a BookDiff,
    /// A campaign reckoned by both.
    pub campaign: Option<&'a CampaignSides>,
}

/// What a campaign costs by two books, every shot made once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignSides {
    /// Its name.
    pub name: String,
    /// Each paid step.
    pub steps: Vec<StepSides>,
    /// All of them.
    pub total: StepSides,
}

/// What a step costs by two books, in what they are compared in, else in each book's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSides {
    /// Its name.
    pub name: Arc<str>,
    /// Paid shots.
    pub jobs: usize,
    /// By the old book.
    pub old: Sum,
    /// By the new one.
    pub new: Sum,
}

impl StepSides {
    /// Returns how much dearer it is; `None` where a part has no price.
    pub fn delta(&self) -> Option<Micros> {
        let known = self.old.certainty != Certainty::Unknown && self.new.certainty != Certainty::Unknown;
        known.then(|| self.new.micros.checked_sub(self.old.micros).ok()).flatten()
    }
}

/// Returns the comparison as a person reads it: what differs.
pub fn prices_diff_table(view: &PricesDiffView<'_>, width: usize, color: bool) -> String {
    let mut text = String::new();
    let mut say = |sentence: &str| {
        let _ = writeln!(text, "{}", wrapped(&visible(sentence), width, 2));
    };
    say(&heading(view));
    say(&counted_in(view));
    let changed: Vec<&DiffRow> = changed(view).collect();
    if !changed.is_empty() {
        text.push('\n');
        let mut table = Table::new(columns("model", "row"));
        let mut last = None;
        for row in &changed {
            let first = last != Some(&row.model);
            last = Some(&row.model);
            let what = row.action.map_or(row.row.clone(), |action| format!("{action}: {}", row.row));
            let name = if first { row.model.to_string() } else { String::new() };
            table.row(vec![name, what, side(row.old), side(row.new), signed(row.delta()), change(row)]);
        }
        text.push_str(&table.render(width, color));
    }
    text.push('\n');
    for line in summary(view) {
        let _ = writeln!(text, "{}", wrapped(&visible(&line), width, 2));
    }
    if let Some(campaign) = view.campaign {
        let _ = writeln!(text, "\n{}\n", wrapped(&visible(&campaign_heading(view, campaign)), width, 2));
        let mut table = Table::new(vec![words("step", Some(8)), numbers("shots"), numbers("old"), numbers("new"), numbers("change"), numbers("%")]);
        for step in &campaign.steps {
            table.row(campaign_cells(view, step));
        }
        table.totals(campaign_cells(view, &campaign.total));
        text.push_str(&table.render(width, color));
    }
    text
}

/// Returns the comparison for a pull request.
pub fn prices_diff_markdown(view: &PricesDiffView<'_>) -> String {
    let mut page = format!("### Prices: {}\n\n{}\n", plain(&heading(view)), plain(&counted_in(view)));
    let changed: Vec<&DiffRow> = changed(view).collect();
    if !changed.is_empty() {
        page.push_str("\n| model | action | row | old | new | change | % |\n|---|---|---|--:|--:|--:|--:|\n");
        for row in changed {
            let action = row.action.map_or(String::new(), |action| action.to_string());
            let cells = [row.model.to_string(), action, row.row.clone(), side(row.old), side(row.new), signed(row.delta()), change(row)];
            let _ = writeln!(page, "| {} |", cells.map(|cell| in_table(&cell)).join(" | "));
        }
    }
    page.push('\n');
    for line in summary(view) {
        let _ = writeln!(page, "- {}", plain(&line));
    }
    if let Some(campaign) = view.campaign {
        let _ = write!(
            page,
            "\n#### {}\n\n| step | shots | old | new | change | % |\n|---|--:|--:|--:|--:|--:|\n",
            plain(&campaign_heading(view, campaign))
        );
        for step in &campaign.steps {
            let _ = writeln!(page, "| {} |", campaign_cells(view, step).iter().map(|cell| in_table(cell)).collect::<Vec<_>>().join(" | "));
        }
        let total: Vec<String> = campaign_cells(view, &campaign.total).iter().map(|cell| format!("**{}**", in_table(cell))).collect();
        let _ = writeln!(page, "| {} |", total.join(" | "));
    }
    page
}

/// Returns every row as JSON.
pub fn prices_diff_json(view: &PricesDiffView<'_>) -> Value {
    let book = |book: &PriceBook| json!({ "name": book.name, "as-of": book.as_of, "currency": book.currency, "usd-per-credit": book.usd_per_credit });
    let side = |side: Option<Side>| side.map(|side| json!({ "price": side.price, "certainty": side.certainty }));
    let row = |row: &DiffRow| {
        json!({
            "model": row.model, "action": row.action, "row": row.row, "old": side(row.old), "new": side(row.new), "turn": row.turn.as_str(),
            "delta": row.delta(), "percent": row.permille().map(percent),
        })
    };
    let step = |step: &StepSides| {
        json!({
            "step": step.name, "shots": step.jobs, "old": step.old, "new": step.new,
            "delta": campaign_delta(view, step), "percent": campaign_percent(view, step),
        })
    };
    let campaign = view.campaign.map(
        |campaign| json!({ "campaign": campaign.name, "steps": campaign.steps.iter().map(step).collect::<Vec<_>>(), "total": step(&campaign.total) }),
    );
    json!({
        "callsheet-prices-diff": FORMAT,
        "old": book(view.old), "new": book(view.new),
        "counted-in": common(view).map(|currency| currency.to_string()),
        "added": view.diff.added, "removed": view.diff.removed,
        "rows": view.diff.rows.iter().map(row).collect::<Vec<_>>(),
        "campaign": campaign,
    })
}

/// Returns every row as CSV; the campaign's steps follow as rows of the model `campaign NAME`.
///
/// # Errors
/// [`ReportError::Csv`] if a row does not take.
pub fn prices_diff_csv(view: &PricesDiffView<'_>) -> Result<String, ReportError> {
    let failed = |source| ReportError::Csv { file: "prices-diff.csv", source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heading =
        ["model", "action", "row", "old", "old_currency", "old_certainty", "new", "new_currency", "new_certainty", "turn", "delta", "percent"];
    writer.write_record(heading).map_err(failed)?;
    let currency = |book: &PriceBook| common(view).unwrap_or_else(|| book.currency.clone()).to_string();
    let side = |book: &PriceBook, side: Option<Side>| match side {
        Some(side) => [side.price.map_or(String::new(), |price| price.to_string()), currency(book), certainty(side.certainty).to_owned()],
        None => [const { String::new() }; 3],
    };
    let or_empty = |micros: Option<Micros>| micros.map_or(String::new(), |micros| micros.to_string());
    for row in &view.diff.rows {
        let action = row.action.map_or("any".to_owned(), |action| action.to_string());
        let mut cells = vec![neutral(&row.model).into_owned(), action, neutral(&row.row).into_owned()];
        cells.extend(side(view.old, row.old));
        cells.extend(side(view.new, row.new));
        cells.extend([row.turn.as_str().to_owned(), or_empty(row.delta()), row.permille().map_or(String::new(), percent)]);
        writer.write_record(&cells).map_err(failed)?;
    }
    if let Some(campaign) = view.campaign {
        for step in campaign.steps.iter().chain([&campaign.total]) {
            let of = |sum: Sum| Some(Side { price: Some(sum.micros), certainty: sum.certainty });
            let mut cells = vec![neutral(&format!("campaign {}", campaign.name)).into_owned(), String::new(), neutral(&step.name).into_owned()];
            cells.extend(side(view.old, of(step.old)));
            cells.extend(side(view.new, of(step.new)));
            cells.extend([String::new(), or_empty(campaign_delta(view, step)), campaign_percent(view, step).unwrap_or_default()]);
            writer.write_record(&cells).map_err(failed)?;
        }
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn columns(first: &'static str, second: &'static str) -> Vec<Column> {
    vec![words(first, Some(12)), words(second, Some(16)), numbers("old"), numbers("new"), numbers("change"), words("%", None)]
}

/// Returns the rows that are not the same in both.
fn changed<'a>(view: &PricesDiffView<'a>) -> impl Iterator<Item = &'a DiffRow> {
    let gone = |row: &DiffRow| view.diff.removed.contains(&row.model) || view.diff.added.contains(&row.model);
    let many = view.diff.added.len() + view.diff.removed.len() > MOST_NAMED;
    let rows: Vec<&DiffRow> = view.diff.rows.iter().filter(|row| row.turn != Turn::Same && !(many && gone(row))).collect();
    rows.into_iter()
}

fn heading(view: &PricesDiffView<'_>) -> String {
    let named = |book: &PriceBook| match book.as_of {
        Some(date) => format!("{} of {date}", book.name),
        None => format!("{}, undated", book.name),
    };
    format!("{} -> {}", named(view.old), named(view.new))
}

fn common(view: &PricesDiffView<'_>) -> Option<Currency> {
    match &view.diff.counted_in {
        CountedIn::Same(currency) => Some(currency.clone()),
        CountedIn::Usd => Some(Currency::Usd),
        CountedIn::Apart => None,
    }
}

fn counted_in(view: &PricesDiffView<'_>) -> String {
    let (old, new) = (&view.old.currency, &view.new.currency);
    match &view.diff.counted_in {
        CountedIn::Same(Currency::Usd) => "in USD".to_owned(),
        CountedIn::Same(Currency::Credits(book)) => format!("in credits of {book}"),
        CountedIn::Usd => format!("in USD, by the rates that the books state: {old} and {new} are different currencies"),
        CountedIn::Apart => {
            format!(
                "{old} and {new} are different currencies, and not both books state a rate to USD: prices stand side by side, no difference is reckoned"
            )
        }
    }
}

fn summary(view: &PricesDiffView<'_>) -> Vec<String> {
    let diff = view.diff;
    let turns = [Turn::Dearer, Turn::Cheaper, Turn::Certainty, Turn::NowKnown, Turn::NowUnknown, Turn::Added, Turn::Removed, Turn::Apart];
    let word = |turn: Turn| match turn {
        Turn::Certainty => "of another certainty",
        Turn::Apart => "side by side",
        other => other.as_str(),
    };
    let mut told: Vec<String> =
        turns.into_iter().filter(|turn| diff.count(*turn) > 0).map(|turn| format!("{} {}", diff.count(turn), word(turn))).collect();
    told.push(format!("{} unchanged", diff.count(Turn::Same)));
    let mut lines = vec![format!("{}: {}", counted(diff.rows.len(), "price"), told.join(", "))];
    for (what, models) in [("new", &diff.added), ("gone", &diff.removed)] {
        if !models.is_empty() {
            lines.push(format!("{} {what}: {}", counted(models.len(), "model"), listed(models.iter(), MOST_NAMED)));
        }
    }
    lines
}

/// Returns one side's price: `12`, `≥12`, `?` for no price, nothing where the book lacks the row.
fn side(side: Option<Side>) -> String {
    match side {
        None => "-".to_owned(),
        Some(Side { price: None, .. }) => "?".to_owned(),
        Some(Side { price: Some(price), certainty: Certainty::Exact }) => price.to_string(),
        Some(Side { price: Some(price), .. }) => format!("≥{price}"),
    }
}

fn signed(delta: Option<Micros>) -> String {
    match delta {
        None => "-".to_owned(),
        Some(delta) if delta > Micros::ZERO => format!("+{delta}"),
        Some(delta) => delta.to_string(),
    }
}

/// Returns the percentage, or in a word what else has become of the row.
fn change(row: &DiffRow) -> String {
    match (row.permille(), row.turn) {
        (Some(permille), Turn::Dearer | Turn::Cheaper) => with_sign(permille),
        (_, Turn::Dearer | Turn::Cheaper | Turn::Same | Turn::Apart) => String::new(),
        (_, turn) => turn.as_str().to_owned(),
    }
}

fn with_sign(permille: i64) -> String {
    let sign = if permille > 0 { "+" } else { "" };
    format!("{sign}{}%", percent(permille))
}

/// Returns tenths of a percent as percent: `16.7`.
fn percent(permille: i64) -> String {
    let sign = if permille < 0 { "-" } else { "" };
    let tenths = permille.unsigned_abs();
    if tenths.is_multiple_of(10) { format!("{sign}{}", tenths / 10) } else { format!("{sign}{}.{}", tenths / 10, tenths % 10) }
}

fn certainty(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Exact => "exact",
        Certainty::LowerBound => "lower-bound",
        Certainty::Unknown => "unknown",
    }
}

fn campaign_heading(view: &PricesDiffView<'_>, campaign: &CampaignSides) -> String {
    let unit = match common(view) {
        Some(Currency::Usd) => "in USD".to_owned(),
        Some(Currency::Credits(book)) => format!("in credits of {book}"),
        None => format!("in {} and in {}", view.old.currency, view.new.currency),
    };
    format!("campaign {}, every shot made once, {unit}", campaign.name)
}

fn campaign_delta(view: &PricesDiffView<'_>, step: &StepSides) -> Option<Micros> {
    common(view).and_then(|_| step.delta())
}

fn campaign_percent(view: &PricesDiffView<'_>, step: &StepSides) -> Option<String> {
    permille(step.old.micros, campaign_delta(view, step)?).map(percent)
}

fn campaign_cells(view: &PricesDiffView<'_>, step: &StepSides) -> Vec<String> {
    let of = |sum: Sum| match sum.certainty {
        Certainty::Exact => sum.micros.to_string(),
        Certainty::LowerBound => format!("≥{}", sum.micros),
        Certainty::Unknown => format!("{} + ?", sum.micros),
    };
    let delta = campaign_delta(view, step);
    let percent = delta.and_then(|delta| permille(step.old.micros, delta)).map_or("-".to_owned(), with_sign);
    vec![step.name.to_string(), step.jobs.to_string(), of(step.old), of(step.new), signed(delta), percent]
}

/// Returns a cell of a table: figures as they are, all else as it stands.
fn in_table(cell: &str) -> String {
    if cell.chars().all(|char| char.is_ascii_digit() || "+-.%".contains(char)) { cell.to_owned() } else { plain(cell) }
}
