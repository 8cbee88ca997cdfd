//! `callsheet completions` and `callsheet man`: the command line as shells and manuals want it, made from the same words as `--help`.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;

/// Print what a shell needs to complete commands and flags
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet completions bash > ~/.local/share/bash-completion/completions/callsheet
  callsheet completions zsh > ~/.zfunc/_callsheet
                            with `fpath+=~/.zfunc` before `compinit`
  callsheet completions fish > ~/.config/fish/completions/callsheet.fish")]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Print the manual page, or write one for each command
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet man | man -l -
  callsheet man --write ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write a page for callsheet and for each of its commands into this folder instead
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

/// Prints completions.
pub fn completions(args: &CompletionsArgs) -> Outcome<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "callsheet", &mut script);
    console::data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// Prints the manual, or writes all its pages.
pub fn man(args: &ManArgs) -> Outcome<Exit> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &args.write else {
        console::data(&page(command)?)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder).map_err(|error| CliError::io("cannot make the folder", folder, error))?;
    for command in pages(command) {
        let path = folder.join(format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name())));
        std::fs::write(&path, page(command)?).map_err(|error| CliError::io("cannot write", &path, error))?;
        console::data(&format!("{}\n", path.display()))?;
    }
    Ok(Exit::Done)
}

/// Returns a command and all commands below it.
fn pages(command: clap::Command) -> Vec<clap::Command> {
    let below: Vec<clap::Command> = command.get_subcommands().cloned().flat_map(pages).collect();
    std::iter::once(command).chain(below).collect()
}

fn page(command: clap::Command) -> Outcome<String> {
    let mut text = Vec::new();
    Man::new(command).render(&mut text).map_err(|error| CliError::Io("cannot write the manual".to_owned(), error))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
