//! Who makes the pictures and what they cost: provider and price book, built in or a user's own file.
//!
//! In: names or paths, from the campaign or the command line. Out: a [`Catalog`] and the provider's [`Manifest`].
//! Never: a manifest or a book that nobody asked for is read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::{CliError, Outcome};
use crate::catalog::{Catalog, PriceBook, builtin};
use crate::provider::manifest::{self, Manifest};
use crate::spec::{DiskFiles, Files, Positions, Sources};
use crate::types::diagnostic::{did_you_mean, listed};
use crate::types::{Diagnostic, Diagnostics, FieldPath};

/// Largest manifest or book, 2 MB: the largest of ours has 20 KB.
const MAX_BYTES: u64 = 2_000_000;

/// A provider to name in hints.
pub const BUILTIN_EXAMPLE: &str = "kie";

/// Where a name was said: decides how a mistake in it is shown, and what its paths are relative to.
#[derive(Debug, Clone)]
pub enum Said {
    /// On the command line; paths are relative to the current folder.
    Here(String),
    /// In the campaign, at this place; paths are relative to the campaign's folder.
    InCampaign {
        /// The name.
        name: String,
        /// Where it stands.
        at: FieldPath,
    },
}

impl Said {
    /// Returns the name as it was said.
    pub fn name(&self) -> &str {
        match self {
            Self::Here(name) | Self::InCampaign { name, .. } => name,
        }
    }

    /// Returns the path, if the name is one.
    pub(super) fn path(&self, base: &Path) -> Option<PathBuf> {
        let name = self.name();
        let is_path = name.contains(['/', '\\']) || name.ends_with(".yaml") || name.ends_with(".yml");
        is_path.then(|| match self {
            Self::Here(_) => PathBuf::from(name),
            Self::InCampaign { .. } => base.join(name),
        })
    }

    /// Says a mistake in the name at its place.
    fn wrong(&self, code: &'static str, message: String, help: String, sources: &Sources) -> CliError {
        match self {
            Self::Here(_) => CliError::usage(message, help),
            Self::InCampaign { at, .. } => mistakes(Diagnostic::error(code, at.clone(), message).help(help).into(), sources),
        }
    }
}

/// Provider and prices of a campaign.
#[derive(Debug)]
pub struct Market {
    /// What can be asked for, and what it costs.
    pub catalog: Catalog,
    /// The provider; `None` for a campaign that names none: it can be planned and rehearsed.
    pub manifest: Option<Manifest>,
}

/// Finds provider and book. Files that the campaign names are read from `files`, those of the command line from the disk; all
/// that are read are added to `sources`.
///
/// # Errors
/// Unknown names with what was probably meant; mistakes in files with line and column.
pub fn market_in(provider: Option<&Said>, prices: Option<&Said>, base: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<Market> {
    let manifest = provider.map(|said| provider_in(said, base, files, sources)).transpose()?;
    let book = match (prices, &manifest) {
        (Some(said), _) => book_in(said, base, files, sources)?,
        (None, Some(manifest)) => {
            let own = Said::Here(manifest.prices.to_string());
            book_in(&own, base, files, sources)?
        }
        (None, None) => {
            let help = format!("name who makes the pictures, `provider: kie`, or only whose prices hold: {}", listed(builtin::book_names(), 8));
            let at = FieldPath::campaign().key("campaign").at_key();
            let found = Diagnostic::error("no-prices", at, "the campaign names neither a `provider` nor `prices`").help(help);
            return Err(mistakes(found.into(), sources));
        }
    };
    let catalog = match &manifest {
        Some(manifest) => Catalog::new(Arc::clone(&manifest.id), manifest.models.clone(), book),
        None => Catalog::new(Arc::clone(&book.name), BTreeMap::new(), book),
    };
    Ok(Market { catalog, manifest })
}

/// Returns the provider of this name, or of this file.
///
/// # Errors
/// As [`market_in`].
pub fn provider_called(said: &Said, base: &Path, sources: &mut Sources) -> Outcome<Manifest> {
    provider_in(said, base, &DiskFiles, sources)
}

fn provider_in(said: &Said, base: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<Manifest> {
    if let Some(path) = said.path(base) {
        let (doc, text) = document(said, &path, files, sources)?;
        return Manifest::read(doc, &text).map_err(|found| mistakes(found, sources));
    }
    manifest::builtin(said.name()).ok_or_else(|| {
        let help = suggestion(said.name(), manifest::builtin_names(), "providers", "to use your own manifest, name its file: `./my-provider.yaml`");
        said.wrong("unknown-provider", format!("there is no provider `{}`", said.name()), help, sources)
    })
}

/// Returns the price book of this name, or of this file.
///
/// # Errors
/// As [`market_in`]; a book that reads well and makes no sense is refused too.
pub fn book_called(said: &Said, base: &Path, sources: &mut Sources) -> Outcome<PriceBook> {
    book_in(said, base, &DiskFiles, sources)
}

fn book_in(said: &Said, base: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<PriceBook> {
    if let Some(path) = said.path(base) {
        let (doc, text) = document(said, &path, files, sources)?;
        let book = PriceBook::parse(doc, &text).map_err(|found| mistakes(found, sources))?;
        let found = book.lint(doc);
        return if found.has_errors() { Err(mistakes(found, sources)) } else { Ok(book) };
    }
    builtin::book(said.name()).ok_or_else(|| {
        let help = suggestion(said.name(), builtin::book_names(), "books", "to use your own book, name its file: `./my-prices.yaml`");
        said.wrong("unknown-book", format!("there is no price book `{}`", said.name()), help, sources)
    })
}

fn suggestion(name: &str, known: &[&str], what: &str, own: &str) -> String {
    match did_you_mean(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{what} are {}; {own}", listed(known, 8)),
    }
}

/// Reads a file of a user's into the sources.
fn document(said: &Said, path: &Path, files: &dyn Files, sources: &mut Sources) -> Outcome<(crate::types::DocId, Arc<str>)> {
    let files = if let Said::Here(_) = said { &DiskFiles } else { files };
    let bytes = files.read(path, MAX_BYTES).map_err(|error| {
        let help = "give the path of a YAML file".to_owned();
        said.wrong("unreadable-file", format!("the file `{}` cannot be read: {error}", path.display()), help, sources)
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|_| said.wrong("not-utf8", format!("the file `{}` is not UTF-8 text", path.display()), "save it as UTF-8".to_owned(), sources))?;
    let text: Arc<str> = Arc::from(text.trim_start_matches('\u{feff}'));
    let (doc, found) = sources.add_yaml(path.display().to_string(), Arc::clone(&text), Positions::None);
    if found.has_errors() { Err(mistakes(found, sources)) } else { Ok((doc, text)) }
}

fn mistakes(found: Diagnostics, sources: &Sources) -> CliError {
    CliError::Mistakes(Box::new((found, sources.clone())))
}
