//! The command line: what a person types and what they are shown.
//!
//! ```text
//! args ─▶ commands/* ─▶ context (campaign -> plan) ─▶ standing (plan x ledger -> estimate) ─▶ print, or run
//! ```
//!
//! In: words, files, the environment. Out: text and an exit code. The composition root: only here do the parts meet.
//! Never: a domain rule.

mod args;
mod batches;
mod cap_stop;
mod commands;
mod comparison;
mod console;
mod context;
pub mod diagnostics;
mod error;
mod evidence;
pub mod exit;
mod forecast;
mod git;
mod keys;
mod linting;
mod market;
mod memory;
mod performance;
mod picking;
mod publish;
mod review;
mod saved;
mod seller;
mod standing;
mod tracing;
mod usage;
mod words;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, When};
pub use commands::schema::Of as Described;
use error::{CliError, Outcome};
use exit::Exit;

/// Returns the command line as clap knows it, for help pages and for tests that must not forget a command.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return slip(&error),
    };
    match cli.color {
        When::Auto => {}
        When::Always => anstream::ColorChoice::AlwaysAnsi.write_global(),
        When::Never => anstream::ColorChoice::Never.write_global(),
    }
    match prepare(&cli).and_then(|()| execute(&cli.command)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            tell(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Tells a mistake on the command line, or the help that was asked for.
fn slip(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    match usage::told(error, &command(), &words) {
        Some(error) => {
            tell(&error);
            ExitCode::from(error.exit_code())
        }
        None => error.exit(),
    }
}

/// Reads the file of keys and opens the trace, where they are asked for.
fn prepare(cli: &Cli) -> Outcome<()> {
    if let Some(file) = &cli.env_file {
        keys::read_file(file)?;
    }
    cli.debug.as_deref().map_or(Ok(()), tracing::begin)
}

fn execute(command: &Command) -> Outcome<Exit> {
    match command {
        Command::Init(args) => commands::init::init(args),
        Command::Check(args) => commands::check::check(args),
        Command::Plan(args) => commands::plan::plan(args),
        Command::Estimate(args) => commands::estimate::estimate(args),
        Command::Run(args) => commands::run::run(args),
        Command::Status(args) => commands::status::status(args),
        Command::Why(args) => commands::why::why(args),
        Command::Reconcile(args) => commands::reconcile::reconcile(args),
        Command::Report(args) => commands::report::report(args),
        Command::Review(args) => commands::review::review(args),
        Command::Deliver(args) => commands::deliver::deliver(args),
        Command::Graph(args) => commands::graph::graph(args),
        Command::Cache(args) => commands::cache::cache(args),
        Command::Prices(args) => commands::prices::prices(args),
        Command::Providers(args) => commands::providers::providers(args),
        Command::Schema(args) => commands::schema::schema(args),
        Command::Completions(args) => commands::manual::completions(args),
        Command::Man(args) => commands::manual::man(args),
    }
}

fn tell(error: &CliError) {
    if let CliError::BrokenPipe = error {
        return;
    }
    if let CliError::Mistakes(found) = error {
        let (found, sources) = &**found;
        console::talk(&diagnostics::render(found, sources, true, console::width()));
    }
    console::error(&error.to_string());
    for hint in error.hints() {
        console::hint(&hint);
    }
}
