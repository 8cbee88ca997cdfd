//! The estimate without a campaign: for a terminal, for spreadsheets and for programs.
//!
//! In: one sheet a price book, or why there is none. Out: text. Never: two currencies in one row, 0 for what has no price.

use std::fmt::Write as _;

use anstyle::Style;
use serde_json::{Value, json};

use super::ReportError;
use super::plan_export::certainty;
use super::plan_table::factor_words;
use super::spreadsheet::neutral;
use super::text::{Notes, Table, money, number, numbers, styled, sum, sum_words, words};
use crate::pricing::{Sheet, SheetError, SheetLine, Sum};
use crate::types::diagnostic::counted;
use crate::types::{Currency, Micros, visible};

/// Version of the JSON form.
const FORMAT: u32 = 1;

/// Everything that the views show.
#[derive(Debug, Clone)]
pub struct SheetsView<'a> {
    /// One a book, with its name, in the order in which they were asked for.
    pub sheets: &'a [(String, Result<Sheet, SheetError>)],
    /// Characters of a prompt that were taken for prices by tokens.
    pub prompt_chars: usize,
    /// What may be spent, in the currency of the one book.
    pub budget: Option<Micros>,
}

/// Returns the sheets for a terminal of `width` columns.
pub fn sheets_table(view: &SheetsView<'_>, width: usize, color: bool) -> String {
    let mut notes = Notes { text: String::new(), width, color };
    for (place, (book, sheet)) in view.sheets.iter().enumerate() {
        if place > 0 {
            notes.text.push('\n');
        }
        match sheet {
            Ok(sheet) => one(view, sheet, &mut notes),
            Err(error) => {
                let _ = writeln!(notes.text, "{}\n", styled(&visible(book), Style::new().bold(), color));
                let word = if matches!(error, SheetError::Unpriced(_)) { "no price" } else { "cannot" };
                let help = error.help().filter(|help| !error.to_string().contains(*help)).map(|help| format!("; {help}")).unwrap_or_default();
                notes.refuse(word, &format!("{error}{help}"));
            }
        }
    }
    notes.text
}

fn one(view: &SheetsView<'_>, sheet: &Sheet, notes: &mut Notes) {
    let (width, color, book) = (notes.width, notes.color, &sheet.book);
    let date = book.as_of.map_or("undated".to_owned(), |date| format!("of {date}"));
    let unit = if book.currency == Currency::Usd { "USD" } else { "credits" };
    let model = styled(&visible(&sheet.model), Style::new().bold(), color);
    let _ = writeln!(notes.text, "{model}, prices `{}` {date}, in {unit}\n", visible(&book.name));
    let mut table = Table::new(vec![
        words("what", Some(12)),
        numbers("pictures"),
        numbers("effective"),
        numbers("unit"),
        numbers("floor"),
        numbers("expected"),
        numbers("whole"),
        numbers("set aside"),
    ]);
    for line in &sheet.lines {
        let price = sum(Sum { micros: line.quote.amount.micros, certainty: line.quote.certainty });
        let (pictures, whole) = (line.pictures.to_string(), line.whole.to_string());
        let sums = [line.floor, line.expected].map(sum);
        table.row([what(line), pictures, number(line.effective), price].into_iter().chain(sums).chain([whole, sum(line.set_aside)]).collect());
    }
    let sums = [sheet.floor, sheet.expected].map(sum);
    let all = ["total".to_owned(), sheet.pictures.to_string(), number(sheet.effective), String::new()];
    if sheet.lines.len() > 1 {
        table.totals(all.into_iter().chain(sums).chain([sheet.whole.to_string(), sum(sheet.set_aside)]).collect());
    }
    notes.text.push_str(&table.render(width, color));
    notes.text.push('\n');
    let with_usd = |of: Sum| match sheet.usd(of).filter(|_| book.currency != Currency::Usd) {
        Some(usd) => format!("{} ({})", sum_words(&book.currency, of), money(&Currency::Usd, usd.micros)),
        None => sum_words(&book.currency, of),
    };
    let factor = sheet.factor.as_ref().map_or("1 (no `--iteration` is named)".to_owned(), |(name, factor)| factor_words(name, *factor));
    notes.say("effective", &format!("{}: {} x {factor}", images(sheet.effective), pictures(sheet)));
    notes.say("floor", &format!("{}: each picture once", with_usd(sheet.floor)));
    notes.say("expected", &format!("{}: the effective images", with_usd(sheet.expected)));
    let lines = if sheet.lines.len() > 1 { ", rounded up in each line" } else { "" };
    notes.say("set aside", &format!("{}: {}{lines}", with_usd(sheet.set_aside), whole(sheet.whole)));
    let each = [sheet.floor_each, sheet.expected_each].map(|each| sum_words(&book.currency, each));
    notes.say("per final", &format!("{} floor, {} expected, over {}", each[0], each[1], finals(sheet.finals)));
    if sheet.counts_prompt {
        notes.say("note", &format!("priced by tokens, for prompts of {} characters", view.prompt_chars));
    }
    if book.currency != Currency::Usd && book.usd_per_credit.is_none() {
        notes.say("note", "the book states no rate to USD");
    }
    if let Some(budget) = view.budget {
        affords(sheet, budget, notes);
    }
}

fn affords(sheet: &Sheet, budget: Micros, notes: &mut Notes) {
    let currency = &sheet.book.currency;
    let all = money(currency, budget);
    let Some((count, left)) = sheet.affords(budget) else { return };
    let sentence = format!("{all} pay for {} at one try each, {} left", finals(count), money(currency, left));
    if sheet.floor.micros > budget { notes.refuse("budget", &format!("{sentence}; the floor is above it")) } else { notes.say("budget", &sentence) }
}

fn finals(count: u64) -> String {
    counted(usize::try_from(count).unwrap_or(usize::MAX), "final")
}

fn pictures(sheet: &Sheet) -> String {
    if sheet.pictures == sheet.finals {
        return finals(sheet.finals);
    }
    format!("{} for {}", counted(usize::try_from(sheet.pictures).unwrap_or(usize::MAX), "picture"), finals(sheet.finals))
}

fn images(effective: Micros) -> String {
    if effective == Micros::units(1) { "1 image".to_owned() } else { format!("{} images", number(effective)) }
}

fn whole(count: u64) -> String {
    if count == 1 { "1 whole generation".to_owned() } else { format!("{count} whole generations") }
}

/// Returns what a line does: `generate 1K 4:5`.
fn what(line: &SheetLine) -> String {
    let settings = &line.settings;
    let mut words = vec![line.action.as_str().to_owned()];
    words.extend([&settings.resolution, &settings.quality, &settings.speed].into_iter().flatten().map(|word| word.to_string()));
    words.extend(settings.aspect.map(|aspect| aspect.to_string()));
    words.extend(settings.scale.map(|scale| format!("{scale}x")));
    words.join(" ")
}

/// Returns the sheets as JSON.
pub fn sheets_json(view: &SheetsView<'_>) -> Value {
    let one = |(book, sheet): &(String, Result<Sheet, SheetError>)| match sheet {
        Ok(sheet) => sheet_json(view, sheet),
        Err(error) => json!({ "book": book, "error": error.to_string(), "help": error.help(), "unpriced": matches!(error, SheetError::Unpriced(_)) }),
    };
    json!({ "callsheet-estimate": FORMAT, "books": view.sheets.iter().map(one).collect::<Vec<_>>() })
}

fn sheet_json(view: &SheetsView<'_>, sheet: &Sheet) -> Value {
    let of_sum = |of: Sum| json!({ "amount": of.micros, "usd": sheet.usd(of).map(|usd| usd.micros), "certainty": certainty(of.certainty) });
    let line = |line: &SheetLine| {
        json!({
            "operation": line.action, "settings": line.settings, "pictures": line.pictures, "effective": line.effective, "whole": line.whole,
            "unit": line.quote.amount.micros, "basis": line.quote.basis, "certainty": certainty(line.quote.certainty),
            "floor": of_sum(line.floor), "expected": of_sum(line.expected), "set-aside": of_sum(line.set_aside),
        })
    };
    let book = &sheet.book;
    let budget = view.budget.and_then(|budget| Some((budget, sheet.affords(budget)?)));
    json!({
        "book": book.name, "as-of": book.as_of, "currency": book.currency, "usd-per-credit": book.usd_per_credit,
        "model": sheet.model,
        "factor": sheet.factor.as_ref().map(|(name, factor)| json!({ "name": name, "value": factor })),
        "finals": sheet.finals, "pictures": sheet.pictures, "effective": sheet.effective, "whole": sheet.whole,
        "lines": sheet.lines.iter().map(line).collect::<Vec<_>>(),
        "floor": of_sum(sheet.floor), "expected": of_sum(sheet.expected), "set-aside": of_sum(sheet.set_aside),
        "per-final": { "floor": of_sum(sheet.floor_each), "expected": of_sum(sheet.expected_each) },
        "prompt-chars": sheet.counts_prompt.then_some(view.prompt_chars),
        "budget": budget.map(|(budget, (finals, left))| json!({ "amount": budget, "finals": finals, "left": left, "is-enough": sheet.floor.micros <= budget })),
    })
}

/// Returns the sheets as CSV: one row a line, and one for a book without an estimate.
///
/// # Errors
/// [`ReportError::Csv`] if a row does not take.
pub fn sheets_csv(view: &SheetsView<'_>) -> Result<String, ReportError> {
    let failed = |source| ReportError::Csv { file: "estimate.csv", source };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let headings = "book,as_of,model,operation,resolution,quality,aspect,scale,pictures,factor,effective,unit,floor,expected,whole,set_aside,currency,floor_usd,expected_usd,set_aside_usd,certainty,reason";
    let columns: Vec<&str> = headings.split(',').collect();
    writer.write_record(&columns).map_err(failed)?;
    for (book, sheet) in view.sheets {
        match sheet {
            Ok(sheet) => {
                for line in &sheet.lines {
                    writer.write_record(cells(sheet, line)).map_err(failed)?;
                }
            }
            Err(error) => {
                let mut row = vec![String::new(); columns.len()];
                row[0] = neutral(book).into_owned();
                row[columns.len() - 1] = neutral(&error.to_string()).into_owned();
                writer.write_record(row).map_err(failed)?;
            }
        }
    }
    let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn cells(sheet: &Sheet, line: &SheetLine) -> Vec<String> {
    let text = |text: &str| neutral(text).into_owned();
    let settings = &line.settings;
    let usd = |of: Sum| sheet.usd(of).map(|usd| usd.micros.to_string()).unwrap_or_default();
    vec![
        text(&sheet.book.name),
        sheet.book.as_of.map(|date| date.to_string()).unwrap_or_default(),
        text(&sheet.model),
        line.action.as_str().to_owned(),
        settings.resolution.as_deref().map(text).unwrap_or_default(),
        settings.quality.as_deref().map(text).unwrap_or_default(),
        settings.aspect.map(|aspect| aspect.to_string()).unwrap_or_default(),
        settings.scale.map(|scale| scale.to_string()).unwrap_or_default(),
        line.pictures.to_string(),
        sheet.factor.as_ref().map_or("1".to_owned(), |(_, factor)| factor.to_string()),
        line.effective.to_string(),
        line.quote.amount.micros.to_string(),
        line.floor.micros.to_string(),
        line.expected.micros.to_string(),
        line.whole.to_string(),
        line.set_aside.micros.to_string(),
        text(&sheet.book.currency.to_string()),
        usd(line.floor),
        usd(line.expected),
        usd(line.set_aside),
        certainty(line.quote.certainty).to_owned(),
        String::new(),
    ]
}
