//! `callsheet prices list` and `prices show`: books and their prices as a person reads them.

use std::path::Path;

use serde_json::json;

use super::Format;
use crate::catalog::price::PerMegapixel;
use crate::catalog::rows::pictures;
use crate::catalog::{BookModel, Certainty, PriceBook, PriceEntry, PriceKind, Rounding, TokenPrice, builtin};
use crate::cli::console::{self, STRONG};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::market::{Said, book_called};
use crate::report::text::{Table, words, wrapped};
use crate::spec::Sources;
use crate::types::diagnostic::counted;
use crate::types::width::columns;
use crate::types::{Currency, visible};

/// Returns the books that come with the program.
pub(super) fn list(width: usize) -> String {
    let columns = [("book", None), ("read on", None), ("in", None), ("models", None), ("certainty", None), ("what", Some(16))];
    let mut table = Table::new(columns.map(|(heading, at_least)| words(heading, at_least)).to_vec());
    for book in builtin::book_names().iter().filter_map(|name| builtin::book(name)) {
        let (date, sure) = (date(&book), how_sure(&book));
        table.row(vec![book.name.to_string(), date, unit(&book).to_owned(), book.models.len().to_string(), sure, book.title.clone()]);
    }
    table.render(width, true)
}

/// Returns how sure the prices of a book are, in a few words.
fn how_sure(book: &PriceBook) -> String {
    let all: Vec<Certainty> = book.models.values().flat_map(entries).map(|(_, entry)| certainty(entry, book)).collect();
    let exact = all.iter().filter(|certainty| **certainty == Certainty::Exact).count();
    match (exact, all.contains(&Certainty::Unknown)) {
        (0, false) => "at least".to_owned(),
        (0, true) if all.iter().all(|certainty| *certainty == Certainty::Unknown) => "unknown".to_owned(),
        (0, true) => "none exact".to_owned(),
        (exact, _) if exact == all.len() => "exact".to_owned(),
        (exact, _) => format!("{exact} of {} exact", all.len()),
    }
}

fn date(book: &PriceBook) -> String {
    book.as_of.map_or("undated".to_owned(), |date| date.to_string())
}

fn unit(book: &PriceBook) -> &'static str {
    match book.currency {
        Currency::Usd => "USD",
        Currency::Credits(_) => "credits",
    }
}

pub(super) fn show(name: &str, format: Format) -> Outcome<Exit> {
    if format == Format::Yaml {
        let text = builtin::book_text(name).ok_or_else(|| {
            CliError::usage(format!("no book `{name}` comes with the program"), "books: `callsheet prices list`; a file of your own is YAML already")
        })?;
        return console::data(text).map(|()| Exit::Done);
    }
    let book = book_called(&Said::Here(name.to_owned()), Path::new(""), &mut Sources::new())?;
    let width = console::width().unwrap_or(120);
    console::data(&match format {
        Format::Json => format!("{:#}\n", as_json(&book)),
        Format::Table | Format::Yaml => as_table(&book, width),
    })?;
    Ok(Exit::Done)
}

fn as_json(book: &PriceBook) -> serde_json::Value {
    json!({
        "book": book.name, "title": book.title, "currency": book.currency, "usd-per-credit": book.usd_per_credit, "as-of": book.as_of,
        "source": book.source, "certainty": book.certainty, "rounding": book.rounding, "note": book.note, "models": book.models,
    })
}

fn as_table(book: &PriceBook, width: usize) -> String {
    let mut text = format!("{STRONG}{}{STRONG:#}: {}\n", visible(&book.name), visible(&book.title));
    text.push_str(&format!("read on {} from {}\n", date(book), visible(book.source.as_deref().unwrap_or("an unnamed source"))));
    match (&book.currency, book.usd_per_credit) {
        (Currency::Usd, _) => text.push_str("in US dollars\n"),
        (Currency::Credits(_), Some(rate)) => text.push_str(&format!("in credits of ${rate} each\n")),
        (Currency::Credits(_), None) => text.push_str("in credits; the source states no price of a credit\n"),
    }
    if book.rounding != Rounding::default() {
        text.push_str(&format!("the price of each picture {}\n", rounded(book.rounding)));
    }
    if let Some(note) = &book.note {
        text.push_str(&format!("{}\n", wrapped(&visible(note), width, 0)));
    }
    text.push('\n');
    let mut table = Table::new(vec![words("model", None), words("action", None), words("price", None), words("certainty", None)]);
    let longest = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
    let name_width = longest(&mut book.models.keys().map(|name| columns(&visible(name))));
    let action_width = longest(&mut book.models.values().flat_map(entries).map(|(action, _)| columns(&action))).max("action".len());
    // Prices are wrapped, never cut: what stands beside them is two gaps of blanks and the certainty.
    let price_width = width.saturating_sub(name_width + action_width + "certainty".len() + 6).max(24);
    for (name, model) in &book.models {
        for (place, (action, entry)) in entries(model).into_iter().enumerate() {
            let name = if place == 0 { name.to_string() } else { String::new() };
            let certainty = certainty(entry, book).to_string();
            let lines = price_lines(entry, price_width);
            for (line_no, line) in lines.into_iter().enumerate() {
                let first = line_no == 0;
                let cell = |text: &str| if first { text.to_owned() } else { String::new() };
                table.row(vec![cell(&name), cell(&action), line, cell(&certainty)]);
            }
        }
    }
    text.push_str(&table.render(width, true));
    text.push_str(&remarks(book, width));
    text
}

/// Returns the prices of a model by action; the one for all others is called `any`, or `any other`.
fn entries(model: &BookModel) -> Vec<(String, &PriceEntry)> {
    let named = model.prices.iter().map(|(action, entry)| (action.as_str().to_owned(), entry));
    let other = if model.prices.is_empty() { "any" } else { "any other" };
    named.chain(model.price.iter().map(|entry| (other.to_owned(), entry))).collect()
}

fn certainty(entry: &PriceEntry, book: &PriceBook) -> Certainty {
    match entry.kind {
        PriceKind::Unknown => Certainty::Unknown,
        _ => entry.certainty.unwrap_or(book.certainty),
    }
}

/// Returns a price in words, a line for each thing that costs something.
fn price_lines(entry: &PriceEntry, width: usize) -> Vec<String> {
    let mut lines = match &entry.kind {
        PriceKind::Flat(price) => vec![price.to_string()],
        PriceKind::Table(table) => {
            let by: Vec<String> = table.by.iter().map(ToString::to_string).collect();
            let row = |(key, price): (&String, _)| {
                let at_least = if table.lower_bound_at.contains(key) { "at least " } else { "" };
                let most = table.classes.get(key).map(|most| format!(" up to {most} px")).unwrap_or_default();
                format!("{key}{most} {at_least}{price}")
            };
            vec![format!("by {}: {}", by.join("/"), table.rows.iter().map(row).collect::<Vec<_>>().join(", "))]
        }
        PriceKind::PerMegapixel(price) => per_megapixel(price),
        PriceKind::BaseMegapixels(price) => {
            let factors: Vec<String> = price.factor.iter().map(|(scale, factor)| format!("{scale} x{factor}")).collect();
            vec![
                format!("{} x megapixels of the {} x factor: {}", price.base, price.of, factors.join(", ")),
                format!("a megapixel is {} pixels", price.megapixel),
            ]
        }
        PriceKind::PerCall(price) => vec![format!("{} a call of {}", price.price, counted(price.pictures as usize, "picture"))],
        PriceKind::Tokens(price) => tokens(price),
        PriceKind::Unknown => vec!["the source gives no price".to_owned()],
    };
    if let Some(reference) = &entry.per_reference {
        let free = if reference.free == 0 { String::new() } else { format!(" after the first {}", reference.free) };
        lines.push(format!("and {} a reference picture{free}", reference.price));
    }
    if let Some(highest) = entry.highest {
        lines.push(format!("{highest} is reserved, the most it can be"));
    }
    if let Some(rounding) = entry.rounding.filter(|rounding| *rounding != Rounding::Exact) {
        lines.push(format!("each picture {}", rounded(rounding)));
    }
    if let Some(batch) = entry.batch {
        lines.push(format!("in a batch x{batch}"));
    }
    lines.iter().flat_map(|line| wrapped(line, width, 2).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

fn rounded(rounding: Rounding) -> &'static str {
    match rounding {
        Rounding::Exact => "is not rounded",
        Rounding::Floor => "is rounded down to whole units",
        Rounding::Nearest => "is rounded to the nearest whole unit",
        Rounding::Ceil => "is rounded up to whole units",
    }
}

fn per_megapixel(price: &PerMegapixel) -> Vec<String> {
    let mut lines = vec![match price.additional {
        Some(additional) => format!("{} for the first megapixel of the {}, {additional} for each further one", price.first, price.of),
        None => format!("{} a megapixel of the {}", price.first, price.of),
    }];
    lines.extend(price.input.map(|input| format!("and {input} a megapixel of every picture that goes along")));
    let parts = if price.whole { "a started one counts whole" } else { "parts count as parts" };
    lines.push(format!("a megapixel is {} pixels, {parts}", price.megapixel));
    lines
}

fn tokens(price: &TokenPrice) -> Vec<String> {
    let mut rates = vec![format!("{} text in", price.text_in)];
    rates.extend(price.text_cached.map(|rate| format!("{rate} remembered text in")));
    rates.extend(price.image_in.map(|rate| format!("{rate} pictures in")));
    rates.extend(price.image_cached.map(|rate| format!("{rate} remembered pictures in")));
    rates.push(format!("{} pictures out", price.image_out));
    rates.extend(price.text_out.map(|rate| format!("{rate} text out")));
    let pictures = pictures(price).into_iter().map(|(name, tokens)| format!("{name} {tokens}"));
    let formula = if price.output_factors.is_empty() { "" } else { ", other sizes by the formula" };
    vec![format!("a million tokens: {}", rates.join(", ")), format!("tokens of a picture: {}{formula}", pictures.collect::<Vec<_>>().join(", "))]
}

/// Returns sources and notes of single entries, each once.
fn remarks(book: &PriceBook, width: usize) -> String {
    let mut text = String::new();
    for (name, model) in &book.models {
        for (action, entry) in entries(model) {
            let source = entry.source.as_ref().map(|source| match entry.as_of {
                Some(date) => format!("read on {date} from {source}"),
                None => format!("read from {source}"),
            });
            let said: Vec<String> = entry.note.iter().cloned().chain(source).collect();
            if !said.is_empty() {
                let line = format!("{name} {action}: {}", said.join("; "));
                text.push_str(&format!("{}\n", wrapped(&visible(&line), width, 2)));
            }
        }
    }
    if text.is_empty() { text } else { format!("\n{text}") }
}
