//! `callsheet prices`: the price books, their prices, how sure they are and where they come from.

mod check;
mod diff;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::console;
use crate::cli::error::Outcome;
use crate::cli::exit::Exit;

/// List price books, show their prices, check and compare them
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet prices list
  callsheet prices show kie
  callsheet prices show gptimage2-flat --format yaml > my-prices.yaml    as the start of your own
  callsheet prices check my-prices.yaml
  callsheet prices diff kie my-prices.yaml --campaign campaigns/spring-drop.yaml")]
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
    /// Check price books: mistakes, gaps, prices that nothing can reach, missing dates and sources
    ///
    /// A book is held against its own cards, or against those of the built-in provider that sells by it. Mistakes end with exit code 3,
    /// warnings with 0.
    #[command(after_help = "Examples:
  callsheet prices check my-prices.yaml
  callsheet prices check kie openai
  callsheet prices check                    all books that come with the program")]
    Check {
        /// Names of books, or paths; without any, all built-in ones
        #[arg(value_name = "BOOK|FILE")]
        books: Vec<String>,
    },
    /// Compare two books: what is dearer, cheaper, new and gone
    ///
    /// Prices in different currencies are compared only where both books say what theirs is worth in USD. With --campaign it also says what
    /// the campaign would cost by each book, every shot made once.
    #[command(after_help = "Examples:
  callsheet prices diff kie my-prices.yaml
  callsheet prices diff kie openai --format markdown
  callsheet prices diff kie my-prices.yaml --campaign campaigns/spring-drop.yaml")]
    Diff {
        /// Name of the old book, or its path
        old: String,
        /// Name of the new book, or its path
        new: String,
        /// A campaign to reckon by both books
        #[arg(long, value_name = "FILE")]
        campaign: Option<PathBuf>,
        /// How to print it
        #[arg(long, value_enum, default_value_t = DiffFormat::Table)]
        format: DiffFormat,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    /// For people: what differs.
    Table,
    /// For programs: every row.
    Json,
    /// For spreadsheets: every row.
    Csv,
    /// For a pull request: what differs.
    Markdown,
}

/// Does what `prices` asks for.
pub fn prices(args: &PricesArgs) -> Outcome<Exit> {
    match &args.what {
        What::List => console::data(&show::list(console::width().unwrap_or(120))).map(|()| Exit::Done),
        What::Show { book, format } => show::show(book, *format),
        What::Check { books } => check::check(books),
        What::Diff { old, new, campaign, format } => diff::diff(old, new, campaign.as_deref(), *format),
    }
}
