//! `callsheet check`: every mistake of every file, at once.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::args::CampaignArgs;
use crate::cli::diagnostics::{counted_words, render, to_github, to_json};
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::cli::{console, context};
use crate::cli::{linting, picking};
use crate::spec::Sources;
use crate::types::diagnostic::counted;
use crate::types::{Diagnostics, visible};

/// Find every mistake in campaigns, their tables, price books and manifests; spends nothing
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  callsheet check campaigns/*.yaml --strict")]
pub struct CheckArgs {
    /// The campaign files
    #[arg(value_name = "CAMPAIGN", required_unless_present = "list_rules")]
    campaigns: Vec<PathBuf>,
    /// Check the version that this profile makes of them
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Check them as if this provider made everything: a name or the path of a manifest
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// Treat warnings as mistakes
    #[arg(long)]
    strict: bool,
    /// List the rules about prompts and chains, each with its reason, and how to allow what they find
    #[arg(long, conflicts_with = "campaigns")]
    list_rules: bool,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// With excerpts, for people.
    Text,
    /// One object a file, for programs.
    Json,
    /// Notes at the lines of a pull request: GitHub's workflow commands.
    Github,
}

/// What was found in one campaign.
struct Checked {
    name: String,
    found: Diagnostics,
    sources: Sources,
    shots: Option<usize>,
}

/// Checks all campaigns and shows all that is wrong with them.
pub fn check(args: &CheckArgs) -> Outcome<Exit> {
    if args.list_rules {
        console::data(&linting::rules(console::width().unwrap_or(80)))?;
        return Ok(Exit::Done);
    }
    let mut all = Vec::with_capacity(args.campaigns.len());
    for campaign in &args.campaigns {
        let asked = CampaignArgs { campaign: campaign.clone(), profile: args.profile.clone(), provider: args.provider.clone(), prices: None };
        all.push(one(&asked)?);
    }
    match args.format {
        Format::Text => all.iter().try_for_each(|checked| console::data(&text(checked)))?,
        Format::Github => all.iter().try_for_each(|checked| console::data(&to_github(&checked.found, &checked.sources)))?,
        Format::Json => {
            let files = all
                .iter()
                .map(|checked| json!({ "campaign": checked.name, "shots": checked.shots, "found": to_json(&checked.found, &checked.sources) }));
            console::data(&format!("{:#}\n", files.collect::<serde_json::Value>()))?;
        }
    }
    let is_wrong = |checked: &Checked| checked.found.has_errors() || args.strict && !checked.found.is_empty();
    Ok(if all.iter().any(is_wrong) { Exit::Mistakes } else { Exit::Done })
}

fn one(asked: &CampaignArgs) -> Outcome<Checked> {
    let name = asked.campaign.display().to_string();
    let opened = context::open(asked, None).and_then(|mut opened| {
        picking::check(&mut opened)?;
        linting::add_to(&mut opened);
        Ok(opened)
    });
    match opened {
        Ok(opened) => Ok(Checked { name, found: opened.warnings, sources: opened.sources, shots: Some(opened.plan.jobs.len()) }),
        Err(CliError::Mistakes(found)) => {
            let (found, sources) = *found;
            Ok(Checked { name, found, sources, shots: None })
        }
        Err(other) => Err(other),
    }
}

fn text(checked: &Checked) -> String {
    let mut text = render(&checked.found, &checked.sources, true, console::width());
    if !text.is_empty() {
        text.push('\n');
    }
    let name = visible(&checked.name);
    match checked.shots {
        Some(shots) if checked.found.is_empty() => text.push_str(&format!("{name}: no mistakes, {}\n", counted(shots, "shot"))),
        Some(shots) => text.push_str(&format!("{name}: {}, {}\n", counted_words(&checked.found), counted(shots, "shot"))),
        None => text.push_str(&format!("{name}: {}\n", counted_words(&checked.found))),
    }
    text
}
