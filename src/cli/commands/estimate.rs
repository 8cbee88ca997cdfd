//! `callsheet estimate`: what so many finals will cost, without a campaign.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use crate::catalog::{Catalog, PriceBook, Unpriced, builtin};
use crate::cli::args;
use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::forecast::with_cards;
use crate::cli::market::{Said, book_called, provider_called};
use crate::pricing::{Sheet, SheetError, Wanted, factor_called, worksheet};
use crate::provider::manifest::Manifest;
use crate::report::worksheet::{SheetsView, sheets_csv, sheets_json, sheets_table};
use crate::spec::{MoneySpec, Sources};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Action, Currency, Micros, PixelSize, Ratio, Settings, visible};

/// Say what so many finals will cost, without a campaign
///
/// Effective images are the finals times the iteration factor; expected is what they cost; set aside is what whole generations cost,
/// rounded up. Needs no key, no network and no file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet estimate --finals 24 --iteration explore --model gpt-image-2 --prices gptimage2-flat
  callsheet estimate --finals 24 --model gpt-image-2 --prices kie,openai --resolution 1K --aspect 4:5
  callsheet estimate --count HD=20 --count HD+=3 --prices bestphoto-hd
  callsheet estimate --steps 4 --prices gptimage2-flat --budget 100")]
pub struct EstimateArgs {
    /// How many pictures are wanted in the end; 1 if nothing is said
    #[arg(long, value_name = "N", conflicts_with = "count", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    finals: Option<u64>,
    /// How many of a tier are wanted, a resolution or a quality of the model: `HD=20`; can be repeated
    #[arg(long, value_name = "TIER=N", value_parser = tier)]
    count: Vec<(String, u64)>,
    /// Pictures made for one that is kept: strict, explore, blank-box or a number of at least 1
    #[arg(long, value_name = "FACTOR")]
    iteration: Option<String>,
    /// The model, by its name in the book; may be left out where the book has one
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Who makes the pictures, a name or the path of a manifest: its models, and its own book unless `--prices` names others
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// Whose prices: names or paths of price books, `A,B`
    #[arg(long, value_name = "BOOK,...")]
    prices: Option<String>,
    /// Size class in the model's words
    #[arg(long, value_name = "NAME")]
    resolution: Option<String>,
    /// Quality in the model's words
    #[arg(long, value_name = "NAME")]
    quality: Option<String>,
    /// Rendering speed in the model's words
    #[arg(long, value_name = "NAME")]
    speed: Option<String>,
    /// Shape, for example 4:5
    #[arg(long, value_name = "W:H")]
    aspect: Option<Ratio>,
    /// Enlargement of an upscale, for example 2
    #[arg(long, value_name = "N")]
    scale: Option<u32>,
    /// What is done: generate, edit, inpaint, vary, upscale or remove-background
    #[arg(long, value_name = "OPERATION", value_parser = action)]
    operation: Option<Action>,
    /// Size of the input picture, for what is priced by it
    #[arg(long, value_name = "WxH")]
    input: Option<PixelSize>,
    /// Reference pictures besides the main one
    #[arg(long, value_name = "N", default_value_t = 0)]
    references: u32,
    /// Equal tries asked for, of each
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    takes: u64,
    /// Steps behind each final: one generation, the rest edits of the picture before
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    steps: u64,
    /// Characters of a prompt, for what is priced by tokens
    #[arg(long, value_name = "N", default_value_t = 400)]
    prompt_chars: usize,
    /// What may be spent: credits of the book, or "USD 12.50"; says how many finals it pays for, exit code 4 if the floor is above it
    #[arg(long, value_name = "AMOUNT", value_parser = args::money)]
    budget: Option<MoneySpec>,
    /// At the prices of the provider's batches
    #[arg(long)]
    batch: bool,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// One row a line, for spreadsheets.
    Csv,
}

/// Reads `HD+=3`.
fn tier(text: &str) -> Result<(String, u64), String> {
    let wrong = || "write `TIER=NUMBER`, for example `HD=20`".to_owned();
    let (tier, count) = text.rsplit_once('=').ok_or_else(wrong)?;
    let count = count.parse().ok().filter(|count| (1..=1_000_000_000).contains(count)).ok_or_else(wrong)?;
    if tier.is_empty() { Err(wrong()) } else { Ok((tier.to_owned(), count)) }
}

fn action(text: &str) -> Result<Action, String> {
    let names = || Action::ALL.into_iter().map(Action::as_str);
    let found = Action::ALL.into_iter().find(|action| action.as_str() == text);
    found.ok_or_else(|| {
        did_you_mean(text, names()).map_or_else(|| format!("there are {}", listed(names(), 8)), |near| format!("did you mean `{near}`?"))
    })
}

/// Estimates and prints.
pub fn estimate(args: &EstimateArgs) -> Outcome<Exit> {
    let wanted = wanted(args)?;
    let seller = args.provider.as_deref().map(seller).transpose()?;
    let books = books(args, seller.as_ref())?;
    let budget = args.budget.as_ref().map(|budget| in_currency(budget, &books)).transpose()?;
    let sheets: Vec<(String, Result<Sheet, SheetError>)> =
        books.into_iter().map(|book| (book.name.to_string(), worksheet(&wanted, &sold(seller.as_ref(), book)))).collect();
    // One book that cannot is an error; of several the others still answer.
    if sheets.iter().all(|(_, sheet)| sheet.is_err()) {
        return Err(refusal(&sheets));
    }
    let view = SheetsView { sheets: &sheets, prompt_chars: args.prompt_chars, budget };
    console::data(&match args.format {
        Format::Table => sheets_table(&view, console::width().unwrap_or(120), true),
        Format::Json => format!("{:#}\n", sheets_json(&view)),
        Format::Csv => sheets_csv(&view)?,
    })?;
    let is_over = |budget: Micros| sheets.iter().any(|(_, sheet)| sheet.as_ref().is_ok_and(|sheet| sheet.floor.micros > budget));
    Ok(if budget.is_some_and(is_over) { Exit::OverCap } else { Exit::Done })
}

fn wanted(args: &EstimateArgs) -> Outcome<Wanted> {
    let factor = |text: &String| factor_called(text).map_err(|help| CliError::usage(format!("there is no iteration factor `{text}`"), help));
    let word = |word: &Option<String>| word.as_deref().map(Arc::from);
    Ok(Wanted {
        model: args.model.clone(),
        action: args.operation,
        settings: Settings {
            aspect: args.aspect,
            resolution: word(&args.resolution),
            quality: word(&args.quality),
            speed: word(&args.speed),
            scale: args.scale,
            ..Settings::default()
        },
        input: args.input,
        references: args.references,
        prompt_chars: args.prompt_chars,
        finals: args.finals.unwrap_or(1),
        tiers: args.count.clone(),
        takes: args.takes,
        steps: args.steps,
        factor: args.iteration.as_ref().map(factor).transpose()?,
    })
}

/// Returns the provider that is named, and how it was.
fn seller(name: &str) -> Outcome<(Said, Manifest)> {
    let said = Said::Here(name.to_owned());
    let manifest = provider_called(&said, Path::new(""), &mut Sources::new())?;
    Ok((said, manifest))
}

/// Brings a book together with the models of the provider, or of those who sell by it.
fn sold(seller: Option<&(Said, Manifest)>, book: PriceBook) -> Catalog {
    match seller {
        Some((_, manifest)) => Catalog::new(Arc::clone(&manifest.id), manifest.models.clone(), book),
        None => with_cards(book),
    }
}

fn books(args: &EstimateArgs, seller: Option<&(Said, Manifest)>) -> Outcome<Vec<PriceBook>> {
    if let (None, Some((said, manifest))) = (&args.prices, seller) {
        let own = Said::Here(manifest.prices.to_string()).beside(said);
        return Ok(vec![book_called(&own, Path::new(""), &mut Sources::new())?]);
    }
    let Some(names) = &args.prices else {
        let help = format!("name a book with `--prices`: {}, or a file of your own", listed(builtin::book_names(), 12));
        return Err(CliError::usage("an estimate needs prices", help));
    };
    let book = |name: &str| book_called(&Said::Here(name.trim().to_owned()), Path::new(""), &mut Sources::new());
    names.split(',').map(|name| Ok(if args.batch { book(name)?.in_batches() } else { book(name)? })).collect()
}

/// Returns the budget in the currency of the one book.
fn in_currency(budget: &MoneySpec, books: &[PriceBook]) -> Outcome<Micros> {
    let [book] = books else {
        return Err(CliError::usage("a budget is money of one book", "name one book with `--prices`, or leave `--budget` out"));
    };
    match (&book.currency, budget.usd, book.usd_per_credit) {
        (Currency::Usd, true, _) | (Currency::Credits(_), false, _) => Ok(budget.micros),
        (Currency::Usd, false, _) => Err(CliError::usage(
            format!("book `{}` counts in dollars", book.name),
            "say how many dollars, like `--budget \"USD 12.50\"`; a number alone means credits",
        )),
        // Rounded down: what is too little in dollars is too little in credits.
        (Currency::Credits(_), true, Some(rate)) if rate > Micros::ZERO => {
            let credits = i128::from(budget.micros.get()) * 1_000_000 / i128::from(rate.get());
            Ok(Micros::new(i64::try_from(credits).unwrap_or(i64::MAX)))
        }
        (Currency::Credits(_), true, _) => Err(CliError::usage(
            format!("book `{}` counts in credits and states no rate to dollars", book.name),
            "give the budget in credits, as a plain number",
        )),
    }
}

/// Says why no book has an estimate.
fn refusal(sheets: &[(String, Result<Sheet, SheetError>)]) -> CliError {
    let errors: Vec<&SheetError> = sheets.iter().filter_map(|(_, sheet)| sheet.as_ref().err()).collect();
    let facts = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let help = errors.iter().find_map(|error| error.help()).map(str::to_owned);
    if errors.iter().any(|error| matches!(error, SheetError::Unpriced(_))) {
        let by_name = errors.iter().find_map(|error| match error {
            SheetError::Unpriced(Unpriced::InputSize { .. }) => Some("name the size of the picture: `--input 1920x1080`".to_owned()),
            SheetError::Unpriced(Unpriced::Unset { key, .. }) => Some(format!("name it: `--{key}`")),
            _ => None,
        });
        if let Some(help) = by_name {
            return CliError::Unpriced(visible(&facts).into_owned(), help);
        }
        let own = "name a book that has the price with `--prices`, or write one: `callsheet prices show kie` shows how they look";
        return CliError::Unpriced(visible(&facts).into_owned(), help.unwrap_or_else(|| own.to_owned()));
    }
    CliError::Usage(facts, help)
}
