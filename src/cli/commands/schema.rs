//! `callsheet schema`: JSON Schemas for editors, and the same for people.

mod pages;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::catalog::PriceBook;
use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::picks::PicksFile;
use crate::plan::SavedPlan;
use crate::provider::manifest::Manifest;
use crate::report::{CampaignStatus, Sidecar};
use crate::spec::reference::page;
use crate::spec::schema::{campaign_schema, text};

/// Print the JSON Schema of a campaign, a price book, a saved plan, a provider, a sidecar, a picks file or `status --json`, for editors that complete and check YAML
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet schema > campaign.schema.json
  callsheet schema campaign --format markdown    every key with its meaning, for people
  callsheet schema --write schemas     all of both; the first line of a campaign names its own:
      # yaml-language-server: $schema=../schemas/campaign.schema.json")]
pub struct SchemaArgs {
    /// Which file it describes
    #[arg(value_enum, default_value_t = Of::Campaign, value_name = "OF")]
    of: Of,
    /// `json`: the schema, for editors; `markdown`: a reference made from it, for people
    #[arg(long, value_enum, default_value_t = Form::Json, value_name = "FORM")]
    format: Form,
    /// Write all schemas and references into this folder instead
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    write: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// The schema.
    Json,
    /// The reference.
    Markdown,
}

/// The files that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Of {
    /// A campaign.
    Campaign,
    /// A price book.
    PriceBook,
    /// A saved plan.
    SavedPlan,
    /// A provider's manifest.
    Provider,
    /// What stands beside a picture.
    Sidecar,
    /// Choices and refusals of a campaign.
    Picks,
    /// What `status --json` prints.
    Status,
}

impl Of {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Campaign, Self::PriceBook, Self::SavedPlan, Self::Provider, Self::Sidecar, Self::Picks, Self::Status];

    fn schema(self) -> Value {
        match self {
            Self::Campaign => campaign_schema(),
            Self::PriceBook => PriceBook::schema().to_value(),
            Self::SavedPlan => SavedPlan::schema().to_value(),
            Self::Provider => Manifest::schema().to_value(),
            Self::Sidecar => Sidecar::schema().to_value(),
            Self::Picks => PicksFile::schema().to_value(),
            Self::Status => CampaignStatus::schema().to_value(),
        }
    }

    /// Returns the name of its schema's file and what stands in it.
    pub fn json(self) -> (&'static str, String) {
        (pages::about(self).file, text(&self.schema()))
    }

    /// Returns the name of its reference's file and what stands in it.
    pub fn markdown(self) -> (String, String) {
        let about = pages::about(self);
        (about.file.replace(".schema.json", ".md"), page(&self.schema(), &about))
    }
}

/// Prints a schema or a reference, or writes all of both.
pub fn schema(args: &SchemaArgs) -> Outcome<Exit> {
    let Some(folder) = &args.write else {
        console::data(&match args.format {
            Form::Json => args.of.json().1,
            Form::Markdown => args.of.markdown().1,
        })?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder).map_err(|error| CliError::io("cannot make the folder", folder, error))?;
    for of in Of::ALL {
        let (schema, json) = of.json();
        let (reference, markdown) = of.markdown();
        for (name, text) in [(schema, json), (&reference, markdown)] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|error| CliError::io("cannot write", &path, error))?;
            console::data(&format!("{}\n", path.display()))?;
        }
    }
    Ok(Exit::Done)
}
