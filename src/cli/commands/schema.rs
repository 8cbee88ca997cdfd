//! `callsheet schema`: JSON Schemas for editors.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::catalog::PriceBook;
use crate::cli::console;
use crate::cli::error::{CliError, Outcome};
use crate::cli::exit::Exit;
use crate::picks::PicksFile;
use crate::plan::SavedPlan;
use crate::provider::manifest::Manifest;
use crate::report::Sidecar;
use crate::spec::schema::{campaign_schema, text};

/// Print the JSON Schema of a campaign, a price book, a saved plan, a provider, a sidecar or a picks file, for editors that complete and check YAML
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  callsheet schema > campaign.schema.json
  callsheet schema --write schemas     all schemas; the first line of a campaign names its own:
      # yaml-language-server: $schema=../schemas/campaign.schema.json")]
pub struct SchemaArgs {
    /// Which file it describes
    #[arg(value_enum, default_value_t = Of::Campaign, value_name = "OF")]
    of: Of,
    /// Write all schemas into this folder instead
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Of {
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
}

impl Of {
    fn text(self) -> String {
        match self {
            Self::Campaign => text(&campaign_schema()),
            Self::PriceBook => text(&PriceBook::schema().to_value()),
            Self::SavedPlan => text(&SavedPlan::schema().to_value()),
            Self::Provider => text(&Manifest::schema().to_value()),
            Self::Sidecar => text(&Sidecar::schema().to_value()),
            Self::Picks => text(&PicksFile::schema().to_value()),
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Campaign => "campaign.schema.json",
            Self::PriceBook => "price-book.schema.json",
            Self::SavedPlan => "saved-plan.schema.json",
            Self::Provider => "provider.schema.json",
            Self::Sidecar => "sidecar.schema.json",
            Self::Picks => "picks.schema.json",
        }
    }
}

/// Prints a schema, or writes all.
pub fn schema(args: &SchemaArgs) -> Outcome<Exit> {
    let Some(folder) = &args.write else {
        console::data(&args.of.text())?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(folder).map_err(|error| CliError::io("cannot make the folder", folder, error))?;
    for of in [Of::Campaign, Of::PriceBook, Of::SavedPlan, Of::Provider, Of::Sidecar, Of::Picks] {
        let path = folder.join(of.file());
        std::fs::write(&path, of.text()).map_err(|error| CliError::io("cannot write", &path, error))?;
        console::data(&format!("{}\n", path.display()))?;
    }
    Ok(Exit::Done)
}
