//! `callsheet prices`: the price books, their prices, how sure they are and where they come from.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use crate::catalog::price::{PerMegapixel, TokenPrice};
use crate::catalog::{BookModel, Certainty, PriceBook, PriceEntry, PriceKind, Rounding, builtin};
use crate::cli::console::{self, STRONG};
use crate::cli::diagnostics::{counted_words, render};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::market::{Said, book_called};
use crate::report::text::{Table, words, wrapped};
use crate::spec::{DiskFiles, Files, Positions, Sources};
use crate::types::diagnostic::counted;
use crate::types::{Currency, visible};

/// List price books, show their prices, check a book of your own
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet prices list
  callsheet prices show kie
  callsheet prices show gptimage2-flat --format yaml > my-prices.yaml    as the start of your own
  callsheet prices check my-prices.yaml")]
pub struct PricesArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the books that come with the program
    #[command(after_help = "Example:\n  callsheet prices list")]
    List,
    /// Show a book's prices with certainty, date and source
    #[command(after_help = "Example:\n  callsheet prices show kie")]
    Show {
        /// Name of a book, or the path of one
        book: String,
        /// How to print it
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Check a price book file
    #[command(after_help = "Example:\n  callsheet prices check my-prices.yaml")]
    Check {
        /// The file
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// The book itself, as a campaign can name it; built-in books only.
    Yaml,
}

/// Largest book that is checked, 2 MB.
const MAX_BYTES: u64 = 2_000_000;

/// Does what `prices` asks for.
pub fn prices(args: &PricesArgs) -> Outcome<Exit> {
    match &args.what {
        What::List => console::data(&list(console::width().unwrap_or(120))).map(|()| Exit::Done),
        What::Show { book, format } => show(book, *format),
        What::Check { file } => check(file),
    }
}

fn list(width: usize) -> String {
    let mut table = Table::new(vec![words("book", None), words("read on", None), words("in", None), words("models", None), words("what", Some(20))]);
    for book in builtin::book_names().iter().filter_map(|name| builtin::book(name)) {
        let date = date(&book);
        table.row(vec![book.name.to_string(), date, unit(&book).to_owned(), book.models.len().to_string(), book.title.clone()]);
    }
    table.render(width, true)
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

fn show(name: &str, format: Format) -> Outcome<Exit> {
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
        text.push_str("the price of a picture is rounded to whole credits\n");
    }
    if let Some(note) = &book.note {
        text.push_str(&format!("{}\n", wrapped(&visible(note), width, 0)));
    }
    text.push('\n');
    let mut table = Table::new(vec![words("model", None), words("action", None), words("price", Some(24)), words("certainty", None)]);
    for (name, model) in &book.models {
        for (place, (action, entry)) in entries(model).into_iter().enumerate() {
            let name = if place == 0 { name.to_string() } else { String::new() };
            let certainty = certainty(entry, book).to_string();
            let lines = price_lines(entry);
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

fn price_lines(entry: &PriceEntry) -> Vec<String> {
    let mut lines = match &entry.kind {
        PriceKind::Flat(price) => vec![price.to_string()],
        PriceKind::Table(table) => {
            let by: Vec<String> = table.by.iter().map(ToString::to_string).collect();
            let row = |(key, price): (&String, _)| {
                let at_least = if table.lower_bound_at.contains(key) { "at least " } else { "" };
                format!("{key} {at_least}{price}")
            };
            vec![format!("by {}: {}", by.join("/"), table.rows.iter().map(row).collect::<Vec<_>>().join(", "))]
        }
        PriceKind::PerMegapixel(price) => vec![per_megapixel(price)],
        PriceKind::BaseMegapixels(price) => {
            let factors: Vec<String> = price.factor.iter().map(|(scale, factor)| format!("{scale} x{factor}")).collect();
            vec![format!("{} x megapixels of the {} x factor: {}", price.base, price.of, factors.join(", "))]
        }
        PriceKind::PerCall(price) => vec![format!("{} a call of {}", price.price, counted(price.pictures as usize, "picture"))],
        PriceKind::Tokens(price) => tokens(price),
        PriceKind::Unknown => vec!["the source gives no price".to_owned()],
    };
    if let Some(reference) = &entry.per_reference {
        let free = if reference.free == 0 { String::new() } else { format!(" after the first {}", reference.free) };
        lines.push(format!("and {} a reference picture{free}", reference.price));
    }
    lines
}

fn per_megapixel(price: &PerMegapixel) -> String {
    match price.additional {
        Some(additional) => format!("{} for the first megapixel of the {}, {additional} for each further one", price.first, price.of),
        None => format!("{} a megapixel of the {}", price.first, price.of),
    }
}

fn tokens(price: &TokenPrice) -> Vec<String> {
    vec![
        format!("a million tokens: {} text in, {} pictures in, {} pictures out", price.text_in, price.image_in, price.image_out),
        "tokens of a picture by its size and quality".to_owned(),
    ]
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

fn check(file: &Path) -> Outcome<Exit> {
    let bytes = DiskFiles
        .read(file, MAX_BYTES)
        .map_err(|error| CliError::usage(format!("the file `{}` cannot be read: {error}", file.display()), "give the path of a price book"))?;
    let text =
        String::from_utf8(bytes).map_err(|_| CliError::usage(format!("the file `{}` is not UTF-8 text", file.display()), "save it as UTF-8"))?;
    let mut sources = Sources::new();
    let shown = file.display().to_string();
    let (doc, mut found) = sources.add_yaml(shown.clone(), text.as_str().into(), Positions::None);
    let mut models = None;
    if !found.has_errors() {
        match PriceBook::parse(doc, &text) {
            Ok(book) => {
                found.extend(book.lint(doc));
                models = Some(book.models.len());
            }
            Err(mistakes) => found.extend(mistakes),
        }
    }
    let mut said = render(&found, &sources, true, console::width());
    if !said.is_empty() {
        said.push('\n');
    }
    let count = if found.is_empty() { "no mistakes".to_owned() } else { counted_words(&found) };
    let models = models.map_or(String::new(), |models| format!(", {}", counted(models, "model")));
    console::data(&format!("{said}{}: {count}{models}\n", visible(&shown)))?;
    Ok(if found.has_errors() { Exit::Mistakes } else { Exit::Done })
}
